/*
 * qrexec-client-vm - calls a service from inside a qube.
 *
 * Asks the agent of this qube over its socket; the answer is where to wait for the service end, or
 * the end of the connection, which means no. Everything else is the client end of a call.
 */
#include "qrexec/channel.h"
#include "qrexec/client_end.h"
#include "qrexec/environment.h"
#include "qrexec/local_socket.h"
#include "qrexec/relay.h"
#include "qrexec/signals.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <getopt.h>
#include <glib-unix.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVICE_END_TIMEOUT_MS 120000
#define EXIT_AGENT 1 /* the agent cannot be reached, or the call came to nothing */
#define EXIT_USAGE 2

struct client_vm {
	/* From the command line; borrowed. */
	const char *agent_socket, *source, *service, *prefix;
	char *target; /* owned */
	char *const *program;
	int filter_stdout, filter_stderr; /* -1: as fits */
	bool use_stdin_socket;
	size_t ring_bytes;

	GMainLoop *loop;
	int agent_fd; /* stays open for the call: its end tells the agent that the call is over */
	uint8_t answer[sizeof(struct qrexec_wire_exec)];
	size_t answer_len;
	struct process_spec program_spec;
	struct client_end *end;
	int exit_code;
};

static const char usage_text[] =
    "usage: qrexec-client-vm [options] TARGET SERVICE[+ARGUMENT] [PROGRAM [ARGUMENT...]]\n"
    "  --buffer-size=N                        room for data on its way, at least N bytes\n"
    "  -t, --filter-escape-chars-stdout       replace what a terminal could misread\n"
    "      --no-filter-escape-chars-stdout    do not (default: as stdout is a terminal)\n"
    "  -T, --filter-escape-chars-stderr\n"
    "      --no-filter-escape-chars-stderr\n"
    "  -a, --agent-socket=PATH\n"
    "  -p, --prefix-data=DATA                 sent before anything from stdin\n"
    "      --use-stdin-socket                 descriptor 0 is a socket for both directions\n"
    "  -s, --source-qube=NAME                 on behalf of a remote qube\n"
    "  -h, --help\n";

static void
quit(struct client_vm *client, int exit_code)
{
	client->exit_code = exit_code;
	g_main_loop_quit(client->loop);
}

/* --- the request ---------------------------------------------------------------------------- */

static GByteArray *
encode_request(const struct client_vm *client)
{
	struct qrexec_wire_trigger4 trigger = {.ident = "SOCKET"};
	struct qrexec_wire_header header = {
	    QREXEC_TRIGGER_SERVICE4, (uint32_t)(sizeof(trigger) + strlen(client->service) + 1)};
	GByteArray *request = g_byte_array_new();

	memcpy(trigger.target, client->target, strlen(client->target));
	if (client->source != NULL)
		memcpy(trigger.source, client->source, strlen(client->source));
	g_byte_array_append(request, (const guint8 *)&header, sizeof(header));
	g_byte_array_append(request, (const guint8 *)&trigger, sizeof(trigger));
	g_byte_array_append(
	    request, (const guint8 *)client->service, (guint)strlen(client->service) + 1);
	return request;
}

/*
 * Nothing else is to be done before the agent has the request: this may block. An agent that refuses
 * before it has read all of it is heard by on_agent_answer().
 */
static int
send_request(struct client_vm *client)
{
	g_autoptr(GByteArray) request = encode_request(client);
	size_t sent = 0;

	g_unix_set_fd_nonblocking(client->agent_fd, FALSE, NULL);
	while (sent < request->len) {
		ssize_t n =
		    send(client->agent_fd, request->data + sent, request->len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EPIPE)
			break;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			sent += (size_t)n;
	}
	return 0;
}

/* --- the call ------------------------------------------------------------------------------- */

static void
on_call_done(int exit_code, int error, void *data)
{
	struct client_vm *client = data;

	if (error < 0) {
		log_error("the call failed: %s", relay_strerror(error));
		exit_code = EXIT_AGENT;
	}
	quit(client, exit_code);
}

