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
#define NAME "bordure-" UUID "-00112233445566778899aabbccddeeff"
#define OTHER "bordure-" UUID "-10112233445566778899aabbccddeeff"
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
	path = g_build_filename(folder, NAME, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	region_file_remove(folder, NAME);
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
make(const char *name, uint64_t bytes)
{
	g_autofree char *error = NULL;
	int r = region_file_make(folder, name, bytes, NOBODY, NOBODY, &error);

	assert_true((r < 0) == (error != NULL));
	return r;
}

static void
region_file_is_sparse_private_and_as_large_as_asked_for(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(make(NAME, 16 * MIB), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 16 * MIB);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_blocks, 0);
	region_file_remove(folder, NAME);
	assert_int_equal(stat(path, &st), -1);
}

static void
region_file_whose_name_is_taken_is_an_error(void **state)
{
	g_autofree char *target = g_build_filename(folder, "target", NULL);
	g_autofree char *text = NULL;

	(void)state;
	assert_true(g_file_set_contents(path, "somebody's", -1, NULL));
	assert_int_equal(make(NAME, MIB), -EEXIST);
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	assert_string_equal(text, "somebody's");
	g_unlink(path);
	assert_int_equal(g_mkdir(path, 0700), 0);
	assert_int_equal(make(NAME, MIB), -EEXIST);
	g_rmdir(path);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(make(NAME, MIB), -EEXIST);
	assert_int_equal(access(target, F_OK), -1);
}

static void
soc_02_region_file_name_cannot_be_foreseen(void **state)
{
	g_autofree char *one = region_file_draw_name(UUID);
	g_autofree char *two = region_file_draw_name(UUID);

	(void)state;
	assert_true(g_str_has_prefix(one, "bordure-" UUID "-"));
	assert_int_equal(strlen(one), strlen(NAME));
	assert_string_not_equal(one, two);
	assert_true(region_file_is_name(one));
	assert_true(region_file_is_name(two));
}

static void
region_file_names_have_one_shape(void **state)
{
	static const char *const others[] = {"", "bordure-", "bordure-" UUID, NAME "0",
	    "Bordure-" UUID "-00112233445566778899aabbccddeeff",
	    "bordure-" UUID "-00112233445566778899aabbccddeef/",
	    "bordure-" UUID "-../../../../../../../etc/passwd",
	    "bordure-" UUID "-00112233445566778899aabbccddeef"};

	(void)state;
	assert_true(region_file_is_name(NAME));
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
		assert_false(region_file_is_name(others[i]));
}

static void
region_file_needs_room_for_all_of_it(void **state)
{
	uint64_t room = free_bytes();

	(void)state;
	assert_int_equal(make(NAME, room + 256 * MIB), -ENOSPC);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(make(NAME, room / 2), 0);
	/* not taken yet, but promised */
	assert_int_equal(make(OTHER, room / 2 + 256 * MIB), -ENOSPC);
	assert_int_equal(make(OTHER, MIB), 0);
	/* a promise ends with its file */
	region_file_remove(folder, NAME);
	assert_int_equal(make(NAME, room / 2), 0);
}

/* A file with holes costs who makes it nothing. */
static void
soc_02_files_of_other_users_promise_nothing(void **state)
{
	g_autofree char *other = g_build_filename(folder, OTHER, NULL);

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(make(OTHER, 0), 0);
	assert_int_equal(truncate(other, INT64_C(1) << 40), 0);
	assert_int_equal(make(NAME, MIB), -ENOSPC);
	assert_int_equal(chown(other, 65534, 65534), 0);
	assert_int_equal(make(NAME, MIB), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(region_file_is_sparse_private_and_as_large_as_asked_for),
	    TEST(region_file_whose_name_is_taken_is_an_error),
	    TEST(soc_02_region_file_name_cannot_be_foreseen),
	    TEST(region_file_names_have_one_shape),
	    TEST(region_file_needs_room_for_all_of_it),
	    TEST(soc_02_files_of_other_users_promise_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
