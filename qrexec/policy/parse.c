#include "qrexec/policy/parse.h"

#include <errno.h>
#include <glib.h>
#include <stdarg.h>
#include <string.h>

#define WORDS_MAX 16 /* more than any valid line has */

static int fail(struct policy_parser *parser, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int
fail(struct policy_parser *parser, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_free(parser->error);
	parser->error = g_strdup_vprintf(format, args);
	va_end(args);
	parser->at = parser->end; /* nothing follows an error */
	return -EINVAL;
}

/* --- lines ---------------------------------------------------------------------------------- */

/* Length of the line at p; *ret_next is where the one after it begins. Ends: LF, CR LF, CR. */
static size_t
line_length(const char *p, const char *end, const char **ret_next)
{
	const char *stop = p;

	while (stop < end && *stop != '\n' && *stop != '\r')
		stop++;
	*ret_next = stop;
	if (stop < end)
		*ret_next += stop + 1 < end && stop[0] == '\r' && stop[1] == '\n' ? 2 : 1;
	return (size_t)(stop - p);
}

static unsigned
line_number_of(const char *bytes, const char *end, const char *place)
{
	unsigned line = 1;
	const char *next;

	for (const char *p = bytes;; p = next, line++) {
		line_length(p, end, &next);
		if (place < next || next == end)
			return line;
	}
}

void
policy_parser_init(struct policy_parser *parser, enum policy_format format, const char *service,
    const char *argument, const char *bytes, size_t len)
{
	const char *bad;

	parser->line = 0;
	parser->error = NULL;
	parser->format = format;
	parser->service = service;
	parser->argument = argument;
	parser->at = bytes;
	parser->end = bytes + len;
	if (len > POLICY_FILE_MAX) {
		fail(parser, "longer than %u bytes", POLICY_FILE_MAX);
	} else if (len > 0 && !g_utf8_validate(bytes, (gssize)len, &bad)) {
		parser->line = line_number_of(bytes, parser->end, bad);
		fail(parser, "not valid UTF-8 text");
	}
}

void
policy_parser_fini(struct policy_parser *parser)
{
	g_clear_pointer(&parser->error, g_free);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Copies the next line that is neither empty nor a comment. As policy_parser_next(). */
static int
next_line(struct policy_parser *parser)
{
	while (parser->at < parser->end) {
		const char *line = parser->at;
		size_t len = line_length(line, parser->end, &parser->at);

		parser->line++;
		if (len > POLICY_LINE_MAX)
			return fail(parser, "line longer than %u bytes", POLICY_LINE_MAX);
		while (len > 0 && is_blank(line[0]))
			line++, len--;
		while (len > 0 && is_blank(line[len - 1]))
			len--;
		if (len == 0 || line[0] == '#')
			continue;
		memcpy(parser->text, line, len);
		parser->text[len] = '\0';
		return 1;
	}
	return 0;
}

static int
check_characters(struct policy_parser *parser)
{
	for (const char *p = parser->text; *p != '\0'; p++) {
		if (!g_ascii_isprint(*p) && *p != '\t')
			return fail(parser, "control or non-ASCII character");
	}
	return 0;
}

/* The service format's older spellings; the length of the line stays. */
static void
translate_legacy(char *text)
{
	static const char include[] = "$include:";

	if (strncmp(text, include, strlen(include)) == 0)
		memcpy(text, "!include ", strlen(include));
	g_strdelimit(text, "$", '@');
	g_strdelimit(text, ",", ' ');
}

static int
split_words(struct policy_parser *parser, char *words[WORDS_MAX], size_t *ret_count)
{
	char *p = parser->text;
	size_t count = 0;

	for (;;) {
		while (is_blank(*p))
			p++;
		if (*p == '\0')
			break;
		if (count == WORDS_MAX)
			return fail(parser, "wrong number of fields");
		words[count++] = p;
		while (*p != '\0' && !is_blank(*p))
			p++;
		if (*p != '\0')
			*p++ = '\0';
	}
	*ret_count = count;
	return 0;
}

/* --- columns -------------------------------------------------------------------------------- */

static bool
has_only(const char *text, const char *extra)
{
	for (; *text != '\0'; text++) {
		if (!g_ascii_isalnum(*text) && strchr(extra, *text) == NULL)
			return false;
	}
	return true;
}

static int
read_service(struct policy_parser *parser, const char *service_word, const char *argument_word,
    struct policy_statement *statement)
{
	bool any_service = strcmp(service_word, "*") == 0;
	bool any_argument = strcmp(argument_word, "*") == 0;

	if (!any_service && !has_only(service_word, "-._"))
		return fail(parser, "invalid characters in service '%s'", service_word);
	if (!any_argument && argument_word[0] != '+')
		return fail(parser, "argument '%s' must be '*' or begin with '+'", argument_word);
	if (!any_argument && !has_only(argument_word, "+-._"))
		return fail(parser, "invalid characters in argument '%s'", argument_word);
	if (any_service && !any_argument)
		return fail(parser, "only argument '*' goes with service '*'");
	statement->service = any_service ? NULL : service_word;
	statement->argument = any_argument ? NULL : argument_word;
	return 0;
}

static int
read_token(struct policy_parser *parser, const char *word, enum policy_column column,
    struct policy_token *ret)
{
	enum policy_token_error error = policy_token_parse(word, column, ret);

	if (error != POLICY_TOKEN_OK)
		return fail(parser, "%s %s token: '%s'", policy_token_error_text(error),
		    policy_column_name(column), word);
	return 0;
}

static int
read_action(struct policy_parser *parser, const char *word, enum policy_action *ret)
{
	for (enum policy_action action = POLICY_ACTION_ALLOW; action <= POLICY_ACTION_DENY;
	     action++) {
		if (strcmp(word, policy_action_name(action)) == 0) {
			*ret = action;
			return 0;
		}
	}
	return fail(parser, "invalid action: '%s'", word);
}

/* --- parameters ----------------------------------------------------------------------------- */

static int
read_bool(struct policy_parser *parser, const char *name, const char *value, bool *ret)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return fail(parser, "'%s' is '%s', but can be only 'yes' or 'no'", name, value);
	*ret = strcmp(value, "yes") == 0;
	return 0;
}

static int
set_target(struct policy_parser *parser, const char *value, struct policy_statement *statement)
{
	statement->has_redirect = true;
	return read_token(parser, value, POLICY_COLUMN_REDIRECT, &statement->redirect);
}

static int
set_default_target(
    struct policy_parser *parser, const char *value, struct policy_statement *statement)
{
	statement->has_default_target = true;
	return read_token(parser, value, POLICY_COLUMN_REDIRECT, &statement->default_target);
}

static int
set_user(struct policy_parser *parser, const char *value, struct policy_statement *statement)
{
	(void)parser;
	statement->user = value[0] != '\0' ? value : NULL;
	return 0;
}

static int
set_notify(struct policy_parser *parser, const char *value, struct policy_statement *statement)
{
	return read_bool(parser, "notify", value, &statement->notify);
}

static int
set_autostart(struct policy_parser *parser, const char *value, struct policy_statement *statement)
{
	return read_bool(parser, "autostart", value, &statement->autostart);
}

#define ALLOW (1u << POLICY_ACTION_ALLOW)
#define ASK (1u << POLICY_ACTION_ASK)
#define DENY (1u << POLICY_ACTION_DENY)

struct parameter {
	const char *name;
	unsigned actions; /* those that it goes with */
	int (*set)(struct policy_parser *, const char *, struct policy_statement *);
};

/* clang-format off */
static const struct parameter parameters[] = {
	{ "target",         ALLOW | ASK,        set_target },
	{ "default_target", ASK,                set_default_target },
	{ "user",           ALLOW | ASK,        set_user },
	{ "notify",         ALLOW | ASK | DENY, set_notify },
	{ "autostart",      ALLOW | ASK,        set_autostart },
};
/* clang-format on */

static const struct parameter *
parameter_find(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(parameters); i++) {
		if (strcmp(name, parameters[i].name) == 0)
			return &parameters[i];
	}
	return NULL;
}

