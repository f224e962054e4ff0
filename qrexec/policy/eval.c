#include "qrexec/policy/eval.h"

#include <stdint.h>
#include <string.h>

#define DOM0 "dom0"
#define DISPVM_PREFIX "@dispvm:"
#define UUID_PREFIX "uuid:"
#define CLASS_REMOTE "RemoteVM"
#define STATE_RUNNING "Running"

/*
 * Who calls, or who is called: a token of the kinds that a request may hold, and the qube that it
 * names. For POLICY_TOKEN_DISPVM_OF that is the base. NULL when there is no such qube, and for
 * keywords.
 */
struct subject {
	enum policy_token_kind kind;
	const char *text;
	const struct qube_info *qube;
};

enum verdict { UNKNOWN, NO, YES };

/* One evaluation. Everything in it is borrowed, but for the memory of verdicts. */
struct evaluation {
	const struct policy *policy;
	const struct system_info *info;
	const struct policy_request *request;
	struct subject caller; /* who really calls: the relay for a remote source */
	struct subject source; /* who calls as far as rules are concerned */
	struct subject target;
	const struct qube_info *default_base; /* of the source; NULL when it has none */
	uint8_t *source_verdicts; /* enum verdict by token index: does it match the source? */
	uint8_t *target_verdicts;
	struct policy_decision *decision;
};

/* Where an allowed call goes. */
struct destination {
	enum policy_token_kind kind;  /* ADMINVM, DISPVM_OF or QUBE */
	char *text;                   /* owned */
	const struct qube_info *qube; /* the base of a disposable; NULL for dom0 */
};

/* --- decisions ------------------------------------------------------------------------------ */

void
policy_split_descriptor(const char *descriptor, char **ret_service, char **ret_argument)
{
	size_t len = strcspn(descriptor, "+");

	*ret_service = g_strndup(descriptor, len);
	*ret_argument = g_strdup(descriptor[len] != '\0' ? descriptor + len : "+");
}

void
policy_decision_clear(struct policy_decision *decision)
{
	g_free(decision->reason);
	g_free(decision->source);
	g_free(decision->requested_target);
	g_free(decision->guivm);
	g_free(decision->target);
	g_free(decision->reply);
	g_clear_pointer(&decision->choices, g_array_unref);
	g_free(decision->default_target);
	g_clear_pointer(&decision->warnings, g_ptr_array_unref);
	*decision = (struct policy_decision){0};
}

static void
choice_clear(gpointer data)
{
	struct policy_choice *choice = data;

	g_free(choice->target);
	g_free(choice->uuid);
}

static const struct policy_choice *
find_choice(const struct policy_decision *decision, const char *target)
{
	for (guint i = 0; decision->choices != NULL && i < decision->choices->len; i++) {
		const struct policy_choice *choice =
		    &g_array_index(decision->choices, struct policy_choice, i);

		if (strcmp(choice->target, target) == 0)
			return choice;
	}
	return NULL;
}

bool
policy_decision_offers(const struct policy_decision *decision, const char *target)
{
	return find_choice(decision, target) != NULL;
}

static void deny(struct evaluation *eval, enum policy_stage stage, bool notify, const char *format,
    ...) __attribute__((format(printf, 4, 5)));

static void
deny(struct evaluation *eval, enum policy_stage stage, bool notify, const char *format, ...)
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

static void warn(struct evaluation *eval, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
warn(struct evaluation *eval, const char *format, ...)
{
	va_list args;

	if (eval->decision->warnings == NULL)
		eval->decision->warnings = g_ptr_array_new_with_free_func(g_free);
	va_start(args, format);
	g_ptr_array_add(eval->decision->warnings, g_strdup_vprintf(format, args));
	va_end(args);
}

static bool
has_requested_source(const struct policy_request *request)
{
	return request->requested_source != NULL && request->requested_source[0] != '\0';
}

/* --- subjects ------------------------------------------------------------------------------- */

static struct subject
subject_of_token(const struct evaluation *eval, const struct policy_token *token)
{
	struct subject subject = {.kind = token->kind, .text = token->text};

	if (token->kind == POLICY_TOKEN_QUBE || token->kind == POLICY_TOKEN_DISPVM_OF)
		subject.qube = system_info_find(eval->info, token->value);
	else if (token->kind == POLICY_TOKEN_ADMINVM && token->text[0] != '@')
		subject.qube = system_info_find(eval->info, DOM0);
	return subject;
}

/* A source is a qube and nothing else, whatever its name looks like. */
static struct subject
subject_of_source(const struct evaluation *eval, const char *text)
{
	struct policy_token token;

	if (policy_token_parse(text, POLICY_COLUMN_REQUEST, &token) != POLICY_TOKEN_OK ||
	    (token.kind != POLICY_TOKEN_QUBE && token.kind != POLICY_TOKEN_ADMINVM))
		return (struct subject){.kind = POLICY_TOKEN_QUBE, .text = text};
	return subject_of_token(eval, &token);
}

static bool
subject_is_base(const struct subject *subject)
{
	return subject->qube != NULL && subject->qube->template_for_dispvms;
}

static bool
same_subject(const struct subject *a, const struct subject *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == POLICY_TOKEN_ADMINVM || strcmp(a->text, b->text) == 0)
		return true;
	return a->qube != NULL && a->qube == b->qube;
}

