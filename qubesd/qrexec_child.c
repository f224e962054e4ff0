#include "qubesd/qrexec_child.h"
#include "qubesd/sandbox/state.h"
#include "shared/log.h"
#include "shared/orphan.h"
#include "shared/paths.h"
#include "shared/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBE_MS 20
#define PAUSE_FIRST_MS 1000
#define PAUSE_LAST_MS 30000

struct qrexec_child {
	char *uuid, *name, *user, *vchan; /* owned */
	int64_t xid, timeout_s;
	qrexec_child_connected connected; /* NULL when nobody waits (any more) */
	void *data;
	struct process_id process; /* none: it does not run */
	pid_t child;               /* to be reaped; 0: not our child */
	int watch_fd;              /* pidfd */
	guint watch, probe, timeout, restart;
	guint pause_ms; /* before the next start */
};

/* --- where things are ----------------------------------------------------------------------- */

static char *
pid_path(const struct qrexec_child *child)
{
	g_autofree char *name = g_strdup_printf("qrexec-%" PRId64 ".pid", child->xid);

	return path_in_runtime_dir(name);
}

static char *
socket_path(const struct qrexec_child *child)
{
	g_autofree char *name = g_strdup_printf("qrexec.%" PRId64, child->xid);

	return path_in_runtime_dir(name);
}

static void
pid_file_write(const struct qrexec_child *child)
{
	g_autofree char *path = pid_path(child);
	g_autofree char *text =
	    g_strdup_printf("%d %" PRIu64 "\n", (int)child->process.pid, child->process.start_time);

	if (!g_file_set_contents(path, text, -1, NULL))
		log_warn("%s cannot be written: %s would be lost at a restart", path, child->name);
}

static bool
pid_file_read(struct qrexec_child *child)
{
	g_autofree char *path = pid_path(child);
	g_autofree char *text = NULL;
	int pid;

	if (!g_file_get_contents(path, &text, NULL, NULL) ||
	    sscanf(text, "%d %" SCNu64, &pid, &child->process.start_time) != 2)
		return false;
	child->process.pid = pid;
	return true;
}

/* What a daemon leaves that was killed: the socket, and links by name and UUID to it. */
static void
remove_files(const struct qrexec_child *child)
{
	g_autofree char *socket_file = socket_path(child);
	g_autofree char *target = g_path_get_basename(socket_file);
	const char *const names[] = {child->name, child->uuid};
	const char *const forms[] = {"qrexec.", "qrexec.uuid:"};
	g_autofree char *pid_file = pid_path(child);

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *link = g_strconcat(forms[i], names[i], NULL);
		g_autofree char *path = path_in_runtime_dir(link);
		g_autofree char *points = g_file_read_link(path, NULL);

		if (points != NULL && strcmp(points, target) == 0)
			unlink(path);
	}
	unlink(socket_file);
	unlink(pid_file);
}

/* --- the outcome ---------------------------------------------------------------------------- */

static void
settle(struct qrexec_child *child)
{
	g_clear_handle_id(&child->probe, g_source_remove);
	g_clear_handle_id(&child->timeout, g_source_remove);
}

static void
close_watch(struct qrexec_child *child)
{
	g_clear_handle_id(&child->watch, g_source_remove);
	if (child->watch_fd >= 0)
		close(child->watch_fd);
	child->watch_fd = -1;
}

/* The last that is done with a child: the callback may end it. */
static void
report(struct qrexec_child *child, const char *error)
{
	qrexec_child_connected connected = child->connected;

	settle(child);
	child->connected = NULL;
	if (connected != NULL)
		connected(error, child->data);
}

