/*
 * Volumes as files: the drivers file-reflink and file, which differ in how they copy.
 *
 * A clean file is never written: it is replaced. So a revision is a link of it, which costs nothing,
 * and whoever copies it while it is replaced gets one of both and no mixture.
 */
#include "qubesd/storage/driver.h"
#include "qubesd/storage/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* clang-format off */
static const char *const file_parameters[] = {
	"dir_path*", "revisions_to_keep", "ephemeral_volatile", NULL };
static const char *const reflink_parameters[] = {
	"dir_path*", "setup_check", "revisions_to_keep", "ephemeral_volatile", NULL };
/* clang-format on */

#define FILE_REVISIONS_MAX 1 /* of the driver file: a copy in full each */

static int
fail(char **ret_error, int r, const char *what)
{
	*ret_error = g_strdup_printf("%s: %s", what, strerror(-r));
	return r;
}

static unsigned
revisions_wanted(const struct volume_image *image)
{
	int wanted = MAX(image->revisions_to_keep, 0);

	return (unsigned)(image->copy == COPY_SPARSE ? MIN(wanted, FILE_REVISIONS_MAX) : wanted);
}

/* --- the copy made ahead -------------------------------------------------------------------- */

/* Only where it costs nothing, and never needed. */
static void
make_precache(const struct volume_image *image, const struct files *files)
{
	files_unlink(files->precache);
	if (image->copy != COPY_SPARSE && image->revisions_to_keep != VOLUME_REVISIONS_IN_PLACE)
		(void)files_make_copy(files->clean, files->precache, COPY_REFLINK, 0, true, NULL);
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
	int r = files_sync(path, 0);

	if (r == 0 && revisions_wanted(image) > 0)
		r = files_keep_clean(files);
	if (r == 0)
		r = files_unlink(files->precache); /* times may be equal by chance */
	if (r == 0)
		r = files_rename(path, files->clean);
	if (r == 0)
		r = files_keep_newest(files, revisions_wanted(image));
	if (r == 0)
		r = files_sync_folder(files);
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
	*ret_made = !files_exists(files.clean) && !files_exists(files.dirty);
	if (!*ret_made)
		return 0;
	r = files_make_sparse(files.clean, image->size, true);
	if (r == 0)
		r = files_sync_folder(&files);
	if (r == 0)
		make_precache(image, &files);
	if (r < 0)
		files_remove(&files, true);
	return r < 0 ? fail(ret_error, r, "the volume cannot be made") : 0;
}

static int
remove_volume(const struct volume_image *image, char **ret_error)
{
	AUTO_FILES struct files files;
	int r;

	files_init(&files, image->dir, image->vid);
	r = files_remove(&files, true);
	return r < 0 ? fail(ret_error, r, "the volume cannot be removed") : 0;
}

/* --- start and stop ------------------------------------------------------------------------- */

static int
verify(const struct volume_image *image, char **ret_error)
{
	AUTO_FILES struct files files;

	files_init(&files, image->dir, image->snap_on_start ? image->source : image->vid);
	if (image->snap_on_start && !files_exists(files.clean)) {
		*ret_error = g_strdup(files_exists(files.dirty)
					  ? "its template's volume has no content that could be "
					    "copied while it is in use"
					  : "the content of its template's volume is missing");
		return -ENOENT;
	}
	if (image->save_on_stop && !files_exists(files.clean) && !files_exists(files.dirty)) {
		*ret_error = g_strdup("its content is missing");
		return -ENOENT;
	}
	return 0;
}

/* A machine that the daemon has lost sight of may still write: its file is nobody else's then. */
static int
check_unlocked(const struct files *files, char **ret_error)
{
	return files_is_locked(files->dirty) ? fail(ret_error, -EBUSY, "the volume is in use") : 0;
}

/* What a crash of the machine left is newer than the clean file, and goes on. */
static int
start_kept(const struct volume_image *image, const struct files *files)
{
	int r;

	if (files_exists(files->dirty))
		return 0;
	if (image->revisions_to_keep == VOLUME_REVISIONS_IN_PLACE) {
		r = files_keep_newest(files, 0);
		if (r == 0)
			r = files_unlink(files->precache);
		if (r == 0)
			r = files_rename(files->clean, files->dirty);
	} else if (is_fresh(files)) {
		r = files_rename(files->precache, files->dirty);
	} else {
		r = files_make_copy(
		    files->clean, files->dirty, image->copy, image->size, true, image->stop);
	}
	return r == 0 ? files_sync_folder(files) : r;
}

/* Nothing of it has to outlive a crash, so nothing waits for the disk. */
static int
start_snapshot(const struct volume_image *image, const struct files *files)
{
	AUTO_FILES struct files source;
	int r = files_unlink(files->dirty);

	files_init(&source, image->dir, image->source);
	if (r == 0)
		r = files_unlink(files->clean);
	if (r < 0)
		return r;
	/* The link is the same content for as long as this takes, whatever becomes of the source. */
	if (link(source.clean, files->clean) == 0)
		return files_make_copy(
		    files->clean, files->dirty, image->copy, image->size, false, image->stop);
	return files_make_copy(
	    source.clean, files->dirty, image->copy, image->size, false, image->stop);
}

static int
start(const struct volume_image *image, char **ret_path, char **ret_error)
{
	AUTO_FILES struct files files;
	int r;

	files_init(&files, image->dir, image->vid);
	r = check_unlocked(&files, ret_error);
	if (r < 0)
		return r;
	r = files_remove(&files, false);
	if (r == 0)
		r = files_unlink(files.import);
	if (r == 0 && image->save_on_stop)
		r = start_kept(image, &files);
	else if (r == 0 && image->snap_on_start)
		r = start_snapshot(image, &files);
	else if (r == 0)
		r = files_make_sparse(files.dirty, image->size, false);
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
	return image->snap_on_start && files_exists(files.clean) ? g_strdup(files.clean) : NULL;
}

