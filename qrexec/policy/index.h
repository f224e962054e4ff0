/*
 * index - a whole policy in memory: its rules in order, found by service.
 *
 * Shape:  rules in the order of their files; each says from where it came (file, line). A policy
 *         is built once, by include.c, and never changes afterwards: whoever evaluates a request
 *         sees one consistent state.
 * Speed:  a decision looks at the rules for its service and those for any service, in order.
 *         Texts and tokens are interned: equal texts of one policy are equal pointers.
 * Owner:  everything that a rule points to belongs to its policy.
 * Source: docs/policy.md.
 */
#ifndef QREXEC_POLICY_INDEX_H
#define QREXEC_POLICY_INDEX_H

#include "qrexec/policy/token.h"

#include <stdbool.h>
#include <stddef.h>

enum policy_action { POLICY_ACTION_ALLOW, POLICY_ACTION_ASK, POLICY_ACTION_DENY };

/* As written in the file ("allow"); borrowed for ever. */
const char *policy_action_name(enum policy_action action);

struct policy_rule {
	const char *service;  /* NULL: any */
	const char *argument; /* with its "+"; NULL: any, also none */
	const struct policy_token *source;
	const struct policy_token *target;
	enum policy_action action;
	const struct policy_token *redirect;       /* target=, NULL when there is none */
	const struct policy_token *default_target; /* NULL when there is none */
	const char *user;                          /* NULL: the target's default user */
	bool notify;
	bool autostart;
	const char *file;
	unsigned line; /* from 1; 0 for a rule that a legacy file implies */
};

struct policy;

struct policy *policy_new(void);
void policy_free(struct policy *policy); /* NULL is fine */

size_t policy_rule_count(const struct policy *policy);
const struct policy_rule *policy_rule_at(const struct policy *policy, size_t number);

/* Distinct tokens; every token's index is below this. */
size_t policy_token_count(const struct policy *policy);

/* --- building ------------------------------------------------------------------------------- */

/* The policy's own copy of a text; NULL for NULL. */
const char *policy_intern(struct policy *policy, const char *text);
/* The policy's own copy of a token, the same for the same text; NULL for NULL. */
const struct policy_token *policy_intern_token(
    struct policy *policy, const struct policy_token *token);
/* Appends a rule whose every pointer came from policy_intern() and policy_intern_token(). */
void policy_add_rule(struct policy *policy, const struct policy_rule *rule);

/* --- finding -------------------------------------------------------------------------------- */

/* The token that some rule has with this text, or NULL. */
const struct policy_token *policy_find_token(const struct policy *policy, const char *text);

/* The rules for one service and argument, in order. To be started anew by policy_cursor_init(). */
struct policy_cursor {
	const struct policy *policy;
	const char *argument;              /* interned; NULL when no rule names it */
	const unsigned *exact, *exact_end; /* numbers of the rules for the service */
	const unsigned *any, *any_end;     /* numbers of the rules for every service */
};

void policy_cursor_init(struct policy_cursor *cursor, const struct policy *policy,
    const char *service, const char *argument);
/* The next rule that matches service and argument, or NULL. */
const struct policy_rule *policy_cursor_next(struct policy_cursor *cursor);

#endif
