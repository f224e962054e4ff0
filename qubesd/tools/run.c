/*
 * qvm-run - runs commands and services in qubes, also in new disposables.
 *
 * Everything happens on one main loop: calls to qubesd, the programs that make the qrexec calls,
 * and signals. A disposable that was made is ended on every way out; only while it is being made
 * does a signal wait, because its name is not known before.
 *
 * Exit status: the highest of the commands; 255 for a call that could not be made.
 */
#include "qubesd/tools/properties.h"
#include "qubesd/tools/run_call.h"
#include "qubesd/tools/run_service.h"
#include "qubesd/tools/show.h"
#include "qubesd/tools/tool.h"
#include "qubesd/tools/vmnames.h"

#include "shared/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_NOT_MADE 255
#define RUN_COLOUR_DEFAULT 31

/* Switches with three positions: not given, on, off. */
#define YES 1
#define NO 2

struct run_options {
	struct selection selection;
	const char *dispvm, *user, *local_command, *colour_output, *colour_stderr;
	int pass_io, no_auto, gui, service, no_shell, filter, no_colour_output, no_colour_stderr;
	int ignored;
};

#define AT(member) offsetof(struct run_options, member)

static const struct option run_options[] = {
    SELECTION_OPTIONS(struct run_options, selection),
    {0, "dispvm", OPTION_OPTIONAL, AT(dispvm), 0, "TEMPLATE", "in a new disposable"},
    {'u', "user", OPTION_TEXT, AT(user), 0, "USER", "as this user (trusted side only)"},
    {'p', "pass-io", OPTION_FLAG, AT(pass_io), 1, NULL, "connect stdin, stdout and stderr"},
    {0, "localcmd", OPTION_TEXT, AT(local_command), 0, "COMMAND",
	"with --pass-io: connect it to this command here"},
    {'n', "no-auto", OPTION_FLAG, AT(no_auto), 1, NULL, "do not start or unpause the qube"},
    {0, "no-autostart", OPTION_FLAG, AT(no_auto), 1, NULL, NULL},
    {'a', "autostart", OPTION_FLAG, AT(ignored), 1, NULL, NULL},
    {0, "auto", OPTION_FLAG, AT(ignored), 1, NULL, NULL},
    {0, "gui", OPTION_FLAG, AT(gui), YES, NULL, "wait for the qube's session first"},
    {0, "no-gui", OPTION_FLAG, AT(gui), NO, NULL, "do not wait for it"},
    {0, "nogui", OPTION_FLAG, AT(gui), NO, NULL, NULL},
    {0, "service", OPTION_FLAG, AT(service), 1, NULL, "COMMAND is a service, NAME or NAME+ARG"},
    {0, "no-shell", OPTION_FLAG, AT(no_shell), 1, NULL, "run it as a program, without a shell"},
    {0, "filter-escape-chars", OPTION_FLAG, AT(filter), YES, NULL,
	"make control characters in the output harmless (default on terminals)"},
    {0, "no-filter-escape-chars", OPTION_FLAG, AT(filter), NO, NULL, "leave the output as it is"},
    {0, "colour-output", OPTION_TEXT, AT(colour_output), 0, "NUMBER",
	"ANSI colour of stdout (default on terminals: 31)"},
    {0, "color-output", OPTION_TEXT, AT(colour_output), 0, NULL, NULL},
    {0, "colour-stderr", OPTION_TEXT, AT(colour_stderr), 0, "NUMBER", "the same for stderr"},
    {0, "color-stderr", OPTION_TEXT, AT(colour_stderr), 0, NULL, NULL},
    {0, "no-colour-output", OPTION_FLAG, AT(no_colour_output), 1, NULL, "no colour for stdout"},
    {0, "no-color-output", OPTION_FLAG, AT(no_colour_output), 1, NULL, NULL},
    {0, "no-colour-stderr", OPTION_FLAG, AT(no_colour_stderr), 1, NULL, "no colour for stderr"},
    {0, "no-color-stderr", OPTION_FLAG, AT(no_colour_stderr), 1, NULL, NULL},
    {0},
};

