/*
 * untrusted - types for values that somebody outside the trusted side chose.
 *
 * A number from a qube is a one-member struct: comparing, adding, indexing or printing it does
 * not compile. Only the decoders (the _decode.c files) open it, through the functions below, and
 * hand on checked values of ordinary types. Nothing else may mention the member `raw`.
 */
#ifndef SHARED_UNTRUSTED_H
#define SHARED_UNTRUSTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct untrusted_u32 {
	uint32_t raw; /* host byte order, which is little endian on every machine we run on */
};

struct untrusted_i32 {
	int32_t raw;
};

/* Bytes that somebody else chose; their count is our own. Borrowed, never NUL-terminated. */
struct untrusted_bytes {
	const uint8_t *raw;
	size_t len;
};

/* Stores the value and returns true when min <= in <= max; else leaves *ret alone. */
static inline bool
untrusted_u32_between(struct untrusted_u32 in, uint32_t min, uint32_t max, uint32_t *ret)
{
	if (in.raw < min || in.raw > max)
		return false;
	*ret = in.raw;
	return true;
}

/* Returns the value, or the nearer bound when it lies outside min..max. */
static inline uint32_t
untrusted_u32_clamped(struct untrusted_u32 in, uint32_t min, uint32_t max)
{
	return in.raw < min ? min : in.raw > max ? max : in.raw;
}

/* Returns the value, or the nearer bound when it lies outside min..max. */
static inline int32_t
untrusted_i32_clamped(struct untrusted_i32 in, int32_t min, int32_t max)
{
	return in.raw < min ? min : in.raw > max ? max : in.raw;
}

static inline struct untrusted_bytes
untrusted_bytes_of(const void *data, size_t len)
{
	struct untrusted_bytes bytes = {data, len};

	return bytes;
}

/* A copy of our own, to be freed; aborts when memory is gone. Bound its length first. */
static inline struct untrusted_bytes
untrusted_bytes_dup(struct untrusted_bytes in)
{
	void *copy = malloc(in.len > 0 ? in.len : 1);

	if (copy == NULL)
		abort();
	if (in.len > 0)
		memcpy(copy, in.raw, in.len);
	return untrusted_bytes_of(copy, in.len);
}

static inline void
untrusted_bytes_free(struct untrusted_bytes bytes)
{
	free((void *)bytes.raw);
}

#endif
