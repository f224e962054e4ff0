/*
 * eval - what a policy says about one request, given the qubes that exist.
 *
 * Shape:  policy_evaluate() decides allow, deny or ask; for ask the decision lists the choices, and
 *         policy_answer() turns the person's choice into an allow or a deny. Decisions stand on
 *         their own: they hold copies, except for rule and file names (borrowed from the policy).
 * Pure:   no files, no time, no logging; the same input gives the same decision. Nothing in a
 *         request can make it fail: whatever is odd is denied, with a reason for the log.
 * Reply:  lines "key=value" joined by LF, in the fixed order of docs/policy.md, "Reply".
 * Source: docs/policy.md, "Matching" to "Reply".
 */
#ifndef QREXEC_POLICY_EVAL_H
#define QREXEC_POLICY_EVAL_H

#include "qrexec/policy/index.h"
#include "qrexec/policy/system_info.h"

#include <glib.h>
#include <stdbool.h>

struct policy_request {
	const char *service;
	const char *argument;         /* with its "+", which stands alone when there is none */
	const char *source;           /* the qube that really calls */
	const char *target;           /* as the caller says; may be empty */
	const char *requested_source; /* for whom a relay says to call; NULL or "" when nobody */
};

/* Splits "service+argument" at the first "+"; both are the caller's to free. */
void policy_split_descriptor(const char *descriptor, char **ret_service, char **ret_argument);

enum policy_result { POLICY_DENIED, POLICY_ALLOWED, POLICY_ASK };

/* Where a denial came from. */
enum policy_stage {
	POLICY_STAGE_LOAD,       /* there is no usable policy */
	POLICY_STAGE_REQUEST,    /* the request is not sound, whatever the rules say */
	POLICY_STAGE_NOMATCH,    /* no rule */
	POLICY_STAGE_RULE,       /* the rule denies, or cannot be followed */
	POLICY_STAGE_RESOLUTION, /* the target cannot be connected */
	POLICY_STAGE_ANSWER,     /* the person said no, or what was chosen is not on offer */
};

/* A target on offer, and who it was when it was offered. */
struct policy_choice {
	char *target; /* a name, "dom0" or "@dispvm:NAME" */
	char *uuid;   /* of the qube or base; NULL when unknown */
};

struct policy_decision {
	enum policy_result result;
	enum policy_stage stage;        /* of a denial */
	const struct policy_rule *rule; /* that decided; NULL when none did */
	bool notify;                    /* tell the user of an allow or a denial */
	char *reason;                   /* denied: a sentence for the log */
	char *source;                   /* the effective source: the remote qube if there is one */
	char *requested_target;         /* the request's target after the checks */
	char *guivm;                    /* where to ask and to notify; NULL: nowhere */
	char *target;         /* allowed: what is connected, "dom0", name, "@dispvm:..." */
	char *reply;          /* allowed */
	GArray *choices;      /* ask: struct policy_choice by target, byte order; not empty */
	char *default_target; /* ask: one of the choices, or NULL */
	GPtrArray *warnings;  /* char *; NULL when there are none */
};

void policy_decision_clear(struct policy_decision *decision);

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

bool policy_decision_offers(const struct policy_decision *decision, const char *target);

#endif