/* One qube to run in. */
struct target {
	char *name;          /* owned; NULL: a disposable that is not there yet */
	char *shown;         /* owned: for people, "@dispvm:NAME" for a disposable */
	const struct vm *vm; /* borrowed; NULL for disposables */
	bool made;           /* a disposable of ours, to be ended */
	struct run_traits traits;
	char *default_user; /* owned; NULL: not known */
	GPid pid;           /* of the running call; 0: none */
	int result;         /* exit status */
	bool over;          /* there is nothing to be run any more */
};

/* The whole run. */
struct runner {
	struct tool_run *run;              /* borrowed */
	const struct run_options *options; /* borrowed */
	const char **command;              /* borrowed words, ended by NULL */
	char *command_shown;               /* owned */
	bool local;                        /* this is the trusted side */
	char *program;                     /* owned: makes the qrexec calls */
	struct target *targets;            /* owned */
	guint target_count;
	guint running; /* calls that have not ended */
	int signal;    /* the one that ended us; 0: none */
	bool hold;     /* signals wait */
};

/* --- failures ------------------------------------------------------------------------------- */

static void
target_fail(struct target *target, const char *message)
{
	tool_say("%s: %s", target->shown, message);
	target->result = RUN_NOT_MADE;
	target->over = true;
}

static bool
is_interrupted(const struct runner *runner)
{
	return runner->signal != 0;
}

/* --- signals -------------------------------------------------------------------------------- */

static void
end_calls(struct runner *runner)
{
	for (guint i = 0; i < runner->target_count; i++) {
		if (runner->targets[i].pid != 0)
			kill(runner->targets[i].pid, SIGTERM);
	}
}

static void
on_signal(struct runner *runner, int number)
{
	if (!is_interrupted(runner))
		runner->signal = number;
	if (runner->hold)
		return;
	client_interrupt(runner->run->client);
	end_calls(runner);
}

static gboolean
on_sigint(gpointer data)
{
	on_signal(data, SIGINT);
	return G_SOURCE_CONTINUE;
}

static gboolean
on_sigterm(gpointer data)
{
	on_signal(data, SIGTERM);
	return G_SOURCE_CONTINUE;
}

static gboolean
on_sighup(gpointer data)
{
	on_signal(data, SIGHUP);
	return G_SOURCE_CONTINUE;
}

/* --- programs ------------------------------------------------------------------------------- */

/* Not connected to us: /dev/null for all three. */
static void
before_exec_without_io(gpointer data)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)data;
	for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		dup2(fd, i);
}

/* Several calls share no stdin, and a local command gets the call's. */
static void
before_exec_without_stdin(gpointer data)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)data;
	dup2(fd, STDIN_FILENO);
}

static bool
spawn(char **argv, GSpawnChildSetupFunc setup, struct target *target)
{
	g_autoptr(GError) error = NULL;

	if (g_spawn_async(NULL, argv, NULL,
		G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CHILD_INHERITS_STDIN, setup, NULL, &target->pid,
		&error))
		return true;
	target->pid = 0;
	target_fail(target, error->message);
	return false;
}

struct ending {
	struct runner *runner; /* borrowed */
	struct target *target; /* borrowed */
};

static void
on_call_ended(GPid pid, gint status, gpointer data)
{
	struct ending *ending = data;

	(void)pid;
	ending->target->pid = 0;
	ending->target->result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	ending->runner->running--;
	g_free(ending);
}

static void
watch(struct runner *runner, struct target *target)
{
	struct ending *ending = g_new0(struct ending, 1);

	ending->runner = runner;
	ending->target = target;
	runner->running++;
	g_child_watch_add(target->pid, on_call_ended, ending);
}

static void
wait_for_calls(struct runner *runner)
{
	while (runner->running > 0)
		g_main_context_iteration(NULL, TRUE);
}

/* --- the qubes ------------------------------------------------------------------------------ */

