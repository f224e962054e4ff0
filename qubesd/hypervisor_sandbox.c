/*
 * Sandboxes on this kernel. The work is done by bordure-sandbox, one process a qube, which outlives
 * us; we start it, listen to its one line, and watch it by a pidfd. It ends when everything that
 * it made has been removed, so its end is the qube's halt. Signals go to process 1 of the sandbox.
 */
#include "qubesd/hypervisor_ops.h"
#include "qubesd/sandbox/cgroup.h"
#include "qubesd/sandbox/pidns.h"
#include "qubesd/sandbox/state.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_MAX 4096 /* bytes of the supervisor's line */
#define STATUS_FD 3     /* in the supervisor */

struct sandboxes {
	struct hypervisor base;
	GHashTable *qubes; /* owned: uuid -> struct sandbox_qube, all that are not halted */
};

/* A call that is answered when the qube has halted. */
struct waiter {
	hypervisor_done done;
	void *data;
};

/* What to start, once a domain id is known. */
struct launch {
	GPtrArray *argv; /* owned: char *, without --xid */
	hypervisor_done done;
	void *data;
};

struct sandbox_qube {
	struct sandboxes *owner; /* borrowed */
	char *uuid;              /* owned */
	uint32_t xid;
	enum hypervisor_state state;
	struct sandbox_state facts; /* what the supervisor wrote down; empty at first */
	pid_t child;                /* to be reaped; 0: not our child */
	int watch_fd;               /* pidfd of the supervisor, or of the cleaner after it */
	guint watch;
	int status_fd;
	guint status;
	GString *line;         /* owned: the supervisor's line, so far */
	struct launch *launch; /* owned: the start under way */
	struct launch *next;   /* owned: a start that waits for the end of this run */
	GArray *kills;         /* owned: struct waiter */
	bool cleaned;          /* after the supervisor's end a cleaner has run, too */
	bool frozen_by_signals;
};

static struct sandboxes *
sandboxes_of(const struct hypervisor *hypervisor)
{
	return (struct sandboxes *)hypervisor;
}

static struct sandbox_qube *
find(const struct hypervisor *hypervisor, const char *uuid)
{
	return g_hash_table_lookup(sandboxes_of(hypervisor)->qubes, uuid);
}

static void
launch_free(struct launch *launch)
{
	if (launch == NULL)
		return;
	g_ptr_array_unref(launch->argv);
	g_free(launch);
}

static void
close_status(struct sandbox_qube *qube)
{
	g_clear_handle_id(&qube->status, g_source_remove);
	if (qube->status_fd >= 0)
		close(qube->status_fd);
	qube->status_fd = -1;
}

static void
close_watch(struct sandbox_qube *qube)
{
	g_clear_handle_id(&qube->watch, g_source_remove);
	if (qube->watch_fd >= 0)
		close(qube->watch_fd);
	qube->watch_fd = -1;
}

static void
qube_free(gpointer data)
{
	struct sandbox_qube *qube = data;

	close_status(qube);
	close_watch(qube);
	sandbox_state_clear(&qube->facts);
	launch_free(qube->launch);
	launch_free(qube->next);
	g_array_unref(qube->kills);
	g_string_free(qube->line, TRUE);
	g_free(qube->uuid);
	g_free(qube);
}

static struct sandbox_qube *
qube_new(struct sandboxes *owner, const char *uuid, uint32_t xid)
{
	struct sandbox_qube *qube = g_new0(struct sandbox_qube, 1);

	qube->owner = owner;
	qube->uuid = g_strdup(uuid);
	qube->xid = xid;
	qube->watch_fd = -1;
	qube->status_fd = -1;
	qube->line = g_string_new(NULL);
	qube->kills = g_array_new(FALSE, FALSE, sizeof(struct waiter));
	g_hash_table_insert(owner->qubes, qube->uuid, qube);
	return qube;
}

