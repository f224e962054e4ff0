/*
 * qvm-remove - removes qubes and their data.
 */
#include "qubesd/tools/properties.h"
#include "qubesd/tools/tool.h"
#include "qubesd/tools/vmnames.h"

#include <string.h>

struct remove_options {
	struct selection selection;
	int force;
};

static const struct option remove_options[] = {
    SELECTION_OPTIONS(struct remove_options, selection),
    {'f', "force", OPTION_FLAG, offsetof(struct remove_options, force), 1, NULL, "do not ask"},
    {0},
};

static bool
refers_to(const struct property *property, const char *name)
{
	return strcmp(property->type, "vm") == 0 && !property->is_default &&
	       strcmp(property->value, name) == 0;
}

static void
say_references(const GPtrArray *properties, const char *owner, const char *name)
{
	for (guint i = 0; i < properties->len; i++) {
		const struct property *property = properties->pdata[i];

		if (!refers_to(property, name))
			continue;
		if (owner != NULL)
			tool_say(" - %s for %s", property->name, owner);
		else
			tool_say(" - global property %s", property->name);
	}
}

/* Everything that refers to the qube, as far as the caller may see it. */
static void
say_uses(struct tool_run *run, const char *name)
{
	g_autoptr(GPtrArray) vms = NULL;
	g_autofree struct client_call *calls = NULL;
	guint count;

	if (vmnames_list(run, &vms) != 0)
		return;
	count = vms->len + 1; /* the last one is the global properties */
	calls = g_new0(struct client_call, count);
	for (guint i = 0; i < vms->len; i++)
		calls[i] = (struct client_call){.method = "admin.vm.property.GetAll",
		    .dest = ((struct vm *)vms->pdata[i])->name};
	calls[vms->len] = (struct client_call){.method = "admin.property.GetAll", .dest = "dom0"};
	client_run(run->client, calls, count);
	tool_say("VM %s cannot be removed. It is in use as:", name);
	for (guint i = 0; i < count; i++) {
		g_autoptr(GPtrArray) properties =
		    properties_parse(calls[i].ok ? calls[i].content : "");

		say_references(properties, i < vms->len ? calls[i].dest : NULL, name);
	}
	client_clear(calls, count);
}

static int
remove_one(struct tool_run *run, const char *name)
{
	struct client_call call;
	int status = 0;

	if (strcmp(name, "dom0") == 0)
		return tool_error(run, "dom0 cannot be removed");
	call = tool_call(run, "admin.vm.Remove", NULL, name, NULL);
	if (client_call_failed_with(&call, "QubesVMInUseError"))
		say_uses(run, name);
	if (!call.ok)
		status = tool_error(run, "%s", call.message);
	client_clear(&call, 1);
	return status;
}

static bool
is_confirmed(const struct remove_options *options, const GPtrArray *vms)
{
	if (options->selection.all && options->selection.exclude == NULL &&
	    !tool_confirm("This removes EVERY qube with all its data. "
			  "Type \"remove everything\" to go on: ",
		"remove everything"))
		return false;
	printf("The following qubes will be removed with all their data:\n");
	for (guint i = 0; i < vms->len; i++)
		printf("  %s\n", ((struct vm *)vms->pdata[i])->name);
	return tool_confirm("Are you sure? [y/N] ", "y");
}

static int
remove_main(struct tool_run *run, void *data)
{
	const struct remove_options *options = data;
	g_autoptr(GPtrArray) vms = NULL;
	int status = vmnames_select(run, run->words, &options->selection, true, NULL, &vms);

	if (status != 0)
		return status;
	if (!options->force && !is_confirmed(options, vms)) {
		printf("Remove cancelled.\n");
		return TOOL_FAILED;
	}
	for (guint i = 0; i < vms->len && status == 0; i++)
		status = remove_one(run, ((struct vm *)vms->pdata[i])->name);
	return status;
}

const struct tool tool_remove = {
    "qvm-remove",
    "VMNAME...\n--all [--exclude NAME]",
    "Removes qubes with all their data.",
    remove_options,
    sizeof(struct remove_options),
    remove_main,
};
