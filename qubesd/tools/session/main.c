/*
 * qvm-start-daemon - keeps the trusted side of the qubes' windows running in one desktop session: a
 * qubes-guid for every running qube whose GUI domain this is, and the prompt. It runs in dom0, or in
 * a qube that is the GUI domain of others; there it asks qubesd through qrexec, as far as the policy
 * lets it.
 *
 * It trusts qubesd and the X server of the session; it never sees a byte that a qube sent.
 * It promises: one daemon a qube at most; a daemon's name and label were read together, and without
 * a label there is no daemon; what it started ends with it.
 */
#include "qubesd/tools/client.h"
#include "qubesd/tools/session/child.h"
#include "qubesd/tools/session/daemons.h"
#include "qubesd/tools/session/display.h"
#include "qubesd/tools/session/feed.h"
#include "qubesd/tools/session/guid_conf.h"
#include "qubesd/tools/session/keyboard.h"
#include "qubesd/tools/tool.h"
#include "shared/guest_conf.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISPLAY_RETRY_S 5

struct start_options {
	int help, version, verbose, quiet;
	int all, watch, kde, exit_when_x_dies, ignored;
	const char *pidfile, *socket;
};

#define AT(member) offsetof(struct start_options, member)

static const struct option start_options[] = {
    {0, "all", OPTION_FLAG, AT(all), 1, NULL, "for every qube"},
    {0, "watch", OPTION_FLAG, AT(watch), 1, NULL, "stay, and follow qubes as they start and stop"},
    {0, "pidfile", OPTION_TEXT, AT(pidfile), 0, "FILE",
	"with --watch: hold this file, refuse to run twice"},
    {0, "exit-when-x-dies", OPTION_FLAG, AT(exit_when_x_dies), 1, NULL,
	"end when the display is lost, instead of waiting for it"},
    {0, "kde", OPTION_FLAG, AT(kde), 1, NULL, "properties for KDE's window manager"},
    {0, "socket", OPTION_TEXT, AT(socket), 0, "PATH", "qubesd's socket"},
    {'v', "verbose", OPTION_COUNT, AT(verbose), 0, NULL, "say more"},
    {'q', "quiet", OPTION_COUNT, AT(quiet), 0, NULL, "say less"},
    {'h', "help", OPTION_FLAG, AT(help), 1, NULL, "show this help"},
    {0, "version", OPTION_FLAG, AT(version), 1, NULL, "show the version"},
    {0, "force", OPTION_FLAG, AT(ignored), 1, NULL, NULL},
    {0, "force-stubdomain", OPTION_FLAG, AT(ignored), 1, NULL, NULL},
    {0, "force-root", OPTION_FLAG, AT(ignored), 1, NULL, NULL},
    {0, "notify-monitor-layout", OPTION_FLAG, AT(ignored), 1, NULL, NULL},
    {0},
};

static const struct tool start_daemon = {
    .name = "qvm-start-daemon",
    .usage = "VMNAME...\n--all [--watch]",
    .summary = "Shows the windows of qubes in this desktop session.",
    .options = start_options,
    .options_size = sizeof(struct start_options),
};

struct session {
	const struct start_options *options; /* borrowed */
	const GPtrArray *words;              /* borrowed: names; empty with --all */
	struct client *client;
	const char *own_name; /* borrowed: dom0, or the GUI domain that we are in */
	struct daemons *daemons;
	struct feed *feed;
	struct keyboard *keyboard;
	struct display *display; /* NULL: lost */
	guint display_retry;     /* source */
	struct child *prompt;    /* NULL: does not run */
	GMainLoop *loop;
	bool ending;
	unsigned starting; /* without --watch: daemons that have not reported yet */
	bool synced;       /* without --watch: all qubes have been read */
	int status;
};

/* --- ending --------------------------------------------------------------------------------- */

static void
session_check_ended(struct session *session)
{
	if (session->ending && session->prompt == NULL && daemons_count(session->daemons) == 0)
		g_main_loop_quit(session->loop);
}

static void
on_daemons_idle(void *data)
{
	session_check_ended(data);
}

static void
on_prompt_ended(void *data)
{
	struct session *session = data;

	session->prompt = NULL;
	session_check_ended(session);
}

static void
session_end(struct session *session)
{
	if (session->ending)
		return;
	session->ending = true;
	g_clear_pointer(&session->feed, feed_free);
	if (session->prompt != NULL)
		child_end(session->prompt, on_prompt_ended, session);
	daemons_set_enabled(session->daemons, false);
	session_check_ended(session);
}

static gboolean
on_end_signal(gpointer data)
{
	session_end(data);
	return G_SOURCE_CONTINUE;
}

/* --- the qubes ------------------------------------------------------------------------------ */

