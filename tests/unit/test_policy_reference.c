/*
 * The evaluator against a second one, written here from docs/policy.md alone: slow, without an
 * index, without tokens, over plain texts. Random rules, random qubes, random requests; both must
 * decide the same.
 */
#include "qrexec/policy/eval.h"
#include "qrexec/policy/include.h"
#include "tests/unit/unit.h"

#include <glib.h>
#include <string.h>

#define RULE_SETS 10000
#define REQUESTS_PER_SET 6
#define QUBES 7
#define RULES_MAX 12
#define SEED 20260218

/* --- the world ------------------------------------------------------------------------------ */

struct ref_qube {
	const char *name, *klass, *state;
	char uuid[64]; /* with "uuid:" */
	gboolean tag_a, tag_b, base, internal;
	int default_base; /* number of a qube, -1 */
	int relay;        /* of a RemoteVM, -1 */
	gboolean transport;
};

struct ref_rule {
	char *service, *argument, *source, *target, *action;
	char *redirect, *default_target, *user; /* NULL: none */
	gboolean notify, autostart;
};

struct world {
	struct ref_qube qubes[QUBES];
	struct ref_rule rules[RULES_MAX];
	int rule_count;
};

static const char *const names[QUBES] = {"dom0", "red", "green", "blue", "far", "base", "mould"};

static int
pick(GRand *random, int below)
{
	return g_rand_int_range(random, 0, below);
}

static gboolean
chance(GRand *random, int in)
{
	return pick(random, in) == 0;
}

static void
make_qubes(GRand *random, struct world *world)
{
	static const char *const states[] = {"Running", "Halted", "Paused"};
	static const char *const classes[] = {"AppVM", "AppVM", "TemplateVM", "RemoteVM"};

	for (int i = 0; i < QUBES; i++) {
		struct ref_qube *qube = &world->qubes[i];

		*qube = (struct ref_qube){
		    .name = names[i],
		    .klass = i == 0 ? "AdminVM" : classes[pick(random, 4)],
		    .state = states[pick(random, 3)],
		    .tag_a = chance(random, 2),
		    .tag_b = chance(random, 3),
		    .base = i > 0 && chance(random, 3),
		    .internal = i > 0 && chance(random, 6),
		    .default_base = chance(random, 3) ? -1 : pick(random, QUBES),
		    .relay = chance(random, 3) ? -1 : pick(random, QUBES),
		    .transport = !chance(random, 4),
		};
		g_snprintf(qube->uuid, sizeof(qube->uuid),
		    "uuid:0000000%d-0000-%d000-%d000-000000000000", i, i > 0 ? 4 : 0,
		    i > 0 ? 8 : 0);
	}
}

/* A qube by one of its spellings. */
static char *
some_name(GRand *random, const struct world *world)
{
	int i = pick(random, QUBES + 1);

	if (i == QUBES)
		return g_strdup("nobody");
	return g_strdup(chance(random, 3) ? world->qubes[i].uuid : world->qubes[i].name);
}

static char *
some_base(GRand *random, const struct world *world)
{
	g_autofree char *name = some_name(random, world);

	return g_strconcat("@dispvm:", name, NULL);
}

static char *
some_source(GRand *random, const struct world *world)
{
	static const char *const keywords[] = {
	    "*", "@anyvm", "@adminvm", "@tag:a", "@tag:b", "@type:AppVM", "@type:AdminVM"};
	int i = pick(random, 10);

	return i < 7 ? g_strdup(keywords[i]) : some_name(random, world);
}

static char *
some_target(GRand *random, const struct world *world)
{
	static const char *const keywords[] = {"@default", "@dispvm", "@dispvm:@tag:a"};
	int i = pick(random, 12);

	if (i < 3)
		return g_strdup(keywords[i]);
	return i < 5 ? some_base(random, world) : some_source(random, world);
}

static char *
some_redirect(GRand *random, const struct world *world)
{
	switch (pick(random, 6)) {
	case 0:
		return g_strdup("@dispvm");
	case 1:
		return g_strdup("@adminvm");
	case 2:
		return some_base(random, world);
	default:
		return some_name(random, world);
	}
}

