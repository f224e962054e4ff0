#include "qubesd/admin_decode.h"
#include "qubesd/grammar.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define FRAME(text) untrusted_bytes_of(text, sizeof(text) - 1)

static int
decode(const void *bytes, size_t len, struct admin_request *ret)
{
	return admin_decode_request(untrusted_bytes_of(bytes, len), ret);
}

static void
adm_01_a_frame_gives_its_five_parts(void **state)
{
	static const char frame[] = "admin.vm.property.Set+a+b dom0 name work\0pay\0load";
	struct admin_request request = {0};

	(void)state;
	assert_int_equal(decode(frame, sizeof(frame) - 1, &request), 0);
	assert_string_equal(request.method, "admin.vm.property.Set");
	assert_string_equal(request.arg, "a+b");
	assert_string_equal(request.source, "dom0");
	assert_string_equal(request.dest, "work");
	assert_true(request.ascii);
	assert_int_equal(request.untrusted_payload.len, 8);
	admin_request_clear(&request);
}

static void
adm_01_every_prefix_of_a_head_is_refused(void **state)
{
	static const char frame[] = "admin.vm.List dom0 name dom0";
	struct admin_request request = {0};

	(void)state;
	for (size_t len = 0; len < sizeof(frame); len++)
		assert_int_equal(decode(frame, len, &request), -EPROTO);
	assert_int_equal(decode(frame, sizeof(frame), &request), 0);
	assert_int_equal(request.untrusted_payload.len, 0);
	assert_string_equal(request.arg, "");
	admin_request_clear(&request);
}

static void
adm_01_heads_with_missing_or_wrong_pieces_are_refused(void **state)
{
	static const char *const heads[] = {"", "a", "a dom0", "a dom0 name", "a dom0 uuid work",
	    "a dom0 keyword dispvm", "a dom0  name work", "a dom0 NAME work"};
	struct admin_request request = {0};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(heads); i++)
		assert_int_equal(decode(heads[i], strlen(heads[i]) + 1, &request), -EPROTO);
}

static void
adm_01_a_destination_may_hold_spaces_and_is_no_name_then(void **state)
{
	struct admin_request request = {0};
	const char *name;

	(void)state;
	assert_int_equal(admin_decode_request(FRAME("m dom0 name a b\0"), &request), 0);
	assert_string_equal(request.dest, "a b");
	assert_int_equal(admin_decode_name(request.dest, &name), ADMIN_NAME_BAD);
	admin_request_clear(&request);
}

static void
keyword_adminvm_is_dom0(void **state)
{
	struct admin_request request = {0};

	(void)state;
	assert_int_equal(admin_decode_request(FRAME("m work keyword adminvm\0"), &request), 0);
	assert_string_equal(request.dest, "dom0");
	admin_request_clear(&request);
}

static void
adm_01_a_request_of_65536_bytes_is_read_and_one_more_is_not(void **state)
{
	static const char head[] = "m dom0 name dom0";
	g_autofree char *bytes = g_malloc0(ADMIN_REQUEST_MAX + 1);
	struct admin_request request = {0};

	(void)state;
	memcpy(bytes, head, sizeof(head));
	assert_int_equal(decode(bytes, ADMIN_REQUEST_MAX + 1, &request), -EPROTO);
	assert_int_equal(decode(bytes, ADMIN_REQUEST_MAX, &request), 0);
	assert_int_equal(request.untrusted_payload.len, ADMIN_REQUEST_MAX - sizeof(head));
	admin_request_clear(&request);
}

static void
bytes_above_127_in_the_method_are_noticed(void **state)
{
	struct admin_request request = {0};

	(void)state;
	assert_int_equal(admin_decode_request(FRAME("m+\x80 dom0 name dom0\0"), &request), 0);
	assert_false(request.ascii);
	admin_request_clear(&request);
}

static void
names_and_uuids_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		enum admin_name kind;
	} cases[] = {
	    {"work", ADMIN_NAME_QUBE},
	    {"dom0", ADMIN_NAME_QUBE},
	    {"", ADMIN_NAME_BAD},
	    {".work", ADMIN_NAME_BAD},
	    {"work/../x", ADMIN_NAME_BAD},
	    {"uuid:00000000-0000-0000-0000-000000000000", ADMIN_NAME_UUID},
	    {"uuid:", ADMIN_NAME_BAD_UUID},
	    {"uuid:00000000-0000-0000-0000-00000000000", ADMIN_NAME_BAD_UUID},
	    {"uuid:00000000-0000-0000-0000-0000000000000", ADMIN_NAME_BAD_UUID},
	    {"uuid:00000000-0000-0000-0000-00000000000G", ADMIN_NAME_BAD_UUID},
	    {"uuid:A0000000-0000-0000-0000-000000000000", ADMIN_NAME_BAD_UUID},
	    {"uuid:{0000000-0000-0000-0000-000000000000}", ADMIN_NAME_BAD_UUID},
	};
	const char *name;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_int_equal(admin_decode_name(cases[i].text, &name), cases[i].kind);
}

