/*
 * qrexec-client - starts a command or service in a qube from the trusted side, connects it to this
 * program's streams, or answers a request on behalf of a policy program.
 */
#include "qrexec/client_end.h"
#include "qrexec/client_local.h"
#include "qrexec/daemon_link.h"
#include "qrexec/execution.h"
#include "qrexec/relay.h"
#include "qrexec/signals.h"
#include "shared/admin_client.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 1
#define EXIT_OPTION 2
#define EXIT_CONNECT_FAILED 137 /* of -c between two qubes */
#define DEFAULT_WAIT_SECONDS 10
#define KILL_TIMEOUT_MS 60000

#define TRUSTED_UUID "uuid:00000000-0000-0000-0000-000000000000"

/* The request that -c answers. */
struct answer {
	struct qrexec_wire_service service;
	char *source; /* owned: the qube that asked */
	uint32_t source_id;
};

struct client {
	/* From the command line; borrowed. */
	const char *target, *command, *local_command, *prefix;
	char *socket_dir; /* owned */
	bool just_exec, ignore_exit_code, filter_stdout, filter_stderr, wait_for_end, kill;
	bool use_stdin_socket, answers;
	struct answer answer;
	unsigned timeout_ms;

	GMainLoop *loop;
	struct daemon_link *target_link, *source_link;
	bool answer_sent;
	struct client_end *end;
	struct execution *execution;
	struct client_local *local;
	int exit_code;
};

static const char usage_text[] =
    "usage: qrexec-client [options] -d QUBE [-l PROGRAM | -c IDENT,NAME,ID | -e] COMMAND\n"
    "  -d QUBE             name, number or uuid:...; dom0 for the trusted side itself\n"
    "  -l COMMAND          connect a local command instead of stdin and stdout\n"
    "  -e                  start only\n"
    "  -E, --no-exit-code  end with 0 whatever the service returned\n"
    "  -t, -T              replace what a terminal could misread in stdout, stderr\n"
    "  -c IDENT,NAME,ID    answer the request IDENT of qube NAME with number ID\n"
    "  -W                  with -c: wait for the end of the call\n"
    "  -w SECONDS          wait that long for the connection (default 10, 0: for ever)\n"
    "  -k                  kill the qube at the end\n"
    "  -p, --prefix-data=DATA, --socket-dir=DIR, --use-stdin-socket, -h, --help\n"
    "COMMAND is USER:QUBESRPC SERVICE+ARGUMENT SOURCE, or USER:shell command\n";

static void
quit(struct client *client, int exit_code)
{
	client->exit_code = exit_code;
	g_main_loop_quit(client->loop);
}

static bool
is_trusted_side(const char *name)
{
	return strcmp(name, "dom0") == 0 || strcmp(name, "@adminvm") == 0 ||
	       strcmp(name, TRUSTED_UUID) == 0;
}

/* --- a call into a qube --------------------------------------------------------------------- */

static void
on_call_done(int exit_code, int error, void *data)
{
	struct client *client = data;

	if (error < 0) {
		log_error("call to %s: %s", client->target, relay_strerror(error));
		exit_code = QREXEC_EXIT_PROBLEM;
	} else if (client->ignore_exit_code) {
		exit_code = 0;
	}
	quit(client, exit_code);
}

static void
on_call_placed(struct daemon_link *link, const struct qrexec_place *place, void *data)
{
	struct client *client = data;
	struct client_end_spec spec = {
	    .timeout_ms = client->timeout_ms,
	    .filter_stdout = client->filter_stdout,
	    .filter_stderr = client->filter_stderr,
	    .use_stdin_socket = client->use_stdin_socket,
	    .no_streams = client->just_exec,
	    .prefix = client->prefix,
	    .program = client->local != NULL ? client_local_spec(client->local) : NULL,
	};
	struct vchan *vchan;
	int r;

	(void)link;
	r = vchan_listen(NULL, place->domain, place->port, RELAY_RING_BYTES, &vchan);
	if (r < 0) {
		log_error("data vchan %u:%u: %s", place->domain, place->port, strerror(-r));
		quit(client, QREXEC_EXIT_PROBLEM);
		return;
	}
	client->end = client_end_new(vchan, &spec, on_call_done, client);
}

/* Once the call has its place, the daemon may close: that says only that the qube is done. */
static void
on_call_link_ended(struct daemon_link *link, int error, void *data)
{
	struct client *client = data;

	daemon_link_free(link);
	client->target_link = NULL;
	if (client->end != NULL)
		return;
	log_error("qrexec-daemon of %s: %s", client->target,
	    error < 0 ? strerror(-error) : "it did not take the call");
	quit(client, QREXEC_EXIT_PROBLEM);
}

static const struct daemon_link_events call_events = {
    .placed = on_call_placed,
    .ended = on_call_link_ended,
};

static int
link_to(struct client *client, const char *name, const struct daemon_link_events *events,
    struct daemon_link **ret)
{
	int r = daemon_link_new(client->socket_dir, name, events, client, ret);

	if (r < 0) {
		log_error("qrexec-daemon of %s: %s", name, strerror(-r));
		quit(client, QREXEC_EXIT_PROBLEM);
	}
	return r;
}

