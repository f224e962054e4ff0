/*
 * backoff - when a program that has ended is to be started again. Pure.
 *
 * The wait doubles from 0.2 s to 5 s; a program that ran for BACKOFF_HEALTHY_MS starts from the
 * beginning. Three ends that the program itself calls a failure, within a minute, are a peer that
 * breaks the protocol on purpose: then no more.
 */
#ifndef QUBESD_TOOLS_SESSION_BACKOFF_H
#define QUBESD_TOOLS_SESSION_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_FIRST_MS 200
#define BACKOFF_MAX_MS 5000
#define BACKOFF_HEALTHY_MS 10000
#define BACKOFF_FAILURES 3
#define BACKOFF_FAILURES_MS 60000

/* Begins as zeros. */
struct backoff {
	int64_t delay_ms;                      /* of the last time; 0: none yet */
	int64_t failures_ms[BACKOFF_FAILURES]; /* when the last ones were; 0: never */
	unsigned next;                         /* the oldest of them */
};

/*
 * The program ended at now_ms (monotonic, > 0) after ran_ms. Returns the milliseconds to wait, or
 * -1: do not start it again.
 */
int64_t backoff_next(struct backoff *backoff, int64_t now_ms, int64_t ran_ms, bool failed);

#endif
