/*
 * qvm-ls - lists qubes.
 */
#include "qubesd/tools/ls_columns.h"
#include "qubesd/tools/show.h"
#include "qubesd/tools/tool.h"
#include "qubesd/tools/vmnames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SPINNER_DELAY_MS 1000

struct ls_options {
	struct selection selection;
	const char *format, *fields, *sort, *internal, *servicevm;
	GPtrArray *classes, *labels, *tags, *exclude_tags, *template_sources, *netvms;
	GPtrArray *features, *prefs;
	int network, disk, kernel, raw_data, raw_list, tree;
	int running, paused, halted, pending_update;
	int reverse, ignore_case, spinner, no_spinner, help_formats, help_columns;
};

#define AT(member) offsetof(struct ls_options, member)

static const struct option ls_options[] = {
    SELECTION_OPTIONS(struct ls_options, selection),
    {'o', "format", OPTION_TEXT, AT(format), 0, "FORMAT", "a set of columns (--help-formats)"},
    {'O', "fields", OPTION_TEXT, AT(fields), 0, "A,B,...", "columns (--help-columns)"},
    {'n', "network", OPTION_FLAG, AT(network), 1, NULL, "the same as --format network"},
    {'d', "disk", OPTION_FLAG, AT(disk), 1, NULL, "the same as --format disk"},
    {'k', "kernel", OPTION_FLAG, AT(kernel), 1, NULL, "the same as --format kernel"},
    {0, "raw-data", OPTION_FLAG, AT(raw_data), 1, NULL, "no head; cells joined by |"},
    {0, "raw-list", OPTION_FLAG, AT(raw_list), 1, NULL, "only names"},
    {'t', "tree", OPTION_FLAG, AT(tree), 1, NULL, "as a tree of the network"},
    {0, "class", OPTION_WORDS, AT(classes), 0, "CLASS", "only of these classes"},
    {0, "label", OPTION_WORDS, AT(labels), 0, "LABEL", "only with these labels"},
    {0, "tags", OPTION_WORDS, AT(tags), 0, "TAG", "only with one of these tags"},
    {0, "exclude-tags", OPTION_WORDS, AT(exclude_tags), 0, "TAG", "only with none of these"},
    {0, "running", OPTION_FLAG, AT(running), 1, NULL, "only running ones"},
    {0, "paused", OPTION_FLAG, AT(paused), 1, NULL, "only paused ones"},
    {0, "halted", OPTION_FLAG, AT(halted), 1, NULL, "only halted ones"},
    {0, "template-source", OPTION_WORDS, AT(template_sources), 0, "TEMPLATE",
	"only with one of these templates; '' for none"},
    {0, "netvm-is", OPTION_WORDS, AT(netvms), 0, "NAME",
	"only with one of these for the network; '' for none"},
    {0, "internal", OPTION_TEXT, AT(internal), 0, "y|n", "feature internal"},
    {0, "servicevm", OPTION_TEXT, AT(servicevm), 0, "y|n", "feature servicevm"},
    {0, "pending-update", OPTION_FLAG, AT(pending_update), 1, NULL, "only with pending updates"},
    {0, "features", OPTION_WORDS, AT(features), 0, "FEATURE=VALUE",
	"only with these; F= not set, F='' empty"},
    {0, "prefs", OPTION_WORDS, AT(prefs), 0, "PROPERTY=VALUE",
	"only with these; P= not set, P='' empty"},
    {0, "sort", OPTION_TEXT, AT(sort), 0, "COLUMN", "sort by this column"},
    {0, "reverse", OPTION_FLAG, AT(reverse), 1, NULL, "sort backwards"},
    {0, "ignore-case", OPTION_FLAG, AT(ignore_case), 1, NULL, "sort without regard to case"},
    {0, "spinner", OPTION_FLAG, AT(spinner), 1, NULL, "dots while waiting, also off a terminal"},
    {0, "no-spinner", OPTION_FLAG, AT(no_spinner), 1, NULL, "no dots while waiting"},
    {0, "help-formats", OPTION_FLAG, AT(help_formats), 1, NULL, "list the formats"},
    {0, "help-columns", OPTION_FLAG, AT(help_columns), 1, NULL, "list the columns"},
    {0},
};