static void
create_reads_its_options(void **state)
{
	struct admin_create create = {0};
	struct admin_error error = {0};

	(void)state;
	assert_true(admin_decode_create(
	    FRAME("name=work label=red pool:private=fast"), true, &create, &error));
	assert_string_equal(create.name, "work");
	assert_string_equal(create.label, "red");
	assert_null(create.pool);
	assert_string_equal(create.volume_pools[ADMIN_VOLUME_PRIVATE], "fast");
	admin_create_clear(&create);
}

static void
create_names_each_mistake_by_its_class(void **state)
{
	static const struct {
		const char *payload;
		bool in_pool;
		const char *class;
	} cases[] = {
	    {"name=work label=r\xc3\xa9", false, "ProtocolError"},
	    {"name=work label", false, "ProtocolError"},
	    {"name=work  label=red", false, "ProtocolError"},
	    {"name=work name=home label=red", false, "ProtocolError"},
	    {"name=1work label=red", false, "QubesValueError"},
	    {"name= label=red", false, "QubesValueError"},
	    {"name=work label=no/label", false, "QubesInvalidLabelError"},
	    {"name=work label=12", false, "QubesInvalidLabelError"},
	    {"name=work label=red pool=x", false, "ProtocolError"},
	    {"name=work label=red pool:root=x", false, "ProtocolError"},
	    {"name=work label=red pool:boot=x", true, "ProtocolError"},
	    {"name=work label=red colour=x", true, "ProtocolError"},
	    {"label=red", false, "ProtocolError"},
	    {"name=work", false, "ProtocolError"},
	    {"name=work label=red pool=x pool:root=y", true, "ProtocolError"},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct admin_create create = {0};
		struct admin_error error = {0};

		assert_false(admin_decode_create(
		    untrusted_bytes_of(cases[i].payload, strlen(cases[i].payload)),
		    cases[i].in_pool, &create, &error));
		assert_string_equal(error.name, cases[i].class);
		assert_null(create.name);
		admin_error_clear(&error);
	}
}

static void
adm_04_a_feature_value_is_printable_and_at_most_4096_bytes(void **state)
{
	g_autofree char *longest = g_strnfill(GRAMMAR_FEATURE_VALUE_MAX + 1, 'x');
	g_autofree char *value = NULL;

	(void)state;
	assert_false(admin_decode_feature_value(
	    untrusted_bytes_of(longest, GRAMMAR_FEATURE_VALUE_MAX + 1), &value, NULL));
	assert_false(admin_decode_feature_value(FRAME("a\nb"), &value, NULL));
	assert_false(admin_decode_feature_value(FRAME("a\0b"), &value, NULL));
	assert_false(admin_decode_feature_value(FRAME("a\x7f"), &value, NULL));
	assert_true(admin_decode_feature_value(
	    untrusted_bytes_of(longest, GRAMMAR_FEATURE_VALUE_MAX), &value, NULL));
}

static void
adm_06_a_colour_is_exactly_0x_and_six_digits(void **state)
{
	static const char *const bad[] = {"", "0x", "0x00fff", "0x00fffff", "0X00ffff", "0x00fffg",
	    "0x00ffff\n", " 0x0fff", "0x+0ffff"};
	uint32_t colour = 1;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_false(
		    admin_decode_colour(untrusted_bytes_of(bad[i], strlen(bad[i])), &colour, NULL));
	assert_int_equal(colour, 1);
	assert_true(admin_decode_colour(FRAME("0x000000"), &colour, NULL));
	assert_int_equal(colour, 0);
	assert_true(admin_decode_colour(FRAME("0xffFFff"), &colour, NULL));
	assert_int_equal(colour, 0xffffff);
}

static void
notes_keep_lines_and_lose_what_could_harm_a_display(void **state)
{
	g_autofree char *text =
	    admin_decode_notes(FRAME("a\tb\n\x1b[31m\xe2\x80\xae caf\xc3\xa9\xff\n"));

	(void)state;
	assert_string_equal(text, "a\tb\n_[31m_ caf\xc3\xa9_\n");
}

