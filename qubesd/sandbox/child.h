/*
 * child - the process that becomes bubblewrap: everything that happens between fork and exec.
 *
 *   control groups (by the parent) -> output -> limits -> stage -> host ids, user namespace -> exec
 *
 * What fails there is said on the child's standard error, which is the guest's log already.
 */
#ifndef SANDBOX_CHILD_H
#define SANDBOX_CHILD_H

#include "qubesd/sandbox/identity.h"
#include "qubesd/sandbox/options.h"
#include "qubesd/sandbox/stage.h"

#include <sys/types.h>

struct child_setup {
	const char *bwrap;                     /* path of the program */
	const struct sandbox_options *options; /* all borrowed */
	const struct identity *identity;
	const struct stage *stage;
	char *const *cgroups;
	int output_fd; /* becomes its standard output and error */
	int info_fd;   /* for bubblewrap's report */
	int ready_fd;  /* for process 1 */
};

/*
 * 0 and the child, which dies with us; or a negative errno. When the child is there but something
 * failed, *ret_child is set as well: it ends by itself.
 */
int child_fork(const struct child_setup *setup, pid_t *ret_child);

#endif
