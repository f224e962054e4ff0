/*
 * stamp - a point in time written as pixels, so that whoever sees the pixels on a screen knows how
 * long they took to get there. Shape: one row of STAMP_PIXELS; pixel 0 is STAMP_MAGIC, pixel 1 a
 * counter, pixels 2..65 the bits of CLOCK_MONOTONIC in nanoseconds, lowest first, black or white.
 */
#ifndef TESTS_BENCH_STAMP_H
#define TESTS_BENCH_STAMP_H

#include <stdint.h>
#include <time.h>

#define STAMP_PIXELS 66
#define STAMP_MAGIC 0x13579bu

static inline uint64_t
stamp_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void
stamp_write(uint32_t pixels[STAMP_PIXELS], uint32_t counter, uint64_t time_ns)
{
	pixels[0] = STAMP_MAGIC;
	pixels[1] = counter & 0xffffff;
	for (unsigned i = 0; i < 64; i++)
		pixels[2 + i] = time_ns >> i & 1 ? 0xffffff : 0;
}

/* Returns the time, 0 when the pixels are no stamp. */
static inline uint64_t
stamp_read(const uint32_t pixels[STAMP_PIXELS], uint32_t *ret_counter)
{
	uint64_t time_ns = 0;

	if ((pixels[0] & 0xffffff) != STAMP_MAGIC)
		return 0;
	*ret_counter = pixels[1] & 0xffffff;
	for (unsigned i = 0; i < 64; i++)
		time_ns |= (uint64_t)((pixels[2 + i] & 0xffffff) != 0) << i;
	return time_ns;
}

#endif