static const struct qube_info *
default_base_of(const struct evaluation *eval, const struct subject *source)
{
	if (source->qube == NULL || source->qube->default_dispvm == NULL)
		return NULL;
	return system_info_find(eval->info, source->qube->default_dispvm);
}

static const char *
own_gui_domain(const struct subject *subject)
{
	if (subject->qube != NULL && subject->qube->guivm != NULL)
		return subject->qube->guivm;
	return subject->kind == POLICY_TOKEN_ADMINVM ? DOM0 : NULL;
}

/* dom0 asks in its own session, a remote qube in that of its relay. */
static const char *
gui_domain_of(const struct evaluation *eval)
{
	const char *guivm = own_gui_domain(&eval->source);

	return guivm != NULL ? guivm : own_gui_domain(&eval->caller);
}

/* --- matching ------------------------------------------------------------------------------- */

/* The base of the disposable that the subject stands for, NULL when it stands for none. */
static const struct qube_info *
base_of(const struct evaluation *eval, const struct subject *subject)
{
	switch (subject->kind) {
	case POLICY_TOKEN_DISPVM:
		return eval->default_base;
	case POLICY_TOKEN_DISPVM_OF:
		return subject->qube;
	default:
		return NULL;
	}
}

/* True when text is a spelling of the qube. */
static bool
names_qube(const char *text, const struct qube_info *qube)
{
	if (qube == NULL)
		return false;
	if (strcmp(text, qube->name) == 0)
		return true;
	return qube->uuid != NULL && g_str_has_prefix(text, UUID_PREFIX) &&
	       strcmp(text + strlen(UUID_PREFIX), qube->uuid) == 0;
}

static bool
token_matches(
    const struct evaluation *eval, const struct policy_token *token, const struct subject *subject)
{
	bool is_qube = subject->kind == POLICY_TOKEN_QUBE || subject->kind == POLICY_TOKEN_ADMINVM;
	const struct qube_info *qube = is_qube ? subject->qube : NULL;
	const struct qube_info *base = base_of(eval, subject);

	switch (token->kind) {
	case POLICY_TOKEN_ANY:
		return true;
	case POLICY_TOKEN_ANYVM:
		return subject->kind != POLICY_TOKEN_ADMINVM;
	case POLICY_TOKEN_ADMINVM:
	case POLICY_TOKEN_DEFAULT:
	case POLICY_TOKEN_DISPVM:
		return subject->kind == token->kind;
	case POLICY_TOKEN_QUBE:
		return false; /* see mark_names() */
	case POLICY_TOKEN_TYPE:
		return qube != NULL && g_strcmp0(qube->klass, token->value) == 0;
	case POLICY_TOKEN_TAG:
		return qube != NULL && qube_info_has_tag(qube, token->value);
	case POLICY_TOKEN_DISPVM_OF:
		return names_qube(token->value, base);
	case POLICY_TOKEN_DISPVM_TAG:
		return base != NULL && base->template_for_dispvms &&
		       qube_info_has_tag(base, token->value);
	}
	g_assert_not_reached();
}

static void
mark_name(const struct evaluation *eval, uint8_t *verdicts, const char *prefix, const char *name)
{
	g_autofree char *text = g_strconcat(prefix, name, NULL);
	const struct policy_token *token = policy_find_token(eval->policy, text);

	if (token != NULL && token->kind == POLICY_TOKEN_QUBE)
		verdicts[token->index] = YES;
}