static void
start_call(struct client_vm *client)
{
	struct client_end_spec spec = {
	    .timeout_ms = SERVICE_END_TIMEOUT_MS,
	    .filter_stdout = client->filter_stdout,
	    .filter_stderr = client->filter_stderr,
	    .use_stdin_socket = client->use_stdin_socket,
	    .prefix = client->prefix,
	    .program = client->program != NULL ? &client->program_spec : NULL,
	};
	struct qrexec_place place;
	struct vchan *vchan;
	int r;

	r = qrexec_decode_place(untrusted_bytes_of(client->answer, sizeof(client->answer)), &place);
	if (r == 0)
		r = vchan_listen(NULL, place.domain, place.port, client->ring_bytes, &vchan);
	if (r < 0) {
		log_error("data vchan %u:%u: %s", place.domain, place.port, strerror(-r));
		quit(client, EXIT_AGENT);
		return;
	}
	client->end = client_end_new(vchan, &spec, on_call_done, client);
}

static gboolean
on_agent_answer(gint fd, GIOCondition condition, gpointer data)
{
	struct client_vm *client = data;
	ssize_t n = read(
	    fd, client->answer + client->answer_len, sizeof(client->answer) - client->answer_len);

	(void)condition;
	if (n < 0 && errno == EINTR)
		return G_SOURCE_CONTINUE;
	if (n < 0 && errno == ECONNRESET)
		n = 0; /* it left some of the request unread: an end like any other */
	if (n > 0) {
		client->answer_len += (size_t)n;
		if (client->answer_len < sizeof(client->answer))
			return G_SOURCE_CONTINUE;
		start_call(client);
		return G_SOURCE_REMOVE;
	}
	if (n == 0 && client->answer_len == 0) {
		fputs("Request refused\n", stderr);
		quit(client, QREXEC_EXIT_REFUSED);
	} else {
		log_error("qrexec-agent: %s", n < 0 ? strerror(errno) : "half an answer");
		quit(client, EXIT_AGENT);
	}
	return G_SOURCE_REMOVE;
}

/* --- the command line ----------------------------------------------------------------------- */

static void
once(const char **option, const char *value, const char *name)
{
	if (*option != NULL) {
		fprintf(stderr, "qrexec-client-vm: %s can be given only once\n", name);
		_exit(EXIT_USAGE);
	}
	*option = value;
}

static size_t
parse_size(const char *text)
{
	guint64 size;

	if (!g_ascii_string_to_unsigned(text, 10, 1, 64 << 20, &size, NULL)) {
		fprintf(stderr, "qrexec-client-vm: invalid buffer size\n");
		_exit(EXIT_AGENT);
	}
	return (size_t)size;
}

enum long_option { OPT_BUFFER_SIZE = 256, OPT_NO_FILTER_OUT, OPT_NO_FILTER_ERR, OPT_STDIN_SOCKET };

