/*
 * Volumes as files: each function of the drivers, and a model of a volume against which random
 * operations run, killed between any two steps.
 *
 * STORAGE_TEST_DIR is where the files go, else a temporary folder; with STORAGE_TEST_REFLINK set it
 * must share blocks. Killing: the linker puts the functions __wrap_X in the place of what changes the
 * disk (module.mk); in a child process one of them ends the process instead.
 */
#include "qubesd/storage/driver.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1u << 20)
#define KILLED 99

/* --- killing between two steps -------------------------------------------------------------- */

static int steps_to_live = -1; /* of this process; -1: for ever */

static void
step(void)
{
	if (steps_to_live == 0)
		_exit(KILLED);
	if (steps_to_live > 0)
		steps_to_live--;
}

#define WRAP(name, parameters, arguments)                                                          \
	int __real_##name parameters;                                                              \
	int __wrap_##name parameters;                                                              \
	int __wrap_##name parameters                                                               \
	{                                                                                          \
		step();                                                                            \
		return __real_##name arguments;                                                    \
	}
WRAP(rename, (const char *from, const char *to), (from, to))
WRAP(link, (const char *from, const char *to), (from, to))
WRAP(unlink, (const char *path), (path))
WRAP(ftruncate, (int fd, off_t size), (fd, size))
WRAP(fsync, (int fd), (fd))
WRAP(copy_content_unless, (int from, int to, enum copy_mode mode, const int *stop),
    (from, to, mode, stop))

/* After how many runs of data a copy is told to stop; -1: never. */
static int runs_to_stop = -1;
static int stop_flag;

ssize_t __real_copy_file_range(int from, off_t *in, int to, off_t *out, size_t len, unsigned flags);
ssize_t __wrap_copy_file_range(int from, off_t *in, int to, off_t *out, size_t len, unsigned flags);
ssize_t
__wrap_copy_file_range(int from, off_t *in, int to, off_t *out, size_t len, unsigned flags)
{
	if (runs_to_stop == 0)
		stop_flag = 1;
	if (runs_to_stop >= 0)
		runs_to_stop--;
	return __real_copy_file_range(from, in, to, out, len, flags);
}

/* --- a folder and a volume in it ------------------------------------------------------------ */

struct fixture {
	char *dir;
	struct volume_image kept, snapshot, fresh;
	const struct volume_driver *driver;
};

static char *
path_of(const struct fixture *f, const char *name)
{
	return g_build_filename(f->dir, "appvms/work", name, NULL);
}

static void
set_up_kind(struct fixture *f, enum copy_mode copy)
{
	const char *parent = g_getenv("STORAGE_TEST_DIR");
	g_autofree char *pattern =
	    g_build_filename(parent != NULL ? parent : g_get_tmp_dir(), "bst-XXXXXX", NULL);
	g_autofree char *folder = NULL;

	f->dir = g_strdup(g_mkdtemp(pattern));
	assert_non_null(f->dir);
	folder = path_of(f, "");
	assert_int_equal(g_mkdir_with_parents(folder, 0700), 0);
	f->driver = copy == COPY_SPARSE ? &volume_driver_file : &volume_driver_reflink;
	f->kept = (struct volume_image){.dir = f->dir,
	    .vid = (char *)"appvms/work/private",
	    .size = MIB,
	    .save_on_stop = true,
	    .revisions_to_keep = 1,
	    .copy = copy};
	f->snapshot = f->fresh = f->kept;
	f->snapshot.vid = (char *)"appvms/work/root";
	f->snapshot.source = f->kept.vid;
	f->snapshot.save_on_stop = false;
	f->snapshot.snap_on_start = true;
	f->fresh.vid = (char *)"appvms/work/volatile";
	f->fresh.save_on_stop = false;
}

static int
set_up(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);

	set_up_kind(f, g_getenv("STORAGE_TEST_REFLINK") != NULL ? COPY_AUTO : COPY_SPARSE);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;
	const char *argv[] = {"rm", "-rf", f->dir, NULL};

	g_spawn_sync(
	    NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
	g_free(f->dir);
	g_free(f);
	return 0;
}

