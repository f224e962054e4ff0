#include "qrexec/execution.h"

#include "qrexec/dial.h"
#include "qrexec/environment.h"
#include "qrexec/process.h"
#include "qrexec/relay.h"
#include "qrexec/service_lookup.h"
#include "qrexec/stderr_log.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct execution {
	struct execution_spec spec;
	struct call call; /* owned */
	execution_done done;
	void *data; /* borrowed from the caller */
	struct relay *relay;
	struct process *process;       /* NULL when there is none, or when it has ended */
	struct stderr_log *stderr_log; /* NULL when stderr is not logged */
	struct dial *dial;             /* while a socket service is being connected */
};

/* The call cannot be served: the caller gets this code and nothing else. */
static void
fail(struct execution *execution, int exit_code)
{
	if (execution->spec.just_start)
		relay_answer(execution->relay, exit_code);
	else
		relay_finish(execution->relay, exit_code);
}

/* --- processes ------------------------------------------------------------------------------ */

/* Everything that is open between making a process and handing its streams to the relay. */
struct streams {
	int in[2], out[2], err[2]; /* [0] ours, [1] the process's; err is a pipe */
};

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
streams_close_ours(struct streams *streams)
{
	close_fd(&streams->in[0]);
	close_fd(&streams->out[0]);
	close_fd(&streams->err[0]);
}

static void
streams_close_theirs(struct streams *streams)
{
	close_fd(&streams->in[1]);
	close_fd(&streams->out[1]);
	close_fd(&streams->err[1]);
}

/*
 * On the trusted side stderr stays our own, and so it does for a detached process that nobody logs:
 * a pipe without a reader would end it at its first word.
 */
