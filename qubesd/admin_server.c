#include "qubesd/admin_server.h"

#include "qubesd/admin_decode.h"
#include "shared/log.h"
#include "shared/paths.h"
#include "shared/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_BATCH 32 /* connections a turn, so that readers are not starved */
#define BACKLOG 1024
#define ACCEPT_PAUSE_MS 100 /* while the system has no room */

struct listener {
	struct admin_server *server;
	enum admin_socket socket;
	char *path; /* owned */
	int fd;
	guint source; /* of callers, or of the end of a pause; 0 while there are too many */
};

static const char *const socket_names[] = {
    [ADMIN_SOCKET_MAIN] = "qubesd.sock",
    [ADMIN_SOCKET_INTERNAL] = "qubesd.internal.sock",
    [ADMIN_SOCKET_MISC] = "qubesd.misc.sock",
};
#define SOCKET_COUNT G_N_ELEMENTS(socket_names)

struct admin_server {
	struct admin *admin; /* borrowed */
	struct listener listeners[SOCKET_COUNT];
	GQueue *reading; /* struct connection, oldest first: no whole request yet */
	GQueue *running; /* with a call, or with bytes to be sent */
};

/*
 * Reading until the end of file; then a call runs; when it is over the rest of its answer is sent,
 * and the connection closed.
 */
struct connection {
	struct admin_server *server;
	enum admin_socket socket;
	int fd;
	GByteArray *in;          /* the request so far */
	struct admin_call *call; /* while it runs */
	bool streaming;
	bool last;       /* nothing comes after what is queued */
	GByteArray *out; /* queued, from out_sent on */
	size_t out_sent;
	guint source, write_source, timeout;
};

static bool
is_full(const struct admin_server *server)
{
	return server->reading->length + server->running->length >= ADMIN_SERVER_CONNECTIONS_MAX;
}

static gboolean on_connection(int listen_fd, GIOCondition condition, void *data);

/* Lets callers in again after there were too many. */
static void
open_doors(struct admin_server *server)
{
	for (size_t i = 0; i < SOCKET_COUNT; i++) {
		struct listener *listener = &server->listeners[i];

		if (listener->fd >= 0 && listener->source == 0)
			listener->source =
			    g_unix_fd_add(listener->fd, G_IO_IN, on_connection, listener);
	}
}

/* --- the life of a connection --------------------------------------------------------------- */

static void
connection_free(struct connection *connection)
{
	struct admin_server *server = connection->server;

	if (connection->call != NULL)
		admin_call_abandon(g_steal_pointer(&connection->call));
	if (!g_queue_remove(server->running, connection))
		g_queue_remove(server->reading, connection);
	if (connection->source != 0)
		g_source_remove(connection->source);
	if (connection->write_source != 0)
		g_source_remove(connection->write_source);
	if (connection->timeout != 0)
		g_source_remove(connection->timeout);
	close(connection->fd);
	g_byte_array_unref(connection->in);
	g_byte_array_unref(connection->out);
	g_free(connection);
	if (!is_full(server))
		open_doors(server);
}

