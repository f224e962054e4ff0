/*
 * link - the agent's end of the GUI channel: waits for the daemon, shakes hands, carries messages.
 *
 * State:  WAITING (no daemon) -> GREETING (our version is out) -> CONNECTED -> WAITING again, on
 *         and on: a daemon that ends or is killed is waited for anew.
 * Limits: what is sent waits in a queue in front of the vchan's ring. Senders ask
 *         link_is_congested() before they begin with something that can wait (events of the X
 *         server, pixels); the rest is bounded by the number of windows. Beyond LINK_QUEUE_MAX the
 *         daemon counts as gone.
 * Trust:  the daemon is trusted, and read by gui_decode.c all the same.
 * Source: docs/gui-protocol.md, "Handshake" and "Disconnect and reconnect".
 */
#ifndef GUI_AGENT_LINK_H
#define GUI_AGENT_LINK_H

#include "shared/gui_decode.h"

#include <stdbool.h>

#define LINK_QUEUE_FULL (1024 * 1024)     /* bytes: congested from here on */
#define LINK_QUEUE_MAX (64 * 1024 * 1024) /* bytes: the link is cut */

struct link;

struct link_handler {
	/* The handshake is over. Nothing is read until link_set_reading(). */
	void (*on_connected)(const struct gui_xconf *xconf, void *data);
	/* 0, or -EPROTO to end the connection. */
	int (*on_packet)(const struct gui_packet *packet, void *data);
	/* The daemon has gone, and the next one is waited for. */
	void (*on_disconnected)(void *data);
	/* The queue is no longer congested. */
	void (*on_room)(void *data);
	/* The handshake failed: another one would fail as well. */
	void (*on_protocol_error)(void *data);
};

/*
 * Listens at once, for a domain or, with GUI_DOMAIN_NONE, not yet. 0 or a negative errno of
 * vchan_listen(). The handler is borrowed.
 */
int link_new(int64_t gui_domain, const struct link_handler *handler, void *data, struct link **ret);
void link_free(struct link *link); /* NULL is fine */

/*
 * From now on that domain's daemon is the one that is listened for, and one that is connected from
 * another domain is cut off. Outside of handlers only. GUI_DOMAIN_NONE: nobody.
 */
void link_set_gui_domain(struct link *link, int64_t gui_domain);

bool link_is_connected(const struct link *link);
int64_t link_gui_domain(const struct link *link);
uint32_t link_version(const struct link *link); /* negotiated; meaningless unless connected */
bool link_is_congested(const struct link *link);
void link_set_reading(struct link *link, bool on);

/*
 * Queues one message, to be sent by link_flush() at the end of the turn, so that all of a turn
 * leaves in one piece. Dropped when no daemon is connected: replay tells the next
 * one everything.
 */
void link_send(
    struct link *link, enum gui_message type, uint32_t window, const void *body, size_t len);
/* The same with a body in two parts. */
void link_send_parts(struct link *link, enum gui_message type, uint32_t window, const void *head,
    size_t head_len, const void *tail, size_t tail_len);
void link_flush(struct link *link);

#endif
