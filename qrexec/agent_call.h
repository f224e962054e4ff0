/*
 * agent_call - one command that the trusted side has sent: waits for the session if it should, then
 * goes to the fork server of the user's session, or runs here.
 */
#ifndef QREXEC_AGENT_CALL_H
#define QREXEC_AGENT_CALL_H

#include "qrexec/session_wait.h"
#include "shared/qrexec_decode.h"

struct agent_call;

struct agent_call_context {
	const char *fork_server;   /* path with %s for the user; NULL: none; borrowed */
	struct session_wait *wait; /* borrowed */
};

/* Once, from the loop, however the call ended; it is to be freed. */
typedef void (*agent_call_done)(struct agent_call *call, void *data);

struct agent_call *agent_call_new(const struct agent_call_context *context, uint32_t type,
    const struct qrexec_exec *exec, agent_call_done done, void *data);
void agent_call_free(struct agent_call *call);

/* Where it takes place. */
struct qrexec_place agent_call_place(const struct agent_call *call);

#endif
