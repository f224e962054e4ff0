#include "qrexec/policy/eval.h"
#include "qrexec/policy/include.h"
#include "tests/unit/unit.h"

#include <glib.h>
#include <string.h>

/*
 * The qubes of these tests. base and base2 are disposable bases; hidden is internal; far is a
 * remote qube behind relay.
 */
static const char system_json[] =
    "{\"domains\": {"
    "\"dom0\": {\"type\": \"AdminVM\", \"tags\": [\"zero\"], \"power_state\": \"Running\","
    "  \"uuid\": \"00000000-0000-0000-0000-000000000000\", \"default_dispvm\": \"base\"},"
    "\"work\": {\"type\": \"AppVM\", \"tags\": [\"work\"], \"power_state\": \"Running\","
    "  \"uuid\": \"00000001-0000-4000-8000-000000000000\", \"default_dispvm\": \"base\","
    "  \"guivm\": \"gui\"},"
    "\"web\": {\"type\": \"AppVM\", \"tags\": [], \"power_state\": \"Halted\","
    "  \"uuid\": \"00000002-0000-4000-8000-000000000000\", \"default_dispvm\": null},"
    "\"gui\": {\"type\": \"AppVM\", \"tags\": [\"work\"], \"power_state\": \"Paused\","
    "  \"uuid\": \"00000003-0000-4000-8000-000000000000\", \"default_dispvm\": \"work\"},"
    "\"base\": {\"type\": \"AppVM\", \"tags\": [\"b\"], \"power_state\": \"Halted\","
    "  \"template_for_dispvms\": true, \"uuid\": \"00000004-0000-4000-8000-000000000000\"},"
    "\"base2\": {\"type\": \"AppVM\", \"tags\": [\"b\", \"c\"], \"power_state\": \"Halted\","
    "  \"template_for_dispvms\": true, \"uuid\": \"00000005-0000-4000-8000-000000000000\"},"
    "\"hidden\": {\"type\": \"AppVM\", \"tags\": [\"work\"], \"power_state\": \"Running\","
    "  \"internal\": \"1\", \"template_for_dispvms\": true,"
    "  \"uuid\": \"00000006-0000-4000-8000-000000000000\"},"
    "\"relay\": {\"type\": \"AppVM\", \"tags\": [], \"power_state\": \"Running\","
    "  \"uuid\": \"00000007-0000-4000-8000-000000000000\", \"guivm\": \"dom0\"},"
    "\"far\": {\"type\": \"RemoteVM\", \"tags\": [], \"power_state\": \"Running\","
    "  \"relayvm\": \"relay\", \"transport_rpc\": \"air.Proxy\","
    "  \"uuid\": \"00000008-0000-4000-8000-000000000000\"},"
    "\"lost\": {\"type\": \"RemoteVM\", \"tags\": [], \"power_state\": \"Running\","
    "  \"uuid\": \"00000009-0000-4000-8000-000000000000\"}}}";

#define UUID(n) "uuid:0000000" #n "-0000-4000-8000-000000000000"
#define ZERO "uuid:00000000-0000-0000-0000-000000000000"

static struct system_info *info;
static struct policy *policy;
static struct policy_decision decision;

static int
set_up(void **state)
{
	(void)state;
	return system_info_parse(system_json, strlen(system_json), &info);
}

static int
tear_down(void **state)
{
	(void)state;
	policy_decision_clear(&decision);
	g_clear_pointer(&policy, policy_free);
	system_info_free(info);
	return 0;
}

static void
use_rules(const char *rules)
{
	struct policy_load_error error;

	g_clear_pointer(&policy, policy_free);
	if (policy_load_text("rules", rules, strlen(rules), &policy, &error) < 0)
		fail_msg("line %u: %s", error.line, error.text);
}

static struct policy_request
request_to(const char *source, const char *target)
{
	return (struct policy_request){
	    .service = "svc", .argument = "+arg", .source = source, .target = target};
}

static void
evaluate(const char *source, const char *target)
{
	struct policy_request request = request_to(source, target);

	policy_decision_clear(&decision);
	policy_evaluate(policy, info, &request, &decision);
}

/* The line of the rule that decided, 0: none did. */
static unsigned
rule_for(const char *source, const char *target)
{
	evaluate(source, target);
	return decision.rule != NULL ? decision.rule->line : 0;
}

