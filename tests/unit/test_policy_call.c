#include "qrexec/policy/call_decode.h"
#include "qrexec/policy/gui_message.h"
#include "qrexec/policy/notice_limit.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib.h>
#include <jansson.h>
#include <string.h>

#define CALL "source=work\nintended_target=vault\nservice_and_arg=svc+arg\n"

static int
decode(const char *text, size_t len)
{
	struct call call = {.service = (char *)"untouched"};
	int r = call_decode(untrusted_bytes_of(text, len), &call);

	if (r < 0) {
		assert_int_equal(r, -EPROTO);
		assert_string_equal(call.service, "untouched");
	} else {
		call_clear(&call);
	}
	return r;
}

static int
decode_text(const char *text)
{
	return decode(text, strlen(text));
}

static void
pol_01_a_well_formed_call_is_taken_apart(void **state)
{
	static const char text[] =
	    "service_and_arg=qubes.Svc+a+b\nsource=work\nintended_target=\n"
	    "requested_source=far\njust_evaluate=yes\nassume_yes_for_ask=no\n\nrest";
	struct call call;

	(void)state;
	assert_int_equal(call_decode(untrusted_bytes_of(text, strlen(text)), &call), 0);
	assert_string_equal(call.service, "qubes.Svc");
	assert_string_equal(call.argument, "+a+b");
	assert_string_equal(call.source, "work");
	assert_string_equal(call.target, "");
	assert_string_equal(call.requested_source, "far");
	assert_true(call.just_evaluate);
	assert_false(call.assume_yes);
	call_clear(&call);
}

static void
pol_01_the_end_of_the_bytes_ends_a_call_as_well_as_an_empty_line(void **state)
{
	(void)state;
	assert_int_equal(decode_text(CALL), 0);
	assert_int_equal(decode_text(CALL "\n"), 0);
	assert_int_equal(decode(CALL, strlen(CALL) - 1), 0);
	assert_false(call_is_complete(untrusted_bytes_of(CALL, strlen(CALL))));
	assert_true(call_is_complete(untrusted_bytes_of(CALL "\n", strlen(CALL) + 1)));
	assert_true(call_is_complete(untrusted_bytes_of("\n", 1)));
	assert_false(call_is_complete(untrusted_bytes_of("", 0)));
}

static void
pol_01_every_malformed_call_is_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "\n",
	    "source=work\nservice_and_arg=svc\n",
	    "intended_target=\nservice_and_arg=svc\n",
	    "source=work\nintended_target=\n",
	    CALL "source=work\n",
	    CALL "just_evaluate=yes\njust_evaluate=yes\n",
	    CALL "user=root\n",
	    CALL "nothing\n",
	    CALL "=x\n",
	    CALL "just_evaluate=Yes\n",
	    CALL "just_evaluate=\n",
	    CALL "assume_yes_for_ask=1\n",
	    "source=\nintended_target=\nservice_and_arg=svc\n",
	    "source=a b\nintended_target=\nservice_and_arg=svc\n",
	    "source=a\nintended_target=a/b\nservice_and_arg=svc\n",
	    "source=a\nintended_target=..%2f\nservice_and_arg=svc\n",
	    "source=a\nintended_target=\nservice_and_arg=\n",
	    "source=a\nintended_target=\nservice_and_arg=+x\n",
	    "source=a\nintended_target=\nservice_and_arg=svc+$x\n",
	    "source=a\nintended_target=\nservice_and_arg=svc;x\n",
	    "source=a\nintended_target=\nservice_and_arg=svc`x`\n",
	    "source=a\nintended_target=\nservice_and_arg=svc+\xc3\xa9\n",
	    "source=a\r\nintended_target=\nservice_and_arg=svc\n",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		if (decode_text(bad[i]) == 0)
			fail_msg("accepted: %s", bad[i]);
	}
	assert_int_equal(decode("source=a\nintended_target=\nservice_and_arg=s\0x\n", 46), -EPROTO);
}

static void
pol_01_names_of_63_bytes_are_taken_and_of_64_refused(void **state)
{
	g_autofree char *fits = g_strnfill(63, 'x');
	g_autofree char *long_name = g_strnfill(64, 'x');
	const char *lengths[] = {fits, long_name};

	(void)state;
	for (int i = 0; i < 2; i++) {
		g_autofree char *source = g_strdup_printf(
		    "source=%s\nintended_target=\nservice_and_arg=svc\n", lengths[i]);
		g_autofree char *target = g_strdup_printf(
		    "source=a\nintended_target=%s\nservice_and_arg=svc\n", lengths[i]);

		assert_int_equal(decode_text(source), i == 0 ? 0 : -EPROTO);
		assert_int_equal(decode_text(target), i == 0 ? 0 : -EPROTO);
	}
}

static void
pol_08_a_call_of_the_greatest_size_is_taken_and_one_byte_more_refused(void **state)
{
	static const char head[] = "source=a\nintended_target=\nservice_and_arg=svc+";
	g_autofree char *text = g_strnfill(CALL_MAX + 1, 'x');

	(void)state;
	memcpy(text, head, strlen(head));
	assert_int_equal(decode(text, CALL_MAX), 0);
	assert_int_equal(decode(text, CALL_MAX + 1), -EPROTO);
}

