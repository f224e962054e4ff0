/*
 * Policy text in both formats, and what it decides. Promises: an error names a line within the
 * text and nothing follows it; a rule only has tokens that may stand in their columns; whatever
 * was accepted decides every request without failing, and never allows what its rules do not.
 */
#include "qrexec/policy/eval.h"
#include "qrexec/policy/include.h"
#include "qrexec/policy/parse.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char system_json[] =
    "{\"domains\": {"
    "\"dom0\": {\"type\": \"AdminVM\", \"uuid\": \"00000000-0000-0000-0000-000000000000\"},"
    "\"a\": {\"type\": \"AppVM\", \"tags\": [\"t\"], \"power_state\": \"Running\","
    "  \"default_dispvm\": \"d\", \"uuid\": \"00000001-0000-4000-8000-000000000000\"},"
    "\"b\": {\"type\": \"AppVM\", \"tags\": [], \"power_state\": \"Halted\"},"
    "\"d\": {\"type\": \"AppVM\", \"tags\": [\"t\"], \"template_for_dispvms\": true},"
    "\"r\": {\"type\": \"RemoteVM\", \"relayvm\": \"b\", \"transport_rpc\": \"x\"},"
    "\"s\": {\"type\": \"RemoteVM\"}}}";

static void
check_statement(const struct policy_statement *statement)
{
	struct policy_token token;

	if (statement->kind != POLICY_RULE) {
		assert((statement->path != NULL) == (statement->kind != POLICY_COMPAT));
		return;
	}
	assert(policy_token_parse(statement->source.text, POLICY_COLUMN_SOURCE, &token) == 0);
	assert(policy_token_parse(statement->target.text, POLICY_COLUMN_TARGET, &token) == 0);
	assert(statement->argument == NULL || statement->argument[0] == '+');
	assert(statement->service != NULL || statement->argument == NULL);
	if (statement->has_redirect)
		assert(statement->redirect.kind != POLICY_TOKEN_ANY &&
		       statement->action != POLICY_ACTION_DENY);
	if (statement->has_default_target)
		assert(statement->action == POLICY_ACTION_ASK);
}

static void
check_parser(enum policy_format format, const char *text, size_t len)
{
	static struct policy_parser parser;
	struct policy_statement statement;
	unsigned last = 0;
	int r;

	policy_parser_init(
	    &parser, format, format == POLICY_FORMAT_SERVICE ? "svc" : NULL, NULL, text, len);
	while ((r = policy_parser_next(&parser, &statement)) > 0) {
		assert(parser.line > last && parser.line <= len + 1);
		last = parser.line;
		check_statement(&statement);
	}
	assert(r == 0 || r == -EINVAL);
	assert((r == 0) == (parser.error == NULL));
	assert(policy_parser_next(&parser, &statement) == r);
	policy_parser_fini(&parser);
}

static void
check_decision(const struct policy *policy, const struct system_info *info,
    const struct policy_request *request)
{
	struct policy_decision decision, answer;

	policy_evaluate(policy, info, request, &decision);
	assert(decision.result != POLICY_ALLOWED ||
	       (decision.rule->action == POLICY_ACTION_ALLOW && decision.reply != NULL));
	assert((decision.result == POLICY_DENIED) == (decision.reason != NULL));
	assert((decision.result == POLICY_ASK) == (decision.choices != NULL));
	if (decision.result == POLICY_ASK) {
		assert(decision.rule->action == POLICY_ACTION_ASK && decision.choices->len > 0);
		assert(decision.default_target == NULL ||
		       policy_decision_offers(&decision, decision.default_target));
		policy_answer(policy, info, request, &decision, "not offered", &answer);
		assert(answer.result == POLICY_DENIED);
		policy_decision_clear(&answer);
	}
	policy_decision_clear(&decision);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"dom0", "a", "b", "r", "x"};
	static const char *const targets[] = {"", "a", "s", "@dispvm", "@dispvm:d", "dom0"};
	static struct system_info *info;
	struct policy_load_error error;
	struct policy *policy;

	if (info == NULL)
		system_info_parse(system_json, strlen(system_json), &info);
	check_parser(POLICY_FORMAT_RULES, (const char *)data, size);
	check_parser(POLICY_FORMAT_SERVICE, (const char *)data, size);
	if (policy_load_text("text", (const char *)data, size, &policy, &error) < 0) {
		assert(error.text != NULL);
		policy_load_error_clear(&error);
		return 0;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		for (size_t j = 0; j < G_N_ELEMENTS(targets); j++)
			check_decision(policy, info,
			    &(struct policy_request){.service = "svc",
				.argument = i % 2 == 0 ? "+" : "+x",
				.source = names[i],
				.target = targets[j]});
	}
	policy_free(policy);
	return 0;
}
