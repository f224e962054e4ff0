/*
 * route - where an allowed call goes, and the reply that says so.
 *
 * Source: docs/policy.md, "Allow", "Reply".
 */
#ifndef QREXEC_POLICY_ROUTE_H
#define QREXEC_POLICY_ROUTE_H

#include "qrexec/policy/evaluation.h"

struct route {
	enum policy_token_kind kind;  /* ADMINVM, DISPVM_OF or QUBE */
	char *text;                   /* owned; as the reply spells it */
	const struct qube_info *qube; /* the base of a disposable; NULL for dom0 */
};

enum route_problem {
	ROUTE_FOUND,
	ROUTE_NO_TARGET,
	ROUTE_NO_DEFAULT_BASE,
	ROUTE_NOT_A_BASE,
	ROUTE_NEEDS_START, /* and the rule says that nothing is to be started */
};

/* A sentence for the log; borrowed for ever. */
const char *route_problem_text(enum route_problem problem);

/* Where a call to subject goes under rule; *ret is untouched when it goes nowhere. */
enum route_problem route_find(const struct evaluation *eval, const struct policy_rule *rule,
    const struct subject *subject, struct route *ret);
void route_clear(struct route *route);

/* A call from a qube to itself; through its relay it would be one as well. */
bool route_is_loopback(const struct evaluation *eval, const struct route *route);

/* The last checks, which hold for allow and for an answered ask alike, and the decision. */
void route_connect(
    struct evaluation *eval, const struct policy_rule *rule, const struct route *route);

#endif
