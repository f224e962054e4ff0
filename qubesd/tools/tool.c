#include "qubesd/tools/tool.h"

#include "shared/text.h"

#include <string.h>

const char *
tool_word(const struct tool_run *run, guint n)
{
	return n < run->words->len ? run->words->pdata[n] : NULL;
}

void
tool_print_usage(const struct tool *tool, FILE *stream)
{
	g_auto(GStrv) forms = g_strsplit(tool->usage, "\n", -1);

	for (size_t i = 0; forms[i] != NULL; i++)
		fprintf(stream, "%s %s [OPTIONS] %s\n", i == 0 ? "usage:" : "      ", tool->name,
		    forms[i]);
}

static void say_va(const char *prefix, const char *format, va_list args) G_GNUC_PRINTF(2, 0);

static void
say_va(const char *prefix, const char *format, va_list args)
{
	g_autofree char *text = g_strdup_vprintf(format, args);
	g_autofree char *harmless = text_utf8(text, strlen(text));

	fflush(stdout); /* so that the order of the lines is that of the events */
	fprintf(stderr, "%s%s\n", prefix, harmless);
}

int
tool_usage_error(const struct tool_run *run, const char *format, ...)
{
	g_autofree char *prefix = g_strdup_printf("%s: error: ", run->tool->name);
	va_list args;

	tool_print_usage(run->tool, stderr);
	va_start(args, format);
	say_va(prefix, format, args);
	va_end(args);
	return TOOL_USAGE;
}

int
tool_error(const struct tool_run *run, const char *format, ...)
{
	g_autofree char *prefix = g_strdup_printf("%s: error: ", run->tool->name);
	va_list args;

	va_start(args, format);
	say_va(prefix, format, args);
	va_end(args);
	return TOOL_FAILED;
}

void
tool_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_va("", format, args);
	va_end(args);
}

struct client_call
tool_call(const struct tool_run *run, const char *method, const char *arg, const char *dest,
    const char *payload)
{
	struct client_call call = {
	    .method = method,
	    .arg = arg,
	    .dest = dest,
	    .payload = payload,
	    .payload_len = payload != NULL ? strlen(payload) : 0,
	};

	client_run(run->client, &call, 1);
	return call;
}

int
tool_do(const struct tool_run *run, const char *method, const char *arg, const char *dest,
    const char *payload)
{
	struct client_call call = tool_call(run, method, arg, dest, payload);
	int status = call.ok ? 0 : tool_error(run, "%s", call.message);

	client_clear(&call, 1);
	return status;
}

bool
tool_confirm(const char *question, const char *wanted)
{
	char answer[64];

	fputs(question, stdout);
	fflush(stdout);
	if (fgets(answer, sizeof(answer), stdin) == NULL)
		return false;
	return g_ascii_strcasecmp(g_strstrip(answer), wanted) == 0;
}

bool
tool_parse_bool(const char *text, bool *ret)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
	    {"0", false},
	    {"no", false},
	    {"false", false},
	    {"off", false},
	    {"1", true},
	    {"yes", true},
	    {"true", true},
	    {"on", true},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		if (g_ascii_strcasecmp(text, words[i].word) == 0) {
			*ret = words[i].value;
			return true;
		}
	}
	return false;
}
