/*
 * qrexec-policy-exec - decides about one call, on its own: what qrexec-daemon falls back to when
 * the policy daemon is not there.
 *
 *   qrexec-policy-exec [--assume-yes-for-ask] [--just-evaluate] [--path DIR]... [--] \
 *       SOURCE TARGET SERVICE[+ARG]
 *
 * Prints the reply; exit status 0 when the call is allowed, 1 when it is not, 2 on wrong usage.
 * The old form "DOMAIN-ID SOURCE TARGET SERVICE IDENT" connects the call itself. With a requested
 * source there is no way to call this program, so such calls are refused while it stands in.
 */
#include "qrexec/policy/decider.h"
#include "shared/admin_client.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define QUBESD_TIMEOUT_MS 10000
#define ALLOW_LINE "result=allow"

struct options {
	gboolean assume_yes, just_evaluate;
	char **paths;
	char **words; /* what is left, NULL-terminated */
};

struct outcome {
	GMainLoop *loop;
	char *reply; /* owned */
};

/* The words of the old form that are not in the new one. */
struct old_form {
	const char *domain_id, *source, *ident;
};

static bool
parse_options(int argc, char **argv, struct options *options)
{
	const GOptionEntry entries[] = {
	    {"assume-yes-for-ask", 0, 0, G_OPTION_ARG_NONE, &options->assume_yes,
		"Take ask for allow if the target is among the choices", NULL},
	    {"just-evaluate", 0, 0, G_OPTION_ARG_NONE, &options->just_evaluate,
		"Print nothing, ask nobody; only the exit status", NULL},
	    {"path", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->paths,
		"Read policy from DIR; may be repeated", "DIR"},
	    {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->words, NULL, NULL},
	    {0},
	};
	g_autoptr(GOptionContext) context =
	    g_option_context_new("SOURCE TARGET SERVICE[+ARG] - decides about one qrexec call");
	g_autoptr(GError) error = NULL;
	guint count;

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		log_error("%s", error->message);
		return false;
	}
	count = options->words != NULL ? g_strv_length(options->words) : 0;
	if (count != 3 && count != 5) {
		log_error("SOURCE, TARGET and SERVICE are needed; see --help");
		return false;
	}
	return true;
}

/* Our words go through the decoder of the policy socket, so both ways accept the same. */
static int
make_call(const struct options *options, char **words, struct call *ret)
{
	g_autofree char *request = NULL;

	for (int i = 0; i < 3; i++) {
		if (strchr(words[i], '\n') != NULL)
			return -EPROTO;
	}
	request =
	    g_strdup_printf("source=%s\nintended_target=%s\nservice_and_arg=%s\njust_evaluate=%s\n"
			    "assume_yes_for_ask=%s\n\n",
		words[0], words[1], words[2], options->just_evaluate ? "yes" : "no",
		options->assume_yes ? "yes" : "no");
	return call_decode(untrusted_bytes_of(request, strlen(request)), ret);
}

static int
fetch_system_info(struct system_info **ret)
{
	g_autofree char *socket = path_qubesd_socket("qubesd.internal.sock");
	struct admin_reply answer = {0};
	int r;

	r = admin_call(
	    socket, "internal.GetSystemInfo", NULL, "dom0", NULL, 0, QUBESD_TIMEOUT_MS, &answer);
	if (r < 0)
		return r;
	r = answer.ok ? system_info_parse(answer.content, answer.content_len, ret) : -EREMOTEIO;
	admin_reply_clear(&answer);
	return r;
}

static const struct system_info *
fetched_info(void *data)
{
	return data;
}

static void
on_decided(const char *reply, void *data)
{
	struct outcome *outcome = data;

	outcome->reply = g_strdup(reply);
	g_main_loop_quit(outcome->loop);
}

/* The reply, to be freed. */
static char *
decide(const struct options *options, struct call *call)
{
	struct outcome outcome = {.loop = g_main_loop_new(NULL, FALSE)};
	struct policy_cache *cache = policy_cache_new(policy_places_new(options->paths));
	struct system_info *info = NULL;
	struct decider *decider;
	struct decision *decision;
	int r;

	r = fetch_system_info(&info);
	if (r < 0)
		log_error("qubesd: %s", g_strerror(-r));
	decider = decider_new(cache, fetched_info, info);
	decision = decider_decide(decider, call, on_decided, &outcome);
	if (decision != NULL)
		g_main_loop_run(outcome.loop);
	while (decider_is_notifying(decider))
		g_main_context_iteration(NULL, TRUE);
	decision_free(decision);
	decider_free(decider);
	system_info_free(info);
	policy_cache_free(cache);
	g_main_loop_unref(outcome.loop);
	return outcome.reply;
}

static const char *
reply_value(char **lines, const char *key)
{
	size_t len = strlen(key);

	for (; *lines != NULL; lines++) {
		if (strncmp(*lines, key, len) == 0 && (*lines)[len] == '=')
			return *lines + len + 1;
	}
	return NULL;
}

/* The old form: qrexec-client connects the two ends, in our place. Returns only on failure. */
static int
connect_call(const struct old_form *form, const char *service, const char *reply)
{
	g_auto(GStrv) lines = g_strsplit(reply, "\n", -1);
	const char *target = reply_value(lines, "target");
	const char *user = reply_value(lines, "user");
	g_autofree char *program = path_program("qrexec-client");
	g_autofree char *descriptor =
	    strchr(service, '+') != NULL ? g_strdup(service) : g_strconcat(service, "+", NULL);
	g_autofree char *ends =
	    g_strdup_printf("%s,%s,%s", form->ident, form->source, form->domain_id);
	bool to_dom0 = strcmp(target, "dom0") == 0;
	g_autofree char *command =
	    to_dom0 ? g_strdup_printf("QUBESRPC %s %s name dom0", descriptor, form->source)
		    : g_strdup_printf("%s:QUBESRPC %s %s", user, descriptor, form->source);
	bool disposable = g_str_has_prefix(target, "@dispvm");
	const char *argv[12];
	size_t n = 0;

	argv[n++] = program;
	argv[n++] = "-E";
	argv[n++] = "-d";
	argv[n++] = target;
	argv[n++] = "-c";
	argv[n++] = ends;
	if (disposable) {
		argv[n++] = "-W";
		argv[n++] = "-k";
	}
	argv[n++] = command;
	argv[n] = NULL;
	execv(program, (char **)argv);
	log_error("%s: %s", program, g_strerror(errno));
	return 1;
}

static int
finish(const struct options *options, const char *reply)
{
	bool allowed = reply != NULL && strstr(reply, ALLOW_LINE) != NULL;
	char **words = options->words;

	if (g_strv_length(words) == 5) {
		struct old_form form = {
		    .domain_id = words[0], .source = words[1], .ident = words[4]};

		return allowed ? connect_call(&form, words[3], reply) : 1;
	}
	if (!options->just_evaluate) {
		printf("%s\n", reply != NULL ? reply : "result=deny");
		if (fflush(stdout) != 0)
			return 1;
	}
	return allowed ? 0 : 1;
}

int
main(int argc, char **argv)
{
	struct options options = {0};
	g_autofree char *reply = NULL;
	struct call call;
	char **words;

	log_init("qrexec-policy-exec");
	signal(SIGPIPE, SIG_IGN);
	if (!parse_options(argc, argv, &options))
		return 2;
	words = g_strv_length(options.words) == 5 ? options.words + 1 : options.words;
	if (make_call(&options, words, &call) < 0)
		log_error("this is not a well-formed call");
	else
		reply = decide(&options, &call);
	return finish(&options, reply);
}