/* Makes the disposable. Signals wait: a reply that is lost would leave a qube behind. */
static void
make_disposable(struct runner *runner, struct target *target)
{
	const char *base = runner->options->dispvm;
	struct client_call call;

	runner->hold = true;
	call = tool_call(
	    runner->run, "admin.vm.CreateDisposable", NULL, base[0] != '\0' ? base : "dom0", NULL);
	runner->hold = false;
	if (call.ok) {
		target->name = g_steal_pointer(&call.content);
		target->made = true;
	} else {
		target_fail(target, call.message);
	}
	client_clear(&call, 1);
}

/* Says what will run where, and sees to it that there is something to run it in. */
static void
begin_target(struct runner *runner, struct target *target)
{
	if (runner->run->verbosity >= 0 && !runner->options->pass_io)
		tool_say("Running '%s' on %s", runner->command_shown, target->shown);
	if (target->name == NULL)
		make_disposable(runner, target);
}

/* What has to happen before a call can be made, or NULL. */
static const char *
readying_method(const struct target *target)
{
	const struct vm *vm = target->vm;

	if (target->made)
		return "admin.vm.Start";
	if (vm == NULL || vm->state == NULL || strcmp(vm->name, "dom0") == 0)
		return NULL;
	if (!vm_is_active(vm))
		return "admin.vm.Start";
	if (vm_is_in_state(vm, "Paused"))
		return "admin.vm.Unpause";
	return vm_is_in_state(vm, "Suspended") ? "admin.vm.Resume" : NULL;
}

/* Starts and unpauses, all at once. */
static void
ready_targets(struct runner *runner)
{
	g_autofree struct client_call *calls = g_new0(struct client_call, runner->target_count);
	g_autofree struct target **called = g_new0(struct target *, runner->target_count);
	guint count = 0;

	for (guint i = 0; i < runner->target_count; i++) {
		struct target *target = &runner->targets[i];
		const char *method = target->over ? NULL : readying_method(target);

		if (method == NULL)
			continue;
		if (runner->options->no_auto && !target->made) {
			tool_say("Qube '%s' not started", target->shown);
			target->result = TOOL_FAILED;
			target->over = true;
			continue;
		}
		if (!runner->local)
			continue; /* the trusted side starts it for the call */
		called[count] = target;
		calls[count++] = (struct client_call){.method = method, .dest = target->name};
	}
	client_run(runner->run->client, calls, count);
	for (guint i = 0; i < count && !is_interrupted(runner); i++) {
		if (!calls[i].ok)
			target_fail(called[i], calls[i].message);
	}
	client_clear(calls, count);
}

/* Ends and so removes the disposable; one that never ran is removed. */
static void
end_disposable(struct runner *runner, struct target *target)
{
	struct client_call call = tool_call(runner->run, "admin.vm.Kill", NULL, target->name, NULL);

	if (client_call_failed_with(&call, "QubesVMNotStartedError")) {
		client_clear(&call, 1);
		call = tool_call(runner->run, "admin.vm.Remove", NULL, target->name, NULL);
	}
	if (!call.ok && !client_call_failed_with(&call, "QubesVMNotFoundError"))
		tool_say("%s: cannot be removed: %s", target->shown, call.message);
	client_clear(&call, 1);
}

/* --- the service ---------------------------------------------------------------------------- */

/* A feature that is there and not empty; there: counted as on when it is not there at all. */
static bool
feature_is_on(const struct client_call *call, bool if_absent)
{
	return call->ok ? call->content[0] != '\0' : if_absent;
}

static char *
property_value(const struct client_call *call)
{
	struct property *property = call->ok ? property_parse("", call->content) : NULL;
	char *value = property != NULL ? g_steal_pointer(&property->value) : NULL;

	property_free(property);
	return value;
}

static bool
wants_gui(const struct runner *runner, const char *guivm, const struct client_call *gui_feature)
{
	if (runner->options->gui != 0)
		return runner->options->gui == YES;
	return g_getenv("DISPLAY") != NULL && guivm != NULL && guivm[0] != '\0' &&
	       feature_is_on(gui_feature, true);
}

