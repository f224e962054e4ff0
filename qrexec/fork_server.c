/*
 * qrexec-fork-server - runs services inside the session of a logged-in user, for the agent.
 *
 * Started from the session, so what it runs sees its display and bus. A connection carries one
 * request and stays open for as long as the call lasts: its end is how the agent learns of that.
 */
#include "qrexec/acceptor.h"
#include "qrexec/execution.h"
#include "qrexec/relay.h"
#include "qrexec/signals.h"
#include "shared/log.h"
#include "shared/paths.h"
#include "shared/qrexec_decode.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_TIMEOUT_MS 10000
#define DATA_VCHAN_TIMEOUT_MS 120000

struct fork_server {
	GMainLoop *loop;
	struct acceptor *acceptor;
	GPtrArray *connections; /* of struct connection, owned */
};

struct connection {
	struct fork_server *server; /* borrowed */
	int fd;
	guint source, timer;
	uint8_t header[sizeof(struct qrexec_wire_fork)];
	struct qrexec_fork request; /* once the header is complete */
	uint8_t *command;           /* owned; NULL until then */
	size_t have;                /* bytes of what is being read: header, then command */
	struct execution *execution;
};

static void
connection_free(gpointer data)
{
	struct connection *connection = data;

	if (connection->source != 0)
		g_source_remove(connection->source);
	if (connection->timer != 0)
		g_source_remove(connection->timer);
	execution_free(connection->execution);
	close(connection->fd);
	g_free(connection->command);
	g_free(connection);
}

static void
connection_drop(struct connection *connection)
{
	struct fork_server *server = connection->server;

	g_ptr_array_remove_fast(server->connections, connection);
	acceptor_pause(server->acceptor, false);
}

static void
on_execution_done(struct execution *execution, int exit_code, int error, void *data)
{
	(void)execution;
	(void)exit_code;
	if (error < 0)
		log_warn("a call ended: %s", relay_strerror(error));
	connection_drop(data);
}

static int
start(struct connection *connection)
{
	struct execution_spec spec = {
	    .place = EXECUTION_SESSION,
	    .just_start = connection->request.type == QREXEC_JUST_EXEC,
	    .domain = connection->request.domain,
	    .port = connection->request.port,
	    .timeout_ms = DATA_VCHAN_TIMEOUT_MS,
	};
	const char *text;
	struct call call;
	int r;

	r = qrexec_decode_fork_command(
	    untrusted_bytes_of(connection->command, connection->request.command_len), &text);
	if (r < 0)
		return r;
	call_init(&call, text, false);
	r = execution_new(&call, &spec, on_execution_done, connection, &connection->execution);
	call_clear(&call);
	return r;
}

/* 1 when the request is complete, 0 when more is needed. */
static int
take_bytes(struct connection *connection)
{
	bool in_header = connection->command == NULL;
	uint8_t *to = in_header ? connection->header : connection->command;
	size_t len = in_header ? sizeof(connection->header) : connection->request.command_len;
	ssize_t n;
	int r;

	n = read(connection->fd, to + connection->have, len - connection->have);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	connection->have += (size_t)n;
	if (connection->have < len)
		return 0;
	if (!in_header)
		return 1;
	r = qrexec_decode_fork(untrusted_bytes_of(connection->header, len), &connection->request);
	if (r < 0)
		return r;
	connection->command = g_malloc(connection->request.command_len);
	connection->have = 0;
	return 0;
}

static gboolean
on_connection_readable(gint fd, GIOCondition condition, gpointer data)
{
	struct connection *connection = data;
	int r = take_bytes(connection);

	(void)fd;
	(void)condition;
	if (r == 0)
		return G_SOURCE_CONTINUE;
	connection->source = 0;
	if (r > 0)
		r = start(connection);
	g_source_remove(connection->timer);
	connection->timer = 0;
	if (r < 0) {
		log_warn("a request: %s", strerror(-r));
		connection_drop(connection);
	}
	return G_SOURCE_REMOVE;
}

static gboolean
on_request_timeout(gpointer data)
{
	struct connection *connection = data;

	connection->timer = 0;
	connection_drop(connection);
	return G_SOURCE_REMOVE;
}

static void
on_connection(int fd, void *data)
{
	struct fork_server *server = data;
	struct connection *connection = g_new0(struct connection, 1);

	connection->server = server;
	connection->fd = fd;
	connection->source = g_unix_fd_add(fd, G_IO_IN, on_connection_readable, connection);
	connection->timer = g_timeout_add(REQUEST_TIMEOUT_MS, on_request_timeout, connection);
	g_ptr_array_add(server->connections, connection);
	if (server->connections->len >= QREXEC_TABLE_MAX)
		acceptor_pause(server->acceptor, true); /* the rest wait until one has gone */
}

static void
on_terminate(int number, void *data)
{
	(void)number;
	g_main_loop_quit(data);
}

static char *
default_socket(void)
{
	const char *user = g_getenv("USER");
	g_autofree char *name =
	    g_strdup_printf("qrexec-server.%s.sock", user != NULL ? user : g_get_user_name());

	return path_in_runtime_dir(name);
}

/* The session that starts us waits until we listen, and then for nothing more. */
static void
go_to_background(void)
{
	pid_t pid = fork();

	if (pid < 0)
		log_warn("staying in the foreground: %s", strerror(errno));
	if (pid > 0)
		_exit(0);
}

static void
serve(struct fork_server *server)
{
	struct signals *signals = signals_new(SIGTERM, 0, 0, on_terminate, server->loop);

	g_main_loop_run(server->loop);
	signals_free(signals);
}

int
main(int argc, char **argv)
{
	bool foreground = argc > 1 && strcmp(argv[1], "--foreground") == 0;
	g_autofree char *path = NULL;
	struct fork_server server = {0};
	int r;

	signals_prepare();
	log_init("qrexec-fork-server");
	argc -= foreground;
	argv += foreground;
	if (argc > 2) {
		fputs("usage: qrexec-fork-server [--foreground] [SOCKET]\n", stderr);
		return 1;
	}
	path = argc == 2 ? g_strdup(argv[1]) : default_socket();
	server.loop = g_main_loop_new(NULL, FALSE);
	server.connections = g_ptr_array_new_with_free_func(connection_free);
	r = acceptor_new(path, 0600, on_connection, &server, &server.acceptor);
	if (r < 0) {
		log_error("%s: %s", path, strerror(-r));
		return 1;
	}
	if (!foreground)
		go_to_background();
	serve(&server);

	g_ptr_array_unref(server.connections);
	acceptor_free(server.acceptor);
	g_main_loop_unref(server.loop);
	return 0;
}
