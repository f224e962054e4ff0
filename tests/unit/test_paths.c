#include "shared/paths.h"
#include "tests/unit/unit.h"

#include <glib.h>

static void
defaults_are_the_installed_paths(void **state)
{
	g_autofree char *runtime = NULL;
	g_autofree char *socket = NULL;
	g_autofree char *services = NULL;

	(void)state;
	g_unsetenv("QUBES_RUNTIME_DIR");
	g_unsetenv("QUBESD_SOCKET");
	g_unsetenv("QUBES_RPC_DIR");
	g_unsetenv("QREXEC_SERVICE_PATH");
	runtime = path_in_runtime_dir("policy.sock");
	socket = path_qubesd_socket("qubesd.sock");
	services = path_service_search();
	assert_string_equal(runtime, "/run/qubes/policy.sock");
	assert_string_equal(socket, "/run/qubesd.sock");
	assert_string_equal(services, "/run/qubes-rpc:/usr/local/etc/qubes-rpc:/etc/qubes-rpc");
}

static void
environment_moves_each_folder_as_a_whole(void **state)
{
	g_autofree char *socket = NULL;
	g_autofree char *forced = NULL;
	g_autofree char *internal = NULL;
	g_autofree char *policy = NULL;

	(void)state;
	g_setenv("QUBES_RUNTIME_DIR", "/r", TRUE);
	g_setenv("QUBES_CONFIG_DIR", "/c", TRUE);
	socket = path_qubesd_socket("qubesd.sock");
	g_setenv("QUBESD_SOCKET", "/x/y", TRUE);
	forced = path_qubesd_socket("qubesd.sock");
	internal = path_qubesd_socket("qubesd.internal.sock");
	policy = path_in_config_dir("policy.d");
	assert_string_equal(socket, "/r/qubesd.sock");
	assert_string_equal(forced, "/x/y");
	assert_string_equal(internal, "/r/qubesd.internal.sock");
	assert_string_equal(policy, "/c/policy.d");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_are_the_installed_paths),
	    cmocka_unit_test(environment_moves_each_folder_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