/* clang-format off */
static const struct {
	const char *name, *fields;
} formats[] = {
	{ "simple",  "name,state,class,label,template,netvm" },
	{ "network", "name,state,netvm,ip,ipback,gateway" },
	{ "kernel",  "name,state,class,template,kernel,kernelopts" },
	{ "full",    "name,state,class,label,qid,xid,uuid" },
	{ "prefs",   "name,label,template,netvm,vcpus,initialmem,maxmem,virt_mode" },
	{ "disk",    "name,state,disk,priv-curr,priv-max,priv-used,root-curr,root-max,root-used" },
};
/* clang-format on */

static int
help_formats(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
		g_autofree char *heads = g_ascii_strup(formats[i].fields, -1);

		printf("%-10s%s\n", formats[i].name, g_strdelimit(heads, ",", ' '));
	}
	return 0;
}

/* --- columns -------------------------------------------------------------------------------- */

static const char *
fields_of(const struct ls_options *options)
{
	const char *format = options->network  ? "network"
			     : options->disk   ? "disk"
			     : options->kernel ? "kernel"
			     : options->format ? options->format
					       : "simple";

	if (options->raw_list)
		return "name";
	if (options->fields != NULL)
		return options->fields;
	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
		if (strcmp(format, formats[i].name) == 0)
			return formats[i].fields;
	}
	return NULL;
}

static GPtrArray *
columns_new(const char *fields)
{
	GPtrArray *columns = g_ptr_array_new_with_free_func((GDestroyNotify)ls_column_free);
	g_auto(GStrv) names = g_strsplit(fields, ",", -1);

	for (size_t i = 0; names[i] != NULL; i++) {
		if (g_strstrip(names[i])[0] != '\0')
			g_ptr_array_add(columns, ls_column_new(names[i]));
	}
	return columns;
}

/* --- filters -------------------------------------------------------------------------------- */

static bool
is_among(const GPtrArray *texts, const char *text)
{
	return g_ptr_array_find_with_equal_func((GPtrArray *)texts, text, g_str_equal, NULL);
}

static bool
passes_state(const struct ls_options *options, const struct vm *vm)
{
	if (!options->running && !options->paused && !options->halted)
		return true;
	if (vm_is_in_state(vm, "Paused") || vm_is_in_state(vm, "Suspended"))
		return options->paused;
	return vm_is_active(vm) ? options->running : options->halted;
}

static bool
has_tag_of(const struct ls_vm *vm, const GPtrArray *tags)
{
	for (size_t i = 0; vm->tags != NULL && vm->tags[i] != NULL; i++) {
		if (is_among(tags, vm->tags[i]))
			return true;
	}
	return false;
}

/* A property that holds a qube (or a label) is one of the given; "" stands for none. */
static bool
passes_property(const struct ls_vm *vm, const char *name, const GPtrArray *wanted)
{
	g_autofree char *value = NULL;

	if (wanted == NULL)
		return true;
	value = ls_vm_property(vm, name);
	return is_among(wanted, value != NULL ? value : "");
}

static bool
passes_yes_no(const struct ls_vm *vm, const char *feature, const char *wanted)
{
	const char *value = ls_vm_feature(vm, feature);
	bool on = g_strcmp0(value, "1") == 0 || g_strcmp0(value, "true") == 0;

	return wanted == NULL || on == (wanted[0] == 'y');
}

/* "NAME=VALUE" against the value there is (NULL: none). */
static bool
matches_condition(const char *condition, const char *value)
{
	const char *wanted = strchr(condition, '=') + 1;

	if (wanted[0] == '\0')
		return value == NULL;
	return g_strcmp0(value, strcmp(wanted, "''") == 0 ? "" : wanted) == 0;
}

