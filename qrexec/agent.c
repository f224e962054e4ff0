/*
 * qrexec-agent - the end of the control vchan inside a qube.
 *
 * Runs what the trusted side tells it to run, and passes on what programs of this qube ask for. One
 * event loop serves all calls; each service is a process of its own. Every call that the trusted
 * side gave a port ends with exactly one CONNECTION_TERMINATED. When the control vchan breaks there
 * is nothing left to do here: exit status 1, and whoever started us starts us again.
 */
#include "qrexec/agent_call.h"
#include "qrexec/agent_requests.h"
#include "qrexec/channel.h"
#include "qrexec/signals.h"
#include "shared/log.h"
#include "shared/paths.h"
#include "shared/text.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define MEMINFO_PID_FILE "/run/meminfo-writer.pid"

struct agent {
	GMainLoop *loop;
	int exit_code;
	const char *socket_path; /* borrowed */
	struct channel *control;
	uint32_t version; /* 0 until the handshake */
	struct agent_requests *requests;
	struct agent_call_context context;
	GPtrArray *calls; /* of struct agent_call, owned */
	bool meminfo_notified;
};

static void
quit(struct agent *agent, int exit_code)
{
	agent->exit_code = exit_code;
	g_main_loop_quit(agent->loop);
}

/* --- to the trusted side -------------------------------------------------------------------- */

static void
after_sending(struct agent *agent)
{
	if (channel_is_full(agent->control))
		agent_requests_pause(agent->requests, true);
}

static void
send_terminated(struct agent *agent, struct qrexec_place place)
{
	struct qrexec_wire_exec body = {place.domain, place.port};

	channel_send(agent->control, QREXEC_CONNECTION_TERMINATED, &body, sizeof(body), NULL, 0);
	after_sending(agent);
}

static void
send_trigger4(struct agent *agent, const struct qrexec_request *request,
    const struct qrexec_ident *ident, const void *descriptor, size_t len)
{
	struct qrexec_wire_trigger4 head;

	qrexec_request_copy(request->untrusted_source, head.source, sizeof(head.source));
	qrexec_request_copy(request->untrusted_target, head.target, sizeof(head.target));
	memcpy(head.ident, ident->bytes, sizeof(head.ident));
	channel_send(agent->control, QREXEC_TRIGGER_SERVICE4, &head, sizeof(head), descriptor, len);
}

static void
send_trigger3(struct agent *agent, const struct qrexec_request *request,
    const struct qrexec_ident *ident, const void *descriptor, size_t len)
{
	struct qrexec_wire_trigger3 head;

	qrexec_request_copy(request->untrusted_target, head.target, sizeof(head.target));
	memcpy(head.ident, ident->bytes, sizeof(head.ident));
	channel_send(agent->control, QREXEC_TRIGGER_SERVICE3, &head, sizeof(head), descriptor, len);
}

/* Version 2 has room for short names only; a cut one would be another one. */
static int
send_trigger2(
    struct agent *agent, const struct qrexec_request *request, const struct qrexec_ident *ident)
{
	struct qrexec_wire_trigger2 body;

	if (request->descriptor_len >= sizeof(body.service) ||
	    request->target_len >= sizeof(body.target))
		return -ENAMETOOLONG;
	qrexec_request_copy(request->untrusted_descriptor, body.service, sizeof(body.service));
	qrexec_request_copy(request->untrusted_target, body.target, sizeof(body.target));
	memcpy(body.ident, ident->bytes, sizeof(body.ident));
	channel_send(agent->control, QREXEC_TRIGGER_SERVICE, &body, sizeof(body), NULL, 0);
	return 0;
}

/* In the newest form that the daemon knows; what that form cannot say is refused here. */
static int
on_request(const struct qrexec_request *request, const struct qrexec_ident *ident, void *data)
{
	struct agent *agent = data;
	size_t len = request->untrusted_descriptor.len;
	g_autofree char *descriptor = g_malloc(len);
	int r = 0;

	if (agent->version < 4 && request->has_source)
		return -EPROTONOSUPPORT;
	qrexec_request_copy(request->untrusted_descriptor, descriptor, len);
	if (agent->version >= 4)
		send_trigger4(agent, request, ident, descriptor, len);
	else if (agent->version == 3)
		send_trigger3(agent, request, ident, descriptor, len);
	else
		r = send_trigger2(agent, request, ident);
	after_sending(agent);
	return r;
}