static void
change_state(struct sandbox_qube *qube, enum hypervisor_state state)
{
	struct hypervisor *base = &qube->owner->base;

	if (qube->state == state)
		return;
	qube->state = state;
	base->on_event(base, qube->uuid, state, base->data);
}

/* ---- processes ----------------------------------------------------------------------------- */

/* 0, or a negative errno: bordure-sandbox with these arguments, its status in *ret_status_fd. */
static int
spawn(GPtrArray *argv, int *ret_status_fd, pid_t *ret_child)
{
	g_autofree char *program = path_program("bordure-sandbox");
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_autoptr(GError) error = NULL;
	int pipe_fds[2];
	int target = STATUS_FD;
	gboolean ok;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	g_ptr_array_add(words, program);
	for (guint i = 0; i < argv->len; i++)
		g_ptr_array_add(words, argv->pdata[i]);
	g_ptr_array_add(words, NULL);
	ok = g_spawn_async_with_pipes_and_fds(NULL, (const gchar *const *)words->pdata, NULL,
	    G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, -1, -1, -1, &pipe_fds[1], &target, 1, ret_child,
	    NULL, NULL, NULL, &error);
	close(pipe_fds[1]);
	if (!ok) {
		log_error("%s", error->message);
		close(pipe_fds[0]);
		return -ENOENT;
	}
	g_unix_set_fd_nonblocking(pipe_fds[0], TRUE, NULL);
	*ret_status_fd = pipe_fds[0];
	return 0;
}

static gboolean on_process_ended(gint fd, GIOCondition condition, gpointer data);

/* Takes fd over. */
static void
watch_process(struct sandbox_qube *qube, int fd)
{
	close_watch(qube);
	qube->watch_fd = fd;
	qube->watch = g_unix_fd_add(fd, G_IO_IN, on_process_ended, qube);
}

static int
watch_child(struct sandbox_qube *qube, pid_t child)
{
	int fd = (int)syscall(SYS_pidfd_open, child, 0);

	if (fd < 0)
		return -errno;
	qube->child = child;
	watch_process(qube, fd);
	return 0;
}

/* Its supervisor was killed: let another one remove what is left. 0 or negative errno. */
static int
clean(struct sandbox_qube *qube)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	int status_fd, r;
	pid_t child;

	qube->cleaned = true;
	g_ptr_array_add(argv, g_strdup("clean"));
	g_ptr_array_add(argv, g_strdup("--xid"));
	g_ptr_array_add(argv, g_strdup_printf("%" PRIu32, qube->xid));
	r = spawn(argv, &status_fd, &child);
	if (r < 0)
		return r;
	close(status_fd);
	return watch_child(qube, child);
}

static bool
has_folder(uint32_t xid)
{
	g_autofree char *dir = sandbox_dir(xid);

	return access(dir, F_OK) == 0;
}

/* ---- the end of a run ---------------------------------------------------------------------- */

static void launch_begin(struct sandboxes *sandboxes, const char *uuid, struct launch *launch);

/* The reason that the supervisor gave, or that it gave none. Borrowed. */
static const char *
reason_of(const struct sandbox_qube *qube)
{
	if (g_str_has_prefix(qube->line->str, "error "))
		return qube->line->str + strlen("error ");
	return "bordure-sandbox ended before the sandbox was ready";
}

/* Everything is removed: the qube is no more. Whoever waits is told, and may start another. */
static void
halted(struct sandbox_qube *qube)
{
	struct sandboxes *sandboxes = qube->owner;
	struct hypervisor *base = &sandboxes->base;

	g_hash_table_steal(sandboxes->qubes, qube->uuid);
	change_state(qube, HYPERVISOR_HALTED);
	if (qube->launch != NULL)
		qube->launch->done(reason_of(qube), -1, qube->launch->data);
	for (guint i = 0; i < qube->kills->len; i++) {
		const struct waiter *waiter = &g_array_index(qube->kills, struct waiter, i);

		waiter->done(NULL, -1, waiter->data);
	}
	if (qube->next != NULL && find(base, qube->uuid) == NULL)
		launch_begin(sandboxes, qube->uuid, g_steal_pointer(&qube->next));
	else if (qube->next != NULL)
		qube->next->done("it is being started already", -1, qube->next->data);
	qube_free(qube);
}

