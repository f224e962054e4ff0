#include "gui-agent/session.h"

#include "gui-agent/child.h"
#include "gui-agent/layout.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define GUI_DOMAIN_FLAG "/run/qubes-service/guivm"
#define RESTART_MS 1000 /* at first; twice as long each time */
#define RESTART_MAX_MS 30000
#define GOOD_LIFE_US (10 * G_USEC_PER_SEC) /* after which it starts at the first again */

struct session {
	char *display;    /* owned */
	GPid child;       /* the layout's program, then the session's; 0: none */
	guint watch;      /* of child; 0: none */
	guint restart;    /* timer; 0: none */
	guint restart_ms; /* the next wait */
	gint64 started_us;
};

/* Desktop programs ask these who they run under. */
static const struct {
	const char *name, *value;
} variables[] = {
    {"XDG_SESSION_TYPE", "x11"},
    {"XDG_SESSION_CLASS", "user"},
    {"XDG_CURRENT_DESKTOP", "X-QUBES"},
    {"XDG_SESSION_DESKTOP", "X-QUBES"},
    {"_JAVA_AWT_WM_NONREPARENTING", "1"},
};

static char **
make_environment(const struct session *session)
{
	char **environment = g_get_environ();

	environment = g_environ_setenv(environment, "DISPLAY", session->display, TRUE);
	for (gsize i = 0; i < G_N_ELEMENTS(variables); i++)
		environment =
		    g_environ_setenv(environment, variables[i].name, variables[i].value, TRUE);
	return environment;
}

static int
start_child(struct session *session, const char *const *argv, GChildWatchFunc on_end)
{
	g_auto(GStrv) environment = make_environment(session);
	int r = child_start(argv, (const char *const *)environment, -1, &session->child);

	if (r < 0) {
		log_error("cannot start %s: %s", argv[0], g_strerror(-r));
		return r;
	}
	session->watch = g_child_watch_add(session->child, on_end, session);
	return 0;
}

static void
forget_child(struct session *session)
{
	session->child = 0;
	session->watch = 0;
}

/* --- the session's program ----------------------------------------------------------------- */

static void start_server(struct session *session);

static gboolean
on_restart(gpointer data)
{
	struct session *session = data;

	session->restart = 0;
	start_server(session);
	return G_SOURCE_REMOVE;
}

static void
restart_later(struct session *session)
{
	session->restart = g_timeout_add(session->restart_ms, on_restart, session);
	session->restart_ms = MIN(2 * session->restart_ms, RESTART_MAX_MS);
}

static void
on_server_end(GPid pid, gint status, gpointer data)
{
	struct session *session = data;

	(void)pid;
	log_warn("the session ended with wait status %d", status);
	forget_child(session);
	if (g_get_monotonic_time() - session->started_us >= GOOD_LIFE_US)
		session->restart_ms = RESTART_MS;
	restart_later(session);
}

static void
start_server(struct session *session)
{
	bool is_gui_domain = g_file_test(GUI_DOMAIN_FLAG, G_FILE_TEST_EXISTS);
	g_autofree char *program =
	    path_program(is_gui_domain ? "bordure-gui-session" : "qrexec-fork-server");
	const char *const argv[] = {program, is_gui_domain ? NULL : "--foreground", NULL};

	session->started_us = g_get_monotonic_time();
	if (start_child(session, argv, on_server_end) < 0)
		restart_later(session);
}

/* --- the keyboard -------------------------------------------------------------------------- */

static void
on_keyboard_end(GPid pid, gint status, gpointer data)
{
	struct session *session = data;

	(void)pid;
	if (status != 0)
		log_warn("the keyboard layout was refused, wait status %d", status);
	forget_child(session);
	start_server(session);
}

/* The X server starts with this one. */
static bool
is_default(const struct layout *layout)
{
	return strcmp(layout->name, "us") == 0 && layout->variant[0] == '\0' &&
	       layout->options[0] == '\0';
}

/* False when there is nothing to wait for. */
static bool
start_keyboard(struct session *session, const char *text)
{
	struct layout layout;
	const char *const argv[] = {"setxkbmap", "-rules", "evdev", "-model", "pc105", "-layout",
	    layout.name, "-variant", layout.variant, "-option", "", "-option", layout.options,
	    NULL};

	if (layout_parse(text, &layout) < 0) {
		log_warn("the host's keyboard layout is not one; the X server keeps its own");
		return false;
	}
	return !is_default(&layout) && start_child(session, argv, on_keyboard_end) == 0;
}

struct session *
session_new(const char *display, const char *layout)
{
	struct session *session = g_new0(struct session, 1);

	session->display = g_strdup(display);
	session->restart_ms = RESTART_MS;
	if (layout[0] == '\0' || !start_keyboard(session, layout))
		start_server(session);
	return session;
}

void
session_free(struct session *session)
{
	if (session == NULL)
		return;
	if (session->restart != 0)
		g_source_remove(session->restart);
	if (session->watch != 0)
		g_source_remove(session->watch);
	if (session->child != 0)
		child_end(session->child);
	g_free(session->display);
	g_free(session);
}
