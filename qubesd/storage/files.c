#include "qubesd/storage/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- names ---------------------------------------------------------------------------------- */

void
files_init(struct files *files, const char *dir, const char *vid)
{
	g_autofree char *path = g_build_filename(dir, vid, NULL);

	files->folder = g_path_get_dirname(path);
	files->stem = g_path_get_basename(path);
	files->clean = g_strconcat(path, ".img", NULL);
	files->dirty = g_strconcat(path, "-dirty.img", NULL);
	files->precache = g_strconcat(path, "-precache.img", NULL);
	files->import = g_strconcat(path, "-import.img", NULL);
}

void
files_fini(struct files *files)
{
	g_free(files->folder);
	g_free(files->stem);
	g_free(files->clean);
	g_free(files->dirty);
	g_free(files->precache);
	g_free(files->import);
}

/* What an entry of the folder is to the volume. */
enum entry {
	ENTRY_OTHER, /* not its own */
	ENTRY_CONTENT,
	ENTRY_REVISION,
	ENTRY_LEFTOVER,
};

static enum entry
classify(const struct files *files, const char *name, unsigned *ret_revision)
{
	static const char *const ends[] = {".img", "-dirty.img", "-precache.img", "-import.img"};
	size_t stem = strlen(files->stem);

	if (strncmp(name, files->stem, stem) != 0)
		return ENTRY_OTHER;
	name += stem;
	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
		const char *rest = name + strlen(ends[i]);
		char *at;
		unsigned long number;

		if (!g_str_has_prefix(name, ends[i]))
			continue;
		if (rest[0] == '\0')
			return ENTRY_CONTENT;
		if (strchr(rest, '~') != NULL)
			return ENTRY_LEFTOVER;
		if (i != 0 || rest[0] != '.' || !g_ascii_isdigit(rest[1]))
			return ENTRY_OTHER;
		number = strtoul(rest + 1, &at, 10);
		if (*at != '@' || number == 0 || number >= UINT_MAX)
			return ENTRY_OTHER;
		*ret_revision = (unsigned)number;
		return ENTRY_REVISION;
	}
	return ENTRY_OTHER;
}

/* --- small steps ---------------------------------------------------------------------------- */

bool
files_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

int
files_unlink(const char *path)
{
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int
files_rename(const char *from, const char *to)
{
	return rename(from, to) < 0 ? -errno : 0;
}

int
files_sync(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | flags);
	int r;

	if (fd < 0)
		return -errno;
	r = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int
files_sync_folder(const struct files *files)
{
	return files_sync(files->folder, O_DIRECTORY);
}

/*
 * Whoever runs a qube on a file holds a lock on it (QEMU does), so that a daemon which has lost sight
 * of a qube does not take its disk away.
 */
bool
files_is_locked(const char *path)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool locked;

	if (fd < 0)
		return false;
	locked = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	close(fd);
	return locked;
}

/* A new file beside path, filled by the caller and then put in its place, or dropped. */
static int
open_temp(const char *path, char **ret_temp)
{
	g_autofree char *temp = g_strconcat(path, "~XXXXXX", NULL);
	int fd = g_mkstemp_full(temp, O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	*ret_temp = g_steal_pointer(&temp);
	return fd;
}

static int
close_temp(int fd, char *temp, const char *path, bool durable, int r)
{
	if (r == 0 && durable && fsync(fd) < 0)
		r = -errno;
	close(fd);
	if (r == 0)
		r = files_rename(temp, path);
	if (r < 0)
		unlink(temp);
	g_free(temp);
	return r;
}

int
files_make_sparse(const char *path, uint64_t size, bool durable)
{
	char *temp;
	int fd = open_temp(path, &temp);

	if (fd < 0)
		return fd;
	return close_temp(fd, temp, path, durable, ftruncate(fd, (off_t)size) < 0 ? -errno : 0);
}

static int
fill_copy(int from, int to, enum copy_mode mode, uint64_t min_size, const int *stop)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	struct stat status;
	int r = copy_content_unless(from, to, mode, stop);

	if (r < 0)
		return r;
	if (fstat(from, &status) < 0)
		return -errno;
	if ((uint64_t)status.st_size < min_size && ftruncate(to, (off_t)min_size) < 0)
		return -errno;
	times[1] = status.st_mtim; /* it is of the same age: is_fresh() in driver_file.c */
	return futimens(to, times) < 0 ? -errno : 0;
}

