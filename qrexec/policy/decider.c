#include "qrexec/policy/decider.h"

#include "qrexec/policy/eval.h"
#include "qrexec/policy/gui_call.h"
#include "qrexec/policy/gui_message.h"
#include "qrexec/policy/notice_limit.h"
#include "shared/log.h"
#include "shared/rate.h"
#include "shared/text.h"

#include <errno.h>
#include <string.h>

#define ASK_SERVICE "policy.Ask"
#define NOTIFY_SERVICE "policy.Notify"
#define REPLY_DENY "result=deny"
#define REPLY_ALLOW "result=allow"
#define NOTICES_MAX 64   /* under way at a time; more are dropped */
#define SOURCES_MAX 1024 /* whose lines are counted; beyond that counting begins anew */

struct decider {
	struct policy_cache *cache; /* borrowed */
	decider_info info;
	void *info_data;            /* borrowed */
	struct notice_limit *limit; /* owned */
	char *told_error;           /* owned: the policy's error that users were told of */
	GHashTable *asks;           /* source (owned) -> how many prompts wait */
	unsigned ask_count;         /* all of them */
	GHashTable *lines;          /* source (owned) -> owned struct rate of lines in the log */
	GQueue notices;             /* owned struct gui_call of notifications under way */
};

struct decision {
	struct decider *decider; /* borrowed */
	struct call call;        /* owned */
	gint64 started_us;       /* monotonic */
	decider_done done;
	void *data;                   /* borrowed */
	struct policy_decision asked; /* owned; what the prompt shows; its rule is not kept */
	char *asked_rule;             /* owned; "FILE:LINE" */
	struct gui_call *prompt;      /* owned; NULL while there is none */
};

struct decider *
decider_new(struct policy_cache *cache, decider_info info, void *data)
{
	struct decider *decider = g_new0(struct decider, 1);

	decider->cache = cache;
	decider->info = info;
	decider->info_data = data;
	decider->limit = notice_limit_new();
	decider->asks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	decider->lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_queue_init(&decider->notices);
	return decider;
}

void
decider_free(struct decider *decider)
{
	if (decider == NULL)
		return;
	g_queue_clear_full(&decider->notices, (GDestroyNotify)gui_call_free);
	g_hash_table_unref(decider->asks);
	g_hash_table_unref(decider->lines);
	notice_limit_free(decider->limit);
	g_free(decider->told_error);
	g_free(decider);
}

bool
decider_is_notifying(const struct decider *decider)
{
	return !g_queue_is_empty((GQueue *)&decider->notices);
}

/* --- counting prompts ----------------------------------------------------------------------- */

static unsigned
asks_of(const struct decider *decider, const char *source)
{
	return GPOINTER_TO_UINT(g_hash_table_lookup(decider->asks, source));
}

static bool
has_room_for_ask(const struct decider *decider, const char *source)
{
	return asks_of(decider, source) < DECIDER_ASKS_PER_SOURCE &&
	       decider->ask_count < DECIDER_ASKS_MAX;
}

static void
count_ask(struct decider *decider, const char *source)
{
	unsigned count = asks_of(decider, source) + 1;

	g_hash_table_replace(decider->asks, g_strdup(source), GUINT_TO_POINTER(count));
	decider->ask_count++;
}

static void
uncount_ask(struct decider *decider, const char *source)
{
	unsigned count = asks_of(decider, source) - 1;

	if (count == 0)
		g_hash_table_remove(decider->asks, source);
	else
		g_hash_table_replace(decider->asks, g_strdup(source), GUINT_TO_POINTER(count));
	decider->ask_count--;
}

/* --- notifications -------------------------------------------------------------------------- */

/* What a notification's end needs to know. */
struct notice_slot {
	struct decider *decider;
	struct gui_call *call;
};

static void
on_notified(int error, struct untrusted_bytes untrusted_answer, void *data)
{
	struct notice_slot *slot = data;

	(void)untrusted_answer;
	if (error < 0)
		log_info("could not notify: %s", g_strerror(-error));
	g_queue_remove(&slot->decider->notices, slot->call);
	gui_call_free(slot->call);
	g_free(slot);
}

