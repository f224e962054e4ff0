/*
 * stream - a vchan over a connected unix stream socket: what the transports "socket" and "broker"
 * share. They differ only in how the two ends find each other, the rendezvous.
 *
 * Shape:  the bytes of the vchan are the bytes of the socket; nothing else crosses it.
 * State:  end of file, a reset and a half-close by the peer are all the end of the stream; what
 *         arrived before stays readable.
 * Trust:  the peer may send anything at any pace; descriptors it attaches are dropped by the kernel
 *         since we never ask for them.
 * Wakes:  one epoll descriptor, edge-triggered on the socket, so that a caller who stops reading is
 *         not woken for bytes it knows of; output is watched only while some is queued.
 */
#ifndef SHARED_VCHAN_STREAM_H
#define SHARED_VCHAN_STREAM_H

#include "shared/vchan/transport.h"

/* First member of a transport's own rendezvous object. */
struct rendezvous {
	/*
	 * Tries to get further, without blocking. Returns the connected socket, the caller's from
	 * then on; -EAGAIN when a watched descriptor will tell; another negative errno when there
	 * will never be a connection. Not called again after a result other than -EAGAIN.
	 */
	int (*step)(struct rendezvous *rendezvous);
	void (*free)(struct rendezvous *rendezvous); /* when the vchan is closed */
	int epoll_fd; /* borrowed from the stream; set before the first step */
};

/*
 * For step() to return: has it called again when fd polls readable. -EAGAIN, also when fd was
 * watched before, or another negative errno.
 */
int rendezvous_wait_for(struct rendezvous *rendezvous, int fd);
void rendezvous_unwatch(struct rendezvous *rendezvous, int fd);

/*
 * Makes the vchan and takes the first step. rendezvous becomes the stream's, also on failure (it is
 * freed then). Returns 0, or what the first step said.
 */
int stream_new(
    struct rendezvous *rendezvous, const struct vchan_endpoint *endpoint, struct vchan **ret);

#endif