static void
read_traits(struct runner *runner, struct target *target)
{
	static const char get[] = "admin.vm.property.Get";
	static const char check[] = "admin.vm.feature.CheckWithTemplate";
	struct client_call calls[] = {
	    {.method = get, .arg = "guivm", .dest = target->name},
	    {.method = get, .arg = "default_user", .dest = target->name},
	    {.method = check, .arg = "gui", .dest = target->name},
	    {.method = check, .arg = "vmexec", .dest = target->name},
	    {.method = check, .arg = "supported-rpc.qubes.VMRootExec", .dest = target->name},
	    {.method = check, .arg = "supported-rpc.qubes.VMRootShell", .dest = target->name},
	};
	g_autofree char *guivm = NULL;

	client_run(runner->run->client, calls, G_N_ELEMENTS(calls));
	guivm = property_value(&calls[0]);
	target->default_user = property_value(&calls[1]);
	target->traits.gui = wants_gui(runner, guivm, &calls[2]);
	target->traits.vmexec = feature_is_on(&calls[3], false);
	target->traits.root_exec = feature_is_on(&calls[4], false);
	target->traits.root_shell = feature_is_on(&calls[5], false);
	client_clear(calls, G_N_ELEMENTS(calls));
}

/* Fire and forget: nobody looks at the output, and the qube outlives the command. */
static bool
is_just_exec(const struct runner *runner, const struct target *target)
{
	return runner->local && !runner->options->pass_io && !target->made;
}

static enum run_filter
filter_for(const struct runner *runner, FILE *stream)
{
	const struct run_options *options = runner->options;

	if (!options->pass_io || (options->local_command != NULL && stream == stdout))
		return RUN_FILTER_DEFAULT;
	if (options->filter != 0)
		return options->filter == YES ? RUN_FILTER_ON : RUN_FILTER_OFF;
	return show_is_terminal(stream) ? RUN_FILTER_ON : RUN_FILTER_OFF;
}

static char **
argv_for(const struct runner *runner, const struct run_call *call)
{
	return runner->local ? run_call_argv(call, runner->program)
			     : run_call_argv_in_qube(call, runner->program);
}

/* Starts the wait for the qube's session; how that ends does not matter. */
static void
wait_for_session(struct runner *runner, struct target *target)
{
	const char *user =
	    runner->options->user != NULL ? runner->options->user : target->default_user;
	g_autofree char *prefix = g_strdup_printf("%s\n", user != NULL ? user : "user");
	const struct run_call call = {
	    .target = target->name,
	    .service = "qubes.WaitForSession",
	    .prefix = prefix,
	};
	g_auto(GStrv) argv = argv_for(runner, &call);

	if (spawn(argv, before_exec_without_io, target))
		watch(runner, target);
}

static void
start_command(struct runner *runner, struct target *target)
{
	const struct run_options *options = runner->options;
	const struct run_wish wish = {
	    .words = runner->command,
	    .is_service = options->service,
	    .no_shell = options->no_shell,
	    .as_root = g_strcmp0(options->user, "root") == 0,
	    .disposable = options->dispvm != NULL,
	    .just_exec = is_just_exec(runner, target),
	};
	GSpawnChildSetupFunc setup = NULL;
	struct run_service service;
	g_auto(GStrv) argv = NULL;
	struct run_call call;

	run_service_choose(&wish, &target->traits, &service);
	call = (struct run_call){
	    .target = target->name,
	    .user = options->user,
	    .service = service.service,
	    .command = service.command,
	    .prefix = service.prefix,
	    .local_command = options->local_command,
	    .filter_stdout = filter_for(runner, stdout),
	    .filter_stderr = filter_for(runner, stderr),
	    .just_exec = wish.just_exec,
	};
	argv = argv_for(runner, &call);
	if (!options->pass_io)
		setup = before_exec_without_io;
	else if (options->local_command != NULL)
		setup = before_exec_without_stdin;
	if (spawn(argv, setup, target))
		watch(runner, target);
	run_service_clear(&service);
}

/* A step for every qube that still has something to run. */
static void
for_each_target(struct runner *runner, void (*step)(struct runner *, struct target *))
{
	for (guint i = 0; i < runner->target_count && !is_interrupted(runner); i++) {
		if (!runner->targets[i].over)
			step(runner, &runner->targets[i]);
	}
}