static void
on_request_ended(const struct qrexec_place *place, void *data)
{
	send_terminated(data, *place);
}

static const struct agent_requests_events requests_events = {
    .request = on_request,
    .ended = on_request_ended,
};

/* --- from the trusted side ------------------------------------------------------------------ */

static void
on_call_done(struct agent_call *call, void *data)
{
	struct agent *agent = data;
	struct qrexec_place place = agent_call_place(call);

	g_ptr_array_remove_fast(agent->calls, call);
	send_terminated(agent, place);
}

static int
on_exec(struct agent *agent, const struct qrexec_message *message)
{
	struct qrexec_exec exec;
	int r;

	r = qrexec_decode_exec(message->untrusted_body, &exec);
	if (r < 0)
		return r;
	if (agent->calls->len >= QREXEC_TABLE_MAX) {
		struct qrexec_place place = {exec.domain, exec.port};

		log_warn("too many calls: one refused");
		send_terminated(agent, place);
		return 0;
	}
	g_ptr_array_add(agent->calls,
	    agent_call_new(&agent->context, message->type, &exec, on_call_done, agent));
	return 0;
}

static int
on_service_connect(struct agent *agent, const struct qrexec_message *message)
{
	struct qrexec_connect connect;
	struct qrexec_place place;
	int r;

	r = qrexec_decode_service_connect(message->untrusted_body, &connect);
	if (r < 0)
		return r;
	place.domain = connect.domain;
	place.port = connect.port;
	if (agent_requests_connect(agent->requests, &connect.ident, &place) < 0) {
		g_autofree char *ident =
		    text_quote(connect.ident.bytes, sizeof(connect.ident.bytes));

		log_info("an answer for %s, who has gone", ident);
		send_terminated(agent, place);
	}
	return 0;
}

static int
on_service_refused(struct agent *agent, const struct qrexec_message *message)
{
	struct qrexec_ident ident;
	int r;

	r = qrexec_decode_service_refused(message->untrusted_body, &ident);
	if (r < 0)
		return r;
	if (agent_requests_refuse(agent->requests, &ident) < 0) {
		g_autofree char *shown = text_quote(ident.bytes, sizeof(ident.bytes));

		log_info("a refusal for %s, who has gone", shown);
	}
	return 0;
}

/* The memory reporter waits for the first call before it starts to disturb. */
static void
notify_meminfo_writer(struct agent *agent)
{
	g_autofree char *text = NULL;
	guint64 pid;

	if (agent->meminfo_notified)
		return;
	agent->meminfo_notified = true;
	if (!g_file_get_contents(MEMINFO_PID_FILE, &text, NULL, NULL))
		return;
	g_strchomp(text);
	if (g_ascii_string_to_unsigned(text, 10, 2, 65535, &pid, NULL))
		kill((pid_t)pid, SIGUSR1);
}

static int
on_daemon_message(struct agent *agent, const struct qrexec_message *message)
{
	switch (message->type) {
	case QREXEC_EXEC_CMDLINE:
	case QREXEC_JUST_EXEC:
		notify_meminfo_writer(agent);
		return on_exec(agent, message);
	case QREXEC_SERVICE_CONNECT:
		notify_meminfo_writer(agent);
		return on_service_connect(agent, message);
	case QREXEC_SERVICE_REFUSED:
		return on_service_refused(agent, message);
	default:
		return -EPROTO;
	}
}

/* --- start ---------------------------------------------------------------------------------- */

/* Tells the service manager that we are ready, if there is one that wants to know. */
static void
notify_ready(void)
{
	const char *path = g_getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = path != NULL ? strlen(path) : 0;
	int fd;

	if (len == 0 || len >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, len);
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		log_warn("service manager: %s", strerror(errno));
	close(fd);
	g_unsetenv("NOTIFY_SOCKET");
}