/*
 * Rules may name thousands of qubes, but each has only two spellings, and one that does not exist
 * has only its own: they are marked beforehand, and every other name does not match.
 */
static void
mark_names(const struct evaluation *eval, uint8_t *verdicts, const struct subject *subject)
{
	const struct qube_info *qube = subject->qube;

	if (subject->kind != POLICY_TOKEN_QUBE)
		return;
	mark_name(eval, verdicts, "", subject->text);
	if (qube != NULL)
		mark_name(eval, verdicts, "", qube->name);
	if (qube != NULL && qube->uuid != NULL)
		mark_name(eval, verdicts, UUID_PREFIX, qube->uuid);
}

/* Many rules share few tokens: each is looked at once per evaluation. */
static bool
token_matches_once(const struct evaluation *eval, uint8_t *verdicts,
    const struct policy_token *token, const struct subject *subject)
{
	uint8_t *verdict = &verdicts[token->index];

	if (*verdict == UNKNOWN && token->kind != POLICY_TOKEN_QUBE)
		*verdict = token_matches(eval, token, subject) ? YES : NO;
	return *verdict == YES;
}

/* The next rule for service, argument and source; the target is left to the caller. */
static const struct policy_rule *
next_rule_for_source(const struct evaluation *eval, struct policy_cursor *cursor)
{
	const struct policy_rule *rule;

	while ((rule = policy_cursor_next(cursor)) != NULL) {
		if (token_matches_once(eval, eval->source_verdicts, rule->source, &eval->source))
			return rule;
	}
	return NULL;
}

static const struct policy_rule *
find_rule(const struct evaluation *eval)
{
	struct policy_cursor cursor;
	const struct policy_rule *rule;

	policy_cursor_init(&cursor, eval->policy, eval->request->service, eval->request->argument);
	while ((rule = next_rule_for_source(eval, &cursor)) != NULL) {
		if (token_matches_once(eval, eval->target_verdicts, rule->target, &eval->target))
			return rule;
	}
	return NULL;
}

/* --- where a call goes ---------------------------------------------------------------------- */

static void
destination_clear(struct destination *destination)
{
	g_clear_pointer(&destination->text, g_free);
}

enum problem { NO_PROBLEM, NO_TARGET, NO_DEFAULT_BASE, NOT_A_BASE, NEEDS_START };

static const char *const problem_texts[] = {
    [NO_TARGET] = "neither the caller nor the policy names a target",
    [NO_DEFAULT_BASE] = "the source has no default disposable template",
    [NOT_A_BASE] = "the target is not a disposable template",
    [NEEDS_START] = "the target would have to be started",
};

