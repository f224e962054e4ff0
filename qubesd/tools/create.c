/*
 * qvm-create - makes a qube.
 *
 * Exit status: 1 nothing was made; 2 wrong usage, or made but a property could not be set; 3 made but
 * its root image could not be imported.
 */
#include "qubesd/tools/clone.h"
#include "qubesd/tools/import.h"
#include "qubesd/tools/properties.h"
#include "qubesd/tools/tool.h"
#include "qubesd/tools/vmnames.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct create_options {
	const char *klass, *label, *template, *pool;
	const char *copied_root, *moved_root; /* files */
	GPtrArray *properties, *volume_pools;
	int standalone, disp, help_classes, dry_run;
};

static const struct option create_options[] = {
    {'C', "class", OPTION_TEXT, offsetof(struct create_options, klass), 0, "CLASS",
	"class of the qube (default: AppVM)"},
    {'l', "label", OPTION_TEXT, offsetof(struct create_options, label), 0, "LABEL",
	"label, which gives the colour of its frames"},
    {'t', "template", OPTION_TEXT, offsetof(struct create_options, template), 0, "TEMPLATE",
	"template (default: the global default_template)"},
    {0, "property", OPTION_TEXTS, offsetof(struct create_options, properties), 0, "NAME=VALUE",
	"set this property; repeatable"},
    {'P', NULL, OPTION_TEXT, offsetof(struct create_options, pool), 0, "POOL",
	"pool for all its volumes"},
    {'p', "pool", OPTION_TEXTS, offsetof(struct create_options, volume_pools), 0, "VOLUME=POOL",
	"pool for one volume; repeatable"},
    {'r', "root-copy-from", OPTION_TEXT, offsetof(struct create_options, copied_root), 0, "FILE",
	"begin with a copy of this root image"},
    {'R', "root-move-from", OPTION_TEXT, offsetof(struct create_options, moved_root), 0, "FILE",
	"the same, and remove the file afterwards"},
    {0, "standalone", OPTION_FLAG, offsetof(struct create_options, standalone), 1, NULL,
	"the same as --class StandaloneVM"},
    {0, "disp", OPTION_FLAG, offsetof(struct create_options, disp), 1, NULL,
	"the same as --class DispVM, with the label red unless another is given"},
    {0, "help-classes", OPTION_FLAG, offsetof(struct create_options, help_classes), 1, NULL,
	"list the classes"},
    {0, "dry-run", OPTION_FLAG, offsetof(struct create_options, dry_run), 1, NULL,
	"check, and make nothing"},
    {0},
};

/* What is to be made, after the options have been understood. */
struct plan {
	const char *name, *klass, *label; /* borrowed */
	const char *template;             /* borrowed; NULL: the default, or none */
	bool copies_template;             /* it starts as a copy and has no template */
	int root_fd;                      /* its root image, -1: none */
};

