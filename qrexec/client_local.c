#include "qrexec/client_local.h"

#include "qrexec/call.h"
#include "qrexec/environment.h"
#include "qrexec/service_lookup.h"
#include "qrexec/session_wait.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

struct client_local {
	struct call call;
	GPtrArray *argv;    /* owned: of owned strings, NULL at the end */
	char **environment; /* owned */
	struct process_spec spec;
	int exit_code;
};

/* The executable that serves a command; sockets need a vchan at the other side. */
static int
find_executable(const struct qrexec_command *command, char **ret)
{
	g_autofree char *search = path_service_search();
	struct service_found found;
	int r;

	r = service_lookup(search, command, &found);
	if (r < 0) {
		log_error("service %s: %s", command->descriptor,
		    r == -ENOENT ? "not found" : strerror(-r));
		return r == -ENOENT ? QREXEC_EXIT_NOT_FOUND : QREXEC_EXIT_PROBLEM;
	}
	if (found.kind != SERVICE_EXECUTABLE || !command->is_complete) {
		log_error("service %s: cannot be run as a program", command->descriptor);
		service_found_clear(&found);
		return QREXEC_EXIT_PROBLEM;
	}
	*ret = g_steal_pointer(&found.path);
	service_found_clear(&found);
	return 0;
}

static void
set_service_argv(struct client_local *local, char *path)
{
	const char *argument = local->call.command.argument;

	g_ptr_array_add(local->argv, path);
	if (argument != NULL && argument[0] != '\0')
		g_ptr_array_add(local->argv, g_strdup(argument));
}

static void
prepare(struct client_local *local)
{
	char *path = NULL;

	local->exit_code = local->call.fail_code;
	if (local->exit_code == 0 && local->call.command.descriptor != NULL)
		local->exit_code = find_executable(&local->call.command, &path);
	if (local->exit_code != 0)
		return;
	if (path != NULL) {
		set_service_argv(local, path);
	} else {
		g_ptr_array_add(local->argv, g_strdup("/bin/bash"));
		g_ptr_array_add(local->argv, g_strdup("-c"));
		g_ptr_array_add(local->argv, g_strdup(local->call.command.text));
	}
	g_ptr_array_add(local->argv, NULL);
	local->spec.path = g_ptr_array_index(local->argv, 0);
	local->spec.argv = (char *const *)local->argv->pdata;
}

struct client_local *
client_local_new(const char *command, const char *domain)
{
	struct client_local *local = g_new0(struct client_local, 1);

	local->argv = g_ptr_array_new_with_free_func(g_free);
	call_init(&local->call, command, false);
	prepare(local);
	local->environment = environment_for(&local->call.command, NULL);
	if (domain != NULL)
		local->environment =
		    g_environ_setenv(local->environment, "QREXEC_REMOTE_DOMAIN", domain, TRUE);
	local->spec.environment = local->environment;
	return local;
}

void
client_local_free(struct client_local *local)
{
	if (local == NULL)
		return;
	call_clear(&local->call);
	g_ptr_array_unref(local->argv);
	g_strfreev(local->environment);
	g_free(local);
}

int
client_local_exit_code(const struct client_local *local)
{
	return local->exit_code;
}

const struct process_spec *
client_local_spec(const struct client_local *local)
{
	return &local->spec;
}

/* --- from the trusted side to itself -------------------------------------------------------- */

static void
on_session(void *loop)
{
	g_main_loop_quit(loop);
}

static void
wait_for_session(const char *source)
{
	g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
	struct session_wait *wait = session_wait_new();

	session_wait_add(wait, NULL, source, on_session, loop);
	g_main_loop_run(loop);
	session_wait_free(wait);
}

static int
become_service(struct client_local *local)
{
	sigset_t none;
	int error;

	if (local->call.config.wait_for_session && !local->call.command.no_gui)
		wait_for_session(local->call.command.source);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	close_range(3, ~0U, 0);
	execve(local->spec.path, local->spec.argv, local->spec.environment);
	error = errno;
	log_error("%s: %s", local->spec.path, strerror(error));
	return error == ENOENT ? QREXEC_EXIT_NOT_FOUND : QREXEC_EXIT_PROBLEM;
}

int
client_local_replace(const char *command, const char *prefix)
{
	struct client_local *local;
	int exit_code;

	if (!g_str_has_prefix(command, "DEFAULT:") || prefix != NULL) {
		log_error(
		    "a call within the trusted side is DEFAULT:QUBESRPC ..., without a prefix");
		return QREXEC_EXIT_PROBLEM;
	}
	local = client_local_new(command + strlen("DEFAULT:"), NULL);
	exit_code = local->exit_code;
	if (exit_code == 0 && local->call.command.descriptor == NULL) {
		log_error("only services can be called within the trusted side");
		exit_code = QREXEC_EXIT_PROBLEM;
	}
	if (exit_code == 0)
		exit_code = become_service(local);
	client_local_free(local);
	return exit_code;
}
