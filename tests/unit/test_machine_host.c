/* What a machine has on the host, and whose word takes it away; there is no broker here. */
#include "tests/unit/unit.h"

#include "qubesd/boot_disk.h"
#include "qubesd/machine.h"
#include "qubesd/region_file.h"
#include "qubesd/sandbox/tree.h"

#include <glib.h>
#include <string.h>
#include <unistd.h>

#define KIND "qemu:///session"

static char *folder;
static char *uuid, *other_uuid, *region; /* random: the folder of the regions is everybody's */

static int
set_up(void **state)
{
	(void)state;
	folder = g_dir_make_tmp("test_machine_host-XXXXXX", NULL);
	uuid = g_uuid_string_random();
	other_uuid = g_uuid_string_random();
	region = region_file_draw_name(uuid);
	return folder != NULL && g_setenv("QUBES_RUNTIME_DIR", folder, TRUE) ? 0 : -1;
}

static int
tear_down(void **state)
{
	int r = tree_remove(folder);

	(void)state;
	region_file_remove(REGION_FILE_DIR, region);
	g_free(region);
	g_free(folder);
	g_free(uuid);
	g_free(other_uuid);
	return r;
}

static char *
path_of(uint32_t xid)
{
	return g_strdup_printf("%s/machine/%u", folder, xid);
}

static void
put_machine_with(uint32_t xid, const char *region_name)
{
	g_autofree char *path = path_of(xid);
	g_autofree char *file = g_build_filename(path, "facts", NULL);
	g_autofree char *text = g_strdup_printf("%s\n" KIND "\n%s\n", uuid, region_name);

	assert_int_equal(g_mkdir_with_parents(path, 0711), 0);
	assert_true(g_file_set_contents(file, text, -1, NULL));
}

static void
put_machine(uint32_t xid)
{
	put_machine_with(xid, region);
}

static void
put_region(void)
{
	char *error = NULL;

	assert_int_equal(
	    region_file_make(REGION_FILE_DIR, region, 4096, (uid_t)-1, (gid_t)-1, &error), 0);
}

static bool
has_machine(uint32_t xid)
{
	g_autofree char *path = path_of(xid);

	return access(path, F_OK) == 0;
}

static bool
has_region(void)
{
	g_autofree char *path = region_file_path(region);

	return access(path, F_OK) == 0;
}

static void
a_machine_is_removed_for_its_own_qube_and_kind_only(void **state)
{
	(void)state;
	put_machine(41);
	put_region();
	machine_remove(41, other_uuid, KIND);
	machine_remove(41, uuid, "qemu:///system");
	machine_remove(42, uuid, KIND);
	assert_true(has_machine(41));
	assert_true(has_region());
	machine_remove(41, uuid, KIND);
	assert_false(has_machine(41));
	assert_false(has_region());
}

static void
a_lost_machine_is_removed_whosever_it_was(void **state)
{
	(void)state;
	put_machine(41);
	put_region();
	machine_remove(41, NULL, KIND);
	assert_false(has_machine(41));
	assert_false(has_region());
}

static void
each_run_of_a_qube_has_a_region_of_its_own(void **state)
{
	g_autofree char *older = region_file_draw_name(uuid);

	(void)state;
	put_machine_with(41, older);
	put_machine(42);
	put_region();
	machine_remove(41, uuid, KIND);
	assert_false(has_machine(41));
	assert_true(has_machine(42));
	assert_true(has_region());
	machine_remove(42, uuid, KIND);
	assert_false(has_region());
}

/* Then it is no machine that says what it is; and nothing but a region is ever removed there. */
static void
a_name_that_is_none_of_a_region_is_not_followed(void **state)
{
	g_autofree char *victim = g_build_filename(folder, "victim", NULL);
	g_autofree char *name = g_strconcat("bordure-/../../..", victim, NULL);

	(void)state;
	assert_true(g_file_set_contents(victim, "kept", -1, NULL));
	put_machine_with(41, name);
	machine_remove(41, uuid, KIND);
	assert_false(has_machine(41));
	assert_int_equal(access(victim, F_OK), 0);
}

static void
machines_are_listed_by_kind(void **state)
{
	g_autoptr(GArray) ours = NULL;
	g_autoptr(GArray) others = NULL;

	(void)state;
	put_machine(41);
	ours = machine_list(KIND);
	others = machine_list("qemu:///system");
	assert_int_equal(ours->len, 1);
	assert_int_equal(g_array_index(ours, uint32_t, 0), 41);
	assert_int_equal(others->len, 0);
}

static void
a_disk_can_start_when_its_first_sector_says_so(void **state)
{
	g_autofree char *path = g_build_filename(folder, "disk", NULL);
	char sector[512] = {0};

	(void)state;
	assert_true(boot_disk_can_start(path)); /* not ours to tell */
	assert_true(g_file_set_contents(path, sector, sizeof(sector), NULL));
	assert_false(boot_disk_can_start(path));
	sector[510] = 0x55;
	assert_true(g_file_set_contents(path, sector, sizeof(sector), NULL));
	assert_false(boot_disk_can_start(path));
	sector[511] = (char)0xaa;
	assert_true(g_file_set_contents(path, sector, sizeof(sector) - 1, NULL));
	assert_false(boot_disk_can_start(path));
	assert_true(g_file_set_contents(path, sector, sizeof(sector), NULL));
	assert_true(boot_disk_can_start(path));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_machine_is_removed_for_its_own_qube_and_kind_only),
	    TEST(a_lost_machine_is_removed_whosever_it_was),
	    TEST(each_run_of_a_qube_has_a_region_of_its_own),
	    TEST(a_name_that_is_none_of_a_region_is_not_followed),
	    TEST(machines_are_listed_by_kind),
	    TEST(a_disk_can_start_when_its_first_sector_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
