#include "qubesd/tools/session/backoff.h"

static bool
is_third_failure(struct backoff *backoff, int64_t now_ms)
{
	int64_t oldest;

	backoff->failures_ms[backoff->next] = now_ms;
	backoff->next = (backoff->next + 1) % BACKOFF_FAILURES;
	oldest = backoff->failures_ms[backoff->next];
	return oldest != 0 && now_ms - oldest <= BACKOFF_FAILURES_MS;
}

int64_t
backoff_next(struct backoff *backoff, int64_t now_ms, int64_t ran_ms, bool failed)
{
	if (failed && is_third_failure(backoff, now_ms))
		return -1;
	if (backoff->delay_ms == 0 || ran_ms >= BACKOFF_HEALTHY_MS)
		backoff->delay_ms = BACKOFF_FIRST_MS;
	else if (backoff->delay_ms < BACKOFF_MAX_MS / 2)
		backoff->delay_ms *= 2;
	else
		backoff->delay_ms = BACKOFF_MAX_MS;
	return backoff->delay_ms;
}
