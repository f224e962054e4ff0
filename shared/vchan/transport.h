/*
 * transport - what a vchan transport is to vchan.c; nobody else includes this.
 *
 * Shape:  a transport's object begins with a struct vchan, whose fields it keeps up to date; its
 *         calls are the functions of vchan.h after the checks that all transports share.
 * Events: INPUT is a level (set while a read might return something other than -EAGAIN); ROOM and
 *         STATE are set once per occurrence and taken away by the source that reports them.
 */
#ifndef SHARED_VCHAN_TRANSPORT_H
#define SHARED_VCHAN_TRANSPORT_H

#include "shared/vchan/spec.h"
#include "shared/vchan/vchan.h"

#define VCHAN_EVENT_INPUT 1u
#define VCHAN_EVENT_ROOM 2u
#define VCHAN_EVENT_STATE 4u

#define VCHAN_PORT_MAX 0x7fffffffu
#define VCHAN_RING_BYTES_MAX (64u << 20)

struct vchan {
	const struct vchan_calls *calls; /* borrowed: a constant of the transport */
	enum vchan_state state;
	int error;
	unsigned events;
};

/* What is to be opened; checked by vchan.c. */
struct vchan_endpoint {
	enum vchan_state role; /* VCHAN_LISTENING or VCHAN_CONNECTING */
	uint32_t domain, port;
	size_t ring_bytes; /* a power of two, VCHAN_RING_BYTES..VCHAN_RING_BYTES_MAX */
};

/* Returns 0 or a negative errno; *ret is untouched on failure. */
typedef int (*vchan_open_func)(
    const struct vchan_spec *spec, const struct vchan_endpoint *endpoint, struct vchan **ret);

struct vchan_calls {
	void (*close)(struct vchan *vchan);
	ssize_t (*read)(struct vchan *vchan, void *buffer, size_t len);       /* len > 0 */
	ssize_t (*write)(struct vchan *vchan, const void *bytes, size_t len); /* len > 0 */
	size_t (*room)(const struct vchan *vchan);
	size_t (*queued)(const struct vchan *vchan);
	int (*fd)(const struct vchan *vchan);
	void (*dispatch)(struct vchan *vchan);
};

int vchan_socket_open(
    const struct vchan_spec *spec, const struct vchan_endpoint *endpoint, struct vchan **ret);
int vchan_broker_open(
    const struct vchan_spec *spec, const struct vchan_endpoint *endpoint, struct vchan **ret);

/* The name of the same function in the module vchan-xen.so. */
#define VCHAN_XEN_MODULE "vchan-xen"
#define VCHAN_XEN_SYMBOL "vchan_xen_open"

static inline void
vchan_enter(struct vchan *vchan, enum vchan_state state, int error)
{
	vchan->state = state;
	vchan->error = error;
	vchan->events |= VCHAN_EVENT_STATE;
}

#endif