/* What a volume holds, as far as these tests write into it: a number at its start and its end. */
static void
write_number(const char *path, unsigned number)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat status;

	assert_true(fd >= 0 && fstat(fd, &status) == 0);
	assert_int_equal(pwrite(fd, &number, sizeof(number), 0), sizeof(number));
	assert_int_equal(
	    pwrite(fd, &number, sizeof(number), status.st_size - (off_t)sizeof(number)),
	    sizeof(number));
	close(fd);
}

/* -1: there is no file. Both ends agree, or the file is a mixture. */
static int
read_number(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned first = 0;

	if (fd < 0)
		return -1;
	assert_int_equal(pread(fd, &first, sizeof(first), 0), sizeof(first));
	close(fd);
	return (int)first;
}

static int
number_of(const struct fixture *f, const char *name)
{
	g_autofree char *path = path_of(f, name);

	return read_number(path);
}

static bool
is_there(const struct fixture *f, const char *name)
{
	g_autofree char *path = path_of(f, name);

	return access(path, F_OK) == 0;
}

#define OK(call)                                                                                   \
	do {                                                                                       \
		char *error_ = NULL;                                                               \
		int r_ = call;                                                                     \
		if (r_ < 0)                                                                        \
			fail_msg("%s: %s", #call, error_);                                         \
	} while (0)
#define REFUSED(call, wanted)                                                                      \
	do {                                                                                       \
		char *error_ = NULL;                                                               \
		int r_ = call;                                                                     \
		assert_int_equal(r_, wanted);                                                      \
		assert_non_null(error_);                                                           \
		assert_null(strchr(error_, '/')); /* no path */                                    \
		g_free(error_);                                                                    \
	} while (0)

static void
create_kept(struct fixture *f)
{
	bool made = false;

	OK(f->driver->create(&f->kept, &made, &error_));
	assert_true(made);
}

/* Starts, writes and stops. */
static void
run_once(struct fixture *f, unsigned number)
{
	g_autofree char *path = NULL;

	OK(f->driver->start(&f->kept, &path, &error_));
	write_number(path, number);
	OK(f->driver->stop(&f->kept, &error_));
}

static guint
revision_count(struct fixture *f)
{
	struct volume_status status;
	guint count;

	OK(f->driver->status(&f->kept, &status, &error_));
	count = status.revisions->len;
	volume_status_clear(&status);
	return count;
}

/* --- single functions ----------------------------------------------------------------------- */

static void
the_folder_shares_blocks_when_it_must(void **state)
{
	struct fixture *f = *state;

	if (g_getenv("STORAGE_TEST_REFLINK") == NULL)
		skip();
	assert_true(copy_can_share(f->dir));
}

static void
a_new_volume_is_empty_and_takes_no_room(void **state)
{
	struct fixture *f = *state;
	g_autofree char *path = path_of(f, "private.img");
	struct stat status;

	create_kept(f);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, MIB);
	assert_int_equal(status.st_blocks, 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

static void
content_that_is_there_is_not_made_anew(void **state)
{
	struct fixture *f = *state;
	bool made = true;

	create_kept(f);
	run_once(f, 7);
	OK(f->driver->create(&f->kept, &made, &error_));
	assert_false(made);
	assert_int_equal(number_of(f, "private.img"), 7);
}

static void
what_a_run_wrote_is_kept_and_the_old_becomes_a_revision(void **state)
{
	struct fixture *f = *state;

	create_kept(f);
	run_once(f, 1);
	assert_int_equal(number_of(f, "private.img"), 1);
	assert_false(is_there(f, "private-dirty.img"));
	assert_int_equal(revision_count(f), 1);
	run_once(f, 2);
	assert_int_equal(number_of(f, "private.img"), 2);
	assert_int_equal(revision_count(f), 1);
	OK(f->driver->revert(&f->kept, "", &error_));
	assert_int_equal(number_of(f, "private.img"), 1);
	assert_int_equal(revision_count(f), 1);
}

static void
as_many_revisions_are_kept_as_wanted(void **state)
{
	struct fixture *f = *state;
	/* The driver file keeps one at most: each is a copy in full there. */
	guint most = f->kept.copy == COPY_SPARSE ? 1 : 3;

	create_kept(f);
	f->kept.revisions_to_keep = 3;
	for (unsigned i = 1; i < 6; i++)
		run_once(f, i);
	assert_int_equal(revision_count(f), most);
	f->kept.revisions_to_keep = 0;
	run_once(f, 6);
	assert_int_equal(revision_count(f), 0);
	assert_int_equal(number_of(f, "private.img"), 6);
}

static void
in_place_there_is_no_second_file(void **state)
{
	struct fixture *f = *state;
	g_autofree char *path = NULL;

	create_kept(f);
	run_once(f, 1);
	f->kept.revisions_to_keep = VOLUME_REVISIONS_IN_PLACE;
	OK(f->driver->start(&f->kept, &path, &error_));
	assert_false(is_there(f, "private.img"));
	assert_int_equal(revision_count(f), 0);
	REFUSED(f->driver->verify(&f->snapshot, &error_), -ENOENT);
	write_number(path, 2);
	OK(f->driver->stop(&f->kept, &error_));
	assert_int_equal(number_of(f, "private.img"), 2);
	assert_false(is_there(f, "private-precache.img"));
}

static void
a_revision_of_another_name_is_not_found(void **state)
{
	struct fixture *f = *state;

	create_kept(f);
	REFUSED(f->driver->revert(&f->kept, "", &error_), -ENOENT);
	run_once(f, 1);
	REFUSED(f->driver->revert(&f->kept, "2", &error_), -ENOENT);
	REFUSED(f->driver->revert(&f->kept, "01", &error_), -ENOENT);
	REFUSED(f->driver->revert(&f->kept, "../private", &error_), -ENOENT);
	OK(f->driver->revert(&f->kept, "1", &error_));
}

static void
nothing_is_done_to_a_volume_in_use(void **state)
{
	struct fixture *f = *state;
	g_autofree char *path = NULL;
	char *other = NULL;

	create_kept(f);
	run_once(f, 1);
	OK(f->driver->start(&f->kept, &path, &error_));
	REFUSED(f->driver->revert(&f->kept, "", &error_), -EBUSY);
	REFUSED(f->driver->import_begin(&f->kept, &other, &error_), -EBUSY);
	REFUSED(f->driver->import_file(&f->kept, path, &error_), -EBUSY);
	REFUSED(f->driver->resize(&f->kept, MIB - 1, &error_), -EINVAL);
	OK(f->driver->resize(&f->kept, 2 * MIB, &error_));
	OK(f->driver->export_path(&f->kept, &other, &error_)); /* what was there before */
	g_free(other);
	OK(f->driver->stop(&f->kept, &error_));
}

/* As QEMU does. */
static void
a_file_that_somebody_has_locked_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1};
	g_autofree char *path = NULL;
	char *again = NULL;
	int fd;

	create_kept(f);
	OK(f->driver->start(&f->kept, &path, &error_));
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	REFUSED(f->driver->stop(&f->kept, &error_), -EBUSY);
	REFUSED(f->driver->recover(&f->kept, &error_), -EBUSY);
	REFUSED(f->driver->start(&f->kept, &again, &error_), -EBUSY);
	assert_true(is_there(f, "private-dirty.img"));
	close(fd);
	OK(f->driver->recover(&f->kept, &error_));
	assert_false(is_there(f, "private-dirty.img"));
}

