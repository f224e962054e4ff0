#include "qrexec/policy/parse.h"
#include "qrexec/policy/token.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

/* --- tokens --------------------------------------------------------------------------------- */

#define SOURCE POLICY_COLUMN_SOURCE
#define TARGET POLICY_COLUMN_TARGET
#define REDIRECT POLICY_COLUMN_REDIRECT
#define REQUEST POLICY_COLUMN_REQUEST
#define ALL (SOURCE | TARGET | REDIRECT | REQUEST)

static const struct {
	const char *text;
	unsigned columns; /* where it is valid */
	enum policy_token_kind kind;
	const char *value;
} tokens[] = {
    {"work", ALL, POLICY_TOKEN_QUBE, "work"},
    {"uuid:d8a249f1-b02b-4944-a9e5-437def2fbe2c", ALL, POLICY_TOKEN_QUBE,
	"uuid:d8a249f1-b02b-4944-a9e5-437def2fbe2c"},
    {"dom0", ALL, POLICY_TOKEN_ADMINVM, ""},
    {"@adminvm", ALL, POLICY_TOKEN_ADMINVM, ""},
    {"uuid:00000000-0000-0000-0000-000000000000", ALL, POLICY_TOKEN_ADMINVM, ""},
    {"*", SOURCE | TARGET, POLICY_TOKEN_ANY, ""},
    {"@anyvm", SOURCE | TARGET, POLICY_TOKEN_ANYVM, ""},
    {"@default", TARGET | REQUEST, POLICY_TOKEN_DEFAULT, ""},
    {"@type:AppVM", SOURCE | TARGET, POLICY_TOKEN_TYPE, "AppVM"},
    {"@tag:x", SOURCE | TARGET, POLICY_TOKEN_TAG, "x"},
    {"@dispvm", TARGET | REDIRECT | REQUEST, POLICY_TOKEN_DISPVM, ""},
    {"@dispvm:base", ALL, POLICY_TOKEN_DISPVM_OF, "base"},
    {"@dispvm:uuid:fa6d56e8-a89d-4106-aa62-22e172a43c8b", ALL, POLICY_TOKEN_DISPVM_OF,
	"uuid:fa6d56e8-a89d-4106-aa62-22e172a43c8b"},
    {"@dispvm:@tag:x", SOURCE | TARGET, POLICY_TOKEN_DISPVM_TAG, "x"},
    /* valid nowhere */
    {"", 0, 0, ""},
    {"@", 0, 0, ""},
    {"@@", 0, 0, ""},
    {"@tag:", 0, 0, ""},
    {"@type:", 0, 0, ""},
    {"@dispvm:", 0, 0, ""},
    {"@dispvm:@tag:", 0, 0, ""},
    {"@dispvm:@type:x", 0, 0, ""},
    {"@tag:a@b", 0, 0, ""},
    {"@tag:@b", 0, 0, ""},
    {"@anyvm2", 0, 0, ""},
    {"@Anyvm", 0, 0, ""},
    {"@uuid:", 0, 0, ""},
    {"@remotevm", 0, 0, ""},
};

static void
pol_03_every_token_is_valid_in_its_columns_and_in_no_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(tokens); i++) {
		for (unsigned column = SOURCE; column <= REQUEST; column <<= 1) {
			struct policy_token token = {.text = "untouched"};
			bool valid =
			    policy_token_parse(tokens[i].text, column, &token) == POLICY_TOKEN_OK;

			assert_int_equal(valid, (tokens[i].columns & column) != 0);
			if (!valid) {
				assert_string_equal(token.text, "untouched");
				continue;
			}
			assert_int_equal(token.kind, tokens[i].kind);
			assert_string_equal(token.value, tokens[i].value);
		}
	}
}

