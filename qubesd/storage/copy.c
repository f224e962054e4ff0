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

/* Through a buffer of our own: between file systems, and where the kernel cannot. */
static int
copy_by_hand(int from, int to, off_t offset, off_t end, off_t shift)
{
	g_autofree char *buffer = g_malloc(BUFFER_BYTES);

	while (offset < end) {
		ssize_t n = pread(from, buffer, (size_t)MIN(end - offset, BUFFER_BYTES), offset);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) /* it was cut meanwhile */
			return -EIO;
		r = io_write_at(to, buffer, (size_t)n, offset + shift);
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

/* To where it came from, and shift bytes on. */
static int
copy_range(int from, int to, off_t offset, off_t end, off_t shift)
{
	while (offset < end) {
		off_t in = offset, out = offset + shift;
		ssize_t n = copy_file_range(from, &in, to, &out, (size_t)(end - offset), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 || (n < 0 && kernel_cannot(errno)))
			return copy_by_hand(from, to, offset, end, shift);
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
copy_sparse(int from, int to, off_t size)
{
	off_t offset = 0, start, end;

	if (ftruncate(to, size) < 0)
		return -errno;
	while (offset < size && find_data(from, offset, size, &start, &end)) {
		int r = copy_range(from, to, start, end, 0);

		if (r < 0)
			return r;
		offset = end;
	}
	return 0;
}

int
copy_content(int from, int to, enum copy_mode mode)
{
	struct stat status;

	if (fstat(from, &status) < 0)
		return -errno;
	if (mode != COPY_SPARSE) {
		if (ioctl(to, FICLONE, from) == 0)
			return 0;
		if (mode == COPY_REFLINK)
			return errno == ENOTTY ? -EOPNOTSUPP : -errno;
	}
	return copy_sparse(from, to, status.st_size);
}

int
copy_tail(int from, off_t from_at, int to, off_t to_at)
{
	off_t border = (from_at + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
	struct stat status;
	int r;

	if (fstat(from, &status) < 0)
		return -errno;
	border = MIN(border, status.st_size); /* blocks are shared in whole ones */
	r = copy_range(from, to, from_at, border, to_at - from_at);
	return r < 0 ? r : copy_range(from, to, border, status.st_size, to_at - from_at);
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