static void
make_rules(GRand *random, struct world *world)
{
	static const char *const services[] = {"*", "svc", "svc", "other"};
	static const char *const arguments[] = {"*", "*", "+", "+x"};
	static const char *const actions[] = {"allow", "ask", "ask", "deny"};

	world->rule_count = 1 + pick(random, RULES_MAX);
	for (int i = 0; i < world->rule_count; i++) {
		struct ref_rule *rule = &world->rules[i];

		*rule = (struct ref_rule){.autostart = TRUE};
		rule->service = g_strdup(services[pick(random, 4)]);
		rule->argument =
		    g_strdup(rule->service[0] == '*' ? "*" : arguments[pick(random, 4)]);
		rule->source = some_source(random, world);
		rule->target = some_target(random, world);
		rule->action = g_strdup(actions[pick(random, 4)]);
		rule->notify = chance(random, 2);
		if (rule->action[0] == 'd')
			continue;
		rule->autostart = !chance(random, 4);
		if (chance(random, 3) ||
		    (strcmp(rule->action, "allow") == 0 && strcmp(rule->target, "@default") == 0))
			rule->redirect = some_redirect(random, world);
		if (chance(random, 5))
			rule->user = g_strdup("root");
		if (strcmp(rule->action, "ask") == 0 && chance(random, 2))
			rule->default_target = some_redirect(random, world);
	}
}

static void
free_rules(struct world *world)
{
	for (int i = 0; i < world->rule_count; i++) {
		struct ref_rule *rule = &world->rules[i];

		g_free(rule->service);
		g_free(rule->argument);
		g_free(rule->source);
		g_free(rule->target);
		g_free(rule->action);
		g_free(rule->redirect);
		g_free(rule->default_target);
		g_free(rule->user);
	}
}

static char *
rules_text(const struct world *world)
{
	GString *text = g_string_new(NULL);

	for (int i = 0; i < world->rule_count; i++) {
		const struct ref_rule *rule = &world->rules[i];

		g_string_append_printf(text, "%s %s %s %s %s notify=%s", rule->service,
		    rule->argument, rule->source, rule->target, rule->action,
		    rule->notify ? "yes" : "no");
		if (rule->redirect != NULL)
			g_string_append_printf(text, " target=%s", rule->redirect);
		if (rule->default_target != NULL)
			g_string_append_printf(text, " default_target=%s", rule->default_target);
		if (rule->user != NULL)
			g_string_append_printf(text, " user=%s", rule->user);
		if (!rule->autostart)
			g_string_append(text, " autostart=no");
		g_string_append_c(text, '\n');
	}
	return g_string_free(text, FALSE);
}

static char *
system_text(const struct world *world)
{
	GString *text = g_string_new("{\"domains\": {");

	for (int i = 0; i < QUBES; i++) {
		const struct ref_qube *qube = &world->qubes[i];

		g_string_append_printf(text,
		    "%s\"%s\": {\"type\": \"%s\", \"power_state\": \"%s\", \"uuid\": \"%s\", "
		    "\"tags\": [%s%s%s], \"template_for_dispvms\": %s, \"internal\": %s",
		    i > 0 ? ", " : "", qube->name, qube->klass, qube->state, qube->uuid + 5,
		    qube->tag_a ? "\"a\"" : "", qube->tag_a && qube->tag_b ? ", " : "",
		    qube->tag_b ? "\"b\"" : "", qube->base ? "true" : "false",
		    qube->internal ? "\"1\"" : "null");
		if (qube->default_base >= 0)
			g_string_append_printf(
			    text, ", \"default_dispvm\": \"%s\"", names[qube->default_base]);
		if (qube->relay >= 0)
			g_string_append_printf(text, ", \"relayvm\": \"%s\"", names[qube->relay]);
		if (qube->transport)
			g_string_append(text, ", \"transport_rpc\": \"air.Proxy\"");
		g_string_append_c(text, '}');
	}
	g_string_append(text, "}}");
	return g_string_free(text, FALSE);
}

