#include "qrexec/channel.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGES_A_TURN 32

struct channel {
	/* One of the two. */
	struct vchan *vchan; /* owned */
	int fd;              /* owned */
	GSource *source;     /* owned: of the vchan, or of the descriptor for reading */
	GSource *fd_output;  /* owned: while something is queued for the descriptor */
	GSource *failure;    /* owned: an error waits to be reported from the loop */
	struct qrexec_reader reader;
	GByteArray *queue; /* owned: not yet taken by the peer */
	const struct channel_events *events;
	void *data; /* borrowed from the caller */
	int error;  /* why it is over, whether it has been told or not: nothing is sent any more */
	bool reading, was_full;
	bool *freed; /* set when freed while a callback runs */
};

static gboolean on_channel_ready(gpointer data);

static ssize_t
transport_read(struct channel *channel, void *buffer, size_t len)
{
	ssize_t n;

	if (channel->vchan != NULL)
		return vchan_read(channel->vchan, buffer, len);
	do
		n = recv(channel->fd, buffer, len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t
transport_write(struct channel *channel, const void *bytes, size_t len)
{
	ssize_t n;

	if (channel->vchan != NULL)
		return vchan_write(channel->vchan, bytes, len);
	do
		n = send(channel->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static gboolean
on_fd_ready(gint fd, GIOCondition condition, gpointer data)
{
	(void)fd;
	(void)condition;
	return on_channel_ready(data);
}

static GSource *
watch_fd(struct channel *channel, GIOCondition condition)
{
	GSource *source = g_unix_fd_source_new(channel->fd, condition);

	g_source_set_callback(source, G_SOURCE_FUNC(on_fd_ready), channel, NULL);
	g_source_attach(source, NULL);
	return source;
}

static void
unwatch(GSource **source)
{
	if (*source == NULL)
		return;
	g_source_destroy(*source);
	g_clear_pointer(source, g_source_unref);
}

static struct channel *
channel_alloc(struct qrexec_rules rules, const struct channel_events *events, void *data)
{
	struct channel *channel = g_new0(struct channel, 1);

	channel->fd = -1;
	channel->events = events;
	channel->data = data;
	channel->queue = g_byte_array_new();
	channel->reading = true;
	qrexec_reader_init(&channel->reader, rules);
	return channel;
}

struct channel *
channel_new_on_fd(
    int fd, struct qrexec_rules rules, const struct channel_events *events, void *data)
{
	struct channel *channel = channel_alloc(rules, events, data);

	channel->fd = fd;
	channel->source = watch_fd(channel, G_IO_IN);
	return channel;
}

struct channel *
channel_new_on_vchan(
    struct vchan *vchan, struct qrexec_rules rules, const struct channel_events *events, void *data)
{
	struct channel *channel = channel_alloc(rules, events, data);

	channel->vchan = vchan;
	channel->source = vchan_source_new(vchan);
	g_source_set_callback(channel->source, on_channel_ready, channel, NULL);
	g_source_attach(channel->source, NULL);
	return channel;
}

void
channel_free(struct channel *channel)
{
	if (channel == NULL)
		return;
	if (channel->freed != NULL)
		*channel->freed = true;
	unwatch(&channel->failure);
	unwatch(&channel->fd_output);
	unwatch(&channel->source);
	vchan_close(channel->vchan);
	if (channel->fd >= 0)
		close(channel->fd);
	qrexec_reader_fini(&channel->reader);
	g_byte_array_unref(channel->queue);
	g_free(channel);
}

void
channel_set_rules(struct channel *channel, struct qrexec_rules rules)
{
	channel->reader.rules = rules;
}

/* For the loop to tell, however busy it is; what was queued reaches nobody. */
static void
channel_fail(struct channel *channel, int error)
{
	channel->error = error;
	g_byte_array_set_size(channel->queue, 0);
	unwatch(&channel->fd_output);
	channel->failure = g_idle_source_new();
	g_source_set_priority(channel->failure, G_PRIORITY_DEFAULT);
	g_source_set_callback(channel->failure, on_channel_ready, channel, NULL);
	g_source_attach(channel->failure, NULL);
}

/* Hands over what the peer takes. */
static void
channel_flush(struct channel *channel)
{
	while (channel->queue->len > 0) {
		ssize_t n = transport_write(channel, channel->queue->data, channel->queue->len);

		if (n == -EAGAIN)
			break;
		if (n < 0) {
			channel_fail(channel, n == -ECONNRESET ? -EPIPE : (int)n);
			return;
		}
		g_byte_array_remove_range(channel->queue, 0, (guint)n);
	}
	if (channel->queue->len > CHANNEL_QUEUE_BYTES) {
		channel_fail(channel, -ENOBUFS);
		return;
	}
	if (channel->queue->len > CHANNEL_FULL_BYTES)
		channel->was_full = true;
	if (channel->fd >= 0 && channel->queue->len == 0)
		unwatch(&channel->fd_output);
	else if (channel->fd >= 0 && channel->fd_output == NULL)
		channel->fd_output = watch_fd(channel, G_IO_OUT);
}

void
channel_send_raw(struct channel *channel, const void *bytes, size_t len)
{
	if (channel->error != 0)
		return;
	g_byte_array_append(channel->queue, bytes, (guint)len);
	channel_flush(channel);
}

void
channel_send(struct channel *channel, uint32_t type, const void *head, size_t head_len,
    const void *tail, size_t tail_len)
{
	struct qrexec_wire_header header = {type, (uint32_t)(head_len + tail_len)};

	if (channel->error != 0)
		return;
	g_byte_array_append(channel->queue, (const guint8 *)&header, sizeof(header));
	g_byte_array_append(channel->queue, head, (guint)head_len);
	if (tail_len > 0)
		g_byte_array_append(channel->queue, tail, (guint)tail_len);
	channel_flush(channel);
}

void
channel_send_hello(struct channel *channel, uint32_t version)
{
	struct qrexec_wire_hello hello = {version};

	channel_send(channel, QREXEC_HELLO, &hello, sizeof(hello), NULL, 0);
}

bool
channel_is_full(const struct channel *channel)
{
	return channel->queue->len > CHANNEL_FULL_BYTES;
}

void
channel_set_reading(struct channel *channel, bool on)
{
	if (channel->reading == on || channel->error != 0)
		return;
	channel->reading = on;
	if (channel->vchan != NULL)
		vchan_source_set_reading(channel->source, on);
	else if (on)
		channel->source = watch_fd(channel, G_IO_IN);
	else
		unwatch(&channel->source);
}

/*
 * One read and what follows from it. Returns 1 when there may be more, 0 when there is not, or the
 * error that ends the channel: -ENODATA for the peer's orderly end.
 */
static int
channel_step(struct channel *channel, const bool *freed)
{
	struct qrexec_message message;
	size_t len;
	void *space = qrexec_reader_space(&channel->reader, &len);
	ssize_t n = transport_read(channel, space, len);
	int r;

	if (n == -EAGAIN)
		return 0;
	if (n == 0 || n == -ECONNRESET)
		return qrexec_reader_is_inside(&channel->reader) ? -EPIPE : -ENODATA;
	if (n < 0)
		return (int)n;
	r = qrexec_reader_advance(&channel->reader, (size_t)n, &message);
	if (r <= 0)
		return r < 0 ? r : 1;
	r = channel->events->message(channel, &message, channel->data);
	if (*freed)
		return 0;
	qrexec_reader_next(&channel->reader);
	return r < 0 ? r : 1;
}

static void
channel_end(struct channel *channel, int error)
{
	channel->error = error;
	unwatch(&channel->failure);
	unwatch(&channel->fd_output);
	unwatch(&channel->source);
	channel->events->end(channel, error == -ENODATA ? 0 : error, channel->data);
}

/* A peer that has gone may have said something before; r is of the last step. */
static bool
is_still_heard(const struct channel *channel, int r)
{
	return channel->error == -EPIPE && channel->reading && r == 1;
}

/* The variable on the stack outlives the channel, which every callback may free. */
static gboolean
on_channel_ready(gpointer data)
{
	struct channel *channel = data;
	bool freed = false;
	int r = 1;

	channel->freed = &freed;
	channel_flush(channel);
	for (int i = 0; i < MESSAGES_A_TURN && r == 1 && channel->reading; i++) {
		r = channel_step(channel, &freed);
		if (freed)
			return G_SOURCE_REMOVE;
	}
	if (r >= 0 && channel->error != 0 && !is_still_heard(channel, r))
		r = channel->error;
	if (r < 0) {
		channel_end(channel, r);
		if (!freed)
			channel->freed = NULL;
		return G_SOURCE_REMOVE;
	}
	if (channel->was_full && !channel_is_full(channel)) {
		channel->was_full = false;
		if (channel->events->drained != NULL)
			channel->events->drained(channel, channel->data);
		if (freed)
			return G_SOURCE_REMOVE;
	}
	channel->freed = NULL;
	return G_SOURCE_CONTINUE;
}

const char *
channel_strerror(int error)
{
	switch (error) {
	case 0:
		return "the other side left";
	case -EPROTO:
		return "a message of a wrong type or length";
	case -EPROTONOSUPPORT:
		return "a protocol version that is too old";
	case -ENOBUFS:
		return "the other side does not read";
	default:
		return strerror(-error);
	}
}
