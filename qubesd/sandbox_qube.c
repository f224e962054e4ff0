#include "qubesd/sandbox_qube.h"
#include "qubesd/sandbox/cgroup.h"
#include "qubesd/sandbox/pidns.h"
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

static void
launch_free(struct sandbox_launch *launch)
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

void
sandbox_qube_free(gpointer data)
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
	qube->kills = g_array_new(FALSE, FALSE, sizeof(struct sandbox_waiter));
	g_hash_table_insert(owner->qubes, qube->uuid, qube);
	return qube;
}

void
sandbox_qube_change_state(struct sandbox_qube *qube, enum hypervisor_state state)
{
	struct hypervisor *base = &qube->owner->base;

	if (qube->state == state)
		return;
	qube->state = state;
	base->on_event(base, qube->uuid, state, base->data);
}

/* --- processes ------------------------------------------------------------------------------ */

/* 0, or a negative errno: bordure-sandbox with these arguments, its status in *ret_status_fd. */
static int
spawn(GPtrArray *argv, int *ret_status_fd, pid_t *ret_child)
{
	g_autofree char *program = path_program("bordure-sandbox");
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_autoptr(GError) error = NULL;
	int pipe_fds[2];
	int target = SANDBOX_STATUS_FD;
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

/* --- the end of a run ----------------------------------------------------------------------- */

/* The reason that the supervisor gave, or that it gave none. Borrowed. */
static const char *
reason_of(const struct sandbox_qube *qube)
{
	if (g_str_has_prefix(qube->line->str, "error "))
		return qube->line->str + strlen("error ");
	return "bordure-sandbox ended before the sandbox was ready";
}

/* Its end may be noticed before its last line has been read. */
static void
read_last_words(struct sandbox_qube *qube)
{
	char bytes[512];
	ssize_t n;

	while (qube->status_fd >= 0 && (n = read(qube->status_fd, bytes, sizeof(bytes))) > 0 &&
	       qube->line->len + (size_t)n <= STATUS_MAX)
		g_string_append_len(qube->line, bytes, n);
	g_strchomp(qube->line->str);
}

/* Everything is removed: the qube is no more. Whoever waits is told, and may start another. */
static void
halted(struct sandbox_qube *qube)
{
	struct sandboxes *sandboxes = qube->owner;

	g_hash_table_steal(sandboxes->qubes, qube->uuid);
	sandbox_qube_change_state(qube, HYPERVISOR_HALTED);
	if (qube->launch != NULL) {
		read_last_words(qube);
		qube->launch->done(reason_of(qube), -1, qube->launch->data);
	}
	for (guint i = 0; i < qube->kills->len; i++) {
		const struct sandbox_waiter *waiter =
		    &g_array_index(qube->kills, struct sandbox_waiter, i);

		waiter->done(NULL, -1, waiter->data);
	}
	if (qube->next != NULL && !g_hash_table_contains(sandboxes->qubes, qube->uuid))
		sandbox_qube_launch(sandboxes, qube->uuid, g_steal_pointer(&qube->next));
	else if (qube->next != NULL)
		qube->next->done("it is being started already", -1, qube->next->data);
	sandbox_qube_free(qube);
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
		sandbox_qube_change_state(qube, HYPERVISOR_DYING);
		if (clean(qube) == 0)
			return G_SOURCE_REMOVE;
	}
	halted(qube);
	return G_SOURCE_REMOVE;
}

/* --- start ---------------------------------------------------------------------------------- */

static void
on_ready(struct sandbox_qube *qube)
{
	struct sandbox_launch *launch = g_steal_pointer(&qube->launch);
	int64_t xid = qube->xid;

	qube->owner->tried = true;
	if (sandbox_state_load(qube->xid, &qube->facts) < 0)
		log_warn("sandbox %u: its state cannot be read", qube->xid);
	if (qube->state == HYPERVISOR_HALTED) /* else it was killed meanwhile */
		sandbox_qube_change_state(qube, HYPERVISOR_RUNNING);
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

bool
sandbox_has_xid(const struct sandboxes *sandboxes, uint32_t xid)
{
	GHashTableIter iter;
	struct sandbox_qube *qube;

	g_hash_table_iter_init(&iter, sandboxes->qubes);
	while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&qube))
		if (qube->xid == xid)
			return true;
	return has_folder(xid);
}

void
sandbox_qube_launch(struct sandboxes *sandboxes, const char *uuid, struct sandbox_launch *launch)
{
	struct sandbox_qube *qube = qube_new(sandboxes, uuid, launch->xid);
	pid_t child;
	int r;

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

/* --- while it runs -------------------------------------------------------------------------- */

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

int
sandbox_qube_signal(struct sandbox_qube *qube, int signal_number)
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

void
sandbox_qube_thaw(struct sandbox_qube *qube)
{
	(void)cgroup_freeze(qube->facts.cgroups, false);
	if (qube->frozen_by_signals)
		(void)pidns_freeze(qube->facts.init.pid, false);
	qube->frozen_by_signals = false;
}

int
sandbox_qube_freeze(struct sandbox_qube *qube)
{
	int r = cgroup_freeze(qube->facts.cgroups, true);

	if (r == 0)
		return 0;
	log_debug("sandbox %u: no freezer, stopping by signals", qube->xid);
	qube->frozen_by_signals = true;
	r = pidns_freeze(qube->facts.init.pid, true);
	if (r < 0)
		sandbox_qube_thaw(qube);
	return r;
}

/* --- across a restart ----------------------------------------------------------------------- */

/* Frozen by whichever of the two ways? */
static bool
is_frozen(const struct sandbox_state *facts)
{
	return cgroup_is_frozen(facts->cgroups) || pidns_is_frozen(facts->init.pid);
}

void
sandbox_qube_take_over(struct sandboxes *sandboxes, uint32_t xid)
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