static void
pol_02_legacy_spelling_is_refused_in_rules_and_an_unknown_name_in_requests(void **state)
{
	struct policy_token token;

	(void)state;
	assert_int_equal(policy_token_parse("$anyvm", SOURCE, &token), POLICY_TOKEN_DOLLAR);
	assert_int_equal(policy_token_parse("$anyvm", TARGET, &token), POLICY_TOKEN_DOLLAR);
	assert_int_equal(policy_token_parse("$dispvm", REDIRECT, &token), POLICY_TOKEN_DOLLAR);
	assert_int_equal(policy_token_parse("$anyvm", REQUEST, &token), POLICY_TOKEN_OK);
	assert_int_equal(token.kind, POLICY_TOKEN_QUBE);
}

static void
pol_16_nothing_in_a_name_is_a_pattern(void **state)
{
	struct policy_token token;

	(void)state;
	assert_int_equal(policy_token_parse(".*", TARGET, &token), POLICY_TOKEN_OK);
	assert_int_equal(token.kind, POLICY_TOKEN_QUBE);
	assert_int_equal(policy_token_parse("**", TARGET, &token), POLICY_TOKEN_OK);
	assert_int_equal(token.kind, POLICY_TOKEN_QUBE);
	assert_false(policy_token_is_plain("wor*"));
	assert_true(policy_token_is_plain("work-1.b_c"));
}

/* --- lines ---------------------------------------------------------------------------------- */

/* The number of statements in a text, or -1 with *ret_line where the error is. */
static int
count_statements_in(enum policy_format format, const char *text, size_t len, unsigned *ret_line)
{
	struct policy_parser parser;
	struct policy_statement statement;
	int count = 0;
	int r;

	policy_parser_init(&parser, format, "svc", NULL, text, len);
	while ((r = policy_parser_next(&parser, &statement)) > 0)
		count++;
	*ret_line = parser.line;
	if (r < 0) {
		assert_int_equal(r, -EINVAL);
		assert_non_null(parser.error);
		assert_int_equal(policy_parser_next(&parser, &statement), -EINVAL);
		count = -1;
	}
	policy_parser_fini(&parser);
	return count;
}

static int
count_statements(const char *text, unsigned *ret_line)
{
	return count_statements_in(POLICY_FORMAT_RULES, text, strlen(text), ret_line);
}

static void
l03_lines_end_in_lf_crlf_or_cr_and_the_last_needs_no_end(void **state)
{
	unsigned line;

	(void)state;
	assert_int_equal(count_statements("a * b c allow\na * b c deny\n", &line), 2);
	assert_int_equal(count_statements("a * b c allow\r\na * b c deny\r\n", &line), 2);
	assert_int_equal(count_statements("a * b c allow\ra * b c deny", &line), 2);
	assert_int_equal(count_statements("\n\r\n\ra * b c x", &line), -1);
	assert_int_equal(line, 4);
	assert_int_equal(count_statements("", &line), 0);
	assert_int_equal(count_statements("\n", &line), 0);
}

static void
l23_comments_take_whole_lines_only(void **state)
{
	unsigned line;

	(void)state;
	assert_int_equal(count_statements("# x\n \t# \xc3\xa9\n\n  a * b c allow  \n", &line), 1);
	assert_int_equal(count_statements("a * b c allow # x\n", &line), -1);
	assert_int_equal(count_statements("a * b c allow #\n", &line), -1);
	assert_int_equal(line, 1);
}

static void
l02_blanks_and_tabs_separate_and_nothing_else_does(void **state)
{
	static const char *const others[] = {"\v", "\f", "\x1c", "\xc2\xa0", "\xc2\x85", ","};
	unsigned line;

	(void)state;
	assert_int_equal(count_statements("a\t*  b \t c\tallow\t", &line), 1);
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		g_autofree char *text = g_strdup_printf("a%s* b c allow\n", others[i]);

		assert_int_equal(count_statements(text, &line), -1);
	}
}

