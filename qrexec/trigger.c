#include "qrexec/trigger.h"

#include "qrexec/daemon.h"
#include "qrexec/daemon_link.h"
#include "qrexec/disposable.h"
#include "qrexec/execution.h"
#include "qrexec/policy_query.h"
#include "qrexec/relay.h"
#include "shared/admin_exchange.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <string.h>

#define SERVICE_VCHAN_TIMEOUT_MS 5000
#define CONNECT_RETRY_MS 20
#define CONNECT_RETRIES 250 /* of a daemon with too many callers */
/*
 * Put to the policy at a time: more than may wait for the user there (DECIDER_ASKS_PER_SOURCE), few
 * enough that the questions of other qubes come in between.
 */
#define QUERIES_MAX 24
#define DISPOSABLE "@dispvm:"
#define TRUSTED_UUID "uuid:00000000-0000-0000-0000-000000000000"

/* The call under the policy's verdict, in words that are safe in a command and in a path. */
struct plan {
	bool autostart;
	char *user, *target, *descriptor, *source, *requested_target; /* owned */
};

/* One request. What is not NULL is in progress. */
struct trigger {
	struct triggers *triggers; /* borrowed */
	struct qrexec_trigger request;
	bool answered;
	struct plan plan;
	struct policy_query *query;
	struct disposable *disposable;
	struct admin_exchange *starting; /* admin.vm.Start */
	bool started;
	guint retry_timer;
	unsigned retries;
	struct daemon_link *link;    /* to the target's daemon */
	struct execution *execution; /* a service of the trusted side */
	struct call call;            /* waits for the session */
	bool waits_for_session;
	uint32_t port;
};

struct triggers {
	struct daemon *daemon; /* borrowed */
	GPtrArray *triggers;   /* of struct trigger, owned */
	GQueue waiting;        /* those of them that the policy has not been asked about */
	unsigned query_count;
};

static void connect_target(struct trigger *trigger);

static struct daemon *
daemon_of(const struct trigger *trigger)
{
	return trigger->triggers->daemon;
}

static void
plan_clear(struct plan *plan)
{
	g_free(plan->user);
	g_free(plan->target);
	g_free(plan->descriptor);
	g_free(plan->source);
	g_free(plan->requested_target);
}

static void
end_query(struct trigger *trigger)
{
	if (trigger->query == NULL)
		return;
	g_clear_pointer(&trigger->query, policy_query_free);
	trigger->triggers->query_count--;
}

static void
trigger_free(gpointer data)
{
	struct trigger *trigger = data;

	end_query(trigger);
	g_queue_remove(&trigger->triggers->waiting, trigger);
	if (trigger->starting != NULL)
		admin_exchange_free(trigger->starting);
	if (trigger->retry_timer != 0)
		g_source_remove(trigger->retry_timer);
	if (trigger->waits_for_session)
		session_wait_cancel(daemon_of(trigger)->session_wait, trigger);
	daemon_link_free(trigger->link);
	execution_free(trigger->execution);
	disposable_free(trigger->disposable);
	call_clear(&trigger->call);
	plan_clear(&trigger->plan);
	qrexec_trigger_clear(&trigger->request);
	g_free(trigger);
}

/* The end of it, whatever happened. */
static void
finish(struct trigger *trigger)
{
	g_ptr_array_remove_fast(trigger->triggers->triggers, trigger);
}

static void
refuse(struct trigger *trigger, const char *why)
{
	if (daemon_note_refusal(daemon_of(trigger)))
		log_info("%s -> %s: %s: refused: %s", daemon_of(trigger)->name,
		    trigger->request.target, trigger->request.descriptor, why);
	if (!trigger->answered)
		daemon_send_refused(daemon_of(trigger), &trigger->request.ident);
	finish(trigger);
}

/* False when somebody else was faster, which ends the request for us. */
static bool
answer(struct trigger *trigger, const struct qrexec_place *place)
{
	if (trigger->answered) {
		log_warn("%s: %s was answered twice", daemon_of(trigger)->name,
		    trigger->request.descriptor);
		return false;
	}
	trigger->answered = true;
	daemon_send_connect(daemon_of(trigger), place, &trigger->request.ident);
	return true;
}