static char *
condition_name(const char *condition)
{
	return g_strndup(condition, strcspn(condition, "="));
}

static bool
passes_features(const struct ls_vm *vm, const GPtrArray *conditions)
{
	for (guint i = 0; conditions != NULL && i < conditions->len; i++) {
		g_autofree char *name = condition_name(conditions->pdata[i]);

		if (!matches_condition(conditions->pdata[i], ls_vm_feature(vm, name)))
			return false;
	}
	return true;
}

static bool
passes_prefs(const struct ls_vm *vm, const GPtrArray *conditions)
{
	for (guint i = 0; conditions != NULL && i < conditions->len; i++) {
		g_autofree char *name = condition_name(conditions->pdata[i]);
		g_autofree char *value = ls_vm_property(vm, g_strdelimit(name, "-", '_'));

		if (!matches_condition(conditions->pdata[i], value))
			return false;
	}
	return true;
}

static bool
passes(const struct ls_options *options, const struct ls_vm *vm)
{
	const char *updates = ls_vm_feature(vm, "updates-available");

	return (options->classes == NULL ||
		   is_among(options->classes, vm->vm->klass != NULL ? vm->vm->klass : "")) &&
	       passes_state(options, vm->vm) && passes_property(vm, "label", options->labels) &&
	       passes_property(vm, "template", options->template_sources) &&
	       passes_property(vm, "netvm", options->netvms) &&
	       (options->tags == NULL || has_tag_of(vm, options->tags)) &&
	       (options->exclude_tags == NULL || !has_tag_of(vm, options->exclude_tags)) &&
	       passes_yes_no(vm, "internal", options->internal) &&
	       passes_yes_no(vm, "servicevm", options->servicevm) &&
	       (!options->pending_update || (updates != NULL && updates[0] != '\0')) &&
	       passes_features(vm, options->features) && passes_prefs(vm, options->prefs);
}

static void
add_filter_needs(const struct ls_options *options, struct ls_needs *needs, GStringChunk *names)
{
	if (options->labels != NULL)
		ls_needs_add_property(needs, "label");
	if (options->template_sources != NULL)
		ls_needs_add_property(needs, "template");
	if (options->netvms != NULL || options->tree)
		ls_needs_add_property(needs, "netvm");
	if (options->tags != NULL || options->exclude_tags != NULL)
		needs->what |= LS_TAGS;
	if (options->internal != NULL)
		ls_needs_add_feature(needs, "internal");
	if (options->servicevm != NULL)
		ls_needs_add_feature(needs, "servicevm");
	if (options->pending_update)
		ls_needs_add_feature(needs, "updates-available");
	for (guint i = 0; options->features != NULL && i < options->features->len; i++) {
		g_autofree char *name = condition_name(options->features->pdata[i]);

		ls_needs_add_feature(needs, g_string_chunk_insert_const(names, name));
	}
	for (guint i = 0; options->prefs != NULL && i < options->prefs->len; i++) {
		g_autofree char *name = condition_name(options->prefs->pdata[i]);

		ls_needs_add_property(needs, g_strdelimit(name, "-", '_'));
	}
}

static bool
are_conditions(const GPtrArray *texts)
{
	for (guint i = 0; texts != NULL && i < texts->len; i++) {
		const char *text = texts->pdata[i];

		if (text[0] == '=' || strchr(text, '=') == NULL)
			return false;
	}
	return true;
}

static bool
is_yes_no(const char *text)
{
	return text == NULL || strcmp(text, "y") == 0 || strcmp(text, "n") == 0;
}

/* --- sorting -------------------------------------------------------------------------------- */

struct sorting {
	const struct ls_column *column; /* borrowed */
	bool reverse, ignore_case;
};