static void
a_snapshot_begins_with_its_source_and_ends_with_nothing(void **state)
{
	struct fixture *f = *state;
	g_autofree char *path = NULL;
	g_autofree char *origin = NULL;
	struct volume_status status;

	REFUSED(f->driver->verify(&f->snapshot, &error_), -ENOENT);
	create_kept(f);
	run_once(f, 5);
	OK(f->driver->verify(&f->snapshot, &error_));
	assert_null(f->driver->origin(&f->snapshot));
	OK(f->driver->start(&f->snapshot, &path, &error_));
	origin = f->driver->origin(&f->snapshot);
	assert_non_null(origin);
	assert_int_equal(read_number(path), 5);
	write_number(path, 6);
	OK(f->driver->status(&f->snapshot, &status, &error_));
	assert_int_equal(status.is_outdated, 0);
	volume_status_clear(&status);
	run_once(f, 7);
	assert_int_equal(read_number(path), 6);
	assert_int_equal(read_number(origin), 5);
	OK(f->driver->status(&f->snapshot, &status, &error_));
	assert_int_equal(status.is_outdated, 1);
	volume_status_clear(&status);
	OK(f->driver->stop(&f->snapshot, &error_));
	assert_false(is_there(f, "root-dirty.img"));
	assert_false(is_there(f, "root.img"));
	assert_int_equal(number_of(f, "private.img"), 7);
}

