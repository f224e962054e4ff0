#include "gui-agent/link.h"

#include "gui-agent/gui_domain.h"
#include "shared/log.h"
#include "shared/vchan/vchan.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define RETRY_MS 1000
#define RING_BYTES (256 * 1024)

enum link_state {
	LINK_WAITING,  /* for a daemon */
	LINK_GREETING, /* for the version to speak */
	LINK_SIZING,   /* for the size of its screen */
	LINK_CONNECTED,
};

struct link {
	int64_t gui_domain;                 /* GUI_DOMAIN_NONE: nobody is listened for */
	const struct link_handler *handler; /* borrowed */
	void *data;
	enum link_state state;
	struct vchan *vchan;       /* owned; NULL while waiting for the retry */
	GSource *source;           /* owned, of vchan */
	guint retry_timer;         /* 0: none */
	guint wake_idle;           /* 0: none */
	struct gui_reader *reader; /* owned */
	bool reading;
	uint32_t version;
	GByteArray *queue; /* owned; bytes from sent on wait for room in the ring */
	size_t sent;
	bool congested;
};

static gboolean on_vchan(gpointer data);

/* --- waiting for a daemon ------------------------------------------------------------------ */

static int
listen_for_daemon(struct link *link)
{
	const uint32_t version = GUI_VERSION_NEWEST;
	int r;

	if (link->gui_domain == GUI_DOMAIN_NONE)
		return 0;
	r = vchan_listen(NULL, (uint32_t)link->gui_domain, GUI_PORT, RING_BYTES, &link->vchan);
	if (r < 0)
		return r;
	link->state = LINK_WAITING;
	link->reader = gui_reader_new(GUI_SENDER_DAEMON);
	link->reading = true;
	g_byte_array_append(link->queue, (const guint8 *)&version, sizeof(version));
	link->source = vchan_source_new(link->vchan);
	g_source_set_callback(link->source, on_vchan, link, NULL);
	g_source_attach(link->source, NULL);
	return 0;
}

static void
let_go(struct link *link)
{
	if (link->source != NULL) {
		g_source_destroy(link->source);
		g_clear_pointer(&link->source, g_source_unref);
	}
	if (link->wake_idle != 0)
		g_source_remove(link->wake_idle);
	link->wake_idle = 0;
	g_clear_pointer(&link->vchan, vchan_close);
	g_clear_pointer(&link->reader, gui_reader_free);
	g_byte_array_set_size(link->queue, 0);
	link->sent = 0;
	link->congested = false;
	link->state = LINK_WAITING;
}

static gboolean
on_retry(gpointer data)
{
	struct link *link = data;
	int r = listen_for_daemon(link);

	if (r == 0) {
		link->retry_timer = 0;
		return G_SOURCE_REMOVE;
	}
	log_debug("cannot listen for the GUI daemon yet: %s", g_strerror(-r));
	return G_SOURCE_CONTINUE;
}

static void
listen_later(struct link *link)
{
	if (link->retry_timer == 0)
		link->retry_timer = g_timeout_add(RETRY_MS, on_retry, link);
}

/* Without a handshake the next try waits: a domain that does not run is refused at once. */
static void
start_over(struct link *link)
{
	bool was_waiting = link->state == LINK_WAITING;
	bool was_connected = link->state == LINK_CONNECTED;

	let_go(link);
	if (was_waiting || listen_for_daemon(link) < 0)
		listen_later(link);
	if (was_connected)
		link->handler->on_disconnected(link->data);
}

/* --- output -------------------------------------------------------------------------------- */

static size_t
queued(const struct link *link)
{
	return link->queue->len - link->sent;
}

static void
drop_what_is_sent(struct link *link)
{
	if (queued(link) == 0) {
		g_byte_array_set_size(link->queue, 0);
		link->sent = 0;
	} else if (link->sent > link->queue->len / 2) {
		g_byte_array_remove_range(link->queue, 0, (guint)link->sent);
		link->sent = 0;
	}
}

void
link_flush(struct link *link)
{
	if (link->vchan == NULL)
		return;
	while (queued(link) > 0) {
		ssize_t n = vchan_write(link->vchan, link->queue->data + link->sent, queued(link));

		if (n <= 0)
			break; /* full; or gone, which the source will tell */
		link->sent += (size_t)n;
	}
	drop_what_is_sent(link);
	if (link->congested && queued(link) <= LINK_QUEUE_FULL / 2) {
		link->congested = false;
		link->handler->on_room(link->data);
	}
}

void
link_send_parts(struct link *link, enum gui_message type, uint32_t window, const void *head,
    size_t head_len, const void *tail, size_t tail_len)
{
	struct gui_wire_header header = {
	    .type = type, .window = window, .len = (uint32_t)(head_len + tail_len)};

	if (link->state != LINK_CONNECTED || queued(link) > LINK_QUEUE_MAX)
		return;
	g_byte_array_append(link->queue, (const guint8 *)&header, sizeof(header));
	if (head_len > 0)
		g_byte_array_append(link->queue, head, (guint)head_len);
	if (tail_len > 0)
		g_byte_array_append(link->queue, tail, (guint)tail_len);
	if (queued(link) > LINK_QUEUE_FULL)
		link->congested = true;
}

void
link_send(struct link *link, enum gui_message type, uint32_t window, const void *body, size_t len)
{
	link_send_parts(link, type, window, body, len, NULL, 0);
}

/* --- input --------------------------------------------------------------------------------- */