/* Allowed calls say where they go, others "deny" or "ask". */
static const char *
result_for(const char *source, const char *target)
{
	static const char *const names[] = {[POLICY_DENIED] = "deny", [POLICY_ASK] = "ask"};

	evaluate(source, target);
	return decision.result == POLICY_ALLOWED ? decision.target : names[decision.result];
}

static char *
choices(void)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; decision.choices != NULL && i < decision.choices->len; i++)
		g_string_append_printf(text, "%s%s", i > 0 ? " " : "",
		    g_array_index(decision.choices, struct policy_choice, i).target);
	return g_string_free(text, FALSE);
}

static void
assert_choices(const char *source, const char *target, const char *wanted)
{
	g_autofree char *got = NULL;

	evaluate(source, target);
	got = choices();
	assert_string_equal(got, wanted);
}

/* --- matching ------------------------------------------------------------------------------- */

/* Does a rule with this token as target match a call from source to target? */
static bool
target_token_matches(const char *token, const char *source, const char *target)
{
	g_autofree char *rules = g_strdup_printf("* * * %s deny notify=no\n", token);

	use_rules(rules);
	return rule_for(source, target) == 1;
}

static void
l05_anyvm_is_everything_but_dom0_in_any_spelling(void **state)
{
	(void)state;
	assert_true(target_token_matches("@anyvm", "work", "web"));
	assert_true(target_token_matches("@anyvm", "work", ""));
	assert_true(target_token_matches("@anyvm", "work", "@dispvm"));
	assert_true(target_token_matches("@anyvm", "work", "@dispvm:base"));
	assert_true(target_token_matches("@anyvm", "work", "far"));
	assert_false(target_token_matches("@anyvm", "work", "dom0"));
	assert_false(target_token_matches("@anyvm", "work", "@adminvm"));
	assert_false(target_token_matches("@anyvm", "work", ZERO));
	assert_true(target_token_matches("*", "work", "@adminvm"));
}

static void
l05_the_three_spellings_of_dom0_match_each_other(void **state)
{
	static const char *const spellings[] = {"dom0", "@adminvm", ZERO};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < 3; j++)
			assert_true(target_token_matches(spellings[i], "work", spellings[j]));
		assert_false(target_token_matches(spellings[i], "work", "web"));
	}
}

static void
l06_tags_and_types_match_known_qubes_only(void **state)
{
	(void)state;
	assert_true(target_token_matches("@tag:work", "web", "work"));
	assert_true(target_token_matches("@tag:work", "web", UUID(1)));
	assert_false(target_token_matches("@tag:work", "web", "relay"));
	assert_false(target_token_matches("@tag:wor", "web", "work"));
	assert_false(target_token_matches("@tag:b", "work", "@dispvm:base"));
	assert_true(target_token_matches("@type:RemoteVM", "work", "far"));
	assert_false(target_token_matches("@type:AppVM", "work", "far"));
	assert_true(target_token_matches("@type:AdminVM", "work", "dom0"));
	assert_true(target_token_matches("@tag:zero", "work", ZERO));
	assert_false(target_token_matches("@type:AdminVM", "work", "@adminvm"));
	assert_false(target_token_matches("@tag:zero", "work", "@adminvm"));
}

static void
l07_dispvm_tokens_match_the_disposables_they_name(void **state)
{
	(void)state;
	assert_true(target_token_matches("@dispvm", "work", "@dispvm"));
	assert_false(target_token_matches("@dispvm", "work", "@dispvm:base"));
	assert_true(target_token_matches("@dispvm:base", "work", "@dispvm:base"));
	assert_true(target_token_matches("@dispvm:base", "work", "@dispvm:" UUID(4)));
	assert_true(target_token_matches("@dispvm:base", "work", "@dispvm"));
	assert_true(target_token_matches("@dispvm:" UUID(4), "work", "@dispvm"));
	assert_false(target_token_matches("@dispvm:base2", "work", "@dispvm"));
	assert_false(target_token_matches("@dispvm:base", "web", "@dispvm"));
	assert_true(target_token_matches("@dispvm:@tag:b", "work", "@dispvm"));
	assert_true(target_token_matches("@dispvm:@tag:c", "work", "@dispvm:base2"));
	assert_false(target_token_matches("@dispvm:@tag:c", "work", "@dispvm"));
	assert_false(target_token_matches("@dispvm:@tag:b", "work", "base"));
	assert_false(target_token_matches("base", "work", "@dispvm:base"));
}

