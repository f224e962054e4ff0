/*
 * start-app - the service qubes.StartApp: starts an installed application by the id of its desktop
 * file, and ends when the application does.
 *
 * The id is all that the caller chooses; what is run is what the desktop file in this qube says, by
 * the rules for such files and without a shell.
 */
#include <gio/gdesktopappinfo.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define NAME_TIMEOUT_S 30 /* for an application on the session bus to take its name */

struct start {
	GMainLoop *loop;
	GPid pid; /* 0 until a process was started */
	gboolean appeared;
	int exit_code;
};

static void
quit(struct start *start, int exit_code)
{
	start->exit_code = exit_code;
	g_main_loop_quit(start->loop);
}

static void
on_started(GDesktopAppInfo *info, GPid pid, gpointer data)
{
	struct start *start = data;

	(void)info;
	start->pid = pid;
}

static void
on_application_exit(GPid pid, gint status, gpointer data)
{
	(void)pid;
	quit(data, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void
on_name_appeared(GDBusConnection *bus, const char *name, const char *owner, gpointer data)
{
	struct start *start = data;

	(void)bus;
	(void)name;
	(void)owner;
	start->appeared = TRUE;
}

static void
on_name_vanished(GDBusConnection *bus, const char *name, gpointer data)
{
	struct start *start = data;

	(void)name;
	if (bus == NULL)
		quit(start, 1);
	else if (start->appeared)
		quit(start, 0);
}

static gboolean
on_name_timeout(gpointer data)
{
	struct start *start = data;

	if (!start->appeared)
		quit(start, 1);
	return G_SOURCE_REMOVE;
}

/* Waits for whichever way the application was started. */
static void
wait_for_end(struct start *start, const char *id)
{
	if (start->pid != 0) {
		g_child_watch_add(start->pid, on_application_exit, start);
	} else {
		g_bus_watch_name(G_BUS_TYPE_SESSION, id, G_BUS_NAME_WATCHER_FLAGS_NONE,
		    on_name_appeared, on_name_vanished, start, NULL);
		g_timeout_add_seconds(NAME_TIMEOUT_S, on_name_timeout, start);
	}
	g_main_loop_run(start->loop);
}

static int
start_application(const char *id)
{
	g_autofree char *file = g_strconcat(id, ".desktop", NULL);
	g_autoptr(GDesktopAppInfo) info = g_desktop_app_info_new(file);
	g_autoptr(GError) error = NULL;
	struct start start = {.exit_code = 1};

	if (info == NULL) {
		fputs("start-app: no such application\n", stderr);
		return 1;
	}
	start.loop = g_main_loop_new(NULL, FALSE);
	if (g_desktop_app_info_launch_uris_as_manager(info, NULL, NULL,
		G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, on_started, &start,
		&error))
		wait_for_end(&start, id);
	else
		fprintf(stderr, "start-app: %s\n", error->message);
	g_main_loop_unref(start.loop);
	return start.exit_code;
}

int
main(int argc, char **argv)
{
	if (argc != 2 || argv[1][0] == '\0' || strchr(argv[1], '/') != NULL) {
		fputs("start-app: takes the id of an application\n", stderr);
		return 1;
	}
	return start_application(argv[1]);
}