static void
notify(struct decider *decider, const struct call *call, const char *guivm, const char *resolution,
    const char *target, const char *message)
{
	struct gui_notice notice = {
	    .resolution = resolution,
	    .service = call->service,
	    .argument = call->argument,
	    .source = call->source,
	    .target = target,
	    .message = message,
	};
	g_autofree char *text = NULL;
	struct notice_slot *slot;

	if (guivm == NULL || g_queue_get_length(&decider->notices) >= NOTICES_MAX)
		return;
	notice.count = notice_limit_admit(
	    decider->limit, g_get_monotonic_time(), call->source, call->service, target);
	if (notice.count == 0)
		return;
	text = gui_message_notify(&notice);
	slot = g_new0(struct notice_slot, 1);
	slot->decider = decider;
	slot->call = gui_call_new(guivm, NOTIFY_SERVICE, text, on_notified, slot);
	g_queue_push_tail(&decider->notices, slot->call);
}

/* --- ends ----------------------------------------------------------------------------------- */

/* How the line in the log begins; to be freed. */
static char *
describe(const struct decision *decision)
{
	const struct call *call = &decision->call;
	const char *relay_for = call->requested_source;

	return g_strdup_printf("qrexec: %.128s%.128s: %s%s%s -> %s", call->service, call->argument,
	    call->source, relay_for[0] != '\0' ? " for " : "", relay_for,
	    call->target[0] != '\0' ? call->target : "@default");
}

typedef void (*log_function)(const char *, ...) __attribute__((format(printf, 1, 2)));

/* Evaluations decide nothing, and there may be one for each event that a qube listens to. */
static log_function
log_decision(const struct decision *decision)
{
	return decision->call.just_evaluate ? log_debug : log_info;
}

static double
elapsed_ms(const struct decision *decision)
{
	return (double)(g_get_monotonic_time() - decision->started_us) / 1000.0;
}

static void
log_warnings(const struct decision *decision, const struct policy_decision *result)
{
	g_autofree char *what = describe(decision);

	if (result->warnings == NULL || decision->call.just_evaluate)
		return;
	for (guint i = 0; i < result->warnings->len; i++)
		log_warn("%s: %s", what, (const char *)g_ptr_array_index(result->warnings, i));
}

/* Whether one more denial, or question, of this source is worth a line. */
static bool
admit_line(struct decider *decider, const char *source)
{
	static const struct rate_limit limit = {DECIDER_LINES_BURST, DECIDER_LINES_PER_S};
	struct rate *rate = g_hash_table_lookup(decider->lines, source);
	uint64_t held;

	if (rate == NULL) {
		if (g_hash_table_size(decider->lines) >= SOURCES_MAX)
			g_hash_table_remove_all(decider->lines);
		rate = g_new0(struct rate, 1);
		g_hash_table_insert(decider->lines, g_strdup(source), rate);
	}
	if (!rate_admit(rate, &limit, g_get_monotonic_time(), &held))
		return false;
	if (held > 0)
		log_warn(
		    "qrexec: %s: %" G_GUINT64_FORMAT " denials are not in this log", source, held);
	return true;
}

static void
log_denial(struct decision *decision, const struct policy_decision *result, bool failed)
{
	g_autofree char *what = NULL;

	if (!decision->call.just_evaluate && !admit_line(decision->decider, decision->call.source))
		return;
	what = describe(decision);
	log_warnings(decision, result);
	(failed ? log_error : log_decision(decision))("%s: %s%s (%.3f ms)", what,
	    failed ? "" : "denied: ", result->reason, elapsed_ms(decision));
}

static void
reply(struct decision *decision, const struct policy_decision *result)
{
	bool allowed = result->result == POLICY_ALLOWED;

	if (!allowed)
		decision->done(REPLY_DENY, decision->data);
	else if (decision->call.just_evaluate)
		decision->done(REPLY_ALLOW, decision->data);
	else
		decision->done(result->reply, decision->data);
}