/* *seen has a bit for each row of the table that the line has used. */
static int
read_parameter(
    struct policy_parser *parser, char *word, unsigned *seen, struct policy_statement *statement)
{
	char *value = strchr(word, '=');
	const struct parameter *parameter;
	unsigned bit;

	if (value == NULL)
		return fail(parser, "invalid action parameter syntax: '%s'", word);
	*value++ = '\0';
	parameter = parameter_find(word);
	if (parameter == NULL || !(parameter->actions & (1u << statement->action)))
		return fail(parser, "invalid parameter for action %s: '%s'",
		    policy_action_name(statement->action), word);
	bit = 1u << (parameter - parameters);
	if (*seen & bit)
		return fail(parser, "parameter given twice: '%s'", word);
	*seen |= bit;
	return parameter->set(parser, value, statement);
}

/* --- statements ----------------------------------------------------------------------------- */

/* words: source target action [parameters]; service and argument are in the statement already. */
static int
read_rule(
    struct policy_parser *parser, char **words, size_t count, struct policy_statement *statement)
{
	unsigned seen = 0;
	int r;

	statement->kind = POLICY_RULE;
	if (count < 3)
		return fail(parser, "wrong number of fields");
	r = read_token(parser, words[0], POLICY_COLUMN_SOURCE, &statement->source);
	if (r < 0)
		return r;
	r = read_token(parser, words[1], POLICY_COLUMN_TARGET, &statement->target);
	if (r < 0)
		return r;
	r = read_action(parser, words[2], &statement->action);
	if (r < 0)
		return r;
	statement->notify = statement->action == POLICY_ACTION_DENY;
	statement->autostart = true;
	for (size_t i = 3; i < count; i++) {
		r = read_parameter(parser, words[i], &seen, statement);
		if (r < 0)
			return r;
	}
	if (statement->action == POLICY_ACTION_ALLOW && !statement->has_redirect &&
	    statement->target.kind == POLICY_TOKEN_DEFAULT)
		return fail(parser, "allow for target @default needs target=");
	return 1;
}

