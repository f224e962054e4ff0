/*
 * instance - one daemon a domain, and how it gets into the background.
 *
 * The file guid-running.ID in the runtime folder belongs to the running daemon: locked as long as
 * it lives, so that one left behind by a crash is known for dead, with its process id in it.
 */
#ifndef GUI_DAEMON_INSTANCE_H
#define GUI_DAEMON_INSTANCE_H

#include <stdint.h>

struct instance;

/*
 * Returns 0 with *ret to be freed; -EALREADY when a daemon for this domain is running; another
 * error when the file cannot be made.
 */
int instance_new(uint32_t domid, struct instance **ret);
void instance_write_pid(struct instance *instance);
void instance_free(struct instance *instance); /* removes the file; NULL is fine */
/* In the parent of a daemon, to which the file belongs from now on. NULL is fine. */
void instance_leave_to_child(struct instance *instance);

/*
 * Forks. In the child returns 0, with *ret_ready a descriptor to write a byte to when the agent is
 * connected; the child has its own session and its output goes to log_path. The parent waits for
 * that byte at most timeout_s seconds (0: one second, and then all is well) and returns 1 with the
 * exit status in *ret_status. Or a negative errno.
 */
int instance_background(const char *log_path, unsigned timeout_s, int *ret_ready, int *ret_status);

#endif
