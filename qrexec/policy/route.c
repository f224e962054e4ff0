#include "qrexec/policy/route.h"

#include <string.h>

#define CLASS_REMOTE "RemoteVM"
#define STATE_RUNNING "Running"

void
route_clear(struct route *route)
{
	g_clear_pointer(&route->text, g_free);
}

static const char *const problem_texts[] = {
    [ROUTE_NO_TARGET] = "neither the caller nor the policy names a target",
    [ROUTE_NO_DEFAULT_BASE] = "the source has no default disposable template",
    [ROUTE_NOT_A_BASE] = "the target is not a disposable template",
    [ROUTE_NEEDS_START] = "the target would have to be started",
};

const char *
route_problem_text(enum route_problem problem)
{
	return problem_texts[problem];
}

enum route_problem
route_find(const struct evaluation *eval, const struct policy_rule *rule,
    const struct subject *subject, struct route *ret)
{
	struct route found = {.kind = subject->kind, .qube = subject->qube};
	struct subject base;

	switch (subject->kind) {
	case POLICY_TOKEN_ADMINVM:
		*ret = (struct route){.kind = subject->kind, .text = g_strdup(SUBJECT_DOM0)};
		return ROUTE_FOUND;
	case POLICY_TOKEN_DISPVM:
	case POLICY_TOKEN_DISPVM_OF:
		found.kind = POLICY_TOKEN_DISPVM_OF;
		found.qube = match_base_of(eval->match.default_base, subject);
		base = (struct subject){.kind = found.kind, .qube = found.qube};
		if (found.qube == NULL && subject->kind == POLICY_TOKEN_DISPVM)
			return ROUTE_NO_DEFAULT_BASE;
		if (!subject_is_base(&base))
			return ROUTE_NOT_A_BASE;
		if (!rule->autostart)
			return ROUTE_NEEDS_START;
		break;
	default:
		if (found.qube == NULL)
			return ROUTE_NO_TARGET;
		if (!rule->autostart && g_strcmp0(found.qube->power_state, STATE_RUNNING) != 0)
			return ROUTE_NEEDS_START;
		break;
	}
	found.text = subject->kind == POLICY_TOKEN_DISPVM
			 ? g_strconcat(SUBJECT_DISPVM_PREFIX, found.qube->name, NULL)
			 : g_strdup(subject->text);
	*ret = found;
	return ROUTE_FOUND;
}

/* --- the reply ------------------------------------------------------------------------------ */

static void
reply_add(GString *reply, const char *key, const char *value)
{
	g_string_append_printf(reply, "%s%s=%s", reply->len > 0 ? "\n" : "", key, value);
}

static void
reply_add_uuid(GString *reply, const char *prefix, const struct qube_info *qube)
{
	g_autofree char *value = NULL;

	if (qube->uuid == NULL)
		return;
	value = g_strconcat(prefix, qube->uuid, NULL);
	reply_add(reply, "target_uuid", value);
}

/* A call to a remote qube goes to its relay, which gets a service that says what is meant. */
static char *
relay_service(const struct evaluation *eval, const struct qube_info *remote)
{
	return g_strdup_printf("%s+%s+%s%s", remote->transport_rpc,
	    eval->decision->requested_target, eval->request->service, eval->request->argument);
}

static void
allow(struct evaluation *eval, const struct policy_rule *rule, const struct route *route)
{
	struct policy_decision *decision = eval->decision;
	const struct qube_info *qube = route->qube;
	const struct qube_info *remote = NULL;
	const char *target = route->text;
	const char *user = rule->user != NULL ? rule->user : "DEFAULT";
	GString *reply = g_string_new(NULL);

	if (route->kind == POLICY_TOKEN_QUBE && g_strcmp0(qube->klass, CLASS_REMOTE) == 0) {
		remote = qube;
		qube = system_info_find(eval->info, remote->relayvm);
		target = remote->relayvm;
		if (rule->user != NULL)
			evaluation_warn(eval, "%s:%u: user= is ignored for a remote qube",
			    rule->file, rule->line);
		user = "DEFAULT";
	}
	reply_add(reply, "user", user);
	reply_add(reply, "result", "allow");
	reply_add(reply, "target", target);
	if (route->kind == POLICY_TOKEN_DISPVM_OF)
		reply_add_uuid(reply, SUBJECT_DISPVM_PREFIX SUBJECT_UUID_PREFIX, qube);
	else if (qube != NULL)
		reply_add_uuid(reply, SUBJECT_UUID_PREFIX, qube);
	reply_add(reply, "autostart", rule->autostart ? "True" : "False");
	reply_add(reply, "requested_target", decision->requested_target);
	if (remote != NULL) {
		g_autofree char *service = relay_service(eval, remote);

		reply_add(reply, "service", service);
	}
	if (evaluation_has_requested_source(eval) && route->kind != POLICY_TOKEN_ADMINVM)
		reply_add(reply, "policy_source", eval->source.text);
	decision->result = POLICY_ALLOWED;
	decision->notify = rule->notify;
	g_clear_pointer(&decision->choices, g_array_unref);
	g_clear_pointer(&decision->default_target, g_free);
	decision->target = g_strdup(route->text);
	decision->reply = g_string_free(reply, FALSE);
}

/* Why a remote qube cannot be reached, or NULL. */
static const char *
remote_problem(const struct evaluation *eval, const struct qube_info *qube)
{
	if (g_strcmp0(qube->klass, CLASS_REMOTE) != 0)
		return NULL;
	if (qube->relayvm == NULL)
		return "relayvm is not set";
	if (qube->transport_rpc == NULL)
		return "transport RPC is not set";
	if (system_info_find(eval->info, qube->relayvm) == NULL)
		return "there is no such relayvm";
	return NULL;
}

/* The qube through which a remote one is reached, NULL for others and for a relay that is not. */
static const struct qube_info *
relay_of(const struct evaluation *eval, const struct qube_info *qube)
{
	if (qube == NULL || g_strcmp0(qube->klass, CLASS_REMOTE) != 0 || qube->relayvm == NULL)
		return NULL;
	return system_info_find(eval->info, qube->relayvm);
}

bool
route_is_loopback(const struct evaluation *eval, const struct route *route)
{
	struct subject end = {.kind = route->kind, .text = route->text, .qube = route->qube};
	const struct qube_info *relay = relay_of(eval, end.qube);

	if (route->kind == POLICY_TOKEN_DISPVM_OF)
		return false;
	return subject_is_same(&end, &eval->source) || subject_is_same(&end, &eval->caller) ||
	       (relay != NULL && relay == eval->caller.qube);
}

void
route_connect(struct evaluation *eval, const struct policy_rule *rule, const struct route *route)
{
	const char *problem =
	    route->kind == POLICY_TOKEN_QUBE ? remote_problem(eval, route->qube) : NULL;

	if (problem != NULL)
		evaluation_deny(eval, POLICY_STAGE_RESOLUTION, true, "%s:%u: %s: %s", rule->file,
		    rule->line, route->text, problem);
	else if (route_is_loopback(eval, route))
		evaluation_deny(eval, POLICY_STAGE_RESOLUTION, true,
		    "%s:%u: a qube cannot call itself", rule->file, rule->line);
	else
		allow(eval, rule, route);
}