static void
learn_traits(struct runner *runner, struct target *target)
{
	if (runner->local)
		read_traits(runner, target);
	else
		target->traits.gui = runner->options->gui == YES;
	if (target->traits.gui && !target->made && !is_interrupted(runner))
		wait_for_session(runner, target);
}

/* --- colours -------------------------------------------------------------------------------- */

/* The number to use, or -1. */
static int
colour_for(const struct runner *runner, FILE *stream, const char *asked, bool refused)
{
	if (!runner->options->pass_io || refused || filter_for(runner, stream) != RUN_FILTER_ON)
		return -1;
	if (asked != NULL)
		return (int)g_ascii_strtoull(asked, NULL, 10);
	return show_is_terminal(stream) ? RUN_COLOUR_DEFAULT : -1;
}

static void
set_colours(const struct runner *runner, bool on)
{
	const struct run_options *options = runner->options;
	const struct {
		FILE *stream;
		int colour;
	} streams[] = {
	    {stdout, colour_for(runner, stdout, options->colour_output, options->no_colour_output)},
	    {stderr, colour_for(runner, stderr, options->colour_stderr, options->no_colour_stderr)},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(streams); i++) {
		if (streams[i].colour < 0)
			continue;
		fprintf(streams[i].stream, "\033[0;%dm", on ? streams[i].colour : 0);
		fflush(streams[i].stream);
	}
}

/* --- the whole ------------------------------------------------------------------------------ */

static bool
is_colour(const char *text)
{
	guint64 number;

	return text == NULL || g_ascii_string_to_unsigned(text, 10, 0, 255, &number, NULL);
}

/* The user stands in front of a colon, and must not look like an option. */
static bool
is_user_name(const char *text)
{
	return text[0] != '\0' && text[0] != '-' && strchr(text, ':') == NULL;
}

/* Options that do not go together: wrong usage. */
static int
check_options(struct tool_run *run, const struct run_options *options)
{
	bool has_target_word = options->dispvm == NULL && !options->selection.all;

	if (options->dispvm != NULL && options->selection.all)
		return tool_usage_error(run, "--dispvm and --all do not go together");
	if (!options->selection.all && options->selection.exclude != NULL)
		return tool_usage_error(run, "--exclude can only be used with --all");
	if (options->local_command != NULL && !options->pass_io)
		return tool_usage_error(run, "--localcmd needs --pass-io");
	if (options->service && options->no_shell)
		return tool_usage_error(run, "--service and --no-shell do not go together");
	if (options->filter == NO && (options->colour_output || options->colour_stderr))
		return tool_usage_error(run, "colours need --filter-escape-chars");
	if (!is_colour(options->colour_output) || !is_colour(options->colour_stderr))
		return tool_usage_error(run, "a colour is a number from 0 to 255");
	if (options->user != NULL && !is_user_name(options->user))
		return tool_usage_error(run, "not a user's name: '%s'", options->user);
	if (options->user != NULL && !client_is_local(run->client))
		return tool_usage_error(run, "--user can only be used on the trusted side");
	if (run->words->len < (has_target_word ? 2 : 1))
		return tool_usage_error(
		    run, has_target_word ? "name a qube and a command" : "name a command");
	if (options->service && run->words->len > (has_target_word ? 2 : 1))
		return tool_usage_error(run, "a service takes no more words");
	return 0;
}

static bool
is_internal(struct runner *runner, const struct vm *vm)
{
	struct client_call call =
	    tool_call(runner->run, "admin.vm.feature.Get", "internal", vm->name, NULL);
	bool internal = feature_is_on(&call, false);

	client_clear(&call, 1);
	return internal;
}

static void
add_target(struct runner *runner, const struct vm *vm, const char *name, const char *shown)
{
	runner->targets = g_renew(struct target, runner->targets, runner->target_count + 1);
	runner->targets[runner->target_count++] =
	    (struct target){.name = g_strdup(name), .shown = g_strdup(shown), .vm = vm};
}

