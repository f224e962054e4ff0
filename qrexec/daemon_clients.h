/*
 * daemon_clients - the daemon's socket on the trusted side, and the programs that use it.
 *
 * Who talks: programs of the trusted side. A client that does not keep to the protocol is dropped,
 * and nothing of what it said reaches the agent. Limits: QREXEC_TABLE_MAX clients, 30 seconds for
 * the message.
 *
 *   hello -> command -> running (a port is held) -> gone
 */
#ifndef QREXEC_DAEMON_CLIENTS_H
#define QREXEC_DAEMON_CLIENTS_H

#include "shared/qrexec_decode.h"

#include <stdbool.h>

struct daemon;
struct daemon_clients;

/*
 * Makes qrexec.<id> in the socket folder and the links qrexec.<name> and qrexec.uuid:<uuid> to it.
 * daemon is borrowed. Returns 0 or a negative errno.
 */
int daemon_clients_new(struct daemon *daemon, struct daemon_clients **ret);
/* Drops everybody and removes the socket and the links. NULL is fine. */
void daemon_clients_free(struct daemon_clients *clients);

/* Back-pressure of the control channel: nobody is accepted or read meanwhile. */
void daemon_clients_pause(struct daemon_clients *clients, bool pause);

/* A call has ended: the client that held its port learns it from the end of its connection. */
void daemon_clients_terminated(struct daemon_clients *clients, const struct qrexec_place *place);

#endif