/* --- the evaluation services ---------------------------------------------------------------- */

static int
decode_eval(const char *bytes, size_t len, struct call *ret)
{
	return call_decode_eval(untrusted_bytes_of(bytes, len), "policy.EvalSimple", ret);
}

static void
l16_an_evaluation_is_taken_apart(void **state)
{
	static const char text[] = "policy.EvalSimple+svc+arg gui name dom0\0work\0@dispvm";
	struct call call;

	(void)state;
	assert_int_equal(decode_eval(text, sizeof(text) - 1, &call), 0);
	assert_string_equal(call.service, "svc");
	assert_string_equal(call.argument, "+arg");
	assert_string_equal(call.eval_caller, "gui");
	assert_string_equal(call.source, "work");
	assert_string_equal(call.target, "@dispvm");
	assert_true(call.just_evaluate && call.assume_yes);
	call_clear(&call);
}

static void
l16_every_malformed_evaluation_is_refused(void **state)
{
#define BYTES(text)                                                                                \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
	    BYTES(""), BYTES("policy.EvalSimple+svc gui"), BYTES("policy.EvalSimple+svc gui\0"),
	    BYTES("policy.EvalSimple+svc gui\0work"), BYTES("policy.EvalSimple+svc gui\0work\0"),
	    BYTES("policy.EvalSimple+svc gui\0\0vault"),
	    BYTES("policy.EvalSimple+svc gui\0work\0vault\0"),
	    BYTES("policy.EvalSimple+svc gui\0work\0va ult"),
	    BYTES("policy.EvalSimple+svc gui\0work\0va:ult"),
	    BYTES("policy.EvalSimple+ gui\0work\0vault"),
	    BYTES("policy.EvalSimple++x gui\0work\0vault"),
	    BYTES("policy.EvalSimple gui\0work\0vault"),
	    BYTES("policy.EvalGUI+svc gui\0work\0vault"),
	    BYTES("policy.EvalSimple2+svc gui\0work\0vault"),
	    BYTES("policy.EvalSimple+svc\0work\0vault"),
	    BYTES("policy.EvalSimple+svc gui name\0work\0vault"),
	    BYTES("policy.EvalSimple+svc gui a b c\0work\0vault"),
	    BYTES("policy.EvalSimple+svc \0work\0vault"),
	    BYTES("policy.EvalSimple+svc gui\0"
		  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\0vault"), /* a source of 32 bytes */
	};
	struct call call = {.service = (char *)"untouched"};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		if (decode_eval(bad[i].bytes, bad[i].len, &call) != -EPROTO)
			fail_msg("accepted: %zu", i);
		assert_string_equal(call.service, "untouched");
	}
}

static void
l16_an_evaluated_target_of_63_bytes_is_taken_and_of_64_refused(void **state)
{
	static const char head[] = "policy.EvalSimple+svc gui\0work";
	char text[sizeof(head) + 64];
	struct call call;

	(void)state;
	memcpy(text, head, sizeof(head));
	memset(text + sizeof(head), 'x', 64);
	assert_int_equal(decode_eval(text, sizeof(head) + 63, &call), 0);
	call_clear(&call);
	assert_int_equal(decode_eval(text, sizeof(head) + 64, &call), -EPROTO);
}

/* --- answers -------------------------------------------------------------------------------- */

static void
prm_15_only_the_two_forms_of_an_answer_are_taken(void **state)
{
	static const char *const bad[] = {"", "\n", "allow", "allow:", "allow:\n", "Deny",
	    "deny\n\n", "deny ", "allow: work", "allow:work\nallow:vault", "allow:a\n\n",
	    "allow:<b>", "yes"};
	char *target = NULL;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		if (call_decode_answer(untrusted_bytes_of(bad[i], strlen(bad[i])), &target) !=
		    -EPROTO)
			fail_msg("accepted: '%s'", bad[i]);
		assert_null(target);
	}
	assert_int_equal(call_decode_answer(untrusted_bytes_of("deny", 4), &target), 0);
	assert_null(target);
	assert_int_equal(call_decode_answer(untrusted_bytes_of("deny\n", 5), &target), 0);
	assert_null(target);
	assert_int_equal(call_decode_answer(untrusted_bytes_of("allow:work", 10), &target), 0);
	assert_string_equal(target, "work");
	g_clear_pointer(&target, g_free);
	assert_int_equal(
	    call_decode_answer(untrusted_bytes_of("allow:@dispvm:base\n", 19), &target), 0);
	assert_string_equal(target, "@dispvm:base");
	g_free(target);
}

/* --- notifications -------------------------------------------------------------------------- */

#define S G_TIME_SPAN_SECOND

static void
l04_the_same_notice_comes_once_in_ten_seconds(void **state)
{
	struct notice_limit *limit = notice_limit_new();

	(void)state;
	assert_int_equal(notice_limit_admit(limit, 0, "a", "svc", "t"), 1);
	assert_int_equal(notice_limit_admit(limit, 10 * S - 1, "a", "svc", "t"), 0);
	assert_int_equal(notice_limit_admit(limit, 10 * S - 1, "b", "svc", "t"), 1);
	assert_int_equal(notice_limit_admit(limit, 10 * S, "a", "svc", "t"), 2);
	assert_int_equal(notice_limit_admit(limit, 10 * S, "a", "svc", "u"), 1);
	notice_limit_free(limit);
}