static void
what_a_crash_left_of_a_snapshot_is_dropped_and_of_a_kept_volume_used(void **state)
{
	struct fixture *f = *state;
	g_autofree char *kept = NULL;
	g_autofree char *snapshot = NULL;
	g_autofree char *fresh = NULL;
	char *again;

	create_kept(f);
	run_once(f, 1);
	OK(f->driver->start(&f->kept, &kept, &error_));
	OK(f->driver->start(&f->snapshot, &snapshot, &error_));
	OK(f->driver->start(&f->fresh, &fresh, &error_));
	write_number(kept, 2);
	write_number(snapshot, 3);
	write_number(fresh, 4);
	OK(f->driver->start(&f->kept, &again, &error_));
	assert_int_equal(read_number(again), 2);
	g_free(again);
	OK(f->driver->start(&f->snapshot, &again, &error_));
	assert_int_equal(read_number(again), 1);
	g_free(again);
	OK(f->driver->start(&f->fresh, &again, &error_));
	assert_int_equal(read_number(again), 0);
	g_free(again);
}

static void
an_import_of_another_size_is_dropped(void **state)
{
	struct fixture *f = *state;
	g_autofree char *path = NULL;

	create_kept(f);
	run_once(f, 1);
	f->kept.size = 2 * MIB;
	for (int more = -1; more <= 1; more += 2) {
		OK(f->driver->import_begin(&f->kept, &path, &error_));
		assert_int_equal(truncate(path, 2 * MIB + more), 0);
		REFUSED(f->driver->import_end(&f->kept, true, &error_), -EMSGSIZE);
		assert_false(is_there(f, "private-import.img"));
		g_clear_pointer(&path, g_free);
	}
	OK(f->driver->import_begin(&f->kept, &path, &error_));
	write_number(path, 9);
	OK(f->driver->import_end(&f->kept, false, &error_));
	assert_int_equal(number_of(f, "private.img"), 1);
	REFUSED(f->driver->import_end(&f->kept, true, &error_), -ENOENT);
	g_clear_pointer(&path, g_free);
	OK(f->driver->import_begin(&f->kept, &path, &error_));
	write_number(path, 9);
	OK(f->driver->import_end(&f->kept, true, &error_));
	assert_int_equal(number_of(f, "private.img"), 9);
	OK(f->driver->revert(&f->kept, "", &error_));
	assert_int_equal(number_of(f, "private.img"), 1);
}

static void
only_an_empty_volume_shrinks(void **state)
{
	struct fixture *f = *state;
	g_autofree char *path = path_of(f, "private.img");
	struct stat status;

	create_kept(f);
	OK(f->driver->resize(&f->kept, MIB / 2, &error_));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, MIB / 2);
	f->kept.size = MIB / 2;
	run_once(f, 1);
	REFUSED(f->driver->resize(&f->kept, MIB / 2 - 1, &error_), -EINVAL);
	OK(f->driver->resize(&f->kept, 3 * MIB, &error_));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, 3 * MIB);
	assert_int_equal(read_number(path), 1);
	/* The revision keeps its size: the file was replaced, not grown. */
	OK(f->driver->revert(&f->kept, "", &error_));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, MIB / 2);
}

static void
a_removed_volume_leaves_its_neighbours(void **state)
{
	struct fixture *f = *state;
	g_autofree char *neighbour = path_of(f, "private2.img");
	g_autofree char *notes = path_of(f, "private.img.notes");
	g_autofree char *leftover = path_of(f, "private-dirty.img~abc123");

	create_kept(f);
	run_once(f, 1);
	run_once(f, 2);
	g_file_set_contents(neighbour, "", 0, NULL);
	g_file_set_contents(notes, "", 0, NULL);
	g_file_set_contents(leftover, "", 0, NULL);
	OK(f->driver->remove(&f->kept, &error_));
	assert_false(is_there(f, "private.img"));
	assert_false(is_there(f, "private-precache.img"));
	assert_int_equal(revision_count(f), 0);
	assert_int_equal(access(leftover, F_OK), -1);
	assert_int_equal(access(neighbour, F_OK), 0);
	assert_int_equal(access(notes, F_OK), 0);
}

