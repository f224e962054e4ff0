/*
 * qvm-tags - tags of a qube.
 */
#include "qubesd/tools/show.h"
#include "qubesd/tools/tool.h"
#include "qubesd/tools/vmnames.h"

#include <string.h>

static int
list_tags(struct tool_run *run, const char *vm)
{
	static const char *const keys[] = {"tag", NULL};
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	struct client_call call = tool_call(run, "admin.vm.tag.List", NULL, vm, NULL);
	g_auto(GStrv) tags = NULL;
	int status = call.ok ? 0 : tool_error(run, "%s", call.message);

	tags = client_lines(call.ok ? call.content : "");
	client_clear(&call, 1);
	for (size_t i = 0; tags[i] != NULL; i++)
		g_ptr_array_add(rows, g_strdupv((char *[]){tags[i], NULL}));
	if (status == 0 && run->json)
		show_json_rows(stdout, keys, rows);
	else
		show_table(stdout, rows);
	return status;
}

/* Shows the tag if the qube has it; else status 1, without a word. */
static int
query_tag(struct tool_run *run, const char *vm, const char *tag)
{
	struct client_call call = tool_call(run, "admin.vm.tag.Get", tag, vm, NULL);
	int status = 0;

	if (!call.ok)
		status = tool_error(run, "%s", call.message);
	else if (strcmp(call.content, "1") != 0)
		status = TOOL_FAILED;
	else
		show_line(stdout, tag);
	client_clear(&call, 1);
	return status;
}

static int
tags_list(struct tool_run *run, const char *vm)
{
	if (run->words->len > 3)
		return tool_usage_error(run, "list takes one tag");
	return run->words->len == 3 ? query_tag(run, vm, tool_word(run, 2)) : list_tags(run, vm);
}

/* One call a tag, in order; the first failure ends it, unless it is of the class fine. */
static int
tags_change(struct tool_run *run, const char *vm, const char *method, const char *fine)
{
	if (run->words->len < 3)
		return tool_usage_error(run, "name a tag");
	for (guint i = 2; i < run->words->len; i++) {
		struct client_call call = tool_call(run, method, tool_word(run, i), vm, NULL);
		int status = 0;

		if (!call.ok && (fine == NULL || !client_call_failed_with(&call, fine)))
			status = tool_error(run, "%s", call.message);
		client_clear(&call, 1);
		if (status != 0)
			return status;
	}
	return 0;
}

static int
tags_add(struct tool_run *run, const char *vm)
{
	return tags_change(run, vm, "admin.vm.tag.Set", NULL);
}

static int
tags_remove(struct tool_run *run, const char *vm)
{
	return tags_change(run, vm, "admin.vm.tag.Remove", "QubesTagNotFoundError");
}

static const struct {
	const char *word;
	int (*run)(struct tool_run *run, const char *vm);
} commands[] = {
    {"list", tags_list},
    {"ls", tags_list},
    {"l", tags_list},
    {"add", tags_add},
    {"a", tags_add},
    {"set", tags_add},
    {"del", tags_remove},
    {"d", tags_remove},
    {"unset", tags_remove},
    {"u", tags_remove},
};

static int
tags_main(struct tool_run *run, void *options)
{
	const char *word = run->words->len > 1 ? tool_word(run, 1) : "list";
	g_autofree char *vm = NULL;
	int status;

	(void)options;
	if (run->words->len < 1)
		return tool_usage_error(run, "name a qube");
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (strcmp(word, commands[i].word) != 0)
			continue;
		status = vmnames_one(run, tool_word(run, 0), &vm);
		return status != 0 ? status : commands[i].run(run, vm);
	}
	return tool_usage_error(run, "no such command: '%s'", word);
}

static const struct option tags_options[] = {{0}};

const struct tool tool_tags = {
    "qvm-tags",
    "VMNAME [list [TAG]]\nVMNAME add TAG...\nVMNAME del TAG...",
    "Lists, adds and removes the tags of a qube.",
    tags_options,
    0,
    tags_main,
};
