/*
 * token - the words of a policy that stand for qubes: names, UUIDs and keywords such as "@anyvm".
 *
 * Shape:  one table of forms (token.c) says how each is spelled and in which column it may stand.
 *         A token knows nothing of the qubes that exist; eval.c gives it its meaning.
 * Source: docs/policy.md, "Tokens".
 */
#ifndef QREXEC_POLICY_TOKEN_H
#define QREXEC_POLICY_TOKEN_H

#include <stdbool.h>

enum policy_token_kind {
	POLICY_TOKEN_QUBE,       /* a name, or "uuid:...": that qube */
	POLICY_TOKEN_ADMINVM,    /* dom0 in each of its three spellings */
	POLICY_TOKEN_ANY,        /* everything */
	POLICY_TOKEN_ANYVM,      /* everything but dom0 */
	POLICY_TOKEN_DEFAULT,    /* the caller named no target */
	POLICY_TOKEN_TYPE,       /* qubes of a class */
	POLICY_TOKEN_TAG,        /* qubes with a tag */
	POLICY_TOKEN_DISPVM,     /* a new disposable from the source's default base */
	POLICY_TOKEN_DISPVM_OF,  /* ... from the base that is named */
	POLICY_TOKEN_DISPVM_TAG, /* ... from any base with the tag */
};

/* Where a token stands; a bit mask in the table of forms. */
enum policy_column {
	POLICY_COLUMN_SOURCE = 1 << 0,
	POLICY_COLUMN_TARGET = 1 << 1,
	POLICY_COLUMN_REDIRECT = 1 << 2, /* target= and default_target= */
	POLICY_COLUMN_REQUEST = 1 << 3,  /* the target that a caller asks for */
};

struct policy_token {
	enum policy_token_kind kind;
	const char *text;  /* as written; borrowed from whoever parsed it */
	const char *value; /* within text: the name, class, tag or base; "" for bare keywords */
	unsigned index;    /* number within one policy, for tables beside it (index.h) */
};

enum policy_token_error {
	POLICY_TOKEN_OK,
	POLICY_TOKEN_EMPTY,
	POLICY_TOKEN_EMPTY_VALUE,  /* "@tag:" */
	POLICY_TOKEN_INVALID,      /* no such keyword, or "@" inside a value */
	POLICY_TOKEN_WRONG_COLUMN, /* a keyword that may not stand here */
	POLICY_TOKEN_DOLLAR,       /* "$anyvm": the spelling of legacy files */
};

/*
 * Reads text (borrowed by *ret). Returns POLICY_TOKEN_OK, else the error with *ret untouched.
 * Any text that is no keyword is the name of a qube, whether or not there is such a qube; in a
 * policy, though, a name in the legacy spelling is refused, since a rule with it would never match.
 */
enum policy_token_error policy_token_parse(
    const char *text, enum policy_column column, struct policy_token *ret);

/* A sentence's end for an error, such as "invalid source token"; borrowed for ever. */
const char *policy_token_error_text(enum policy_token_error error);
const char *policy_column_name(enum policy_column column);

/* "dom0", "@adminvm" or the UUID of zeros. */
bool policy_is_adminvm(const char *text);

/* True when a name holds nothing but letters, digits and "_-.:": others can never match. */
bool policy_token_is_plain(const char *text);

#endif
