/*
 * policy_client - questions to the policy daemon: would this call be allowed?
 *
 * Shape:  one connection a question, with just_evaluate=yes, so that nobody is asked and nothing is
 *         shown. At most POLICY_CLIENT_PARALLEL are under way, the others wait in order. Whoever
 *         has many at a time asks first whether there is room.
 * Fails:  closed. No daemon, no answer within POLICY_CLIENT_TIMEOUT_MS, an answer that is not
 *         understood: all mean no.
 * Source: docs/policy.md, "Policy daemon".
 */
#ifndef QUBESD_POLICY_CLIENT_H
#define QUBESD_POLICY_CLIENT_H

#include <stdbool.h>

#define POLICY_CLIENT_PARALLEL 32
#define POLICY_CLIENT_WAITING_MAX 65536 /* questions; a qube may ask for lists and go away */
#define POLICY_CLIENT_TIMEOUT_MS 5000

struct policy_client;
struct policy_question;

typedef void (*policy_answer)(bool allowed, void *data);

struct policy_client *policy_client_new(const char *socket_path);
void policy_client_free(struct policy_client *client); /* unanswered questions are forgotten */

/* Do fewer than POLICY_CLIENT_WAITING_MAX questions wait? */
bool policy_client_has_room(const struct policy_client *client);

/* answer is called once on the main loop, never before this returns. */
struct policy_question *policy_client_ask(struct policy_client *client, const char *source,
    const char *target, const char *service_and_arg, policy_answer answer, void *data);
/* The answer is not wanted any more; only before it has come. */
void policy_question_cancel(struct policy_question *question);

#endif
