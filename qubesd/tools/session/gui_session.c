/*
 * bordure-gui-session - the desktop of a qube that is the GUI domain of others: an X server, a window
 * manager, qvm-start-daemon for the windows of its qubes and their prompt, and qrexec-fork-server, so
 * that services of this qube run on that desktop.
 *
 * Where the qube has a GUI domain itself its session starts us, and DISPLAY is the X server whose
 * windows are shown there: the desktop is then one window on it, by Xephyr. Else process 1 starts
 * us, and the X server is Xvfb, which shows its screen to nobody by itself.
 *
 * It runs as the qube's user. It ends when the X server does; who started it starts it again. The
 * others are started again by us. Everything ends with it.
 */
#include "qubesd/tools/session/child.h"
#include "qubesd/tools/session/wm_probe.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <glib-unix.h>
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SCREEN "1280x800"
#define NUMBER_BYTES 16    /* of a display, and a line feed */
#define X_START_MS 30000   /* from the start of the X server to its number */
#define X_PATIENCE_MS 3000 /* from SIGTERM to SIGKILL */

enum part { PART_WINDOW_MANAGER, PART_FORK_SERVER, PART_DAEMON, PART_COUNT };

struct gui_session {
	GMainLoop *loop; /* owned */
	GPid x_server;   /* 0: does not run */
	guint x_watch, x_timer, number_source;
	int number_fd; /* where it tells its display; -1: it has */
	char number[NUMBER_BYTES + 1];
	size_t number_len;
	struct wm_probe *probe;          /* owned until it is done */
	struct child *parts[PART_COUNT]; /* owned until they have ended */
	bool ending;
	int status;
};

static void session_end(struct gui_session *session, int status);

/* --- the programs on the desktop ------------------------------------------------------------ */

/* The first of these that is installed. */
static const char *const window_managers[] = {"openbox", "x-window-manager"};

static char **
window_manager_argv(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(window_managers); i++) {
		char *program = g_find_program_in_path(window_managers[i]);
		char *argv[] = {program, NULL};

		if (program != NULL)
			return g_memdup2(argv, sizeof(argv));
	}
	return NULL;
}

static char **
own_argv(const char *name, const char *option, const char *second)
{
	char **argv = g_new0(char *, 4);

	argv[0] = path_program(name);
	argv[1] = g_strdup(option);
	argv[2] = g_strdup(second);
	return argv;
}

/* Windows that come before the window manager is ready could stay unmapped. */
static void
on_window_manager(bool managed, void *data)
{
	struct gui_session *session = data;

	session->probe = NULL;
	if (!managed)
		log_warn("no window manager manages the desktop");
	session->parts[PART_DAEMON] =
	    child_new("qvm-start-daemon", own_argv("qvm-start-daemon", "--all", "--watch"), false);
}

static void
start_parts(struct gui_session *session)
{
	char **window_manager = window_manager_argv();

	if (window_manager != NULL)
		session->parts[PART_WINDOW_MANAGER] =
		    child_new("the window manager", window_manager, false);
	else
		log_warn("no window manager is installed: %s", window_managers[0]);
	session->parts[PART_FORK_SERVER] = child_new(
	    "qrexec-fork-server", own_argv("qrexec-fork-server", "--foreground", NULL), false);
	session->probe = wm_probe_new(on_window_manager, session);
}

/* --- the X server --------------------------------------------------------------------------- */

/* ":7" for what it wrote, "7\n". */
static void
on_number_complete(struct gui_session *session)
{
	g_autofree char *display = NULL;

	*strchr(session->number, '\n') = '\0';
	display = g_strconcat(":", session->number, NULL);
	g_clear_handle_id(&session->x_timer, g_source_remove);
	log_info("the desktop is display %s", display);
	g_setenv("DISPLAY", display, TRUE);
	g_setenv("XDG_SESSION_TYPE", "x11", TRUE);
	start_parts(session);
}

static gboolean
on_number(gint fd, GIOCondition condition, gpointer data)
{
	struct gui_session *session = data;
	ssize_t n =
	    read(fd, session->number + session->number_len, NUMBER_BYTES - session->number_len);

	(void)condition;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (n > 0)
		session->number_len += (size_t)n;
	if (n > 0 && strchr(session->number, '\n') == NULL)
		return G_SOURCE_CONTINUE;
	session->number_source = 0;
	close(session->number_fd);
	session->number_fd = -1;
	if (n > 0)
		on_number_complete(session);
	return G_SOURCE_REMOVE; /* without a number: its end, or the timer, ends us */
}

static gboolean
on_x_late(gpointer data)
{
	struct gui_session *session = data;

	session->x_timer = 0;
	log_error("the X server does not get ready");
	session_end(session, EXIT_FAILURE);
	return G_SOURCE_REMOVE;
}

static void
on_x_end(GPid pid, gint status, gpointer data)
{
	struct gui_session *session = data;

	g_spawn_close_pid(pid);
	session->x_server = 0;
	session->x_watch = 0;
	if (!session->ending)
		log_error("the X server ended with wait status %d", status);
	session_end(session, EXIT_FAILURE);
}

/* In the child, between fork and exec. */
static void
die_with_parent(gpointer parent)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != (pid_t)GPOINTER_TO_INT(parent))
		_exit(1);
}

