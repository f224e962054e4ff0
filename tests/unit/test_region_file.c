/* The files behind the regions of machines, in a folder of the test's on a memory file system. */
#include "tests/unit/unit.h"

#include "qubesd/region_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define UUID "2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21"
#define OTHER "3f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21"
#define MIB (UINT64_C(1) << 20)
#define NOBODY ((uid_t)-1)

static char *folder, *path;

static int
set_up(void **state)
{
	(void)state;
	folder = g_strdup("/dev/shm/test_region_file-XXXXXX");
	if (g_mkdtemp(folder) == NULL)
		return -1;
	path = g_build_filename(folder, "bordure-" UUID, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	region_file_remove(folder, UUID);
	region_file_remove(folder, OTHER);
	g_rmdir(folder);
	g_free(folder);
	g_free(path);
	return 0;
}

static uint64_t
free_bytes(void)
{
	struct statvfs fs;

	assert_int_equal(statvfs(folder, &fs), 0);
	return (uint64_t)fs.f_bavail * fs.f_frsize;
}

static int
make(const char *uuid, uint64_t bytes)
{
	g_autofree char *error = NULL;
	int r = region_file_make(folder, uuid, bytes, NOBODY, NOBODY, &error);

	assert_true((r < 0) == (error != NULL));
	return r;
}

static void
region_file_is_sparse_private_and_as_large_as_asked_for(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(make(UUID, 16 * MIB), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 16 * MIB);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_blocks, 0);
	region_file_remove(folder, UUID);
	assert_int_equal(stat(path, &st), -1);
}

static void
region_file_of_an_earlier_run_is_replaced_and_not_reused(void **state)
{
	g_autofree char *text = NULL;
	gsize len;

	(void)state;
	assert_true(g_file_set_contents(path, "secret", -1, NULL));
	assert_int_equal(make(UUID, MIB), 0);
	assert_true(g_file_get_contents(path, &text, &len, NULL));
	assert_int_equal(len, MIB);
	assert_memory_equal(text, "\0\0\0\0\0\0", 6);
}

static void
region_file_follows_no_link(void **state)
{
	g_autofree char *target = g_build_filename(folder, "target", NULL);
	struct stat st;

	(void)state;
	assert_true(g_file_set_contents(target, "kept", -1, NULL));
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(make(UUID, MIB), 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(stat(target, &st), 0);
	assert_int_equal(st.st_size, 4);
	g_unlink(target);
}

static void
region_file_whose_name_is_a_folder_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(g_mkdir(path, 0700), 0);
	assert_int_equal(make(UUID, MIB), -EEXIST);
	g_rmdir(path);
}

static void
region_file_needs_room_for_all_of_it(void **state)
{
	uint64_t room = free_bytes();

	(void)state;
	assert_int_equal(make(UUID, room + 256 * MIB), -ENOSPC);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(make(UUID, room / 2), 0);
	/* not taken yet, but promised */
	assert_int_equal(make(OTHER, room / 2 + 256 * MIB), -ENOSPC);
	assert_int_equal(make(OTHER, MIB), 0);
	/* its own promise of an earlier run does not count */
	assert_int_equal(make(UUID, room / 2), 0);
}

/* A file with holes costs who makes it nothing. */
static void
soc_02_files_of_other_users_promise_nothing(void **state)
{
	g_autofree char *other = g_build_filename(folder, "bordure-" OTHER, NULL);

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(make(OTHER, 0), 0);
	assert_int_equal(truncate(other, INT64_C(1) << 40), 0);
	assert_int_equal(make(UUID, MIB), -ENOSPC);
	assert_int_equal(chown(other, 65534, 65534), 0);
	assert_int_equal(make(UUID, MIB), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(region_file_is_sparse_private_and_as_large_as_asked_for),
	    TEST(region_file_of_an_earlier_run_is_replaced_and_not_reused),
	    TEST(region_file_follows_no_link),
	    TEST(region_file_whose_name_is_a_folder_is_an_error),
	    TEST(region_file_needs_room_for_all_of_it),
	    TEST(soc_02_files_of_other_users_promise_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
