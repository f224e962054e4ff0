#include "qrexec/policy/eval.h"

#include "qrexec/policy/choices.h"
#include "qrexec/policy/evaluation.h"
#include "qrexec/policy/route.h"

#include <string.h>

#define CLASS_REMOTE "RemoteVM"

void
evaluation_deny(
    struct evaluation *eval, enum policy_stage stage, bool notify, const char *format, ...)
{
	struct policy_decision *decision = eval->decision;
	va_list args;

	va_start(args, format);
	g_free(decision->reason);
	decision->reason = g_strdup_vprintf(format, args);
	va_end(args);
	decision->result = POLICY_DENIED;
	decision->stage = stage;
	decision->notify = notify;
	g_clear_pointer(&decision->target, g_free);
	g_clear_pointer(&decision->reply, g_free);
	g_clear_pointer(&decision->choices, g_array_unref);
	g_clear_pointer(&decision->default_target, g_free);
}

void
evaluation_warn(struct evaluation *eval, const char *format, ...)
{
	va_list args;

	if (eval->decision->warnings == NULL)
		eval->decision->warnings = g_ptr_array_new_with_free_func(g_free);
	va_start(args, format);
	g_ptr_array_add(eval->decision->warnings, g_strdup_vprintf(format, args));
	va_end(args);
}

bool
evaluation_has_requested_source(const struct evaluation *eval)
{
	const char *claimed = eval->request->requested_source;

	return claimed != NULL && claimed[0] != '\0';
}

void
policy_split_descriptor(const char *descriptor, char **ret_service, char **ret_argument)
{
	size_t len = strcspn(descriptor, "+");

	*ret_service = g_strndup(descriptor, len);
	*ret_argument = g_strdup(descriptor[len] != '\0' ? descriptor + len : "+");
}

static const char *
own_gui_domain(const struct subject *subject)
{
	if (subject->qube != NULL && subject->qube->guivm != NULL)
		return subject->qube->guivm;
	return subject->kind == POLICY_TOKEN_ADMINVM ? SUBJECT_DOM0 : NULL;
}

/* dom0 asks in its own session, a remote qube in that of its relay. */
static const char *
gui_domain_of(const struct evaluation *eval)
{
	const char *guivm = own_gui_domain(&eval->source);

	return guivm != NULL ? guivm : own_gui_domain(&eval->caller);
}

/* --- the actions ---------------------------------------------------------------------------- */

static void
follow_allow(struct evaluation *eval, const struct policy_rule *rule)
{
	struct subject wanted =
	    rule->redirect != NULL ? subject_of_token(eval->info, rule->redirect) : eval->target;
	struct route route = {0};
	enum route_problem problem = route_find(eval, rule, &wanted, &route);

	if (problem != ROUTE_FOUND) {
		evaluation_deny(eval, POLICY_STAGE_RULE,
		    problem == ROUTE_NEEDS_START ? rule->notify : true, "%s:%u: %s", rule->file,
		    rule->line, route_problem_text(problem));
		return;
	}
	route_connect(eval, rule, &route);
	route_clear(&route);
}

static void
follow_deny(struct evaluation *eval, const struct policy_rule *rule)
{
	evaluation_deny(eval, POLICY_STAGE_RULE, rule->notify, "%s:%u: denied by policy",
	    rule->file, rule->line);
}

/* --- the request ---------------------------------------------------------------------------- */

static bool
check_target(struct evaluation *eval)
{
	static const struct policy_token default_token = {
	    .kind = POLICY_TOKEN_DEFAULT, .text = "@default", .value = ""};
	struct policy_token token = default_token;
	const char *text = eval->request->target;

	if (text[0] != '\0' &&
	    (policy_token_parse(text, POLICY_COLUMN_REQUEST, &token) != POLICY_TOKEN_OK)) {
		evaluation_deny(eval, POLICY_STAGE_REQUEST, true, "'%s' cannot be a target", text);
		return false;
	}
	eval->target = subject_of_token(eval->info, &token);
	if (token.kind == POLICY_TOKEN_DISPVM_OF && !subject_is_base(&eval->target)) {
		evaluation_deny(eval, POLICY_STAGE_REQUEST, true,
		    "'%s' is not a disposable template", token.value);
		return false;
	}
	if (token.kind == POLICY_TOKEN_QUBE && eval->target.qube == NULL) {
		evaluation_warn(eval, "there is no qube '%s', taken as @default", text);
		eval->target = subject_of_token(eval->info, &default_token);
	}
	eval->decision->requested_target = g_strdup(eval->target.text);
	return true;
}

