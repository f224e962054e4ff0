#include "qrexec/policy/choices.h"

#include "qrexec/policy/route.h"

#include <string.h>

/*
 * What the rules say of each possible target: text (owned) -> bool. The first rule that
 * mentions a target decides about it.
 */
struct ballot {
	const struct evaluation *eval;
	GHashTable *votes;
	GPtrArray *qubes; /* all of them */
	bool vote;        /* of the rule at hand */
};

static void
ballot_vote(struct ballot *ballot, const char *prefix, const char *name)
{
	char *target = g_strconcat(prefix, name, NULL);

	if (g_hash_table_contains(ballot->votes, target))
		g_free(target);
	else
		g_hash_table_insert(ballot->votes, target, GINT_TO_POINTER(ballot->vote));
}

static bool
is_dom0(const struct qube_info *qube)
{
	return strcmp(qube->name, SUBJECT_DOM0) == 0;
}

static void
vote_for_all(struct ballot *ballot, bool with_dom0)
{
	for (guint i = 0; i < ballot->qubes->len; i++) {
		const struct qube_info *qube = g_ptr_array_index(ballot->qubes, i);

		if (with_dom0 || !is_dom0(qube))
			ballot_vote(ballot, "", qube->name);
		if (qube->template_for_dispvms)
			ballot_vote(ballot, SUBJECT_DISPVM_PREFIX, qube->name);
	}
	ballot_vote(ballot, "", "@dispvm");
}

static void
vote_for_matching(struct ballot *ballot, const struct policy_token *token)
{
	bool bases = token->kind == POLICY_TOKEN_DISPVM_TAG;

	for (guint i = 0; i < ballot->qubes->len; i++) {
		const struct qube_info *qube = g_ptr_array_index(ballot->qubes, i);
		struct subject subject = {
		    .kind = bases ? POLICY_TOKEN_DISPVM_OF : POLICY_TOKEN_QUBE,
		    .text = qube->name,
		    .qube = qube,
		};

		if (match_keyword(ballot->eval->match.default_base, token, &subject))
			ballot_vote(ballot, bases ? SUBJECT_DISPVM_PREFIX : "", qube->name);
	}
}

static void
vote_for_token(struct ballot *ballot, const struct policy_token *token)
{
	struct subject subject = subject_of_token(ballot->eval->info, token);

	switch (token->kind) {
	case POLICY_TOKEN_ANY:
	case POLICY_TOKEN_ANYVM:
		vote_for_all(ballot, token->kind == POLICY_TOKEN_ANY);
		break;
	case POLICY_TOKEN_ADMINVM:
		ballot_vote(ballot, "", SUBJECT_DOM0);
		break;
	case POLICY_TOKEN_DISPVM:
		ballot_vote(ballot, "", token->text);
		break;
	case POLICY_TOKEN_QUBE:
		if (subject.qube != NULL)
			ballot_vote(ballot, "", subject.qube->name);
		break;
	case POLICY_TOKEN_DISPVM_OF:
		if (subject_is_base(&subject))
			ballot_vote(ballot, SUBJECT_DISPVM_PREFIX, subject.qube->name);
		break;
	case POLICY_TOKEN_TYPE:
	case POLICY_TOKEN_TAG:
	case POLICY_TOKEN_DISPVM_TAG:
		vote_for_matching(ballot, token);
		break;
	case POLICY_TOKEN_DEFAULT:
		break;
	}
}

/* All rules for the request's service, argument and source vote, also those before the match. */
static GHashTable *
collect_votes(const struct evaluation *eval)
{
	g_autofree uint8_t *seen = g_malloc0(policy_token_count(eval->policy) + 1);
	struct ballot ballot = {
	    .eval = eval,
	    .votes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
	    .qubes = system_info_all(eval->info),
	};
	struct policy_cursor cursor;
	const struct policy_rule *rule;

	match_each_begin(&eval->match, &cursor);
	while ((rule = match_each_next(&eval->match, &cursor)) != NULL) {
		const struct policy_token *token =
		    rule->redirect != NULL ? rule->redirect : rule->target;

		if (seen[token->index]) /* whatever it stands for has been decided */
			continue;
		seen[token->index] = true;
		ballot.vote = rule->action != POLICY_ACTION_DENY;
		vote_for_token(&ballot, token);
	}
	g_ptr_array_unref(ballot.qubes);
	return ballot.votes;
}

