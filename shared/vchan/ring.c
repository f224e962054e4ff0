#include "shared/vchan/ring.h"

#include <assert.h>
#include <glib.h>
#include <string.h>

void
ring_init(struct ring *ring, size_t size)
{
	assert(size > 0 && (size & (size - 1)) == 0);
	*ring = (struct ring){.size = size};
}

void
ring_fini(struct ring *ring)
{
	g_clear_pointer(&ring->bytes, g_free);
	ring->used = 0;
}

size_t
ring_room(const struct ring *ring)
{
	return ring->size - ring->used;
}

size_t
ring_put(struct ring *ring, const void *bytes, size_t len)
{
	size_t end = (ring->start + ring->used) & (ring->size - 1);
	size_t before_wrap;

	len = MIN(len, ring_room(ring));
	if (len == 0)
		return 0;
	if (ring->bytes == NULL)
		ring->bytes = g_malloc(ring->size);
	before_wrap = MIN(len, ring->size - end);
	memcpy(ring->bytes + end, bytes, before_wrap);
	memcpy(ring->bytes, (const uint8_t *)bytes + before_wrap, len - before_wrap);
	ring->used += len;
	return len;
}

int
ring_segments(const struct ring *ring, struct iovec ret[2])
{
	size_t before_wrap = MIN(ring->used, ring->size - ring->start);

	if (ring->used == 0)
		return 0;
	ret[0] = (struct iovec){ring->bytes + ring->start, before_wrap};
	ret[1] = (struct iovec){ring->bytes, ring->used - before_wrap};
	return ret[1].iov_len > 0 ? 2 : 1;
}

void
ring_drop(struct ring *ring, size_t len)
{
	assert(len <= ring->used);
	ring->used -= len;
	ring->start = ring->used == 0 ? 0 : (ring->start + len) & (ring->size - 1);
}
