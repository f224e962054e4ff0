/*
 * mux - all vchans of a virtual machine over its one port.
 *
 * Talks to: the mux on the other side. A port is no connection: it may be closed and opened anew
 *           there, bytes sent meanwhile are lost, bytes of an earlier time may still be in it. So
 *           there are sessions: the guest asks for one with a number of its own choosing, the host
 *           answers with that number and one of its own, and each passes over everything until then.
 *           Whatever is wrong later ends the session, and a new one is made.
 * They choose: what to send and when, whether to read. To the host the other side is hostile.
 *
 * Promises: one side that does not read, floods, or sends garbage keeps nobody waiting but its own
 *           channels: at most MUX_CHANNELS of them, each with at most MUX_WINDOW bytes of memory,
 *           and besides two buffers of fixed size. Channels that have something to send take turns,
 *           a frame each. One turn of the loop handles a bounded number of frames. After a session
 *           that ended badly the next one waits, up to MUX_PAUSE_MAX_MS.
 * End:      with a session its vchans end. What had come by then is still given to the programs.
 * Runs on the default main context.
 * Source:   docs/vchan.md, "The port of a virtual machine".
 */
#ifndef SHARED_VCHAN_MUX_H
#define SHARED_VCHAN_MUX_H

#include "shared/vchan/mux_decode.h"

#define MUX_PAUSE_MIN_MS 10
#define MUX_PAUSE_MAX_MS 5000
#define MUX_SESSION_GOOD_MS 10000 /* a session of this length takes the pause back to the least */

struct mux;
struct mux_channel;

/* owner is what was last given for the channel; it may be freed in on_refused and on_closed. */
struct mux_calls {
	/* Host: what the guest is told in the session that begins now, at most MUX_CONF_MAX bytes.
	 * It is wiped and freed (g_free()) when it is under way. */
	char *(*make_conf)(void *user);
	/* A session begins; in the guest conf is the host's text for it, and gone afterwards. */
	void (*on_session)(void *user, const char *conf, size_t conf_len);
	/* It is over, and so is every channel that was not open; the others follow when their
	 * programs have taken what came. error is 0 for an orderly end. */
	void (*on_session_end)(void *user, int error);
	/* Host: to be answered, now or later, with mux_accept() or mux_refuse(). */
	void (*on_open)(void *user, struct mux_channel *channel, const struct mux_frame *open);
	/* Guest: to be answered with mux_start(), now. */
	void (*on_opened)(void *owner, struct mux_channel *channel);
	/* Guest: the channel is not the owner's any more. error is negative. */
	void (*on_refused)(void *owner, int error);
	/* The vchan is over for the program at this end; the channel is not the owner's any more. */
	void (*on_closed)(void *owner);
	/* Guest: a number is free again; NULL: nobody asks. */
	void (*on_number_free)(void *user);
};

/*
 * path: a unix socket that somebody listens on, or a character device; it is opened, and opened
 * again, whenever it can be. Returns 0 or a negative errno.
 */
int mux_new(const char *path, enum mux_side side, const struct mux_calls *calls, void *user,
    struct mux **ret);
/* Says BYE when it can. Calls nothing; the owners of channels must not use them any more. */
void mux_free(struct mux *mux);

/* Host. The first takes over fd also on failure: then the guest was refused. */
int mux_accept(struct mux_channel *channel, void *owner, int fd);
void mux_refuse(struct mux_channel *channel, int error);
/* Whose the channel is while the answer waits. */
void mux_set_owner(struct mux_channel *channel, void *owner);

/* Guest. -ENOTCONN without a session, -EAGAIN while all numbers are in use. */
int mux_open(struct mux *mux, enum mux_role role, uint32_t peer, uint32_t port, void *owner,
    struct mux_channel **ret);
/* Takes over fd. When it fails, the channel is closed and not the owner's any more. */
int mux_start(struct mux_channel *channel, int fd);

/* The owner ends its vchan; what the program wrote before is still sent. */
void mux_leave(struct mux_channel *channel);

#endif
