/*
 * ring - a bounded queue of bytes: the output that a peer has not taken yet.
 *
 * Shape:  size bytes, a power of two, allocated when the first byte comes.
 * Trust:  memory of our own only; no index is ever shared with the peer.
 */
#ifndef SHARED_VCHAN_RING_H
#define SHARED_VCHAN_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct ring {
	uint8_t *bytes; /* owned; NULL while nothing was ever queued */
	size_t size;
	size_t start; /* of the oldest byte */
	size_t used;
};

void ring_init(struct ring *ring, size_t size);
void ring_fini(struct ring *ring);

size_t ring_room(const struct ring *ring);
/* Appends as many of the bytes as there is room for; returns how many. */
size_t ring_put(struct ring *ring, const void *bytes, size_t len);
/* The queued bytes, oldest first, as 0, 1 or 2 segments. Returns how many. */
int ring_segments(const struct ring *ring, struct iovec ret[2]);
/* Forgets the oldest len bytes; len <= used. */
void ring_drop(struct ring *ring, size_t len);

#endif