/* --- the second evaluator: every call is spelled in one canonical way ------------------------ */

/*
 * "dom0", "red", "@dispvm", "@dispvm:red", "@default"; "?" for what does not exist. The keyword
 * "@adminvm" stays apart, since tags and types do not see it.
 */
static char *
canonical(const struct world *world, const char *text)
{
	if (g_str_has_prefix(text, "@dispvm:") && text[8] != '@') {
		g_autofree char *inner = canonical(world, text + 8);

		return g_strconcat("@dispvm:", inner, NULL);
	}
	if (text[0] == '@' || text[0] == '*')
		return g_strdup(text);
	for (int i = 0; i < QUBES; i++) {
		if (strcmp(text, names[i]) == 0 || strcmp(text, world->qubes[i].uuid) == 0)
			return g_strdup(names[i]);
	}
	return g_strdup("?");
}

static const struct ref_qube *
qube_named(const struct world *world, const char *name)
{
	for (int i = 0; i < QUBES; i++) {
		if (strcmp(name, names[i]) == 0)
			return &world->qubes[i];
	}
	return NULL;
}

static gboolean
is_dom0(const char *canon)
{
	return strcmp(canon, "dom0") == 0 || strcmp(canon, "@adminvm") == 0;
}

static gboolean
has_tag(const struct ref_qube *qube, const char *tag)
{
	return qube != NULL &&
	       ((strcmp(tag, "a") == 0 && qube->tag_a) || (strcmp(tag, "b") == 0 && qube->tag_b));
}

/* The base behind "@dispvm" and "@dispvm:x" for a source; NULL for other things. */
static const struct ref_qube *
base_behind(const struct world *world, const char *source, const char *canon)
{
	const struct ref_qube *caller = qube_named(world, source);

	if (strcmp(canon, "@dispvm") == 0)
		return caller != NULL && caller->default_base >= 0
			   ? &world->qubes[caller->default_base]
			   : NULL;
	return g_str_has_prefix(canon, "@dispvm:") ? qube_named(world, canon + 8) : NULL;
}

static gboolean
ref_matches(const struct world *world, const char *token, const char *source, const char *value)
{
	g_autofree char *canon = canonical(world, token);
	const struct ref_qube *base = base_behind(world, source, value);

	if (strcmp(canon, "*") == 0)
		return TRUE;
	if (strcmp(canon, "@anyvm") == 0)
		return !is_dom0(value);
	if (is_dom0(canon))
		return is_dom0(value);
	if (g_str_has_prefix(canon, "@tag:"))
		return has_tag(qube_named(world, value), canon + 5);
	if (g_str_has_prefix(canon, "@type:"))
		return qube_named(world, value) != NULL &&
		       strcmp(qube_named(world, value)->klass, canon + 6) == 0;
	if (g_str_has_prefix(canon, "@dispvm:@tag:"))
		return base != NULL && base->base && has_tag(base, canon + 13);
	if (g_str_has_prefix(canon, "@dispvm:"))
		return base != NULL && strcmp(base->name, canon + 8) == 0;
	return strcmp(canon, "?") != 0 && strcmp(canon, value) == 0;
}

static gboolean
ref_concerns(const struct world *world, const struct ref_rule *rule, const char *argument,
    const char *source)
{
	return (rule->service[0] == '*' || strcmp(rule->service, "svc") == 0) &&
	       (rule->argument[0] == '*' || strcmp(rule->argument, argument) == 0) &&
	       ref_matches(world, rule->source, source, source);
}

/*
 * Where a call to canon goes: "dom0", "red", "@dispvm:red"; NULL when nowhere. *ret_starts: only
 * because it does not run.
 */
