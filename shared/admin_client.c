#include "shared/admin_client.h"

#include "shared/unix_socket.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ADMIN_EVENT_MAX (1u << 20) /* bytes of one event */

struct admin_events {
	int fd;
	guint source;
	GByteArray *buffer; /* owned: what came and is not yet a whole event */
	admin_event_func on_event;
	admin_events_end_func on_end;
	void *data;  /* borrowed from the caller */
	bool *freed; /* set when freed inside a callback */
};

void
admin_reply_clear(struct admin_reply *reply)
{
	g_clear_pointer(&reply->content, g_free);
	g_clear_pointer(&reply->error_class, g_free);
	g_clear_pointer(&reply->error_message, g_free);
}

GByteArray *
admin_request_encode(const char *method, const char *arg, const char *source, const char *dest,
    const void *payload, size_t payload_len)
{
	g_autofree char *head =
	    g_strdup_printf("%s+%s %s name %s", method, arg != NULL ? arg : "", source, dest);
	GByteArray *request = g_byte_array_new();

	g_byte_array_append(request, (const guint8 *)head, (guint)strlen(head) + 1);
	if (payload_len > 0)
		g_byte_array_append(request, payload, (guint)payload_len);
	return request;
}

/* The n-th NUL-terminated field after the two bytes of the kind, or NULL. */
static const char *
reply_field(const char *bytes, size_t len, unsigned n)
{
	const char *p = bytes + 2;
	const char *end = bytes + len;

	for (;; n--) {
		const char *stop = p < end ? memchr(p, '\0', (size_t)(end - p)) : NULL;

		if (stop == NULL)
			return NULL;
		if (n == 0)
			return p;
		p = stop + 1;
	}
}

int
admin_reply_decode(const void *bytes, size_t len, struct admin_reply *ret)
{
	const char *text = bytes;
	struct admin_reply reply = {0};

	if (len < 2 || text[1] != '\0')
		return -EPROTO;
	if (text[0] == '0') {
		reply.ok = true;
		reply.content_len = len - 2;
		reply.content = g_malloc(reply.content_len + 1);
		memcpy(reply.content, text + 2, reply.content_len);
		reply.content[reply.content_len] = '\0';
		*ret = reply;
		return 0;
	}
	if (text[0] != '2')
		return -EPROTO;
	reply.error_class = g_strdup(reply_field(text, len, 0));
	reply.error_message = g_strdup(reply_field(text, len, 2));
	if (reply.error_class == NULL || reply.error_message == NULL) {
		admin_reply_clear(&reply);
		return -EPROTO;
	}
	*ret = reply;
	return 0;
}

static int
write_all(int fd, const guint8 *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
read_reply(int fd, int timeout_ms, GByteArray *reply)
{
	guint8 chunk[16384];

	for (;;) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		int ready = poll(&pfd, 1, timeout_ms);
		ssize_t n;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready < 0)
			return -errno;
		if (ready == 0)
			return -ETIMEDOUT;
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		if (reply->len + (size_t)n > ADMIN_REPLY_MAX)
			return -EPROTO;
		g_byte_array_append(reply, chunk, (guint)n);
	}
}

/* Connecting and writing end with -EAGAIN then. */
static int
limit_sending(int fd, int timeout_ms)
{
	struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

	if (timeout_ms < 0)
		return 0;
	limit.tv_usec += timeout_ms == 0; /* zero means no limit there */
	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ? -errno : 0;
}

static int
send_request(int fd, const char *socket_path, const GByteArray *request, int timeout_ms)
{
	int r = limit_sending(fd, timeout_ms);

	if (r == 0)
		r = unix_socket_connect(fd, socket_path);
	if (r == 0)
		r = write_all(fd, request->data, request->len);
	if (r == 0 && shutdown(fd, SHUT_WR) < 0)
		r = -errno;
	return r == -EAGAIN ? -ETIMEDOUT : r;
}

int
admin_call(const char *socket_path, const char *method, const char *arg, const char *dest,
    const void *payload, size_t payload_len, int timeout_ms, struct admin_reply *ret)
{
	g_autoptr(GByteArray) request =
	    admin_request_encode(method, arg, "dom0", dest, payload, payload_len);
	g_autoptr(GByteArray) reply = g_byte_array_new();
	int fd, r;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = send_request(fd, socket_path, request, timeout_ms);
	if (r == 0)
		r = read_reply(fd, timeout_ms, reply);
	close(fd);
	if (r < 0)
		return r;
	return admin_reply_decode(reply->data, reply->len, ret);
}