static GPtrArray *
x_argv(const char *number_fd)
{
	bool nested = g_getenv("DISPLAY") != NULL;
	g_autofree char *xephyr = g_find_program_in_path("Xephyr");
	GPtrArray *argv = g_ptr_array_new();

	if (nested && xephyr == NULL)
		log_warn("without Xephyr the desktop of this GUI domain is not to be seen: install "
			 "the package xserver-xephyr in its template");
	if (nested && xephyr != NULL) {
		static const char *const words[] = {
		    "Xephyr", "-title", "GUI domain", "-resizeable", "-screen", SCREEN};

		for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
			g_ptr_array_add(argv, (gpointer)words[i]);
	} else {
		static const char *const words[] = {
		    "Xvfb", "-screen", "0", SCREEN "x24", "-extension", "GLX"};

		for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
			g_ptr_array_add(argv, (gpointer)words[i]);
	}
	g_ptr_array_add(argv, (gpointer) "-noreset");
	g_ptr_array_add(argv, (gpointer) "-nolisten");
	g_ptr_array_add(argv, (gpointer) "tcp");
	g_ptr_array_add(argv, (gpointer) "-displayfd");
	g_ptr_array_add(argv, (gpointer)number_fd);
	g_ptr_array_add(argv, NULL);
	return argv;
}

static int
start_x(struct gui_session *session)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) argv = NULL;
	g_autofree char *number_fd = NULL;
	int fds[2];
	gboolean ok;

	if (!g_unix_open_pipe(fds, FD_CLOEXEC, &error)) {
		log_error("%s", error->message);
		return -EMFILE;
	}
	number_fd = g_strdup_printf("%d", fds[1]);
	argv = x_argv(number_fd);
	ok = g_spawn_async_with_pipes_and_fds(NULL, (const char *const *)argv->pdata, NULL,
	    G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH, die_with_parent,
	    GINT_TO_POINTER((int)getpid()), -1, -1, -1, &fds[1], &fds[1], 1, &session->x_server,
	    NULL, NULL, NULL, &error);
	close(fds[1]);
	if (!ok) {
		close(fds[0]);
		log_error("%s", error->message);
		return -ENOENT;
	}
	g_unix_set_fd_nonblocking(fds[0], TRUE, NULL);
	session->number_fd = fds[0];
	session->number_source = g_unix_fd_add(fds[0], G_IO_IN | G_IO_HUP, on_number, session);
	session->x_watch = g_child_watch_add(session->x_server, on_x_end, session);
	session->x_timer = g_timeout_add(X_START_MS, on_x_late, session);
	return 0;
}

/* --- the end -------------------------------------------------------------------------------- */

static gboolean
on_x_patience_over(gpointer data)
{
	struct gui_session *session = data;

	session->x_timer = 0;
	kill(session->x_server, SIGKILL);
	return G_SOURCE_REMOVE;
}

/* The X server is the last one: what runs on it ends in order before. */
static void
end_if_over(struct gui_session *session)
{
	for (unsigned i = 0; i < PART_COUNT; i++)
		if (session->parts[i] != NULL)
			return;
	if (session->x_server == 0) {
		g_main_loop_quit(session->loop);
	} else if (session->x_timer == 0) {
		kill(session->x_server, SIGTERM);
		session->x_timer = g_timeout_add(X_PATIENCE_MS, on_x_patience_over, session);
	}
}

struct ending_part {
	struct gui_session *session; /* borrowed */
	unsigned part;
};

static void
on_part_ended(void *data)
{
	struct ending_part *ending = data;
	struct gui_session *session = ending->session;

	session->parts[ending->part] = NULL;
	g_free(ending);
	end_if_over(session);
}

static void
session_end(struct gui_session *session, int status)
{
	if (session->ending) {
		end_if_over(session);
		return;
	}
	session->ending = true;
	session->status = status;
	g_clear_handle_id(&session->x_timer, g_source_remove);
	g_clear_pointer(&session->probe, wm_probe_free);
	for (unsigned i = 0; i < PART_COUNT; i++) {
		struct ending_part *ending;

		if (session->parts[i] == NULL)
			continue;
		ending = g_new0(struct ending_part, 1);
		ending->session = session;
		ending->part = i;
		child_end(session->parts[i], on_part_ended, ending);
	}
	end_if_over(session);
}

static gboolean
on_signal(gpointer data)
{
	session_end(data, EXIT_SUCCESS);
	return G_SOURCE_CONTINUE;
}

int
main(int argc, char **argv)
{
	struct gui_session session = {.number_fd = -1};

	(void)argv;
	log_init("bordure-gui-session");
	if (argc > 1) {
		log_error("no arguments are taken");
		return 2;
	}
	session.loop = g_main_loop_new(NULL, FALSE);
	g_unix_signal_add(SIGTERM, on_signal, &session);
	g_unix_signal_add(SIGINT, on_signal, &session);
	if (start_x(&session) < 0)
		session.status = EXIT_FAILURE;
	else
		g_main_loop_run(session.loop);
	if (session.number_source != 0)
		g_source_remove(session.number_source);
	if (session.number_fd >= 0)
		close(session.number_fd);
	g_main_loop_unref(session.loop);
	return session.status;
}