static gint
compare_texts(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The sorted lines of a list method, none when policy refuses it. Returns an exit status. */
static int
read_sorted(struct tool_run *run, const char *method, char ***ret)
{
	struct client_call call = tool_call(run, method, NULL, "dom0", NULL);
	int status = 0;

	if (!call.ok && call.error != -EACCES)
		status = tool_error(run, "%s", call.message);
	*ret = client_lines(call.ok ? call.content : "");
	qsort(*ret, g_strv_length(*ret), sizeof(char *), compare_texts);
	client_clear(&call, 1);
	return status;
}

static int
help_classes(struct tool_run *run)
{
	g_auto(GStrv) classes = NULL;
	int status = read_sorted(run, "admin.vmclass.List", &classes);

	for (size_t i = 0; status == 0 && classes[i] != NULL; i++)
		printf("%s\n", classes[i]);
	return status;
}

/*
 * The word is one of those that the daemon lists, else wrong usage that names them all. Where the
 * list may not be read, the daemon will tell.
 */
static int
check_listed(struct tool_run *run, const char *method, const char *word, const char *what)
{
	g_auto(GStrv) lines = NULL;
	g_autofree char *all = NULL;
	int status = read_sorted(run, method, &lines);

	if (status != 0 || lines[0] == NULL || g_strv_contains((const char *const *)lines, word))
		return status;
	all = g_strjoinv(", ", lines);
	return tool_usage_error(run, "no such %s: '%s'; available: %s", what, word, all);
}

/* A blank would begin another word of the request. */
static bool
is_one_word(const char *text)
{
	return text == NULL || strpbrk(text, " \t\r\n") == NULL;
}

static bool
all_are_words(const GPtrArray *texts)
{
	for (guint i = 0; texts != NULL && i < texts->len; i++) {
		if (!is_one_word(texts->pdata[i]))
			return false;
	}
	return true;
}

static bool
all_have_values(const GPtrArray *texts)
{
	for (guint i = 0; texts != NULL && i < texts->len; i++) {
		const char *text = texts->pdata[i];

		if (strchr(text, '=') == NULL || text[0] == '=')
			return false;
	}
	return true;
}

#define ROOT_FAILED 3

/* A regular file, opened before anything is made. */
static int
open_root(struct tool_run *run, const struct create_options *options, const struct plan *plan,
    int *ret_fd)
{
	const char *path =
	    options->copied_root != NULL ? options->copied_root : options->moved_root;

	if (path == NULL)
		return 0;
	if (options->copied_root != NULL && options->moved_root != NULL)
		return tool_usage_error(run, "-r and -R do not go together");
	if (strcmp(plan->klass, "TemplateVM") != 0 && strcmp(plan->klass, "StandaloneVM") != 0)
		return tool_usage_error(run, "%s has no root image of its own", plan->klass);
	if (plan->copies_template)
		return tool_usage_error(run, "either --template or a root image");
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*ret_fd < 0)
		return tool_usage_error(run, "%s: %s", path, strerror(errno));
	if (import_file_size(*ret_fd) == 0)
		return tool_usage_error(run, "%s: not a file with anything in it", path);
	return 0;
}

static int
import_root(struct tool_run *run, const struct create_options *options, const struct plan *plan)
{
	struct import import = {.vm = plan->name,
	    .volume = "root",
	    .fd = plan->root_fd,
	    .size = import_file_size(plan->root_fd)};
	g_autofree char *error = import_run(run, &import);

	if (error != NULL) {
		tool_say("app: Error importing root volume (but VM created): %s", error);
		return ROOT_FAILED;
	}
	if (options->moved_root != NULL && unlink(options->moved_root) < 0)
		tool_say("app: %s stays: %s", options->moved_root, strerror(errno));
	return 0;
}

static int
make_plan(struct tool_run *run, const struct create_options *options, struct plan *ret)
{
	int classes = (options->klass != NULL) + options->standalone + options->disp;
	int status;

	if (run->words->len != 1)
		return tool_usage_error(run, "give the new qube one name");
	if (classes > 1)
		return tool_usage_error(run, "only one of --class, --standalone, --disp");
	if (options->pool != NULL && options->volume_pools != NULL)
		return tool_usage_error(run, "-P and -p do not go together");
	if (!all_have_values(options->properties))
		return tool_usage_error(run, "--property needs NAME=VALUE");
	if (!all_have_values(options->volume_pools))
		return tool_usage_error(run, "--pool needs VOLUME=POOL");
	ret->name = tool_word(run, 0);
	if (!is_one_word(ret->name) || !is_one_word(options->pool) ||
	    !all_are_words(options->volume_pools))
		return tool_usage_error(run, "names of qubes and pools have no blanks");
	ret->template = options->template;
	ret->klass = options->standalone ? "StandaloneVM"
		     : options->disp     ? "DispVM"
		     : options->klass    ? options->klass
					 : "AppVM";
	ret->copies_template = ret->template != NULL && strcmp(ret->klass, "StandaloneVM") == 0;
	ret->label = options->label != NULL ? options->label : options->disp ? "red" : NULL;
	if (ret->label == NULL)
		return tool_usage_error(run, "--label is needed");
	status = check_listed(run, "admin.label.List", ret->label, "label");
	if (status == 0)
		status = check_listed(run, "admin.vmclass.List", ret->klass, "class");
	if (status == 0)
		status = open_root(run, options, ret, &ret->root_fd);
	return status;
}