static gboolean
on_process_ended(gint fd, GIOCondition condition, gpointer data)
{
	struct sandbox_qube *qube = data;

	(void)fd;
	(void)condition;
	qube->watch = 0;
	close_watch(qube);
	if (qube->child > 0)
		waitpid(qube->child, NULL, 0); /* it has ended: this does not wait */
	qube->child = 0;
	if (has_folder(qube->xid) && !qube->cleaned) {
		change_state(qube, HYPERVISOR_DYING);
		if (clean(qube) == 0)
			return G_SOURCE_REMOVE;
	}
	halted(qube);
	return G_SOURCE_REMOVE;
}

/* ---- start --------------------------------------------------------------------------------- */

static void
on_ready(struct sandbox_qube *qube)
{
	struct launch *launch = g_steal_pointer(&qube->launch);
	int64_t xid = qube->xid;

	if (sandbox_state_load(qube->xid, &qube->facts) < 0)
		log_warn("sandbox %u: its state cannot be read", qube->xid);
	change_state(qube, HYPERVISOR_RUNNING);
	launch->done(NULL, xid, launch->data);
	launch_free(launch);
}

/* One line, and then the end. An error is answered when the supervisor has tidied up and ended. */
static gboolean
on_status(gint fd, GIOCondition condition, gpointer data)
{
	struct sandbox_qube *qube = data;
	char bytes[512];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)condition;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (n > 0 && qube->line->len + (size_t)n <= STATUS_MAX) {
		g_string_append_len(qube->line, bytes, n);
		return G_SOURCE_CONTINUE;
	}
	qube->status = 0;
	close_status(qube);
	g_strchomp(qube->line->str);
	if (qube->launch != NULL && g_str_has_prefix(qube->line->str, "ready"))
		on_ready(qube);
	return G_SOURCE_REMOVE;
}

static uint32_t
free_xid(const struct sandboxes *sandboxes)
{
	for (uint32_t xid = 1;; xid++) {
		GHashTableIter iter;
		struct sandbox_qube *qube;
		bool taken = has_folder(xid);

		g_hash_table_iter_init(&iter, sandboxes->qubes);
		while (!taken && g_hash_table_iter_next(&iter, NULL, (gpointer *)&qube))
			taken = qube->xid == xid;
		if (!taken)
			return xid;
	}
}

/* Takes launch over. */
static void
launch_begin(struct sandboxes *sandboxes, const char *uuid, struct launch *launch)
{
	uint32_t xid = free_xid(sandboxes);
	struct sandbox_qube *qube = qube_new(sandboxes, uuid, xid);
	pid_t child;
	int r;

	g_ptr_array_add(launch->argv, g_strdup("--xid"));
	g_ptr_array_add(launch->argv, g_strdup_printf("%" PRIu32, xid));
	r = spawn(launch->argv, &qube->status_fd, &child);
	if (r == 0)
		r = watch_child(qube, child);
	if (r < 0) {
		g_autofree char *error =
		    g_strdup_printf("bordure-sandbox cannot be started: %s", g_strerror(-r));

		hypervisor_answer_later(launch->done, error, -1, launch->data);
		launch_free(launch);
		g_hash_table_remove(sandboxes->qubes, qube->uuid);
		return;
	}
	qube->launch = launch;
	qube->status = g_unix_fd_add(qube->status_fd, G_IO_IN | G_IO_HUP, on_status, qube);
}

static void
add(GPtrArray *argv, const char *option, const char *value)
{
	/* One word, so that no value is ever taken for an option. */
	g_ptr_array_add(argv, g_strdup_printf("%s=%s", option, value));
}

static void
add_number(GPtrArray *argv, const char *option, int64_t value)
{
	g_autofree char *text = g_strdup_printf("%" PRId64, value);

	add(argv, option, text);
}