static int
streams_open(const struct execution *execution, struct streams *streams)
{
	const struct execution_spec *spec = &execution->spec;

	memset(streams, -1, sizeof(*streams));
	if (!spec->just_start &&
	    (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, streams->in) < 0 ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, streams->out) < 0))
		return -errno;
	if (spec->place == EXECUTION_TRUSTED || (spec->just_start && execution->stderr_log == NULL))
		return 0;
	if (pipe2(streams->err, O_CLOEXEC) < 0)
		return -errno;
	fcntl(streams->err[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static void
on_process_exit(struct process *process, int code, void *data)
{
	struct execution *execution = data;

	log_info("pid %d exited with %d", (int)process_pid(process), code);
	process_free(process);
	execution->process = NULL;
	relay_set_exit_code(execution->relay, code);
}

static void
on_process_one_socket(struct process *process, void *data)
{
	struct execution *execution = data;

	(void)process;
	relay_use_one_socket(execution->relay);
}

static void
on_process_confirmed(struct process *process, void *data)
{
	struct execution *execution = data;

	(void)process;
	relay_end_input(execution->relay);
}

static const struct process_events process_events = {
    .on_exit = on_process_exit,
    .on_one_socket = on_process_one_socket,
    .on_confirmed = on_process_confirmed,
};

static void
relay_streams(struct execution *execution, struct streams *streams)
{
	struct relay_local local = {
	    .in_fd = streams->out[0],
	    .out_fd = streams->in[0],
	    .err_fd = streams->err[0],
	    .out_is_pair = true,
	    .has_process = true,
	};

	relay_attach(execution->relay, &local);
}

/* Nobody waits for the process; what it has to say goes to the log for as long as it likes. */
static void
detach(struct execution *execution, struct streams *streams)
{
	g_clear_pointer(&execution->process, process_free);
	if (execution->stderr_log != NULL)
		stderr_log_detach(g_steal_pointer(&execution->stderr_log), streams->err[0]);
	relay_answer(execution->relay, 0);
}

/* A pipe belongs to who made it; the service must be able to open it anew, as /dev/stderr. */
static void
give_stderr(const struct process_spec *spec)
{
	if (spec->become != NULL && spec->err_fd >= 0 &&
	    fchown(spec->err_fd, spec->become->uid, spec->become->gid) < 0)
		log_debug("stderr of %s: %s", spec->path, strerror(errno));
}

static void
start_process(struct execution *execution, struct process_spec *spec)
{
	struct streams streams;
	int r;

	r = streams_open(execution, &streams);
	if (r == 0) {
		spec->in_fd = streams.in[1];
		spec->out_fd = streams.out[1];
		spec->err_fd = streams.err[1];
		give_stderr(spec);
		spec->supervised = execution->spec.place != EXECUTION_TRUSTED;
		r = process_start(spec, &process_events, execution, &execution->process);
	}
	streams_close_theirs(&streams);
	if (r < 0) {
		log_warn("%s: %s", spec->path, strerror(-r));
		streams_close_ours(&streams);
		fail(execution, QREXEC_EXIT_PROBLEM);
		return;
	}
	if (execution->spec.just_start) {
		log_info("executed (nowait): %s (pid %d)", execution->call.command.text,
		    (int)process_pid(execution->process));
		detach(execution, &streams);
	} else {
		log_info("executed: %s (pid %d)", execution->call.command.text,
		    (int)process_pid(execution->process));
		relay_streams(execution, &streams);
	}
}

/* --- who runs it ---------------------------------------------------------------------------- */

/*
 * The user that the command asks for. 1 when the process must become that user, 0 when we are it
 * already, or a negative errno.
 */
static int
find_user(const struct execution *execution, struct process_user *ret)
{
	const char *name = execution->call.config.force_user != NULL
			       ? execution->call.config.force_user
			       : execution->call.command.user;
	int r;

	if (execution->spec.place != EXECUTION_AGENT)
		return 0;
	if (name == NULL)
		return -ENOENT;
	r = process_user_lookup(name, ret);
	if (r < 0)
		return r;
	if (geteuid() == 0)
		return 1;
	r = ret->uid == geteuid() ? 0 : -EPERM;
	process_user_clear(ret);
	return r;
}

/* The login shell reads the profile; what it then runs are its arguments, never its text. */
static void
wrap_in_login_shell(GPtrArray *argv, struct process_spec *spec)
{
	static const char *const words[] = {
	    "sh", "-l", "-c", "PATH=\"$PATH:$1\"; export PATH; shift; exec \"$@\"", "sh"};
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		g_ptr_array_insert(argv, (gint)i, g_strdup(words[i]));
	g_ptr_array_insert(argv, G_N_ELEMENTS(words),
	    self != NULL ? g_path_get_dirname(self) : g_strdup("/usr/bin"));
	spec->path = "/bin/sh";
}

static void
run_argv(struct execution *execution, GPtrArray *argv, struct process_spec *spec, bool login)
{
	g_auto(GStrv) environment = NULL;
	struct process_user user = {0};
	int r = find_user(execution, &user);

	if (r < 0) {
		log_warn("%s: the user it should run as: %s", spec->path, strerror(-r));
		fail(execution, QREXEC_EXIT_PROBLEM);
		return;
	}
	if (r == 1) {
		spec->become = &user;
		spec->folder = user.home;
		if (login)
			wrap_in_login_shell(argv, spec);
	}
	environment = environment_for(&execution->call.command, spec->become);
	spec->argv = (char *const *)argv->pdata;
	spec->environment = environment;
	start_process(execution, spec);
	process_user_clear(&user);
}

static void
run_executable(struct execution *execution, const char *path)
{
	const struct qrexec_command *command = &execution->call.command;
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	struct process_spec spec = {.path = path};

	if (!command->is_complete) {
		log_warn("command with a wrong number of words: %s", command->text);
		fail(execution, QREXEC_EXIT_PROBLEM);
		return;
	}
	if (service_config_is_for_sockets(&execution->call.config))
		log_warn("%s: settings for socket services ignored", command->name);
	if (execution->spec.place != EXECUTION_TRUSTED) {
		g_autofree char *tag =
		    g_strdup_printf("%s-%s", command->descriptor, command->source);

		execution->stderr_log = stderr_log_new(tag);
	}
	g_ptr_array_add(argv, g_strdup(path));
	if (command->argument != NULL && command->argument[0] != '\0')
		g_ptr_array_add(argv, g_strdup(command->argument));
	g_ptr_array_add(argv, NULL);
	run_argv(execution, argv, &spec, true);
}

/* A command of the trusted side's tools, for a shell: the user's own, as at a login. */
static void
run_shell(struct execution *execution)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *shell = NULL;
	struct process_spec spec = {0};
	struct process_user user = {0};
	bool login = find_user(execution, &user) == 1;

	if (login)
		shell = g_strdup(user.shell);
	else if (execution->spec.place == EXECUTION_SESSION && g_getenv("SHELL") != NULL)
		shell = g_strdup(g_getenv("SHELL"));
	else
		shell =
		    g_strdup(execution->spec.place == EXECUTION_TRUSTED ? "/bin/bash" : "/bin/sh");
	process_user_clear(&user);
	if (login) {
		g_autofree char *base = g_path_get_basename(shell);

		g_ptr_array_add(argv, g_strconcat("-", base, NULL));
	} else {
		g_ptr_array_add(argv, g_strdup(shell));
	}
	g_ptr_array_add(argv, g_strdup("-c"));
	g_ptr_array_add(argv, g_strdup(execution->call.command.text));
	g_ptr_array_add(argv, NULL);
	spec.path = shell;
	run_argv(execution, argv, &spec, false);
}

/* --- sockets -------------------------------------------------------------------------------- */

/* What a socket service is told first: a few dozen bytes into an empty socket. */
static int
send_descriptor(const struct execution *execution, int fd)
{
	const char *text = execution->call.command.call;
	size_t len = strlen(text) + 1;

	if (execution->call.config.skip_service_descriptor)
		return 0;
	return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -EPIPE;
}

static void
relay_socket(struct execution *execution, int fd)
{
	struct relay_local local = {
	    .in_fd = fd,
	    .out_fd = fd,
	    .err_fd = -1,
	    .exit_on_client_eof = execution->call.config.exit_on_client_eof,
	    .exit_on_service_eof = execution->call.config.exit_on_service_eof,
	};

	relay_attach(execution->relay, &local);
}

static void
on_dialled(int fd, void *data)
{
	struct execution *execution = data;
	int r = fd;

	g_clear_pointer(&execution->dial, dial_free);
	if (fd >= 0)
		r = send_descriptor(execution, fd);
	if (r < 0) {
		log_warn("%s: cannot connect: %s", execution->call.command.name, strerror(-r));
		close_fd(&fd);
		fail(execution, QREXEC_EXIT_PROBLEM);
	} else if (execution->spec.just_start) {
		close(fd);
		relay_answer(execution->relay, 0);
	} else {
		relay_socket(execution, fd);
	}
}

/* --- the call ------------------------------------------------------------------------------- */

static void
run_service(struct execution *execution)
{
	g_autofree char *search = path_service_search();
	struct service_found found;
	int r;

	r = service_lookup(search, &execution->call.command, &found);
	if (r == -ENOENT) {
		log_warn("Service not found: %s", execution->call.command.descriptor);
		fail(execution, QREXEC_EXIT_NOT_FOUND);
		return;
	}
	if (r < 0) {
		log_warn("service %s: %s", execution->call.command.name, strerror(-r));
		fail(execution, QREXEC_EXIT_PROBLEM);
		return;
	}
	switch (found.kind) {
	case SERVICE_EXECUTABLE:
		run_executable(execution, found.path);
		break;
	case SERVICE_SOCKET:
		execution->dial = dial_socket(found.path, on_dialled, execution);
		break;
	case SERVICE_TCP:
		execution->dial =
		    dial_tcp(found.link, execution->call.command.argument, on_dialled, execution);
		break;
	}
	service_found_clear(&found);
}

static void
on_relay_ready(struct relay *relay, void *data)
{
	struct execution *execution = data;

	(void)relay;
	if (execution->call.fail_code != 0)
		fail(execution, execution->call.fail_code);
	else if (execution->call.command.descriptor != NULL)
		run_service(execution);
	else
		run_shell(execution);
}

static void
on_relay_done(struct relay *relay, int exit_code, int error, void *data)
{
	struct execution *execution = data;

	(void)relay;
	execution->done(execution, exit_code, error, execution->data);
}

static void
on_stderr_passed(struct relay *relay, const void *bytes, size_t len, void *data)
{
	struct execution *execution = data;

	(void)relay;
	if (execution->stderr_log != NULL)
		stderr_log_write(execution->stderr_log, bytes, len);
}

/* Only a supervised process can ask for one socket, and its supervisor knows. */
static void
on_input_ending(struct relay *relay, void *data)
{
	struct execution *execution = data;

	if (execution->process != NULL)
		process_confirm(execution->process);
	else
		relay_end_input(relay);
}

static const struct relay_events relay_events = {
    .ready = on_relay_ready,
    .done = on_relay_done,
    .stderr_passed = on_stderr_passed,
    .input_ending = on_input_ending,
};

int
execution_new(struct call *call, const struct execution_spec *spec, execution_done done, void *data,
    struct execution **ret)
{
	struct execution *execution;
	struct vchan *vchan;
	int r;

	r = vchan_connect(NULL, spec->domain, spec->port, RELAY_RING_BYTES, &vchan);
	if (r < 0)
		return r;
	execution = g_new0(struct execution, 1);
	execution->spec = *spec;
	execution->call = *call;
	memset(call, 0, sizeof(*call));
	execution->done = done;
	execution->data = data;
	execution->relay =
	    relay_new(vchan, RELAY_SERVICE_END, spec->timeout_ms, &relay_events, execution);
	*ret = execution;
	return 0;
}

void
execution_free(struct execution *execution)
{
	if (execution == NULL)
		return;
	dial_free(execution->dial);
	relay_free(execution->relay);
	process_free(execution->process);
	stderr_log_free(execution->stderr_log);
	call_clear(&execution->call);
	g_free(execution);
}
