#include "qubesd/tools/options.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#define HELP_COLUMN 28

/* Where the parser is. */
struct parser {
	const struct option_set *sets; /* borrowed */
	size_t set_count;
	char *const *next; /* borrowed: the next word of argv */
	char *error;       /* owned: why it ended */
};

/* A row together with the struct that its target lies in. */
struct match {
	const struct option *row;
	void *values;
};

static bool
is_last(const struct option *row)
{
	return row->letter == '\0' && row->name == NULL;
}

static bool
takes_value(const struct option *row)
{
	return row->kind != OPTION_FLAG && row->kind != OPTION_COUNT;
}

static bool
looks_like_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

/* Two names of one thing are no ambiguity. */
static bool
is_same_option(const struct match *a, const struct match *b)
{
	return a->values == b->values && a->row->kind == b->row->kind &&
	       a->row->offset == b->row->offset && a->row->value == b->row->value;
}

static bool parser_fail(struct parser *parser, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool
parser_fail(struct parser *parser, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	parser->error = g_strdup_vprintf(format, args);
	va_end(args);
	return false;
}

static bool
find_letter(struct parser *parser, char letter, struct match *ret)
{
	for (size_t i = 0; i < parser->set_count; i++) {
		for (const struct option *row = parser->sets[i].rows; !is_last(row); row++) {
			if (row->letter == letter) {
				*ret = (struct match){row, parser->sets[i].values};
				return true;
			}
		}
	}
	return parser_fail(parser, "unrecognized option: -%c", letter);
}

static bool
find_exact(struct parser *parser, const char *text, size_t len, struct match *ret)
{
	for (size_t i = 0; i < parser->set_count; i++) {
		for (const struct option *row = parser->sets[i].rows; !is_last(row); row++) {
			if (row->name != NULL && strlen(row->name) == len &&
			    strncmp(row->name, text, len) == 0) {
				*ret = (struct match){row, parser->sets[i].values};
				return true;
			}
		}
	}
	return false;
}

/* The only option that the text abbreviates. */
static bool
find_abbreviated(struct parser *parser, const char *text, size_t len, struct match *ret)
{
	struct match found = {0};

	for (size_t i = 0; i < parser->set_count; i++) {
		for (const struct option *row = parser->sets[i].rows; !is_last(row); row++) {
			struct match match = {row, parser->sets[i].values};

			if (row->name == NULL || strncmp(row->name, text, len) != 0)
				continue;
			if (found.row != NULL && !is_same_option(&found, &match))
				return parser_fail(parser,
				    "ambiguous option: --%.*s could be --%s or --%s", (int)len,
				    text, found.row->name, row->name);
			found = match;
		}
	}
	if (found.row == NULL)
		return parser_fail(parser, "unrecognized option: --%.*s", (int)len, text);
	*ret = found;
	return true;
}

static bool
store_number(struct parser *parser, const char *name, const char *text, int *target)
{
	guint64 number;

	if (!g_ascii_string_to_unsigned(text, 10, 0, INT_MAX, &number, NULL))
		return parser_fail(parser, "option %s needs a number, not '%s'", name, text);
	*target = (int)number;
	return true;
}

static void
store_text(GPtrArray **target, const char *text)
{
	if (*target == NULL)
		*target = g_ptr_array_new();
	g_ptr_array_add(*target, (gpointer)text);
}

/*
 * Applies one option. attached is the value that came in the same word, or NULL; name is what the
 * person wrote, for messages.
 */
static bool
apply(struct parser *parser, const struct match *match, const char *name, const char *attached)
{
	const struct option *row = match->row;
	char *target = (char *)match->values + row->offset;
	const char *value = attached;

	if (!takes_value(row)) {
		if (attached != NULL)
			return parser_fail(parser, "option %s takes no value", name);
		*(int *)target = row->kind == OPTION_COUNT ? *(int *)target + 1 : row->value;
		return true;
	}
	if (row->kind == OPTION_OPTIONAL) {
		*(const char **)target = value != NULL ? value : "";
		return true;
	}
	if (value == NULL) {
		if (*parser->next == NULL || looks_like_option(*parser->next))
			return parser_fail(parser, "option %s needs a value", name);
		value = *parser->next++;
	}
	switch (row->kind) {
	case OPTION_NUMBER:
		return store_number(parser, name, value, (int *)target);
	case OPTION_TEXT:
		*(const char **)target = value;
		return true;
	default:
		store_text((GPtrArray **)target, value);
		break;
	}
	while (row->kind == OPTION_WORDS && attached == NULL && *parser->next != NULL &&
	       !looks_like_option(*parser->next))
		store_text((GPtrArray **)target, *parser->next++);
	return true;
}

static bool
parse_long(struct parser *parser, const char *word)
{
	const char *text = word + 2;
	const char *equals = strchr(text, '=');
	size_t len = equals != NULL ? (size_t)(equals - text) : strlen(text);
	g_autofree char *name = NULL;
	struct match match = {0};

	if (!find_exact(parser, text, len, &match) && !find_abbreviated(parser, text, len, &match))
		return false;
	name = g_strdup_printf("--%s", match.row->name);
	return apply(parser, &match, name, equals != NULL ? equals + 1 : NULL);
}

static bool
parse_letters(struct parser *parser, const char *word)
{
	for (const char *letter = word + 1; *letter != '\0'; letter++) {
		char name[] = {'-', *letter, '\0'};
		struct match match = {0};

		if (!find_letter(parser, *letter, &match))
			return false;
		if (takes_value(match.row) && letter[1] != '\0')
			return apply(parser, &match, name, letter + 1);
		if (!apply(parser, &match, name, NULL))
			return false;
	}
	return true;
}

int
options_parse(const struct option_set *sets, size_t set_count, char *const *argv,
    GPtrArray **ret_words, char **ret_error)
{
	struct parser parser = {.sets = sets, .set_count = set_count, .next = argv};
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	bool only_words = false;

	while (*parser.next != NULL) {
		char *word = *parser.next++;
		bool ok = true;

		if (only_words || !looks_like_option(word))
			g_ptr_array_add(words, word);
		else if (strcmp(word, "--") == 0)
			only_words = true;
		else
			ok = word[1] == '-' ? parse_long(&parser, word)
					    : parse_letters(&parser, word);
		if (!ok) {
			*ret_error = parser.error;
			return -EINVAL;
		}
	}
	*ret_words = g_steal_pointer(&words);
	return 0;
}

void
options_clear(const struct option_set *set)
{
	for (const struct option *row = set->rows; !is_last(row); row++) {
		GPtrArray **target = (GPtrArray **)((char *)set->values + row->offset);

		if ((row->kind == OPTION_TEXTS || row->kind == OPTION_WORDS) && *target != NULL)
			g_clear_pointer(target, g_ptr_array_unref);
	}
}

static char *
value_help(const struct option *row)
{
	const char *metavar = row->metavar != NULL ? row->metavar : "VALUE";

	if (!takes_value(row))
		return g_strdup("");
	if (row->kind == OPTION_OPTIONAL)
		return g_strdup_printf("[=%s]", metavar);
	return g_strdup_printf(" %s%s", metavar, row->kind == OPTION_WORDS ? "..." : "");
}

void
options_print_help(const struct option *rows, FILE *stream)
{
	for (const struct option *row = rows; !is_last(row); row++) {
		g_autofree char *value = value_help(row);
		g_autofree char *left = NULL;

		if (row->help == NULL)
			continue;
		if (row->letter != '\0' && row->name != NULL)
			left = g_strdup_printf("  -%c, --%s%s", row->letter, row->name, value);
		else if (row->name != NULL)
			left = g_strdup_printf("      --%s%s", row->name, value);
		else
			left = g_strdup_printf("  -%c%s", row->letter, value);
		if (strlen(left) + 2 > HELP_COLUMN)
			fprintf(stream, "%s\n%*s%s\n", left, HELP_COLUMN, "", row->help);
		else
			fprintf(stream, "%-*s%s\n", HELP_COLUMN, left, row->help);
	}
}