static void
add_disposable(struct runner *runner)
{
	const char *base = runner->options->dispvm;
	g_autofree char *shown =
	    base[0] != '\0' ? g_strconcat("@dispvm:", base, NULL) : g_strdup("@dispvm");

	/* Inside a qube the policy makes it, and ends it. */
	add_target(runner, NULL, runner->local ? NULL : shown, shown);
}

/* Which qubes. vms has to outlive the targets. */
static int
choose_targets(struct runner *runner, GPtrArray **ret_vms)
{
	const struct run_options *options = runner->options;
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	int status;

	if (options->dispvm != NULL) {
		add_disposable(runner);
		return 0;
	}
	if (!options->selection.all)
		g_ptr_array_add(words, runner->run->words->pdata[0]);
	status = vmnames_select(runner->run, words, &options->selection, true, NULL, ret_vms);
	for (guint i = 0; status == 0 && i < (*ret_vms)->len; i++) {
		const struct vm *vm = (*ret_vms)->pdata[i];

		if (!options->selection.all ||
		    (vm_is_in_state(vm, "Running") && !is_internal(runner, vm)))
			add_target(runner, vm, vm->name, vm->name);
	}
	if (status == 0 && options->pass_io && runner->target_count > 1 &&
	    options->local_command == NULL)
		return tool_usage_error(
		    runner->run, "--pass-io with several qubes needs --localcmd");
	return status;
}

static int
result_of(const struct runner *runner)
{
	int highest = 0;

	for (guint i = 0; i < runner->target_count; i++) {
		const struct target *target = &runner->targets[i];

		if (!target->over && target->result > 0)
			tool_say("%s: command failed with code: %d", target->shown, target->result);
		highest = MAX(highest, target->result);
	}
	return highest;
}

static int
run_all(struct runner *runner)
{
	for_each_target(runner, begin_target);
	if (!is_interrupted(runner))
		ready_targets(runner);
	for_each_target(runner, learn_traits);
	wait_for_calls(runner);
	set_colours(runner, true);
	for_each_target(runner, start_command);
	wait_for_calls(runner);
	set_colours(runner, false);
	runner->hold = true;
	for (guint i = 0; i < runner->target_count; i++) {
		if (runner->targets[i].made)
			end_disposable(runner, &runner->targets[i]);
	}
	return is_interrupted(runner) ? 128 + runner->signal : result_of(runner);
}

static void
runner_fini(struct runner *runner)
{
	for (guint i = 0; i < runner->target_count; i++) {
		g_free(runner->targets[i].name);
		g_free(runner->targets[i].shown);
		g_free(runner->targets[i].default_user);
	}
	g_free(runner->targets);
	g_free(runner->command);
	g_free(runner->command_shown);
	g_free(runner->program);
}

static int
run_main(struct tool_run *run, void *data)
{
	const struct run_options *options = data;
	struct runner runner = {.run = run, .options = options};
	g_autoptr(GPtrArray) vms = NULL;
	guint first = options->dispvm == NULL && !options->selection.all ? 1 : 0;
	int status = check_options(run, options);

	if (status != 0)
		return status;
	runner.local = client_is_local(run->client);
	runner.program = path_program(runner.local ? "qrexec-client" : "qrexec-client-vm");
	runner.command = g_new0(const char *, run->words->len + 1);
	for (guint i = first; i < run->words->len; i++)
		runner.command[i - first] = run->words->pdata[i];
	runner.command_shown = g_strjoinv(" ", (char **)runner.command);
	g_unix_signal_add(SIGINT, on_sigint, &runner);
	g_unix_signal_add(SIGTERM, on_sigterm, &runner);
	g_unix_signal_add(SIGHUP, on_sighup, &runner);
	status = choose_targets(&runner, &vms);
	if (status == 0)
		status = is_interrupted(&runner) ? 128 + runner.signal : run_all(&runner);
	runner_fini(&runner);
	return status;
}

const struct tool tool_run_ = {
    "qvm-run",
    "VMNAME COMMAND [ARG...]\n--all [--exclude NAME] COMMAND\n--dispvm[=TEMPLATE] COMMAND",
    "Runs a command or a service in qubes.",
    run_options,
    sizeof(struct run_options),
    run_main,
};
