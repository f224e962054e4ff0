/*
 * mux_decode - frames of the multiplexer, taken apart and put together.
 *
 * Trust:  to the host all that the port brings is the guest's; to the guest the port brings frames
 *         of the host, but after a loss also the rest of frames whose contents another domain
 *         chose. What is returned here has the form that mux_wire.h gives it, comes from the side
 *         that may send it, and ends with the tag of the session. Whether a channel exists, and what
 *         may be said on it now, is the session's business (mux.h).
 * Break:  MUX_FRAME_MAX zeros. They end whatever frame was begun before with a wrong tag, and no
 *         frame begins with a zero: the receiver's session is over, wherever it was.
 * Source: docs/vchan.md, "The port of a virtual machine".
 */
#ifndef SHARED_VCHAN_MUX_DECODE_H
#define SHARED_VCHAN_MUX_DECODE_H

#include "shared/untrusted.h"
#include "shared/vchan/mux_wire.h"

#include <sys/types.h>

#define MUX_CHANNELS 512   /* numbers 0..511, chosen by the guest */
#define MUX_WINDOW 131072u /* bytes one side may send on a channel before it is given credit */
#define MUX_CONF_MAX 4096  /* bytes of guest.conf */
#define MUX_FRAME_MAX 32768
#define MUX_OVERHEAD (sizeof(struct mux_wire_header) + sizeof(struct mux_wire_tag))
#define MUX_DATA_MAX (MUX_FRAME_MAX - MUX_OVERHEAD)                  /* bytes of one DATA frame */
#define MUX_SMALL_MAX (MUX_OVERHEAD + sizeof(struct mux_wire_hello)) /* any but DATA and HELLO */

enum mux_side {
	MUX_HOST,
	MUX_GUEST,
};

enum mux_role {
	MUX_LISTEN = 1,
	MUX_CONNECT = 2,
};

/* A frame within a session: OPEN to BYE. Members that its type has not are 0. */
struct mux_frame {
	enum mux_type type;
	uint32_t channel;    /* 0..MUX_CHANNELS-1 */
	enum mux_role role;  /* OPEN */
	uint32_t peer;       /* OPEN */
	uint32_t port;       /* OPEN: 0..2^31-1 */
	int error;           /* REFUSED: -4095..-1 */
	uint32_t credit;     /* CREDIT: 1..MUX_WINDOW */
	const uint8_t *data; /* DATA: borrowed; carried, and never looked at */
	size_t data_len;     /* DATA: 1..MUX_DATA_MAX */
};

struct mux_hello {
	uint32_t session; /* not 0 */
	const char *conf; /* borrowed, without a NUL at its end */
	size_t conf_len;  /* 0..MUX_CONF_MAX */
};

/*
 * Pure. Each looks at the frame at the beginning of a stream and returns how many bytes it takes; 0
 * when there may be one but its end is not there yet; -EPROTO when there is none, whatever follows.
 * *ret is filled in the first case and untouched in the others.
 */
ssize_t mux_decode(struct untrusted_bytes untrusted_stream, enum mux_side sender, uint32_t tag,
    struct mux_frame *ret);
/* *ret is the nonce, its low half not 0. -EPROTONOSUPPORT for a guest of another version. */
ssize_t mux_decode_request(struct untrusted_bytes untrusted_stream, uint64_t *ret);
/* Only the one that answers this nonce; any other is -EPROTO as soon as that can be seen. */
ssize_t mux_decode_hello(
    struct untrusted_bytes untrusted_stream, uint64_t nonce, struct mux_hello *ret);

/*
 * How many bytes at the beginning of the stream cannot be part of a greeting of that side (REQUEST
 * of the guest, HELLO of the host): what a hunter may forget.
 */
size_t mux_hunt(struct untrusted_bytes untrusted_stream, enum mux_side sender);

/* Each writes one frame and returns its length; the first at most MUX_SMALL_MAX bytes, no DATA. */
size_t mux_encode(const struct mux_frame *frame, uint32_t tag, uint8_t *buffer);
size_t mux_encode_request(uint64_t nonce, uint8_t *buffer);
size_t mux_encode_hello(
    uint32_t session, uint64_t nonce, const char *conf, size_t conf_len, uint8_t *buffer);
/* Frames the len bytes (1..MUX_DATA_MAX) that stand at mux_data_at(buffer) already. */
size_t mux_encode_data(uint32_t channel, size_t len, uint32_t tag, uint8_t *buffer);
uint8_t *mux_data_at(uint8_t *buffer);

#endif