/* by: "" or who decided, such as " by the user". rule: "FILE:LINE". */
static void
end_allowed(struct decision *decision, const struct policy_decision *result, const char *by)
{
	g_autofree char *what = describe(decision);

	log_warnings(decision, result);
	log_decision(decision)("%s: allowed to %s%s (%s:%u, %.3f ms)", what, result->target, by,
	    result->rule->file, result->rule->line, elapsed_ms(decision));
	if (result->notify && !decision->call.just_evaluate)
		notify(decision->decider, &decision->call, result->guivm, "allow", result->target,
		    NULL);
	reply(decision, result);
}

/* resolution: "deny", or "fail" when nobody said no but something did not work. */
static void
end_denied(struct decision *decision, const struct policy_decision *result, const char *resolution)
{
	bool failed = strcmp(resolution, "fail") == 0;

	log_denial(decision, result, failed);
	if (result->notify && !decision->call.just_evaluate)
		notify(decision->decider, &decision->call, result->guivm, resolution,
		    decision->call.target[0] != '\0' ? decision->call.target : "@default",
		    failed ? result->reason : NULL);
	reply(decision, result);
}

static void
end_decision(struct decision *decision, const struct policy_decision *result, const char *by)
{
	if (result->result == POLICY_ALLOWED)
		end_allowed(decision, result, by);
	else
		end_denied(decision, result, "deny");
}

/* A denial of our own making. reason is taken over; guivm: where to tell of it, NULL: nowhere. */
static void
end_failed(struct decision *decision, const char *guivm, const char *resolution, char *reason)
{
	struct policy_decision result = {
	    .result = POLICY_DENIED,
	    .notify = guivm != NULL,
	    .guivm = g_strdup(guivm),
	    .reason = reason,
	};

	end_denied(decision, &result, resolution);
	policy_decision_clear(&result);
}

/* --- asking --------------------------------------------------------------------------------- */

static void
end_unanswered(struct decision *decision, const char *why)
{
	end_failed(decision, decision->asked.guivm, "fail",
	    g_strdup_printf("could not ask: %s (%s)", why, decision->asked_rule));
}

static void
end_refused(struct decision *decision)
{
	end_failed(decision, decision->asked.notify ? decision->asked.guivm : NULL, "deny",
	    g_strdup_printf("%s: refused by the user", decision->asked_rule));
}

static struct policy_request
request_of(const struct call *call)
{
	return (struct policy_request){
	    .service = call->service,
	    .argument = call->argument,
	    .source = call->source,
	    .target = call->target,
	    .requested_source = call->requested_source,
	};
}

static void
end_chosen(struct decision *decision, const char *target)
{
	struct decider *decider = decision->decider;
	const struct policy *policy = policy_cache_get(decider->cache);
	const struct system_info *info = decider->info(decider->info_data);
	struct policy_request request = request_of(&decision->call);
	struct policy_decision result;

	if (policy == NULL || info == NULL) {
		end_unanswered(decision, "policy or system information was lost meanwhile");
		return;
	}
	policy_answer(policy, info, &request, &decision->asked, target, &result);
	end_decision(decision, &result, " by the user");
	policy_decision_clear(&result);
}

static void
end_prompt(struct decision *decision)
{
	if (decision->prompt == NULL)
		return;
	g_clear_pointer(&decision->prompt, gui_call_free);
	uncount_ask(decision->decider, decision->call.source);
}

static void
on_answer(int error, struct untrusted_bytes untrusted_answer, void *data)
{
	struct decision *decision = data;
	g_autofree char *target = NULL;

	if (error == 0 && untrusted_answer.len == 0)
		error = -ECONNABORTED;
	if (error == 0)
		error = call_decode_answer(untrusted_answer, &target);
	end_prompt(decision);
	if (error < 0)
		end_unanswered(
		    decision, error == -EPROTO ? "the answer makes no sense" : g_strerror(-error));
	else if (target == NULL)
		end_refused(decision);
	else
		end_chosen(decision, target);
}

