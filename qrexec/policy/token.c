#include "qrexec/policy/token.h"

#include <glib.h>
#include <string.h>

#define ZERO_UUID "uuid:00000000-0000-0000-0000-000000000000"

#define SOURCE POLICY_COLUMN_SOURCE
#define TARGET POLICY_COLUMN_TARGET
#define REDIRECT POLICY_COLUMN_REDIRECT
#define REQUEST POLICY_COLUMN_REQUEST

struct token_form {
	const char *text;
	bool takes_value; /* text is a prefix */
	enum policy_token_kind kind;
	unsigned columns;
};

/* Longer prefixes stand before shorter ones. */
/* clang-format off */
static const struct token_form token_forms[] = {
	{ "*",             false, POLICY_TOKEN_ANY,        SOURCE | TARGET },
	{ "@anyvm",        false, POLICY_TOKEN_ANYVM,      SOURCE | TARGET },
	{ "@adminvm",      false, POLICY_TOKEN_ADMINVM,    SOURCE | TARGET | REDIRECT | REQUEST },
	{ "dom0",          false, POLICY_TOKEN_ADMINVM,    SOURCE | TARGET | REDIRECT | REQUEST },
	{ ZERO_UUID,       false, POLICY_TOKEN_ADMINVM,    SOURCE | TARGET | REDIRECT | REQUEST },
	{ "@default",      false, POLICY_TOKEN_DEFAULT,             TARGET |            REQUEST },
	{ "@dispvm",       false, POLICY_TOKEN_DISPVM,              TARGET | REDIRECT | REQUEST },
	{ "@type:",        true,  POLICY_TOKEN_TYPE,       SOURCE | TARGET },
	{ "@tag:",         true,  POLICY_TOKEN_TAG,        SOURCE | TARGET },
	{ "@dispvm:@tag:", true,  POLICY_TOKEN_DISPVM_TAG, SOURCE | TARGET },
	{ "@dispvm:",      true,  POLICY_TOKEN_DISPVM_OF,  SOURCE | TARGET | REDIRECT | REQUEST },
};
/* clang-format on */

static const struct token_form *
token_form_find(const char *text)
{
	for (size_t i = 0; i < G_N_ELEMENTS(token_forms); i++) {
		const struct token_form *form = &token_forms[i];

		if (form->takes_value ? g_str_has_prefix(text, form->text)
				      : strcmp(text, form->text) == 0)
			return form;
	}
	return NULL;
}

enum policy_token_error
policy_token_parse(const char *text, enum policy_column column, struct policy_token *ret)
{
	const struct token_form *form;
	struct policy_token token = {.kind = POLICY_TOKEN_QUBE, .text = text, .value = text};

	if (text[0] == '\0')
		return POLICY_TOKEN_EMPTY;
	if (text[0] == '$' && column != POLICY_COLUMN_REQUEST)
		return POLICY_TOKEN_DOLLAR;
	form = token_form_find(text);
	if (form == NULL) {
		if (text[0] == '@')
			return POLICY_TOKEN_INVALID;
		*ret = token;
		return POLICY_TOKEN_OK;
	}
	if (!(form->columns & column))
		return POLICY_TOKEN_WRONG_COLUMN;
	token.kind = form->kind;
	token.value = text + strlen(text);
	if (form->takes_value) {
		token.value = text + strlen(form->text);
		if (token.value[0] == '\0')
			return POLICY_TOKEN_EMPTY_VALUE;
		if (strchr(token.value, '@') != NULL)
			return POLICY_TOKEN_INVALID;
	}
	*ret = token;
	return POLICY_TOKEN_OK;
}

const char *
policy_token_error_text(enum policy_token_error error)
{
	static const char *const texts[] = {
	    [POLICY_TOKEN_OK] = "valid",
	    [POLICY_TOKEN_EMPTY] = "empty",
	    [POLICY_TOKEN_EMPTY_VALUE] = "nothing after the colon of",
	    [POLICY_TOKEN_INVALID] = "invalid",
	    [POLICY_TOKEN_WRONG_COLUMN] = "misplaced",
	    [POLICY_TOKEN_DOLLAR] = "legacy spelling ('$' for '@') of",
	};

	return texts[error];
}

const char *
policy_column_name(enum policy_column column)
{
	switch (column) {
	case POLICY_COLUMN_SOURCE:
		return "source";
	case POLICY_COLUMN_TARGET:
		return "target";
	case POLICY_COLUMN_REDIRECT:
		return "redirect";
	case POLICY_COLUMN_REQUEST:
		return "requested target";
	}
	g_assert_not_reached();
}

bool
policy_is_adminvm(const char *text)
{
	const struct token_form *form = token_form_find(text);

	return form != NULL && form->kind == POLICY_TOKEN_ADMINVM;
}

bool
policy_token_is_plain(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (!g_ascii_isalnum(*p) && strchr("_-.:", *p) == NULL)
			return false;
	}
	return true;
}
