/*
 * qrexec-policy-agent - asks the user, on behalf of the policy daemon.
 *
 * Whoever can make this program say "allow" can make any call that the policy leaves to the user.
 * So it runs with an environment of its own, shows one question at a time, and takes no answer
 * that could have been meant for another window; docs/prompt.md says how. Whatever goes wrong is
 * "deny", or no answer, which is the same.
 */
#include "prompt/agent.h"
#include "prompt/clean_env.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <glib-unix.h>
#include <gtk/gtk.h>
#include <locale.h>
#include <signal.h>
#include <sys/stat.h>

#define NAME "qrexec-policy-agent"

static bool
parse_options(int argc, char **argv, char **socket_path)
{
	const GOptionEntry entries[] = {
	    {"socket-path", 's', 0, G_OPTION_ARG_FILENAME, socket_path, "Where to serve", "PATH"},
	    {0},
	};
	g_autoptr(GOptionContext) context = g_option_context_new("- asks about qrexec calls");
	g_autoptr(GError) error = NULL;

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		log_error("%s", error->message);
		return false;
	}
	if (argc > 1) {
		log_error("unexpected argument: %s", argv[1]);
		return false;
	}
	if (*socket_path == NULL)
		*socket_path = path_in_runtime_dir("policy-agent.sock");
	return true;
}

static bool
start_gtk(void)
{
	g_set_prgname(NAME);
	gdk_set_program_class(NAME);
	setlocale(LC_ALL, "");
	gtk_disable_setlocale();
	if (!gtk_init_check(NULL, NULL)) {
		const char *display = g_getenv("DISPLAY");

		log_error("cannot open the X display %s: the user cannot be asked anything",
		    display != NULL ? display : "(DISPLAY is not set)");
		return false;
	}
	g_object_set(gtk_settings_get_default(), "gtk-enable-animations", FALSE,
	    "gtk-dialogs-use-header", FALSE, NULL);
	return true;
}

static gboolean
on_stop(gpointer data)
{
	(void)data;
	gtk_main_quit();
	return G_SOURCE_CONTINUE;
}

static int
run(const char *socket_path)
{
	struct agent *agent;
	int r = agent_new(socket_path, &agent);

	if (r < 0) {
		log_error("cannot listen at %s: %s", socket_path,
		    r == -EADDRINUSE ? "another agent serves it" : g_strerror(-r));
		return 1;
	}
	g_unix_signal_add(SIGTERM, on_stop, NULL);
	g_unix_signal_add(SIGINT, on_stop, NULL);
	log_info("ready");
	gtk_main();
	agent_free(agent);
	return 0;
}

int
main(int argc, char **argv)
{
	g_autofree char *socket_path = NULL;
	int r;

	log_init(NAME);
	r = clean_env_ensure(argv);
	if (r < 0) {
		log_error("cannot start anew: %s", g_strerror(-r));
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	umask(007);
	if (!parse_options(argc, argv, &socket_path))
		return 2;
	if (!start_gtk())
		return 1;
	return run(socket_path);
}
