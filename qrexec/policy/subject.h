/*
 * subject - who calls, or who is called: a token of the kinds that a request may hold, and the qube
 * that it names.
 *
 * Owner: texts are borrowed from the request or the rule, records from the system information.
 */
#ifndef QREXEC_POLICY_SUBJECT_H
#define QREXEC_POLICY_SUBJECT_H

#include "qrexec/policy/system_info.h"
#include "qrexec/policy/token.h"

#define SUBJECT_DOM0 "dom0"
#define SUBJECT_DISPVM_PREFIX "@dispvm:"
#define SUBJECT_UUID_PREFIX "uuid:"

struct subject {
	enum policy_token_kind kind;
	const char *text;
	const struct qube_info *qube; /* of DISPVM_OF the base; NULL: no such qube, or a keyword */
};

struct subject subject_of_token(const struct system_info *info, const struct policy_token *token);
/* A target that was asked for or offered. What cannot be one becomes a qube that does not exist. */
struct subject subject_of_target(const struct system_info *info, const char *text);
/* A source is a qube and nothing else, whatever its name looks like. */
struct subject subject_of_source(const struct system_info *info, const char *text);

/* True for "@dispvm:B" when B may be a base, as things stand. */
bool subject_is_base(const struct subject *subject);
/* The same qube, or the same keyword, in any spelling. */
bool subject_is_same(const struct subject *a, const struct subject *b);
/* What "@dispvm" means for a source: a qube, not necessarily a base; NULL when nothing. */
const struct qube_info *subject_default_base(
    const struct system_info *info, const struct subject *source);

#endif