struct directive {
	const char *name;
	enum policy_statement_kind kind;
	size_t words;    /* after its name; the last one is a path */
	bool in_service; /* may stand in the service format */
};

/* clang-format off */
static const struct directive directives[] = {
	{ "!include",         POLICY_INCLUDE,         1, true },
	{ "!include-dir",     POLICY_INCLUDE_DIR,     1, false },
	{ "!include-service", POLICY_INCLUDE_SERVICE, 3, false },
	{ "!compat-4.0",      POLICY_COMPAT,          0, false },
};
/* clang-format on */

static int
read_directive(
    struct policy_parser *parser, char **words, size_t count, struct policy_statement *statement)
{
	const struct directive *directive = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(directives); i++) {
		if (strcmp(words[0], directives[i].name) == 0)
			directive = &directives[i];
	}
	if (directive == NULL)
		return fail(parser, "unknown directive: '%s'", words[0]);
	if (parser->format == POLICY_FORMAT_SERVICE && !directive->in_service)
		return fail(parser, "directive not allowed here: '%s'", words[0]);
	if (count != 1 + directive->words)
		return fail(parser, "wrong number of words after %s", words[0]);
	statement->kind = directive->kind;
	statement->path = directive->words > 0 ? words[count - 1] : NULL;
	if (directive->kind == POLICY_INCLUDE_SERVICE) {
		int r = read_service(parser, words[1], words[2], statement);

		if (r < 0)
			return r;
	}
	return 1;
}

static int
read_statement(struct policy_parser *parser, struct policy_statement *statement)
{
	char *words[WORDS_MAX];
	size_t count;
	int r;

	r = split_words(parser, words, &count);
	if (r < 0)
		return r;
	if (count == 0) /* a line of commas in the service format */
		return fail(parser, "wrong number of fields");
	if (words[0][0] == '!')
		return read_directive(parser, words, count, statement);
	if (parser->format == POLICY_FORMAT_SERVICE) {
		statement->service = parser->service;
		statement->argument = parser->argument;
		return read_rule(parser, words, count, statement);
	}
	if (count < 5)
		return fail(parser, "wrong number of fields");
	r = read_service(parser, words[0], words[1], statement);
	if (r < 0)
		return r;
	return read_rule(parser, words + 2, count - 2, statement);
}

int
policy_parser_next(struct policy_parser *parser, struct policy_statement *ret)
{
	struct policy_statement statement = {0};
	int r;

	if (parser->error != NULL)
		return -EINVAL;
	r = next_line(parser);
	if (r <= 0)
		return r;
	r = check_characters(parser);
	if (r < 0)
		return r;
	if (parser->format == POLICY_FORMAT_SERVICE)
		translate_legacy(parser->text);
	r = read_statement(parser, &statement);
	if (r < 0)
		return r;
	*ret = statement;
	return 1;
}
