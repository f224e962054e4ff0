/*
 * decider - one decision from beginning to end: evaluate, ask if need be, evaluate the answer,
 * log, notify, reply.
 *
 * Shape:  decider_decide() starts a decision, done is called once with the reply. While a prompt
 *         is open the decision waits in a struct decision; freeing that closes the prompt.
 * Ticket: the prompt's connection is the ticket of the evaluation that it answers: one answer, over
 *         that connection, for what was offered there, and evaluated again when it comes.
 * Limits: DECIDER_ASKS_PER_SOURCE prompts waiting for one source, DECIDER_ASKS_MAX in all; what is
 *         beyond is denied at once.
 * Log:    one line a decision: rule with file and line, who decided, the time it took. Denials of
 *         one source beyond DECIDER_LINES_BURST at once and DECIDER_LINES_PER_S a second are
 *         counted, and the count is logged with the next one.
 * Source: docs/policy.md.
 */
#ifndef QREXEC_POLICY_DECIDER_H
#define QREXEC_POLICY_DECIDER_H

#include "qrexec/policy/cache.h"
#include "qrexec/policy/call_decode.h"
#include "qrexec/policy/system_info.h"

#define DECIDER_ASKS_PER_SOURCE 16
#define DECIDER_ASKS_MAX 1024
#define DECIDER_LINES_BURST 200
#define DECIDER_LINES_PER_S 5

struct decider;
struct decision;

/* The system information of this moment, or NULL when there is none: then all is denied. */
typedef const struct system_info *(*decider_info)(void *data);

/* cache and data are borrowed. */
struct decider *decider_new(struct policy_cache *cache, decider_info info, void *data);
/* Every decision has been freed before. */
void decider_free(struct decider *decider);

/* True while a notification is on its way: who ends before it has gone loses it. */
bool decider_is_notifying(const struct decider *decider);

/* reply is borrowed: lines joined by LF, without one at the end. */
typedef void (*decider_done)(const char *reply, void *data);

/*
 * Decides about call, which is taken over. done may be called before this returns; then the result
 * is NULL. Else it is the caller's, to be freed when done has been called or is not wanted.
 */
struct decision *decider_decide(
    struct decider *decider, struct call *call, decider_done done, void *data);
void decision_free(struct decision *decision); /* NULL is fine */

#endif
