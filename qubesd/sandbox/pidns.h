/*
 * pidns - all processes of a sandbox, found by their PID namespace; for systems without control
 * groups that we may write.
 */
#ifndef SANDBOX_PIDNS_H
#define SANDBOX_PIDNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Stops (or continues) every process in init's namespace; a pass over all of /proc is repeated
 * until it meets none that still runs. 0; -ESRCH when init has gone; -EAGAIN when they fork faster
 * than we stop them.
 */
int pidns_freeze(pid_t init, bool on);
/* Is init itself stopped? */
bool pidns_is_frozen(pid_t init);

/* Sums over them. Memory that they share is counted in each. 0 or -ESRCH. */
int pidns_usage(pid_t init, uint64_t *ret_memory_kib, uint64_t *ret_cpu_ns);

#endif
