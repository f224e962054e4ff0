#include "gui-agent/guest_conf.h"
#include "gui-agent/layout.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static void
assert_value(const char *text, const char *key, const char *value)
{
	GHashTable *conf = guest_conf_parse(text, strlen(text));

	if (value == NULL)
		assert_null(g_hash_table_lookup(conf, key));
	else
		assert_string_equal(g_hash_table_lookup(conf, key), value);
	g_hash_table_unref(conf);
}

static void
a_value_is_all_behind_the_first_equals_sign(void **state)
{
	(void)state;
	assert_value("name=work\nxid=7\n", "xid", "7");
	assert_value("a=b=c\n", "a", "b=c");
	assert_value("a=\n", "a", "");
	assert_value("a=1", "a", "1");
}

static void
lines_that_are_none_are_skipped(void **state)
{
	(void)state;
	assert_value("\n=x\nnonsense\na=1\n", "a", "1");
	assert_value("nonsense\n", "nonsense", NULL);
	assert_value("=x\n", "", NULL);
}

static void
the_last_of_two_lines_counts(void **state)
{
	(void)state;
	assert_value("a=1\na=2\n", "a", "2");
}

static void
a_missing_file_is_an_empty_one(void **state)
{
	GHashTable *conf = guest_conf_read("/nonexistent/guest.conf");

	(void)state;
	assert_int_equal(g_hash_table_size(conf), 0);
	g_hash_table_unref(conf);
}

static void
a_layout_has_one_to_three_parts(void **state)
{
	struct layout layout;

	(void)state;
	assert_int_equal(layout_parse("de", &layout), 0);
	assert_string_equal(layout.name, "de");
	assert_string_equal(layout.variant, "");
	assert_int_equal(layout_parse("us,de+altgr-intl,+compose:ralt,ctrl:nocaps", &layout), 0);
	assert_string_equal(layout.name, "us,de");
	assert_string_equal(layout.variant, "altgr-intl,");
	assert_string_equal(layout.options, "compose:ralt,ctrl:nocaps");
	assert_int_equal(layout_parse("", &layout), -EINVAL);
	assert_int_equal(layout_parse("++", &layout), -EINVAL);
	assert_int_equal(layout_parse("a+b+c+d", &layout), -EINVAL);
}

static void
a_layout_holds_no_option_and_no_shell(void **state)
{
	struct layout layout;

	(void)state;
	assert_int_equal(layout_parse("-print", &layout), -EINVAL);
	assert_int_equal(layout_parse("us+-x+", &layout), -EINVAL);
	assert_int_equal(layout_parse("us;reboot", &layout), -EINVAL);
	assert_int_equal(layout_parse("us de", &layout), -EINVAL);
}

static void
a_part_of_a_layout_has_at_most_127_bytes(void **state)
{
	g_autofree char *fits = g_strnfill(127, 'a'), *too_long = g_strnfill(128, 'a');
	struct layout layout;

	(void)state;
	assert_int_equal(layout_parse(fits, &layout), 0);
	assert_int_equal(layout_parse(too_long, &layout), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_value_is_all_behind_the_first_equals_sign),
	    cmocka_unit_test(lines_that_are_none_are_skipped),
	    cmocka_unit_test(the_last_of_two_lines_counts),
	    cmocka_unit_test(a_missing_file_is_an_empty_one),
	    cmocka_unit_test(a_layout_has_one_to_three_parts),
	    cmocka_unit_test(a_layout_holds_no_option_and_no_shell),
	    cmocka_unit_test(a_part_of_a_layout_has_at_most_127_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