static void
pol_05_names_and_uuids_of_one_qube_match_each_other(void **state)
{
	(void)state;
	assert_true(target_token_matches("work", "web", UUID(1)));
	assert_true(target_token_matches(UUID(1), "web", "work"));
	assert_false(target_token_matches(UUID(1), "web", "gui"));
	assert_true(target_token_matches("@default", "web", "nobody"));
	assert_false(target_token_matches("nobody", "web", "nobody"));
}

static void
pol_15_an_unknown_source_matches_only_any_and_its_own_name(void **state)
{
	(void)state;
	use_rules("* * @tag:work * deny\n* * @type:AppVM * deny\n* * strange * deny\n");
	assert_int_equal(rule_for("strange", "work"), 3);
	assert_int_equal(rule_for("stranger", "work"), 0);
	use_rules("* * @anyvm * deny\n");
	assert_int_equal(rule_for("stranger", "work"), 1);
	use_rules("* * @anyvm @anyvm ask\n");
	assert_string_equal(result_for("stranger", "work"), "ask");
	assert_null(decision.guivm);
}

static void
l03_the_first_matching_rule_decides_across_services(void **state)
{
	(void)state;
	use_rules("other * * * deny\n"
		  "* * web * deny\n"
		  "svc +other * * deny\n"
		  "svc +arg work web allow\n"
		  "* * * * deny\n"
		  "svc * * * allow\n");
	assert_int_equal(rule_for("web", "work"), 2);
	assert_int_equal(rule_for("work", "web"), 4);
	assert_int_equal(rule_for("work", "gui"), 5);
}

static void
l20_an_empty_policy_denies_everything(void **state)
{
	(void)state;
	use_rules("");
	assert_string_equal(result_for("work", "web"), "deny");
	assert_string_equal(result_for("dom0", "web"), "deny");
	assert_int_equal(decision.stage, POLICY_STAGE_NOMATCH);
}

static void
pol_04_service_and_argument_match_exactly(void **state)
{
	static const char *const spellings[] = {"svc+ARG", "Svc+arg", "svc+arg+", "svc+ar",
	    "svc+arg%20", "svc", "svc+", "svc++arg", "svc.+arg", "*+arg", "svc+*"};

	(void)state;
	use_rules("svc +arg work web allow\n");
	assert_string_equal(result_for("work", "web"), "web");
	for (size_t i = 0; i < G_N_ELEMENTS(spellings); i++) {
		struct policy_request request = request_to("work", "web");
		g_autofree char *service = NULL, *argument = NULL;

		policy_split_descriptor(spellings[i], &service, &argument);
		request.service = service;
		request.argument = argument;
		policy_decision_clear(&decision);
		policy_evaluate(policy, info, &request, &decision);
		assert_int_equal(decision.result, POLICY_DENIED);
	}
}

static void
pol_04_no_argument_and_an_empty_one_are_the_same(void **state)
{
	g_autofree char *service = NULL, *argument = NULL;

	(void)state;
	policy_split_descriptor("svc", &service, &argument);
	assert_string_equal(service, "svc");
	assert_string_equal(argument, "+");
	g_clear_pointer(&service, g_free);
	g_clear_pointer(&argument, g_free);
	policy_split_descriptor("svc+a+b", &service, &argument);
	assert_string_equal(service, "svc");
	assert_string_equal(argument, "+a+b");
}

/* --- the request's own checks --------------------------------------------------------------- */

static void
pol_03_only_some_keywords_can_be_asked_for(void **state)
{
	static const char *const bad[] = {"@anyvm", "*", "@tag:work", "@type:AppVM", "@", "@@",
	    "@dispvm:", "@dispvm:@tag:b", "@dispvm:work", "@dispvm:nobody", "@nothing"};

	(void)state;
	use_rules("* * * * allow target=web\n");
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		/* "*" is a keyword only in rules, but no name either */
		if (strcmp(result_for("work", bad[i]), "deny") != 0)
			fail_msg("not denied: %s", bad[i]);
		assert_int_equal(decision.stage, POLICY_STAGE_REQUEST);
	}
	assert_string_equal(result_for("work", "@dispvm:base"), "web");
	assert_string_equal(result_for("work", "@default"), "web");
}

