/*
 * The life of one sandbox, as its supervisor sees it:
 *
 *   folder and state written -> private folder, groups, broker -> child: stage, ids, bubblewrap
 *   -> process 1 says it runs -> "ready" -> ... -> bubblewrap ends -> everything removed
 *
 * A failure anywhere goes to the last step. bubblewrap dies with us, so nothing runs that nobody
 * watches; what is left when we are killed is removed by sandbox_clean() at the next start.
 */
#include "qubesd/sandbox/sandbox.h"
#include "qubesd/region_bytes.h"
#include "qubesd/sandbox/cgroup.h"
#include "qubesd/sandbox/child.h"
#include "qubesd/sandbox/console.h"
#include "qubesd/sandbox/identity.h"
#include "qubesd/sandbox/private.h"
#include "qubesd/sandbox/stage.h"
#include "qubesd/sandbox/state.h"
#include "qubesd/sandbox/tree.h"
#include "shared/log.h"
#include "shared/paths.h"
#include "shared/vchan/broker_control.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_TIMEOUT_S 20

struct pipe_pair {
	int in, out; /* to read from, to write to; -1 = closed */
};

struct sandbox {
	const struct sandbox_options *options; /* borrowed */
	struct identity identity;
	struct stage stage;
	struct sandbox_state state;
	struct console *console;
	GMainLoop *loop;
	pid_t bwrap; /* 0: not started, or reaped */
	struct pipe_pair info, ready, console_pipe;
	guint ready_source, timeout_source;
	bool has_folder, has_broker, is_ready;
	char *error; /* owned; why it could not be made */
};

/* ---- small things -------------------------------------------------------------------------- */

