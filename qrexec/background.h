/*
 * background - how a daemon leaves its terminal: the program that was started waits until the daemon
 * is ready, or has ended, and says which by its exit status.
 */
#ifndef QREXEC_BACKGROUND_H
#define QREXEC_BACKGROUND_H

#include <stdbool.h>

struct background {
	const char *folder, *log; /* where the daemon is, and where it writes */
	bool quiet;               /* no dots while waiting */
	bool nowait;              /* end with 0 at once */
	int failed;    /* the status when the daemon ended before it was ready, but for: */
	int passed_on; /* this one, which is passed on */
};

/*
 * Forks. Returns in the daemon only, with a descriptor: one byte says "ready", its end without
 * one says that there will be no daemon.
 */
int background_enter(const struct background *background);

#endif
