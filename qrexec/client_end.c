#include "qrexec/client_end.h"

#include "qrexec/local_fd.h"
#include "qrexec/relay.h"
#include "qrexec/signals.h"
#include "shared/log.h"
#include "shared/qrexec_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SAVED_FIRST 3 /* what the local program knows our descriptors as */

struct client_end {
	struct client_end_spec spec;
	struct relay *relay;
	struct signals *signals; /* SIGUSR1 of the local program; NULL when there is none */
	struct process *process; /* NULL when it has ended */
	int local_code;
	bool call_over;
	int exit_code;
	client_end_done done;
	void *data; /* borrowed from the caller */
};

bool
client_end_is_stream_socket(int fd)
{
	int type;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

/* Both the call and the local program are over: the remote failure is the one that counts. */
static void
report_if_over(struct client_end *end)
{
	int code = end->exit_code;

	if (!end->call_over || end->process != NULL)
		return;
	if (code == 0)
		code = end->local_code;
	end->done(code, 0, end->data);
}

static void
on_program_exit(struct process *process, int code, void *data)
{
	struct client_end *end = data;

	process_free(process);
	end->process = NULL;
	end->local_code = code;
	report_if_over(end);
}

static const struct process_events program_events = {.on_exit = on_program_exit};

static void
on_usr1(int number, void *data)
{
	struct client_end *end = data;

	(void)number;
	if (!end->call_over)
		relay_use_one_socket(end->relay);
}

/* The streams that the program takes the place of, under numbers that survive its start. */
static int
save_descriptors(struct process_spec *program, int extra[3], char ***environment)
{
	int count = g_getenv("PASS_LOCAL_STDERR") != NULL ? 3 : 2;

	for (int i = 0; i < count; i++) {
		g_autofree char *name = g_strdup_printf("SAVED_FD_%d", i);
		g_autofree char *number = g_strdup_printf("%d", SAVED_FIRST + i);

		extra[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
		if (extra[i] < 0)
			return -errno;
		program->extra_count = i + 1;
		*environment = g_environ_setenv(*environment, name, number, TRUE);
	}
	program->extra = extra;
	return 0;
}

static int
start_program(struct client_end *end, struct process_spec *program)
{
	g_auto(GStrv) environment = g_strdupv((char **)program->environment);
	int extra[3];
	int r = save_descriptors(program, extra, &environment);

	program->environment = environment;
	if (r == 0)
		r = process_start(program, &program_events, end, &end->process);
	for (int i = 0; i < program->extra_count; i++)
		close(extra[i]);
	return r;
}

static int
attach_program(struct client_end *end, struct relay_local *local)
{
	struct process_spec program = *end->spec.program;
	int in[2], out[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out) < 0) {
		r = -errno;
		close(in[0]);
		close(in[1]);
		return r;
	}
	program.in_fd = in[1];
	program.out_fd = out[1];
	program.err_fd = -1;
	end->signals = signals_new(SIGUSR1, 0, 0, on_usr1, end);
	r = start_program(end, &program);
	close(in[1]);
	close(out[1]);
	if (r < 0) {
		close(in[0]);
		close(out[0]);
		return r;
	}
	local->in_fd = out[0];
	local->out_fd = in[0];
	local->out_is_pair = true;
	return 0;
}

static int
attach_own_streams(const struct client_end *end, struct relay_local *local)
{
	local->in_fd = local_fd_own(STDIN_FILENO);
	local->out_fd = end->spec.use_stdin_socket ? local->in_fd : local_fd_own(STDOUT_FILENO);
	return local->in_fd < 0 ? local->in_fd : local->out_fd < 0 ? local->out_fd : 0;
}

static int
attach(struct client_end *end, struct relay_local *local)
{
	if (end->spec.program != NULL)
		return attach_program(end, local);
	if (end->spec.no_streams) {
		local->in_fd = -1;
		local->out_fd = -1;
		return 0;
	}
	return attach_own_streams(end, local);
}

static void
on_relay_ready(struct relay *relay, void *data)
{
	struct client_end *end = data;
	struct relay_local local = {
	    .filter_stdout = end->spec.filter_stdout,
	    .filter_stderr = end->spec.filter_stderr,
	    .prefix = end->spec.prefix,
	};
	int r = attach(end, &local);

	if (r < 0) {
		end->call_over = true;
		g_clear_pointer(&end->relay, relay_free);
		end->done(QREXEC_EXIT_PROBLEM, r, end->data);
		return;
	}
	local.err_fd = local_fd_own(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
	relay_attach(relay, &local);
}

static void
on_relay_done(struct relay *relay, int exit_code, int error, void *data)
{
	struct client_end *end = data;

	(void)relay;
	end->call_over = true;
	end->exit_code = exit_code;
	if (error < 0)
		end->done(exit_code, error, end->data);
	else
		report_if_over(end);
}

/* A signal that was sent before the end is here by now. */
static void
on_input_ending(struct relay *relay, void *data)
{
	struct client_end *end = data;

	if (end->signals != NULL)
		signals_poll(end->signals);
	relay_end_input(relay);
}

static const struct relay_events relay_events = {
    .ready = on_relay_ready,
    .done = on_relay_done,
    .input_ending = on_input_ending,
};

struct client_end *
client_end_new(
    struct vchan *vchan, const struct client_end_spec *spec, client_end_done done, void *data)
{
	struct client_end *end = g_new0(struct client_end, 1);

	end->spec = *spec;
	end->done = done;
	end->data = data;
	end->relay = relay_new(vchan, RELAY_CLIENT_END, spec->timeout_ms, &relay_events, end);
	return end;
}

void
client_end_free(struct client_end *end)
{
	if (end == NULL)
		return;
	relay_free(end->relay);
	process_free(end->process);
	signals_free(end->signals);
	g_free(end);
}
