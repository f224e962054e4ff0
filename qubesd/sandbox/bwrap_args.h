/*
 * bwrap_args - what bubblewrap is told: the whole of what a sandbox sees, in one list.
 *
 * Pure but for the files in memory that it makes for contents: those descriptors are inherited by
 * bubblewrap, and belong to the struct until then.
 */
#ifndef SANDBOX_BWRAP_ARGS_H
#define SANDBOX_BWRAP_ARGS_H

#include "qubesd/sandbox/identity.h"
#include "qubesd/sandbox/options.h"
#include "qubesd/sandbox/stage.h"

#include <glib.h>

struct bwrap_args {
	GPtrArray *argv; /* owned: char *, the first is the program, NULL-terminated */
	GArray *fds;     /* owned: int, not close-on-exec */
};

/* info_fd gets bubblewrap's report, ready_fd is for process 1 inside; both borrowed. */
int bwrap_args_new(const char *program, const struct sandbox_options *options,
    const struct identity *identity, const struct stage *stage, int info_fd, int ready_fd,
    struct bwrap_args *ret);
void bwrap_args_clear(struct bwrap_args *args);

#endif