/* --- a service of the trusted side ---------------------------------------------------------- */

static void
on_execution_done(struct execution *execution, int exit_code, int error, void *data)
{
	struct trigger *trigger = data;

	(void)execution;
	if (error < 0)
		log_warn("%s: %s, port %u: %s", daemon_of(trigger)->name, trigger->plan.descriptor,
		    trigger->port, relay_strerror(error));
	else
		log_debug("%s: %s ended with %d", daemon_of(trigger)->name,
		    trigger->plan.descriptor, exit_code);
	finish(trigger);
}

static void
execute(struct trigger *trigger)
{
	struct daemon *daemon = daemon_of(trigger);
	struct execution_spec spec = {
	    .place = EXECUTION_TRUSTED,
	    .domain = daemon->domain,
	    .port = trigger->port,
	    .timeout_ms = SERVICE_VCHAN_TIMEOUT_MS,
	};
	int r =
	    execution_new(&trigger->call, &spec, on_execution_done, trigger, &trigger->execution);

	if (r < 0) {
		log_warn("%s: data vchan, port %u: %s", daemon->name, trigger->port, strerror(-r));
		finish(trigger);
	}
}

static void
start_service(struct trigger *trigger)
{
	struct daemon *daemon = daemon_of(trigger);
	struct qrexec_place place = {0, 0};

	if (ports_take(&daemon->ports, 0, &trigger->port) < 0) {
		refuse(trigger, "no free port");
		return;
	}
	place.port = trigger->port;
	if (answer(trigger, &place)) {
		execute(trigger);
	} else {
		ports_release(&daemon->ports, 0, trigger->port);
		finish(trigger);
	}
}

static void
on_session(void *data)
{
	struct trigger *trigger = data;

	trigger->waits_for_session = false;
	start_service(trigger);
}

static void
plan_service(struct trigger *trigger)
{
	const struct plan *plan = &trigger->plan;
	const char *target = plan->requested_target;
	bool keyword = target[0] == '@';
	g_autofree char *text = g_strdup_printf("QUBESRPC %s %s %s %s", plan->descriptor,
	    plan->source, keyword ? "keyword" : "name", keyword ? target + 1 : target);

	call_init(&trigger->call, text, false);
	if (!trigger->call.config.wait_for_session) {
		start_service(trigger);
		return;
	}
	trigger->waits_for_session = true;
	session_wait_add(daemon_of(trigger)->session_wait, NULL, plan->source, on_session, trigger);
}

/* --- a service of another qube -------------------------------------------------------------- */

static void
on_target_placed(struct daemon_link *link, const struct qrexec_place *place, void *data)
{
	struct trigger *trigger = data;

	(void)link;
	/* A disposable lives until its daemon says that the call is over: on_target_ended(). */
	if (!answer(trigger, place) || trigger->disposable == NULL)
		finish(trigger);
}

static void
on_target_ended(struct daemon_link *link, int error, void *data)
{
	struct trigger *trigger = data;

	daemon_link_free(link);
	trigger->link = NULL;
	if (trigger->answered)
		finish(trigger);
	else
		refuse(trigger, error < 0 ? channel_strerror(error)
					  : "the target's daemon did not take the call");
}

static const struct daemon_link_events target_events = {
    .placed = on_target_placed,
    .ended = on_target_ended,
};

static void
on_started(int error, struct admin_reply *reply, void *data)
{
	struct trigger *trigger = data;

	trigger->starting = NULL;
	if (error < 0)
		refuse(trigger, strerror(-error));
	else if (!reply->ok && strcmp(reply->error_class, "QubesVMNotHaltedError") != 0)
		refuse(trigger, reply->error_message);
	else
		connect_target(trigger);
}