static void
a_stale_copy_made_ahead_is_not_used(void **state)
{
	struct fixture *f = *state;
	g_autofree char *ahead = path_of(f, "private-precache.img");
	g_autofree char *path = NULL;

	create_kept(f);
	run_once(f, 3);
	g_file_set_contents(ahead, "something else", -1, NULL);
	OK(f->driver->start(&f->kept, &path, &error_));
	assert_int_equal(read_number(path), 3);
	OK(f->driver->stop(&f->kept, &error_));
	/* Where blocks are shared the right one is there again, and its use is what start does. */
	if (f->kept.copy != COPY_SPARSE) {
		struct stat copy, dirty;

		assert_int_equal(stat(ahead, &copy), 0);
		g_clear_pointer(&path, g_free);
		OK(f->driver->start(&f->kept, &path, &error_));
		assert_int_equal(stat(path, &dirty), 0);
		assert_int_equal(copy.st_ino, dirty.st_ino);
	}
}

static void
holes_stay_holes_and_shared_blocks_take_no_room(void **state)
{
	struct fixture *f = *state;
	g_autofree char *clean = path_of(f, "private.img");
	g_autofree char *path = NULL;
	g_autofree char *data = g_malloc(8 * MIB);
	struct statvfs before, after;
	struct stat status;
	int fd;

	memset(data, 'x', 8 * MIB);
	f->kept.size = 256 * MIB;
	f->snapshot.size = 256 * MIB;
	create_kept(f);
	fd = open(clean, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, data, 8 * MIB, 100 * MIB), 8 * MIB);
	assert_int_equal(fsync(fd), 0);
	close(fd);
	assert_int_equal(statvfs(f->dir, &before), 0);
	OK(f->driver->start(&f->snapshot, &path, &error_));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, 256 * MIB);
	assert_in_range(status.st_blocks * 512, 8 * MIB, 9 * MIB);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fsync(fd), 0);
	close(fd);
	assert_int_equal(statvfs(f->dir, &after), 0);
	if (g_getenv("STORAGE_TEST_REFLINK") != NULL)
		assert_true((before.f_bfree - MIN(before.f_bfree, after.f_bfree)) * after.f_frsize <
			    4 * MIB);
}

static void
kernels_have_a_device_when_they_have_modules(void **state)
{
	struct fixture *f = *state;
	const struct volume_driver *driver = &volume_driver_kernel;
	struct volume_image image = {.dir = f->dir, .vid = (char *)"6.1"};
	g_autofree char *folder = g_build_filename(f->dir, "6.1", NULL);
	g_autofree char *vmlinuz = g_build_filename(folder, "vmlinuz", NULL);
	g_autofree char *modules = g_build_filename(folder, "modules.img", NULL);
	char *path = (char *)"";

	REFUSED(driver->verify(&image, &error_), -ENOENT);
	g_mkdir(folder, 0700);
	g_file_set_contents(vmlinuz, "", 0, NULL);
	OK(driver->verify(&image, &error_));
	OK(driver->start(&image, &path, &error_));
	assert_null(path);
	g_file_set_contents(modules, "m", 1, NULL);
	OK(driver->start(&image, &path, &error_));
	assert_string_equal(path, modules);
	g_free(path);
	assert_false(driver->has_content);
	image.vid = (char *)"";
	OK(driver->verify(&image, &error_));
	OK(driver->start(&image, &path, &error_));
	assert_null(path);
}

/* --- the model ------------------------------------------------------------------------------ */

/* What a kept volume must hold: numbers of contents. */
struct model {
	int content;       /* between runs; while in use what it was */
	int dirty;         /* -1: not in use */
	int revisions[16]; /* oldest first */
	guint revision_count;
};