/* Returns 0 when everything has gone out, -EAGAIN, or -errno: the reader is not there any more. */
static int
send_queued(struct connection *connection)
{
	while (connection->out_sent < connection->out->len) {
		ssize_t n = send(connection->fd, connection->out->data + connection->out_sent,
		    connection->out->len - connection->out_sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		connection->out_sent += (size_t)n;
	}
	g_byte_array_set_size(connection->out, 0);
	connection->out_sent = 0;
	return 0;
}

static gboolean on_writable(int fd, GIOCondition condition, void *data);

/* What is queued goes out as far as there is room, and the rest when there is more. */
static int
send_or_wait(struct connection *connection)
{
	int r;

	if (connection->write_source != 0)
		return -EAGAIN;
	r = send_queued(connection);
	if (r != -EAGAIN)
		return r;
	if (connection->out_sent > 0) {
		g_byte_array_remove_range(connection->out, 0, (guint)connection->out_sent);
		connection->out_sent = 0;
	}
	connection->write_source =
	    g_unix_fd_add(connection->fd, G_IO_OUT | G_IO_HUP | G_IO_ERR, on_writable, connection);
	return -EAGAIN;
}

/* The connection ends with the last byte of an answer, or when its reader has gone. */
static void
pump(struct connection *connection)
{
	int r = send_or_wait(connection);

	if (r != -EAGAIN && (r < 0 || connection->last))
		connection_free(connection);
}

static gboolean
on_writable(int fd, GIOCondition condition, void *data)
{
	struct connection *connection = data;

	(void)fd, (void)condition;
	connection->write_source = 0;
	pump(connection);
	return G_SOURCE_REMOVE;
}

/* --- answers -------------------------------------------------------------------------------- */

static void
on_reply(void *data, const void *bytes, size_t len)
{
	struct connection *connection = data;

	connection->call = NULL;
	g_byte_array_append(connection->out, bytes, (guint)len);
	connection->last = true;
	pump(connection);
}

static size_t
queue_max(const struct connection *connection)
{
	return connection->socket == ADMIN_SOCKET_INTERNAL ? ADMIN_SERVER_INTERNAL_QUEUE_MAX
							   : ADMIN_SERVER_QUEUE_MAX;
}

/* The call ends itself when this returns false, so the connection lets go of it first. */
static bool
on_stream(void *data, const void *bytes, size_t len)
{
	struct connection *connection = data;
	int r;

	connection->streaming = true;
	g_byte_array_append(connection->out, bytes, (guint)len);
	r = send_or_wait(connection);
	if (r == -EAGAIN && connection->out->len > queue_max(connection)) {
		log_warn("a reader of events is too far behind and is disconnected");
		r = -EPIPE;
	}
	if (r == 0 || r == -EAGAIN)
		return true;
	connection->call = NULL;
	connection_free(connection);
	return false;
}

static void
on_drop(void *data)
{
	struct connection *connection = data;

	connection->call = NULL;
	connection_free(connection);
}

static const struct admin_output output = {on_reply, on_stream, on_drop};

/* --- requests ------------------------------------------------------------------------------- */

/* The reader has gone; what he asked for goes on. */
static gboolean
on_hangup(int fd, GIOCondition condition, void *data)
{
	struct connection *connection = data;

	(void)fd, (void)condition;
	connection->source = 0;
	connection_free(connection);
	return G_SOURCE_REMOVE;
}

static void
run_request(struct connection *connection)
{
	struct admin_server *server = connection->server;
	g_autoptr(GBytes) request = g_byte_array_free_to_bytes(g_steal_pointer(&connection->in));
	struct admin_call *call;

	connection->in = g_byte_array_new();
	g_source_remove(connection->timeout);
	connection->timeout = 0;
	g_queue_remove(server->reading, connection);
	g_queue_push_tail(server->running, connection);
	connection->source =
	    g_unix_fd_add(connection->fd, G_IO_HUP | G_IO_ERR, on_hangup, connection);
	call = admin_call_start(server->admin, connection->socket, request, &output, connection);
	/* NULL: the answer has been given, and the connection may be no more. */
	if (call != NULL)
		connection->call = call;
}

static gboolean
on_readable(int fd, GIOCondition condition, void *data)
{
	struct connection *connection = data;
	guint8 block[16384];
	ssize_t n = read(fd, block, sizeof(block));

	(void)condition;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (n > 0 && connection->in->len + (size_t)n <= ADMIN_REQUEST_MAX) {
		g_byte_array_append(connection->in, block, (guint)n);
		return G_SOURCE_CONTINUE;
	}
	connection->source = 0;
	if (n == 0) {
		run_request(connection);
	} else {
		log_warn("a request that is too long or broken off is dropped");
		connection_free(connection);
	}
	return G_SOURCE_REMOVE;
}

static gboolean
on_timeout(void *data)
{
	struct connection *connection = data;

	connection->timeout = 0;
	log_warn("a request that does not end is dropped");
	connection_free(connection);
	return G_SOURCE_REMOVE;
}

static void
admit(struct listener *listener, int fd)
{
	struct admin_server *server = listener->server;
	struct connection *connection = g_new0(struct connection, 1);

	connection->server = server;
	connection->socket = listener->socket;
	connection->fd = fd;
	connection->in = g_byte_array_new();
	connection->out = g_byte_array_new();
	connection->source =
	    g_unix_fd_add(fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, connection);
	connection->timeout = g_timeout_add_seconds(ADMIN_SERVER_REQUEST_S, on_timeout, connection);
	g_queue_push_tail(server->reading, connection);
	if (server->reading->length > ADMIN_SERVER_READING_MAX)
		connection_free(g_queue_peek_head(server->reading));
}

static gboolean
on_pause_over(void *data)
{
	struct listener *listener = data;

	listener->source = g_unix_fd_add(listener->fd, G_IO_IN, on_connection, listener);
	return G_SOURCE_REMOVE;
}

/*
 * Waits with the next ones when there are too many, until one goes; and when the system has no room
 * for more, a while: descriptors are also used by others than callers.
 */
static gboolean
on_connection(int listen_fd, GIOCondition condition, void *data)
{
	struct listener *listener = data;
	const struct admin_server *server = listener->server;

	(void)condition;
	for (unsigned i = 0; i < ACCEPT_BATCH && !is_full(server); i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
			return G_SOURCE_CONTINUE;
		if (fd < 0) {
			log_warn("a connection cannot be accepted: %s", strerror(errno));
			listener->source = g_timeout_add(ACCEPT_PAUSE_MS, on_pause_over, listener);
			return G_SOURCE_REMOVE;
		}
		admit(listener, fd);
		if (i + 1 == ACCEPT_BATCH)
			return G_SOURCE_CONTINUE;
	}
	listener->source = 0;
	return G_SOURCE_REMOVE;
}

/* --- the sockets ---------------------------------------------------------------------------- */

/* Group qubes, where there is one and we may. */
static void
give_to_group(const char *path)
{
	const struct group *group = geteuid() == 0 ? getgrnam("qubes") : NULL;

	if (group != NULL && chown(path, (uid_t)-1, group->gr_gid) < 0)
		log_warn("%s: cannot be given to group qubes: %s", path, strerror(errno));
}

static int
open_listener(const char *path)
{
	g_autofree char *dir = g_path_get_dirname(path);
	int fd;

	g_mkdir_with_parents(dir, 0755);
	fd = unix_socket_listen(path, SOCK_STREAM, BACKLOG, 0660);
	if (fd >= 0)
		give_to_group(path);
	return fd;
}

static void
close_listener(struct listener *listener)
{
	if (listener->fd < 0)
		return;
	if (listener->source != 0)
		g_source_remove(listener->source);
	close(listener->fd);
	unlink(listener->path);
	listener->fd = -1;
}

int
admin_server_new(struct admin *admin, struct admin_server **ret, char **ret_message)
{
	struct admin_server *server = g_new0(struct admin_server, 1);

	server->admin = admin;
	server->reading = g_queue_new();
	server->running = g_queue_new();
	for (size_t i = 0; i < SOCKET_COUNT; i++)
		server->listeners[i].fd = -1;
	for (size_t i = 0; i < SOCKET_COUNT; i++) {
		struct listener *listener = &server->listeners[i];
		int fd;

		listener->server = server;
		listener->socket = (enum admin_socket)i;
		listener->path = path_qubesd_socket(socket_names[i]);
		fd = open_listener(listener->path);
		if (fd < 0) {
			*ret_message = g_strdup_printf("%s: %s", listener->path,
			    fd == -EADDRINUSE ? "another qubesd is listening there"
					      : strerror(-fd));
			admin_server_free(server);
			return fd;
		}
		listener->fd = fd;
		listener->source = g_unix_fd_add(fd, G_IO_IN, on_connection, listener);
	}
	*ret = server;
	return 0;
}

void
admin_server_stop(struct admin_server *server)
{
	GList *next;

	for (size_t i = 0; i < SOCKET_COUNT; i++)
		close_listener(&server->listeners[i]);
	while (server->reading->length > 0)
		connection_free(g_queue_peek_head(server->reading));
	for (GList *item = server->running->head; item != NULL; item = next) {
		struct connection *connection = item->data;

		next = item->next;
		if (connection->streaming)
			connection_free(connection);
	}
}

unsigned
admin_server_busy(const struct admin_server *server)
{
	unsigned count = 0;

	for (const GList *item = server->running->head; item != NULL; item = item->next)
		count += !((const struct connection *)item->data)->streaming;
	return count;
}

void
admin_server_free(struct admin_server *server)
{
	if (server == NULL)
		return;
	admin_server_stop(server);
	while (server->running->length > 0)
		connection_free(g_queue_peek_head(server->running));
	for (size_t i = 0; i < SOCKET_COUNT; i++)
		g_free(server->listeners[i].path);
	g_queue_free(server->running);
	g_queue_free(server->reading);
	g_free(server);
}