static void fail(struct sandbox *sandbox, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The first reason counts. */
static void
fail(struct sandbox *sandbox, const char *format, ...)
{
	va_list list;

	if (sandbox->error != NULL)
		return;
	va_start(list, format);
	sandbox->error = g_strdup_vprintf(format, list);
	va_end(list);
}

static int
open_pipe(struct pipe_pair *ret)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	ret->in = fds[0];
	ret->out = fds[1];
	return 0;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
tell(const struct sandbox *sandbox, const char *word, const char *text)
{
	g_autofree char *line = g_strdup_printf("%s %s\n", word, text);
	int fd = sandbox->options->status_fd >= 0 ? sandbox->options->status_fd : STDERR_FILENO;

	g_strdelimit(line, "\n", ' ');
	line[strlen(line) - 1] = '\n';
	if (write(fd, line, strlen(line)) < 0)
		log_debug("nobody waits for the outcome");
	if (sandbox->options->status_fd >= 0)
		close(fd);
}

/* ---- what is made before the child, in this order ------------------------------------------ */

static int
make_folder(struct sandbox *sandbox)
{
	const struct sandbox_options *options = sandbox->options;
	struct sandbox_state *state = &sandbox->state;
	int r;

	state->uuid = g_strdup(options->uuid);
	state->name = g_strdup(options->name);
	state->xid = options->xid;
	state->memory_mib = options->memory_mib;
	state->started_us = g_get_real_time();
	state->private_dir = g_strdup(options->private_dir);
	state->discard = options->discard;
	r = process_id_get(getpid(), &state->supervisor);
	if (r == 0)
		r = sandbox_state_create(state);
	if (r < 0)
		fail(sandbox, "the folder of domain %u: %s", options->xid, g_strerror(-r));
	sandbox->has_folder = r == 0;
	return r;
}

static int
make_identity(struct sandbox *sandbox)
{
	const char *name = sandbox->options->name;

	identity_choose(sandbox->options->qid, &sandbox->identity);
	if (sandbox->identity.kind == IDENTITY_SINGLE)
		log_info("%s: ranges of uids are refused here: all of it runs as one user", name);
	else if (sandbox->identity.kind == IDENTITY_OWN && geteuid() == 0)
		log_warn("%s: there are no uids but root's here: all qubes share it", name);
	return 0;
}

static int
make_private(struct sandbox *sandbox)
{
	const struct sandbox_options *options = sandbox->options;

	return private_prepare(options->private_dir, options->private_source, options->discard,
	    &sandbox->identity, &sandbox->error);
}

static int
make_cgroup(struct sandbox *sandbox)
{
	struct cgroup_limits limits = {
	    .memory_bytes = (uint64_t)sandbox->options->memory_mib << 20,
	    .pids = CGROUP_PIDS_MAX,
	};
	g_autofree char *missing = NULL;

	cgroup_new(sandbox->state.uuid, &limits, &sandbox->state.cgroups, &missing);
	if (missing != NULL)
		log_info("%s: no limit for: %s (no control group can be written here)",
		    sandbox->options->name, missing);
	return sandbox_state_save(&sandbox->state);
}

static int
make_console(struct sandbox *sandbox)
{
	int r = open_pipe(&sandbox->console_pipe);

	if (r == 0) {
		r = console_new(
		    sandbox->options->name, sandbox->console_pipe.in, &sandbox->console);
		sandbox->console_pipe.in = -1;
	}
	if (r < 0)
		fail(sandbox, "the log of the guest: %s", g_strerror(-r));
	return r;
}

static int
broker_add(struct broker_control *broker, const struct sandbox *sandbox, const char *socket_path)
{
	uint32_t xid = sandbox->options->xid;
	uid_t user = sandbox->identity.user;
	uint64_t bytes = region_bytes();
	int r = broker_control_add(broker, xid, socket_path, user, user, bytes);

	if (r == -EEXIST) { /* from a run that nobody could clean up after */
		r = broker_control_remove(broker, xid);
		if (r == 0)
			r = broker_control_add(broker, xid, socket_path, user, user, bytes);
	}
	return r;
}

static int
make_vchan(struct sandbox *sandbox)
{
	g_autofree char *folder = sandbox_dir(sandbox->options->xid);
	g_autofree char *socket_path = g_build_filename(folder, "vchan.sock", NULL);
	struct broker_control *broker;
	int r;

	r = broker_control_new(NULL, &broker);
	if (r < 0) {
		g_autofree char *control = path_in_runtime_dir("vchan-broker.sock");

		fail(sandbox, "vchan-broker does not answer at %s (%s): start it first", control,
		    g_strerror(-r));
		return r;
	}
	r = broker_add(broker, sandbox, socket_path);
	sandbox->has_broker = r == 0;
	broker_control_free(broker);
	if (r < 0)
		fail(sandbox, "vchan-broker refuses domain %u: %s", sandbox->options->xid,
		    g_strerror(-r));
	sandbox->stage.paths[STAGE_VCHAN] = g_steal_pointer(&socket_path);
	return r;
}

static int
make_stage(struct sandbox *sandbox)
{
	const struct sandbox_options *options = sandbox->options;
	char **paths = sandbox->stage.paths;
	g_autofree char *init = NULL;

	paths[STAGE_USR] = g_build_filename(options->root_dir, "usr", NULL);
	paths[STAGE_ETC] = g_build_filename(options->root_dir, "etc", NULL);
	paths[STAGE_GUEST] = path_guest_dir();
	paths[STAGE_RW] = g_build_filename(options->private_dir, "rw", NULL);
	paths[STAGE_HOME] = g_build_filename(options->private_dir, "home", NULL);
	paths[STAGE_USRLOCAL] = g_build_filename(options->private_dir, "usrlocal", NULL);
	init = g_build_filename(paths[STAGE_GUEST], "bin", "bordure-init", NULL);
	if (access(init, X_OK) < 0) {
		fail(sandbox, "the guest kit is not there: %s: %s", init, g_strerror(errno));
		return -ENOENT;
	}
	return 0;
}

/* ---- while it runs ------------------------------------------------------------------------- */

/* What bubblewrap said last is the best reason that we have. */
static void
fail_with_console(struct sandbox *sandbox)
{
	const char *line = console_last_line(sandbox->console);
	g_autofree char *advice = NULL;

	if (strstr(line, "amespace") != NULL || strstr(line, "ermission denied") != NULL)
		advice = sandbox_check();
	if (advice != NULL)
		fail(sandbox, "%s", advice);
	else
		fail(sandbox, "the sandbox could not be made: %s",
		    line[0] != '\0' ? line : "bubblewrap ended without a word");
}

static void
on_bwrap_ended(GPid pid, gint status, gpointer data)
{
	struct sandbox *sandbox = data;

	(void)pid;
	sandbox->bwrap = 0;
	if (!sandbox->is_ready)
		fail_with_console(sandbox);
	else
		log_info("%s: ended (status %d)", sandbox->options->name, status);
	g_main_loop_quit(sandbox->loop);
}

/* bubblewrap's report: a JSON object with the number of process 1 as we see it. */
static int
read_info(struct sandbox *sandbox)
{
	char text[1024];
	ssize_t n = read(sandbox->info.in, text, sizeof(text));
	json_t *info;
	pid_t pid;

	if (n <= 0)
		return -EPIPE;
	info = json_loadb(text, (size_t)n, 0, NULL);
	if (info == NULL)
		return -EPROTO;
	pid = (pid_t)json_integer_value(json_object_get(info, "child-pid"));
	json_decref(info);
	return process_id_get(pid, &sandbox->state.init);
}

static gboolean
on_ready(gint fd, GIOCondition condition, gpointer data)
{
	struct sandbox *sandbox = data;
	g_autofree char *xid = g_strdup_printf("%u", sandbox->options->xid);
	char byte;

	(void)condition;
	sandbox->ready_source = 0;
	if (read(fd, &byte, 1) != 1)
		return G_SOURCE_REMOVE; /* it failed; its end comes next */
	g_clear_handle_id(&sandbox->timeout_source, g_source_remove);
	if (read_info(sandbox) < 0 || sandbox_state_save(&sandbox->state) < 0) {
		fail(sandbox, "process 1 of the sandbox cannot be found");
		kill(sandbox->bwrap, SIGKILL);
		return G_SOURCE_REMOVE;
	}
	sandbox->is_ready = true;
	tell(sandbox, "ready", xid);
	return G_SOURCE_REMOVE;
}

static gboolean
on_timeout(gpointer data)
{
	struct sandbox *sandbox = data;

	sandbox->timeout_source = 0;
	fail(sandbox, "the sandbox did not start within %d seconds: %s", READY_TIMEOUT_S,
	    console_last_line(sandbox->console));
	kill(sandbox->bwrap, SIGKILL);
	return G_SOURCE_REMOVE;
}

/* Asked to end: so is process 1 inside. */
static gboolean
on_terminate(gpointer data)
{
	struct sandbox *sandbox = data;
	int fd = process_id_open(&sandbox->state.init);

	if (fd >= 0) {
		(void)syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0);
		close(fd);
	} else if (sandbox->bwrap > 0) {
		kill(sandbox->bwrap, SIGKILL);
	}
	return G_SOURCE_CONTINUE;
}