enum action {
	ACTION_START,
	ACTION_WRITE,
	ACTION_STOP,
	ACTION_REVERT,
	ACTION_GROW,
	ACTION_IMPORT,
	ACTION_IMPORT_FAILED,
	ACTION_IMPORT_FILE,
	ACTION_RECOVER,
	ACTION_COUNT,
};

static void
push_revision(struct model *m, int number, guint most)
{
	guint drop;

	assert_true(m->revision_count < G_N_ELEMENTS(m->revisions));
	m->revisions[m->revision_count++] = number;
	drop = m->revision_count > most ? m->revision_count - most : 0;
	m->revision_count -= drop;
	memmove(m->revisions, m->revisions + drop, m->revision_count * sizeof(int));
}

/* What the action makes of the model; false: it is refused. */
static bool
model_act(struct model *m, enum action action, int number, guint most)
{
	switch (action) {
	case ACTION_START:
		if (m->dirty < 0)
			m->dirty = m->content;
		return true;
	case ACTION_WRITE:
		if (m->dirty < 0)
			return false;
		m->dirty = number;
		return true;
	case ACTION_STOP:
	case ACTION_RECOVER:
		if (m->dirty < 0)
			return true;
		push_revision(m, m->content, most);
		m->content = m->dirty;
		m->dirty = -1;
		return true;
	case ACTION_REVERT:
		if (m->dirty >= 0 || m->revision_count == 0)
			return false;
		{
			int old = m->content;

			m->content = m->revisions[--m->revision_count];
			m->revisions[m->revision_count++] = old;
		}
		return true;
	case ACTION_GROW:
	case ACTION_IMPORT_FAILED:
		return action == ACTION_GROW || m->dirty < 0;
	case ACTION_IMPORT:
	case ACTION_IMPORT_FILE:
		if (m->dirty >= 0)
			return false;
		push_revision(m, m->content, most);
		m->content = number;
		return true;
	default:
		return false;
	}
}

static int
real_import(struct fixture *f, int number, bool ok)
{
	g_autofree char *path = NULL;
	g_autofree char *error = NULL;
	int r = f->driver->import_begin(&f->kept, &path, &error);

	if (r < 0)
		return r;
	write_number(path, (unsigned)number);
	return f->driver->import_end(&f->kept, ok, &error);
}

static int
real_act(struct fixture *f, enum action action, int number)
{
	const struct volume_image *image = &f->kept;
	g_autofree char *path = NULL;
	g_autofree char *error = NULL;
	g_autofree char *dirty = path_of(f, "private-dirty.img");
	g_autofree char *other = g_build_filename(f->dir, "other.img", NULL);

	switch (action) {
	case ACTION_START:
		return f->driver->start(image, &path, &error);
	case ACTION_WRITE:
		if (access(dirty, F_OK) < 0)
			return -ENOENT;
		write_number(dirty, (unsigned)number);
		return 0;
	case ACTION_STOP:
		return f->driver->stop(image, &error);
	case ACTION_RECOVER:
		return f->driver->recover(image, &error);
	case ACTION_REVERT:
		return f->driver->revert(image, "", &error);
	case ACTION_GROW:
		return f->driver->resize(image, image->size, &error);
	case ACTION_IMPORT:
	case ACTION_IMPORT_FAILED:
		return real_import(f, number, action == ACTION_IMPORT);
	case ACTION_IMPORT_FILE:
		assert_true(g_file_set_contents(other, "", 0, NULL));
		assert_int_equal(truncate(other, (off_t)image->size), 0);
		write_number(other, (unsigned)number);
		return f->driver->import_file(image, other, &error);
	default:
		return -EINVAL;
	}
}

/* The model that the disk shows. */
static void
look(struct fixture *f, struct model *m)
{
	struct volume_status status;

	m->content = number_of(f, "private.img");
	m->dirty = number_of(f, "private-dirty.img");
	OK(f->driver->status(&f->kept, &status, &error_));
	m->revision_count = 0;
	for (guint i = 0; i < status.revisions->len && i < G_N_ELEMENTS(m->revisions); i++) {
		g_autofree char *pattern =
		    g_strdup_printf("private.img.%s@", (char *)status.revisions->pdata[i]);
		g_autofree char *folder = path_of(f, "");
		g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
		const char *name;

		while ((name = g_dir_read_name(dir)) != NULL) {
			if (g_str_has_prefix(name, pattern))
				m->revisions[m->revision_count++] = number_of(f, name);
		}
	}
	volume_status_clear(&status);
}