/* Does the daemon listen? The file alone is not enough: it is there a moment before. */
static bool
accepts(const struct qrexec_child *child)
{
	g_autofree char *path = socket_path(child);
	int fd = unix_socket_dial(path, SOCK_STREAM | SOCK_NONBLOCK);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static gboolean
on_probe(gpointer data)
{
	struct qrexec_child *child = data;

	if (!accepts(child))
		return G_SOURCE_CONTINUE;
	child->probe = 0;
	child->pause_ms = PAUSE_FIRST_MS;
	report(child, NULL);
	return G_SOURCE_REMOVE;
}

/*
 * Killed, not asked: what it would remove at its end we remove ourselves and at once, because the
 * next daemon of this domain id may come before it has noticed.
 */
static void
end_process(struct qrexec_child *child)
{
	if (child->watch_fd >= 0)
		(void)syscall(SYS_pidfd_send_signal, child->watch_fd, SIGKILL, NULL, 0);
}

static gboolean
on_timeout(gpointer data)
{
	struct qrexec_child *child = data;
	g_autofree char *error = g_strdup_printf("the qrexec agent of %s did not connect within "
						 "%" PRId64 " s: see log/guest-%s.log in the "
						 "runtime folder",
	    child->name, child->timeout_s, child->name);

	child->timeout = 0;
	end_process(child);
	report(child, error);
	return G_SOURCE_REMOVE;
}

/* --- the process ---------------------------------------------------------------------------- */

static void start(struct qrexec_child *child);

static gboolean
on_restart(gpointer data)
{
	struct qrexec_child *child = data;

	child->restart = 0;
	start(child);
	return G_SOURCE_REMOVE;
}

static void
start_later(struct qrexec_child *child)
{
	if (child->restart == 0)
		child->restart = g_timeout_add(child->pause_ms, on_restart, child);
	child->pause_ms = MIN(child->pause_ms * 2, PAUSE_LAST_MS);
}

static gboolean
on_ended(gint fd, GIOCondition condition, gpointer data)
{
	struct qrexec_child *child = data;
	g_autofree char *error = NULL;
	int status = 0;

	(void)fd;
	(void)condition;
	child->watch = 0;
	close_watch(child);
	if (child->child > 0)
		waitpid(child->child, &status, 0); /* it has ended: this does not wait */
	child->child = 0;
	child->process.pid = 0;
	remove_files(child);
	log_info("%s: qrexec-daemon ended (status %d)", child->name, status);
	if (child->connected == NULL) {
		settle(child);
		start_later(child);
		return G_SOURCE_REMOVE;
	}
	/* Most often the qube's own end ended it; the hypervisor may tell that later than we see this. */
	error =
	    g_strdup_printf("%s, or its qrexec-daemon, ended before its agent had connected: see "
			    "log/guest-%s.log and log/qrexec-%s.log in the runtime folder",
		child->name, child->name, child->name);
	report(child, error);
	return G_SOURCE_REMOVE;
}

static void
watch(struct qrexec_child *child, int fd)
{
	child->watch_fd = fd;
	child->watch = g_unix_fd_add(fd, G_IO_IN, on_ended, child);
}

static int
open_log(const struct qrexec_child *child)
{
	g_autofree char *name = g_strdup_printf("log/qrexec-%s.log", child->name);
	g_autofree char *path = path_in_runtime_dir(name);
	g_autofree char *folder = g_path_get_dirname(path);

	(void)g_mkdir_with_parents(folder, 0700);
	return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* In the child, between fork and exec: a Ctrl-C for qubesd is none for it. */
static void
in_new_session(gpointer data)
{
	(void)data;
	(void)setsid();
}

static char **
environment_of(const struct qrexec_child *child)
{
	char **environment = g_get_environ();
	g_autofree char *timeout = g_strdup_printf("%" PRId64, child->timeout_s);

	if (child->vchan != NULL)
		environment = g_environ_setenv(environment, "QUBES_VCHAN", child->vchan, TRUE);
	if (child->timeout_s > 0)
		environment =
		    g_environ_setenv(environment, "QREXEC_STARTUP_TIMEOUT", timeout, TRUE);
	else
		environment = g_environ_setenv(environment, "QREXEC_STARTUP_NOWAIT", "1", TRUE);
	return environment;
}

static bool
spawn(struct qrexec_child *child)
{
	g_autofree char *program = path_program("qrexec-daemon");
	g_autofree char *dir = path_in_runtime_dir("");
	g_autofree char *dir_option = g_strconcat("--socket-dir=", dir, NULL);
	g_autofree char *xid = g_strdup_printf("%" PRId64, child->xid);
	const char *argv[] = {program, "--direct", "-q", dir_option, "-u", child->uuid, "--", xid,
	    child->name, child->user, NULL};
	g_auto(GStrv) environment = environment_of(child);
	g_autoptr(GError) error = NULL;
	int log_fd = open_log(child);
	gboolean ok;

	ok = g_spawn_async_with_fds(NULL, (char **)argv, environment, G_SPAWN_DO_NOT_REAP_CHILD,
	    in_new_session, NULL, &child->child, -1, log_fd, log_fd, &error);
	if (log_fd >= 0)
		close(log_fd);
	if (!ok)
		log_error("%s: %s", child->name, error->message);
	return ok;
}

/* Starts it and returns what tells of its end, or -1. What cannot be watched is not left running. */
static int
spawn_watched(struct qrexec_child *child)
{
	int fd = -1;

	if (!spawn(child))
		return -1;
	if (process_id_get(child->child, &child->process) == 0)
		fd = (int)syscall(SYS_pidfd_open, child->child, 0);
	if (fd < 0) {
		log_error("%s: its qrexec-daemon cannot be watched", child->name);
		orphan_leave(child->child, SIGKILL);
		child->child = 0;
	}
	return fd;
}

static gboolean
on_spawn_failed(gpointer data)
{
	struct qrexec_child *child = data;

	child->restart = 0;
	report(child, "qrexec-daemon cannot be started");
	return G_SOURCE_REMOVE;
}

static void
start(struct qrexec_child *child)
{
	int fd;

	remove_files(child);
	fd = spawn_watched(child);
	if (fd < 0 && child->connected != NULL) {
		child->restart = g_idle_add(on_spawn_failed, child);
		return;
	}
	if (fd < 0) {
		start_later(child);
		return;
	}
	pid_file_write(child);
	watch(child, fd);
	child->probe = g_timeout_add(PROBE_MS, on_probe, child);
	if (child->connected != NULL)
		child->timeout = g_timeout_add_seconds((guint)child->timeout_s, on_timeout, child);
}

static struct qrexec_child *
child_new(const struct qrexec_child_spec *spec)
{
	struct qrexec_child *child = g_new0(struct qrexec_child, 1);

	child->uuid = g_strdup(spec->uuid);
	child->name = g_strdup(spec->name);
	child->user = g_strdup(spec->user);
	child->vchan = g_strdup(spec->vchan);
	child->xid = spec->xid;
	child->timeout_s = spec->timeout_s;
	child->watch_fd = -1;
	child->pause_ms = PAUSE_FIRST_MS;
	return child;
}

struct qrexec_child *
qrexec_child_new(const struct qrexec_child_spec *spec, qrexec_child_connected connected, void *data)
{
	struct qrexec_child *child = child_new(spec);

	child->connected = spec->timeout_s > 0 ? connected : NULL;
	child->data = data;
	start(child);
	return child;
}

struct qrexec_child *
qrexec_child_adopt(const struct qrexec_child_spec *spec)
{
	struct qrexec_child *child = child_new(spec);
	int fd = pid_file_read(child) ? process_id_open(&child->process) : -ESRCH;

	if (fd >= 0)
		watch(child, fd);
	else
		start(child);
	return child;
}

static void
child_free(struct qrexec_child *child)
{
	settle(child);
	close_watch(child);
	g_clear_handle_id(&child->restart, g_source_remove);
	g_free(child->uuid);
	g_free(child->name);
	g_free(child->user);
	g_free(child->vchan);
	g_free(child);
}

void
qrexec_child_end(struct qrexec_child *child)
{
	if (child == NULL)
		return;
	end_process(child);
	if (child->child > 0) /* reaped in a moment */
		orphan_leave(child->child, 0);
	remove_files(child);
	child_free(child);
}

void
qrexec_child_leave(struct qrexec_child *child)
{
	if (child != NULL)
		child_free(child);
}
