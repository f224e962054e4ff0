/*
 * qubesd - the daemon that keeps all qubes. Options, objects, loop; see docs/man/qubesd.8.scd.
 */
#include "qubesd/admin_server.h"
#include "qubesd/derived.h"
#include "qubesd/domain_files.h"
#include "qubesd/domain_storage.h"
#include "qubesd/lifecycle.h"
#include "qubesd/run_logs.h"
#include "qubesd/store.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STOP_PATIENCE_MS 10000 /* how long admitted requests may go on after SIGTERM */
#define STOP_POLL_MS 50
#define SPARE_DESCRIPTORS 4096 /* sandboxes, policy questions, files */

struct options {
	char *hypervisor; /* owned, like every string here */
	char *store_path;
	gboolean check, offline, debug, print_methods;
	int ready_fd;
};

struct daemon {
	GMainLoop *loop;
	struct store *store;
	struct lifecycle *lifecycle; /* NULL when offline */
	struct admin *admin;
	struct admin_server *server;
	gint64 stop_by; /* monotonic; 0: running */
};

/* --- the options that end at once ----------------------------------------------------------- */

static int
print_methods(void)
{
	g_autofree const char **names = admin_method_names(ADMIN_SOCKET_MAIN);

	for (const char **name = names; *name != NULL; name++)
		printf("%s\n", *name);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
check_store(const char *path)
{
	g_autofree char *message = NULL;
	struct qubes_app *app;
	const GPtrArray *domains;
	guint broken = 0;

	if (store_check(path, &app, &message) < 0) {
		fprintf(stderr, "%s\n", message);
		return EXIT_FAILURE;
	}
	domains = qubes_app_domains(app);
	for (guint i = 0; i < domains->len; i++) {
		if (!domain_is_broken(domains->pdata[i]))
			continue;
		broken++;
		printf("%s: cannot be used\n", domain_name(domains->pdata[i]));
	}
	printf("%s: %u qubes, %u of them cannot be used\n", path, domains->len, broken);
	qubes_app_free(app);
	return EXIT_SUCCESS;
}

/* --- telling that it is ready --------------------------------------------------------------- */

static void
notify_manager(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	int fd;

	if (len >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, "READY=1", strlen("READY=1"), MSG_NOSIGNAL, (struct sockaddr *)&address,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

static void
tell_ready(const struct options *options)
{
	const char *notify = g_getenv("NOTIFY_SOCKET");

	if (notify != NULL)
		notify_manager(notify);
	if (options->ready_fd >= 0) {
		if (write(options->ready_fd, "1\n", 2) != 2)
			log_warn("descriptor %d cannot be told", options->ready_fd);
		close(options->ready_fd);
	}
	log_info("ready");
}

/* --- the daemon ----------------------------------------------------------------------------- */

static gboolean
on_stopping(void *data)
{
	struct daemon *daemon = data;

	if (admin_server_busy(daemon->server) > 0 && g_get_monotonic_time() < daemon->stop_by)
		return G_SOURCE_CONTINUE;
	g_main_loop_quit(daemon->loop);
	return G_SOURCE_REMOVE;
}

static gboolean
on_stop_signal(void *data)
{
	struct daemon *daemon = data;

	if (daemon->stop_by != 0)
		return G_SOURCE_CONTINUE;
	log_info("stopping");
	daemon->stop_by = g_get_monotonic_time() + STOP_PATIENCE_MS * G_TIME_SPAN_MILLISECOND;
	admin_server_stop(daemon->server);
	if (on_stopping(daemon) == G_SOURCE_CONTINUE)
		g_timeout_add(STOP_POLL_MS, on_stopping, daemon);
	return G_SOURCE_CONTINUE;
}

static int
build_lifecycle(struct daemon *daemon, const struct options *options, char **ret_message)
{
	struct qubes_app *app = store_app(daemon->store);
	int r;

	if (options->offline)
		return 0;
	r = lifecycle_new(app, options->hypervisor, &daemon->lifecycle, ret_message);
	if (r < 0)
		return r;
	qubes_app_set_lifecycle(app, daemon->lifecycle);
	qubes_app_set_balancing(app, g_str_has_prefix(options->hypervisor, "xen:"));
	lifecycle_adopt_all(daemon->lifecycle);
	run_logs_init(app);
	return 0;
}

static int
build(struct daemon *daemon, const struct options *options, char **ret_message)
{
	g_autofree char *policy_socket = path_in_runtime_dir("policy.sock");
	int r;

	r = store_open(options->store_path, &daemon->store, ret_message);
	if (r < 0)
		return r;
	domain_files_recover(store_app(daemon->store));
	derived_init(store_app(daemon->store));
	domain_storage_init(store_app(daemon->store));
	r = build_lifecycle(daemon, options, ret_message);
	if (r < 0)
		return r;
	daemon->admin = admin_new(daemon->store, policy_socket);
	return admin_server_new(daemon->admin, &daemon->server, ret_message);
}

static void
tear_down(struct daemon *daemon)
{
	admin_server_free(daemon->server);
	admin_free(daemon->admin);
	lifecycle_free(daemon->lifecycle);
	store_free(daemon->store);
}

/* One descriptor a caller, and some for the rest. */
static void
allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = MIN(limit.rlim_max, ADMIN_SERVER_CONNECTIONS_MAX + SPARE_DESCRIPTORS);
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int
run(const struct options *options)
{
	struct daemon daemon = {0};
	g_autofree char *message = NULL;

	allow_descriptors();
	if (build(&daemon, options, &message) < 0) {
		log_error("%s", message);
		tear_down(&daemon);
		return EXIT_FAILURE;
	}
	daemon.loop = g_main_loop_new(NULL, FALSE);
	g_unix_signal_add(SIGTERM, on_stop_signal, &daemon);
	g_unix_signal_add(SIGINT, on_stop_signal, &daemon);
	tell_ready(options);
	g_main_loop_run(daemon.loop);
	g_main_loop_unref(daemon.loop);
	tear_down(&daemon);
	return EXIT_SUCCESS;
}

/* --- options -------------------------------------------------------------------------------- */

static bool
parse_options(int argc, char **argv, struct options *options)
{
	const GOptionEntry entries[] = {
	    {"hypervisor", 0, 0, G_OPTION_ARG_STRING, &options->hypervisor,
		"what runs qubes: sandbox (default) or a libvirt URI", "KIND"},
	    {"store", 0, 0, G_OPTION_ARG_FILENAME, &options->store_path,
		"the store, instead of qubes.xml in the state folder", "FILE"},
	    {"check", 0, 0, G_OPTION_ARG_NONE, &options->check, "read the store, report, and end",
		NULL},
	    {"offline", 0, 0, G_OPTION_ARG_NONE, &options->offline,
		"run without a hypervisor: every qube is off", NULL},
	    {"debug", 0, 0, G_OPTION_ARG_NONE, &options->debug, "log more", NULL},
	    {"print-methods", 0, 0, G_OPTION_ARG_NONE, &options->print_methods,
		"print the methods of the Admin API, and end", NULL},
	    {"ready-fd", 0, 0, G_OPTION_ARG_INT, &options->ready_fd,
		"descriptor that gets \"1\" when the sockets are there", "N"},
	    {0}};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) error = NULL;

	g_option_context_set_summary(context, "Keeps the qubes of this machine.");
	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error) || argc > 1) {
		fprintf(stderr, "qubesd: %s\n",
		    error != NULL ? error->message : "arguments are not understood");
		return false;
	}
	if (options->hypervisor == NULL)
		options->hypervisor = g_strdup("sandbox");
	if (options->store_path == NULL && g_getenv("QUBES_XML_PATH") != NULL)
		options->store_path = g_strdup(g_getenv("QUBES_XML_PATH"));
	if (options->store_path == NULL)
		options->store_path = path_in_state_dir("qubes.xml");
	return true;
}

int
main(int argc, char **argv)
{
	struct options options = {.ready_fd = -1};
	int status;

	log_init("qubesd");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (!parse_options(argc, argv, &options))
		return 2;
	log_set_debug(options.debug);
	if (options.print_methods)
		status = print_methods();
	else if (options.check)
		status = check_store(options.store_path);
	else
		status = run(&options);
	g_free(options.hypervisor);
	g_free(options.store_path);
	return status;
}
