/*
 * qvm - every qvm-* and qubes-* tool is this one program under another name; "qvm ls" is qvm-ls.
 */
#include "qubesd/tools/tool.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

/* What every tool takes. */
struct common {
	int help, version, verbose, quiet, json, ignored;
	const char *socket;
};

static const struct option common_options[] = {
    {'h', "help", OPTION_FLAG, offsetof(struct common, help), 1, NULL, "show this help"},
    {0, "version", OPTION_FLAG, offsetof(struct common, version), 1, NULL, "show the version"},
    {'v', "verbose", OPTION_COUNT, offsetof(struct common, verbose), 0, NULL, "say more"},
    {'q', "quiet", OPTION_COUNT, offsetof(struct common, quiet), 0, NULL, "say less"},
    {0, "json", OPTION_FLAG, offsetof(struct common, json), 1, NULL, "lists as JSON"},
    {0, "socket", OPTION_TEXT, offsetof(struct common, socket), 0, "PATH",
	"qubesd's socket (also: QUBESD_SOCKET in the environment)"},
    {0, "force-root", OPTION_FLAG, offsetof(struct common, ignored), 1, NULL, NULL},
    {0, "offline-mode", OPTION_FLAG, offsetof(struct common, ignored), 1, NULL, NULL},
    {0},
};

static const struct tool *const tools[] = {
    &tool_check,
    &tool_create,
    &tool_features,
    &tool_kill,
    &tool_ls,
    &tool_pause,
    &tool_pool,
    &tool_prefs,
    &tool_qubes_prefs,
    &tool_remove,
    &tool_run_,
    &tool_service,
    &tool_shutdown,
    &tool_start,
    &tool_tags,
    &tool_unpause,
    &tool_volume,
};

/* By its whole name, or without "qvm-". */
static const struct tool *
find_tool(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(tools); i++) {
		const char *full = tools[i]->name;

		if (strcmp(name, full) == 0 ||
		    (g_str_has_prefix(full, "qvm-") && strcmp(name, full + 4) == 0))
			return tools[i];
	}
	return NULL;
}

static int
list_tools(FILE *stream, int status)
{
	fprintf(stream, "usage: qvm TOOL [OPTIONS] ...\n\n");
	for (size_t i = 0; i < G_N_ELEMENTS(tools); i++)
		fprintf(stream, "  %-14s%s\n", tools[i]->name, tools[i]->summary);
	return status;
}

/* Every long option of a tool, for shell completion. */
static int
list_options(const struct tool *tool)
{
	const struct option *const tables[] = {tool->options, common_options};

	for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
		for (const struct option *row = tables[i]; row->letter != 0 || row->name != NULL;
		     row++) {
			if (row->help != NULL && row->name != NULL)
				printf("--%s\n", row->name);
		}
	}
	return 0;
}

static int
print_help(const struct tool *tool)
{
	tool_print_usage(tool, stdout);
	printf("\n%s\n\n", tool->summary);
	options_print_help(tool->options, stdout);
	options_print_help(common_options, stdout);
	return 0;
}

static int
print_version(const struct tool *tool)
{
	printf("%s (Qubes Admin client) %s\nFree software, without any warranty.\n", tool->name,
	    TOOL_VERSION);
	return 0;
}

static int
run_tool(const struct tool *tool, char *const *argv)
{
	struct common common = {0};
	g_autofree void *options = g_malloc0(MAX(tool->options_size, 1));
	const struct option_set sets[] = {{tool->options, options}, {common_options, &common}};
	struct tool_run run = {.tool = tool};
	g_autofree char *error = NULL;
	int status;

	if (options_parse(sets, G_N_ELEMENTS(sets), argv, &run.words, &error) < 0) {
		status = tool_usage_error(&run, "%s", error);
	} else if (common.help) {
		status = print_help(tool);
	} else if (common.version) {
		status = print_version(tool);
	} else {
		run.verbosity = common.verbose - common.quiet;
		run.json = common.json;
		run.client = client_new(common.socket);
		status = tool->main(&run, options);
		client_free(run.client);
	}
	g_clear_pointer(&run.words, g_ptr_array_unref);
	options_clear(&sets[0]);
	if (fflush(stdout) != 0 && status == 0)
		status = TOOL_FAILED;
	return status;
}

int
main(int argc, char **argv)
{
	g_autofree char *name = g_path_get_basename(argc > 0 ? argv[0] : "qvm");
	const struct tool *tool = find_tool(name);
	int first = 1;

	setlocale(LC_CTYPE, "");
	if (tool == NULL && argc > 2 && strcmp(argv[1], "--list-options") == 0) {
		tool = find_tool(argv[2]);
		return tool != NULL ? list_options(tool) : TOOL_USAGE;
	}
	if (tool == NULL && argc > 1) {
		if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
			return list_tools(stdout, 0);
		tool = find_tool(argv[1]);
		first = 2;
	}
	if (tool == NULL)
		return list_tools(stderr, TOOL_USAGE);
	return run_tool(tool, argv + first);
}
