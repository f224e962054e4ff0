#include "qrexec/policy/subject.h"

#include <string.h>

struct subject
subject_of_token(const struct system_info *info, const struct policy_token *token)
{
	struct subject subject = {.kind = token->kind, .text = token->text};

	if (token->kind == POLICY_TOKEN_QUBE || token->kind == POLICY_TOKEN_DISPVM_OF)
		subject.qube = system_info_find(info, token->value);
	else if (token->kind == POLICY_TOKEN_ADMINVM && token->text[0] != '@')
		subject.qube = system_info_find(info, SUBJECT_DOM0);
	return subject;
}

struct subject
subject_of_target(const struct system_info *info, const char *text)
{
	struct policy_token token;

	if (policy_token_parse(text, POLICY_COLUMN_REQUEST, &token) != POLICY_TOKEN_OK)
		return (struct subject){.kind = POLICY_TOKEN_QUBE, .text = text};
	return subject_of_token(info, &token);
}

struct subject
subject_of_source(const struct system_info *info, const char *text)
{
	struct policy_token token;

	if (policy_token_parse(text, POLICY_COLUMN_REQUEST, &token) != POLICY_TOKEN_OK ||
	    (token.kind != POLICY_TOKEN_QUBE && token.kind != POLICY_TOKEN_ADMINVM))
		return (struct subject){.kind = POLICY_TOKEN_QUBE, .text = text};
	return subject_of_token(info, &token);
}

bool
subject_is_base(const struct subject *subject)
{
	return subject->qube != NULL && subject->qube->template_for_dispvms;
}

bool
subject_is_same(const struct subject *a, const struct subject *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == POLICY_TOKEN_ADMINVM || strcmp(a->text, b->text) == 0)
		return true;
	return a->qube != NULL && a->qube == b->qube;
}

const struct qube_info *
subject_default_base(const struct system_info *info, const struct subject *source)
{
	if (source->qube == NULL || source->qube->default_dispvm == NULL)
		return NULL;
	return system_info_find(info, source->qube->default_dispvm);
}