/* The name under which a subject is offered, NULL when it cannot be; to be freed. */
static char *
choice_name(const struct evaluation *eval, const struct subject *subject)
{
	switch (subject->kind) {
	case POLICY_TOKEN_ADMINVM:
		return g_strdup(SUBJECT_DOM0);
	case POLICY_TOKEN_DISPVM:
		if (eval->match.default_base == NULL)
			return NULL;
		return g_strconcat(SUBJECT_DISPVM_PREFIX, eval->match.default_base->name, NULL);
	case POLICY_TOKEN_DISPVM_OF:
		return subject->qube != NULL
			   ? g_strconcat(SUBJECT_DISPVM_PREFIX, subject->qube->name, NULL)
			   : NULL;
	default:
		return subject->qube != NULL ? g_strdup(subject->qube->name) : NULL;
	}
}

static void
add_choice(struct evaluation *eval, const struct policy_rule *rule, const struct subject *subject)
{
	struct route route = {0};
	struct policy_choice choice = {0};

	if (route_find(eval, rule, subject, &route) != ROUTE_FOUND)
		return;
	choice.target = choice_name(eval, subject);
	if (!route_is_loopback(eval, &route) &&
	    !policy_decision_offers(eval->decision, choice.target)) {
		choice.uuid = route.qube != NULL ? g_strdup(route.qube->uuid) : NULL;
		g_array_append_val(eval->decision->choices, choice);
	} else {
		g_free(choice.target);
	}
	route_clear(&route);
}

static bool
is_internal(const struct evaluation *eval, const struct subject *subject)
{
	const struct qube_info *qube =
	    subject->kind == POLICY_TOKEN_DISPVM ? eval->match.default_base : subject->qube;

	return qube != NULL && qube->internal;
}

static int
compare_choices(gconstpointer a, gconstpointer b)
{
	return strcmp(
	    ((const struct policy_choice *)a)->target, ((const struct policy_choice *)b)->target);
}

static void
collect_choices(struct evaluation *eval, const struct policy_rule *rule)
{
	g_autoptr(GHashTable) votes = collect_votes(eval);
	GHashTableIter iter;
	gpointer target, vote;

	g_hash_table_iter_init(&iter, votes);
	while (g_hash_table_iter_next(&iter, &target, &vote)) {
		struct subject subject = subject_of_target(eval->info, target);

		if (GPOINTER_TO_INT(vote) && !is_internal(eval, &subject))
			add_choice(eval, rule, &subject);
	}
	g_array_sort(eval->decision->choices, compare_choices);
}

static void
set_default_target(struct evaluation *eval, const struct policy_rule *rule)
{
	struct subject wanted;
	g_autofree char *name = NULL;

	if (rule->default_target == NULL)
		return;
	wanted = subject_of_token(eval->info, rule->default_target);
	name = choice_name(eval, &wanted);
	if (name != NULL && policy_decision_offers(eval->decision, name))
		eval->decision->default_target = g_steal_pointer(&name);
	else
		evaluation_warn(eval, "%s:%u: default_target=%s is not among the choices",
		    rule->file, rule->line, rule->default_target->text);
}

void
choices_offer(struct evaluation *eval, const struct policy_rule *rule)
{
	struct policy_decision *decision = eval->decision;

	decision->choices = policy_choices_new();
	if (rule->redirect != NULL) {
		struct subject wanted = subject_of_token(eval->info, rule->redirect);

		add_choice(eval, rule, &wanted);
	} else {
		collect_choices(eval, rule);
	}
	if (decision->choices->len == 0) {
		evaluation_deny(eval, POLICY_STAGE_RULE, true,
		    "%s:%u: no target is available to choose from", rule->file, rule->line);
		return;
	}
	decision->result = POLICY_ASK;
	decision->notify = rule->notify;
	set_default_target(eval, rule);
}