/* There is no daemon: the qube does not run. Once it has been started there has to be one. */
static void
start_target(struct trigger *trigger, int error)
{
	g_autofree char *qubesd = path_qubesd_socket("qubesd.sock");
	int r;

	if (trigger->started || !trigger->plan.autostart) {
		refuse(trigger, strerror(-error));
		return;
	}
	trigger->started = true;
	r = admin_exchange_new(qubesd, "admin.vm.Start", NULL, trigger->plan.target, NULL, 0,
	    on_started, trigger, &trigger->starting);
	if (r < 0)
		refuse(trigger, "qubesd cannot be reached");
}

static gboolean
on_retry(gpointer data)
{
	struct trigger *trigger = data;

	trigger->retry_timer = 0;
	connect_target(trigger);
	return G_SOURCE_REMOVE;
}

static void
connect_target(struct trigger *trigger)
{
	const struct plan *plan = &trigger->plan;
	struct daemon *daemon = daemon_of(trigger);
	g_autofree char *command =
	    g_strdup_printf("%s:QUBESRPC %s %s", plan->user, plan->descriptor, plan->source);
	int r;

	r = daemon_link_new(
	    daemon->socket_dir, plan->target, &target_events, trigger, &trigger->link);
	if (r == 0)
		daemon_link_send(trigger->link, QREXEC_EXEC_CMDLINE, daemon->domain, 0, command,
		    strlen(command) + 1);
	else if (r == -EAGAIN && ++trigger->retries <= CONNECT_RETRIES)
		trigger->retry_timer = g_timeout_add(CONNECT_RETRY_MS, on_retry, trigger);
	else if (r == -ENOENT || r == -ECONNREFUSED)
		start_target(trigger, r);
	else
		refuse(trigger, strerror(-r));
}

static void
on_disposable(const char *name, void *data)
{
	struct trigger *trigger = data;

	if (name == NULL) {
		refuse(trigger, "no disposable could be created");
		return;
	}
	g_free(trigger->plan.target);
	trigger->plan.target = g_strdup(name);
	connect_target(trigger);
}

static void
create_disposable(struct trigger *trigger)
{
	const char *base = trigger->plan.target + strlen(DISPOSABLE);
	int r;

	if (!trigger->plan.autostart) {
		refuse(trigger, "a disposable without autostart");
		return;
	}
	r = disposable_new(
	    base, g_str_has_prefix(base, "uuid:"), on_disposable, trigger, &trigger->disposable);
	if (r < 0)
		refuse(trigger, strerror(-r));
}

/* --- the verdict ---------------------------------------------------------------------------- */

static bool
is_trusted_side(const char *target)
{
	return strcmp(target, "dom0") == 0 || strcmp(target, "@adminvm") == 0 ||
	       strcmp(target, TRUSTED_UUID) == 0;
}

static bool
is_own(const struct daemon *daemon, const char *target)
{
	return strcmp(target, daemon->name) == 0 ||
	       (g_str_has_prefix(target, "uuid:") && strcmp(target + 5, daemon->uuid) == 0);
}

/* True when sanitising would leave it alone: fit for a command string and for a socket's name. */
static bool
is_clean(const char *text, const char *extra)
{
	g_autofree char *clean = qrexec_sanitise(untrusted_bytes_of(text, strlen(text)), extra);

	return strcmp(text, clean) == 0;
}

/* The descriptor as services see it: there is always a '+'. */
static char *
with_plus(const char *descriptor)
{
	return g_strconcat(descriptor, strchr(descriptor, '+') != NULL ? "" : "+", NULL);
}

