/*
 * vchan - a stream of bytes between two domains: one API, three transports, chosen at run time.
 *
 * Shape:  bytes in order, no message borders, both ways; exactly one peer over the life of the
 *         object; after a disconnect the object is dead.
 * State:  LISTENING (server, no client yet) or CONNECTING (client, no server yet) -> CONNECTED
 *         -> CLOSED. Bytes that arrived stay readable after the peer has gone. Bytes written
 *         while LISTENING or CONNECTING wait in the output ring and go out first.
 * Blocks: never. -EAGAIN says "not now"; the descriptor and the source say when to try again.
 * Limits: the output ring is bounded (ring_bytes, 64 KiB..64 MiB, rounded up to a power of two), so
 *         "room" is known.
 * Forks:  one process uses a vchan. A forked child leaves it alone (its descriptors are
 *         close-on-exec): closing it there would disconnect the parent's.
 * Source: docs/vchan.md. Transports: vchan_socket.c, vchan_broker.c, vchan_xen.c (a module).
 */
#ifndef SHARED_VCHAN_VCHAN_H
#define SHARED_VCHAN_VCHAN_H

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

struct vchan;

enum vchan_state {
	VCHAN_CLOSED = 0, /* the peer has gone, or the connection failed: vchan_error() */
	VCHAN_CONNECTED = 1,
	VCHAN_LISTENING = 2,
	VCHAN_CONNECTING = 3,
};

#define VCHAN_RING_BYTES 65536 /* default and least size of the output ring */

/*
 * spec names the transport: "broker:SOCKET", "socket" (VCHAN_SOCKET_DIR, VCHAN_DOMAIN) or "xen".
 * NULL: QUBES_VCHAN; when that is unset, "socket" if VCHAN_SOCKET_DIR is set, else the domain's
 * broker socket (vchan.sock in the runtime folder) if it is there, else "xen" if its event channel
 * device opens, else -ENOTCONN.
 *
 * domain is the peer, port 0..2^31-1. ring_bytes 0 is the default. Both return at once; a client
 * waits in state CONNECTING until its server appears: time limits are the caller's. It may also be
 * CONNECTED already; the descriptor and the source tell of that as well.
 * Return 0 or a negative errno (-EINVAL, -ENAMETOOLONG, -ENOPKG when the Xen module is missing, those
 * of the sockets); what only turns out later, such as a refusal by the broker, is vchan_error() of
 * a CLOSED one. *ret is the caller's, to be closed.
 */
int vchan_listen(
    const char *spec, uint32_t domain, uint32_t port, size_t ring_bytes, struct vchan **ret);
int vchan_connect(
    const char *spec, uint32_t domain, uint32_t port, size_t ring_bytes, struct vchan **ret);

/* Drops what is still queued and disconnects. NULL is fine. */
void vchan_close(struct vchan *vchan);

/* Reads 1..len bytes and returns their count; 0 when the stream is over; -EAGAIN; -errno. */
ssize_t vchan_read(struct vchan *vchan, void *buffer, size_t len);

/* Queues 1..len bytes and returns their count; -EAGAIN when the ring is full; -EPIPE. */
ssize_t vchan_write(struct vchan *vchan, const void *bytes, size_t len);

enum vchan_state vchan_state(const struct vchan *vchan);
int vchan_error(const struct vchan *vchan);   /* why it is CLOSED: negative errno, 0 = peer's end */
size_t vchan_room(const struct vchan *vchan); /* bytes vchan_write() would take now */
size_t vchan_queued(const struct vchan *vchan); /* bytes taken and not yet handed to the peer */

/*
 * Blocks until nothing is queued, the peer has gone, or timeout_ms is over (-1: no limit); for
 * programs at their end. Returns 0, -EPIPE or -ETIMEDOUT.
 */
int vchan_drain(struct vchan *vchan, int timeout_ms);

/*
 * One descriptor that polls readable whenever reading, writing or the state may have moved on.
 * After it did, call vchan_dispatch() once, then read and write until -EAGAIN.
 */
int vchan_fd(const struct vchan *vchan);
void vchan_dispatch(struct vchan *vchan);

/*
 * A GLib source with the prepare step: the callback (a GSourceFunc) runs when there are bytes to
 * read, when room has come after -EAGAIN, and when the state has changed. It is level-triggered
 * for unread bytes, up to the read that returns 0; vchan_source_set_reading(false) stops that, for
 * back-pressure, and the end of the peer is reported all the same, once. The source must be
 * destroyed before the vchan is closed; both may happen inside the callback.
 */
GSource *vchan_source_new(struct vchan *vchan);
void vchan_source_set_reading(GSource *source, gboolean on);

#endif