static void
pol_03_an_unknown_name_is_treated_as_no_target(void **state)
{
	static const char *const unknown[] = {"nobody", "work ", "Work", "uuid:1",
	    "uuid:", "uuid:0000000A-0000-4000-8000-000000000000", "$anyvm", "work\n", "..", "%s"};

	(void)state;
	use_rules("* * work @default allow target=web\n* * * * deny\n");
	for (size_t i = 0; i < G_N_ELEMENTS(unknown); i++) {
		assert_string_equal(result_for("work", unknown[i]), "web");
		assert_string_equal(decision.requested_target, "@default");
		assert_int_equal(decision.warnings->len, 1);
	}
}

static void
prm_21_only_its_relay_may_speak_for_a_remote_qube(void **state)
{
	static const struct {
		const char *source, *claimed;
		bool allowed;
	} cases[] = {
	    {"relay", "far", true},
	    {"work", "far", false},
	    {"relay", "web", false},
	    {"relay", "nobody", false},
	    {"relay", "lost", false},
	    {"relay", "dom0", false},
	    {"relay", "@dispvm", false},
	};

	(void)state;
	use_rules("* * far web allow\n");
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct policy_request request = request_to(cases[i].source, "web");

		request.requested_source = cases[i].claimed;
		policy_decision_clear(&decision);
		policy_evaluate(policy, info, &request, &decision);
		assert_int_equal(decision.result == POLICY_ALLOWED, cases[i].allowed);
	}
}

static void
prm_21_a_remote_source_is_asked_for_where_its_relay_has_its_windows(void **state)
{
	struct policy_request request = request_to("relay", "web");

	(void)state;
	use_rules("* * * * ask\n");
	request.requested_source = "far";
	policy_decision_clear(&decision);
	policy_evaluate(policy, info, &request, &decision);
	assert_int_equal(decision.result, POLICY_ASK);
	assert_string_equal(decision.guivm, "dom0");
	assert_string_equal(decision.source, "far");
	evaluate("dom0", "web");
	assert_string_equal(decision.guivm, "dom0");
}

/* --- allow ---------------------------------------------------------------------------------- */

static void
l16_a_redirect_goes_where_it_says_without_another_rule(void **state)
{
	(void)state;
	use_rules("* * work web allow target=gui user=root\n* * * gui deny\n");
	assert_string_equal(result_for("work", "web"), "gui");
	assert_string_equal(
	    decision.reply, "user=root\nresult=allow\ntarget=gui\ntarget_uuid=" UUID(
				3) "\nautostart=True\nrequested_target=web");
}

static void
l16_a_redirect_to_nobody_is_denied(void **state)
{
	(void)state;
	use_rules("* * work web allow target=nobody\n");
	assert_string_equal(result_for("work", "web"), "deny");
	assert_int_equal(decision.stage, POLICY_STAGE_RULE);
}

static void
pol_14_only_a_disposable_base_makes_disposables(void **state)
{
	(void)state;
	use_rules("* * * @dispvm allow\n* * work web allow target=@dispvm:web\n"
		  "* * work gui allow target=@dispvm:base2\n");
	assert_string_equal(result_for("work", "@dispvm"), "@dispvm:base");
	assert_string_equal(result_for("web", "@dispvm"), "deny"); /* has no default */
	assert_string_equal(result_for("gui", "@dispvm"), "deny"); /* its default is none */
	assert_string_equal(result_for("work", "web"), "deny");
	assert_string_equal(result_for("work", "gui"), "@dispvm:base2");
	assert_non_null(strstr(decision.reply, "\ntarget_uuid=@dispvm:" UUID(5) "\n"));
}

static void
pol_13_a_base_that_is_none_any_more_is_refused(void **state)
{
	(void)state;
	use_rules("* * * @dispvm allow\n");
	assert_string_equal(result_for("work", "@dispvm"), "@dispvm:base");
	system_info_set(info, "base", "{\"type\": \"AppVM\", \"template_for_dispvms\": false}");
	assert_string_equal(result_for("work", "@dispvm"), "deny");
	system_info_remove(info, "base");
	assert_string_equal(result_for("work", "@dispvm"), "deny");
}