static int
on_hello(struct agent *agent, struct channel *channel, const struct qrexec_message *message)
{
	int r;

	r = qrexec_decode_hello(
	    message->untrusted_body, QREXEC_VERSION, QREXEC_VERSION_OLDEST, &agent->version);
	if (r < 0)
		return r;
	channel_set_rules(channel, qrexec_rules_daemon_to_agent());
	r = agent_requests_new(agent->socket_path, &requests_events, agent, &agent->requests);
	if (r < 0) {
		log_error("%s: %s", agent->socket_path, strerror(-r));
		return r;
	}
	log_info("connected, protocol version %u", agent->version);
	notify_ready();
	return 0;
}

static int
on_message(struct channel *channel, const struct qrexec_message *message, void *data)
{
	struct agent *agent = data;

	if (agent->version == 0)
		return on_hello(agent, channel, message);
	return on_daemon_message(agent, message);
}

static void
on_control_end(struct channel *channel, int error, void *data)
{
	(void)channel;
	log_error("control vchan: %s", channel_strerror(error));
	quit(data, 1);
}

static void
on_control_drained(struct channel *channel, void *data)
{
	struct agent *agent = data;

	(void)channel;
	if (agent->requests != NULL)
		agent_requests_pause(agent->requests, false);
}

static const struct channel_events control_events = {
    .message = on_message,
    .end = on_control_end,
    .drained = on_control_drained,
};

static int
start(struct agent *agent)
{
	struct vchan *vchan;
	int r;

	r = vchan_listen(NULL, 0, QREXEC_CONTROL_PORT, 0, &vchan);
	if (r < 0)
		return r;
	agent->control = channel_new_on_vchan(vchan, qrexec_rules_hello(), &control_events, agent);
	channel_send_hello(agent->control, QREXEC_VERSION);
	return 0;
}

static void
on_terminate(int number, void *data)
{
	(void)number;
	quit(data, 0);
}

static const char usage_text[] =
    "usage: qrexec-agent [-a SOCKET] [-s FORK-SERVER-SOCKET] [-S] [-h]\n"
    "  -a, --agent-socket=PATH        where programs of this qube ask for services\n"
    "  -s, --fork-server-socket=PATH  of a user's session, %s is the user's name\n"
    "  -S, --no-fork-server           run everything here\n";

static const struct option long_options[] = {
    {"agent-socket", required_argument, NULL, 'a'},
    {"fork-server-socket", required_argument, NULL, 's'},
    {"no-fork-server", no_argument, NULL, 'S'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void
parse_arguments(struct agent *agent, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "a:s:Sh", long_options, NULL)) != -1) {
		switch (option) {
		case 'a':
			agent->socket_path = optarg;
			break;
		case 's':
			agent->context.fork_server = optarg;
			break;
		case 'S':
			agent->context.fork_server = NULL;
			break;
		case 'h':
			fputs(usage_text, stdout);
			exit(0);
		default:
			fputs(usage_text, stderr);
			exit(EXIT_USAGE);
		}
	}
	if (optind < argc) {
		fputs(usage_text, stderr);
		exit(EXIT_USAGE);
	}
}

static void
free_call(gpointer call)
{
	agent_call_free(call);
}

int
main(int argc, char **argv)
{
	g_autofree char *default_socket = path_in_runtime_dir("qrexec-agent");
	g_autofree char *default_fork_server = path_in_runtime_dir("qrexec-server.%s.sock");
	struct agent agent = {
	    .socket_path = default_socket,
	    .context = {.fork_server = default_fork_server},
	};
	struct signals *signals;
	int r;

	signals_prepare();
	log_init("qrexec-agent");
	parse_arguments(&agent, argc, argv);
	agent.loop = g_main_loop_new(NULL, FALSE);
	agent.calls = g_ptr_array_new_with_free_func(free_call);
	agent.context.wait = session_wait_new();
	signals = signals_new(SIGTERM, SIGINT, 0, on_terminate, &agent);
	r = start(&agent);
	if (r < 0) {
		log_error("control vchan: %s", strerror(-r));
		return 1;
	}
	g_main_loop_run(agent.loop);

	g_ptr_array_unref(agent.calls);
	agent_requests_free(agent.requests);
	session_wait_free(agent.context.wait);
	channel_free(agent.control);
	signals_free(signals);
	g_main_loop_unref(agent.loop);
	return agent.exit_code;
}