/* 1 when a step was taken, 0 when more bytes are needed, -EPROTO. */
static int
read_version(struct link *link)
{
	struct untrusted_u32 untrusted_version;
	int r;

	if (!gui_reader_take(link->reader, &untrusted_version, sizeof(untrusted_version)))
		return 0;
	r = gui_decode_daemon_version(untrusted_version, &link->version);
	if (r < 0)
		return r;
	gui_reader_set_version(link->reader, link->version);
	link->state = LINK_SIZING;
	return 1;
}

static int
read_xconf(struct link *link)
{
	uint8_t bytes[sizeof(struct gui_wire_xconf)];
	struct gui_xconf xconf;
	int r;

	if (!gui_reader_take(link->reader, bytes, sizeof(bytes)))
		return 0;
	r = gui_decode_xconf(untrusted_bytes_of(bytes, sizeof(bytes)), &xconf);
	if (r < 0)
		return r;
	link->state = LINK_CONNECTED;
	link_set_reading(link, false);
	link->handler->on_connected(&xconf, link->data);
	return 1;
}

/* Handles every whole message that is there. 0, or -EPROTO. */
static int
read_packets(struct link *link)
{
	struct gui_packet packet;
	int r = 0;

	while (link->reading) {
		r = gui_reader_next(link->reader, &packet);
		if (r <= 0)
			break;
		r = link->handler->on_packet(&packet, link->data);
		if (r < 0)
			break;
	}
	return r;
}

/* Goes as far as the bytes that are there allow. 0, or -EPROTO. */
static int
advance(struct link *link)
{
	int r = 1;

	if (link->state == LINK_GREETING)
		r = read_version(link);
	if (r > 0 && link->state == LINK_SIZING)
		r = read_xconf(link);
	if (r > 0 && link->state == LINK_CONNECTED)
		r = read_packets(link);
	return r;
}

/* Takes one helping of bytes. 1 when there may be more to say, 0 at the end of the stream, -EPROTO.
 */
static int
receive(struct link *link)
{
	size_t room;
	void *space = gui_reader_space(link->reader, &room);
	ssize_t n = vchan_read(link->vchan, space, room);

	if (n == -EAGAIN)
		return 1;
	if (n <= 0)
		return 0;
	gui_reader_filled(link->reader, (size_t)n);
	return advance(link) < 0 ? -EPROTO : 1;
}

static void
on_broken(struct link *link)
{
	bool in_handshake = link->state != LINK_CONNECTED;

	start_over(link);
	if (in_handshake)
		link->handler->on_protocol_error(link->data);
	else
		log_error("the GUI daemon broke the protocol");
}

static bool
is_over(const struct link *link)
{
	return queued(link) > LINK_QUEUE_MAX ||
	       (!link->reading && vchan_state(link->vchan) == VCHAN_CLOSED);
}

static gboolean
on_vchan(gpointer data)
{
	struct link *link = data;
	int more = 1;

	if (link->state == LINK_WAITING && vchan_state(link->vchan) == VCHAN_CONNECTED)
		link->state = LINK_GREETING;
	if (link->reading)
		more = receive(link);
	if (more < 0)
		on_broken(link);
	else if (more == 0 || is_over(link))
		start_over(link);
	else
		link_flush(link);
	return G_SOURCE_CONTINUE;
}

/* What had arrived before reading was stopped. */
static gboolean
on_wake(gpointer data)
{
	struct link *link = data;

	link->wake_idle = 0;
	if (advance(link) < 0)
		on_broken(link);
	else
		link_flush(link);
	return G_SOURCE_REMOVE;
}

void
link_set_reading(struct link *link, bool on)
{
	if (link->vchan == NULL || link->reading == on)
		return;
	link->reading = on;
	vchan_source_set_reading(link->source, on);
	if (on && link->wake_idle == 0)
		link->wake_idle = g_idle_add(on_wake, link);
}

/* --- life ---------------------------------------------------------------------------------- */

void
link_set_gui_domain(struct link *link, int64_t gui_domain)
{
	bool was_connected = link->state == LINK_CONNECTED;

	if (gui_domain == link->gui_domain)
		return;
	link->gui_domain = gui_domain;
	if (link->retry_timer != 0)
		g_source_remove(link->retry_timer);
	link->retry_timer = 0;
	let_go(link);
	if (listen_for_daemon(link) < 0)
		listen_later(link);
	if (was_connected)
		link->handler->on_disconnected(link->data);
}

int
link_new(int64_t gui_domain, const struct link_handler *handler, void *data, struct link **ret)
{
	struct link *link = g_new0(struct link, 1);
	int r;

	link->gui_domain = gui_domain;
	link->handler = handler;
	link->data = data;
	link->queue = g_byte_array_new();
	r = listen_for_daemon(link);
	if (r < 0) {
		link_free(link);
		return r;
	}
	*ret = link;
	return 0;
}

void
link_free(struct link *link)
{
	if (link == NULL)
		return;
	if (link->retry_timer != 0)
		g_source_remove(link->retry_timer);
	let_go(link);
	g_byte_array_free(link->queue, TRUE);
	g_free(link);
}

bool
link_is_connected(const struct link *link)
{
	return link->state == LINK_CONNECTED;
}

int64_t
link_gui_domain(const struct link *link)
{
	return link->gui_domain;
}

uint32_t
link_version(const struct link *link)
{
	return link->version;
}

bool
link_is_congested(const struct link *link)
{
	return link->congested;
}
