/*
 * parse - policy text to statements: the only code that looks at the bytes of a policy file.
 *
 * Shape:  one statement a line, a rule or a "!directive"; two formats, told apart by whoever reads
 *         the file. In the service format (files of !include-service and of the legacy folder)
 *         the lines lack the first two columns, and '$' and ',' are read as '@' and blank.
 * Limits: POLICY_FILE_MAX bytes a file, POLICY_LINE_MAX bytes a line. Well-formed UTF-8 without
 *         NUL; outside comments nothing but printable ASCII, space and tab.
 * Pure:   no files, no globals, no logging. The first error ends the file: a file with one bad
 *         line is bad as a whole.
 * Source: docs/policy.md, "Lines", "Parameters", "Directives".
 */
#ifndef QREXEC_POLICY_PARSE_H
#define QREXEC_POLICY_PARSE_H

#include "qrexec/policy/index.h"
#include "qrexec/policy/token.h"

#include <stdbool.h>
#include <stddef.h>

#define POLICY_FILE_MAX (1u << 20) /* bytes */
#define POLICY_LINE_MAX 4096u      /* bytes, without the line's end */

enum policy_format {
	POLICY_FORMAT_RULES,   /* service argument source target action [parameters] */
	POLICY_FORMAT_SERVICE, /* source target action [parameters] */
};

enum policy_statement_kind {
	POLICY_RULE,
	POLICY_INCLUDE,         /* path */
	POLICY_INCLUDE_DIR,     /* path */
	POLICY_INCLUDE_SERVICE, /* service, argument, path */
	POLICY_COMPAT,
};

/* What one line says. Every text is borrowed from the parser until its next call. */
struct policy_statement {
	enum policy_statement_kind kind;
	const char *path;
	const char *service, *argument; /* NULL: any */

	struct policy_token source, target;
	enum policy_action action;
	bool has_redirect, has_default_target;
	struct policy_token redirect, default_target;
	const char *user; /* NULL: the default user */
	bool notify, autostart;
};

struct policy_parser {
	unsigned line; /* of the last statement or error; 0: the file as a whole */
	char *error;   /* owned; what is wrong, without file and line; NULL while all is well */

	enum policy_format format;
	const char *service, *argument; /* of the service format; borrowed */
	const char *at, *end;           /* what is left of the file; borrowed */
	char text[POLICY_LINE_MAX + 1]; /* the line, cut into words */
};

/* bytes, service and argument (service format only, NULL: any) are borrowed until fini. */
void policy_parser_init(struct policy_parser *parser, enum policy_format format,
    const char *service, const char *argument, const char *bytes, size_t len);
void policy_parser_fini(struct policy_parser *parser);

/* Returns 1 with *ret filled, 0 at the end, -EINVAL with parser->line and parser->error set. */
int policy_parser_next(struct policy_parser *parser, struct policy_statement *ret);

#endif
