/*
 * channel - messages both ways with one peer, over a vchan or a local socket.
 *
 * Used by everything that is control and not data: daemon and agent, daemon and its clients, the
 * agent and the programs that call. What arrives is checked against the rules and comes as whole
 * messages; what is sent waits in a queue when the peer is slow.
 *
 * Limits: the queue. Whoever sends because somebody else asked stops reading from that somebody
 *         while channel_is_full(); a peer that lets more than CHANNEL_QUEUE_BYTES pile up all the
 *         same loses the channel (-ENOBUFS).
 * Blocks: never.
 */
#ifndef QREXEC_CHANNEL_H
#define QREXEC_CHANNEL_H

#include "shared/qrexec_decode.h"
#include "shared/vchan/vchan.h"

#include <glib.h>
#include <stdbool.h>

#define CHANNEL_FULL_BYTES (128 * 1024)
#define CHANNEL_QUEUE_BYTES (1024 * 1024)

struct channel;

/* Every callback may free the channel. */
struct channel_events {
	/* A negative errno ends the channel with that error. */
	int (*message)(struct channel *channel, const struct qrexec_message *message, void *data);
	/* Once: 0 when the peer left between two messages, else a negative errno. */
	void (*end)(struct channel *channel, int error, void *data);
	/* The queue was full and is not any more; may be NULL. */
	void (*drained)(struct channel *channel, void *data);
};

/* The descriptor or vchan is taken over; events is borrowed for ever, data from the caller. */
struct channel *channel_new_on_fd(
    int fd, struct qrexec_rules rules, const struct channel_events *events, void *data);
struct channel *channel_new_on_vchan(struct vchan *vchan, struct qrexec_rules rules,
    const struct channel_events *events, void *data);
void channel_free(struct channel *channel); /* what is queued is lost; NULL is fine */

/* What the next message may be; inside the message callback or before anything came. */
void channel_set_rules(struct channel *channel, struct qrexec_rules rules);

/*
 * Queues a message whose body is two pieces. Errors show as the end of the channel; nothing is sent
 * or kept once there is one.
 */
void channel_send(struct channel *channel, uint32_t type, const void *head, size_t head_len,
    const void *tail, size_t tail_len);
/* Queues bytes without a header. */
void channel_send_raw(struct channel *channel, const void *bytes, size_t len);
void channel_send_hello(struct channel *channel, uint32_t version);

bool channel_is_full(const struct channel *channel);
void channel_set_reading(struct channel *channel, bool on);

/* Why it ended, for people: the errors of a channel have special meanings. */
const char *channel_strerror(int error);

#endif
