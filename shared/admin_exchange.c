#include "shared/admin_exchange.h"

#include "shared/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct admin_exchange {
	int fd; /* owned */
	guint read_source, write_source;
	GByteArray *request; /* owned: what is still to be written */
	GByteArray *reply;   /* owned */
	admin_exchange_done done;
	void *data; /* borrowed from the caller */
};

void
admin_exchange_free(struct admin_exchange *exchange)
{
	if (exchange == NULL)
		return;
	if (exchange->read_source != 0)
		g_source_remove(exchange->read_source);
	if (exchange->write_source != 0)
		g_source_remove(exchange->write_source);
	close(exchange->fd);
	g_byte_array_unref(exchange->request);
	g_byte_array_unref(exchange->reply);
	g_free(exchange);
}

static void
exchange_end(struct admin_exchange *exchange, int error)
{
	struct admin_reply reply = {0};

	if (error == 0 && exchange->reply->len == 0)
		error = -ENODATA;
	if (error == 0)
		error = admin_reply_decode(exchange->reply->data, exchange->reply->len, &reply);
	exchange->done(error, &reply, exchange->data);
	admin_reply_clear(&reply);
	admin_exchange_free(exchange);
}

/* Writes what fits now. A reader that went away early may still have answered: read on. */
static bool
exchange_write(struct admin_exchange *exchange)
{
	while (exchange->request->len > 0) {
		ssize_t n = send(
		    exchange->fd, exchange->request->data, exchange->request->len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0)
			break;
		g_byte_array_remove_range(exchange->request, 0, (guint)n);
	}
	shutdown(exchange->fd, SHUT_WR);
	return true;
}

static gboolean
on_exchange_writable(gint fd, GIOCondition condition, gpointer data)
{
	struct admin_exchange *exchange = data;

	(void)fd;
	(void)condition;
	if (!exchange_write(exchange))
		return G_SOURCE_CONTINUE;
	exchange->write_source = 0;
	return G_SOURCE_REMOVE;
}

static gboolean
on_exchange_readable(gint fd, GIOCondition condition, gpointer data)
{
	struct admin_exchange *exchange = data;
	guint8 chunk[16384];
	ssize_t n = read(fd, chunk, sizeof(chunk));
	int error = n < 0 ? -errno : 0;

	(void)condition;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return G_SOURCE_CONTINUE;
	if (n > 0 && exchange->reply->len + (size_t)n <= ADMIN_REPLY_MAX) {
		g_byte_array_append(exchange->reply, chunk, (guint)n);
		return G_SOURCE_CONTINUE;
	}
	exchange->read_source = 0;
	exchange_end(exchange, n > 0 ? -EPROTO : error);
	return G_SOURCE_REMOVE;
}

struct admin_exchange *
admin_exchange_new_on(
    int fd, const void *request, size_t request_len, admin_exchange_done done, void *data)
{
	struct admin_exchange *exchange = g_new0(struct admin_exchange, 1);

	g_unix_set_fd_nonblocking(fd, TRUE, NULL);
	exchange->fd = fd;
	exchange->request = g_byte_array_sized_new((guint)request_len);
	exchange->reply = g_byte_array_new();
	exchange->done = done;
	exchange->data = data;
	if (request_len > 0)
		g_byte_array_append(exchange->request, request, (guint)request_len);
	if (!exchange_write(exchange))
		exchange->write_source =
		    g_unix_fd_add(fd, G_IO_OUT, on_exchange_writable, exchange);
	exchange->read_source =
	    g_unix_fd_add(fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_exchange_readable, exchange);
	return exchange;
}

int
admin_exchange_new(const char *socket_path, const char *method, const char *arg, const char *dest,
    const void *payload, size_t payload_len, admin_exchange_done done, void *data,
    struct admin_exchange **ret)
{
	g_autoptr(GByteArray) request =
	    admin_request_encode(method, arg, "dom0", dest, payload, payload_len);
	int fd = unix_socket_dial(socket_path, SOCK_STREAM | SOCK_NONBLOCK);

	if (fd < 0)
		return fd;
	*ret = admin_exchange_new_on(fd, request->data, request->len, done, data);
	return 0;
}
