#include "qrexec/policy/policy_file.h"

#include "qrexec/policy/parse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define READ_ATTEMPTS 3

static bool
same_state(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Reads the whole of fd. Returns 0, -EAGAIN when the file changed meanwhile, or the error. */
static int
read_descriptor(int fd, struct stat *ret_state, GByteArray *bytes)
{
	struct stat before, after;
	size_t got = 0;

	if (fstat(fd, &before) < 0)
		return -errno;
	if (!S_ISREG(before.st_mode))
		return -EMEDIUMTYPE;
	if (before.st_size > POLICY_FILE_MAX)
		return -EFBIG;
	g_byte_array_set_size(bytes, (guint)before.st_size);
	while (got < bytes->len) {
		ssize_t n = read(fd, bytes->data + got, bytes->len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EAGAIN; /* it has become shorter */
		got += (size_t)n;
	}
	if (fstat(fd, &after) < 0)
		return -errno;
	if (!same_state(&before, &after))
		return -EAGAIN;
	*ret_state = after;
	return 0;
}

/* Opened without waiting: a FIFO in the place of a file must not hold us up. */
int
policy_file_read(const char *path, struct stat *ret_state, GByteArray *bytes)
{
	int r = -EAGAIN;

	for (int i = 0; i < READ_ATTEMPTS && r == -EAGAIN; i++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

		if (fd < 0)
			return -errno;
		r = read_descriptor(fd, ret_state, bytes);
		close(fd);
	}
	return r;
}

const char *
policy_file_error_text(int r)
{
	switch (r) {
	case -EMEDIUMTYPE:
		return "not a regular file";
	case -EFBIG:
		return "longer than 1048576 bytes";
	case -EAGAIN:
		return "changes while it is read";
	default:
		return g_strerror(-r);
	}
}

GPtrArray *
policy_file_list(const char *path, bool (*wanted)(const char *name), int *ret_error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	DIR *dir = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (dir == NULL) {
		*ret_error = -errno;
		return NULL;
	}
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		struct stat state;

		if (entry->d_name[0] == '.' || !wanted(entry->d_name))
			continue;
		if (fstatat(dirfd(dir), entry->d_name, &state, 0) < 0) {
			if (errno == ENOENT) /* a dangling link */
				continue;
			break;
		}
		if (S_ISREG(state.st_mode))
			g_ptr_array_add(names, g_strdup(entry->d_name));
	}
	if (entry != NULL || errno != 0)
		r = -errno;
	closedir(dir);
	if (r < 0) {
		*ret_error = r;
		return NULL;
	}
	return g_steal_pointer(&names);
}
