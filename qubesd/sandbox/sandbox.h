/*
 * sandbox - the three things bordure-sandbox does.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include "qubesd/sandbox/options.h"

#define SANDBOX_NO_BWRAP                                                                           \
	"bubblewrap is not installed: there is no bwrap in PATH (apt install bubblewrap)"

/*
 * Makes the sandbox, tells status_fd "ready XID\n" or "error SENTENCE\n", stays until the sandbox
 * ends, and removes what was made. Returns the exit status of the program.
 */
int sandbox_start(const struct sandbox_options *options);

/* Removes what a sandbox left that lost its supervisor; -EBUSY while that one lives. */
int sandbox_clean(uint32_t xid);

/* Can a sandbox be made here? NULL, or a sentence that says what to do (g_free()). */
char *sandbox_check(void);

#endif
