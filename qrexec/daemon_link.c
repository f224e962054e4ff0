#include "qrexec/daemon_link.h"

#include "qrexec/channel.h"
#include "qrexec/local_socket.h"

#include <errno.h>
#include <string.h>

struct daemon_link {
	struct channel *channel;
	GByteArray *body; /* owned: waits for the hello; NULL when sent */
	uint32_t type;
	bool wants_answer;
	bool shook_hands, placed;
	guint timer;
	const struct daemon_link_events *events;
	void *data; /* borrowed from the caller */
};

static void
stop_timer(struct daemon_link *link)
{
	if (link->timer != 0)
		g_source_remove(link->timer);
	link->timer = 0;
}

static void
send_if_possible(struct daemon_link *link)
{
	if (!link->shook_hands || link->body == NULL)
		return;
	channel_send(link->channel, link->type, link->body->data, link->body->len, NULL, 0);
	g_clear_pointer(&link->body, g_byte_array_unref);
	if (!link->wants_answer)
		stop_timer(link);
	if (link->events->sent != NULL)
		link->events->sent(link, link->data);
}

static int
on_message(struct channel *channel, const struct qrexec_message *message, void *data)
{
	struct daemon_link *link = data;
	struct qrexec_place place;
	uint32_t version;
	int r;

	if (!link->shook_hands) {
		r = qrexec_decode_hello(
		    message->untrusted_body, QREXEC_LOCAL_VERSION, QREXEC_LOCAL_VERSION, &version);
		if (r < 0)
			return r;
		link->shook_hands = true;
		channel_set_rules(channel, qrexec_rules_daemon_to_client());
		channel_send_hello(channel, version);
		send_if_possible(link);
		return 0;
	}
	if (link->placed || link->body != NULL || message->type != link->type)
		return -EPROTO;
	r = qrexec_decode_place(message->untrusted_body, &place);
	if (r < 0)
		return r;
	link->placed = true;
	stop_timer(link);
	if (link->events->placed != NULL)
		link->events->placed(link, &place, link->data);
	return 0;
}

static void
on_end(struct channel *channel, int error, void *data)
{
	struct daemon_link *link = data;

	(void)channel;
	stop_timer(link);
	link->events->ended(link, error, link->data);
}

static const struct channel_events channel_events = {.message = on_message, .end = on_end};

static gboolean
on_timeout(gpointer data)
{
	struct daemon_link *link = data;

	link->timer = 0;
	channel_set_reading(link->channel, false);
	link->events->ended(link, -ETIMEDOUT, link->data);
	return G_SOURCE_REMOVE;
}

int
daemon_link_new(const char *socket_dir, const char *name, const struct daemon_link_events *events,
    void *data, struct daemon_link **ret)
{
	g_autofree char *base = g_strconcat("qrexec.", name, NULL);
	g_autofree char *path = g_build_filename(socket_dir, base, NULL);
	struct daemon_link *link;
	int fd;

	fd = local_socket_connect(path);
	if (fd < 0)
		return fd;
	link = g_new0(struct daemon_link, 1);
	link->channel = channel_new_on_fd(fd, qrexec_rules_hello(), &channel_events, link);
	link->timer = g_timeout_add(DAEMON_LINK_TIMEOUT_MS, on_timeout, link);
	link->events = events;
	link->data = data;
	*ret = link;
	return 0;
}

void
daemon_link_free(struct daemon_link *link)
{
	if (link == NULL)
		return;
	stop_timer(link);
	channel_free(link->channel);
	if (link->body != NULL)
		g_byte_array_unref(link->body);
	g_free(link);
}

void
daemon_link_send(struct daemon_link *link, uint32_t type, uint32_t domain, uint32_t port,
    const void *tail, size_t tail_len)
{
	struct qrexec_wire_exec exec = {domain, port};

	link->type = type;
	link->body = g_byte_array_new();
	g_byte_array_append(link->body, (const guint8 *)&exec, sizeof(exec));
	g_byte_array_append(link->body, tail, (guint)tail_len);
	link->wants_answer = port == 0;
	send_if_possible(link);
}
