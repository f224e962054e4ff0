/*
 * qubes-gui: shows the windows of this qube on the desktop of its GUI domain.
 *
 * It runs as the qube's user and can do no more than any program there: what it sends is believed
 * by nobody. It trusts the GUI domain, which types and clicks through it.
 */
#include "gui-agent/agent.h"
#include "gui-agent/gui_domain.h"
#include "gui-agent/status.h"
#include "shared/guest_conf.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <X11/Xlib.h>
#include <glib-unix.h>
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run {
	GMainLoop *loop; /* owned */
	int exit_status;
};

struct arguments {
	gint domain; /* -1: not given */
	gchar *display;
	gboolean verbose, quiet;
	gboolean all_modifiers, locks_only, manual_redirect;
};

static bool
read_arguments(int argc, char **argv, struct arguments *arguments)
{
	const GOptionEntry entries[] = {
	    {"domain", 'd', 0, G_OPTION_ARG_INT, &arguments->domain, "id of the GUI domain", "ID"},
	    {"display", 0, 0, G_OPTION_ARG_STRING, &arguments->display,
		"use a running X server, and start no session", ":N"},
	    {"verbose", 'v', 0, G_OPTION_ARG_NONE, &arguments->verbose, "say more", NULL},
	    {"quiet", 'q', 0, G_OPTION_ARG_NONE, &arguments->quiet, "say less", NULL},
	    {"all-modifiers", 'm', 0, G_OPTION_ARG_NONE, &arguments->all_modifiers,
		"follow all modifiers of the desktop (the default)", NULL},
	    {"caps-only", 'M', 0, G_OPTION_ARG_NONE, &arguments->locks_only,
		"follow Caps Lock only", NULL},
	    {"manual", 'c', 0, G_OPTION_ARG_NONE, &arguments->manual_redirect,
		"the X server does not draw the windows for itself", NULL},
	    {0},
	};
	g_autoptr(GOptionContext) context = g_option_context_new("");
	g_autoptr(GError) error = NULL;

	g_option_context_add_main_entries(context, entries, NULL);
	g_option_context_set_summary(
	    context, "Shows the windows of this qube on the desktop of its GUI domain.");
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		log_error("%s", error->message);
		return false;
	}
	if (argc > 1) {
		log_error("no arguments are taken, only options: --help");
		return false;
	}
	return true;
}

/* A missing file says nothing; a wrong one is an error. */
static bool
read_conf(struct guest_conf *ret)
{
	g_autofree char *path = path_in_runtime_dir("guest.conf"), *text = NULL;
	unsigned line;
	gsize len;

	ret->gui_domain = -1;
	if (!g_file_get_contents(path, &text, &len, NULL))
		return true;
	if (guest_conf_parse(text, len, ret, &line) == 0)
		return true;
	log_error("%s, line %u: not what the host writes", path, line);
	return false;
}

static bool
choose_domain(const struct arguments *arguments, const struct guest_conf *conf, int64_t *ret)
{
	if (arguments->domain >= 0 && arguments->domain <= GUI_DOMAIN_MAX) {
		*ret = arguments->domain;
		return true;
	}
	if (arguments->domain != -1 || conf->gui_domain == -1) {
		log_error(
		    "this qube has no GUI domain: neither -d nor guest.conf tells a valid one");
		return false;
	}
	*ret = gui_domain_read(
	    conf->gui_domain == GUEST_CONF_GUI_LATER ? GUI_DOMAIN_NONE : conf->gui_domain);
	return true;
}

static void
on_end(int exit_status, void *data)
{
	struct run *run = data;

	run->exit_status = exit_status;
	g_main_loop_quit(run->loop);
}

static gboolean
on_signal(gpointer data)
{
	on_end(EXIT_SUCCESS, data);
	return G_SOURCE_CONTINUE;
}

/* The X server has gone; Xlib does not let us return. Our children end with us. */
static int
on_x_server_lost(Display *display)
{
	(void)display;
	log_error("the X server has gone");
	status_remove();
	_exit(EXIT_FAILURE);
}

static int
run_agent(const struct agent_options *options)
{
	struct run run = {.loop = g_main_loop_new(NULL, FALSE)};
	struct agent *agent;

	g_unix_signal_add(SIGTERM, on_signal, &run);
	g_unix_signal_add(SIGINT, on_signal, &run);
	if (agent_new(options, on_end, &run, &agent) < 0) {
		run.exit_status = EXIT_FAILURE;
	} else {
		g_main_loop_run(run.loop);
		agent_free(agent);
	}
	g_main_loop_unref(run.loop);
	return run.exit_status;
}

int
main(int argc, char **argv)
{
	struct arguments arguments = {.domain = -1};
	struct agent_options options = {0};
	struct guest_conf conf = {0};
	g_autofree char *display = NULL;

	log_init("qubes-gui");
	if (!read_arguments(argc, argv, &arguments))
		return EXIT_FAILURE;
	display = arguments.display;
	if (!read_conf(&conf) || !choose_domain(&arguments, &conf, &options.gui_domain))
		return EXIT_FAILURE;
	log_set_debug(!arguments.quiet && (arguments.verbose || conf.debug));
	options.display = display;
	options.layout = conf.keyboard_layout;
	options.locks_only = arguments.locks_only && !arguments.all_modifiers;
	options.manual_redirect = arguments.manual_redirect;
	signal(SIGPIPE, SIG_IGN);
	XSetIOErrorHandler(on_x_server_lost);
	return run_agent(&options);
}
