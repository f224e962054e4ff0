/*
 * Volumes as files: the drivers file-reflink and file, which differ in how they copy.
 *
 * For the volume DIR/FOLDER/NAME:
 *   NAME.img            clean: the content between runs; of a running snapshot, a link of what it
 *                       was copied from, which tells whether that is still its source's content
 *   NAME-dirty.img      what the qube writes
 *   NAME-precache.img   a copy of the clean file made ahead, with its time of change
 *   NAME-import.img     what is being imported
 *   NAME.img.R@TIME     an earlier content
 *   ...img~XXXXXX       half made; never looked at, removed at the next start
 *
 * A clean file is never written: it is replaced. So a revision is a link of it, which costs nothing,
 * and whoever copies it while it is replaced gets one of both and no mixture.
 */
#include "qubesd/storage/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/* clang-format off */
static const char *const file_parameters[] = {
	"dir_path*", "revisions_to_keep", "ephemeral_volatile", NULL };
static const char *const reflink_parameters[] = {
	"dir_path*", "setup_check", "revisions_to_keep", "ephemeral_volatile", NULL };
/* clang-format on */

#define FILE_REVISIONS_MAX 1 /* of the driver file: a copy in full each */

/* --- names ---------------------------------------------------------------------------------- */

struct files {
	char *folder, *stem; /* owned; DIR/FOLDER and NAME */
	char *clean, *dirty, *precache, *import;
};

static void
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

static void
files_fini(struct files *files)
{
	g_free(files->folder);
	g_free(files->stem);
	g_free(files->clean);
	g_free(files->dirty);
	g_free(files->precache);
	g_free(files->import);
}
#define AUTO_FILES __attribute__((cleanup(files_fini)))

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

static int
fail(char **ret_error, int r, const char *what)
{
	*ret_error = g_strdup_printf("%s: %s", what, strerror(-r));
	return r;
}

static bool
exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static int
unlink_if_there(const char *path)
{
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int
rename_over(const char *from, const char *to)
{
	return rename(from, to) < 0 ? -errno : 0;
}

static int
sync_path(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | flags);
	int r;

	if (fd < 0)
		return -errno;
	r = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static int
sync_folder(const struct files *files)
{
	return sync_path(files->folder, O_DIRECTORY);
}

/*
 * Whoever runs a qube on a file holds a lock on it (QEMU does), so that a daemon which has lost sight
 * of a qube does not take its disk away.
 */
static bool
is_locked(const char *path)
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
		r = rename_over(temp, path);
	if (r < 0)
		unlink(temp);
	g_free(temp);
	return r;
}

static int
make_sparse(const char *path, uint64_t size, bool durable)
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
	times[1] = status.st_mtim; /* it is of the same age: see is_fresh() */
	return futimens(to, times) < 0 ? -errno : 0;
}

/* At least min_size bytes. Not durable: after a crash it may be incomplete, and must be dropped. */
static int
make_copy(const char *from, const char *to, enum copy_mode mode, uint64_t min_size, bool durable,
    const int *stop)
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

struct revision {
	unsigned number;
	char *path; /* owned */
};

static void
revision_free(void *data)
{
	struct revision *revision = data;

	g_free(revision->path);
	g_free(revision);
}

static int
compare_revisions(const void *a, const void *b)
{
	const struct revision *first = *(struct revision *const *)a;
	const struct revision *second = *(struct revision *const *)b;

	return (first->number > second->number) - (first->number < second->number);
}

/* Oldest first. */
static GPtrArray *
list_revisions(const struct files *files)
{
	g_autoptr(GDir) dir = g_dir_open(files->folder, 0, NULL);
	GPtrArray *revisions = g_ptr_array_new_with_free_func(revision_free);
	const char *name;
	unsigned number;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		struct revision *revision;

		if (classify(files, name, &number) != ENTRY_REVISION)
			continue;
		revision = g_new0(struct revision, 1);
		revision->number = number;
		revision->path = g_build_filename(files->folder, name, NULL);
		g_ptr_array_add(revisions, revision);
	}
	g_ptr_array_sort(revisions, compare_revisions);
	return revisions;
}

/* Removes entries of one kind, or all of them. */
static int
remove_entries(const struct files *files, bool all)
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
		r = unlink_if_there(path);
		if (r < 0)
			result = r;
	}
	return result;
}

