/*
 * client_local - what qrexec-client runs on its own side: the local program of -l, and services of
 * the trusted side called from the trusted side, which replace the program.
 */
#ifndef QREXEC_CLIENT_LOCAL_H
#define QREXEC_CLIENT_LOCAL_H

#include "qrexec/process.h"

struct client_local;

/* A shell command or "QUBESRPC ...", to be connected to a call with that qube. */
struct client_local *client_local_new(const char *command, const char *domain);
void client_local_free(struct client_local *local); /* NULL is fine */
/* 0, or what the program ends with because there is nothing to run. */
int client_local_exit_code(const struct client_local *local);
const struct process_spec *client_local_spec(const struct client_local *local);

/*
 * "DEFAULT:QUBESRPC ...": becomes that service, with our own streams. Returns only when it
 * cannot: the exit code, 125 or 127.
 */
int client_local_replace(const char *command, const char *prefix);

#endif
