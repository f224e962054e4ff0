/*
 * evaluation - one evaluation while it is under way: what eval.c, route.c and choices.c share.
 * Everything in it is borrowed, but for the tables of match.
 */
#ifndef QREXEC_POLICY_EVALUATION_H
#define QREXEC_POLICY_EVALUATION_H

#include "qrexec/policy/decision.h"
#include "qrexec/policy/eval.h"
#include "qrexec/policy/match.h"
#include "qrexec/policy/subject.h"

struct evaluation {
	const struct policy *policy;
	const struct system_info *info;
	const struct policy_request *request;
	struct subject caller; /* who really calls: the relay for a remote source */
	struct subject source; /* who calls as far as rules are concerned */
	struct subject target;
	struct match match;
	struct policy_decision *decision;
};

/* True when a relay calls for somebody else. */
bool evaluation_has_requested_source(const struct evaluation *eval);

/* Makes the decision a denial, whatever it was. */
void evaluation_deny(struct evaluation *eval, enum policy_stage stage, bool notify,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
void evaluation_warn(struct evaluation *eval, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