static char *
ref_resolve(const struct world *world, const struct ref_rule *rule, const char *source,
    const char *canon, gboolean *ret_starts)
{
	const struct ref_qube *base = base_behind(world, source, canon);
	const struct ref_qube *qube = qube_named(world, canon);

	*ret_starts = FALSE;
	if (is_dom0(canon))
		return g_strdup("dom0");
	if (base != NULL && base->base) {
		*ret_starts = !rule->autostart;
		return rule->autostart ? g_strconcat("@dispvm:", base->name, NULL) : NULL;
	}
	if (qube == NULL)
		return NULL;
	*ret_starts = !rule->autostart && strcmp(qube->state, "Running") != 0;
	return *ret_starts ? NULL : g_strdup(qube->name);
}

static gboolean
ref_is_loop(const struct world *world, const char *source, const char *where)
{
	const struct ref_qube *qube = qube_named(world, where);

	if (strcmp(where, source) == 0)
		return TRUE;
	return qube != NULL && strcmp(qube->klass, "RemoteVM") == 0 && qube->relay >= 0 &&
	       strcmp(names[qube->relay], source) == 0;
}

/* What comes out: "deny", "allow WHERE USER AUTOSTART", "ask CHOICES; DEFAULT"; and notify. */
static char *
ref_connect(const struct world *world, const struct ref_rule *rule, const char *source,
    const char *where, gboolean *ret_notify)
{
	const struct ref_qube *qube = qube_named(world, where);
	gboolean remote = qube != NULL && strcmp(qube->klass, "RemoteVM") == 0;

	*ret_notify = TRUE;
	if ((remote && (qube->relay < 0 || !qube->transport)) || ref_is_loop(world, source, where))
		return g_strdup("deny");
	*ret_notify = rule->notify;
	return g_strdup_printf("allow %s %s %s", where,
	    rule->user != NULL && !remote ? rule->user : "DEFAULT",
	    rule->autostart ? "True" : "False");
}

static gboolean
ref_expands_to(const struct world *world, const char *token, const char *target)
{
	g_autofree char *canon = canonical(world, token);
	const struct ref_qube *qube = qube_named(world, target);
	const struct ref_qube *base =
	    g_str_has_prefix(target, "@dispvm:") ? qube_named(world, target + 8) : NULL;

	if (base != NULL && !base->base)
		return FALSE;
	if (strcmp(canon, "*") == 0)
		return TRUE;
	if (strcmp(canon, "@anyvm") == 0)
		return !is_dom0(target);
	if (is_dom0(canon))
		return is_dom0(target);
	if (g_str_has_prefix(canon, "@tag:"))
		return has_tag(qube, canon + 5);
	if (g_str_has_prefix(canon, "@type:"))
		return qube != NULL && strcmp(qube->klass, canon + 6) == 0;
	if (g_str_has_prefix(canon, "@dispvm:@tag:"))
		return base != NULL && has_tag(base, canon + 13);
	return strcmp(canon, target) == 0 && strcmp(canon, "@default") != 0;
}

/* From the last rule to the first: deny takes away, the others add. */
static gboolean
ref_is_offered(
    const struct world *world, const char *argument, const char *source, const char *target)
{
	gboolean offered = FALSE;

	for (int i = world->rule_count - 1; i >= 0; i--) {
		const struct ref_rule *rule = &world->rules[i];

		if (ref_concerns(world, rule, argument, source) &&
		    ref_expands_to(
			world, rule->redirect != NULL ? rule->redirect : rule->target, target))
			offered = rule->action[0] != 'd';
	}
	return offered;
}

