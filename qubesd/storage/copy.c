#include "qubesd/storage/copy.h"
#include "shared/io.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES (256 << 10)
#define BLOCK_BYTES 4096
#define CHUNK_BYTES (16 << 20) /* that the kernel copies at once where somebody may stop it */

/* Between which files, to where it came from and shift bytes on. */
struct pass {
	int from, to;
	off_t shift;
	const int *stop; /* atomic; NULL: nobody stops it */
};

static bool
is_stopped(const int *stop)
{
	return stop != NULL && g_atomic_int_get(stop) != 0;
}

/* Through a buffer of our own: between file systems, and where the kernel cannot. */
static int
copy_by_hand(const struct pass *pass, off_t offset, off_t end)
{
	g_autofree char *buffer = g_malloc(BUFFER_BYTES);

	while (offset < end) {
		ssize_t n =
		    pread(pass->from, buffer, (size_t)MIN(end - offset, BUFFER_BYTES), offset);
		int r;

		if (is_stopped(pass->stop))
			return -ECANCELED;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) /* it was cut meanwhile */
			return -EIO;
		r = io_write_at(pass->to, buffer, (size_t)n, offset + pass->shift);
		if (r < 0)
			return r;
		offset += n;
	}
	return 0;
}

static bool
kernel_cannot(int error)
{
	return error == EXDEV || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP ||
	       error == EBADF;
}

static int
copy_range(const struct pass *pass, off_t offset, off_t end)
{
	while (offset < end) {
		off_t in = offset, out = offset + pass->shift;
		off_t len = pass->stop != NULL ? MIN(end - offset, CHUNK_BYTES) : end - offset;
		ssize_t n = copy_file_range(pass->from, &in, pass->to, &out, (size_t)len, 0);

		if (is_stopped(pass->stop))
			return -ECANCELED;
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 || (n < 0 && kernel_cannot(errno)))
			return copy_by_hand(pass, offset, end);
		if (n < 0)
			return -errno;
		offset += n;
	}
	return 0;
}

/* The next run of data at or behind offset; false: only holes up to size. */
static bool
find_data(int fd, off_t offset, off_t size, off_t *ret_start, off_t *ret_end)
{
	off_t start = lseek(fd, offset, SEEK_DATA), end;

	if (start < 0 && errno == ENXIO)
		return false;
	if (start < 0) { /* holes cannot be told from data here */
		*ret_start = offset;
		*ret_end = size;
		return true;
	}
	end = lseek(fd, start, SEEK_HOLE);
	*ret_start = start;
	*ret_end = end < 0 || end > size ? size : end;
	return start < size;
}

static int
copy_sparse(const struct pass *pass, off_t size)
{
	off_t offset = 0, start, end;

	if (ftruncate(pass->to, size) < 0)
		return -errno;
	while (offset < size && find_data(pass->from, offset, size, &start, &end)) {
		int r = copy_range(pass, start, end);

		if (r < 0)
			return r;
		offset = end;
	}
	return 0;
}

int
copy_content_unless(int from, int to, enum copy_mode mode, const int *stop)
{
	const struct pass pass = {.from = from, .to = to, .stop = stop};
	struct stat status;

	if (is_stopped(stop))
		return -ECANCELED;
	if (fstat(from, &status) < 0)
		return -errno;
	if (mode != COPY_SPARSE) {
		if (ioctl(to, FICLONE, from) == 0)
			return 0;
		if (mode == COPY_REFLINK)
			return errno == ENOTTY ? -EOPNOTSUPP : -errno;
	}
	return copy_sparse(&pass, status.st_size);
}

int
copy_content(int from, int to, enum copy_mode mode)
{
	return copy_content_unless(from, to, mode, NULL);
}

int
copy_tail(int from, off_t from_at, int to, off_t to_at)
{
	const struct pass pass = {.from = from, .to = to, .shift = to_at - from_at};
	off_t border = (from_at + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
	struct stat status;
	int r;

	if (fstat(from, &status) < 0)
		return -errno;
	border = MIN(border, status.st_size); /* blocks are shared in whole ones */
	r = copy_range(&pass, from_at, border);
	return r < 0 ? r : copy_range(&pass, border, status.st_size);
}

bool
copy_can_share(const char *dir)
{
	int from = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int to = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	bool shares = from >= 0 && to >= 0 && write(from, "", 1) == 1 &&
		      copy_content(from, to, COPY_REFLINK) == 0;

	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return shares;
}