/* Takes over what is in *asked. */
static void
start_asking(
    struct decision *decision, const struct system_info *info, struct policy_decision *asked)
{
	struct decider *decider = decision->decider;
	const char *source = decision->call.source;
	g_autofree char *text = NULL;

	decision->asked_rule = g_strdup_printf("%s:%u", asked->rule->file, asked->rule->line);
	asked->rule = NULL; /* the policy may be gone when the answer comes */
	decision->asked = *asked;
	*asked = (struct policy_decision){0};
	if (decision->asked.guivm == NULL) {
		end_unanswered(decision, "the source has no GUI domain");
		return;
	}
	if (!has_room_for_ask(decider, source)) {
		end_failed(decision, NULL, "deny",
		    g_strdup_printf(
			"%s: too many questions are waiting for an answer", decision->asked_rule));
		return;
	}
	if (admit_line(decider, source))
		log_warnings(decision, &decision->asked);
	text = gui_message_ask(info, &decision->call, &decision->asked);
	count_ask(decider, source);
	decision->prompt =
	    gui_call_new(decision->asked.guivm, ASK_SERVICE, text, on_answer, decision);
}

/* --- deciding ------------------------------------------------------------------------------- */

/* The user hears once of each error, through whoever calls first. */
static void
end_without_policy(struct decision *decision, const struct system_info *info)
{
	struct decider *decider = decision->decider;
	const char *error = policy_cache_error(decider->cache);
	const struct qube_info *source =
	    info != NULL ? system_info_find(info, decision->call.source) : NULL;
	const char *guivm = source != NULL ? source->guivm : NULL;
	bool is_news = guivm != NULL && g_strcmp0(error, decider->told_error) != 0;

	if (is_news) {
		g_free(decider->told_error);
		decider->told_error = g_strdup(error);
	}
	end_failed(decision, is_news ? guivm : NULL, "fail",
	    g_strdup_printf("error loading policy: %s", error));
}

static void
evaluate(struct decision *decision, const struct policy *policy, const struct system_info *info)
{
	struct policy_request request = request_of(&decision->call);
	struct policy_decision result;

	policy_evaluate(policy, info, &request, &result);
	if (decision->call.assume_yes)
		policy_assume_yes(policy, info, &request, &result);
	if (result.result != POLICY_ASK)
		end_decision(decision, &result, "");
	else if (decision->call.just_evaluate)
		end_failed(decision, NULL, "deny",
		    g_strdup_printf(
			"%s:%u: nobody is to be asked", result.rule->file, result.rule->line));
	else
		start_asking(decision, info, &result);
	policy_decision_clear(&result);
}

struct decision *
decider_decide(struct decider *decider, struct call *call, decider_done done, void *data)
{
	struct decision *decision = g_new0(struct decision, 1);
	const struct policy *policy;
	const struct system_info *info;

	decision->decider = decider;
	decision->call = *call;
	*call = (struct call){0};
	decision->done = done;
	decision->data = data;
	decision->started_us = g_get_monotonic_time();
	policy = policy_cache_get(decider->cache);
	info = decider->info(decider->info_data);
	if (policy == NULL) {
		end_without_policy(decision, info);
	} else if (info == NULL) {
		end_failed(decision, NULL, "fail",
		    g_strdup("denied: qubesd does not tell which qubes there are"));
	} else {
		g_clear_pointer(&decider->told_error, g_free);
		evaluate(decision, policy, info);
		if (decision->prompt != NULL)
			return decision;
	}
	decision_free(decision);
	return NULL;
}

void
decision_free(struct decision *decision)
{
	if (decision == NULL)
		return;
	if (decision->prompt != NULL) {
		g_autofree char *what = describe(decision);

		if (admit_line(decision->decider, decision->call.source))
			log_info("%s: denied: %s: the caller went away while the user was asked",
			    what, decision->asked_rule);
		end_prompt(decision);
	}
	call_clear(&decision->call);
	policy_decision_clear(&decision->asked);
	g_free(decision->asked_rule);
	g_free(decision);
}
