/*
 * child - a program that is kept running: started again with back-off when it ends, ended by its
 * pid when it is not wanted any more. It does not outlive its starter.
 */
#ifndef QUBESD_TOOLS_SESSION_CHILD_H
#define QUBESD_TOOLS_SESSION_CHILD_H

#include <stdbool.h>

struct child;

/* The child has ended after child_end() and is freed when this returns. */
typedef void (*child_ended)(void *data);

/*
 * Starts argv (taken over). name is for the log. may_give_up: three failures in a minute and it is
 * left alone, with one notice in the log; it is still to be ended.
 */
struct child *child_new(const char *name, char **argv, bool may_give_up);

/*
 * Ends it: SIGTERM, after CHILD_PATIENCE_MS SIGKILL. on_ended is called once, from the main loop.
 * A second call changes nothing.
 */
void child_end(struct child *child, child_ended on_ended, void *data);

#define CHILD_PATIENCE_MS 3000

#endif