static void
start_call(struct client *client)
{
	if (link_to(client, client->target, &call_events, &client->target_link) < 0)
		return;
	daemon_link_send(client->target_link,
	    client->just_exec ? QREXEC_JUST_EXEC : QREXEC_EXEC_CMDLINE, 0, 0, client->command,
	    strlen(client->command) + 1);
}

/* --- an answer that connects two qubes ------------------------------------------------------ */

/* An answer has no answer: this daemon closes only to refuse. The target's tells of the end. */
static void
on_source_link_ended(struct daemon_link *link, int error, void *data)
{
	struct client *client = data;

	(void)error;
	daemon_link_free(link);
	client->source_link = NULL;
	quit(client, EXIT_CONNECT_FAILED);
}

static void
on_answer_sent(struct daemon_link *link, void *data)
{
	struct client *client = data;

	(void)link;
	client->answer_sent = true;
	if (!client->wait_for_end)
		quit(client, 0);
}

static const struct daemon_link_events source_events = {
    .sent = on_answer_sent,
    .ended = on_source_link_ended,
};

static void
on_target_placed(struct daemon_link *link, const struct qrexec_place *place, void *data)
{
	struct client *client = data;

	(void)link;
	if (link_to(client, client->answer.source, &source_events, &client->source_link) < 0) {
		client->exit_code = EXIT_CONNECT_FAILED;
		return;
	}
	daemon_link_send(client->source_link, QREXEC_SERVICE_CONNECT, place->domain, place->port,
	    &client->answer.service, sizeof(client->answer.service));
}

static void
on_target_link_ended(struct daemon_link *link, int error, void *data)
{
	struct client *client = data;

	(void)error;
	daemon_link_free(link);
	client->target_link = NULL;
	quit(client, client->answer_sent ? 0 : EXIT_CONNECT_FAILED);
}

static const struct daemon_link_events target_events = {
    .placed = on_target_placed,
    .ended = on_target_link_ended,
};

static void
connect_qubes(struct client *client)
{
	if (link_to(client, client->target, &target_events, &client->target_link) < 0) {
		client->exit_code = EXIT_CONNECT_FAILED;
		return;
	}
	daemon_link_send(client->target_link,
	    client->just_exec ? QREXEC_JUST_EXEC : QREXEC_EXEC_CMDLINE, client->answer.source_id, 0,
	    client->command, strlen(client->command) + 1);
}

/* --- an answer by a service of the trusted side --------------------------------------------- */

static void
on_execution_done(struct execution *execution, int exit_code, int error, void *data)
{
	struct client *client = data;

	(void)execution;
	on_call_done(exit_code, error, client);
}

static void
on_service_placed(struct daemon_link *link, const struct qrexec_place *place, void *data)
{
	struct client *client = data;
	struct execution_spec spec = {
	    .place = EXECUTION_TRUSTED,
	    .domain = place->domain,
	    .port = place->port,
	    .timeout_ms = client->timeout_ms,
	};
	struct call call;
	int r;

	(void)link;
	call_init(&call, client->command, false);
	r = execution_new(&call, &spec, on_execution_done, client, &client->execution);
	call_clear(&call);
	if (r < 0) {
		log_error("data vchan %u:%u: %s", place->domain, place->port, strerror(-r));
		quit(client, QREXEC_EXIT_PROBLEM);
	}
}

static void
on_service_link_ended(struct daemon_link *link, int error, void *data)
{
	struct client *client = data;

	(void)error;
	daemon_link_free(link);
	client->source_link = NULL;
	if (client->execution == NULL)
		quit(client, QREXEC_EXIT_PROBLEM);
}

static const struct daemon_link_events service_events = {
    .placed = on_service_placed,
    .ended = on_service_link_ended,
};

static void
answer_with_service(struct client *client)
{
	if (link_to(client, client->answer.source, &service_events, &client->source_link) < 0)
		return;
	daemon_link_send(client->source_link, QREXEC_SERVICE_CONNECT, 0, 0, &client->answer.service,
	    sizeof(client->answer.service));
}

/* --- the command line ----------------------------------------------------------------------- */

static void G_GNUC_NORETURN
usage_error(int exit_code, const char *message)
{
	fprintf(stderr, "qrexec-client: %s\n", message);
	exit(exit_code);
}

static unsigned
parse_seconds(const char *text)
{
	guint64 seconds;

	if (!g_ascii_string_to_unsigned(text, 10, 0, 1000000, &seconds, NULL))
		usage_error(EXIT_USAGE, "-w takes a number of seconds");
	return (unsigned)seconds * 1000;
}

static void
parse_answer(struct answer *answer, const char *text)
{
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);
	guint64 id;

	if (g_strv_length(parts) != 3 || strlen(parts[0]) >= QREXEC_IDENT_BYTES ||
	    !g_ascii_string_to_unsigned(parts[2], 10, 1, G_MAXINT32, &id, NULL) ||
	    is_trusted_side(parts[1]))
		usage_error(EXIT_USAGE, "-c takes IDENT,NAME,ID of a qube");
	memset(&answer->service, 0, sizeof(answer->service));
	memcpy(answer->service.ident, parts[0], strlen(parts[0]));
	answer->source = g_strdup(parts[1]);
	answer->source_id = (uint32_t)id;
}

