/*
 * qvm-start - starts qubes, all at once.
 */
#include "qubesd/tools/tool.h"
#include "qubesd/tools/vmnames.h"

struct start_options {
	struct selection selection;
	int skip_if_running;
};

static const struct option start_options[] = {
    SELECTION_OPTIONS(struct start_options, selection),
    {0, "skip-if-running", OPTION_FLAG, offsetof(struct start_options, skip_if_running), 1, NULL,
	"leave running qubes alone"},
    {0},
};

static int
report_failure(const char *vm, const char *message)
{
	tool_say("Error: Starting qube failed: %s: %s", vm, message);
	return TOOL_FAILED;
}

static int
start_main(struct tool_run *run, void *data)
{
	const struct start_options *options = data;
	g_autoptr(GPtrArray) vms = NULL;
	g_autofree struct client_call *calls = NULL;
	guint count = 0;
	int status = vmnames_select(run, run->words, &options->selection, true, NULL, &vms);

	if (status != 0)
		return status;
	calls = g_new0(struct client_call, vms->len);
	for (guint i = 0; i < vms->len; i++) {
		const struct vm *vm = vms->pdata[i];

		if (vm->state == NULL || !vm_is_active(vm))
			calls[count++] =
			    (struct client_call){.method = "admin.vm.Start", .dest = vm->name};
		else if (!options->skip_if_running)
			status = report_failure(vm->name, "Domain is already running");
	}
	client_run(run->client, calls, count);
	for (guint i = 0; i < count; i++) {
		if (!calls[i].ok)
			status = report_failure(calls[i].dest, calls[i].message);
	}
	client_clear(calls, count);
	return status;
}

const struct tool tool_start = {
    "qvm-start",
    "VMNAME...\n--all [--exclude NAME]",
    "Starts qubes.",
    start_options,
    sizeof(struct start_options),
    start_main,
};