static void
pol_06_every_kind_of_error_is_found_and_names_its_line(void **state)
{
	static const char *const bad[] = {
	    "a",
	    "a * b c",
	    "a * b c allow extra",
	    "a * b c Allow",
	    "a * b c permit",
	    "a * b c allow,target=x",
	    "a * @default c allow",
	    "a * @dispvm c allow",
	    "a * b @tag: allow",
	    "a * b @nothing allow",
	    "a * b c allow target=*",
	    "a * b c allow target=@default",
	    "a * b c allow target=",
	    "a * b c ask default_target=@anyvm",
	    "a+b * b c allow",
	    "a/b * b c allow",
	    "a + b c all",
	    "a b b c allow",
	    "a +x/y b c allow",
	    "* + b c allow",
	    "* +x b c allow",
	    "a * b c allow notify",
	    "a * b c allow =x",
	    "a * b c allow colour=red",
	    "a * b c allow default_target=x",
	    "a * b c deny target=x",
	    "a * b c deny user=x",
	    "a * b c deny autostart=no",
	    "a * b c allow notify=yes notify=no",
	    "a * b c allow target=x target=x",
	    "a * b c deny notify=maybe",
	    "a * b c deny notify=",
	    "a * b c deny notify=YES",
	    "a * b c allow autostart=1",
	    "a * b @default allow",
	    "a * b @default allow user=x",
	    "a * $anyvm c allow",
	    "$include:x",
	    "!include",
	    "!include a b",
	    "!include-dir",
	    "!include-service a *",
	    "!include-service a * x y",
	    "!include-service a b x",
	    "!include-service * +a x",
	    "!compat-4.0 x",
	    "!compat",
	    "!",
	    "! include x",
	    "a * b c allow\x01",
	    "a * b\xff c allow",
	    "a * b\xc3\xa9 c allow",
	    "\xef\xbb\xbf"
	    "a * b c allow",
	    "a * b c allow a=1 a=2 a=3 a=4 a=5 a=6 a=7 a=8 a=9 a=10 a=11 a=12 a=13",
	};
	unsigned line;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *text = g_strdup_printf("# x\na * b c allow\n%s\n# y\n", bad[i]);

		if (count_statements(text, &line) != -1)
			fail_msg("accepted: %s", bad[i]);
		if (line != 3)
			fail_msg("line %u for: %s", line, bad[i]);
	}
}

static void
l04_every_parameter_is_taken_where_it_is_allowed(void **state)
{
	static const char *const good[] = {
	    "a * b c allow target=x user=y notify=yes autostart=no",
	    "a * b c ask target=x default_target=z user=y notify=no autostart=yes",
	    "a * b c deny notify=no",
	    "a * b c allow user=a=b",
	    "a * b c allow user=",
	    "a * b @default allow target=x",
	    "a * b @default ask",
	    "a + b c allow",
	    "a +x+y-z._ b c allow",
	    "* * * * deny",
	};
	unsigned line;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		if (count_statements(good[i], &line) != 1)
			fail_msg("refused: %s", good[i]);
	}
}

static void
l04_a_rule_carries_what_its_line_says(void **state)
{
	static const char text[] = "svc +arg @tag:x @dispvm ask target=a default_target=@dispvm "
				   "user=u notify=yes autostart=no\n";
	struct policy_parser parser;
	struct policy_statement rule;

	(void)state;
	policy_parser_init(&parser, POLICY_FORMAT_RULES, NULL, NULL, text, strlen(text));
	assert_int_equal(policy_parser_next(&parser, &rule), 1);
	assert_int_equal(rule.kind, POLICY_RULE);
	assert_string_equal(rule.service, "svc");
	assert_string_equal(rule.argument, "+arg");
	assert_string_equal(rule.source.value, "x");
	assert_int_equal(rule.target.kind, POLICY_TOKEN_DISPVM);
	assert_int_equal(rule.action, POLICY_ACTION_ASK);
	assert_true(rule.has_redirect && rule.has_default_target && rule.notify);
	assert_false(rule.autostart);
	assert_string_equal(rule.redirect.text, "a");
	assert_string_equal(rule.user, "u");
	assert_int_equal(policy_parser_next(&parser, &rule), 0);
	policy_parser_fini(&parser);
}

