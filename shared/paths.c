#include "shared/paths.h"

#include <glib.h>
#include <string.h>

static const char *
env_or(const char *variable, const char *fallback)
{
	const char *value = g_getenv(variable);

	return value != NULL && value[0] != '\0' ? value : fallback;
}

char *
path_in_runtime_dir(const char *name)
{
	return g_build_filename(env_or("QUBES_RUNTIME_DIR", "/run/qubes"), name, NULL);
}

char *
path_in_state_dir(const char *name)
{
	return g_build_filename(env_or("QUBES_STATE_DIR", "/var/lib/qubes"), name, NULL);
}

char *
path_in_config_dir(const char *name)
{
	return g_build_filename(env_or("QUBES_CONFIG_DIR", "/etc/qubes"), name, NULL);
}

char *
path_in_rpc_dir(const char *name)
{
	return g_build_filename(env_or("QUBES_RPC_DIR", "/etc/qubes-rpc"), name, NULL);
}

char *
path_in_log_dir(const char *name)
{
	return g_build_filename(env_or("QUBES_LOG_DIR", "/var/log/qubes"), name, NULL);
}

char *
path_qubesd_socket(const char *name)
{
	const char *forced = env_or("QUBESD_SOCKET", NULL);

	if (forced != NULL && strcmp(name, "qubesd.sock") == 0)
		return g_strdup(forced);
	return g_build_filename(env_or("QUBES_RUNTIME_DIR", "/run"), name, NULL);
}

static char *
beside_program(const char *relative)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *folder = self != NULL ? g_path_get_dirname(self) : g_strdup(PREFIX "/bin");

	return g_build_filename(folder, relative, NULL);
}

static char *
beside_or(const char *relative, const char *installed)
{
	char *path = beside_program(relative);

	if (g_file_test(path, G_FILE_TEST_EXISTS))
		return path;
	g_free(path);
	return g_strdup(installed);
}

char *
path_program(const char *name)
{
	g_autofree char *installed = g_build_filename(PREFIX "/bin", name, NULL);

	return beside_or(name, installed);
}

char *
path_module(const char *name)
{
	g_autofree char *file = g_strconcat(name, ".so", NULL);
	g_autofree char *relative = g_build_filename("..", "lib", file, NULL);
	g_autofree char *installed = g_build_filename(PREFIX "/lib/bordure", file, NULL);

	return beside_or(relative, installed);
}

char *
path_guest_dir(void)
{
	const char *forced = env_or("QUBES_GUEST_DIR", NULL);

	if (forced != NULL)
		return g_strdup(forced);
	return beside_or("../guest", PREFIX "/lib/bordure/guest");
}

char *
path_service_search(void)
{
	const char *forced = env_or("QREXEC_SERVICE_PATH", NULL);

	if (forced != NULL)
		return g_strdup(forced);
	return g_strdup(
	    env_or("QUBES_RPC_DIR", "/run/qubes-rpc:/usr/local/etc/qubes-rpc:/etc/qubes-rpc"));
}

char *
path_service_config_search(void)
{
	const char *forced = env_or("QUBES_RPC_CONFIG_PATH", NULL);

	if (forced != NULL)
		return g_strdup(forced);
	if (env_or("QUBES_CONFIG_DIR", NULL) != NULL)
		return path_in_config_dir("rpc-config");
	return g_strdup(
	    "/run/qubes/rpc-config:/usr/local/etc/qubes/rpc-config:/etc/qubes/rpc-config");
}