/* Where usr lies: in the template's folder, in the qube's own one, or it is the host's. */
static char *
root_of(const struct hypervisor_qube *qube)
{
	g_autofree char *templates = path_in_state_dir("vm-templates");
	g_autofree char *folder = qube->template_name[0] != '\0'
				      ? g_build_filename(templates, qube->template_name, NULL)
				      : g_path_get_dirname(qube->private_dir);
	g_autofree char *usr = g_build_filename(folder, "usr", NULL);

	return g_strdup(g_file_test(usr, G_FILE_TEST_IS_DIR) ? folder : "/");
}

static GPtrArray *
arguments_of(const struct hypervisor_qube *qube)
{
	GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *root = root_of(qube);

	g_ptr_array_add(argv, g_strdup("start"));
	add_number(argv, "--status-fd", STATUS_FD);
	add(argv, "--name", qube->name);
	add(argv, "--uuid", qube->uuid);
	add(argv, "--class", qube->klass);
	add(argv, "--user", qube->default_user);
	add(argv, "--keyboard-layout", qube->keyboard_layout);
	add(argv, "--private", qube->private_dir);
	add(argv, "--root", root);
	add_number(argv, "--qid", qube->qid);
	add_number(argv, "--memory", MAX(qube->memory_mib, qube->maxmem_mib));
	if (qube->gui_domain >= 0)
		add_number(argv, "--gui-domain", qube->gui_domain);
	if (qube->private_source != NULL)
		add(argv, "--private-source", qube->private_source);
	if (!qube->private_keep)
		g_ptr_array_add(argv, g_strdup("--discard"));
	if (qube->debug)
		g_ptr_array_add(argv, g_strdup("--debug"));
	return argv;
}

static void
sandbox_start(struct hypervisor *hypervisor, const struct hypervisor_qube *qube,
    hypervisor_done done, void *data)
{
	struct sandboxes *sandboxes = sandboxes_of(hypervisor);
	struct sandbox_qube *before = find(hypervisor, qube->uuid);
	struct launch *launch;

	if (before != NULL && (before->state != HYPERVISOR_DYING || before->next != NULL)) {
		hypervisor_answer_later(done, "it runs already", -1, data);
		return;
	}
	launch = g_new0(struct launch, 1);
	launch->argv = arguments_of(qube);
	launch->done = done;
	launch->data = data;
	if (before != NULL)
		before->next = launch;
	else
		launch_begin(sandboxes, qube->uuid, launch);
}

/* ---- while it runs ------------------------------------------------------------------------- */

/* Process 1 of the sandbox as a pidfd; -ESRCH when there is none (yet, or any more). */
static int
open_init(struct sandbox_qube *qube)
{
	struct sandbox_state facts;

	if (qube->facts.init.pid == 0 && sandbox_state_load(qube->xid, &facts) == 0) {
		sandbox_state_clear(&qube->facts);
		qube->facts = facts;
	}
	return process_id_open(&qube->facts.init);
}

/* To process 1, or to the supervisor, which is still making it: SIGTERM ends both. */
static int
signal_qube(struct sandbox_qube *qube, int signal_number)
{
	int fd = open_init(qube);
	int r = 0;

	if (fd >= 0) {
		if (syscall(SYS_pidfd_send_signal, fd, signal_number, NULL, 0) < 0)
			r = -errno;
		close(fd);
		return r;
	}
	if (qube->watch_fd < 0 || qube->cleaned)
		return 0; /* on its way out */
	return syscall(SYS_pidfd_send_signal, qube->watch_fd, SIGTERM, NULL, 0) < 0 ? -errno : 0;
}

static void
thaw(struct sandbox_qube *qube)
{
	(void)cgroup_freeze(qube->facts.cgroups, false);
	if (qube->frozen_by_signals)
		(void)pidns_freeze(qube->facts.init.pid, false);
	qube->frozen_by_signals = false;
}

