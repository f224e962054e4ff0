/*
 * qvm-prefs and qubes-prefs - properties of one qube, and the global ones.
 */
#include "qubesd/tools/properties.h"
#include "qubesd/tools/show.h"
#include "qubesd/tools/tool.h"
#include "qubesd/tools/vmnames.h"

#include <string.h>

struct prefs_options {
	int reset, hide_default, help_properties, ignored;
};

static const struct option prefs_options[] = {
    {'D', "default", OPTION_FLAG, offsetof(struct prefs_options, reset), 1, NULL,
	"back to the default"},
    {0, "hide-default", OPTION_FLAG, offsetof(struct prefs_options, hide_default), 1, NULL,
	"list only what is not the default"},
    {0, "help-properties", OPTION_FLAG, offsetof(struct prefs_options, help_properties), 1, NULL,
	"say what each property means"},
    {'s', "set", OPTION_FLAG, offsetof(struct prefs_options, ignored), 1, NULL, NULL},
    {'g', "get", OPTION_FLAG, offsetof(struct prefs_options, ignored), 1, NULL, NULL},
    {0},
};

static const char *
value_shown(const struct property *property)
{
	return property_is_none(property) ? "None" : property->value;
}

static gint
compare_names(gconstpointer a, gconstpointer b)
{
	const struct property *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

static void
add_row(GPtrArray *rows, const char *name, const char *flag, const char *value)
{
	char **row = g_new0(char *, 4);

	row[0] = g_strdup(name);
	row[1] = g_strdup(flag);
	row[2] = g_strdup(value);
	g_ptr_array_add(rows, row);
}

static int
list_properties(struct tool_run *run, const char *dest, bool hide_default)
{
	static const char *const keys[] = {"name", "flag", "value", NULL};
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	g_autoptr(GPtrArray) properties = NULL;
	int status = properties_read(run, dest, &properties);

	if (status != 0)
		return status;
	g_ptr_array_sort(properties, compare_names);
	for (guint i = 0; i < properties->len; i++) {
		const struct property *property = properties->pdata[i];
		char flag[] = {property_flag(property), '\0'};

		if (!hide_default || flag[0] != 'D')
			add_row(rows, property->name, flag, value_shown(property));
	}
	if (run->json)
		show_json_rows(stdout, keys, rows);
	else
		show_table(stdout, rows);
	return 0;
}

/* A failed call about one property. An unknown one is wrong usage. */
static int
property_error(struct tool_run *run, const struct client_call *call)
{
	if (client_call_failed_with(call, "QubesNoSuchPropertyError"))
		return tool_usage_error(run, "no such property: '%s'", call->arg);
	return tool_error(run, "%s", call->message);
}

static int
get_property(struct tool_run *run, const char *dest, const char *name)
{
	struct client_call call =
	    tool_call(run, PROPERTY_METHOD(dest, "Get"), name, property_destination(dest), NULL);
	struct property *property = call.ok ? property_parse(name, call.content) : NULL;
	int status = 0;

	if (!call.ok)
		status = property_error(run, &call);
	else if (property == NULL)
		status = tool_error(run, "qubesd sent a reply that makes no sense");
	else if (property_flag(property) != 'U')
		show_line(stdout, property->value);
	property_free(property);
	client_clear(&call, 1);
	return status;
}

static int
set_property(struct tool_run *run, const char *dest, const char *name, const char *value)
{
	struct client_call call = tool_call(run, PROPERTY_METHOD(dest, "Set"), name,
	    property_destination(dest), property_set_value(run, dest, name, value));
	int status = call.ok ? 0 : property_error(run, &call);

	client_clear(&call, 1);
	return status;
}

static int
reset_property(struct tool_run *run, const char *dest, const char *name)
{
	struct client_call call =
	    tool_call(run, PROPERTY_METHOD(dest, "Reset"), name, property_destination(dest), NULL);
	int status = call.ok ? 0 : property_error(run, &call);

	client_clear(&call, 1);
	return status;
}

/* The first paragraph of a help text, as one line. */
static char *
help_line(const struct client_call *call)
{
	const char *end = call->ok ? strstr(call->content, "\n\n") : NULL;
	char *line;

	if (!call->ok)
		return g_strdup("");
	line = end != NULL ? g_strndup(call->content, (size_t)(end - call->content))
			   : g_strdup(call->content);
	return g_strstrip(g_strdelimit(line, "\n", ' '));
}

/* Names and helps of dest's properties go into the sorted table helps, where not there yet. */
static int
collect_help(struct tool_run *run, const char *dest, GTree *helps)
{
	struct client_call list =
	    tool_call(run, PROPERTY_METHOD(dest, "List"), NULL, property_destination(dest), NULL);
	g_autofree struct client_call *calls = NULL;
	g_auto(GStrv) names = NULL;
	guint count = 0;
	int status = 0;

	if (!list.ok)
		status = tool_error(run, "%s", list.message);
	names = client_lines(list.ok ? list.content : "");
	client_clear(&list, 1);
	calls = g_new0(struct client_call, g_strv_length(names));
	for (size_t i = 0; names[i] != NULL; i++) {
		if (g_tree_lookup(helps, names[i]) == NULL)
			calls[count++] =
			    (struct client_call){.method = PROPERTY_METHOD(dest, "Help"),
				.arg = names[i],
				.dest = property_destination(dest)};
	}
	client_run(run->client, calls, count);
	for (guint i = 0; i < count; i++)
		g_tree_insert(helps, g_strdup(calls[i].arg), help_line(&calls[i]));
	client_clear(calls, count);
	return status;
}

/* Without a qube's name: of one qube of each class. */
static int
collect_help_of_classes(struct tool_run *run, GTree *helps)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GPtrArray) vms = NULL;
	int status = vmnames_list(run, &vms);

	for (guint i = 0; status == 0 && i < vms->len; i++) {
		struct vm *vm = vms->pdata[i];

		if (vm->klass != NULL && g_hash_table_add(seen, vm->klass))
			status = collect_help(run, vm->name, helps);
	}
	return status;
}