static void
shutdown_takes_force_and_wait_in_any_order_and_nothing_else(void **state)
{
	static const char *const bad[] = {
	    "forcewait", "force+", "+", "force+force", "Force", " wait"};
	bool force, wait;

	(void)state;
	assert_true(admin_decode_shutdown("wait+force", &force, &wait, NULL) && force && wait);
	assert_true(admin_decode_shutdown("", &force, &wait, NULL) && !force && !wait);
	assert_true(admin_decode_shutdown("force", &force, &wait, NULL) && force && !wait);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_false(admin_decode_shutdown(bad[i], &force, &wait, NULL));
}

static void
adm_05_numbers_are_plain_decimal(void **state)
{
	static const char *const bad[] = {"", "-", "+5", " 5", "5 ", "5\n", "0x5", "5_0", "1e3",
	    "5.0", "99999999999999999999", "9223372036854775808", "\xef\xbc\x95"};
	int64_t number = 7;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_false(grammar_parse_int(bad[i], &number));
	assert_int_equal(number, 7);
	assert_true(grammar_parse_int("9223372036854775807", &number) && number == INT64_MAX);
	assert_true(grammar_parse_int("-1", &number) && number == -1);
	assert_true(grammar_parse_int("007", &number) && number == 7);
}

static void
adm_05_booleans_are_eight_words(void **state)
{
	static const char *const bad[] = {"", "2", "t", "yes ", "truE\n", "none"};
	bool value;

	(void)state;
	assert_true(grammar_parse_bool("TRUE", &value) && value);
	assert_true(grammar_parse_bool("off", &value) && !value);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_false(grammar_parse_bool(bad[i], &value));
}

static void
adm_04_names_of_tags_and_features_have_an_alphabet_and_a_limit(void **state)
{
	g_autofree char *longest = g_strnfill(GRAMMAR_TAG_MAX, 'x');
	g_autofree char *too_long = g_strnfill(GRAMMAR_TAG_MAX + 1, 'x');
	static const char *const bad[] = {"", "a/b", "../x", "a b", "a\n", "a\xc3\xa9", "a:b"};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		assert_false(grammar_is_tag(bad[i]));
		assert_false(grammar_is_feature_name(bad[i]));
	}
	assert_false(grammar_is_tag("a.b"));
	assert_true(grammar_is_feature_name("a.b"));
	assert_true(grammar_is_tag(longest) && grammar_is_feature_name(longest));
	assert_false(grammar_is_tag(too_long) || grammar_is_feature_name(too_long));
}

static void
users_never_begin_with_a_dash(void **state)
{
	(void)state;
	assert_true(grammar_is_user("user") && grammar_is_user("a+b,c.d-e_f"));
	assert_false(grammar_is_user("-x") || grammar_is_user("a b") || grammar_is_user("a:b") ||
		     grammar_is_user(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(adm_01_a_frame_gives_its_five_parts),
	    cmocka_unit_test(adm_01_every_prefix_of_a_head_is_refused),
	    cmocka_unit_test(adm_01_heads_with_missing_or_wrong_pieces_are_refused),
	    cmocka_unit_test(adm_01_a_destination_may_hold_spaces_and_is_no_name_then),
	    cmocka_unit_test(keyword_adminvm_is_dom0),
	    cmocka_unit_test(adm_01_a_request_of_65536_bytes_is_read_and_one_more_is_not),
	    cmocka_unit_test(bytes_above_127_in_the_method_are_noticed),
	    cmocka_unit_test(names_and_uuids_are_told_apart),
	    cmocka_unit_test(create_reads_its_options),
	    cmocka_unit_test(create_names_each_mistake_by_its_class),
	    cmocka_unit_test(adm_04_a_feature_value_is_printable_and_at_most_4096_bytes),
	    cmocka_unit_test(adm_06_a_colour_is_exactly_0x_and_six_digits),
	    cmocka_unit_test(notes_keep_lines_and_lose_what_could_harm_a_display),
	    cmocka_unit_test(shutdown_takes_force_and_wait_in_any_order_and_nothing_else),
	    cmocka_unit_test(adm_05_numbers_are_plain_decimal),
	    cmocka_unit_test(adm_05_booleans_are_eight_words),
	    cmocka_unit_test(adm_04_names_of_tags_and_features_have_an_alphabet_and_a_limit),
	    cmocka_unit_test(users_never_begin_with_a_dash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
