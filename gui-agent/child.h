/*
 * child - programs that the agent starts and that must not outlive it.
 *
 * No shell between; standard input is /dev/null, output and errors go where ours go. The kernel
 * ends the child (SIGTERM) when the agent dies, however it dies.
 */
#ifndef GUI_AGENT_CHILD_H
#define GUI_AGENT_CHILD_H

#include <glib.h>

/*
 * argv[0] is looked up in PATH when it has no slash; environment NULL is our own. passed_fd (or
 * -1) is seen by the child under the same number. Returns 0; -ENOENT when there is no such
 * program, another negative errno.
 */
int child_start(const char *const *argv, const char *const *environment, int passed_fd, GPid *ret);

/* SIGTERM, then SIGKILL after two seconds; blocks until it is gone. For the end of the program. */
void child_end(GPid pid);

#endif