static char *
creation_payload(const struct create_options *options, const struct plan *plan)
{
	GString *payload = g_string_new(NULL);

	g_string_append_printf(payload, "name=%s label=%s", plan->name, plan->label);
	if (options->pool != NULL)
		g_string_append_printf(payload, " pool=%s", options->pool);
	for (guint i = 0; options->volume_pools != NULL && i < options->volume_pools->len; i++)
		g_string_append_printf(
		    payload, " pool:%s", (const char *)options->volume_pools->pdata[i]);
	return g_string_free(payload, FALSE);
}

static int
create_qube(struct tool_run *run, const struct create_options *options, const struct plan *plan)
{
	bool in_pool = options->pool != NULL || options->volume_pools != NULL;
	g_autofree char *method =
	    g_strdup_printf("admin.vm.Create%s.%s", in_pool ? "InPool" : "", plan->klass);
	g_autofree char *payload = creation_payload(options, plan);
	struct client_call call =
	    tool_call(run, method, plan->copies_template ? NULL : plan->template, "dom0", payload);
	int status = 0;

	if (client_call_failed_with(&call, "") && client_call_found_nobody(&call))
		status = tool_error(run, "%s", call.message);
	else if (!call.ok) {
		tool_say("app: Error creating VM: %s", call.message);
		status = TOOL_FAILED;
	}
	client_clear(&call, 1);
	return status;
}

/* All or nothing: half a copy is removed again. */
static int
copy_template(struct tool_run *run, const struct plan *plan)
{
	g_autofree char *error = clone_contents(run, plan->template, plan->name, false);
	struct client_call call;

	if (error == NULL)
		return 0;
	tool_say("app: Error creating VM: %s", error);
	call = tool_call(run, "admin.vm.Remove", NULL, plan->name, NULL);
	if (!call.ok)
		tool_say("app: Error removing VM %s: %s", plan->name, call.message);
	client_clear(&call, 1);
	return TOOL_FAILED;
}

/* One by one, in the order given; a failure does not stop the others. */
static int
set_properties(struct tool_run *run, const char *vm, const GPtrArray *properties)
{
	int status = 0;

	for (guint i = 0; properties != NULL && i < properties->len; i++) {
		const char *text = properties->pdata[i];
		const char *equals = strchr(text, '=');
		g_autofree char *name =
		    g_strdelimit(g_strndup(text, (size_t)(equals - text)), "-", '_');
		struct client_call call = tool_call(run, "admin.vm.property.Set", name, vm,
		    property_set_value(run, vm, name, equals + 1));

		if (!call.ok) {
			tool_say("app: Error setting property %s (but VM created): %s", name,
			    call.message);
			status = TOOL_USAGE;
		}
		client_clear(&call, 1);
	}
	return status;
}

static int
create_main(struct tool_run *run, void *data)
{
	const struct create_options *options = data;
	struct plan plan = {.root_fd = -1};
	int status, root_status = 0;

	if (options->help_classes)
		return help_classes(run);
	status = make_plan(run, options, &plan);
	if (status != 0 || options->dry_run)
		return status;
	status = create_qube(run, options, &plan);
	if (status == 0 && plan.copies_template)
		status = copy_template(run, &plan);
	if (status != 0)
		return status;
	status = set_properties(run, plan.name, options->properties);
	if (plan.root_fd >= 0)
		root_status = import_root(run, options, &plan);
	return root_status != 0 ? root_status : status;
}

const struct tool tool_create = {
    "qvm-create",
    "-l LABEL NAME\n-C TemplateVM -l LABEL -r FILE NAME\n--disp NAME\n--help-classes",
    "Makes a qube.",
    create_options,
    sizeof(struct create_options),
    create_main,
};
