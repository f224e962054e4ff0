/* The trial of KVM: its guest under emulation, which does everything right, and what is remembered. */
#include "tests/unit/unit.h"

#include "qubesd/kvm_trial.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static char *folder, *state_file;

static int
set_up(void **state)
{
	(void)state;
	folder = g_dir_make_tmp("test_kvm-XXXXXX", NULL);
	state_file = g_build_filename(folder, "kvm-trial", NULL);
	g_setenv("QUBES_STATE_DIR", folder, TRUE);
	return 0;
}

static int
tear_down(void **state)
{
	g_autofree char *fake = g_build_filename(folder, "qemu-system-x86_64", NULL);

	(void)state;
	g_unlink(state_file);
	g_unlink(fake);
	g_rmdir(folder);
	g_free(folder);
	g_free(state_file);
	return 0;
}

/* A program in place of QEMU that says its version, and else does what the script does. */
static void
use_qemu(const char *version, const char *script)
{
	g_autofree char *path = g_build_filename(folder, "qemu-system-x86_64", NULL);
	g_autofree char *text = g_strdup_printf(
	    "#!/bin/sh\n[ \"$1\" != --version ] || { echo '%s'; exit 0; }\n%s\n", version, script);
	g_autofree char *search = g_strconcat(folder, ":/usr/bin:/bin", NULL);

	assert_true(g_file_set_contents(path, text, -1, NULL));
	assert_int_equal(g_chmod(path, 0755), 0);
	g_setenv("PATH", search, TRUE);
}

static void
trial_guest_does_well_under_emulation(void **state)
{
	g_autofree char *program = g_find_program_in_path("qemu-system-x86_64");
	g_autofree char *error = NULL;

	(void)state;
	if (program == NULL)
		skip();
	error = kvm_trial_run("tcg", "max");
	if (error != NULL)
		fail_msg("%s", error);
}

static void
trial_tells_every_other_end(void **state)
{
	static const struct {
		const char *script, *says;
	} cases[] = {
	    {"exit 0", "went wrong (status 0)"},
	    {"exit 65", "went wrong (status 65)"},
	    {"kill -ABRT $$", "signal 6"},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *error = NULL;

		use_qemu("QEMU 1", cases[i].script);
		error = kvm_trial_run("kvm", "host");
		assert_non_null(error);
		assert_non_null(strstr(error, cases[i].says));
	}
	{
		g_autofree char *error = NULL;

		use_qemu("QEMU 1", "exit 33");
		error = kvm_trial_run("kvm", "host");
		assert_null(error);
	}
}

/* Without the device there is no trial; where it is, the answer is kept for these versions alone. */
static void
trial_is_made_once_for_each_version(void **state)
{
	g_autofree char *first = NULL, *second = NULL;

	(void)state;
	use_qemu("QEMU 1", "exit 33");
	if (access("/dev/kvm", R_OK | W_OK) < 0) {
		assert_false(kvm_trial());
		skip();
	}
	assert_true(kvm_trial());
	use_qemu("QEMU 1", "exit 1");
	assert_true(kvm_trial());
	assert_true(g_file_get_contents(state_file, &first, NULL, NULL));
	assert_non_null(strstr(first, "/ QEMU 1\nyes\n"));
	use_qemu("QEMU 2", "exit 1");
	assert_false(kvm_trial());
	use_qemu("QEMU 2", "exit 33");
	assert_false(kvm_trial());
	assert_true(g_file_get_contents(state_file, &second, NULL, NULL));
	assert_non_null(strstr(second, "/ QEMU 2\nno\n"));
	assert_true(g_file_set_contents(state_file, "nonsense", -1, NULL));
	assert_true(kvm_trial());
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(trial_guest_does_well_under_emulation),
	    TEST(trial_tells_every_other_end),
	    TEST(trial_is_made_once_for_each_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
