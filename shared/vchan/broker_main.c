/*
 * vchan-broker - brings the ends of vchans together and keeps the memory regions of qubes.
 *
 *   vchan-broker [--control PATH] [--group NAME] [--debug]
 *
 * Foreground; SIGTERM or SIGINT ends it and everything that it connected.
 */
#include "shared/log.h"
#include "shared/paths.h"
#include "shared/vchan/broker.h"
#include "shared/vchan/broker_service.h"

#include <errno.h>
#include <glib-unix.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct options {
	char *control; /* owned */
	char *group;   /* owned; NULL: only our own user speaks as domain 0 */
	gboolean debug;
};

static bool
parse_options(int *argc, char ***argv, struct options *ret)
{
	const GOptionEntry entries[] = {
	    {"control", 0, 0, G_OPTION_ARG_FILENAME, &ret->control, "the control socket", "PATH"},
	    {"group", 0, 0, G_OPTION_ARG_STRING, &ret->group, "who else may speak as domain 0",
		"NAME"},
	    {"debug", 0, 0, G_OPTION_ARG_NONE, &ret->debug, "log every control request", NULL},
	    {NULL, 0, 0, 0, NULL, NULL, NULL},
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) error = NULL;

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, argc, argv, &error)) {
		fprintf(stderr, "vchan-broker: %s\n", error->message);
		return false;
	}
	if (*argc > 1) {
		fprintf(stderr, "vchan-broker: unexpected argument\n");
		return false;
	}
	if (ret->control == NULL)
		ret->control = path_in_runtime_dir("vchan-broker.sock");
	return true;
}

/* getgrnam() tells "not there" and "failed" apart by errno, in ways that differ; we do not. */
static int
find_group(const char *name, gid_t *ret)
{
	const struct group *group = name != NULL ? getgrnam(name) : NULL;

	if (name != NULL && group == NULL)
		return -ENOENT;
	*ret = group != NULL ? group->gr_gid : (gid_t)-1;
	return 0;
}

static gboolean
on_signal(gpointer data)
{
	g_main_loop_quit(data);
	return G_SOURCE_CONTINUE;
}

static void
run(void)
{
	GMainLoop *loop = g_main_loop_new(NULL, FALSE);

	g_unix_signal_add(SIGTERM, on_signal, loop);
	g_unix_signal_add(SIGINT, on_signal, loop);
	g_main_loop_run(loop);
	g_main_loop_unref(loop);
}

/* The domains come first: who reaches the control socket finds domain 0 there. */
static int
serve(const struct options *options)
{
	g_autofree char *folder = g_path_get_dirname(options->control);
	g_autofree char *socket = g_build_filename(folder, "vchan.sock", NULL);
	struct broker_service *service;
	struct broker *broker;
	gid_t group;
	int r;

	r = find_group(options->group, &group);
	if (r < 0) {
		log_error("group %s: %s", options->group, strerror(-r));
		return 1;
	}
	r = broker_new(socket, group, &broker);
	if (r < 0) {
		log_error("%s: %s", socket, strerror(-r));
		return 1;
	}
	r = broker_service_new(broker, options->control, &service);
	if (r < 0) {
		log_error("%s: %s", options->control, strerror(-r));
	} else {
		run();
		broker_service_free(service);
	}
	broker_free(broker);
	return r < 0 ? 1 : 0;
}

int
main(int argc, char **argv)
{
	struct options options = {0};
	int status = 2;

	log_init("vchan-broker");
	if (parse_options(&argc, &argv, &options)) {
		log_set_debug(options.debug);
		status = serve(&options);
	}
	g_free(options.control);
	g_free(options.group);
	return status;
}
