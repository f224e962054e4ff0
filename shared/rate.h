/*
 * rate - how often something may happen: a number of times at once, then so many times a second.
 *
 * For what somebody else causes and we pay for, such as lines in a log. What is held back is counted
 * and told with the next one that passes.
 * Shape:  a struct rate full of zeros has its whole burst. Time comes from the caller (monotonic).
 */
#ifndef SHARED_RATE_H
#define SHARED_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate_limit {
	uint32_t burst, per_s; /* both at least 1 */
};

struct rate {
	int64_t due_us; /* when all that was admitted would be over at per_s */
	uint64_t held;  /* since the last one that was admitted */
};

/* True when it may happen now; *ret_held is then how many before it were held back. */
static inline bool
rate_admit(struct rate *rate, const struct rate_limit *limit, int64_t now_us, uint64_t *ret_held)
{
	int64_t each_us = 1000000 / limit->per_s;
	int64_t due_us = rate->due_us > now_us ? rate->due_us : now_us;

	if (due_us - now_us > (int64_t)(limit->burst - 1) * each_us) {
		rate->held++;
		return false;
	}
	rate->due_us = due_us + each_us;
	*ret_held = rate->held;
	rate->held = 0;
	return true;
}

#endif
