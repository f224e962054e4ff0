/*
 * eval - what a policy says about one request, given the qubes that exist.
 *
 * Shape:  policy_evaluate() decides allow, deny or ask; for ask the decision lists the choices, and
 *         policy_answer() turns the person's choice into an allow or a deny.
 * Pure:   no files, no time, no logging; the same input gives the same decision. Nothing in a
 *         request can make it fail: whatever is odd is denied, with a reason for the log.
 * Reply:  lines "key=value" joined by LF, in the fixed order of docs/policy.md, "Reply".
 * Source: docs/policy.md, "Matching" to "Reply".
 */
#ifndef QREXEC_POLICY_EVAL_H
#define QREXEC_POLICY_EVAL_H

#include "qrexec/policy/decision.h"
#include "qrexec/policy/index.h"
#include "qrexec/policy/system_info.h"

struct policy_request {
	const char *service;
	const char *argument;         /* with its "+", which stands alone when there is none */
	const char *source;           /* the qube that really calls */
	const char *target;           /* as the caller says; may be empty */
	const char *requested_source; /* for whom a relay says to call; NULL or "" when nobody */
};

/* Splits "service+argument" at the first "+"; both are the caller's to free. */
void policy_split_descriptor(const char *descriptor, char **ret_service, char **ret_argument);

/* Fills *ret, which the caller clears. */
void policy_evaluate(const struct policy *policy, const struct system_info *info,
    const struct policy_request *request, struct policy_decision *ret);

/*
 * The person chose target from asked. Everything is evaluated anew: allowed when the request still
 * asks, target was and is among the choices, and it is still the same qube.
 */
void policy_answer(const struct policy *policy, const struct system_info *info,
    const struct policy_request *request, const struct policy_decision *asked, const char *target,
    struct policy_decision *ret);

/* ask becomes allowed if the caller's own target is among the choices, else denied. */
void policy_assume_yes(const struct policy *policy, const struct system_info *info,
    const struct policy_request *request, struct policy_decision *decision);

#endif