int
files_make_copy(const char *from, const char *to, enum copy_mode mode, uint64_t min_size,
    bool durable, const int *stop)
{
	int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *temp;
	int out, r;

	if (in < 0)
		return -errno;
	out = open_temp(to, &temp);
	if (out < 0) {
		close(in);
		return out;
	}
	r = fill_copy(in, out, mode, min_size, stop);
	close(in);
	return close_temp(out, temp, to, durable, r);
}

/* --- the entries of the folder -------------------------------------------------------------- */

static void
revision_free(void *data)
{
	struct files_revision *revision = data;

	g_free(revision->path);
	g_free(revision);
}

static int
compare_revisions(const void *a, const void *b)
{
	const struct files_revision *first = *(struct files_revision *const *)a;
	const struct files_revision *second = *(struct files_revision *const *)b;

	return (first->number > second->number) - (first->number < second->number);
}

GPtrArray *
files_revisions(const struct files *files)
{
	g_autoptr(GDir) dir = g_dir_open(files->folder, 0, NULL);
	GPtrArray *revisions = g_ptr_array_new_with_free_func(revision_free);
	const char *name;
	unsigned number;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		struct files_revision *revision;

		if (classify(files, name, &number) != ENTRY_REVISION)
			continue;
		revision = g_new0(struct files_revision, 1);
		revision->number = number;
		revision->path = g_build_filename(files->folder, name, NULL);
		g_ptr_array_add(revisions, revision);
	}
	g_ptr_array_sort(revisions, compare_revisions);
	return revisions;
}

int
files_remove(const struct files *files, bool all)
{
	g_autoptr(GDir) dir = g_dir_open(files->folder, 0, NULL);
	const char *name;
	unsigned number;
	int result = 0;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		enum entry entry = classify(files, name, &number);
		g_autofree char *path = g_build_filename(files->folder, name, NULL);
		int r;

		if (entry != ENTRY_LEFTOVER && (!all || entry == ENTRY_OTHER))
			continue;
		r = files_unlink(path);
		if (r < 0)
			result = r;
	}
	return result;
}

int
files_keep_newest(const struct files *files, unsigned count)
{
	g_autoptr(GPtrArray) revisions = files_revisions(files);

	for (guint i = 0; i + count < revisions->len; i++) {
		int r = files_unlink(((struct files_revision *)revisions->pdata[i])->path);

		if (r < 0)
			return r;
	}
	return 0;
}

bool
files_same(const char *a, const char *b)
{
	struct stat first, second;

	return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
	       first.st_ino == second.st_ino;
}

/* By a second name that stays. */
int
files_keep_clean(const struct files *files)
{
	g_autoptr(GPtrArray) revisions = files_revisions(files);
	const struct files_revision *newest =
	    revisions->len > 0 ? revisions->pdata[revisions->len - 1] : NULL;
	g_autofree char *path = NULL;
	struct stat status;
	struct tm when;
	char time[sizeof("-2147483648-01-01T00:00:00Z")];

	if (stat(files->clean, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (newest != NULL && files_same(newest->path, files->clean))
		return 0;
	gmtime_r(&status.st_mtim.tv_sec, &when);
	strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%SZ", &when);
	path = g_strdup_printf(
	    "%s.%u@%s", files->clean, newest != NULL ? newest->number + 1 : 1, time);
	return link(files->clean, path) < 0 ? -errno : 0;
}