static bool
is_asked_for(const struct session *session, const char *name)
{
	for (guint i = 0; i < session->words->len; i++) {
		if (strcmp(session->words->pdata[i], name) == 0)
			return true;
	}
	return session->options->all;
}

static char *
conf_text(const struct wanted_qube *qube, GHashTable *features, GHashTable *defaults)
{
	g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
	char *text = guid_conf_text(features, defaults, problems);

	for (guint i = 0; i < problems->len; i++)
		log_warn("%s: %s", qube->name, (char *)problems->pdata[i]);
	return text;
}

/* Whether the qube gets a daemon; says so when it should and cannot. */
static bool
gets_daemon(const struct session *session, const struct wanted_qube *qube)
{
	enum wanted_verdict verdict = wanted_verdict(qube, session->own_name);

	if (verdict == WANTED_REFUSED)
		log_warn("%s: its label cannot be read, so it gets no windows", qube->name);
	return verdict == WANTED_DAEMON && is_asked_for(session, qube->name);
}

static void
on_watched_qube(struct wanted_qube *qube, GHashTable *features, GHashTable *defaults, void *data)
{
	struct session *session = data;
	g_autofree char *text = NULL;

	if (!gets_daemon(session, qube)) {
		daemons_unwant(session->daemons, qube->name);
		wanted_qube_free(qube);
		return;
	}
	text = conf_text(qube, features, defaults);
	daemons_want(session->daemons, qube, text);
}

static void
on_watched_gone(const char *name, void *data)
{
	struct session *session = data;

	daemons_unwant(session->daemons, name);
}

static void
on_feed_connected(void *data)
{
	struct session *session = data;

	if (session->keyboard != NULL)
		keyboard_store(session->keyboard);
}

static const struct feed_handler watching = {
    .on_qube = on_watched_qube,
    .on_gone = on_watched_gone,
    .on_connected = on_feed_connected,
};

/* --- the display ---------------------------------------------------------------------------- */

static void
session_start_prompt(struct session *session)
{
	char *argv[] = {path_program("qrexec-policy-agent"), NULL};

	if (session->prompt == NULL)
		session->prompt = child_new("qrexec-policy-agent", g_strdupv(argv), false);
	g_free(argv[0]);
}

static void
on_layout(const char *layout, void *data)
{
	struct session *session = data;

	log_debug("keyboard layout %s", layout);
	keyboard_set(session->keyboard, layout);
}

static void on_display_lost(void *data);

static gboolean
on_display_retry(gpointer data)
{
	struct session *session = data;

	if (session->ending ||
	    display_new(on_layout, on_display_lost, session, &session->display) < 0)
		return G_SOURCE_CONTINUE;
	log_info("the display is back");
	session->display_retry = 0;
	session_start_prompt(session);
	daemons_set_enabled(session->daemons, true);
	return G_SOURCE_REMOVE;
}

static void
on_display_lost(void *data)
{
	struct session *session = data;

	log_warn("the display is lost");
	g_clear_pointer(&session->display, display_free);
	if (session->options->exit_when_x_dies) {
		session_end(session);
		return;
	}
	if (session->prompt != NULL)
		child_end(session->prompt, on_prompt_ended, session);
	daemons_set_enabled(session->daemons, false);
	session->display_retry = g_timeout_add_seconds(DISPLAY_RETRY_S, on_display_retry, session);
}

/* --- the two modes -------------------------------------------------------------------------- */

static int
session_watch(struct session *session)
{
	if (display_new(on_layout, on_display_lost, session, &session->display) < 0) {
		log_error("no X server answers on DISPLAY %s",
		    g_getenv("DISPLAY") != NULL ? g_getenv("DISPLAY") : "(not set)");
		return 1;
	}
	session->keyboard = keyboard_new(session->client, session->own_name);
	session_start_prompt(session);
	session->feed = feed_new(session->client, session->own_name, true, &watching, session);
	g_main_loop_run(session->loop);
	return session->status;
}

static void
session_check_started(struct session *session)
{
	if (session->synced && session->starting == 0)
		g_main_loop_quit(session->loop);
}

static void
on_guid_reported(GPid pid, gint status, gpointer data)
{
	struct session *session = data;

	(void)pid;
	session->starting--;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		session->status = 1;
	session_check_started(session);
}

/* A daemon that goes into the background by itself when its agent has answered. */
static void
on_listed_qube(struct wanted_qube *qube, GHashTable *features, GHashTable *defaults, void *data)
{
	struct session *session = data;
	g_autofree char *program = path_program("qubes-guid");
	g_autofree char *text = NULL;
	g_autofree char *path = NULL;
	g_auto(GStrv) argv = NULL;
	g_autoptr(GError) error = NULL;
	GPid pid;

	if (gets_daemon(session, qube)) {
		text = conf_text(qube, features, defaults);
		path = daemons_write_conf(qube, text);
	}
	if (path != NULL) {
		argv = wanted_argv(qube, program, path, false, session->options->kde);
		if (g_spawn_async(
			NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, &error)) {
			session->starting++;
			g_child_watch_add(pid, on_guid_reported, session);
		} else {
			log_error("%s: %s", qube->name, error->message);
			session->status = 1;
		}
	}
	wanted_qube_free(qube);
}

