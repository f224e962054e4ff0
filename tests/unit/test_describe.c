#include "gui-agent/describe.h"
#include "tests/unit/unit.h"

#include <glib.h>
#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6"

static struct gui_wire_wmname
title_of(const char *text, size_t len)
{
	struct gui_wire_wmname title;

	memset(&title, 0x5a, sizeof(title)); /* what must not leave us */
	describe_title(text, len, &title);
	return title;
}

static void
assert_zero_behind(const struct gui_wire_wmname *title)
{
	for (size_t i = strlen(title->text); i < sizeof(title->text); i++)
		assert_int_equal(title->text[i], 0);
}

/* count bytes of 'a', then the end. */
static struct gui_wire_wmname
title_with_end(size_t count, const char *end)
{
	g_autofree char *head = g_strnfill(count, 'a');
	g_autofree char *text = g_strconcat(head, end, NULL);

	return title_of(text, strlen(text));
}

static void
a_title_of_127_bytes_stays_whole(void **state)
{
	struct gui_wire_wmname title = title_with_end(127, "");

	(void)state;
	assert_int_equal(strlen(title.text), 127);
	assert_null(strstr(title.text, ELLIPSIS));
}

static void
a_title_of_128_bytes_ends_in_an_ellipsis(void **state)
{
	struct gui_wire_wmname title = title_with_end(128, "");

	(void)state;
	assert_int_equal(strlen(title.text), 127);
	assert_string_equal(title.text + 124, ELLIPSIS);
}

static void
a_title_is_cut_between_characters(void **state)
{
	static const char *const characters[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(characters); i++) {
		for (size_t before = 118; before <= 124; before++) {
			g_autofree char *end =
			    g_strconcat(characters[i], characters[i], "bbbbbbbb", NULL);
			struct gui_wire_wmname title = title_with_end(before, end);

			assert_true(g_utf8_validate(title.text, -1, NULL));
			assert_true(g_str_has_suffix(title.text, ELLIPSIS));
			assert_in_range(strlen(title.text), 124, 127);
			assert_zero_behind(&title);
		}
	}
}

static void
a_title_ends_at_its_first_nul(void **state)
{
	struct gui_wire_wmname title = title_of("ab\0cd", 5);

	(void)state;
	assert_string_equal(title.text, "ab");
	assert_zero_behind(&title);
}

static void
a_title_without_any_utf8_is_still_bounded(void **state)
{
	char junk[300];
	struct gui_wire_wmname title;

	(void)state;
	memset(junk, 0x80, sizeof(junk));
	title = title_of(junk, sizeof(junk));
	assert_in_range(strlen(title.text), 1, 127);
	assert_zero_behind(&title);
}

static void
class_and_name_are_cut_and_filled_with_zeros(void **state)
{
	g_autofree char *fits = g_strnfill(63, 'c'), *too_long = g_strnfill(64, 'n');
	struct gui_wire_wmclass class;

	(void)state;
	memset(&class, 0x5a, sizeof(class));
	describe_class(fits, too_long, &class);
	assert_int_equal(strlen(class.res_class), 63);
	assert_int_equal(strlen(class.res_name), 63);
	describe_class(NULL, NULL, &class);
	for (size_t i = 0; i < sizeof(class); i++)
		assert_int_equal(((const char *)&class)[i], 0);
}

static void
only_hints_that_the_protocol_knows_pass(void **state)
{
	XSizeHints hints = {
	    .flags = ~0L,
	    .min_width = 1,
	    .min_height = 2,
	    .max_width = 3,
	    .max_height = 4,
	};
	struct gui_wire_window_hints wire;

	(void)state;
	describe_hints(&hints, &wire);
	assert_int_equal(wire.flags, 0x175);
	assert_int_equal(wire.min_width, 1);
	assert_int_equal(wire.min_height, 2);
	assert_int_equal(wire.max_width, 3);
	assert_int_equal(wire.max_height, 4);
}

static void
numbers_without_their_flag_stay_zero(void **state)
{
	XSizeHints hints = {.flags = PMaxSize, .min_width = 7, .max_width = 8, .max_height = 9};
	struct gui_wire_window_hints wire;

	(void)state;
	describe_hints(&hints, &wire);
	assert_int_equal(wire.flags, GUI_HINT_MAX_SIZE);
	assert_int_equal(wire.min_width, 0);
	assert_int_equal(wire.max_width, 8);
}

static void
a_negative_pair_is_left_out(void **state)
{
	XSizeHints hints = {.flags = PMinSize | PMaxSize, .min_width = 5, .min_height = -1};
	struct gui_wire_window_hints wire;

	(void)state;
	describe_hints(&hints, &wire);
	assert_int_equal(wire.flags, GUI_HINT_MAX_SIZE);
	assert_int_equal(wire.min_width, 0);
}

static uint32_t
stepped_minimum(int minimum, int base, int step)
{
	XSizeHints hints = {
	    .flags = PMinSize | PBaseSize | PResizeInc,
	    .min_width = minimum,
	    .min_height = 1,
	    .base_width = base,
	    .base_height = 1,
	    .width_inc = step,
	    .height_inc = 1,
	};
	struct gui_wire_window_hints wire;

	describe_hints(&hints, &wire);
	return wire.min_width;
}

static void
a_minimum_is_rounded_up_to_a_step(void **state)
{
	(void)state;
	assert_int_equal(stepped_minimum(10, 4, 6), 10);
	assert_int_equal(stepped_minimum(11, 4, 6), 16);
	assert_int_equal(stepped_minimum(16, 4, 6), 16);
	assert_int_equal(stepped_minimum(3, 4, 6), 4);
	assert_int_equal(stepped_minimum(9, 4, 0), 9);
	assert_int_equal(stepped_minimum(9, 4, 1), 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_title_of_127_bytes_stays_whole),
	    cmocka_unit_test(a_title_of_128_bytes_ends_in_an_ellipsis),
	    cmocka_unit_test(a_title_is_cut_between_characters),
	    cmocka_unit_test(a_title_ends_at_its_first_nul),
	    cmocka_unit_test(a_title_without_any_utf8_is_still_bounded),
	    cmocka_unit_test(class_and_name_are_cut_and_filled_with_zeros),
	    cmocka_unit_test(only_hints_that_the_protocol_knows_pass),
	    cmocka_unit_test(numbers_without_their_flag_stay_zero),
	    cmocka_unit_test(a_negative_pair_is_left_out),
	    cmocka_unit_test(a_minimum_is_rounded_up_to_a_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