static int
compare_texts(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static gboolean
contains(const GPtrArray *texts, const char *text)
{
	for (guint i = 0; i < texts->len; i++) {
		if (strcmp(g_ptr_array_index(texts, i), text) == 0)
			return TRUE;
	}
	return FALSE;
}

static void
ref_offer(const struct world *world, const struct ref_rule *rule, const char *source,
    const char *canon, gboolean hide_internal, GPtrArray *choices)
{
	gboolean starts;
	g_autofree char *where = ref_resolve(world, rule, source, canon, &starts);
	const struct ref_qube *qube = where == NULL ? NULL
				      : g_str_has_prefix(where, "@dispvm:")
					  ? qube_named(world, where + 8)
					  : qube_named(world, where);

	if (where == NULL || ref_is_loop(world, source, where) || contains(choices, where) ||
	    (hide_internal && qube != NULL && qube->internal))
		return;
	g_ptr_array_add(choices, g_steal_pointer(&where));
}

static GPtrArray *
ref_choices(const struct world *world, const struct ref_rule *rule, const char *argument,
    const char *source)
{
	GPtrArray *choices = g_ptr_array_new_with_free_func(g_free);

	if (rule->redirect != NULL) {
		g_autofree char *canon = canonical(world, rule->redirect);

		ref_offer(world, rule, source, canon, FALSE, choices);
		return choices;
	}
	for (int i = 0; i < QUBES; i++) {
		g_autofree char *disposable = g_strconcat("@dispvm:", names[i], NULL);

		if (ref_is_offered(world, argument, source, names[i]))
			ref_offer(world, rule, source, names[i], TRUE, choices);
		if (ref_is_offered(world, argument, source, disposable))
			ref_offer(world, rule, source, disposable, TRUE, choices);
	}
	if (ref_is_offered(world, argument, source, "@dispvm"))
		ref_offer(world, rule, source, "@dispvm", TRUE, choices);
	g_ptr_array_sort(choices, compare_texts);
	return choices;
}

/* The default target as it would be offered. */
static char *
ref_default(const struct world *world, const struct ref_rule *rule, const char *source)
{
	g_autofree char *canon =
	    rule->default_target != NULL ? canonical(world, rule->default_target) : NULL;
	const struct ref_qube *base = canon != NULL ? base_behind(world, source, canon) : NULL;

	if (canon == NULL)
		return g_strdup("");
	if (base != NULL)
		return g_strconcat("@dispvm:", base->name, NULL);
	return g_strdup(is_dom0(canon) ? "dom0" : canon);
}

static char *
ref_ask(const struct world *world, const struct ref_rule *rule, const char *argument,
    const char *source, gboolean *ret_notify)
{
	g_autoptr(GPtrArray) choices = ref_choices(world, rule, argument, source);
	g_autofree char *preselected = ref_default(world, rule, source);
	GString *text = g_string_new("ask");

	*ret_notify = rule->notify;
	if (choices->len == 0) {
		*ret_notify = TRUE;
		g_string_assign(text, "deny");
		return g_string_free(text, FALSE);
	}
	for (guint i = 0; i < choices->len; i++)
		g_string_append_printf(text, " %s", (char *)g_ptr_array_index(choices, i));
	g_string_append_printf(text, "; %s", contains(choices, preselected) ? preselected : "");
	return g_string_free(text, FALSE);
}

/* *ret_line: of the rule that decided, 0 for none. */
static char *
ref_evaluate(const struct world *world, const char *argument, const char *source,
    const char *requested, gboolean *ret_notify, unsigned *ret_line)
{
	g_autofree char *target = canonical(world, requested[0] != '\0' ? requested : "@default");
	gboolean starts;

	*ret_notify = TRUE;
	*ret_line = 0;
	if (g_str_has_prefix(target, "@dispvm:") &&
	    (qube_named(world, target + 8) == NULL || !qube_named(world, target + 8)->base))
		return g_strdup("deny");
	if (strcmp(target, "?") == 0) {
		g_free(target);
		target = g_strdup("@default");
	}
	for (int i = 0; i < world->rule_count; i++) {
		const struct ref_rule *rule = &world->rules[i];
		g_autofree char *wanted = NULL, *where = NULL;

		if (!ref_concerns(world, rule, argument, source) ||
		    !ref_matches(world, rule->target, source, target))
			continue;
		*ret_line = (unsigned)i + 1;
		*ret_notify = rule->notify;
		if (rule->action[0] == 'd')
			return g_strdup("deny");
		if (strcmp(rule->action, "ask") == 0)
			return ref_ask(world, rule, argument, source, ret_notify);
		wanted =
		    rule->redirect != NULL ? canonical(world, rule->redirect) : g_strdup(target);
		where = ref_resolve(world, rule, source, wanted, &starts);
		if (where == NULL) {
			*ret_notify = starts ? rule->notify : TRUE;
			return g_strdup("deny");
		}
		return ref_connect(world, rule, source, where, ret_notify);
	}
	return g_strdup("deny");
}

/* --- holding one against the other ---------------------------------------------------------- */

static char *
line_of(const char *reply, const char *key)
{
	g_auto(GStrv) lines = g_strsplit(reply, "\n", -1);

	for (char **line = lines; *line != NULL; line++) {
		if (g_str_has_prefix(*line, key) && (*line)[strlen(key)] == '=')
			return g_strdup(*line + strlen(key) + 1);
	}
	return g_strdup("");
}

/* A decision in the words of the reference. */
static char *
describe(const struct world *world, const struct policy_decision *decision)
{
	GString *text;

	if (decision->result == POLICY_DENIED)
		return g_strdup("deny");
	if (decision->result == POLICY_ALLOWED) {
		g_autofree char *user = line_of(decision->reply, "user");
		g_autofree char *autostart = line_of(decision->reply, "autostart");
		g_autofree char *where = canonical(world, decision->target);

		return g_strdup_printf("allow %s %s %s", where, user, autostart);
	}
	text = g_string_new("ask");
	for (guint i = 0; i < decision->choices->len; i++)
		g_string_append_printf(
		    text, " %s", g_array_index(decision->choices, struct policy_choice, i).target);
	g_string_append_printf(
	    text, "; %s", decision->default_target != NULL ? decision->default_target : "");
	return g_string_free(text, FALSE);
}

static void
compare_once(GRand *random, const struct world *world, const struct policy *policy,
    const struct system_info *info, const char *rules)
{
	static const char *const keywords[] = {"", "@default", "@dispvm", "@adminvm"};
	const char *source = names[pick(random, QUBES)];
	const char *argument = chance(random, 2) ? "+" : "+x";
	g_autofree char *requested = chance(random, 3)   ? g_strdup(keywords[pick(random, 4)])
				     : chance(random, 4) ? some_base(random, world)
							 : some_name(random, world);
	struct policy_request request = {
	    .service = "svc", .argument = argument, .source = source, .target = requested};
	struct policy_decision decision;
	g_autofree char *wanted = NULL, *got = NULL;
	gboolean notify;
	unsigned line;

	wanted = ref_evaluate(world, argument, source, requested, &notify, &line);
	policy_evaluate(policy, info, &request, &decision);
	got = describe(world, &decision);
	if (strcmp(got, wanted) != 0 || decision.notify != notify ||
	    (decision.rule != NULL ? decision.rule->line : 0) != line)
		fail_msg("%s%s: %s -> '%s'\nreference: %s, line %u, notify %d\nevaluator: %s, "
			 "line %u, notify %d (%s)",
		    rules, argument, source, requested, wanted, line, notify, got,
		    decision.rule != NULL ? decision.rule->line : 0, decision.notify,
		    decision.reason != NULL ? decision.reason : "");
	policy_decision_clear(&decision);
}

static void
pol_05_random_rules_decide_as_an_independent_evaluator_does(void **state)
{
	GRand *random = g_rand_new_with_seed(SEED);

	(void)state;
	for (int set = 0; set < RULE_SETS; set++) {
		struct world world;
		struct policy_load_error error;
		struct policy *policy;
		struct system_info *info;
		g_autofree char *rules = NULL, *qubes = NULL;

		make_qubes(random, &world);
		make_rules(random, &world);
		rules = rules_text(&world);
		qubes = system_text(&world);
		assert_int_equal(system_info_parse(qubes, strlen(qubes), &info), 0);
		if (policy_load_text("rules", rules, strlen(rules), &policy, &error) < 0)
			fail_msg("%s\nline %u: %s", rules, error.line, error.text);
		for (int i = 0; i < REQUESTS_PER_SET; i++)
			compare_once(random, &world, policy, info, rules);
		policy_free(policy);
		system_info_free(info);
		free_rules(&world);
	}
	g_rand_free(random);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pol_05_random_rules_decide_as_an_independent_evaluator_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
