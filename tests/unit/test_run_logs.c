/* Which logs of removed qubes stay. */
#include "qubesd/qubes_app.h"
#include "qubesd/run_logs.h"
#include "shared/paths.h"
#include "tests/unit/admin_fixture.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int
set_up(void **state)
{
	struct admin_fixture *fixture = admin_fixture_new();
	g_autofree char *logs = g_build_filename(fixture->dir, "log", NULL);

	g_setenv("QUBES_RUNTIME_DIR", fixture->dir, TRUE);
	g_mkdir(logs, 0700);
	*state = fixture;
	return 0;
}

static int
tear_down(void **state)
{
	admin_fixture_free(*state);
	return 0;
}

/* Changed so many seconds after the epoch. */
static void
make_log(const char *name, time_t seconds)
{
	g_autofree char *file = g_build_filename("log", name, NULL);
	g_autofree char *path = path_in_runtime_dir(file);
	const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};

	assert_true(g_file_set_contents(path, "a line\n", -1, NULL));
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool
has_log(const char *name)
{
	g_autofree char *file = g_build_filename("log", name, NULL);
	g_autofree char *path = path_in_runtime_dir(file);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* Logs of disp1, disp2 ...; disp1's is the oldest. */
static void
make_gone(int count)
{
	for (int i = 1; i <= count; i++) {
		g_autofree char *name = g_strdup_printf("guest-disp%d.log", i);

		make_log(name, 1000 + i);
	}
}

static void
the_newest_of_removed_qubes_stay(void **state)
{
	struct admin_fixture *fixture = *state;

	make_gone(RUN_LOGS_GONE_MAX);
	run_logs_init(fixture->app);
	assert_true(has_log("guest-disp1.log"));
	make_gone(RUN_LOGS_GONE_MAX + 1);
	run_logs_init(fixture->app);
	assert_false(has_log("guest-disp1.log"));
	assert_true(has_log("guest-disp2.log"));
	assert_true(has_log("guest-disp25.log"));
}

static void
every_kind_of_log_goes(void **state)
{
	struct admin_fixture *fixture = *state;

	make_gone(RUN_LOGS_GONE_MAX);
	make_log("guest-old.log", 1);
	make_log("guest-old.log.old", 1);
	make_log("qrexec-old.log", 1);
	run_logs_init(fixture->app);
	assert_false(has_log("guest-old.log"));
	assert_false(has_log("guest-old.log.old"));
	assert_false(has_log("qrexec-old.log"));
	assert_true(has_log("guest-disp1.log"));
}

static void
what_is_no_log_of_a_removed_qube_stays(void **state)
{
	struct admin_fixture *fixture = *state;

	make_gone(RUN_LOGS_GONE_MAX);
	make_log("guest-test-vm1.log", 1);
	make_log("qrexec-test-vm1.log", 1);
	make_log("guest-old.txt", 1);
	make_log("other.log", 1);
	run_logs_init(fixture->app);
	assert_true(has_log("guest-test-vm1.log"));
	assert_true(has_log("qrexec-test-vm1.log"));
	assert_true(has_log("guest-old.txt"));
	assert_true(has_log("other.log"));
	assert_true(has_log("guest-disp1.log"));
}

static void
a_removal_makes_room(void **state)
{
	struct admin_fixture *fixture = *state;
	g_autofree char *reply = NULL;

	run_logs_init(fixture->app);
	make_log("guest-test-vm1.log", 2000);
	make_gone(RUN_LOGS_GONE_MAX);
	reply = admin_fixture_call(fixture, "dom0", "admin.vm.Remove", "", "test-vm1", "");
	assert_string_equal(reply, "OK ");
	assert_true(has_log("guest-test-vm1.log"));
	assert_false(has_log("guest-disp1.log"));
	assert_true(has_log("guest-disp2.log"));
}

static void
no_folder_is_no_fault(void **state)
{
	struct admin_fixture *fixture = *state;
	g_autofree char *logs = path_in_runtime_dir("log");

	g_rmdir(logs);
	run_logs_init(fixture->app);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_newest_of_removed_qubes_stay),
	    TEST(every_kind_of_log_goes),
	    TEST(what_is_no_log_of_a_removed_qube_stays),
	    TEST(a_removal_makes_room),
	    TEST(no_folder_is_no_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