static void
l04_a_qube_gets_five_notices_a_minute_and_the_next_stands_for_the_rest(void **state)
{
	struct notice_limit *limit = notice_limit_new();

	(void)state;
	for (int i = 0; i < 100; i++) {
		g_autofree char *service = g_strdup_printf("svc%d", i);

		assert_int_equal(notice_limit_admit(limit, i, "a", service, "t"), i < 5 ? 1 : 0);
	}
	assert_int_equal(notice_limit_admit(limit, 60 * S - 1, "a", "x", "t"), 0);
	assert_int_equal(notice_limit_admit(limit, 60 * S, "a", "x", "t"), 97);
	notice_limit_free(limit);
}

static void
l04_sources_beyond_the_limit_are_held_back_until_others_are_forgotten(void **state)
{
	struct notice_limit *limit = notice_limit_new();

	(void)state;
	for (int i = 0; i < NOTICE_SOURCES; i++) {
		g_autofree char *source = g_strdup_printf("q%d", i);

		assert_int_equal(notice_limit_admit(limit, 0, source, "svc", "t"), 1);
	}
	assert_int_equal(notice_limit_admit(limit, 1, "late", "svc", "t"), 0);
	assert_int_equal(notice_limit_admit(limit, 61 * S, "late", "svc", "t"), 1);
	notice_limit_free(limit);
}

static void
w02_the_question_names_every_icon_and_each_base_as_a_disposable(void **state)
{
	static const char system[] =
	    "{\"domains\": {\"work\": {\"icon\": \"appvm-blue\", \"label\": \"0x0000ff\"},"
	    "\"base\": {\"icon\": \"appvm-red\", \"template_for_dispvms\": true}}}";
	struct policy_choice choice = {.target = (char *)"base"};
	GArray *choices = g_array_new(FALSE, FALSE, sizeof(choice));
	struct policy_decision asked = {.source = (char *)"far",
	    .requested_target = (char *)"@default",
	    .choices = choices,
	    .guivm = (char *)"dom0"};
	struct call call = {
	    .service = (char *)"svc", .argument = (char *)"+", .source = (char *)"relay"};
	struct system_info *info;
	g_autofree char *text = NULL;
	json_t *json, *icons;

	(void)state;
	g_array_append_val(choices, choice);
	assert_int_equal(system_info_parse(system, strlen(system), &info), 0);
	text = gui_message_ask(info, &call, &asked);
	json = json_loads(text, 0, NULL);
	icons = json_object_get(json, "icons");
	assert_string_equal(json_string_value(json_object_get(icons, "work")), "appvm-blue");
	assert_string_equal(
	    json_string_value(json_object_get(icons, "@dispvm:base")), "dispvm-red");
	assert_null(json_object_get(icons, "@dispvm:work"));
	assert_string_equal(json_string_value(json_object_get(json, "source")), "far");
	assert_string_equal(json_string_value(json_object_get(json, "relay")), "relay");
	assert_string_equal(json_string_value(json_object_get(json, "default_target")), "");
	json_decref(json);

	/* Another GUI domain does not learn of qubes that the question is not about. */
	g_free(text);
	asked.guivm = (char *)"sys-gui";
	text = gui_message_ask(info, &call, &asked);
	assert_null(strstr(text, "work"));
	assert_non_null(strstr(text, "\"@dispvm:base\":\"dispvm-red\""));
	assert_non_null(strstr(text, "\"base\":\"appvm-red\""));
	system_info_free(info);
	g_array_unref(choices);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pol_01_a_well_formed_call_is_taken_apart),
	    cmocka_unit_test(pol_01_the_end_of_the_bytes_ends_a_call_as_well_as_an_empty_line),
	    cmocka_unit_test(pol_01_every_malformed_call_is_refused),
	    cmocka_unit_test(pol_01_names_of_63_bytes_are_taken_and_of_64_refused),
	    cmocka_unit_test(pol_08_a_call_of_the_greatest_size_is_taken_and_one_byte_more_refused),
	    cmocka_unit_test(l16_an_evaluation_is_taken_apart),
	    cmocka_unit_test(l16_every_malformed_evaluation_is_refused),
	    cmocka_unit_test(l16_an_evaluated_target_of_63_bytes_is_taken_and_of_64_refused),
	    cmocka_unit_test(prm_15_only_the_two_forms_of_an_answer_are_taken),
	    cmocka_unit_test(l04_the_same_notice_comes_once_in_ten_seconds),
	    cmocka_unit_test(
		l04_a_qube_gets_five_notices_a_minute_and_the_next_stands_for_the_rest),
	    cmocka_unit_test(l04_sources_beyond_the_limit_are_held_back_until_others_are_forgotten),
	    cmocka_unit_test(w02_the_question_names_every_icon_and_each_base_as_a_disposable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