static void
run(struct sandbox *sandbox)
{
	guint term, interrupt;

	sandbox->loop = g_main_loop_new(NULL, FALSE);
	g_child_watch_add(sandbox->bwrap, on_bwrap_ended, sandbox);
	sandbox->ready_source =
	    g_unix_fd_add(sandbox->ready.in, G_IO_IN | G_IO_HUP, on_ready, sandbox);
	sandbox->timeout_source = g_timeout_add_seconds(READY_TIMEOUT_S, on_timeout, sandbox);
	term = g_unix_signal_add(SIGTERM, on_terminate, sandbox);
	interrupt = g_unix_signal_add(SIGINT, on_terminate, sandbox);
	g_main_loop_run(sandbox->loop);
	g_source_remove(term);
	g_source_remove(interrupt);
	g_clear_handle_id(&sandbox->ready_source, g_source_remove);
	g_clear_handle_id(&sandbox->timeout_source, g_source_remove);
	g_main_loop_unref(sandbox->loop);
}

/* ---- the end ------------------------------------------------------------------------------- */

static void
broker_remove(uint32_t xid)
{
	int r = broker_control_forget(xid);

	if (r < 0)
		log_warn("vchan-broker keeps domain %u: %s", xid, g_strerror(-r));
}

/* In reverse order of making; the folder last, because it holds the domain id. */
static void
remove_all(const struct sandbox_state *state, bool has_broker)
{
	int r = 0;

	if (has_broker)
		broker_remove(state->xid);
	cgroup_free(state->cgroups);
	if (state->discard)
		r = tree_remove(state->private_dir);
	if (r < 0)
		log_error("%s: %s stays: %s", state->name, state->private_dir, g_strerror(-r));
	sandbox_state_remove(state->xid);
}

