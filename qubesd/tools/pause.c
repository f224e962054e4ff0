/*
 * qvm-pause and qvm-unpause - stop the time of qubes, and let it go on.
 */
#include "qubesd/tools/tool.h"
#include "qubesd/tools/vmnames.h"

#include <string.h>

struct pause_options {
	struct selection selection;
	int suspend;
};

static const struct option pause_options[] = {
    SELECTION_OPTIONS(struct pause_options, selection),
    {'S', "suspend", OPTION_FLAG, offsetof(struct pause_options, suspend), 1, NULL,
	"suspend to memory: the qube's system takes part"},
    {0},
};

static const struct option unpause_options[] = {
    SELECTION_OPTIONS(struct pause_options, selection),
    {0},
};

/* A call a qube, all at once; what names each call for people, for the failures. */
static int
run_calls(struct tool_run *run, struct client_call *calls, const char *const *what, guint count)
{
	int status = 0;

	client_run(run->client, calls, count);
	for (guint i = 0; i < count; i++) {
		if (calls[i].ok)
			continue;
		tool_say("Error: Failed to %s: %s: %s", what[i], calls[i].dest, calls[i].message);
		status = TOOL_FAILED;
	}
	client_clear(calls, count);
	return status;
}

static int
pause_main(struct tool_run *run, void *data)
{
	const struct pause_options *options = data;
	g_autoptr(GPtrArray) vms = NULL;
	g_autofree struct client_call *calls = NULL;
	g_autofree const char **what = NULL;
	guint count = 0;
	int status = vmnames_select(run, run->words, &options->selection, true, NULL, &vms);

	if (status != 0)
		return status;
	calls = g_new0(struct client_call, vms->len);
	what = g_new0(const char *, vms->len);
	for (guint i = 0; i < vms->len; i++) {
		const struct vm *vm = vms->pdata[i];

		if (options->selection.all && !vm_is_in_state(vm, "Running"))
			continue;
		what[count] = options->suspend ? "suspend" : "pause";
		calls[count++] = (struct client_call){
		    .method = options->suspend ? "admin.vm.Suspend" : "admin.vm.Pause",
		    .dest = vm->name};
	}
	return run_calls(run, calls, what, count);
}

/* Takes qubes with the feature "internal" out of the array. */
static void
leave_out_internal(struct tool_run *run, GPtrArray *vms)
{
	g_autofree struct client_call *calls = g_new0(struct client_call, vms->len);
	guint count = vms->len;

	for (guint i = 0; i < count; i++)
		calls[i] = (struct client_call){.method = "admin.vm.feature.Get",
		    .arg = "internal",
		    .dest = ((struct vm *)vms->pdata[i])->name};
	client_run(run->client, calls, count);
	for (guint i = count; i > 0; i--) {
		if (calls[i - 1].ok && calls[i - 1].content[0] != '\0')
			g_ptr_array_remove_index(vms, i - 1);
	}
	client_clear(calls, count);
}

static int
unpause_main(struct tool_run *run, void *data)
{
	const struct pause_options *options = data;
	g_autoptr(GPtrArray) vms = NULL;
	g_autofree struct client_call *calls = NULL;
	g_autofree const char **what = NULL;
	guint count = 0;
	int status = vmnames_select(run, run->words, &options->selection, true, NULL, &vms);

	if (status != 0)
		return status;
	if (options->selection.all)
		leave_out_internal(run, vms);
	calls = g_new0(struct client_call, vms->len);
	what = g_new0(const char *, vms->len);
	for (guint i = 0; i < vms->len; i++) {
		const struct vm *vm = vms->pdata[i];
		bool suspended = vm_is_in_state(vm, "Suspended");

		if (options->selection.all && !suspended && !vm_is_in_state(vm, "Paused"))
			continue;
		what[count] = suspended ? "resume" : "unpause";
		calls[count++] = (struct client_call){
		    .method = suspended ? "admin.vm.Resume" : "admin.vm.Unpause", .dest = vm->name};
	}
	return run_calls(run, calls, what, count);
}

const struct tool tool_pause = {
    "qvm-pause",
    "VMNAME...\n--all [--exclude NAME]",
    "Pauses or suspends running qubes.",
    pause_options,
    sizeof(struct pause_options),
    pause_main,
};

const struct tool tool_unpause = {
    "qvm-unpause",
    "VMNAME...\n--all [--exclude NAME]",
    "Lets paused and suspended qubes go on.",
    unpause_options,
    sizeof(struct pause_options),
    unpause_main,
};