static gboolean
add_help_row(gpointer name, gpointer help, gpointer rows)
{
	char **row = g_new0(char *, 3);

	row[0] = g_strdup(name);
	row[1] = g_strdup(help);
	g_ptr_array_add(rows, row);
	return FALSE;
}

static int
compare_keys(gconstpointer a, gconstpointer b, gpointer data)
{
	(void)data;
	return strcmp(a, b);
}

static int
help_properties(struct tool_run *run, bool global, const char *dest)
{
	g_autoptr(GTree) helps = g_tree_new_full(compare_keys, NULL, g_free, g_free);
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	int status;

	if (global || dest != NULL)
		status = collect_help(run, dest, helps);
	else
		status = collect_help_of_classes(run, helps);
	if (status != 0)
		return status;
	g_tree_foreach(helps, add_help_row, rows);
	show_table(stdout, rows);
	return 0;
}

/* What is left of the command line behind the qube: [PROPERTY [VALUE]]. dest NULL: global. */
static int
prefs_run(struct tool_run *run, const struct prefs_options *options, const char *dest, guint first)
{
	const char *word = tool_word(run, first);
	const char *value = tool_word(run, first + 1);
	g_autofree char *name = word != NULL ? g_strdelimit(g_strdup(word), "-", '_') : NULL;

	if (tool_word(run, first + 2) != NULL)
		return tool_usage_error(run, "too many words");
	if (options->reset && name == NULL)
		return tool_usage_error(run, "--default needs a property");
	if (options->reset && value != NULL)
		return tool_usage_error(run, "--default takes no value");
	if (name == NULL)
		return list_properties(run, dest, options->hide_default);
	if (name[0] == '\0')
		return tool_usage_error(run, "no such property: ''");
	if (options->reset)
		return reset_property(run, dest, name);
	if (value != NULL)
		return set_property(run, dest, name, value);
	return get_property(run, dest, name);
}

static int
prefs_main(struct tool_run *run, void *data)
{
	const struct prefs_options *options = data;
	g_autofree char *name = NULL;
	int status;

	if (tool_word(run, 0) == NULL)
		return options->help_properties ? help_properties(run, false, NULL)
						: tool_usage_error(run, "name a qube");
	status = vmnames_one(run, tool_word(run, 0), &name);
	if (status != 0)
		return status;
	if (options->help_properties)
		return help_properties(run, false, name);
	return prefs_run(run, options, name, 1);
}

static int
qubes_prefs_main(struct tool_run *run, void *data)
{
	const struct prefs_options *options = data;

	if (options->help_properties)
		return help_properties(run, true, NULL);
	return prefs_run(run, options, NULL, 0);
}

const struct tool tool_prefs = {
    "qvm-prefs",
    "VMNAME [PROPERTY [VALUE]]\n--default VMNAME PROPERTY\n--help-properties [VMNAME]",
    "Lists, shows, sets and resets the properties of a qube.",
    prefs_options,
    sizeof(struct prefs_options),
    prefs_main,
};

const struct tool tool_qubes_prefs = {
    "qubes-prefs",
    "[PROPERTY [VALUE]]\n--default PROPERTY\n--help-properties",
    "Lists, shows, sets and resets the global properties.",
    prefs_options,
    sizeof(struct prefs_options),
    qubes_prefs_main,
};