enum long_option { OPT_SOCKET_DIR = 256, OPT_STDIN_SOCKET };

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"no-exit-code", no_argument, NULL, 'E'},
    {"prefix-data", required_argument, NULL, 'p'},
    {"socket-dir", required_argument, NULL, OPT_SOCKET_DIR},
    {"use-stdin-socket", no_argument, NULL, OPT_STDIN_SOCKET},
    {NULL, 0, NULL, 0},
};

static void
parse_option(struct client *client, int option)
{
	switch (option) {
	case 'd':
		client->target = optarg;
		break;
	case 'l':
		client->local_command = optarg;
		break;
	case 'e':
		client->just_exec = true;
		break;
	case 'E':
		client->ignore_exit_code = true;
		break;
	case 't':
		client->filter_stdout = true;
		break;
	case 'T':
		client->filter_stderr = true;
		break;
	case 'c':
		if (client->answers)
			usage_error(EXIT_OPTION, "-c can be given only once");
		client->answers = true;
		parse_answer(&client->answer, optarg);
		break;
	case 'W':
		client->wait_for_end = true;
		break;
	case 'w':
		client->timeout_ms = parse_seconds(optarg);
		break;
	case 'k':
		client->kill = true;
		break;
	case 'p':
		if (client->prefix != NULL)
			usage_error(EXIT_OPTION, "--prefix-data can be given only once");
		client->prefix = optarg;
		break;
	case OPT_SOCKET_DIR:
		g_free(client->socket_dir);
		client->socket_dir = g_strdup(optarg);
		break;
	case OPT_STDIN_SOCKET:
		client->use_stdin_socket = true;
		break;
	case 'h':
		fputs(usage_text, stdout);
		exit(0);
	default:
		fputs(usage_text, stderr);
		exit(EXIT_USAGE);
	}
}

static void
parse_arguments(struct client *client, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "hd:l:eEtTc:Ww:kp:", long_options, NULL)) != -1)
		parse_option(client, option);
	if (argc - optind != 1 || client->target == NULL)
		parse_option(client, '?');
	client->command = argv[optind];
	if (client->just_exec + client->answers + (client->local_command != NULL) > 1)
		usage_error(EXIT_USAGE, "only one of -l, -c and -e");
	if (client->use_stdin_socket && client->local_command != NULL)
		usage_error(EXIT_OPTION, "--use-stdin-socket and -l");
	if (client->use_stdin_socket && !client_end_is_stream_socket(STDIN_FILENO))
		usage_error(EXIT_OPTION, "stdin is not a stream socket");
	if (strlen(client->command) + 1 + sizeof(struct qrexec_wire_exec) > QREXEC_COMMAND_BODY_MAX)
		usage_error(QREXEC_EXIT_PROBLEM, "command too long");
}

static void
kill_target(const struct client *client)
{
	g_autofree char *qubesd = path_qubesd_socket("qubesd.sock");
	struct admin_reply reply = {0};
	int r;

	r = admin_call(
	    qubesd, "admin.vm.Kill", NULL, client->target, NULL, 0, KILL_TIMEOUT_MS, &reply);
	if (r < 0)
		log_warn("cannot kill %s: %s", client->target, strerror(-r));
	else if (!reply.ok)
		log_warn("cannot kill %s: %s", client->target, reply.error_message);
	admin_reply_clear(&reply);
}

static void
start(struct client *client)
{
	bool trusted = is_trusted_side(client->target);

	if (client->answers && trusted)
		answer_with_service(client);
	else if (client->answers)
		connect_qubes(client);
	else
		start_call(client);
}

static gboolean
on_start(gpointer data)
{
	start(data);
	return G_SOURCE_REMOVE;
}

int
main(int argc, char **argv)
{
	struct client client = {
	    .socket_dir = path_in_runtime_dir(""),
	    .timeout_ms = DEFAULT_WAIT_SECONDS * 1000,
	};

	signals_prepare();
	log_init("qrexec-client");
	parse_arguments(&client, argc, argv);
	if (is_trusted_side(client.target) && !client.answers) {
		if (client.local_command != NULL)
			usage_error(QREXEC_EXIT_PROBLEM, "-l within the trusted side");
		return client_local_replace(client.command, client.prefix);
	}
	if (client.local_command != NULL)
		client.local = client_local_new(client.local_command, client.target);
	if (client.local != NULL && client_local_exit_code(client.local) != 0)
		return client_local_exit_code(client.local);

	client.loop = g_main_loop_new(NULL, FALSE);
	g_idle_add(on_start, &client);
	g_main_loop_run(client.loop);

	client_end_free(client.end);
	execution_free(client.execution);
	daemon_link_free(client.target_link);
	daemon_link_free(client.source_link);
	client_local_free(client.local);
	if (client.kill)
		kill_target(&client);
	g_main_loop_unref(client.loop);
	g_free(client.socket_dir);
	g_free(client.answer.source);
	return client.exit_code;
}
