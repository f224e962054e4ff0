#include "qrexec/policy/match.h"

#include <string.h>

enum verdict { UNKNOWN, NO, YES };

const struct qube_info *
match_base_of(const struct qube_info *default_base, const struct subject *subject)
{
	switch (subject->kind) {
	case POLICY_TOKEN_DISPVM:
		return default_base;
	case POLICY_TOKEN_DISPVM_OF:
		return subject->qube;
	default:
		return NULL;
	}
}

/* True when text is a spelling of the qube. */
static bool
names_qube(const char *text, const struct qube_info *qube)
{
	if (qube == NULL)
		return false;
	if (strcmp(text, qube->name) == 0)
		return true;
	return qube->uuid != NULL && g_str_has_prefix(text, SUBJECT_UUID_PREFIX) &&
	       strcmp(text + strlen(SUBJECT_UUID_PREFIX), qube->uuid) == 0;
}

bool
match_keyword(const struct qube_info *default_base, const struct policy_token *token,
    const struct subject *subject)
{
	bool is_qube = subject->kind == POLICY_TOKEN_QUBE || subject->kind == POLICY_TOKEN_ADMINVM;
	const struct qube_info *qube = is_qube ? subject->qube : NULL;
	const struct qube_info *base = match_base_of(default_base, subject);

	switch (token->kind) {
	case POLICY_TOKEN_ANY:
		return true;
	case POLICY_TOKEN_ANYVM:
		return subject->kind != POLICY_TOKEN_ADMINVM;
	case POLICY_TOKEN_ADMINVM:
	case POLICY_TOKEN_DEFAULT:
	case POLICY_TOKEN_DISPVM:
		return subject->kind == token->kind;
	case POLICY_TOKEN_QUBE:
		return false; /* see mark_names() */
	case POLICY_TOKEN_TYPE:
		return qube != NULL && g_strcmp0(qube->klass, token->value) == 0;
	case POLICY_TOKEN_TAG:
		return qube != NULL && qube_info_has_tag(qube, token->value);
	case POLICY_TOKEN_DISPVM_OF:
		return names_qube(token->value, base);
	case POLICY_TOKEN_DISPVM_TAG:
		return base != NULL && base->template_for_dispvms &&
		       qube_info_has_tag(base, token->value);
	}
	g_assert_not_reached();
}

static void
mark_name(const struct match *match, uint8_t *verdicts, const char *prefix, const char *name)
{
	g_autofree char *text = g_strconcat(prefix, name, NULL);
	const struct policy_token *token = policy_find_token(match->policy, text);

	if (token != NULL && token->kind == POLICY_TOKEN_QUBE)
		verdicts[token->index] = YES;
}

/*
 * Rules may name thousands of qubes, but each has only two spellings, and one that does not exist
 * has only its own: they are marked beforehand, and every other name does not match.
 */
static void
mark_names(const struct match *match, uint8_t *verdicts, const struct subject *subject)
{
	const struct qube_info *qube = subject->qube;

	if (subject->kind != POLICY_TOKEN_QUBE)
		return;
	mark_name(match, verdicts, "", subject->text);
	if (qube != NULL)
		mark_name(match, verdicts, "", qube->name);
	if (qube != NULL && qube->uuid != NULL)
		mark_name(match, verdicts, SUBJECT_UUID_PREFIX, qube->uuid);
}

/* Many rules share few tokens: each is looked at once per evaluation. */
static bool
token_matches_once(const struct match *match, uint8_t *verdicts, const struct policy_token *token,
    const struct subject *subject)
{
	uint8_t *verdict = &verdicts[token->index];

	if (*verdict == UNKNOWN && token->kind != POLICY_TOKEN_QUBE)
		*verdict = match_keyword(match->default_base, token, subject) ? YES : NO;
	return *verdict == YES;
}

void
match_init(struct match *match, const struct policy *policy, const char *service,
    const char *argument, const struct subject *source, const struct subject *target,
    const struct qube_info *default_base)
{
	*match = (struct match){
	    .policy = policy,
	    .service = service,
	    .argument = argument,
	    .source = source,
	    .target = target,
	    .default_base = default_base,
	    .source_verdicts = g_malloc0(policy_token_count(policy) + 1),
	    .target_verdicts = g_malloc0(policy_token_count(policy) + 1),
	};
	mark_names(match, match->source_verdicts, source);
	mark_names(match, match->target_verdicts, target);
}

void
match_fini(struct match *match)
{
	g_clear_pointer(&match->source_verdicts, g_free);
	g_clear_pointer(&match->target_verdicts, g_free);
}

void
match_each_begin(const struct match *match, struct policy_cursor *cursor)
{
	policy_cursor_init(cursor, match->policy, match->service, match->argument);
}

const struct policy_rule *
match_each_next(const struct match *match, struct policy_cursor *cursor)
{
	const struct policy_rule *rule;

	while ((rule = policy_cursor_next(cursor)) != NULL) {
		if (token_matches_once(match, match->source_verdicts, rule->source, match->source))
			return rule;
	}
	return NULL;
}

const struct policy_rule *
match_find_rule(const struct match *match)
{
	struct policy_cursor cursor;
	const struct policy_rule *rule;

	match_each_begin(match, &cursor);
	while ((rule = match_each_next(match, &cursor)) != NULL) {
		if (token_matches_once(match, match->target_verdicts, rule->target, match->target))
			return rule;
	}
	return NULL;
}
