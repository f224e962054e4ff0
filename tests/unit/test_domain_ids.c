#include "tests/unit/unit.h"

#include "qubesd/domain_ids.h"

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder, *file;

static int
set_up(void **state)
{
	(void)state;
	folder = g_dir_make_tmp("test_ids-XXXXXX", NULL);
	file = g_build_filename(folder, "last-xid", NULL);
	g_setenv("QUBES_RUNTIME_DIR", folder, TRUE);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(file);
	rmdir(folder);
	g_free(folder);
	g_free(file);
	return 0;
}

/* data: the first id that is free; below it all are taken. */
static bool
is_below(uint32_t id, void *data)
{
	return id < *(uint32_t *)data;
}

static bool
is_always(uint32_t id, void *data)
{
	(void)id;
	(void)data;
	return true;
}

static uint32_t
next(bool beside_xen, uint32_t first_free)
{
	uint32_t id = 0;

	assert_int_equal(domain_ids_next(beside_xen, is_below, &first_free, &id), 0);
	return id;
}

static void
write_last(const char *text)
{
	assert_true(g_file_set_contents(file, text, -1, NULL));
}

static void
ids_only_grow_also_when_earlier_ones_are_free_again(void **state)
{
	(void)state;
	assert_int_equal(next(false, 0), 1);
	assert_int_equal(next(false, 0), 2);
	assert_int_equal(next(false, 0), 3);
}

static void
ids_in_use_are_skipped(void **state)
{
	(void)state;
	assert_int_equal(next(false, 5), 5);
	assert_int_equal(next(false, 5), 6);
	assert_int_equal(next(false, 8), 8);
}

static void
ids_beside_xen_begin_above_its_own(void **state)
{
	(void)state;
	assert_int_equal(next(false, 0), 1);
	assert_int_equal(next(true, 0), 0x8000);
	assert_int_equal(next(true, 0), 0x8001);
	write_last("32766");
	assert_int_equal(next(true, 0), 0x8000);
	write_last("32767");
	assert_int_equal(next(true, 0), 0x8000);
}

static void
ids_begin_again_behind_the_last(void **state)
{
	(void)state;
	write_last("2147483646\n");
	assert_int_equal(next(false, 0), INT32_MAX);
	assert_int_equal(next(false, 0), 1);
	write_last("2147483647\n");
	assert_int_equal(next(true, 0), 0x8000);
}

static void
ids_file_that_makes_no_sense_is_as_none(void **state)
{
	static const char *const texts[] = {
	    "", "x", "-3", "0", "2147483648", "99999999999999999999"};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		write_last(texts[i]);
		assert_int_equal(next(false, 3), 3);
	}
}

static void
id_that_cannot_be_remembered_is_not_given_out(void **state)
{
	uint32_t first_free = 0, id = 77;

	(void)state;
	g_setenv("QUBES_RUNTIME_DIR", "/proc/self/nowhere", TRUE);
	assert_true(domain_ids_next(false, is_below, &first_free, &id) < 0);
	assert_int_equal(domain_ids_next(false, is_always, NULL, &id), -ENOSPC);
	assert_int_equal(id, 77);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(ids_only_grow_also_when_earlier_ones_are_free_again),
	    TEST(ids_in_use_are_skipped),
	    TEST(ids_beside_xen_begin_above_its_own),
	    TEST(ids_begin_again_behind_the_last),
	    TEST(ids_file_that_makes_no_sense_is_as_none),
	    TEST(id_that_cannot_be_remembered_is_not_given_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
