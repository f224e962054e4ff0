/*
 * qrexec-policy-daemon - decides about every call between qubes.
 *
 * It is asked by qrexec-daemons over the policy socket, and asks nobody but the policy's files,
 * what qubesd tells of the qubes that exist, and the user. Whatever goes wrong is a denial.
 * docs/policy.md says how.
 */
#include "qrexec/policy/server.h"
#include "qrexec/policy/system_source.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <glib-unix.h>
#include <grp.h>
#include <locale.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESCRIPTORS_WANTED 16384

struct options {
	gboolean debug;
	char **policy_paths;
	char *sockets[SERVER_SOCKETS];
};

static bool
parse_options(int argc, char **argv, struct options *options)
{
	const GOptionEntry entries[] = {
	    {"debug", 0, 0, G_OPTION_ARG_NONE, &options->debug, "Log evaluations as well", NULL},
	    {"policy-path", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->policy_paths,
		"Read policy from DIR; may be repeated, the first one wins", "DIR"},
	    {"socket-path", 0, 0, G_OPTION_ARG_FILENAME, &options->sockets[SERVER_POLICY],
		"The policy socket", "PATH"},
	    {"eval-socket-path", 0, 0, G_OPTION_ARG_FILENAME, &options->sockets[SERVER_EVAL_SIMPLE],
		"The socket of policy.EvalSimple", "PATH"},
	    {"gui-socket-path", 0, 0, G_OPTION_ARG_FILENAME, &options->sockets[SERVER_EVAL_GUI],
		"The socket of policy.EvalGUI", "PATH"},
	    {0},
	};
	g_autoptr(GOptionContext) context = g_option_context_new("- decides about qrexec calls");
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
	return true;
}

static void
options_set_defaults(struct options *options)
{
	if (options->sockets[SERVER_POLICY] == NULL)
		options->sockets[SERVER_POLICY] = path_in_runtime_dir("policy.sock");
	if (options->sockets[SERVER_EVAL_SIMPLE] == NULL)
		options->sockets[SERVER_EVAL_SIMPLE] = path_in_rpc_dir("policy.EvalSimple");
	if (options->sockets[SERVER_EVAL_GUI] == NULL)
		options->sockets[SERVER_EVAL_GUI] = path_in_rpc_dir("policy.EvalGUI");
}

static void
options_clear(struct options *options)
{
	g_strfreev(options->policy_paths);
	for (int i = 0; i < SERVER_SOCKETS; i++)
		g_free(options->sockets[i]);
}

/* Sockets are for the group "qubes" when we are root; many prompts may wait at a time. */
static void
prepare_process(void)
{
	const struct group *group = geteuid() == 0 ? getgrnam("qubes") : NULL;
	struct rlimit limit;

	signal(SIGPIPE, SIG_IGN);
	umask(007);
	if (group != NULL && setegid(group->gr_gid) < 0)
		log_warn("cannot take group qubes");
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = MIN(limit.rlim_max, DESCRIPTORS_WANTED);
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Without the policy socket there is nothing to do; the other two are conveniences. */
static bool
open_sockets(struct server *server, const struct options *options)
{
	for (enum server_socket kind = 0; kind < SERVER_SOCKETS; kind++) {
		int r = server_listen(server, kind, options->sockets[kind]);

		if (r == 0)
			continue;
		log_error("cannot listen at %s: %s", options->sockets[kind],
		    r == -EADDRINUSE ? "another daemon serves it" : g_strerror(-r));
		if (kind == SERVER_POLICY)
			return false;
	}
	return true;
}

static const struct system_info *
current_info(void *data)
{
	return system_source_get(data);
}

static gboolean
on_stop(gpointer loop)
{
	g_main_loop_quit(loop);
	return G_SOURCE_CONTINUE;
}

static bool
run(const struct options *options)
{
	GMainLoop *loop = g_main_loop_new(NULL, FALSE);
	g_autofree char *qubesd = path_qubesd_socket("qubesd.internal.sock");
	struct policy_cache *cache = policy_cache_new(policy_places_new(options->policy_paths));
	struct system_source *system = system_source_new(qubesd);
	struct decider *decider = decider_new(cache, current_info, system);
	struct server *server = server_new(decider, current_info, system);
	bool ok = open_sockets(server, options);

	g_unix_signal_add(SIGTERM, on_stop, loop);
	g_unix_signal_add(SIGINT, on_stop, loop);
	if (ok) {
		policy_cache_get(
		    cache); /* a broken policy is reported now, not at the first call */
		g_main_loop_run(loop);
	}
	server_free(server);
	decider_free(decider);
	system_source_free(system);
	policy_cache_free(cache);
	g_main_loop_unref(loop);
	return ok;
}

int
main(int argc, char **argv)
{
	struct options options = {0};
	bool ok;

	log_init("qrexec-policy-daemon");
	log_set_limit(false); /* the decider limits each source by itself */
	if (!parse_options(argc, argv, &options))
		return 2;
	log_set_debug(options.debug);
	options_set_defaults(&options);
	prepare_process();
	ok = run(&options);
	options_clear(&options);
	return ok ? 0 : 1;
}
