/*
 * environment - what a service sees in its environment.
 *
 * The base is our own environment without anything that begins with QREXEC; or, when the service
 * runs as another user, nothing but that user's name, home, shell and a PATH. On top come the
 * variables of docs/qrexec.md, and the folder of our own programs at the end of PATH.
 */
#ifndef QREXEC_ENVIRONMENT_H
#define QREXEC_ENVIRONMENT_H

#include "qrexec/process.h"
#include "shared/qrexec_decode.h"
#include "shared/qrexec_text_decode.h"

/* user NULL: ours. command may be a shell command. The result is for g_strfreev(). */
char **environment_for(const struct qrexec_command *command, const struct process_user *user);

/* The base alone, for programs that are no services. */
char **environment_base(void);

#endif