/* Moves the verdict into a plan. False when it holds something that no command could carry. */
static bool
plan_from_verdict(struct trigger *trigger, struct qrexec_verdict *verdict)
{
	struct plan *plan = &trigger->plan;
	const char *descriptor =
	    verdict->service != NULL ? verdict->service : trigger->request.descriptor;

	plan->autostart = verdict->autostart;
	plan->user = g_steal_pointer(&verdict->user);
	plan->target = is_trusted_side(verdict->target) || verdict->target_uuid == NULL
			   ? g_steal_pointer(&verdict->target)
			   : g_steal_pointer(&verdict->target_uuid);
	plan->requested_target = g_steal_pointer(&verdict->requested_target);
	plan->source = verdict->source != NULL ? g_steal_pointer(&verdict->source)
					       : g_strdup(daemon_of(trigger)->name);
	plan->descriptor = with_plus(descriptor);
	return is_clean(plan->user, "") && is_clean(plan->target, "@:") &&
	       is_clean(plan->source, ":") && is_clean(plan->requested_target, "@:") &&
	       is_clean(plan->descriptor, "+@:") &&
	       strlen(plan->descriptor) < QREXEC_DESCRIPTOR_MAX;
}

static void ask_policy(struct triggers *triggers);

static void
on_verdict(struct qrexec_verdict *verdict, void *data)
{
	struct trigger *trigger = data;
	bool usable;

	end_query(trigger);
	ask_policy(trigger->triggers);
	if (verdict == NULL || !verdict->allow) {
		refuse(trigger, verdict == NULL ? "no answer from the policy" : "denied");
		return;
	}
	usable = plan_from_verdict(trigger, verdict);
	qrexec_verdict_clear(verdict);
	if (!usable)
		refuse(trigger, "the policy's answer cannot be carried out");
	else if (is_trusted_side(trigger->plan.target))
		plan_service(trigger);
	else if (is_own(daemon_of(trigger), trigger->plan.target))
		refuse(trigger, "a qube cannot call itself");
	else if (g_str_has_prefix(trigger->plan.target, DISPOSABLE))
		create_disposable(trigger);
	else
		connect_target(trigger);
}

/* As many as may be asked about at a time. */
static void
ask_policy(struct triggers *triggers)
{
	while (triggers->query_count < QUERIES_MAX && !g_queue_is_empty(&triggers->waiting)) {
		struct trigger *trigger = g_queue_pop_head(&triggers->waiting);

		triggers->query_count++;
		trigger->query = policy_query_new(triggers->daemon->policy_program,
		    triggers->daemon->name, &trigger->request, on_verdict, trigger);
	}
}

/* --- the table ------------------------------------------------------------------------------ */

struct triggers *
triggers_new(struct daemon *daemon)
{
	struct triggers *triggers = g_new0(struct triggers, 1);

	triggers->daemon = daemon;
	triggers->triggers = g_ptr_array_new_with_free_func(trigger_free);
	return triggers;
}

void
triggers_free(struct triggers *triggers)
{
	if (triggers == NULL)
		return;
	g_ptr_array_unref(triggers->triggers);
	g_free(triggers);
}

void
triggers_add(struct triggers *triggers, struct qrexec_trigger *request)
{
	struct trigger *trigger;

	if (triggers->triggers->len >= QREXEC_TABLE_MAX) {
		if (daemon_note_refusal(triggers->daemon))
			log_warn("%s: too many requests: one refused", triggers->daemon->name);
		daemon_send_refused(triggers->daemon, &request->ident);
		qrexec_trigger_clear(request);
		return;
	}
	trigger = g_new0(struct trigger, 1);
	trigger->triggers = triggers;
	trigger->request = *request;
	memset(request, 0, sizeof(*request));
	g_ptr_array_add(triggers->triggers, trigger);
	g_queue_push_tail(&triggers->waiting, trigger);
	ask_policy(triggers);
}

bool
triggers_take(struct triggers *triggers, const struct qrexec_ident *ident)
{
	for (guint i = 0; i < triggers->triggers->len; i++) {
		struct trigger *trigger = g_ptr_array_index(triggers->triggers, i);

		if (!trigger->answered && qrexec_ident_equal(&trigger->request.ident, ident)) {
			trigger->answered = true;
			return true;
		}
	}
	return false;
}

void
triggers_forget(struct triggers *triggers)
{
	for (guint i = triggers->triggers->len; i > 0; i--) {
		struct trigger *trigger = g_ptr_array_index(triggers->triggers, i - 1);

		if (trigger->execution == NULL)
			finish(trigger);
	}
}