static void
l04_autostart_no_lets_only_running_targets_pass(void **state)
{
	(void)state;
	use_rules("* * * @default allow target=work autostart=no\n* * * * allow autostart=no\n");
	assert_string_equal(result_for("web", "work"), "work");
	assert_non_null(strstr(decision.reply, "\nautostart=False\n"));
	assert_string_equal(result_for("work", "web"), "deny");
	assert_false(decision.notify);
	assert_string_equal(result_for("work", "gui"), "deny"); /* paused */
	assert_string_equal(result_for("work", "@dispvm"), "deny");
	assert_string_equal(result_for("work", "dom0"), "dom0");
	use_rules("* * * * allow autostart=no notify=yes\n");
	assert_string_equal(result_for("work", "web"), "deny");
	assert_true(decision.notify);
}

static void
pol_15_a_qube_cannot_call_itself_however_it_is_spelled(void **state)
{
	(void)state;
	use_rules("* * * web allow target=" UUID(1) "\n* * * * allow\n");
	assert_string_equal(result_for("work", "work"), "deny");
	assert_int_equal(decision.stage, POLICY_STAGE_RESOLUTION);
	assert_string_equal(result_for("work", UUID(1)), "deny");
	assert_string_equal(result_for(UUID(1), "work"), "deny");
	assert_string_equal(result_for("work", "web"), "deny");
	assert_string_equal(result_for("dom0", "@adminvm"), "deny");
	assert_string_equal(result_for("dom0", ZERO), "deny");
	assert_string_equal(result_for("relay", "far"), "deny"); /* through itself */
}

static void
pol_12_the_reply_names_the_qube_by_uuid_as_well(void **state)
{
	(void)state;
	use_rules("* * * * allow\n");
	evaluate("work", "web");
	assert_non_null(strstr(decision.reply, "\ntarget_uuid=" UUID(2) "\n"));
	evaluate("work", "dom0");
	assert_null(strstr(decision.reply, "target_uuid"));
}

static void
l04_a_remote_target_is_called_through_its_relay(void **state)
{
	(void)state;
	use_rules("* * * * allow user=root\n");
	assert_string_equal(result_for("work", "far"), "far");
	assert_string_equal(decision.reply,
	    "user=DEFAULT\nresult=allow\ntarget=relay\ntarget_uuid=" UUID(
		7) "\nautostart=True\nrequested_target=far\nservice=air.Proxy+far+svc+arg");
	assert_int_equal(decision.warnings->len, 1);
	assert_string_equal(result_for("work", "lost"), "deny");
	assert_int_equal(decision.stage, POLICY_STAGE_RESOLUTION);
}

static void
l04_notify_is_yes_for_deny_and_no_for_allow_and_ask(void **state)
{
	(void)state;
	use_rules("* * * web allow\n* * * gui ask\n* * * relay deny\n* * * base deny notify=no\n"
		  "* * * far allow notify=yes\n");
	evaluate("work", "web");
	assert_false(decision.notify);
	evaluate("work", "gui");
	assert_false(decision.notify);
	evaluate("work", "relay");
	assert_true(decision.notify);
	evaluate("work", "base");
	assert_false(decision.notify);
	evaluate("work", "far");
	assert_true(decision.notify);
	evaluate("work", "hidden"); /* no rule */
	assert_true(decision.notify);
	assert_int_equal(decision.stage, POLICY_STAGE_NOMATCH);
}

/* --- ask ------------------------------------------------------------------------------------ */

static void
w02_the_choices_are_what_the_rules_would_ask_for_or_allow(void **state)
{
	(void)state;
	use_rules("svc * work web deny\n"
		  "svc * work @tag:work ask\n"
		  "svc * work relay allow\n"
		  "svc * web @anyvm ask\n"
		  "other * work far ask\n"
		  "svc +else work far ask\n"
		  "* * work web ask\n");
	assert_choices("work", "gui", "gui relay");
}

