/*
 * qvm-shutdown and qvm-kill - stop qubes, all at once. The exit status is the number of those that
 * were not stopped.
 *
 * A shutdown goes in rounds: what was refused because other qubes use it is tried again as long as
 * a round stops something, so the order of the network sorts itself out; what ran into its time
 * limit is tried once more and then killed.
 */
#include "qubesd/tools/tool.h"
#include "qubesd/tools/vmnames.h"

#include <string.h>

#define FAILURES_MAX 125 /* more cannot be told apart from a shell's own statuses */

struct shutdown_options {
	struct selection selection;
	int wait, force, dry_run, timeout;
};

static const struct option shutdown_options[] = {
    SELECTION_OPTIONS(struct shutdown_options, selection),
    {0, "wait", OPTION_FLAG, offsetof(struct shutdown_options, wait), 1, NULL,
	"return when the qubes are off"},
    {0, "timeout", OPTION_NUMBER, offsetof(struct shutdown_options, timeout), 0, "SECONDS",
	"obsolete: the property shutdown_timeout counts; implies --wait"},
    {0, "force", OPTION_FLAG, offsetof(struct shutdown_options, force), 1, NULL,
	"also when other qubes use them"},
    {0, "dry-run", OPTION_FLAG, offsetof(struct shutdown_options, dry_run), 1, NULL,
	"only say what would be shut down"},
    {0},
};

enum target_state {
	TARGET_UP,     /* to be tried */
	TARGET_IN_USE, /* refused; to be tried again when another one has stopped */
	TARGET_DOWN,
	TARGET_FAILED,
};

/* One qube on its way down. */
struct target {
	const char *name; /* borrowed */
	enum target_state state;
	int timeouts;
	char *failure; /* owned: what the last try said; NULL: nothing yet */
};

static int
exit_status(guint failures)
{
	return (int)MIN(failures, FAILURES_MAX);
}

static void
targets_free(struct target *targets, guint count)
{
	for (guint i = 0; i < count; i++)
		g_free(targets[i].failure);
	g_free(targets);
}

static struct target *
targets_new(const GPtrArray *vms)
{
	struct target *targets = g_new0(struct target, vms->len);

	for (guint i = 0; i < vms->len; i++) {
		const struct vm *vm = vms->pdata[i];

		targets[i].name = vm->name;
		targets[i].state = vm_is_active(vm) ? TARGET_UP : TARGET_DOWN;
	}
	return targets;
}

static const char *
shutdown_argument(const struct shutdown_options *options)
{
	bool force = options->force || (options->selection.all && !options->selection.exclude);
	bool wait = options->wait || options->timeout > 0;

	if (force && wait)
		return "force+wait";
	return force ? "force" : wait ? "wait" : "";
}

static bool
is_off(const struct client_call *call)
{
	return call->ok || client_call_failed_with(call, "QubesVMNotStartedError");
}

static void
remember_failure(struct target *target, struct client_call *call)
{
	g_free(target->failure);
	target->failure = g_steal_pointer(&call->message);
}

static enum target_state
after_timeout(struct tool_run *run, struct target *target)
{
	struct client_call call;
	enum target_state state;

	if (++target->timeouts == 1) {
		tool_say("Error: %s did not shut down in time, trying once more", target->name);
		return TARGET_UP;
	}
	tool_say("Error: %s did not shut down in time, killing it", target->name);
	call = tool_call(run, "admin.vm.Kill", NULL, target->name, NULL);
	state = is_off(&call) ? TARGET_DOWN : TARGET_FAILED;
	if (state == TARGET_FAILED)
		remember_failure(target, &call);
	client_clear(&call, 1);
	return state;
}

static enum target_state
after_try(struct tool_run *run, struct target *target, struct client_call *call)
{
	if (is_off(call))
		return TARGET_DOWN;
	remember_failure(target, call);
	if (client_call_failed_with(call, "QubesVMInUseError"))
		return TARGET_IN_USE;
	if (client_call_failed_with(call, "QubesVMShutdownTimeoutError"))
		return after_timeout(run, target);
	return TARGET_FAILED;
}

