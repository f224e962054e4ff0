/*
 * server - the policy daemon's sockets: bytes to calls, decisions to bytes.
 *
 * Who:    the policy socket is for qrexec-daemons; the two evaluation sockets are services that
 *         qubes may call where the policy lets them.
 * Shape:  one request a connection. A request that is not well formed gets no answer at all: its
 *         connection is closed, which the other side counts as a denial.
 * Order:  a request is decided in a turn of the main loop after the one that read it, at a lower
 *         priority than qubesd's events (see system_source.h).
 * Limits: SERVER_CONNECTIONS_MAX, SERVER_REQUEST_MS for a request to come whole. A client that
 *         hangs up while the user is asked ends the question.
 */
#ifndef QREXEC_POLICY_SERVER_H
#define QREXEC_POLICY_SERVER_H

#include "qrexec/policy/decider.h"

#define SERVER_CONNECTIONS_MAX 4096
#define SERVER_REQUEST_MS 5000

enum server_socket {
	SERVER_POLICY,
	SERVER_EVAL_SIMPLE,
	SERVER_EVAL_GUI, /* answers only about qubes whose GUI domain the caller is */
	SERVER_SOCKETS,
};

struct server;

/* All are borrowed; info and data as in decider_new(). */
struct server *server_new(struct decider *decider, decider_info info, void *data);
void server_free(struct server *server); /* NULL is fine; removes the sockets */

/*
 * Makes a socket at path, mode 0660, instead of a dead one that may be there. Returns 0,
 * -EADDRINUSE when somebody answers at path, or another negative errno.
 */
int server_listen(struct server *server, enum server_socket kind, const char *path);

#endif
