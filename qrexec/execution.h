/*
 * execution - the service end of one call: connects to the data vchan, starts what was asked for,
 * relays, ends.
 *
 * Used by the agent, by the fork server in a session and by the daemon for services of the trusted
 * side. Whatever goes wrong becomes an exit code for the caller; a call never ends without one
 * unless its stream broke. A service whose caller is gone is not killed: it finds its streams
 * closed.
 */
#ifndef QREXEC_EXECUTION_H
#define QREXEC_EXECUTION_H

#include "qrexec/call.h"

#include <stdbool.h>
#include <stdint.h>

enum execution_place {
	EXECUTION_AGENT,   /* in a qube, as the user that the command names */
	EXECUTION_SESSION, /* in a qube, as we are */
	EXECUTION_TRUSTED, /* on the trusted side, as we are; stderr is ours */
};

struct execution_spec {
	enum execution_place place;
	bool just_start;       /* no streams; the exit code says whether it started */
	uint32_t domain, port; /* of the data vchan, whose server the caller is */
	unsigned timeout_ms;   /* for the caller to come and shake hands; 0: no limit */
};

struct execution;

/*
 * The end, once, from the loop; the execution is to be freed. error as in relay.h: 0, or why there
 * was no proper end. exit_code is what the caller was told, or would have been.
 */
typedef void (*execution_done)(struct execution *execution, int exit_code, int error, void *data);

/* Takes the call over: it is empty afterwards. Returns 0 or a negative errno of the vchan. */
int execution_new(struct call *call, const struct execution_spec *spec, execution_done done,
    void *data, struct execution **ret);
void execution_free(struct execution *execution); /* NULL is fine */

#endif
