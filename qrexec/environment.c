#include "qrexec/environment.h"

#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define ROOT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Of our own environment, what a session of somebody else may have as well. */
static const char *const shared_by_users[] = {"LANG", "LC_ALL", "TZ", "QREXEC_SERVICE_PATH", NULL};

char **
environment_base(void)
{
	g_auto(GStrv) own = g_get_environ();
	g_autoptr(GPtrArray) kept = g_ptr_array_new();

	for (size_t i = 0; own[i] != NULL; i++) {
		if (!g_str_has_prefix(own[i], "QREXEC") ||
		    g_str_has_prefix(own[i], "QREXEC_SERVICE_PATH="))
			g_ptr_array_add(kept, g_strdup(own[i]));
	}
	g_ptr_array_add(kept, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&kept), FALSE);
}

/* Where there is a folder for the user's sockets, sessions and services share it. */
static char **
with_runtime_folder(char **environment, const struct process_user *user)
{
	g_autofree char *path = g_strdup_printf("/run/user/%u", user->uid);
	struct stat info;

	if (stat(path, &info) < 0 || !S_ISDIR(info.st_mode) || info.st_uid != user->uid)
		return environment;
	return g_environ_setenv(environment, "XDG_RUNTIME_DIR", path, TRUE);
}

static char **
environment_of_user(const struct process_user *user)
{
	char **environment = with_runtime_folder(g_new0(char *, 1), user);

	for (size_t i = 0; shared_by_users[i] != NULL; i++) {
		const char *value = g_getenv(shared_by_users[i]);

		if (value != NULL)
			environment =
			    g_environ_setenv(environment, shared_by_users[i], value, TRUE);
	}
	environment = g_environ_setenv(environment, "HOME", user->home, TRUE);
	environment = g_environ_setenv(environment, "SHELL", user->shell, TRUE);
	environment = g_environ_setenv(environment, "USER", user->name, TRUE);
	environment = g_environ_setenv(environment, "LOGNAME", user->name, TRUE);
	return g_environ_setenv(
	    environment, "PATH", user->uid == 0 ? ROOT_PATH : DEFAULT_PATH, TRUE);
}

/* Services of ours are found wherever the kit lies. */
static char **
with_own_folder(char **environment)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *folder = self != NULL ? g_path_get_dirname(self) : NULL;
	const char *path = g_environ_getenv(environment, "PATH");
	g_autofree char *padded = g_strdup_printf(":%s:", path != NULL ? path : DEFAULT_PATH);
	g_autofree char *wanted = g_strdup_printf(":%s:", folder != NULL ? folder : "");
	g_autofree char *longer = NULL;

	if (folder == NULL || strstr(padded, wanted) != NULL)
		return environment;
	longer = g_strdup_printf("%s:%s", path != NULL ? path : DEFAULT_PATH, folder);
	return g_environ_setenv(environment, "PATH", longer, TRUE);
}

char **
environment_for(const struct qrexec_command *command, const struct process_user *user)
{
	char **environment = user != NULL ? environment_of_user(user) : environment_base();
	g_autofree char *pid = g_strdup_printf("%d", (int)getpid());

	environment = g_environ_setenv(environment, "QREXEC_AGENT_PID", pid, TRUE);
	environment = with_own_folder(environment);
	if (command->descriptor == NULL)
		return environment;
	environment = g_environ_setenv(environment, "QREXEC_REMOTE_DOMAIN", command->source, TRUE);
	environment =
	    g_environ_setenv(environment, "QREXEC_SERVICE_FULL_NAME", command->descriptor, TRUE);
	if (command->argument != NULL)
		environment = g_environ_setenv(
		    environment, "QREXEC_SERVICE_ARGUMENT", command->argument, TRUE);
	environment = g_environ_setenv(environment, "QREXEC_REQUESTED_TARGET_TYPE",
	    command->target_type != NULL ? command->target_type : "", TRUE);
	if (g_strcmp0(command->target_type, "name") == 0)
		environment =
		    g_environ_setenv(environment, "QREXEC_REQUESTED_TARGET", command->target, TRUE);
	if (g_strcmp0(command->target_type, "keyword") == 0)
		environment = g_environ_setenv(
		    environment, "QREXEC_REQUESTED_TARGET_KEYWORD", command->target, TRUE);
	return environment;
}