static int
stop(const struct volume_image *image, char **ret_error)
{
	AUTO_FILES struct files files;
	int r;

	files_init(&files, image->dir, image->vid);
	r = check_unlocked(&files, ret_error);
	if (r < 0)
		return r;
	if (image->save_on_stop) {
		if (files_exists(files.dirty))
			r = commit(image, &files, files.dirty);
		return r < 0 ? fail(ret_error, r, "what the qube wrote stays beside the volume")
			     : 0;
	}
	r = files_unlink(files.dirty);
	if (r == 0)
		r = files_unlink(files.clean);
	return r < 0 ? fail(ret_error, r, "the volume cannot be cleared") : 0;
}

static int
recover(const struct volume_image *image, char **ret_error)
{
	AUTO_FILES struct files files;
	int r;

	files_init(&files, image->dir, image->vid);
	r = check_unlocked(&files, ret_error);
	if (r < 0)
		return r;
	files_remove(&files, false);
	if (!image->is_imported)
		files_unlink(files.import);
	return stop(image, ret_error);
}

/* --- content from outside ------------------------------------------------------------------- */

static int
import_begin(const struct volume_image *image, char **ret_path, char **ret_error)
{
	AUTO_FILES struct files files;
	int r;

	files_init(&files, image->dir, image->vid);
	if (files_exists(files.dirty))
		return fail(ret_error, -EBUSY, "the volume is in use");
	r = files_unlink(files.import);
	if (r == 0)
		r = files_make_sparse(files.import, image->size, false);
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
		r = files_unlink(files.import);
		return r < 0 ? fail(ret_error, r, "the import cannot be dropped") : 0;
	}
	if (stat(files.import, &status) < 0)
		r = -errno;
	else if ((uint64_t)status.st_size != image->size)
		r = -EMSGSIZE;
	else if (files_exists(files.dirty))
		r = -EBUSY;
	else
		r = commit(image, &files, files.import);
	if (r == 0)
		return 0;
	files_unlink(files.import);
	return fail(ret_error, r, "the import is dropped");
}

static int
import_file(const struct volume_image *image, const char *path, char **ret_error)
{
	AUTO_FILES struct files files;
	int r;

	files_init(&files, image->dir, image->vid);
	if (files_exists(files.dirty))
		return fail(ret_error, -EBUSY, "the volume is in use");
	/* It may come from another pool, where blocks cannot be shared. */
	r = files_make_copy(path, files.import,
	    image->copy == COPY_SPARSE ? COPY_SPARSE : COPY_AUTO, 0, true, image->stop);
	if (r == 0)
		r = commit(image, &files, files.import);
	return r < 0 ? fail(ret_error, r, "the content cannot be copied") : 0;
}

static int
export_path(const struct volume_image *image, char **ret_path, char **ret_error)
{
	AUTO_FILES struct files files;

	files_init(&files, image->dir, image->vid);
	if (!files_exists(files.clean))
		return fail(ret_error, files_exists(files.dirty) ? -EBUSY : -ENOENT,
		    "the volume has no content to copy now");
	*ret_path = g_strdup(files.clean);
	return 0;
}

/* --- revisions and sizes -------------------------------------------------------------------- */

/* A crash between two steps may have left the content itself among them. */
static bool
is_earlier(const struct files *files, const struct files_revision *revision)
{
	return !files_same(revision->path, files->clean);
}

static const struct files_revision *
find_revision(const struct files *files, const GPtrArray *revisions, const char *name)
{
	for (guint i = revisions->len; i > 0; i--) {
		const struct files_revision *revision = revisions->pdata[i - 1];
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
	const struct files_revision *revision;
	int r;

	files_init(&files, image->dir, image->vid);
	revisions = files_revisions(&files);
	revision = find_revision(&files, revisions, name);
	if (revision == NULL) {
		*ret_error = g_strdup("there is no such revision");
		return -ENOENT;
	}
	if (files_exists(files.dirty))
		return fail(ret_error, -EBUSY, "the volume is in use");
	r = files_keep_clean(&files);
	if (r == 0)
		r = files_unlink(files.precache);
	if (r == 0)
		r = files_rename(revision->path, files.clean);
	if (r == 0)
		r = files_sync_folder(&files);
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
	int r = files_unlink(files->precache);

	if (r < 0)
		return r;
	if (size < (uint64_t)status->st_size)
		r = files_make_sparse(files->clean, size, true);
	else if (status->st_nlink == 1)
		r = grow(files->clean, size);
	else
		r = files_make_copy(
		    files->clean, files->clean, image->copy, size, true, image->stop);
	if (r == 0)
		r = files_sync_folder(files);
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
	dirty = files_exists(files.dirty);
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
	if (!files_exists(files->clean) || !files_exists(source.clean))
		return -1;
	return !files_same(files->clean, source.clean);
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
	ret->is_dirty = files_exists(files.dirty);
	if (stat(ret->is_dirty ? files.dirty : files.clean, &status) == 0) {
		ret->size = (uint64_t)status.st_size;
		ret->usage = (uint64_t)status.st_blocks * 512;
	}
	if (image->snap_on_start && ret->is_dirty)
		ret->is_outdated = outdated(image, &files);
	ret->path = g_strdup(files.dirty);
	ret->revisions = g_ptr_array_new_with_free_func(g_free);
	revisions = files_revisions(&files);
	for (guint i = 0; i < revisions->len; i++) {
		const struct files_revision *revision = revisions->pdata[i];

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
