#include "qrexec/policy/server.h"

#include "shared/log.h"
#include "shared/unix_socket.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024
#define ACCEPT_BATCH 32
#define DECIDE_BATCH 32
#define ACCEPT_PAUSE_MS 100
#define PRIORITY_DECIDE (G_PRIORITY_DEFAULT + 20)

struct listener {
	struct server *server; /* borrowed */
	enum server_socket kind;
	int fd;     /* -1: not listening */
	char *path; /* owned */
	guint source;
};

struct server {
	struct decider *decider; /* borrowed */
	decider_info info;
	void *info_data; /* borrowed */
	struct listener listeners[SERVER_SOCKETS];
	GQueue connections; /* owned struct connection */
	GQueue complete;    /* borrowed struct connection: to be decided */
	guint decide_source;
};

struct connection {
	struct server *server; /* borrowed */
	enum server_socket kind;
	int fd;
	GByteArray *request; /* owned */
	guint source, timer;
	struct decision *decision; /* owned; NULL unless the user is being asked */
};

/* What distinguishes the sockets. */
static const struct socket_kind {
	const char *service; /* NULL: the policy socket */
	size_t request_max;  /* bytes */
	const char *end;     /* behind the reply */
} socket_kinds[] = {
    [SERVER_POLICY] = {NULL, CALL_MAX, ""},
    [SERVER_EVAL_SIMPLE] = {"policy.EvalSimple", CALL_EVAL_MAX, "\n"},
    [SERVER_EVAL_GUI] = {"policy.EvalGUI", CALL_EVAL_MAX, "\n"},
};

/* --- connections ---------------------------------------------------------------------------- */

static void
clear_source(guint *source)
{
	if (*source != 0)
		g_source_remove(*source);
	*source = 0;
}

static void
connection_free(struct connection *connection)
{
	g_queue_remove(&connection->server->connections, connection);
	g_queue_remove(&connection->server->complete, connection);
	clear_source(&connection->source);
	clear_source(&connection->timer);
	decision_free(connection->decision);
	close(connection->fd);
	g_byte_array_unref(connection->request);
	g_free(connection);
}

