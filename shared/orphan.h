/*
 * orphan - a child process that nobody waits for any more: the main loop reaps it when it ends, or
 * whoever inherits it from us. Nobody else may wait for it.
 */
#ifndef SHARED_ORPHAN_H
#define SHARED_ORPHAN_H

#include <sys/types.h>

/* signal_number is sent to it first; 0: none, it ends by itself. */
void orphan_leave(pid_t pid, int signal_number);

#endif
