/*
 * match - which rules concern a request.
 *
 * Speed:  many rules share few tokens; each token is held against source and target once per
 *         request, and the verdict kept in a table beside the policy's tokens.
 * Source: docs/policy.md, "Matching".
 */
#ifndef QREXEC_POLICY_MATCH_H
#define QREXEC_POLICY_MATCH_H

#include "qrexec/policy/index.h"
#include "qrexec/policy/subject.h"

#include <stdint.h>

struct match {
	const struct policy *policy; /* borrowed, like all but the tables */
	const char *service, *argument;
	const struct subject *source, *target;
	const struct qube_info *default_base; /* of the source; NULL when it has none */
	uint8_t *source_verdicts;             /* owned; by token index */
	uint8_t *target_verdicts;
};

void match_init(struct match *match, const struct policy *policy, const char *service,
    const char *argument, const struct subject *source, const struct subject *target,
    const struct qube_info *default_base);
void match_fini(struct match *match); /* also of a zeroed one */

/* The first rule whose four columns match, or NULL. */
const struct policy_rule *match_find_rule(const struct match *match);

/* All rules for service, argument and source, in order, whatever their target. */
void match_each_begin(const struct match *match, struct policy_cursor *cursor);
const struct policy_rule *match_each_next(const struct match *match, struct policy_cursor *cursor);

/*
 * Does a keyword (a tag, a class, a kind of disposable, ...) stand for subject? False for names:
 * those are compared by match_find_rule() and match_each_next() in a way of their own.
 */
bool match_keyword(const struct qube_info *default_base, const struct policy_token *token,
    const struct subject *subject);

/* The base of the disposable that the subject stands for, NULL when it stands for none. */
const struct qube_info *match_base_of(
    const struct qube_info *default_base, const struct subject *subject);

#endif