static int
keep_newest(const struct files *files, unsigned count)
{
	g_autoptr(GPtrArray) revisions = list_revisions(files);

	for (guint i = 0; i + count < revisions->len; i++) {
		int r = unlink_if_there(((struct revision *)revisions->pdata[i])->path);

		if (r < 0)
			return r;
	}
	return 0;
}

static unsigned
revisions_wanted(const struct volume_image *image)
{
	int wanted = MAX(image->revisions_to_keep, 0);

	return (unsigned)(image->copy == COPY_SPARSE ? MIN(wanted, FILE_REVISIONS_MAX) : wanted);
}

static bool
same_file(const char *a, const char *b)
{
	struct stat first, second;

	return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
	       first.st_ino == second.st_ino;
}

/* Gives the clean file a second name that stays. After a crash it may have it already. */
static int
keep_clean(const struct files *files)
{
	g_autoptr(GPtrArray) revisions = list_revisions(files);
	const struct revision *newest =
	    revisions->len > 0 ? revisions->pdata[revisions->len - 1] : NULL;
	g_autofree char *path = NULL;
	struct stat status;
	struct tm when;
	char time[sizeof("-2147483648-01-01T00:00:00Z")];

	if (stat(files->clean, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (newest != NULL && same_file(newest->path, files->clean))
		return 0;
	gmtime_r(&status.st_mtim.tv_sec, &when);
	strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%SZ", &when);
	path = g_strdup_printf(
	    "%s.%u@%s", files->clean, newest != NULL ? newest->number + 1 : 1, time);
	return link(files->clean, path) < 0 ? -errno : 0;
}

/* --- the copy made ahead -------------------------------------------------------------------- */

/* Only where it costs nothing, and never needed. */
static void
make_precache(const struct volume_image *image, const struct files *files)
{
	unlink_if_there(files->precache);
	if (image->copy != COPY_SPARSE && image->revisions_to_keep != VOLUME_REVISIONS_IN_PLACE)
		(void)make_copy(files->clean, files->precache, COPY_REFLINK, 0, true, NULL);
}

static bool
is_fresh(const struct files *files)
{
	struct stat clean, ahead;

	return stat(files->clean, &clean) == 0 && stat(files->precache, &ahead) == 0 &&
	       clean.st_size == ahead.st_size && clean.st_mtim.tv_sec == ahead.st_mtim.tv_sec &&
	       clean.st_mtim.tv_nsec == ahead.st_mtim.tv_nsec;
}

/* --- new content ---------------------------------------------------------------------------- */

/* A complete file becomes the content; the old content becomes a revision. */
static int
commit(const struct volume_image *image, const struct files *files, const char *path)
{
	int r = sync_path(path, 0);

	if (r == 0 && revisions_wanted(image) > 0)
		r = keep_clean(files);
	if (r == 0)
		r = unlink_if_there(files->precache); /* times may be equal by chance */
	if (r == 0)
		r = rename_over(path, files->clean);
	if (r == 0)
		r = keep_newest(files, revisions_wanted(image));
	if (r == 0)
		r = sync_folder(files);
	if (r == 0)
		make_precache(image, files);
	return r;
}

static int
create(const struct volume_image *image, bool *ret_made, char **ret_error)
{
	AUTO_FILES struct files files;
	int r = 0;

	files_init(&files, image->dir, image->vid);
	*ret_made = !exists(files.clean) && !exists(files.dirty);
	if (!*ret_made)
		return 0;
	r = make_sparse(files.clean, image->size, true);
	if (r == 0)
		r = sync_folder(&files);
	if (r == 0)
		make_precache(image, &files);
	if (r < 0)
		remove_entries(&files, true);
	return r < 0 ? fail(ret_error, r, "the volume cannot be made") : 0;
}

static int
remove_volume(const struct volume_image *image, char **ret_error)
{
	AUTO_FILES struct files files;
	int r;

	files_init(&files, image->dir, image->vid);
	r = remove_entries(&files, true);
	return r < 0 ? fail(ret_error, r, "the volume cannot be removed") : 0;
}

/* --- start and stop ------------------------------------------------------------------------- */

static int
verify(const struct volume_image *image, char **ret_error)
{
	AUTO_FILES struct files files;

	files_init(&files, image->dir, image->snap_on_start ? image->source : image->vid);
	if (image->snap_on_start && !exists(files.clean)) {
		*ret_error = g_strdup(exists(files.dirty)
					  ? "its template's volume has no content that could be "
					    "copied while it is in use"
					  : "the content of its template's volume is missing");
		return -ENOENT;
	}
	if (image->save_on_stop && !exists(files.clean) && !exists(files.dirty)) {
		*ret_error = g_strdup("its content is missing");
		return -ENOENT;
	}
	return 0;
}

/* What a crash of the machine left is newer than the clean file, and goes on. */
static int
start_kept(const struct volume_image *image, const struct files *files)
{
	int r;

	if (exists(files->dirty))
		return 0;
	if (image->revisions_to_keep == VOLUME_REVISIONS_IN_PLACE) {
		r = keep_newest(files, 0);
		if (r == 0)
			r = unlink_if_there(files->precache);
		if (r == 0)
			r = rename_over(files->clean, files->dirty);
	} else if (is_fresh(files)) {
		r = rename_over(files->precache, files->dirty);
	} else {
		r = make_copy(
		    files->clean, files->dirty, image->copy, image->size, true, image->stop);
	}
	return r == 0 ? sync_folder(files) : r;
}

/* Nothing of it has to outlive a crash, so nothing waits for the disk. */
static int
start_snapshot(const struct volume_image *image, const struct files *files)
{
	AUTO_FILES struct files source;
	int r = unlink_if_there(files->dirty);

	files_init(&source, image->dir, image->source);
	if (r == 0)
		r = unlink_if_there(files->clean);
	if (r < 0)
		return r;
	/* The link is the same content for as long as this takes, whatever becomes of the source. */
	if (link(source.clean, files->clean) == 0)
		return make_copy(
		    files->clean, files->dirty, image->copy, image->size, false, image->stop);
	return make_copy(source.clean, files->dirty, image->copy, image->size, false, image->stop);
}

static int
start(const struct volume_image *image, char **ret_path, char **ret_error)
{
	AUTO_FILES struct files files;
	int r;

	files_init(&files, image->dir, image->vid);
	if (is_locked(files.dirty))
		return fail(ret_error, -EBUSY, "the volume is in use");
	r = remove_entries(&files, false);
	if (r == 0)
		r = unlink_if_there(files.import);
	if (r == 0 && image->save_on_stop)
		r = start_kept(image, &files);
	else if (r == 0 && image->snap_on_start)
		r = start_snapshot(image, &files);
	else if (r == 0)
		r = make_sparse(files.dirty, image->size, false);
	if (r < 0)
		return fail(ret_error, r, "the volume cannot be prepared");
	*ret_path = g_strdup(files.dirty);
	return 0;
}

static char *
origin(const struct volume_image *image)
{
	AUTO_FILES struct files files;

	files_init(&files, image->dir, image->vid);
	return image->snap_on_start && exists(files.clean) ? g_strdup(files.clean) : NULL;
}

static int
stop(const struct volume_image *image, char **ret_error)
{
	AUTO_FILES struct files files;
	int r = 0;

	files_init(&files, image->dir, image->vid);
	if (image->save_on_stop) {
		if (exists(files.dirty))
			r = commit(image, &files, files.dirty);
		return r < 0 ? fail(ret_error, r, "what the qube wrote stays beside the volume")
			     : 0;
	}
	r = unlink_if_there(files.dirty);
	if (r == 0)
		r = unlink_if_there(files.clean);
	return r < 0 ? fail(ret_error, r, "the volume cannot be cleared") : 0;
}

static int
recover(const struct volume_image *image, char **ret_error)
{
	AUTO_FILES struct files files;

	files_init(&files, image->dir, image->vid);
	if (is_locked(files.dirty))
		return fail(ret_error, -EBUSY, "somebody uses the volume");
	remove_entries(&files, false);
	if (!image->is_imported)
		unlink_if_there(files.import);
	return stop(image, ret_error);
}

/* --- content from outside ------------------------------------------------------------------- */

static int
import_begin(const struct volume_image *image, char **ret_path, char **ret_error)
{
	AUTO_FILES struct files files;
	int r;

	files_init(&files, image->dir, image->vid);
	if (exists(files.dirty))
		return fail(ret_error, -EBUSY, "the volume is in use");
	r = unlink_if_there(files.import);
	if (r == 0)
		r = make_sparse(files.import, image->size, false);
	if (r < 0)
		return fail(ret_error, r, "the import cannot begin");
	*ret_path = g_strdup(files.import);
	return 0;
}

static int
import_end(const struct volume_image *image, bool ok, char **ret_error)
{
	AUTO_FILES struct files files;
	struct stat status;
	int r;

	files_init(&files, image->dir, image->vid);
	if (!ok) {
		r = unlink_if_there(files.import);
		return r < 0 ? fail(ret_error, r, "the import cannot be dropped") : 0;
	}
	if (stat(files.import, &status) < 0)
		r = -errno;
	else if ((uint64_t)status.st_size != image->size)
		r = -EMSGSIZE;
	else if (exists(files.dirty))
		r = -EBUSY;
	else
		r = commit(image, &files, files.import);
	if (r == 0)
		return 0;
	unlink_if_there(files.import);
	return fail(ret_error, r, "the import is dropped");
}

static int
import_file(const struct volume_image *image, const char *path, char **ret_error)
{
	AUTO_FILES struct files files;
	int r;

	files_init(&files, image->dir, image->vid);
	if (exists(files.dirty))
		return fail(ret_error, -EBUSY, "the volume is in use");
	/* It may come from another pool, where blocks cannot be shared. */
	r = make_copy(path, files.import, image->copy == COPY_SPARSE ? COPY_SPARSE : COPY_AUTO, 0,
	    true, image->stop);
	if (r == 0)
		r = commit(image, &files, files.import);
	return r < 0 ? fail(ret_error, r, "the content cannot be copied") : 0;
}

static int
export_path(const struct volume_image *image, char **ret_path, char **ret_error)
{
	AUTO_FILES struct files files;

	files_init(&files, image->dir, image->vid);
	if (!exists(files.clean))
		return fail(ret_error, exists(files.dirty) ? -EBUSY : -ENOENT,
		    "the volume has no content to copy now");
	*ret_path = g_strdup(files.clean);
	return 0;
}

/* --- revisions and sizes -------------------------------------------------------------------- */

/* A crash between two steps may have left the content itself among them. */
static bool
is_earlier(const struct files *files, const struct revision *revision)
{
	return !same_file(revision->path, files->clean);
}

static const struct revision *
find_revision(const struct files *files, const GPtrArray *revisions, const char *name)
{
	for (guint i = revisions->len; i > 0; i--) {
		const struct revision *revision = revisions->pdata[i - 1];
		g_autofree char *number = g_strdup_printf("%u", revision->number);

		if ((name[0] == '\0' || strcmp(name, number) == 0) && is_earlier(files, revision))
			return revision;
	}
	return NULL;
}

static int
revert(const struct volume_image *image, const char *name, char **ret_error)
{
	AUTO_FILES struct files files;
	g_autoptr(GPtrArray) revisions = NULL;
	const struct revision *revision;
	int r;

	files_init(&files, image->dir, image->vid);
	revisions = list_revisions(&files);
	revision = find_revision(&files, revisions, name);
	if (revision == NULL) {
		*ret_error = g_strdup("there is no such revision");
		return -ENOENT;
	}
	if (exists(files.dirty))
		return fail(ret_error, -EBUSY, "the volume is in use");
	r = keep_clean(&files);
	if (r == 0)
		r = unlink_if_there(files.precache);
	if (r == 0)
		r = rename_over(revision->path, files.clean);
	if (r == 0)
		r = sync_folder(&files);
	if (r == 0)
		make_precache(image, &files);
	return r < 0 ? fail(ret_error, r, "the volume cannot be reverted") : 0;
}

static bool
has_no_data(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool empty = fd >= 0 && lseek(fd, 0, SEEK_DATA) < 0 && errno == ENXIO;

	if (fd >= 0)
		close(fd);
	return empty;
}

static int
grow(const char *path, uint64_t size)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0)
		return -errno;
	r = ftruncate(fd, (off_t)size) < 0 || fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* The clean file may have other names, which keep their size. */
static int
resize_clean(const struct volume_image *image, const struct files *files, const struct stat *status,
    uint64_t size)
{
	int r = unlink_if_there(files->precache);

	if (r < 0)
		return r;
	if (size < (uint64_t)status->st_size)
		r = make_sparse(files->clean, size, true);
	else if (status->st_nlink == 1)
		r = grow(files->clean, size);
	else
		r = make_copy(files->clean, files->clean, image->copy, size, true, image->stop);
	if (r == 0)
		r = sync_folder(files);
	if (r == 0)
		make_precache(image, files);
	return r;
}

static int
resize(const struct volume_image *image, uint64_t size, char **ret_error)
{
	AUTO_FILES struct files files;
	struct stat status;
	bool dirty;
	int r = 0;

	files_init(&files, image->dir, image->vid);
	dirty = exists(files.dirty);
	if (!dirty && !image->save_on_stop)
		return 0; /* the next start makes it in the new size */
	if (stat(dirty ? files.dirty : files.clean, &status) < 0)
		return fail(ret_error, -errno, "the volume has no content");
	if (size < (uint64_t)status.st_size && (dirty || !has_no_data(files.clean))) {
		*ret_error = g_strdup("only an empty volume of a halted qube can shrink");
		return -EINVAL;
	}
	if (size != (uint64_t)status.st_size)
		r = dirty ? grow(files.dirty, size) : resize_clean(image, &files, &status, size);
	return r < 0 ? fail(ret_error, r, "the volume cannot be resized") : 0;
}

/* --- looks ---------------------------------------------------------------------------------- */

static int
outdated(const struct volume_image *image, const struct files *files)
{
	AUTO_FILES struct files source;

	files_init(&source, image->dir, image->source);
	if (!exists(files->clean) || !exists(source.clean))
		return -1;
	return !same_file(files->clean, source.clean);
}

static int
status_of(const struct volume_image *image, struct volume_status *ret, char **ret_error)
{
	AUTO_FILES struct files files;
	g_autoptr(GPtrArray) revisions = NULL;
	struct stat status;

	(void)ret_error;
	files_init(&files, image->dir, image->vid);
	*ret = (struct volume_status){.is_outdated = -1};
	ret->is_dirty = exists(files.dirty);
	if (stat(ret->is_dirty ? files.dirty : files.clean, &status) == 0) {
		ret->size = (uint64_t)status.st_size;
		ret->usage = (uint64_t)status.st_blocks * 512;
	}
	if (image->snap_on_start && ret->is_dirty)
		ret->is_outdated = outdated(image, &files);
	ret->path = g_strdup(files.dirty);
	ret->revisions = g_ptr_array_new_with_free_func(g_free);
	revisions = list_revisions(&files);
	for (guint i = 0; i < revisions->len; i++) {
		const struct revision *revision = revisions->pdata[i];

		if (is_earlier(&files, revision))
			g_ptr_array_add(ret->revisions, g_strdup_printf("%u", revision->number));
	}
	return 0;
}

/* Of the file system, which others may use as well. */
static int
pool_status(const struct volume_image *image, struct volume_status *ret, char **ret_error)
{
	struct statvfs status;

	if (statvfs(image->dir, &status) < 0)
		return fail(ret_error, -errno, "the pool cannot be looked at");
	*ret = (struct volume_status){
	    .size = (uint64_t)status.f_blocks * status.f_frsize,
	    .usage = (uint64_t)(status.f_blocks - status.f_bfree) * status.f_frsize,
	};
	return 0;
}

#define FILE_FUNCTIONS                                                                             \
	.has_content = true, .create = create, .remove = remove_volume, .verify = verify,          \
	.start = start, .origin = origin, .stop = stop, .recover = recover,                        \
	.import_begin = import_begin, .import_end = import_end, .import_file = import_file,        \
	.export_path = export_path, .revert = revert, .resize = resize, .status = status_of,       \
	.pool_status = pool_status

const struct volume_driver volume_driver_file = {
    .name = "file",
    .parameters = file_parameters,
    FILE_FUNCTIONS,
};

const struct volume_driver volume_driver_reflink = {
    .name = "file-reflink",
    .parameters = reflink_parameters,
    FILE_FUNCTIONS,
};
