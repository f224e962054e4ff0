/*
 * trigger - a request of the qube's agent for a service somewhere else, from the first question to
 * the policy until the call needs us no more.
 *
 * Who talks: the agent of a qube that may be hostile. Its request has been decoded and sanitised;
 * the name of the qube that makes it is our own knowledge and never taken from the request. Each
 * request is answered exactly once, unless the agent itself goes: with a place, when the policy
 * allows it and the target is there, else with a refusal.
 * Limits: QREXEC_TABLE_MAX at once; further ones are refused.
 */
#ifndef QREXEC_TRIGGER_H
#define QREXEC_TRIGGER_H

#include "shared/qrexec_decode.h"

#include <stdbool.h>

struct daemon;
struct triggers;

struct triggers *triggers_new(struct daemon *daemon); /* borrowed */
/* Disposables that serve running calls are killed. */
void triggers_free(struct triggers *triggers);

/* A new request; taken over, empty afterwards. Answers from the loop or at once. */
void triggers_add(struct triggers *triggers, struct qrexec_trigger *request);

/*
 * Somebody else answers this request. True when it was waiting; it is then as if answered here.
 */
bool triggers_take(struct triggers *triggers, const struct qrexec_ident *ident);

/* The agent has gone: nobody waits for answers any more. Services that run go on. */
void triggers_forget(struct triggers *triggers);

#endif
