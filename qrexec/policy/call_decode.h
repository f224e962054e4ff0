/*
 * call_decode - what clients of the policy daemon's sockets send, and what an agent answers.
 *
 * Trust:  qrexec-daemons and dom0's services are trusted, but names and arguments in their
 *         requests were chosen by qubes, and the agent may live in another qube. Bytes in, checked
 *         strings out; whatever is not exactly as expected is -EPROTO.
 * Texts:  a checked name has only A-Z a-z 0-9 _ - . (a target also @ and :, a descriptor also +).
 * Source: docs/policy.md, "The policy socket", "Evaluation services", "Asking".
 */
#ifndef QREXEC_POLICY_CALL_DECODE_H
#define QREXEC_POLICY_CALL_DECODE_H

#include "shared/untrusted.h"

#include <stdbool.h>

#define CALL_MAX (128u << 10)      /* bytes of a request on the policy socket */
#define CALL_NAME_MAX 63u          /* bytes of a source or target */
#define CALL_EVAL_PAYLOAD_MAX 96u  /* bytes */
#define CALL_EVAL_MAX (128u << 10) /* bytes of descriptor and payload */
#define CALL_ANSWER_MAX 256u       /* bytes of an agent's answer */

/* A question to the policy. All texts are owned. */
struct call {
	char *service;          /* not empty */
	char *argument;         /* begins with "+" */
	char *source;           /* not empty */
	char *target;           /* may be empty */
	char *requested_source; /* may be empty */
	bool just_evaluate;     /* show nothing, ask nobody: ask is a deny */
	bool assume_yes;        /* ask is an allow if the caller's target is among the choices */
	char *eval_caller;      /* who uses an evaluation service; NULL on the policy socket */
};

void call_clear(struct call *call);

/* True when the request is whole: an empty line has come. (End of file ends it as well.) */
bool call_is_complete(struct untrusted_bytes untrusted_request);

/* "key=value" lines up to the empty line or the end. Returns 0 or -EPROTO, *ret untouched then. */
int call_decode(struct untrusted_bytes untrusted_request, struct call *ret);

/*
 * "SERVICE+QUERIED CALLER [TYPE TARGET]" NUL "source" NUL "target", where SERVICE is the name of
 * the evaluation service, such as "policy.EvalSimple". Returns 0 or -EPROTO, *ret untouched then.
 */
int call_decode_eval(
    struct untrusted_bytes untrusted_request, const char *service, struct call *ret);

/*
 * "allow:TARGET" or "deny", with at most one LF behind. Returns 0 with *ret_target a new string or
 * NULL for deny; else -EPROTO.
 */
int call_decode_answer(struct untrusted_bytes untrusted_answer, char **ret_target);

#endif