static void
assert_same(const struct model *got, const struct model *wanted, const char *when)
{
	bool same = got->content == wanted->content && got->dirty == wanted->dirty &&
		    got->revision_count == wanted->revision_count;

	for (guint i = 0; same && i < got->revision_count; i++)
		same = got->revisions[i] == wanted->revisions[i];
	if (!same)
		fail_msg(
		    "%s: content %d dirty %d and %u revisions (first %d), wanted %d %d %u (%d)",
		    when, got->content, got->dirty, got->revision_count,
		    got->revision_count > 0 ? got->revisions[0] : -1, wanted->content,
		    wanted->dirty, wanted->revision_count,
		    wanted->revision_count > 0 ? wanted->revisions[0] : -1);
}

/* The newest content, whether it has been committed or not. */
static int
newest(const struct model *m)
{
	return m->dirty >= 0 ? m->dirty : m->content;
}

static void
assert_tidy(struct fixture *f)
{
	g_autofree char *folder = path_of(f, "");
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(dir)) != NULL) {
		if (strchr(name, '~') != NULL || strstr(name, "-import") != NULL ||
		    strstr(name, "-dirty") != NULL)
			fail_msg("%s is left", name);
	}
}

/* Runs the action in a child that lives for so many steps: 0, 1 for refused, or KILLED. */
static int
act_in_child(struct fixture *f, enum action action, int number, int steps)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		steps_to_live = steps;
		_exit(real_act(f, action, number) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* After a kill: old or new, never a mixture, never nothing; and the next start tidies up. */
static void
check_after_kill(struct fixture *f, struct model *before, const struct model *after, int action)
{
	struct model got;
	g_autofree char *path = NULL;

	look(f, &got);
	if (newest(&got) != newest(before) && newest(&got) != newest(after))
		fail_msg("killed in action %d: %d, and neither %d nor %d", action, newest(&got),
		    newest(before), newest(after));
	OK(f->driver->recover(&f->kept, &error_));
	assert_tidy(f);
	look(f, before);
	assert_int_equal(before->dirty, -1);
	assert_int_equal(before->content, newest(&got));
	/* A start works on it, with the same content. */
	OK(f->driver->start(&f->kept, &path, &error_));
	assert_int_equal(read_number(path), before->content);
	look(f, before);
}

static void
run_model(enum copy_mode copy, int revisions, unsigned seed, unsigned rounds)
{
	struct fixture *f = g_new0(struct fixture, 1);
	void *state = f;
	struct model model = {.dirty = -1};
	g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
	guint most = (guint)(copy == COPY_SPARSE ? MIN(revisions, 1) : revisions);
	unsigned killed = 0;

	set_up_kind(f, copy);
	f->kept.revisions_to_keep = revisions;
	create_kept(f);
	for (unsigned i = 1; i <= rounds; i++) {
		enum action action = (enum action)g_rand_int_range(rand, 0, ACTION_COUNT);
		bool in_child = action != ACTION_WRITE && g_rand_boolean(rand);
		struct model after = model, got;
		int wanted = model_act(&after, action, (int)i, most) ? 0 : 1, outcome;

		if (action == ACTION_GROW)
			f->kept.size += 4096;
		outcome = in_child ? act_in_child(f, action, (int)i, g_rand_int_range(rand, 0, 14))
			  : real_act(f, action, (int)i) == 0 ? 0
							     : 1;
		if (outcome == KILLED) {
			killed++;
			check_after_kill(f, &model, wanted == 0 ? &after : &model, action);
			continue;
		}
		if (outcome != wanted)
			fail_msg("action %d: %d instead of %d", action, outcome, wanted);
		look(f, &got);
		assert_same(&got, wanted == 0 ? &after : &model, "after an action");
		model = got;
	}
	assert_true(killed > 0);
	tear_down(&state);
}

static void
adm_10_killed_between_any_two_steps_a_volume_is_old_or_new(void **state)
{
	unsigned seed = (unsigned)g_random_int();

	(void)state;
	print_message("seed %u\n", seed);
	for (int revisions = 0; revisions <= 3; revisions++) {
		run_model(COPY_SPARSE, revisions, seed + (unsigned)revisions, 200);
		run_model(COPY_AUTO, revisions, seed + (unsigned)revisions, 200);
	}
}

/* 64 MiB of data: more than the kernel is asked for at once. */
static char *
large_file(const struct fixture *f)
{
	char *path = g_build_filename(f->dir, "large", NULL);
	g_autofree char *bytes = g_malloc(MIB);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	memset(bytes, 7, MIB);
	for (int i = 0; i < 64; i++)
		assert_int_equal(write(fd, bytes, MIB), MIB);
	close(fd);
	return path;
}

static unsigned
entries_of(const struct fixture *f)
{
	g_autofree char *folder = path_of(f, "");
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	unsigned count = 0;

	while (g_dir_read_name(dir) != NULL)
		count++;
	return count;
}

static int
import_stopped_after(struct fixture *f, const char *path, int runs)
{
	g_autofree char *error = NULL;
	int r;

	stop_flag = 0;
	runs_to_stop = runs;
	f->kept.stop = &stop_flag;
	f->kept.copy = COPY_SPARSE;
	r = f->driver->import_file(&f->kept, path, &error);
	f->kept.stop = NULL;
	runs_to_stop = -1;
	return r;
}

static void
a_copy_that_is_stopped_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	g_autofree char *path = large_file(f);
	g_autofree char *error = NULL;
	unsigned before;
	bool made;

	assert_int_equal(f->driver->create(&f->kept, &made, &error), 0);
	before = entries_of(f);
	assert_int_equal(import_stopped_after(f, path, 0), -ECANCELED);
	assert_int_equal(import_stopped_after(f, path, 1), -ECANCELED);
	assert_int_equal(entries_of(f), before);
	assert_int_equal(number_of(f, "private.img"), 0);
	assert_int_equal(import_stopped_after(f, path, -1), 0);
	assert_int_equal(number_of(f, "private.img"), 0x07070707);
}