static int
compare_cells(const struct sorting *sorting, const char *a, const char *b)
{
	if (ls_column_is_numeric(sorting->column)) {
		double left = g_ascii_strtod(a, NULL);
		double right = g_ascii_strtod(b, NULL);

		if (strcmp(a, "-") == 0 || strcmp(b, "-") == 0) /* unknown comes first */
			return (strcmp(a, "-") != 0) - (strcmp(b, "-") != 0);
		return (left > right) - (left < right);
	}
	return sorting->ignore_case ? g_ascii_strcasecmp(a, b) : strcmp(a, b);
}

static gint
compare_vms(gconstpointer a, gconstpointer b, gpointer data)
{
	const struct ls_vm *const *left = a, *const *right = b;
	const struct sorting *sorting = data;
	g_autofree char *left_cell = ls_column_cell(sorting->column, *left);
	g_autofree char *right_cell = ls_column_cell(sorting->column, *right);
	int order = compare_cells(sorting, left_cell, right_cell);

	return sorting->reverse ? -order : order;
}

/* --- output --------------------------------------------------------------------------------- */

static void
add_row(GPtrArray *rows, const GPtrArray *columns, const struct ls_vm *vm, unsigned depth)
{
	char **row = g_new0(char *, columns->len + 1);

	for (guint i = 0; i < columns->len; i++) {
		const struct ls_column *column = columns->pdata[i];

		row[i] = ls_column_cell(column, vm);
		if (depth > 0 && strcmp(column->head, "NAME") == 0) {
			char *indented =
			    g_strdup_printf("%*s└─%s", (int)(2 * (depth - 1)), "", row[i]);

			g_free(row[i]);
			row[i] = indented;
		}
	}
	g_ptr_array_add(rows, row);
}

static bool
is_gathered(const GPtrArray *vms, const char *name)
{
	for (guint i = 0; i < vms->len; i++) {
		if (strcmp(((const struct ls_vm *)vms->pdata[i])->vm->name, name) == 0)
			return true;
	}
	return false;
}

/* Those that get the network from parent (NULL: from nobody in the list), and below them theirs. */
static void
add_tree_rows(GPtrArray *rows, const GPtrArray *columns, const GPtrArray *vms, const char *parent,
    unsigned depth)
{
	for (guint i = 0; i < vms->len && depth <= vms->len; i++) {
		const struct ls_vm *vm = vms->pdata[i];
		g_autofree char *netvm = ls_vm_property(vm, "netvm");

		if (netvm != NULL && !is_gathered(vms, netvm))
			g_clear_pointer(&netvm, g_free);
		if (g_strcmp0(netvm, parent) != 0)
			continue;
		add_row(rows, columns, vm, depth);
		add_tree_rows(rows, columns, vms, vm->vm->name, depth + 1);
	}
}

static void
print_raw(const GPtrArray *rows)
{
	for (guint i = 0; i < rows->len; i++) {
		g_autofree char *line = g_strjoinv("|", rows->pdata[i]);

		show_line(stdout, line);
	}
}

static void
print_json(const GPtrArray *columns, const GPtrArray *rows)
{
	g_auto(GStrv) keys = g_new0(char *, columns->len + 1);

	for (guint i = 0; i < columns->len; i++) {
		const struct ls_column *column = columns->pdata[i];

		keys[i] = g_strdelimit(g_ascii_strdown(column->head, -1), "-", '_');
	}
	show_json_rows(stdout, (const char *const *)keys, rows);
}

static void
print_table(const GPtrArray *columns, GPtrArray *rows)
{
	char **head = g_new0(char *, columns->len + 1);

	for (guint i = 0; i < columns->len; i++)
		head[i] = g_strdup(((struct ls_column *)columns->pdata[i])->head);
	g_ptr_array_insert(rows, 0, head);
	show_table(stdout, rows);
}

