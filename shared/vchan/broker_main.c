/*
 * vchan-broker - brings the ends of vchans together and keeps the memory regions of qubes.
 *
 *   vchan-broker [--control PATH] [--group NAME] [--debug]
 *   vchan-broker --machine-port DEVICE [--region FILE] [--conf FILE] [--ready-fd N]
 *       [--group NAME] [--debug]
 *
 * The second form runs in a virtual machine and asks the broker of the host for everything.
 * Foreground; SIGTERM or SIGINT ends it and everything that it connected.
 */
#include "shared/guest_conf.h"
#include "shared/log.h"
#include "shared/paths.h"
#include "shared/vchan/broker.h"
#include "shared/vchan/broker_guest.h"
#include "shared/vchan/broker_service.h"

#include <errno.h>
#include <glib-unix.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct options {
	char *control; /* owned */
	char *group;   /* owned; NULL: only our own user speaks as domain 0 */
	gboolean debug;
	/* In a virtual machine. */
	char *machine_port; /* owned; NULL: on the host */
	char *region;       /* owned; NULL: there is none */
	char *conf;         /* owned */
	int ready_fd;       /* -1: nobody waits */
};

/* Options of one form say nothing in the other. */
static bool
complete(struct options *options)
{
	bool in_guest = options->machine_port != NULL;
	const char *stray = NULL;

	if (in_guest && options->control != NULL)
		stray = "--control";
	else if (!in_guest && (options->region != NULL || options->conf != NULL))
		stray = options->region != NULL ? "--region" : "--conf";
	else if (!in_guest && options->ready_fd >= 0)
		stray = "--ready-fd";
	if (stray != NULL) {
		fprintf(stderr, "vchan-broker: %s %s --machine-port\n", stray,
		    in_guest ? "cannot be with" : "needs");
		return false;
	}
	if (options->control == NULL)
		options->control = path_in_runtime_dir("vchan-broker.sock");
	if (options->conf == NULL)
		options->conf = g_strdup(GUEST_CONF_PATH);
	return true;
}

static bool
parse_options(int *argc, char ***argv, struct options *ret)
{
	const GOptionEntry entries[] = {
	    {"control", 0, 0, G_OPTION_ARG_FILENAME, &ret->control, "the control socket", "PATH"},
	    {"group", 0, 0, G_OPTION_ARG_STRING, &ret->group,
		"who else may use vchan.sock (in a virtual machine: who may)", "NAME"},
	    {"machine-port", 0, 0, G_OPTION_ARG_FILENAME, &ret->machine_port,
		"in a virtual machine: the way to the host's broker", "DEVICE"},
	    {"region", 0, 0, G_OPTION_ARG_FILENAME, &ret->region,
		"with --machine-port: the memory of the region device", "FILE"},
	    {"conf", 0, 0, G_OPTION_ARG_FILENAME, &ret->conf,
		"with --machine-port: where to write what the host tells the guest", "FILE"},
	    {"ready-fd", 0, 0, G_OPTION_ARG_INT, &ret->ready_fd,
		"with --machine-port: gets a line each time that is written", "N"},
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
	return complete(ret);
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

static int
serve_guest(const struct options *options)
{
	g_autofree char *socket = path_in_runtime_dir("vchan.sock");
	struct broker_guest_options guest_options = {
	    .socket_path = socket,
	    .port_path = options->machine_port,
	    .region_path = options->region,
	    .conf_path = options->conf,
	    .ready_fd = options->ready_fd,
	};
	struct broker_guest *guest;
	int r;

	r = find_group(options->group, &guest_options.group);
	if (r < 0) {
		log_error("group %s: %s", options->group, strerror(-r));
		return 1;
	}
	r = broker_guest_new(&guest_options, &guest);
	if (r < 0) {
		log_error("%s: %s", socket, strerror(-r));
		return 1;
	}
	run();
	broker_guest_free(guest);
	return 0;
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
	struct options options = {.ready_fd = -1};
	int status = 2;

	log_init("vchan-broker");
	signal(SIGPIPE, SIG_IGN); /* a port may be gone when it is written to */
	if (parse_options(&argc, &argv, &options)) {
		log_set_debug(options.debug);
		status = options.machine_port != NULL ? serve_guest(&options) : serve(&options);
	}
	g_free(options.control);
	g_free(options.group);
	g_free(options.machine_port);
	g_free(options.region);
	g_free(options.conf);
	return status;
}