static void
w02_anyvm_offers_every_qube_and_base_but_not_dom0_nor_the_source_nor_internal_ones(void **state)
{
	(void)state;
	use_rules("* * * @anyvm ask\n");
	assert_choices(
	    "work", "web", "@dispvm:base @dispvm:base2 base base2 far gui lost relay web");
	use_rules("* * * * ask\n");
	assert_choices(
	    "work", "web", "@dispvm:base @dispvm:base2 base base2 dom0 far gui lost relay web");
	assert_choices(
	    "dom0", "web", "@dispvm:base @dispvm:base2 base base2 far gui lost relay web work");
}

static void
w02_the_first_rule_about_a_target_decides_whether_it_is_offered(void **state)
{
	(void)state;
	use_rules("* * work gui deny\n* * work @adminvm deny\n* * work @dispvm:base deny\n"
		  "* * work * ask\n* * work web deny\n");
	assert_choices("work", "web", "@dispvm:base @dispvm:base2 base base2 far lost relay web");
	use_rules("* * work @dispvm deny\n* * work @dispvm:base ask\n* * work web ask\n");
	assert_choices("work", "web", "@dispvm:base web");
}

static void
l07_the_default_disposable_is_offered_by_its_base(void **state)
{
	(void)state;
	use_rules("* * * @dispvm ask\n* * * web ask\n");
	assert_choices("work", "@dispvm", "@dispvm:base web");
	assert_choices("gui", "@dispvm", "web"); /* its default is no base */
}

static void
w02_a_redirect_is_the_only_choice(void **state)
{
	(void)state;
	use_rules("* * work web ask target=@dispvm\n* * work gui ask target=@adminvm\n"
		  "* * work relay ask target=" UUID(
		      2) "\n* * work far ask target=work\n"
			 "* * work base ask target=nobody\n* * web web ask target=@dispvm\n");
	assert_choices("work", "web", "@dispvm:base");
	assert_choices("work", "gui", "dom0");
	assert_choices("work", "relay", "web");
	assert_string_equal(result_for("work", "far"), "deny");
	assert_string_equal(result_for("work", "base"), "deny");
	assert_string_equal(result_for("web", "web"), "deny");
}

static void
pol_15_an_ask_without_a_choice_is_a_denial(void **state)
{
	(void)state;
	use_rules("* * work @default ask\n* * web web ask\n* * gui hidden ask\n"
		  "* * relay @dispvm:nobody ask\n* * relay @default ask\n");
	assert_string_equal(result_for("work", ""), "deny");
	assert_int_equal(decision.stage, POLICY_STAGE_RULE);
	assert_string_equal(result_for("web", "web"), "deny");
	assert_string_equal(result_for("gui", "hidden"), "deny");
	assert_string_equal(result_for("relay", ""), "deny");
}

static void
l15_default_target_preselects_a_choice_by_any_spelling(void **state)
{
	static const struct {
		const char *token, *wanted;
	} cases[] = {
	    {"web", "web"},
	    {UUID(2), "web"},
	    {"@dispvm", "@dispvm:base"},
	    {"@dispvm:" UUID(5), "@dispvm:base2"},
	    {"@adminvm", "dom0"},
	    {"nobody", NULL},
	    {"work", NULL}, /* the source */
	    {"hidden", NULL},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *rules =
		    g_strdup_printf("* * * * ask default_target=%s\n", cases[i].token);

		use_rules(rules);
		evaluate("work", "gui");
		assert_int_equal(decision.result, POLICY_ASK);
		if (cases[i].wanted != NULL)
			assert_string_equal(decision.default_target, cases[i].wanted);
		else
			assert_null(decision.default_target);
		assert_int_equal(decision.warnings != NULL, cases[i].wanted == NULL);
	}
}

static void
l14_the_callers_target_is_not_preselected(void **state)
{
	(void)state;
	use_rules("* * * * ask\n");
	evaluate("work", "web");
	assert_null(decision.default_target);
}

static void
l04_autostart_no_offers_only_what_runs(void **state)
{
	(void)state;
	use_rules("* * * * ask autostart=no\n");
	assert_choices("web", "work", "dom0 far lost relay work");
}

/* --- answers -------------------------------------------------------------------------------- */