static const struct option long_options[] = {
    {"buffer-size", required_argument, NULL, OPT_BUFFER_SIZE},
    {"filter-escape-chars-stdout", no_argument, NULL, 't'},
    {"no-filter-escape-chars-stdout", no_argument, NULL, OPT_NO_FILTER_OUT},
    {"filter-escape-chars-stderr", no_argument, NULL, 'T'},
    {"no-filter-escape-chars-stderr", no_argument, NULL, OPT_NO_FILTER_ERR},
    {"agent-socket", required_argument, NULL, 'a'},
    {"prefix-data", required_argument, NULL, 'p'},
    {"use-stdin-socket", no_argument, NULL, OPT_STDIN_SOCKET},
    {"source-qube", required_argument, NULL, 's'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void
parse_option(struct client_vm *client, int option)
{
	switch (option) {
	case OPT_BUFFER_SIZE:
		client->ring_bytes = parse_size(optarg);
		break;
	case 't':
	case OPT_NO_FILTER_OUT:
		client->filter_stdout = option == 't';
		break;
	case 'T':
	case OPT_NO_FILTER_ERR:
		client->filter_stderr = option == 'T';
		break;
	case 'a':
		client->agent_socket = optarg;
		break;
	case 'p':
		once(&client->prefix, optarg, "--prefix-data");
		break;
	case OPT_STDIN_SOCKET:
		client->use_stdin_socket = true;
		break;
	case 's':
		once(&client->source, optarg, "--source-qube");
		break;
	case 'h':
		fputs(usage_text, stdout);
		exit(0);
	default:
		fputs(usage_text, stderr);
		exit(EXIT_USAGE);
	}
}

/* A name that does not fit is refused: cut, it would be another name. */
static bool
check_arguments(const struct client_vm *client)
{
	if (strlen(client->target) >= QREXEC_TARGET_BYTES ||
	    (client->source != NULL && strlen(client->source) >= QREXEC_TARGET_BYTES))
		fputs("qrexec-client-vm: name too long\n", stderr);
	else if (strlen(client->service) + 1 > QREXEC_DESCRIPTOR_MAX || client->service[0] == '\0')
		fputs("qrexec-client-vm: service name empty or too long\n", stderr);
	else if (client->use_stdin_socket && client->program != NULL)
		fputs("qrexec-client-vm: --use-stdin-socket and a local program\n", stderr);
	else if (client->use_stdin_socket && !client_end_is_stream_socket(STDIN_FILENO))
		fputs("qrexec-client-vm: stdin is not a stream socket\n", stderr);
	else
		return true;
	return false;
}

static void
parse_arguments(struct client_vm *client, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "+tTa:p:s:h", long_options, NULL)) != -1)
		parse_option(client, option);
	if (argc - optind < 2)
		parse_option(client, '?');
	client->target = g_strdelimit(g_strdup(argv[optind]), "$", '@');
	client->service = argv[optind + 1];
	if (argc - optind > 2)
		client->program = argv + optind + 2;
	if (!check_arguments(client))
		exit(EXIT_USAGE);
	if (client->filter_stdout < 0)
		client->filter_stdout = client->program == NULL && isatty(STDOUT_FILENO);
	if (client->filter_stderr < 0)
		client->filter_stderr = isatty(STDERR_FILENO);
}

/* argv[0] of the local program is its base name. */
static void
prepare_program(struct client_vm *client, GPtrArray *argv, char ***environment)
{
	g_autofree char *pid = g_strdup_printf("%d", (int)getpid());

	g_ptr_array_add(argv, g_path_get_basename(client->program[0]));
	for (char *const *p = client->program + 1; *p != NULL; p++)
		g_ptr_array_add(argv, g_strdup(*p));
	g_ptr_array_add(argv, NULL);
	*environment = g_environ_setenv(g_get_environ(), "QREXEC_AGENT_PID", pid, TRUE);
	client->program_spec.path = client->program[0];
	client->program_spec.argv = (char *const *)argv->pdata;
	client->program_spec.environment = *environment;
}

int
main(int argc, char **argv)
{
	g_autofree char *default_socket = path_in_runtime_dir("qrexec-agent");
	g_autoptr(GPtrArray) program_argv = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) environment = NULL;
	struct client_vm client = {
	    .agent_socket = default_socket,
	    .filter_stdout = -1,
	    .filter_stderr = -1,
	    .ring_bytes = RELAY_RING_BYTES,
	};
	int r;

	signals_prepare();
	log_init("qrexec-client-vm");
	parse_arguments(&client, argc, argv);
	if (client.program != NULL)
		prepare_program(&client, program_argv, &environment);
	client.agent_fd = local_socket_connect(client.agent_socket);
	r = client.agent_fd < 0 ? client.agent_fd : send_request(&client);
	if (r < 0) {
		log_error("qrexec-agent at %s: %s", client.agent_socket, strerror(-r));
		return EXIT_AGENT;
	}
	client.loop = g_main_loop_new(NULL, FALSE);
	g_unix_fd_add(client.agent_fd, G_IO_IN, on_agent_answer, &client);
	g_main_loop_run(client.loop);

	client_end_free(client.end);
	close(client.agent_fd);
	g_main_loop_unref(client.loop);
	g_free(client.target);
	return client.exit_code;
}
