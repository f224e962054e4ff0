/*
 * qubes-policy-lint - checks policy files line by line, each line on its own.
 *
 *   qubes-policy-lint [-s] [-i] FILE...        "-" is stdin
 *
 * Prints "FILE:LINE: error: TEXT" for each line that is wrong, "warning" for each that is odd, and
 * for each file how many rules it has and how many of them ask. Does not follow includes.
 */
#include "qrexec/policy/parse.h"
#include "shared/log.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

struct options {
	gboolean show_lines, service_format;
	char **files;
};

struct lint {
	const struct options *options;
	const char *file;
	unsigned rules, asks, errors;
};

static bool
parse_options(int argc, char **argv, struct options *options)
{
	const GOptionEntry entries[] = {
	    {"show", 's', 0, G_OPTION_ARG_NONE, &options->show_lines,
		"Print the line behind the message", NULL},
	    {"include-service", 'i', 0, G_OPTION_ARG_NONE, &options->service_format,
		"The files are in the service format", NULL},
	    {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->files, NULL,
		"FILE..."},
	    {0},
	};
	g_autoptr(GOptionContext) context = g_option_context_new("- checks policy files");
	g_autoptr(GError) error = NULL;

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		log_error("%s", error->message);
		return false;
	}
	if (options->files == NULL)
		log_error("no file is named");
	return options->files != NULL;
}

static void
report(struct lint *lint, unsigned line, const char *kind, const char *text, const char *content)
{
	g_autofree char *shown =
	    lint->options->show_lines ? g_strconcat(": ", content, NULL) : g_strdup("");

	printf("%s:%u: %s: %s%s\n", lint->file, line, kind, text, shown);
}

static void
warn_of_token(
    struct lint *lint, unsigned line, const struct policy_token *token, const char *content)
{
	g_autofree char *text = NULL;

	if (token->kind == POLICY_TOKEN_ANY || policy_token_is_plain(token->value))
		return;
	text = g_strdup_printf("no qube can match '%s'", token->text);
	report(lint, line, "warning", text, content);
}

static void
check_line(struct lint *lint, unsigned line, const char *content)
{
	struct policy_parser parser;
	struct policy_statement statement;
	enum policy_format format =
	    lint->options->service_format ? POLICY_FORMAT_SERVICE : POLICY_FORMAT_RULES;
	int r;

	policy_parser_init(&parser, format, NULL, NULL, content, strlen(content));
	r = policy_parser_next(&parser, &statement);
	if (r < 0) {
		lint->errors++;
		report(lint, line, "error", parser.error, content);
	} else if (r > 0 && statement.kind == POLICY_RULE) {
		lint->rules++;
		lint->asks += statement.action == POLICY_ACTION_ASK;
		warn_of_token(lint, line, &statement.source, content);
		warn_of_token(lint, line, &statement.target, content);
	}
	policy_parser_fini(&parser);
}

/* Cuts the text into lines as the parser does: LF, CR LF, CR. */
static void
check_text(struct lint *lint, char *text)
{
	unsigned line = 1;

	for (char *next; text != NULL; text = next, line++) {
		size_t len = strcspn(text, "\r\n");

		next = text[len] == '\0' ? NULL : text + len + 1;
		if (next != NULL && text[len] == '\r' && *next == '\n')
			next++;
		text[len] = '\0';
		check_line(lint, line, text);
	}
}

static GString *
read_all(FILE *file)
{
	GString *text = g_string_new(NULL);
	char chunk[8192];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0 && text->len <= POLICY_FILE_MAX)
		g_string_append_len(text, chunk, (gssize)n);
	return text;
}

static bool
check_file(const struct options *options, const char *name)
{
	bool is_stdin = strcmp(name, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(name, "re");
	struct lint lint = {.options = options, .file = name};
	GString *text;

	if (file == NULL) {
		printf("%s:0: error: %s\n", name, g_strerror(errno));
		return false;
	}
	text = read_all(file);
	if (ferror(file) || text->len > POLICY_FILE_MAX || strlen(text->str) != text->len) {
		lint.errors++;
		report(&lint, 0, "error", "cannot be read, is too long, or holds NUL bytes", "");
	} else {
		check_text(&lint, text->str);
		printf("%s: %u rules, %u of them ask\n", name, lint.rules, lint.asks);
	}
	g_string_free(text, TRUE);
	if (!is_stdin)
		fclose(file);
	return lint.errors == 0;
}

int
main(int argc, char **argv)
{
	struct options options = {0};
	bool ok = true;

	log_init("qubes-policy-lint");
	if (!parse_options(argc, argv, &options))
		return 2;
	for (char **file = options.files; *file != NULL; file++)
		ok &= check_file(&options, *file);
	g_strfreev(options.files);
	return ok ? 0 : 1;
}
