/*
 * agent_requests - programs of this qube that want to call a service: the agent's socket, and who
 * waits there for an answer.
 *
 * Who talks: any program of the qube. Each connection carries one request and stays open for the
 * call. Limits: QREXEC_TABLE_MAX connections, 10 seconds for the request.
 */
#ifndef QREXEC_AGENT_REQUESTS_H
#define QREXEC_AGENT_REQUESTS_H

#include "shared/qrexec_decode.h"

struct agent_requests;

struct agent_requests_events {
	/* A request, with the ident to pass on. A negative errno refuses it. */
	int (*request)(
	    const struct qrexec_request *request, const struct qrexec_ident *ident, void *data);
	/* The program of a call that had been given this place has gone. */
	void (*ended)(const struct qrexec_place *place, void *data);
};

/* Listens at path, open for every user of the qube. Returns 0 or a negative errno. */
int agent_requests_new(const char *path, const struct agent_requests_events *events, void *data,
    struct agent_requests **ret);
void agent_requests_free(struct agent_requests *requests); /* removes the socket */

/* Back-pressure of the control channel: nobody is accepted or read meanwhile. */
void agent_requests_pause(struct agent_requests *requests, bool pause);

/* The trusted side's answers. -ENOENT when nobody waits under that ident. */
int agent_requests_connect(struct agent_requests *requests, const struct qrexec_ident *ident,
    const struct qrexec_place *place);
int agent_requests_refuse(struct agent_requests *requests, const struct qrexec_ident *ident);

#endif