static void
on_listed_gone(const char *name, void *data)
{
	(void)name;
	(void)data;
}

static void
on_synced(void *data)
{
	struct session *session = data;

	session->synced = true;
	session_check_started(session);
}

static const struct feed_handler listing = {
    .on_qube = on_listed_qube,
    .on_gone = on_listed_gone,
    .on_synced = on_synced,
};

static int
session_start_once(struct session *session)
{
	session->feed = feed_new(session->client, session->own_name, false, &listing, session);
	g_main_loop_run(session->loop);
	return session->status;
}

/* --- the program ---------------------------------------------------------------------------- */

/* Holds the file for as long as the process lives. Returns a descriptor or a negative errno. */
static int
hold_pidfile(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	g_autofree char *text = g_strdup_printf("%d\n", (int)getpid());
	int r = 0;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || ftruncate(fd, 0) < 0 ||
	    write(fd, text, strlen(text)) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* In a qube the host's file says which one it is. */
static int
read_own_name(const struct client *client, struct guest_conf *conf)
{
	g_autofree char *path = path_in_runtime_dir("guest.conf");
	g_autofree char *text = NULL;
	unsigned line;
	gsize len;

	if (client_is_local(client)) {
		g_strlcpy(conf->name, "dom0", sizeof(conf->name));
		return 0;
	}
	if (g_file_get_contents(path, &text, &len, NULL) &&
	    guest_conf_parse(text, len, conf, &line) == 0)
		return 0;
	log_error("%s does not tell which qube this is", path);
	return -ENOENT;
}

static int
session_run(const struct start_options *options, const GPtrArray *words)
{
	struct session session = {.options = options, .words = words};
	struct guest_conf conf = {0};
	int status;

	session.client = client_new(options->socket);
	if (read_own_name(session.client, &conf) < 0) {
		client_free(session.client);
		return 1;
	}
	session.own_name = conf.name;
	session.daemons = daemons_new(options->kde);
	session.loop = g_main_loop_new(NULL, FALSE);
	daemons_on_idle(session.daemons, on_daemons_idle, &session);
	g_unix_signal_add(SIGTERM, on_end_signal, &session);
	g_unix_signal_add(SIGINT, on_end_signal, &session);
	g_unix_signal_add(SIGHUP, on_end_signal, &session);
	status = options->watch ? session_watch(&session) : session_start_once(&session);
	if (session.display_retry != 0)
		g_source_remove(session.display_retry);
	feed_free(session.feed);
	keyboard_free(session.keyboard);
	display_free(session.display);
	daemons_free(session.daemons);
	client_free(session.client);
	g_main_loop_unref(session.loop);
	return status;
}

static int
run(const struct start_options *options, struct tool_run *tool_run)
{
	int pidfile = -1;
	int status;

	if (options->help) {
		tool_print_usage(&start_daemon, stdout);
		printf("\n%s\n\n", start_daemon.summary);
		options_print_help(start_options, stdout);
		return 0;
	}
	if (options->version) {
		printf("%s (Qubes Admin client) %s\nFree software, without any warranty.\n",
		    start_daemon.name, TOOL_VERSION);
		return 0;
	}
	if (options->all == (tool_run->words->len > 0))
		return tool_usage_error(tool_run, "name qubes, or use --all");
	if (options->pidfile != NULL && !options->watch)
		return tool_usage_error(tool_run, "--pidfile needs --watch");
	log_set_debug(options->verbose > 0);
	if (options->pidfile != NULL) {
		pidfile = hold_pidfile(options->pidfile);
		if (pidfile < 0)
			return tool_error(tool_run, "%s: %s", options->pidfile,
			    pidfile == -EWOULDBLOCK ? "another instance holds it"
						    : g_strerror(-pidfile));
	}
	status = session_run(options, tool_run->words);
	if (pidfile >= 0) {
		unlink(options->pidfile);
		close(pidfile);
	}
	return status;
}

int
main(int argc, char **argv)
{
	struct start_options options = {0};
	const struct option_set set = {start_options, &options};
	struct tool_run tool_run = {.tool = &start_daemon};
	char *error = NULL;
	int status;

	log_init("qvm-start-daemon");
	if (argc < 1 || options_parse(&set, 1, argv + 1, &tool_run.words, &error) < 0)
		status = tool_usage_error(&tool_run, "%s", error != NULL ? error : "no name");
	else
		status = run(&options, &tool_run);
	g_clear_pointer(&tool_run.words, g_ptr_array_unref);
	g_free(error);
	options_clear(&set);
	return status;
}