/* qube is there when r is 0. */
static void
answer(const struct sandbox_qube *qube, int r, hypervisor_done done, void *data)
{
	if (r < 0)
		hypervisor_answer_later(done, g_strerror(-r), -1, data);
	else
		hypervisor_answer_later(done, NULL, qube->xid, data);
}

static void
sandbox_shutdown(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	struct sandbox_qube *qube = find(hypervisor, uuid);
	int r = qube != NULL ? signal_qube(qube, SIGTERM) : -ESRCH;

	if (r == 0)
		change_state(qube, HYPERVISOR_HALTING);
	answer(qube, r, done, data);
}

static void
sandbox_kill(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	struct sandbox_qube *qube = find(hypervisor, uuid);
	struct waiter waiter = {done, data};
	int r = qube != NULL ? signal_qube(qube, SIGKILL) : -ESRCH;

	if (r < 0) {
		hypervisor_answer_later(done, g_strerror(-r), -1, data);
		return;
	}
	thaw(qube); /* a frozen process dies only when it thaws */
	g_array_append_val(qube->kills, waiter);
	change_state(qube, HYPERVISOR_DYING);
}

static void
sandbox_pause(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	struct sandbox_qube *qube = find(hypervisor, uuid);
	int r = -ESRCH;

	if (qube != NULL && qube->state == HYPERVISOR_RUNNING) {
		r = cgroup_freeze(qube->facts.cgroups, true);
		if (r < 0) {
			log_debug("sandbox %u: no freezer, stopping by signals", qube->xid);
			r = pidns_freeze(qube->facts.init.pid, true);
			qube->frozen_by_signals = true;
		}
	}
	if (r == 0)
		change_state(qube, HYPERVISOR_PAUSED);
	else if (qube != NULL)
		thaw(qube);
	answer(qube, r, done, data);
}

static void
sandbox_unpause(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	struct sandbox_qube *qube = find(hypervisor, uuid);

	if (qube == NULL || qube->state != HYPERVISOR_PAUSED) {
		hypervisor_answer_later(done, "it is not paused", -1, data);
		return;
	}
	thaw(qube);
	change_state(qube, HYPERVISOR_RUNNING);
	hypervisor_answer_later(done, NULL, qube->xid, data);
}

static enum hypervisor_state
sandbox_state(const struct hypervisor *hypervisor, const char *uuid)
{
	const struct sandbox_qube *qube = find(hypervisor, uuid);

	return qube != NULL ? qube->state : HYPERVISOR_HALTED;
}

static int64_t
sandbox_xid(const struct hypervisor *hypervisor, const char *uuid)
{
	const struct sandbox_qube *qube = find(hypervisor, uuid);

	return qube != NULL && qube->state != HYPERVISOR_HALTED ? (int64_t)qube->xid : -1;
}

static int64_t
sandbox_started_us(const struct hypervisor *hypervisor, const char *uuid)
{
	const struct sandbox_qube *qube = find(hypervisor, uuid);

	return qube != NULL ? qube->facts.started_us : 0;
}

static void
sandbox_usage(struct hypervisor *hypervisor, const char *uuid, struct hypervisor_usage *ret)
{
	const struct sandbox_qube *qube = find(hypervisor, uuid);
	uint64_t memory_kib = 0, cpu_ns = 0;

	if (qube == NULL || qube->facts.init.pid == 0)
		return;
	if (!cgroup_memory_kib(qube->facts.cgroups, &memory_kib) ||
	    !cgroup_cpu_ns(qube->facts.cgroups, &cpu_ns))
		(void)pidns_usage(qube->facts.init.pid, &memory_kib, &cpu_ns);
	ret->memory_kib = memory_kib;
	ret->memory_max_kib = qube->facts.memory_mib * UINT64_C(1024);
	ret->cputime_ns = cpu_ns;
}

/* ---- life across a restart ----------------------------------------------------------------- */

static bool
sandbox_adopt(struct hypervisor *hypervisor, const char *uuid, const char *name)
{
	const struct sandbox_qube *qube = find(hypervisor, uuid);

	if (qube == NULL || qube->state == HYPERVISOR_DYING)
		return false;
	if (strcmp(qube->facts.name, name) != 0)
		log_warn("sandbox %u was started as %s and is %s now", qube->xid, qube->facts.name,
		    name);
	return true;
}