/* Tries all that are not settled, at once. Returns whether another round makes sense. */
static bool
shutdown_round(struct tool_run *run, struct target *targets, guint count, const char *arg)
{
	g_autofree struct client_call *calls = g_new0(struct client_call, count);
	g_autofree struct target **tried = g_new0(struct target *, count);
	guint tries = 0;
	bool again = false;

	for (guint i = 0; i < count; i++) {
		if (targets[i].state != TARGET_UP && targets[i].state != TARGET_IN_USE)
			continue;
		tried[tries] = &targets[i];
		calls[tries++] = (struct client_call){
		    .method = "admin.vm.Shutdown", .arg = arg, .dest = targets[i].name};
	}
	client_run(run->client, calls, tries);
	for (guint i = 0; i < tries; i++) {
		tried[i]->state = after_try(run, tried[i], &calls[i]);
		again |= tried[i]->state == TARGET_DOWN || tried[i]->state == TARGET_UP;
	}
	client_clear(calls, tries);
	return again;
}

static int
report_failures(const struct target *targets, guint count, const char *what)
{
	guint failures = 0;

	for (guint i = 0; i < count; i++) {
		if (targets[i].state == TARGET_DOWN)
			continue;
		failures++;
		tool_say("Error: Failed to %s: %s: %s", what, targets[i].name, targets[i].failure);
	}
	return exit_status(failures);
}

static int
dry_run(const GPtrArray *vms)
{
	for (guint i = 0; i < vms->len; i++) {
		const struct vm *vm = vms->pdata[i];

		if (vm_is_active(vm))
			printf("%s\n", vm->name);
	}
	return 0;
}

static int
shutdown_main(struct tool_run *run, void *data)
{
	const struct shutdown_options *options = data;
	g_autoptr(GPtrArray) vms = NULL;
	struct target *targets;
	int status = vmnames_select(run, run->words, &options->selection, true, NULL, &vms);

	if (status != 0)
		return status;
	if (options->dry_run)
		return dry_run(vms);
	targets = targets_new(vms);
	while (shutdown_round(run, targets, vms->len, shutdown_argument(options)))
		;
	status = report_failures(targets, vms->len, "shut down");
	targets_free(targets, vms->len);
	return status;
}

struct kill_options {
	struct selection selection;
};

static const struct option kill_options[] = {
    SELECTION_OPTIONS(struct kill_options, selection),
    {0},
};

static int
kill_main(struct tool_run *run, void *data)
{
	const struct kill_options *options = data;
	g_autoptr(GPtrArray) vms = NULL;
	g_autofree struct client_call *calls = NULL;
	guint failures = 0;
	int status = vmnames_select(run, run->words, &options->selection, true, NULL, &vms);

	if (status != 0)
		return status;
	calls = g_new0(struct client_call, vms->len);
	for (guint i = 0; i < vms->len; i++)
		calls[i] = (struct client_call){
		    .method = "admin.vm.Kill", .dest = ((struct vm *)vms->pdata[i])->name};
	client_run(run->client, calls, vms->len);
	for (guint i = 0; i < vms->len; i++) {
		if (is_off(&calls[i]))
			continue;
		tool_say("Error: Failed to kill: %s: %s", calls[i].dest, calls[i].message);
		failures++;
	}
	client_clear(calls, vms->len);
	return exit_status(failures);
}

const struct tool tool_shutdown = {
    "qvm-shutdown",
    "VMNAME...\n--all [--exclude NAME]",
    "Shuts qubes down.",
    shutdown_options,
    sizeof(struct shutdown_options),
    shutdown_main,
};

const struct tool tool_kill = {
    "qvm-kill",
    "VMNAME...\n--all [--exclude NAME]",
    "Ends qubes at once, like pulling the plug.",
    kill_options,
    sizeof(struct kill_options),
    kill_main,
};
