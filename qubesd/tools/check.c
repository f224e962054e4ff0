/*
 * qvm-check - do these qubes exist, run, ...? The answer is the exit status.
 */
#include "qubesd/tools/properties.h"
#include "qubesd/tools/tool.h"
#include "qubesd/tools/vmnames.h"

#include <string.h>

#define CHECK_NONE 1
#define CHECK_SOME 3

struct check_options {
	struct selection selection;
	int running, paused, template, networked;
};

static const struct option check_options[] = {
    SELECTION_OPTIONS(struct check_options, selection),
    {0, "running", OPTION_FLAG, offsetof(struct check_options, running), 1, NULL, "is it running"},
    {0, "paused", OPTION_FLAG, offsetof(struct check_options, paused), 1, NULL, "is it paused"},
    {0, "template", OPTION_FLAG, offsetof(struct check_options, template), 1, NULL,
	"is it a template"},
    {0, "networked", OPTION_FLAG, offsetof(struct check_options, networked), 1, NULL,
	"has it a qube for the network"},
    {0},
};

/* What is asked, in words: "running, networked", or "exists". */
static char *
conditions_text(const struct check_options *options)
{
	GString *text = g_string_new(NULL);
	const struct {
		int asked;
		const char *word;
	} conditions[] = {
	    {options->running, "running"},
	    {options->paused, "paused"},
	    {options->template, "template"},
	    {options->networked, "networked"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(conditions); i++) {
		if (conditions[i].asked)
			g_string_append_printf(
			    text, "%s%s", text->len > 0 ? ", " : "", conditions[i].word);
	}
	if (text->len == 0)
		g_string_append(text, "exists");
	return g_string_free(text, FALSE);
}

static bool
has_netvm(const struct client_call *call)
{
	struct property *netvm = call->ok ? property_parse("netvm", call->content) : NULL;
	bool has = netvm != NULL && netvm->value[0] != '\0';

	property_free(netvm);
	return has;
}

static bool
satisfies(const struct vm *vm, const struct check_options *options, const struct client_call *netvm)
{
	if (options->running && (!vm_is_active(vm) || vm_is_in_state(vm, "Paused")))
		return false;
	if (options->paused && !vm_is_in_state(vm, "Paused"))
		return false;
	if (options->template && (vm->klass == NULL || strcmp(vm->klass, "TemplateVM") != 0))
		return false;
	return !options->networked || has_netvm(netvm);
}

static struct client_call *
read_netvms(struct tool_run *run, const GPtrArray *vms)
{
	struct client_call *calls = g_new0(struct client_call, vms->len);

	for (guint i = 0; i < vms->len; i++)
		calls[i] = (struct client_call){.method = "admin.vm.property.Get",
		    .arg = "netvm",
		    .dest = ((struct vm *)vms->pdata[i])->name};
	client_run(run->client, calls, vms->len);
	return calls;
}

static void
report(const struct tool_run *run, const char *subject, const char *text)
{
	if (run->verbosity >= 0)
		tool_say("%s: %s: %s", run->tool->name, subject, text);
}

static int
check_main(struct tool_run *run, void *data)
{
	const struct check_options *options = data;
	g_autoptr(GPtrArray) missing = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) vms = NULL;
	g_autofree struct client_call *netvms = NULL;
	g_autofree char *asked = conditions_text(options);
	guint good = 0;
	int status;

	status = vmnames_select(run, run->words, &options->selection, true, missing, &vms);
	if (status != 0)
		return status;
	netvms = options->networked ? read_netvms(run, vms) : g_new0(struct client_call, vms->len);
	for (guint i = 0; i < vms->len; i++) {
		const struct vm *vm = vms->pdata[i];

		if (!satisfies(vm, options, &netvms[i]))
			continue;
		report(run, vm->name, asked);
		good++;
	}
	client_clear(netvms, vms->len);
	for (guint i = 0; i < missing->len && run->verbosity >= 0; i++)
		tool_say("%s: %s: non-existent!", run->tool->name, (char *)missing->pdata[i]);
	if (good == 0 && missing->len == 0)
		report(run, "None of qubes", asked);
	if (good == 0 || missing->len > 0)
		return CHECK_NONE;
	return good == vms->len ? 0 : CHECK_SOME;
}

const struct tool tool_check = {
    "qvm-check",
    "VMNAME...\n--all [--exclude NAME]",
    "Tells by its exit status whether qubes exist, run, ...: 0 all, 1 none, 3 some.",
    check_options,
    sizeof(struct check_options),
    check_main,
};