static void
l24_the_service_format_translates_dollar_and_comma(void **state)
{
	static const char text[] = "$tag:w $dispvm allow,target=$dispvm:b\n"
				   "$include:/some/file\n";
	struct policy_parser parser;
	struct policy_statement statement;

	(void)state;
	policy_parser_init(&parser, POLICY_FORMAT_SERVICE, "svc", "+a", text, strlen(text));
	assert_int_equal(policy_parser_next(&parser, &statement), 1);
	assert_string_equal(statement.service, "svc");
	assert_string_equal(statement.argument, "+a");
	assert_string_equal(statement.source.text, "@tag:w");
	assert_string_equal(statement.redirect.text, "@dispvm:b");
	assert_int_equal(policy_parser_next(&parser, &statement), 1);
	assert_int_equal(statement.kind, POLICY_INCLUDE);
	assert_string_equal(statement.path, "/some/file");
	policy_parser_fini(&parser);
}

static void
l24_the_service_format_has_no_other_directive(void **state)
{
	static const char *const bad[] = {"!include-dir x", "!include-service a * x", "!compat-4.0",
	    "@include:x", "a b", ",,,", "a b allow extra", "svc * a b allow"};
	unsigned line;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		if (count_statements_in(POLICY_FORMAT_SERVICE, bad[i], strlen(bad[i]), &line) != -1)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void
pol_08_a_line_of_4096_bytes_is_read_and_one_of_4097_refused(void **state)
{
	unsigned line;

	(void)state;
	for (size_t len = 4095; len <= 4097; len++) {
		g_autofree char *text = g_strnfill(len + 1, 'x');

		memcpy(text, "# ", 2);
		text[len] = '\n';
		assert_int_equal(count_statements(text, &line), len <= 4096 ? 0 : -1);
		memcpy(text, "a * b c allow user=", 19);
		assert_int_equal(count_statements(text, &line), len <= 4096 ? 1 : -1);
	}
}

static void
pol_08_a_file_of_one_mebibyte_is_read_and_one_byte_more_refused(void **state)
{
	g_autofree char *text = g_strnfill(POLICY_FILE_MAX + 1, '\n');
	unsigned line;

	(void)state;
	assert_int_equal(count_statements_in(POLICY_FORMAT_RULES, text, POLICY_FILE_MAX, &line), 0);
	assert_int_equal(
	    count_statements_in(POLICY_FORMAT_RULES, text, POLICY_FILE_MAX + 1, &line), -1);
	assert_int_equal(line, 0);
}

static void
pol_08_nul_and_bad_utf8_are_refused_even_in_comments_with_their_line(void **state)
{
	unsigned line;

	(void)state;
	assert_int_equal(count_statements_in(POLICY_FORMAT_RULES, "# a\n# \0\n", 8, &line), -1);
	assert_int_equal(line, 2);
	assert_int_equal(count_statements("\r\n#\r\n# \xff\r\n", &line), -1);
	assert_int_equal(line, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pol_03_every_token_is_valid_in_its_columns_and_in_no_other),
	    cmocka_unit_test(
		pol_02_legacy_spelling_is_refused_in_rules_and_an_unknown_name_in_requests),
	    cmocka_unit_test(pol_16_nothing_in_a_name_is_a_pattern),
	    cmocka_unit_test(l03_lines_end_in_lf_crlf_or_cr_and_the_last_needs_no_end),
	    cmocka_unit_test(l23_comments_take_whole_lines_only),
	    cmocka_unit_test(l02_blanks_and_tabs_separate_and_nothing_else_does),
	    cmocka_unit_test(pol_06_every_kind_of_error_is_found_and_names_its_line),
	    cmocka_unit_test(l04_every_parameter_is_taken_where_it_is_allowed),
	    cmocka_unit_test(l04_a_rule_carries_what_its_line_says),
	    cmocka_unit_test(l24_the_service_format_translates_dollar_and_comma),
	    cmocka_unit_test(l24_the_service_format_has_no_other_directive),
	    cmocka_unit_test(pol_08_a_line_of_4096_bytes_is_read_and_one_of_4097_refused),
	    cmocka_unit_test(pol_08_a_file_of_one_mebibyte_is_read_and_one_byte_more_refused),
	    cmocka_unit_test(pol_08_nul_and_bad_utf8_are_refused_even_in_comments_with_their_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