/* Asks work -> web, lets meanwhile happen, answers target. */
static const char *
answer(const char *target, void (*meanwhile)(void))
{
	static struct policy_decision result;
	struct policy_request request = request_to("work", "web");

	policy_decision_clear(&result);
	use_rules("* * work @anyvm ask\n");
	evaluate("work", "web");
	assert_int_equal(decision.result, POLICY_ASK);
	if (meanwhile != NULL)
		meanwhile();
	decision.rule = NULL;
	policy_answer(policy, info, &request, &decision, target, &result);
	if (result.result == POLICY_ALLOWED) {
		g_free(decision.target);
		decision.target = g_strdup(result.target);
		policy_decision_clear(&result);
		return decision.target;
	}
	assert_null(result.reply);
	assert_int_equal(result.result, POLICY_DENIED);
	policy_decision_clear(&result);
	return "deny";
}

static void
remove_gui(void)
{
	system_info_remove(info, "gui");
}

static void
replace_gui(void)
{
	system_info_set(info, "gui",
	    "{\"type\": \"AppVM\", \"uuid\": \"0000000f-0000-4000-8000-000000000000\"}");
}

static void
deny_gui(void)
{
	use_rules("* * work gui deny\n* * work @anyvm ask\n");
}

static void
allow_instead(void)
{
	use_rules("* * work @anyvm allow\n");
}

static void
deny_all(void)
{
	use_rules("* * * * deny\n");
}

static void
prm_15_only_an_offered_target_is_allowed(void **state)
{
	static const char *const bad[] = {"dom0", "work", "hidden", "nobody", "", "@dispvm",
	    "@anyvm", "*", "@default", UUID(3), "gui\n", "@dispvm:work"};

	(void)state;
	assert_string_equal(answer("gui", NULL), "gui");
	assert_string_equal(answer("@dispvm:base2", NULL), "@dispvm:base2");
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_string_equal(answer(bad[i], NULL), "deny");
}

static void
prm_12_an_answer_counts_only_if_the_same_is_still_offered(void **state)
{
	(void)state;
	assert_string_equal(answer("web", remove_gui), "web");
	assert_string_equal(answer("gui", deny_gui), "deny");
	assert_string_equal(answer("relay", deny_gui), "relay");
	assert_string_equal(answer("gui", allow_instead), "deny");
	assert_string_equal(answer("gui", deny_all), "deny");
	assert_string_equal(answer("gui", remove_gui), "deny");
}

static void
pol_12_an_answer_does_not_pass_to_another_qube_of_that_name(void **state)
{
	(void)state;
	assert_string_equal(answer("gui", replace_gui), "deny");
}

static void
q10_assume_yes_allows_the_callers_target_if_it_is_offered(void **state)
{
	struct policy_request request = request_to("work", "web");

	(void)state;
	use_rules("* * work web ask\n");
	evaluate("work", "web");
	policy_assume_yes(policy, info, &request, &decision);
	assert_int_equal(decision.result, POLICY_ALLOWED);
	assert_string_equal(decision.target, "web");
	request.target = "";
	use_rules("* * work @default ask\n* * work web ask\n");
	evaluate("work", "");
	policy_assume_yes(policy, info, &request, &decision);
	assert_int_equal(decision.result, POLICY_DENIED);
}

/* --- system information --------------------------------------------------------------------- */

static void
a06_system_information_of_another_shape_is_refused(void **state)
{
	static const char *const bad[] = {"", "[]", "{}", "{\"domains\": []}",
	    "{\"domains\": {\"a\": 1}}", "{\"domains\": {\"a\": {\"type\": 1}}}",
	    "{\"domains\": {\"a\": {\"tags\": \"x\"}}}", "{\"domains\": {\"a\": {\"tags\": [1]}}}",
	    "{\"domains\": {\"a\": {}, \"a\": {}}}", "{\"domains\": {\"a\": {\"uuid\": []}}}"};
	struct system_info *other = NULL;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		assert_true(system_info_parse(bad[i], strlen(bad[i]), &other) < 0);
		assert_null(other);
	}
	assert_int_equal(system_info_parse("{\"domains\": {\"a\": {}}}", 22, &other), 0);
	assert_non_null(system_info_find(other, "a"));
	system_info_free(other);
}

