/*
 * mux_channel - one vchan through the port of a virtual machine: the end that is on this side.
 *
 * Shape:  a local stream socket, whose bytes go out as DATA as far as the other side gave credit,
 *         and a ring of MUX_WINDOW bytes for what came as DATA and was not taken yet.
 * Bounds: nothing is read from the socket that cannot be sent, and the other side may not send what
 *         the ring has no room for: a side that does not read stops the one that writes, nobody
 *         else.
 * End:    each side sends CLOSE once, after its last DATA. A side that was sent CLOSE gives its
 *         program what is in the ring and then the end. The channel is over when both were sent.
 * Trust:  what the other side says was decoded before; whether it may say it now is checked here.
 */
#ifndef SHARED_VCHAN_MUX_CHANNEL_H
#define SHARED_VCHAN_MUX_CHANNEL_H

#include "shared/vchan/mux_decode.h"
#include "shared/vchan/ring.h"

#include <glib.h>
#include <stdbool.h>

/* The structs of mux.c and mux_channel.c; nobody else includes this. */
struct mux_channel {
	struct mux *mux; /* borrowed */
	void *owner;     /* borrowed; NULL once it knows that the vchan is over, or has left */
	GList node;      /* in the queue of those with something to send, or of those left over */
	bool queued;
	uint32_t number;
	int epoll_fd; /* borrowed */
	int fd;       /* owned: the local end; -1 before OPENED and when it is over */
	uint32_t interest;
	struct ring ring;         /* what the local end has not taken */
	bool readable;            /* the local end may have something */
	bool exhausted;           /* the local end says no more: CLOSE is due */
	bool deaf;                /* the local end takes no more */
	uint32_t window;          /* bytes that the other side may still send */
	uint32_t owed;            /* bytes taken since it was last given credit */
	uint32_t credit;          /* bytes that we may still send */
	struct mux_frame opening; /* OPEN, OPENED or REFUSED to be sent; type 0: none */
	bool is_open;             /* OPENED was sent or received */
	bool close_sent, close_received;
};

struct mux_channel *mux_channel_new(struct mux *mux, int epoll_fd, uint32_t number);
void mux_channel_free(struct mux_channel *channel);

/* The vchan is there; takes over its local end. Returns 0 or a negative errno; fd is closed then. */
int mux_channel_start(struct mux_channel *channel, int fd);
/* Local end over: what is in the ring is forgotten, the program on it sees the end. */
void mux_channel_stop(struct mux_channel *channel);

/* What epoll says of the local end. */
void mux_channel_dispatch(struct mux_channel *channel, uint32_t events);

/* Frames for this channel. Return 0, or -EPROTO for what may not come now. */
int mux_channel_receive_data(struct mux_channel *channel, const uint8_t *data, size_t len);
int mux_channel_receive_credit(struct mux_channel *channel, uint32_t credit);
int mux_channel_receive_close(struct mux_channel *channel);

/* Whether a frame of this channel is due. */
bool mux_channel_has_frame(const struct mux_channel *channel);
/*
 * Writes the next frame, of at most MUX_FRAME_MAX bytes; returns its length, or 0 when the local
 * end had nothing after all.
 */
size_t mux_channel_next_frame(struct mux_channel *channel, uint32_t tag, uint8_t *buffer);

/* CLOSE came, or nothing more will, and the local end has all that was sent. */
bool mux_channel_is_drained(const struct mux_channel *channel);

#endif
