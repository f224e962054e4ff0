/*
 * outbox - what waits to be sent to the agent; the daemon never waits for it.
 *
 * A qube that does not read its input loses input, not its windows: beyond OUTBOX_SOFT_BYTES a
 * message marked OUTBOX_MAY is refused, and the caller neither counts it as sent nor repeats it
 * later in another situation. OUTBOX_MUST (acknowledgements, releases of what was pressed, own
 * geometry) is always taken: there are only so many of them while the guest's stream is not read,
 * and it is not read while outbox_is_full(). At OUTBOX_HARD_BYTES the outbox gives up: -ENOBUFS.
 * Motion that directly follows motion of the same window replaces it.
 */
#ifndef GUI_DAEMON_OUTBOX_H
#define GUI_DAEMON_OUTBOX_H

#include "shared/gui_decode.h"
#include "shared/vchan/vchan.h"

#define OUTBOX_SOFT_BYTES (64 * 1024)
#define OUTBOX_HARD_BYTES (4 * 1024 * 1024)

enum outbox_class {
	OUTBOX_MUST,
	OUTBOX_MAY,
};

struct outbox;

/* Called when something waits that did not before: time to flush, soon. May be NULL. */
typedef void (*outbox_wake_func)(void *data);

struct outbox *outbox_new(outbox_wake_func on_wake, void *data);
void outbox_free(struct outbox *outbox); /* NULL is fine; what waits is lost */

/* Queues one message. False when it was refused. */
bool outbox_send(struct outbox *outbox, enum outbox_class class, enum gui_message type,
    struct guest_window window, const void *body, size_t len);
/* The handshake: bytes without a header. */
void outbox_send_raw(struct outbox *outbox, const void *bytes, size_t len);

/*
 * Hands on what the vchan takes. Returns 0, also when something is left; -ENOBUFS; or the vchan's
 * error.
 */
int outbox_flush(struct outbox *outbox, struct vchan *vchan);

bool outbox_is_empty(const struct outbox *outbox);
bool outbox_is_full(const struct outbox *outbox); /* beyond the soft limit */
size_t outbox_bytes(const struct outbox *outbox);

#endif