/* A relay may speak for the remote qubes that it serves, and for nobody else. */
static bool
check_source(struct evaluation *eval)
{
	const char *claimed = eval->request->requested_source;
	struct subject remote, relay;

	if (!evaluation_has_requested_source(eval))
		return true;
	remote = subject_of_source(eval->info, claimed);
	if (remote.qube == NULL) {
		evaluation_deny(
		    eval, POLICY_STAGE_REQUEST, true, "unknown requested source '%s'", claimed);
		return false;
	}
	if (g_strcmp0(remote.qube->klass, CLASS_REMOTE) != 0) {
		evaluation_deny(eval, POLICY_STAGE_REQUEST, true,
		    "%s: a requested source is only for RemoteVM", claimed);
		return false;
	}
	relay =
	    subject_of_source(eval->info, remote.qube->relayvm != NULL ? remote.qube->relayvm : "");
	if (relay.qube == NULL || relay.qube != eval->caller.qube) {
		evaluation_deny(eval, POLICY_STAGE_REQUEST, true, "%s is not a relay for %s",
		    eval->request->source, claimed);
		return false;
	}
	eval->source = remote;
	return true;
}

static void
decide(struct evaluation *eval)
{
	static void (*const followers[])(struct evaluation *, const struct policy_rule *) = {
	    [POLICY_ACTION_ALLOW] = follow_allow,
	    [POLICY_ACTION_ASK] = choices_offer,
	    [POLICY_ACTION_DENY] = follow_deny,
	};
	const struct policy_rule *rule = match_find_rule(&eval->match);

	if (rule == NULL) {
		evaluation_deny(eval, POLICY_STAGE_NOMATCH, true, "no matching rule");
		return;
	}
	eval->decision->rule = rule;
	followers[rule->action](eval, rule);
}

static void
evaluation_init(struct evaluation *eval, const struct policy *policy,
    const struct system_info *info, const struct policy_request *request,
    struct policy_decision *decision)
{
	*decision = (struct policy_decision){0};
	*eval = (struct evaluation){
	    .policy = policy,
	    .info = info,
	    .request = request,
	    .decision = decision,
	};
	eval->caller = subject_of_source(eval->info, request->source);
	eval->source = eval->caller;
}

static void
evaluation_fini(struct evaluation *eval)
{
	eval->decision->source = g_strdup(eval->source.text);
	if (eval->decision->requested_target == NULL)
		eval->decision->requested_target = g_strdup(eval->request->target);
	eval->decision->guivm = g_strdup(gui_domain_of(eval));
	match_fini(&eval->match);
}

static void
evaluate(struct evaluation *eval)
{
	if (!check_target(eval) || !check_source(eval))
		return;
	match_init(&eval->match, eval->policy, eval->request->service, eval->request->argument,
	    &eval->source, &eval->target, subject_default_base(eval->info, &eval->source));
	decide(eval);
}

void
policy_evaluate(const struct policy *policy, const struct system_info *info,
    const struct policy_request *request, struct policy_decision *ret)
{
	struct evaluation eval;

	evaluation_init(&eval, policy, info, request, ret);
	evaluate(&eval);
	evaluation_fini(&eval);
}

/* --- answers -------------------------------------------------------------------------------- */

static void
follow_choice(struct evaluation *eval, const char *target)
{
	const struct policy_rule *rule = eval->decision->rule;
	struct subject chosen = subject_of_target(eval->info, target);
	struct route route = {0};

	if (route_find(eval, rule, &chosen, &route) != ROUTE_FOUND)
		return; /* not so: it is among the choices of the same evaluation */
	route_connect(eval, rule, &route);
	route_clear(&route);
}

void
policy_answer(const struct policy *policy, const struct system_info *info,
    const struct policy_request *request, const struct policy_decision *asked, const char *target,
    struct policy_decision *ret)
{
	const struct policy_choice *then = policy_decision_find(asked, target);
	const struct policy_choice *now;
	struct evaluation eval;

	evaluation_init(&eval, policy, info, request, ret);
	evaluate(&eval);
	now = policy_decision_find(ret, target);
	if (then == NULL)
		evaluation_deny(&eval, POLICY_STAGE_ANSWER, true, "'%s' was not offered", target);
	else if (now == NULL || g_strcmp0(then->uuid, now->uuid) != 0)
		evaluation_deny(&eval, POLICY_STAGE_ANSWER, true,
		    "'%s' is not allowed any more, since it was offered", target);
	else
		follow_choice(&eval, target);
	evaluation_fini(&eval);
}

void
policy_assume_yes(const struct policy *policy, const struct system_info *info,
    const struct policy_request *request, struct policy_decision *decision)
{
	struct policy_decision asked = *decision;

	if (asked.result != POLICY_ASK)
		return;
	policy_answer(policy, info, request, &asked, asked.requested_target, decision);
	policy_decision_clear(&asked);
}