static void
a_copy_that_is_stopped_before_it_begins_does_not(void **state)
{
	struct fixture *f = *state;
	g_autofree char *error = NULL, *why = NULL;
	const int stopped = 1;
	char *disk = NULL;
	bool made;

	assert_int_equal(f->driver->create(&f->kept, &made, &error), 0);
	f->snapshot.stop = &stopped;
	assert_int_equal(f->driver->start(&f->snapshot, &disk, &why), -ECANCELED);
	assert_null(disk);
	assert_int_equal(number_of(f, "root-dirty.img"), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_folder_shares_blocks_when_it_must),
	    TEST(a_new_volume_is_empty_and_takes_no_room),
	    TEST(content_that_is_there_is_not_made_anew),
	    TEST(what_a_run_wrote_is_kept_and_the_old_becomes_a_revision),
	    TEST(as_many_revisions_are_kept_as_wanted),
	    TEST(in_place_there_is_no_second_file),
	    TEST(a_revision_of_another_name_is_not_found),
	    TEST(nothing_is_done_to_a_volume_in_use),
	    TEST(a_file_that_somebody_has_locked_is_left_alone),
	    TEST(a_snapshot_begins_with_its_source_and_ends_with_nothing),
	    TEST(what_a_crash_left_of_a_snapshot_is_dropped_and_of_a_kept_volume_used),
	    TEST(an_import_of_another_size_is_dropped),
	    TEST(only_an_empty_volume_shrinks),
	    TEST(a_removed_volume_leaves_its_neighbours),
	    TEST(a_stale_copy_made_ahead_is_not_used),
	    TEST(holes_stay_holes_and_shared_blocks_take_no_room),
	    TEST(kernels_have_a_device_when_they_have_modules),
	    TEST(a_copy_that_is_stopped_leaves_nothing),
	    TEST(a_copy_that_is_stopped_before_it_begins_does_not),
	    cmocka_unit_test(adm_10_killed_between_any_two_steps_a_volume_is_old_or_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