static void
print(const struct tool_run *run, const struct ls_options *options, const GPtrArray *columns,
    const GPtrArray *vms)
{
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);

	if (options->tree && !run->json) {
		add_tree_rows(rows, columns, vms, NULL, 0);
	} else {
		for (guint i = 0; i < vms->len; i++)
			add_row(rows, columns, vms->pdata[i], 0);
	}
	if (run->json)
		print_json(columns, rows);
	else if (options->raw_data || options->raw_list)
		print_raw(rows);
	else
		print_table(columns, rows);
}

/* --- the whole ------------------------------------------------------------------------------ */

static gboolean
on_spinner(gpointer data)
{
	(void)data;
	fputc('.', stderr);
	return G_SOURCE_CONTINUE;
}

/* Gathers, with a dot a second on the terminal of someone who waits. */
static GPtrArray *
gather(struct tool_run *run, const struct ls_options *options, const GPtrArray *vms,
    const struct ls_needs *needs)
{
	bool dots = !options->no_spinner && (options->spinner || show_is_terminal(stderr));
	guint source = dots ? g_timeout_add(SPINNER_DELAY_MS, on_spinner, NULL) : 0;
	GPtrArray *gathered = ls_gather(run, vms, needs);

	if (source != 0)
		g_source_remove(source);
	return gathered;
}

static int
list(struct tool_run *run, const struct ls_options *options, const GPtrArray *columns,
    const GPtrArray *vms)
{
	g_autoptr(GPtrArray) passed = g_ptr_array_new();
	g_autoptr(GStringChunk) names = g_string_chunk_new(256);
	struct ls_column *sort = ls_column_new(options->sort != NULL ? options->sort : "name");
	struct sorting sorting = {sort, options->reverse, options->ignore_case};
	g_autoptr(GPtrArray) gathered = NULL;
	struct ls_needs needs;

	ls_needs_init(&needs);
	for (guint i = 0; i < columns->len; i++)
		ls_column_add_needs(columns->pdata[i], &needs);
	ls_column_add_needs(sort, &needs);
	add_filter_needs(options, &needs, names);
	gathered = gather(run, options, vms, &needs);
	for (guint i = 0; i < gathered->len; i++) {
		if (passes(options, gathered->pdata[i]))
			g_ptr_array_add(passed, gathered->pdata[i]);
	}
	if (options->sort != NULL || run->words->len == 0)
		g_ptr_array_sort_with_data(passed, compare_vms, &sorting);
	print(run, options, columns, passed);
	ls_needs_fini(&needs);
	ls_column_free(sort);
	return 0;
}

static int
ls_main(struct tool_run *run, void *data)
{
	const struct ls_options *options = data;
	const char *fields = fields_of(options);
	g_autoptr(GPtrArray) columns = NULL;
	g_autoptr(GPtrArray) vms = NULL;
	int status;

	if (options->help_formats)
		return help_formats();
	if (options->help_columns) {
		ls_columns_print_help(stdout);
		return 0;
	}
	if (fields == NULL)
		return tool_usage_error(run, "no such format: '%s'", options->format);
	if (!is_yes_no(options->internal) || !is_yes_no(options->servicevm))
		return tool_usage_error(run, "--internal and --servicevm take y or n");
	if (!are_conditions(options->features) || !are_conditions(options->prefs))
		return tool_usage_error(run, "--features and --prefs take NAME=VALUE");
	columns = columns_new(fields);
	if (columns->len == 0)
		return tool_usage_error(run, "no columns");
	if (run->words->len > 0 || options->selection.all || options->selection.exclude != NULL)
		status = vmnames_select(run, run->words, &options->selection, false, NULL, &vms);
	else
		status = vmnames_list(run, &vms);
	return status != 0 ? status : list(run, options, columns, vms);
}

const struct tool tool_ls = {
    "qvm-ls",
    "[VMNAME...]",
    "Lists qubes.",
    ls_options,
    sizeof(struct ls_options),
    ls_main,
};