static void
a06_an_update_replaces_a_qube_and_its_uuid(void **state)
{
	(void)state;
	assert_ptr_equal(system_info_find(info, UUID(1)), system_info_find(info, "work"));
	assert_int_equal(system_info_set(info, "work", "{\"uuid\": \"x\"}"), 0);
	assert_null(system_info_find(info, UUID(1)));
	assert_ptr_equal(system_info_find(info, "uuid:x"), system_info_find(info, "work"));
	assert_true(system_info_set(info, "work", "{\"uuid\": 1}") < 0);
	assert_ptr_equal(system_info_find(info, "uuid:x"), system_info_find(info, "work"));
	system_info_remove(info, "work");
	system_info_remove(info, "work");
	assert_null(system_info_find(info, "uuid:x"));
}

int
main(void)
{
#define WITH_QUBES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    WITH_QUBES(l05_anyvm_is_everything_but_dom0_in_any_spelling),
	    WITH_QUBES(l05_the_three_spellings_of_dom0_match_each_other),
	    WITH_QUBES(l06_tags_and_types_match_known_qubes_only),
	    WITH_QUBES(l07_dispvm_tokens_match_the_disposables_they_name),
	    WITH_QUBES(pol_05_names_and_uuids_of_one_qube_match_each_other),
	    WITH_QUBES(pol_15_an_unknown_source_matches_only_any_and_its_own_name),
	    WITH_QUBES(l03_the_first_matching_rule_decides_across_services),
	    WITH_QUBES(l20_an_empty_policy_denies_everything),
	    WITH_QUBES(pol_04_service_and_argument_match_exactly),
	    WITH_QUBES(pol_04_no_argument_and_an_empty_one_are_the_same),
	    WITH_QUBES(pol_03_only_some_keywords_can_be_asked_for),
	    WITH_QUBES(pol_03_an_unknown_name_is_treated_as_no_target),
	    WITH_QUBES(prm_21_only_its_relay_may_speak_for_a_remote_qube),
	    WITH_QUBES(prm_21_a_remote_source_is_asked_for_where_its_relay_has_its_windows),
	    WITH_QUBES(l16_a_redirect_goes_where_it_says_without_another_rule),
	    WITH_QUBES(l16_a_redirect_to_nobody_is_denied),
	    WITH_QUBES(pol_14_only_a_disposable_base_makes_disposables),
	    WITH_QUBES(pol_13_a_base_that_is_none_any_more_is_refused),
	    WITH_QUBES(l04_autostart_no_lets_only_running_targets_pass),
	    WITH_QUBES(pol_15_a_qube_cannot_call_itself_however_it_is_spelled),
	    WITH_QUBES(pol_12_the_reply_names_the_qube_by_uuid_as_well),
	    WITH_QUBES(l04_a_remote_target_is_called_through_its_relay),
	    WITH_QUBES(l04_notify_is_yes_for_deny_and_no_for_allow_and_ask),
	    WITH_QUBES(w02_the_choices_are_what_the_rules_would_ask_for_or_allow),
	    WITH_QUBES(
		w02_anyvm_offers_every_qube_and_base_but_not_dom0_nor_the_source_nor_internal_ones),
	    WITH_QUBES(w02_the_first_rule_about_a_target_decides_whether_it_is_offered),
	    WITH_QUBES(l07_the_default_disposable_is_offered_by_its_base),
	    WITH_QUBES(w02_a_redirect_is_the_only_choice),
	    WITH_QUBES(pol_15_an_ask_without_a_choice_is_a_denial),
	    WITH_QUBES(l15_default_target_preselects_a_choice_by_any_spelling),
	    WITH_QUBES(l14_the_callers_target_is_not_preselected),
	    WITH_QUBES(l04_autostart_no_offers_only_what_runs),
	    WITH_QUBES(prm_15_only_an_offered_target_is_allowed),
	    WITH_QUBES(prm_12_an_answer_counts_only_if_the_same_is_still_offered),
	    WITH_QUBES(pol_12_an_answer_does_not_pass_to_another_qube_of_that_name),
	    WITH_QUBES(q10_assume_yes_allows_the_callers_target_if_it_is_offered),
	    WITH_QUBES(a06_system_information_of_another_shape_is_refused),
	    WITH_QUBES(a06_an_update_replaces_a_qube_and_its_uuid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
