/*
 * mux_wire - what crosses the one port of a virtual machine, little endian.
 *
 * A frame is a header, len bytes of body, and the tag: 4 bytes that only the sender of this session
 * could have put there. Frames of the other side are read by mux_decode.c only.
 * Source: docs/vchan.md, "The port of a virtual machine".
 */
#ifndef SHARED_VCHAN_MUX_WIRE_H
#define SHARED_VCHAN_MUX_WIRE_H

#include <assert.h>
#include <stdint.h>

#define MUX_VERSION 1
#define MUX_MAGIC 0x78755642u /* "BVux": stands for the channel in greetings, where hunters look */

enum mux_type {
	MUX_REQUEST = 1, /* guest: it wants a session */
	MUX_HELLO = 2,   /* host: here it is */
	MUX_OPEN = 3,    /* guest: one end of a vchan, please */
	MUX_OPENED = 4,  /* host: there is the other end */
	MUX_REFUSED = 5, /* host: there will be none */
	MUX_DATA = 6,
	MUX_CREDIT = 7, /* so many bytes more may come */
	MUX_CLOSE = 8,  /* the sender's last word on this channel */
	MUX_BYE = 9,    /* the sender's last word in this session */
};

struct mux_wire_header {
	uint32_t type;
	uint32_t channel; /* MUX_MAGIC in REQUEST and HELLO, 0 in BYE */
	uint32_t len;     /* of the body */
};
static_assert(sizeof(struct mux_wire_header) == 12, "wire layout");

struct mux_wire_request {
	uint32_t version;
	uint32_t zero;
	uint64_t nonce; /* chosen by the guest; the low half is the tag, and not 0 */
};
static_assert(sizeof(struct mux_wire_request) == 16, "wire layout");

struct mux_wire_hello { /* then the text of guest.conf */
	uint32_t version;
	uint32_t session; /* chosen by the host, not 0: the tag of this frame and all that follow */
	uint64_t nonce;   /* of the request that this answers */
};
static_assert(sizeof(struct mux_wire_hello) == 16, "wire layout");

struct mux_wire_open {
	uint32_t role; /* enum mux_role */
	uint32_t peer;
	uint32_t port;
};
static_assert(sizeof(struct mux_wire_open) == 12, "wire layout");

struct mux_wire_refused {
	uint32_t error; /* a positive errno */
};
static_assert(sizeof(struct mux_wire_refused) == 4, "wire layout");

struct mux_wire_credit {
	uint32_t bytes;
};
static_assert(sizeof(struct mux_wire_credit) == 4, "wire layout");

struct mux_wire_tag {
	uint32_t tag;
};
static_assert(sizeof(struct mux_wire_tag) == 4, "wire layout");

#endif
