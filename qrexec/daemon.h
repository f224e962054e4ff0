/*
 * daemon - what the parts of qrexec-daemon share: the qube it serves, and the control channel to
 * the qube's agent.
 */
#ifndef QREXEC_DAEMON_H
#define QREXEC_DAEMON_H

#include "qrexec/channel.h"
#include "qrexec/ports.h"
#include "qrexec/session_wait.h"
#include "shared/qrexec_decode.h"

struct daemon_clients;
struct triggers;

struct daemon {
	/* From the command line; borrowed. */
	uint32_t domain;
	const char *name, *uuid, *default_user, *socket_dir, *policy_program;

	struct channel *control; /* NULL while there is no agent */
	uint32_t version;        /* of the agent; 0 before the handshake */
	struct ports ports;
	struct daemon_clients *clients; /* NULL while there is no agent */
	struct triggers *triggers;
	struct session_wait *session_wait;

	/* Refusals since the window began; see daemon_note_refusal(). */
	unsigned refusals;
	guint refusal_window; /* of the loop; 0: none is open */
	bool throttled;       /* the agent is not read until it closes */
};

/* Messages to the agent. Nothing happens while there is none. */
void daemon_send_exec(
    struct daemon *daemon, uint32_t type, uint32_t domain, uint32_t port, const char *command);
void daemon_send_connect(
    struct daemon *daemon, const struct qrexec_place *place, const struct qrexec_ident *ident);
void daemon_send_refused(struct daemon *daemon, const struct qrexec_ident *ident);

/*
 * Counts one more call that was refused. True when it may be logged: a qube that is refused all the
 * time fills no log, and beyond a bound is not listened to for the rest of the second.
 */
bool daemon_note_refusal(struct daemon *daemon);

#endif
