#include "tests/unit/unit.h"

#include "gui-agent/layout.h"

#include <errno.h>
#include <glib.h>

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
	    cmocka_unit_test(a_layout_has_one_to_three_parts),
	    cmocka_unit_test(a_layout_holds_no_option_and_no_shell),
	    cmocka_unit_test(a_part_of_a_layout_has_at_most_127_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