/* Frozen by whichever of the two ways? */
static bool
is_frozen(const struct sandbox_state *facts)
{
	return cgroup_is_frozen(facts->cgroups) || pidns_is_frozen(facts->init.pid);
}

/* One that was there before us: watched if its supervisor lives, removed if not. */
static void
take_over(struct sandboxes *sandboxes, uint32_t xid)
{
	struct sandbox_state facts;
	struct sandbox_qube *qube;
	int fd;

	if (sandbox_state_load(xid, &facts) < 0) {
		facts = (struct sandbox_state){.xid = xid};
		facts.uuid = g_strdup_printf("unknown-%u", xid);
		facts.name = g_strdup("");
	}
	fd = process_id_open(&facts.supervisor);
	qube = qube_new(sandboxes, facts.uuid, xid);
	qube->facts = facts;
	if (fd >= 0) {
		qube->state = is_frozen(&facts) ? HYPERVISOR_PAUSED : HYPERVISOR_RUNNING;
		qube->frozen_by_signals = qube->state == HYPERVISOR_PAUSED;
		watch_process(qube, fd);
		return;
	}
	qube->state = HYPERVISOR_DYING;
	if (clean(qube) < 0)
		g_hash_table_remove(sandboxes->qubes, qube->uuid);
}

static void
take_over_all(struct sandboxes *sandboxes)
{
	g_autoptr(GArray) xids = sandbox_state_list();

	for (guint i = 0; i < xids->len; i++)
		take_over(sandboxes, g_array_index(xids, uint32_t, i));
}

static void
sandbox_free(struct hypervisor *hypervisor)
{
	struct sandboxes *sandboxes = sandboxes_of(hypervisor);

	g_hash_table_unref(sandboxes->qubes);
	hypervisor_fini(hypervisor);
	g_free(sandboxes);
}

static const struct hypervisor_ops ops = {
    .free = sandbox_free,
    .start = sandbox_start,
    .shutdown = sandbox_shutdown,
    .kill = sandbox_kill,
    .pause = sandbox_pause,
    .unpause = sandbox_unpause,
    .state = sandbox_state,
    .xid = sandbox_xid,
    .started_us = sandbox_started_us,
    .adopt = sandbox_adopt,
    .usage = sandbox_usage,
};

/* Once, before the first qube: bordure-sandbox tries one, and says what to change. */
static int
check(char **ret_error)
{
	g_autofree char *program = path_program("bordure-sandbox");
	const char *argv[] = {program, "check", NULL};
	g_autofree char *said = NULL;
	g_autoptr(GError) error = NULL;
	int status;

	if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &said, NULL,
		&status, &error)) {
		*ret_error = g_strdup(error->message);
		return -ENOENT;
	}
	if (g_spawn_check_wait_status(status, NULL))
		return 0;
	*ret_error = g_strdup(g_strchomp(said));
	return -EPERM;
}

int
hypervisor_sandbox_new(const char *kind, hypervisor_event on_event, void *data,
    struct hypervisor **ret, char **ret_error)
{
	g_autofree char *socket_path = path_in_runtime_dir("vchan.sock");
	struct sandboxes *sandboxes;
	int r = check(ret_error);

	if (r < 0)
		return r;
	if (geteuid() != 0)
		log_info("all sandboxes share the uid of this user, %d: started as root, each "
			 "would have its own",
		    (int)geteuid());
	sandboxes = g_new0(struct sandboxes, 1);
	hypervisor_init(&sandboxes->base, &ops, kind, on_event, data);
	sandboxes->base.has_vchan = true;
	sandboxes->base.vchan = g_strconcat("broker:", socket_path, NULL);
	sandboxes->qubes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, qube_free);
	take_over_all(sandboxes);
	*ret = &sandboxes->base;
	return 0;
}
