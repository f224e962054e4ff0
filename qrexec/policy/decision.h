/*
 * decision - what comes out of an evaluation.
 *
 * Owner: a decision stands on its own, with copies of all texts; only its rule belongs to the policy.
 */
#ifndef QREXEC_POLICY_DECISION_H
#define QREXEC_POLICY_DECISION_H

#include "qrexec/policy/index.h"

#include <glib.h>
#include <stdbool.h>

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
/* The choice with that target, or NULL; borrowed. */
const struct policy_choice *policy_decision_find(
    const struct policy_decision *decision, const char *target);
bool policy_decision_offers(const struct policy_decision *decision, const char *target);

/* An empty array of struct policy_choice, which it clears. */
GArray *policy_choices_new(void);

#endif