/* Where a call to subject goes under rule; *ret is untouched when it goes nowhere. */
static enum problem
find_destination(const struct evaluation *eval, const struct policy_rule *rule,
    const struct subject *subject, struct destination *ret)
{
	struct destination found = {.kind = subject->kind, .qube = subject->qube};
	struct subject base;

	switch (subject->kind) {
	case POLICY_TOKEN_ADMINVM:
		*ret = (struct destination){.kind = subject->kind, .text = g_strdup(DOM0)};
		return NO_PROBLEM;
	case POLICY_TOKEN_DISPVM:
	case POLICY_TOKEN_DISPVM_OF:
		found.kind = POLICY_TOKEN_DISPVM_OF;
		found.qube = base_of(eval, subject);
		base = (struct subject){.kind = found.kind, .qube = found.qube};
		if (found.qube == NULL && subject->kind == POLICY_TOKEN_DISPVM)
			return NO_DEFAULT_BASE;
		if (!subject_is_base(&base))
			return NOT_A_BASE;
		if (!rule->autostart)
			return NEEDS_START;
		break;
	default:
		if (found.qube == NULL)
			return NO_TARGET;
		if (!rule->autostart && g_strcmp0(found.qube->power_state, STATE_RUNNING) != 0)
			return NEEDS_START;
		break;
	}
	found.text = subject->kind == POLICY_TOKEN_DISPVM
			 ? g_strconcat(DISPVM_PREFIX, found.qube->name, NULL)
			 : g_strdup(subject->text);
	*ret = found;
	return NO_PROBLEM;
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
allow(
    struct evaluation *eval, const struct policy_rule *rule, const struct destination *destination)
{
	struct policy_decision *decision = eval->decision;
	const struct qube_info *qube = destination->qube;
	const struct qube_info *remote = NULL;
	const char *target = destination->text;
	const char *user = rule->user != NULL ? rule->user : "DEFAULT";
	GString *reply = g_string_new(NULL);

	if (destination->kind == POLICY_TOKEN_QUBE && g_strcmp0(qube->klass, CLASS_REMOTE) == 0) {
		remote = qube;
		qube = system_info_find(eval->info, remote->relayvm);
		target = remote->relayvm;
		if (rule->user != NULL)
			warn(eval, "%s:%u: user= is ignored for a remote qube", rule->file,
			    rule->line);
		user = "DEFAULT";
	}
	reply_add(reply, "user", user);
	reply_add(reply, "result", "allow");
	reply_add(reply, "target", target);
	if (destination->kind == POLICY_TOKEN_DISPVM_OF)
		reply_add_uuid(reply, DISPVM_PREFIX UUID_PREFIX, qube);
	else if (qube != NULL)
		reply_add_uuid(reply, UUID_PREFIX, qube);
	reply_add(reply, "autostart", rule->autostart ? "True" : "False");
	reply_add(reply, "requested_target", decision->requested_target);
	if (remote != NULL) {
		g_autofree char *service = relay_service(eval, remote);

		reply_add(reply, "service", service);
	}
	if (has_requested_source(eval->request) && destination->kind != POLICY_TOKEN_ADMINVM)
		reply_add(reply, "policy_source", eval->source.text);
	decision->result = POLICY_ALLOWED;
	decision->notify = rule->notify;
	g_clear_pointer(&decision->choices, g_array_unref);
	g_clear_pointer(&decision->default_target, g_free);
	decision->target = g_strdup(destination->text);
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

/* A call from a qube to itself; through its relay it would be one as well. */
static bool
is_loopback(const struct evaluation *eval, const struct destination *destination)
{
	struct subject end = {
	    .kind = destination->kind, .text = destination->text, .qube = destination->qube};
	const struct qube_info *relay = relay_of(eval, end.qube);

	if (destination->kind == POLICY_TOKEN_DISPVM_OF)
		return false;
	return same_subject(&end, &eval->source) || same_subject(&end, &eval->caller) ||
	       (relay != NULL && relay == eval->caller.qube);
}

/* The last checks, which hold for allow and for an answered ask alike. */
static void
connect_to(
    struct evaluation *eval, const struct policy_rule *rule, const struct destination *destination)
{
	const char *problem =
	    destination->kind == POLICY_TOKEN_QUBE ? remote_problem(eval, destination->qube) : NULL;

	if (problem != NULL)
		deny(eval, POLICY_STAGE_RESOLUTION, true, "%s:%u: %s: %s", rule->file, rule->line,
		    destination->text, problem);
	else if (is_loopback(eval, destination))
		deny(eval, POLICY_STAGE_RESOLUTION, true, "%s:%u: a qube cannot call itself",
		    rule->file, rule->line);
	else
		allow(eval, rule, destination);
}

/* --- the three actions ---------------------------------------------------------------------- */

static struct subject
subject_of_rule(const struct evaluation *eval, const struct policy_rule *rule)
{
	return rule->redirect != NULL ? subject_of_token(eval, rule->redirect) : eval->target;
}

static void
follow_allow(struct evaluation *eval, const struct policy_rule *rule)
{
	struct subject wanted = subject_of_rule(eval, rule);
	struct destination destination = {0};
	enum problem problem = find_destination(eval, rule, &wanted, &destination);

	if (problem != NO_PROBLEM) {
		deny(eval, POLICY_STAGE_RULE, problem == NEEDS_START ? rule->notify : true,
		    "%s:%u: %s", rule->file, rule->line, problem_texts[problem]);
		return;
	}
	connect_to(eval, rule, &destination);
	destination_clear(&destination);
}

static void
follow_deny(struct evaluation *eval, const struct policy_rule *rule)
{
	deny(eval, POLICY_STAGE_RULE, rule->notify, "%s:%u: denied by policy", rule->file,
	    rule->line);
}

/* --- ask: the choices ----------------------------------------------------------------------- */

/*
 * What the rules say of each possible target: text (owned) -> YES or NO. The first rule that
 * mentions a target decides about it.
 */
struct ballot {
	const struct evaluation *eval;
	GHashTable *votes;
	GPtrArray *qubes;  /* all of them */
	enum verdict vote; /* of the rule at hand */
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
	return strcmp(qube->name, DOM0) == 0;
}

static void
vote_for_all(struct ballot *ballot, bool with_dom0)
{
	for (guint i = 0; i < ballot->qubes->len; i++) {
		const struct qube_info *qube = g_ptr_array_index(ballot->qubes, i);

		if (with_dom0 || !is_dom0(qube))
			ballot_vote(ballot, "", qube->name);
		if (qube->template_for_dispvms)
			ballot_vote(ballot, DISPVM_PREFIX, qube->name);
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

		if (token_matches(ballot->eval, token, &subject))
			ballot_vote(ballot, bases ? DISPVM_PREFIX : "", qube->name);
	}
}

static void
vote_for_token(struct ballot *ballot, const struct policy_token *token)
{
	struct subject subject = subject_of_token(ballot->eval, token);

	switch (token->kind) {
	case POLICY_TOKEN_ANY:
	case POLICY_TOKEN_ANYVM:
		vote_for_all(ballot, token->kind == POLICY_TOKEN_ANY);
		break;
	case POLICY_TOKEN_ADMINVM:
		ballot_vote(ballot, "", DOM0);
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
			ballot_vote(ballot, DISPVM_PREFIX, subject.qube->name);
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

	policy_cursor_init(&cursor, eval->policy, eval->request->service, eval->request->argument);
	while ((rule = next_rule_for_source(eval, &cursor)) != NULL) {
		const struct policy_token *token =
		    rule->redirect != NULL ? rule->redirect : rule->target;

		if (seen[token->index]) /* whatever it stands for has been decided */
			continue;
		seen[token->index] = true;
		ballot.vote = rule->action == POLICY_ACTION_DENY ? NO : YES;
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
		return g_strdup(DOM0);
	case POLICY_TOKEN_DISPVM:
		if (eval->default_base == NULL)
			return NULL;
		return g_strconcat(DISPVM_PREFIX, eval->default_base->name, NULL);
	case POLICY_TOKEN_DISPVM_OF:
		return subject->qube != NULL ? g_strconcat(DISPVM_PREFIX, subject->qube->name, NULL)
					     : NULL;
	default:
		return subject->qube != NULL ? g_strdup(subject->qube->name) : NULL;
	}
}

static struct subject
subject_of_target(const struct evaluation *eval, const char *text)
{
	struct policy_token token;

	if (policy_token_parse(text, POLICY_COLUMN_REQUEST, &token) != POLICY_TOKEN_OK)
		return (struct subject){.kind = POLICY_TOKEN_QUBE, .text = text};
	return subject_of_token(eval, &token);
}

static void
add_choice(struct evaluation *eval, const struct policy_rule *rule, const struct subject *subject)
{
	struct destination destination = {0};
	struct policy_choice choice = {0};

	if (find_destination(eval, rule, subject, &destination) != NO_PROBLEM)
		return;
	choice.target = choice_name(eval, subject);
	if (!is_loopback(eval, &destination) &&
	    !policy_decision_offers(eval->decision, choice.target)) {
		choice.uuid = destination.qube != NULL ? g_strdup(destination.qube->uuid) : NULL;
		g_array_append_val(eval->decision->choices, choice);
	} else {
		g_free(choice.target);
	}
	destination_clear(&destination);
}

static bool
is_internal(const struct evaluation *eval, const struct subject *subject)
{
	const struct qube_info *qube =
	    subject->kind == POLICY_TOKEN_DISPVM ? eval->default_base : subject->qube;

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
		struct subject subject = subject_of_target(eval, target);

		if (GPOINTER_TO_INT(vote) == YES && !is_internal(eval, &subject))
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
	wanted = subject_of_token(eval, rule->default_target);
	name = choice_name(eval, &wanted);
	if (name != NULL && policy_decision_offers(eval->decision, name))
		eval->decision->default_target = g_steal_pointer(&name);
	else
		warn(eval, "%s:%u: default_target=%s is not among the choices", rule->file,
		    rule->line, rule->default_target->text);
}

static void
follow_ask(struct evaluation *eval, const struct policy_rule *rule)
{
	struct policy_decision *decision = eval->decision;

	decision->choices = g_array_new(FALSE, FALSE, sizeof(struct policy_choice));
	g_array_set_clear_func(decision->choices, choice_clear);
	if (rule->redirect != NULL) {
		struct subject wanted = subject_of_token(eval, rule->redirect);

		add_choice(eval, rule, &wanted);
	} else {
		collect_choices(eval, rule);
	}
	if (decision->choices->len == 0) {
		deny(eval, POLICY_STAGE_RULE, true, "%s:%u: no target is available to choose from",
		    rule->file, rule->line);
		return;
	}
	decision->result = POLICY_ASK;
	decision->notify = rule->notify;
	set_default_target(eval, rule);
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
		deny(eval, POLICY_STAGE_REQUEST, true, "'%s' cannot be a target", text);
		return false;
	}
	eval->target = subject_of_token(eval, &token);
	if (token.kind == POLICY_TOKEN_DISPVM_OF && !subject_is_base(&eval->target)) {
		deny(eval, POLICY_STAGE_REQUEST, true, "'%s' is not a disposable template",
		    token.value);
		return false;
	}
	if (token.kind == POLICY_TOKEN_QUBE && eval->target.qube == NULL) {
		warn(eval, "there is no qube '%s', taken as @default", text);
		eval->target = subject_of_token(eval, &default_token);
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

	if (!has_requested_source(eval->request))
		return true;
	remote = subject_of_source(eval, claimed);
	if (remote.qube == NULL) {
		deny(eval, POLICY_STAGE_REQUEST, true, "unknown requested source '%s'", claimed);
		return false;
	}
	if (g_strcmp0(remote.qube->klass, CLASS_REMOTE) != 0) {
		deny(eval, POLICY_STAGE_REQUEST, true,
		    "%s: a requested source is only for RemoteVM", claimed);
		return false;
	}
	relay = subject_of_source(eval, remote.qube->relayvm != NULL ? remote.qube->relayvm : "");
	if (relay.qube == NULL || relay.qube != eval->caller.qube) {
		deny(eval, POLICY_STAGE_REQUEST, true, "%s is not a relay for %s",
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
	    [POLICY_ACTION_ASK] = follow_ask,
	    [POLICY_ACTION_DENY] = follow_deny,
	};
	const struct policy_rule *rule = find_rule(eval);

	if (rule == NULL) {
		deny(eval, POLICY_STAGE_NOMATCH, true, "no matching rule");
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
	    .source_verdicts = g_malloc0(policy_token_count(policy) + 1),
	    .target_verdicts = g_malloc0(policy_token_count(policy) + 1),
	    .decision = decision,
	};
	eval->caller = subject_of_source(eval, request->source);
	eval->source = eval->caller;
}

static void
evaluation_fini(struct evaluation *eval)
{
	eval->decision->source = g_strdup(eval->source.text);
	if (eval->decision->requested_target == NULL)
		eval->decision->requested_target = g_strdup(eval->request->target);
	eval->decision->guivm = g_strdup(gui_domain_of(eval));
	g_free(eval->source_verdicts);
	g_free(eval->target_verdicts);
}

static void
evaluate(struct evaluation *eval)
{
	if (!check_target(eval) || !check_source(eval))
		return;
	eval->default_base = default_base_of(eval, &eval->source);
	mark_names(eval, eval->source_verdicts, &eval->source);
	mark_names(eval, eval->target_verdicts, &eval->target);
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
	struct subject chosen = subject_of_target(eval, target);
	struct destination destination = {0};

	if (find_destination(eval, rule, &chosen, &destination) != NO_PROBLEM)
		return; /* not so: it is among the choices of the same evaluation */
	connect_to(eval, rule, &destination);
	destination_clear(&destination);
}

void
policy_answer(const struct policy *policy, const struct system_info *info,
    const struct policy_request *request, const struct policy_decision *asked, const char *target,
    struct policy_decision *ret)
{
	const struct policy_choice *then = find_choice(asked, target);
	const struct policy_choice *now;
	struct evaluation eval;

	evaluation_init(&eval, policy, info, request, ret);
	evaluate(&eval);
	now = find_choice(ret, target);
	if (then == NULL)
		deny(&eval, POLICY_STAGE_ANSWER, true, "'%s' was not offered", target);
	else if (now == NULL || g_strcmp0(then->uuid, now->uuid) != 0)
		deny(&eval, POLICY_STAGE_ANSWER, true,
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