/*
 * Length of the first whole event in the buffer, 0 when it is not complete yet, -1 when the bytes
 * are no event. Shape: "1" NUL subject NUL name NUL (key NUL value NUL)* NUL.
 */
static ssize_t
event_length(const guint8 *bytes, size_t len)
{
	size_t at = 2;

	if (len >= 1 && bytes[0] != '1')
		return -1;
	if (len >= 2 && bytes[1] != '\0')
		return -1;
	for (unsigned field = 0;; field++) {
		const guint8 *stop = at < len ? memchr(bytes + at, '\0', len - at) : NULL;

		if (stop == NULL)
			return 0;
		if (field >= 2 && field % 2 == 0 && stop == bytes + at)
			return (ssize_t)at + 1; /* an empty key ends the event */
		at = (size_t)(stop - bytes) + 1;
	}
}

static void
event_deliver(struct admin_events *events, const guint8 *bytes)
{
	const char *p = (const char *)bytes + 2;
	g_autoptr(GHashTable) args = g_hash_table_new(g_str_hash, g_str_equal);
	struct admin_event event = {.args = args};

	event.subject = p;
	p += strlen(p) + 1;
	event.name = p;
	p += strlen(p) + 1;
	while (*p != '\0') {
		const char *key = p;

		p += strlen(p) + 1;
		g_hash_table_insert(args, (gpointer)key, (gpointer)p);
		p += strlen(p) + 1;
	}
	events->on_event(&event, events->data);
}

static gboolean
on_events_readable(gint fd, GIOCondition condition, gpointer data)
{
	struct admin_events *events = data;
	guint8 chunk[16384];
	bool freed = false;
	ssize_t n = read(fd, chunk, sizeof(chunk));
	int error = n < 0 ? -errno : 0;

	(void)condition;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return G_SOURCE_CONTINUE;
	if (n <= 0) {
		events->source = 0;
		events->on_end(error, events->data);
		return G_SOURCE_REMOVE;
	}
	g_byte_array_append(events->buffer, chunk, (guint)n);
	events->freed = &freed;
	for (;;) {
		ssize_t len = event_length(events->buffer->data, events->buffer->len);
		g_autofree guint8 *whole = NULL;

		if (len < 0 || (len == 0 && events->buffer->len > ADMIN_EVENT_MAX)) {
			events->source = 0;
			events->freed = NULL;
			events->on_end(-EPROTO, events->data);
			return G_SOURCE_REMOVE;
		}
		if (len == 0)
			break;
		whole = g_memdup2(events->buffer->data, (gsize)len);
		g_byte_array_remove_range(events->buffer, 0, (guint)len);
		event_deliver(events, whole);
		if (freed)
			return G_SOURCE_REMOVE;
	}
	events->freed = NULL;
	return G_SOURCE_CONTINUE;
}

struct admin_events *
admin_events_new_on(int fd, admin_event_func on_event, admin_events_end_func on_end, void *data)
{
	struct admin_events *events = g_new0(struct admin_events, 1);

	shutdown(fd, SHUT_WR); /* a peer that has gone is told by reading */
	g_unix_set_fd_nonblocking(fd, TRUE, NULL);
	events->fd = fd;
	events->buffer = g_byte_array_new();
	events->on_event = on_event;
	events->on_end = on_end;
	events->data = data;
	events->source =
	    g_unix_fd_add(fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_events_readable, events);
	return events;
}

int
admin_events_new(const char *socket_path, const char *method, const char *dest,
    admin_event_func on_event, admin_events_end_func on_end, void *data, struct admin_events **ret)
{
	g_autoptr(GByteArray) request = admin_request_encode(method, NULL, "dom0", dest, NULL, 0);
	int fd, r;

	fd = unix_socket_dial(socket_path, SOCK_STREAM | SOCK_NONBLOCK);
	if (fd < 0)
		return fd;
	r = write_all(fd, request->data, request->len);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret = admin_events_new_on(fd, on_event, on_end, data);
	return 0;
}

void
admin_events_free(struct admin_events *events)
{
	if (events == NULL)
		return;
	if (events->freed != NULL)
		*events->freed = true;
	if (events->source != 0)
		g_source_remove(events->source);
	close(events->fd);
	g_byte_array_unref(events->buffer);
	g_free(events);
}