static int
fork_child(struct sandbox *sandbox, const char *bwrap)
{
	struct child_setup setup = {
	    .bwrap = bwrap,
	    .options = sandbox->options,
	    .identity = &sandbox->identity,
	    .stage = &sandbox->stage,
	    .cgroups = sandbox->state.cgroups,
	    .output_fd = sandbox->console_pipe.out,
	    .info_fd = sandbox->info.out,
	    .ready_fd = sandbox->ready.out,
	};

	return child_fork(&setup, &sandbox->bwrap);
}

static int
make_and_run(struct sandbox *sandbox)
{
	static int (*const steps[])(struct sandbox *) = {
	    make_identity,
	    make_stage,
	    make_private,
	    make_cgroup,
	    make_console,
	    make_vchan,
	};
	g_autofree char *bwrap = g_find_program_in_path("bwrap");
	int r;

	if (bwrap == NULL) {
		fail(sandbox, "%s", SANDBOX_NO_BWRAP);
		return -ENOENT;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
		r = steps[i](sandbox);
		if (r < 0)
			return r;
	}
	r = open_pipe(&sandbox->info);
	if (r == 0)
		r = open_pipe(&sandbox->ready);
	if (r == 0)
		r = fork_child(sandbox, bwrap);
	close_fd(&sandbox->info.out);
	close_fd(&sandbox->ready.out);
	close_fd(&sandbox->console_pipe.out);
	if (sandbox->bwrap > 0)
		run(sandbox); /* also when the maps failed: the child says why, and ends */
	return r;
}

int
sandbox_start(const struct sandbox_options *options)
{
	struct pipe_pair closed = {-1, -1};
	struct sandbox sandbox = {
	    .options = options, .info = closed, .ready = closed, .console_pipe = closed};
	int r;

	(void)setsid(); /* a Ctrl-C for qubesd is none for its qubes */
	signal(SIGPIPE, SIG_IGN);
	umask(0022);
	if (options->status_fd >= 0)
		(void)fcntl(options->status_fd, F_SETFD, FD_CLOEXEC);
	if (options->try_first)
		sandbox.error = sandbox_check();
	r = sandbox.error == NULL ? make_folder(&sandbox) : -EPERM;
	if (r == 0)
		r = make_and_run(&sandbox);
	if (sandbox.has_folder)
		remove_all(&sandbox.state, sandbox.has_broker);
	if (!sandbox.is_ready) {
		fail(&sandbox, "the sandbox could not be made: %s", g_strerror(-r));
		tell(&sandbox, "error", sandbox.error);
	}
	console_free(sandbox.console);
	close_fd(&sandbox.info.in);
	close_fd(&sandbox.ready.in);
	stage_clear(&sandbox.stage);
	sandbox_state_clear(&sandbox.state);
	g_free(sandbox.error);
	return sandbox.is_ready ? 0 : 1;
}

/* Waits up to 5 seconds for a process that was killed. */
static int
kill_and_wait(const struct process_id *id)
{
	struct pollfd pfd = {.fd = process_id_open(id), .events = POLLIN};
	int r = 0;

	if (pfd.fd < 0)
		return 0;
	(void)syscall(SYS_pidfd_send_signal, pfd.fd, SIGKILL, NULL, 0);
	if (poll(&pfd, 1, 5000) <= 0)
		r = -EBUSY;
	close(pfd.fd);
	return r;
}

int
sandbox_clean(uint32_t xid)
{
	struct sandbox_state state;
	int r, supervisor;

	r = sandbox_state_load(xid, &state);
	if (r < 0) { /* nothing is known but that the id is in use */
		broker_remove(xid);
		sandbox_state_remove(xid);
		return 0;
	}
	supervisor = process_id_open(&state.supervisor);
	if (supervisor >= 0) {
		close(supervisor);
		r = -EBUSY;
	} else {
		(void)cgroup_freeze(state.cgroups, false);
		r = kill_and_wait(&state.init);
	}
	if (r == 0)
		remove_all(&state, true);
	sandbox_state_clear(&state);
	return r;
}