/* The reply fits into a socket's buffer; who does not take it at once does not get it. */
static void
on_decided(const char *reply, void *data)
{
	struct connection *connection = data;
	g_autofree char *text = g_strconcat(reply, socket_kinds[connection->kind].end, NULL);
	size_t len = strlen(text);

	if (send(connection->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
		log_warn("could not reply to a client: %s", g_strerror(errno));
	connection_free(connection);
}

static gboolean
on_client_gone(gint fd, GIOCondition condition, gpointer data)
{
	struct connection *connection = data;

	(void)fd;
	(void)condition;
	connection->source = 0;
	connection_free(connection);
	return G_SOURCE_REMOVE;
}

/* EvalGUI: both qubes must exist and have the caller as their GUI domain. */
static bool
may_evaluate(const struct server *server, const struct call *call)
{
	const struct system_info *info = server->info(server->info_data);
	g_autofree char *tag = g_strconcat("guivm-", call->eval_caller, NULL);
	const struct qube_info *source, *target;

	if (info == NULL)
		return false;
	source = system_info_find(info, call->source);
	target = system_info_find(info, call->target);
	return source != NULL && target != NULL && qube_info_has_tag(source, tag) &&
	       qube_info_has_tag(target, tag);
}

static int
decode(const struct connection *connection, struct call *ret)
{
	struct untrusted_bytes untrusted_request =
	    untrusted_bytes_of(connection->request->data, connection->request->len);
	const struct socket_kind *kind = &socket_kinds[connection->kind];
	struct call call;
	int r;

	r = kind->service == NULL ? call_decode(untrusted_request, &call)
				  : call_decode_eval(untrusted_request, kind->service, &call);
	if (r < 0)
		return r;
	if (connection->kind == SERVER_EVAL_GUI && !may_evaluate(connection->server, &call)) {
		call_clear(&call);
		return -EPERM;
	}
	*ret = call;
	return 0;
}

static void
decide(struct connection *connection)
{
	struct call call;
	struct decision *decision;
	int r = decode(connection, &call);

	if (r < 0) {
		log_warn("a request that %s: no answer",
		    r == -EPERM ? "its caller may not make" : "is not well formed");
		connection_free(connection);
		return;
	}
	/* Now it can only wait for the user, and only hang up: half-closing is no hanging up. */
	connection->source =
	    g_unix_fd_add(connection->fd, G_IO_HUP | G_IO_ERR, on_client_gone, connection);
	decision = decider_decide(connection->server->decider, &call, on_decided, connection);
	if (decision != NULL) /* else the connection has had its answer and is gone */
		connection->decision = decision;
}

static gboolean
on_decide_turn(gpointer data)
{
	struct server *server = data;

	for (int i = 0; i < DECIDE_BATCH && !g_queue_is_empty(&server->complete); i++)
		decide(g_queue_pop_head(&server->complete));
	if (!g_queue_is_empty(&server->complete))
		return G_SOURCE_CONTINUE;
	server->decide_source = 0;
	return G_SOURCE_REMOVE;
}

static void
queue_for_decision(struct connection *connection)
{
	struct server *server = connection->server;

	connection->source = 0; /* removed by the caller */
	clear_source(&connection->timer);
	g_queue_push_tail(&server->complete, connection);
	if (server->decide_source == 0)
		server->decide_source =
		    g_idle_add_full(PRIORITY_DECIDE, on_decide_turn, server, NULL);
}

static gboolean
on_request_bytes(gint fd, GIOCondition condition, gpointer data)
{
	struct connection *connection = data;
	const struct socket_kind *kind = &socket_kinds[connection->kind];
	guint8 chunk[8192];
	ssize_t n = read(fd, chunk, sizeof(chunk));
	bool ended = n == 0;

	(void)condition;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (n < 0 || connection->request->len + (size_t)n > kind->request_max) {
		log_warn("a request that is %s: no answer", n < 0 ? "cut off" : "too long");
		connection->source = 0;
		connection_free(connection);
		return G_SOURCE_REMOVE;
	}
	g_byte_array_append(connection->request, chunk, (guint)n);
	if (connection->kind == SERVER_POLICY &&
	    call_is_complete(
		untrusted_bytes_of(connection->request->data, connection->request->len)))
		ended = true;
	if (!ended)
		return G_SOURCE_CONTINUE;
	queue_for_decision(connection);
	return G_SOURCE_REMOVE;
}

static gboolean
on_request_late(gpointer data)
{
	struct connection *connection = data;

	log_warn("a request that does not come to its end: no answer");
	connection->timer = 0;
	connection_free(connection);
	return G_SOURCE_REMOVE;
}

/* Takes over fd. */
static void
connection_new(struct server *server, enum server_socket kind, int fd)
{
	struct connection *connection;

	if (g_queue_get_length(&server->connections) >= SERVER_CONNECTIONS_MAX) {
		log_warn("too many requests at once: no answer");
		close(fd);
		return;
	}
	connection = g_new0(struct connection, 1);
	connection->server = server;
	connection->kind = kind;
	connection->fd = fd;
	connection->request = g_byte_array_new();
	connection->source = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, on_request_bytes, connection);
	connection->timer = g_timeout_add(SERVER_REQUEST_MS, on_request_late, connection);
	g_queue_push_tail(&server->connections, connection);
}

/* --- listening ------------------------------------------------------------------------------ */

static gboolean on_incoming(gint fd, GIOCondition condition, gpointer data);

static gboolean
on_accept_pause_over(gpointer data)
{
	struct listener *listener = data;

	listener->source = g_unix_fd_add(listener->fd, G_IO_IN, on_incoming, listener);
	return G_SOURCE_REMOVE;
}

static gboolean
on_incoming(gint fd, GIOCondition condition, gpointer data)
{
	struct listener *listener = data;

	(void)condition;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client >= 0) {
			connection_new(listener->server, listener->kind, client);
			continue;
		}
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			break;
		log_error("accept: %s", g_strerror(errno)); /* no descriptors: wait for some */
		listener->source = g_timeout_add(ACCEPT_PAUSE_MS, on_accept_pause_over, listener);
		return G_SOURCE_REMOVE;
	}
	return G_SOURCE_CONTINUE;
}

int
server_listen(struct server *server, enum server_socket kind, const char *path)
{
	struct listener *listener = &server->listeners[kind];
	/* Only the group may use it besides us: whoever asks learns what policy allows. */
	int fd = unix_socket_listen(path, SOCK_STREAM, BACKLOG, 0660);

	if (fd < 0)
		return fd;
	listener->fd = fd;
	listener->path = g_strdup(path);
	listener->source = g_unix_fd_add(fd, G_IO_IN, on_incoming, listener);
	return 0;
}

/* --- the server ----------------------------------------------------------------------------- */

struct server *
server_new(struct decider *decider, decider_info info, void *data)
{
	struct server *server = g_new0(struct server, 1);

	server->decider = decider;
	server->info = info;
	server->info_data = data;
	g_queue_init(&server->connections);
	g_queue_init(&server->complete);
	for (enum server_socket kind = 0; kind < SERVER_SOCKETS; kind++)
		server->listeners[kind] =
		    (struct listener){.server = server, .kind = kind, .fd = -1};
	return server;
}

static void
listener_clear(struct listener *listener)
{
	if (listener->fd < 0)
		return;
	clear_source(&listener->source);
	unlink(listener->path);
	close(listener->fd);
	g_free(listener->path);
}

void
server_free(struct server *server)
{
	if (server == NULL)
		return;
	for (enum server_socket kind = 0; kind < SERVER_SOCKETS; kind++)
		listener_clear(&server->listeners[kind]);
	while (!g_queue_is_empty(&server->connections))
		connection_free(g_queue_peek_head(&server->connections));
	clear_source(&server->decide_source);
	g_free(server);
}
