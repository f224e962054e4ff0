#include "qubesd/store_file.h"

#include "qubesd/store.h"
#include "shared/io.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GENERATION_PREFIX "qubes-"
#define GENERATION_SUFFIX ".xml"

/* --- files ---------------------------------------------------------------------------------- */

struct store_stamp
store_stamp_of(const struct stat *status)
{
	return (struct store_stamp){
	    status->st_dev, status->st_ino, status->st_size, status->st_mtim};
}

bool
store_stamp_equal(const struct store_stamp *a, const struct store_stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static int
sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* Writes a new file of mode 0660 with a name of its own beside path, and syncs it. */
static int
write_beside(const char *path, GBytes *text, char **ret_path, struct store_stamp *ret_stamp)
{
	g_autofree char *new_path = g_strconcat(path, "~XXXXXX", NULL);
	struct stat status;
	gsize len;
	const char *bytes = g_bytes_get_data(text, &len);
	int fd, r;

	fd = mkostemp(new_path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = io_write(fd, bytes, len);
	if (r == 0 && (fchmod(fd, 0660) < 0 || fsync(fd) < 0 || fstat(fd, &status) < 0))
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r < 0) {
		unlink(new_path);
		return r;
	}
	*ret_stamp = store_stamp_of(&status);
	*ret_path = g_steal_pointer(&new_path);
	return 0;
}

/*
 * The new file takes the place of the old one, for good. *ret_stamp is set as soon as it has, even
 * when the folder cannot be synced and the result is an error.
 */
int
store_file_replace(const char *path, const char *dir, GBytes *text, struct store_stamp *ret_stamp)
{
	g_autofree char *new_path = NULL;
	struct store_stamp stamp;
	int r;

	r = write_beside(path, text, &new_path, &stamp);
	if (r < 0)
		return r;
	if (rename(new_path, path) < 0) {
		r = -errno;
		unlink(new_path);
		return r;
	}
	*ret_stamp = stamp;
	return sync_folder(dir);
}

int
store_file_read(const char *path, GBytes **ret, struct store_stamp *ret_stamp)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	guint8 block[65536];
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	while ((n = read(fd, block, sizeof(block))) > 0 && bytes->len <= STORE_MAX_BYTES)
		g_byte_array_append(bytes, block, (guint)n);
	close(fd);
	if (n < 0)
		return -EIO;
	*ret_stamp = store_stamp_of(&status);
	*ret = g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
	return 0;
}

/* --- generations ---------------------------------------------------------------------------- */

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of the copies in backup/, oldest first: their names are times. */
static GPtrArray *
list_generations(const char *backup_dir)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) handle = g_dir_open(backup_dir, 0, NULL);
	const char *name;

	while (handle != NULL && (name = g_dir_read_name(handle)) != NULL) {
		if (g_str_has_prefix(name, GENERATION_PREFIX) &&
		    g_str_has_suffix(name, GENERATION_SUFFIX))
			g_ptr_array_add(names, g_strdup(name));
	}
	g_ptr_array_sort(names, compare_names);
	return names;
}

bool
store_generations_exist(const char *backup_dir)
{
	g_autoptr(GPtrArray) names = list_generations(backup_dir);

	return names->len > 0;
}

static void
prune_generations(const char *backup_dir)
{
	g_autoptr(GPtrArray) names = list_generations(backup_dir);

	for (guint i = 0; i + STORE_GENERATIONS < names->len; i++) {
		g_autofree char *path = g_build_filename(backup_dir, names->pdata[i], NULL);

		unlink(path);
	}
}

static bool
newest_generation_is(const char *backup_dir, GBytes *text)
{
	g_autoptr(GPtrArray) names = list_generations(backup_dir);
	g_autoptr(GBytes) newest = NULL;
	g_autofree char *path = NULL;
	struct store_stamp stamp;

	if (names->len == 0)
		return false;
	path = g_build_filename(backup_dir, names->pdata[names->len - 1], NULL);
	return store_file_read(path, &newest, &stamp) == 0 && g_bytes_equal(newest, text);
}

/* A copy that cannot be made is a warning: the store itself is safe. */
void
store_generations_add(const char *backup_dir, GBytes *text)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *time = g_date_time_format(now, "%Y%m%dT%H%M%S");
	g_autofree char *name = g_strdup_printf(
	    GENERATION_PREFIX "%s.%06d" GENERATION_SUFFIX, time, g_date_time_get_microsecond(now));
	g_autofree char *path = g_build_filename(backup_dir, name, NULL);
	struct store_stamp stamp;
	int r;

	if (g_mkdir_with_parents(backup_dir, 0750) < 0) {
		log_warn("store: cannot make %s: %s", backup_dir, strerror(errno));
		return;
	}
	if (newest_generation_is(backup_dir, text))
		return;
	r = store_file_replace(path, backup_dir, text, &stamp);
	if (r < 0)
		log_warn("store: cannot keep a copy in %s: %s", backup_dir, strerror(-r));
	else
		prune_generations(backup_dir);
}

/* The newest copy that loads, or NULL. */
char *
store_generations_find_good(const char *backup_dir)
{
	g_autoptr(GPtrArray) names = list_generations(backup_dir);

	for (guint i = names->len; i > 0; i--) {
		g_autofree char *path = g_build_filename(backup_dir, names->pdata[i - 1], NULL);
		g_autofree char *message = NULL;
		g_autoptr(GBytes) text = NULL;
		struct qubes_app *app;
		struct store_stamp stamp;

		if (store_file_read(path, &text, &stamp) < 0)
			continue;
		if (store_parse(
			g_bytes_get_data(text, NULL), g_bytes_get_size(text), &app, &message) < 0)
			continue;
		qubes_app_free(app);
		return g_steal_pointer(&path);
	}
	return NULL;
}
