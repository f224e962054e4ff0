/*
 * keeper - the loop of process 1: keeps the agents running, reaps, and ends everything in order.
 *
 * Signals come through a descriptor, so none is handled in the middle of something. SIGTERM or
 * SIGINT, or keeper_end(), begins the end: every process gets SIGTERM, and those that are left
 * after KEEPER_END_MS get SIGKILL.
 */
#ifndef GUEST_KEEPER_H
#define GUEST_KEEPER_H

#include "qubesd/guest/agents.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEEPER_END_MS 5000 /* from TERM to KILL */
#define KEEPER_WATCHES 16

struct keeper;

/* A descriptor that the loop waits for besides; it has become readable, or is broken. */
typedef void (*keeper_watch_fn)(struct keeper *keeper, int fd, void *data);

struct keeper {
	struct agents agents; /* those that are added while it runs start at the next turn */
	int signals;          /* signalfd */
	bool ending;
	int64_t kill_ms; /* when patience is over; while ending */
	struct {
		int fd; /* borrowed; -1: free */
		keeper_watch_fn fn;
		void *data;
	} watches[KEEPER_WATCHES];
};

/* Blocks the signals of this process. Returns 0 or a negative errno. */
int keeper_init(struct keeper *keeper);
/* Returns 0, or -ENOSPC when there are KEEPER_WATCHES already. */
int keeper_watch(struct keeper *keeper, int fd, keeper_watch_fn fn, void *data);
/* Forgets a descriptor; the caller closes it. */
void keeper_unwatch(struct keeper *keeper, int fd);
/* Begins the end; more calls change nothing. */
void keeper_end(struct keeper *keeper);
/* Runs until every process has ended, or has been killed. */
void keeper_run(struct keeper *keeper);

int64_t keeper_now_ms(void); /* monotonic */

#endif
