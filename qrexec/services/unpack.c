#include "qrexec/services/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The file that is being received. */
struct file {
	int fd;     /* -1: none */
	int folder; /* where it will be */
	char *name; /* owned: in the folder */
	bool named; /* it has its name already: the file system knows no nameless files */
	uint32_t mode;
	struct timespec times[2];
};

struct unpack {
	int root; /* borrowed */
	struct unpack_options options;
	struct file file;
};

struct unpack *
unpack_new(int fd, const struct unpack_options *options)
{
	struct unpack *unpack = g_new0(struct unpack, 1);

	unpack->root = fd;
	unpack->options = *options;
	unpack->file.fd = -1;
	return unpack;
}

static void
file_drop(struct file *file)
{
	if (file->fd < 0)
		return;
	close(file->fd);
	close(file->folder);
	g_free(file->name);
	memset(file, 0, sizeof(*file));
	file->fd = -1;
}

void
unpack_free(struct unpack *unpack)
{
	if (unpack == NULL)
		return;
	if (unpack->file.fd >= 0 && unpack->file.named)
		unlinkat(unpack->file.folder, unpack->file.name, 0);
	file_drop(&unpack->file);
	g_free(unpack);
}

/* --- the way to an entry -------------------------------------------------------------------- */

static int
open_folder(int at, const char *name)
{
	return openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * The folder of the last component; the caller closes it. A link or a file on the way is ENOTDIR, a
 * folder that is not there ENOENT.
 */
static int
open_parent(const struct unpack *unpack, const char *path, char **ret_name)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);
	guint last = g_strv_length(parts) - 1;
	int fd = fcntl(unpack->root, F_DUPFD_CLOEXEC, 3);

	for (guint i = 0; i < last && fd >= 0; i++) {
		int next = open_folder(fd, parts[i]);
		int saved = errno;

		close(fd);
		errno = saved;
		fd = next;
	}
	if (fd < 0)
		return -errno;
	*ret_name = g_steal_pointer(&parts[last]);
	return fd;
}

static void
set_times(struct timespec times[2], const struct qfile_entry *entry)
{
	times[0] = (struct timespec){.tv_sec = entry->atime, .tv_nsec = entry->atime_nsec};
	times[1] = (struct timespec){.tv_sec = entry->mtime, .tv_nsec = entry->mtime_nsec};
}

/* --- directories and links ------------------------------------------------------------------ */

/* The first time it is made, with full rights for ourselves; then it gets what it was sent with. */
static uint32_t
unpack_directory(int folder, const char *name, const struct qfile_entry *entry)
{
	struct timespec times[2];
	uint32_t error = 0;
	int fd;

	if (mkdirat(folder, name, 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return (uint32_t)errno;
	fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP ? ENOTDIR : (uint32_t)errno;
	set_times(times, entry);
	if (fchmod(fd, entry->mode) < 0 || futimens(fd, times) < 0)
		error = (uint32_t)errno;
	close(fd);
	return error;
}

/* --- files ---------------------------------------------------------------------------------- */

static uint64_t
free_bytes(int fd)
{
	struct statvfs info;

	if (fstatvfs(fd, &info) < 0)
		return UINT64_MAX;
	return (uint64_t)info.f_bavail * info.f_frsize;
}

static uint32_t
check_space(const struct unpack *unpack, uint64_t len)
{
	uint64_t wanted = len + unpack->options.keep_free_bytes;

	if (unpack->options.keep_free_bytes == 0 && !unpack->options.wait_for_space)
		return 0;
	while (free_bytes(unpack->root) < wanted) {
		if (!unpack->options.wait_for_space)
			return ENOSPC;
		sleep(1);
	}
	return 0;
}

/* Without a name if the file system can do that, else with the name and no rights for anybody. */
static uint32_t
file_create(struct file *file)
{
	struct stat info;

	if (fstatat(file->folder, file->name, &info, AT_SYMLINK_NOFOLLOW) == 0)
		return EEXIST;
	if (access("/proc/self/fd", X_OK) == 0)
		file->fd = openat(file->folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0700);
	if (file->fd < 0) {
		file->fd = openat(file->folder, file->name,
		    O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0);
		file->named = file->fd >= 0;
	}
	return file->fd < 0 ? (uint32_t)errno : 0;
}

static uint32_t
unpack_file(struct unpack *unpack, int folder, char *name, const struct qfile_entry *entry)
{
	struct file *file = &unpack->file;
	uint32_t error = check_space(unpack, entry->len);

	if (error != 0)
		return error;
	file->fd = -1;
	file->folder = fcntl(folder, F_DUPFD_CLOEXEC, 3);
	file->name = g_strdup(name);
	file->mode = entry->mode;
	set_times(file->times, entry);
	error = file->folder < 0 ? (uint32_t)errno : file_create(file);
	if (error != 0) {
		if (file->folder >= 0)
			close(file->folder);
		g_clear_pointer(&file->name, g_free);
	}
	return error;
}

static uint32_t
file_link(const struct file *file)
{
	char path[32];

	if (file->named)
		return 0;
	g_snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
	if (linkat(AT_FDCWD, path, file->folder, file->name, AT_SYMLINK_FOLLOW) < 0)
		return (uint32_t)errno;
	return 0;
}

uint32_t
unpack_content(struct unpack *unpack, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = write(unpack->file.fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return (uint32_t)errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

uint32_t
unpack_done(struct unpack *unpack)
{
	struct file *file = &unpack->file;
	uint32_t error;

	if (file->fd < 0)
		return 0;
	/* Rights before the name: nobody opens it with rights that it was not sent with. */
	if (fchmod(file->fd, file->mode) < 0 || futimens(file->fd, file->times) < 0)
		return (uint32_t)errno;
	error = file_link(file);
	if (error == 0)
		file_drop(file);
	return error;
}

/* --- entries -------------------------------------------------------------------------------- */

uint32_t
unpack_entry(struct unpack *unpack, const struct qfile_entry *entry)
{
	g_autofree char *name = NULL;
	int folder = open_parent(unpack, entry->path, &name);
	uint32_t error = 0;

	if (folder < 0)
		return folder == -ELOOP ? ENOTDIR : (uint32_t)-folder;
	switch (entry->type) {
	case QFILE_FILE:
		error = unpack_file(unpack, folder, name, entry);
		break;
	case QFILE_DIRECTORY:
		error = unpack_directory(folder, name, entry);
		break;
	case QFILE_LINK:
		if (symlinkat(entry->target, folder, name) < 0)
			error = (uint32_t)errno;
		break;
	}
	close(folder);
	return error;
}

uint32_t
unpack_sync(struct unpack *unpack)
{
	return syncfs(unpack->root) < 0 ? (uint32_t)errno : 0;
}
