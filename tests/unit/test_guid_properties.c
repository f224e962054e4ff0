/* Titles and size hints as the window manager gets them. */
#include "gui-daemon/properties.h"
#include "tests/unit/unit.h"

#include <string.h>

enum {
	FLAGS = 0,
	MIN_WIDTH = 5,
	MIN_HEIGHT,
	MAX_WIDTH,
	MAX_HEIGHT,
	WIDTH_INC,
	HEIGHT_INC,
	BASE_WIDTH = 15,
	BASE_HEIGHT,
};

static void
assert_title(bool utf8, bool prefix, const char *untrusted_text, const char *wanted)
{
	struct config config = {.name = "work", .allow_utf8_titles = utf8, .title_name = prefix};
	g_autofree char *title = properties_make_title(&config, untrusted_text);

	assert_string_equal(title, wanted);
}

static void
bdr_26_title_begins_with_the_name_of_the_qube(void **state)
{
	(void)state;
	assert_title(false, true, "hello", "[work] hello");
	assert_title(false, true, "", "[work] ");
	assert_title(false, true, "[vault] hello", "[work] [vault] hello");
	assert_title(false, false, "hello", "hello");
}

static void
bdr_26_title_without_utf8_is_ascii(void **state)
{
	(void)state;
	assert_title(false, false, "a\tb\x1b[31m\n\x7f", "a_b_[31m__");
	assert_title(false, false, "gr\xc3\xbc\xc3\x9f", "gr____");
	assert_title(false, false, "cut\xe2\x80\xa6", "cut...");
	assert_title(false, false, "\xe2\x80\xa6", "...");
	assert_title(false, false, "\xe2\x80\xa6x", "___x");
	assert_title(false, false, "\x80\xa6", "__");
}

static void
bdr_26_title_with_utf8_has_nothing_that_reorders_or_hides(void **state)
{
	(void)state;
	assert_title(true, true, "gr\xc3\xbc\xc3\x9f", "[work] gr\xc3\xbc\xc3\x9f");
	assert_title(true, true, "cut\xe2\x80\xa6", "[work] cut\xe2\x80\xa6");
	assert_title(true, true,
	    "a\xe2\x80\xae"
	    "b",
	    "[work] a_b"); /* U+202E */
	assert_title(true, true,
	    "a\xe2\x81\xa6"
	    "b",
	    "[work] a_b"); /* U+2066 */
	assert_title(true, true,
	    "a\xe2\x80\x8b"
	    "b",
	    "[work] a_b");                                   /* U+200B */
	assert_title(true, true, "a\xc0\xaf", "[work] a__"); /* overlong */
}

static void
sizes_of_hints_are_those_of_the_outer_window(void **state)
{
	struct gui_window_hints hints = {
	    .flags =
		GUI_HINT_MIN_SIZE | GUI_HINT_MAX_SIZE | GUI_HINT_RESIZE_INC | GUI_HINT_BASE_SIZE,
	    .min_width = 20,
	    .min_height = 30,
	    .max_width = 200,
	    .max_height = 300,
	    .width_inc = 7,
	    .height_inc = 13,
	    .base_width = 4,
	    .base_height = 5,
	};
	uint32_t words[18];

	(void)state;
	properties_make_hints(&hints, 4, (struct rect){1, 2, 100, 100}, words);
	assert_int_equal(words[MIN_WIDTH], 28);
	assert_int_equal(words[MIN_HEIGHT], 38);
	assert_int_equal(words[MAX_WIDTH], 208);
	assert_int_equal(words[MAX_HEIGHT], 308);
	assert_int_equal(words[WIDTH_INC], 7);
	assert_int_equal(words[HEIGHT_INC], 13);
	assert_int_equal(words[BASE_WIDTH], 12);
	assert_int_equal(words[BASE_HEIGHT], 13);
}

static void
smallest_size_leaves_room_for_the_frame(void **state)
{
	struct gui_window_hints none = {0};
	uint32_t words[18];

	(void)state;
	properties_make_hints(&none, 4, (struct rect){0, 0, 1, 1}, words);
	assert_true(words[FLAGS] & GUI_HINT_MIN_SIZE);
	assert_int_equal(words[MIN_WIDTH], 9);
	assert_int_equal(words[MIN_HEIGHT], 9);
	assert_false(words[FLAGS] & GUI_HINT_MAX_SIZE);
	assert_false(words[FLAGS] & GUI_HINT_BASE_SIZE);
}

/* Without a base, steps count from the minimum, and without that from nothing (ICCCM 4.1.2.3). */
static void
steps_do_not_count_the_frame(void **state)
{
	struct gui_window_hints hints = {
	    .flags = GUI_HINT_RESIZE_INC, .width_inc = 10, .height_inc = 10};
	uint32_t words[18];

	(void)state;
	properties_make_hints(&hints, 4, (struct rect){0, 0, 1, 1}, words);
	assert_true(words[FLAGS] & GUI_HINT_BASE_SIZE);
	assert_int_equal(words[BASE_WIDTH], 8);
	hints.flags |= GUI_HINT_MIN_SIZE;
	hints.min_width = 33;
	properties_make_hints(&hints, 4, (struct rect){0, 0, 1, 1}, words);
	assert_int_equal(words[BASE_WIDTH], 41);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bdr_26_title_begins_with_the_name_of_the_qube),
	    cmocka_unit_test(bdr_26_title_without_utf8_is_ascii),
	    cmocka_unit_test(bdr_26_title_with_utf8_has_nothing_that_reorders_or_hides),
	    cmocka_unit_test(sizes_of_hints_are_those_of_the_outer_window),
	    cmocka_unit_test(smallest_size_leaves_room_for_the_frame),
	    cmocka_unit_test(steps_do_not_count_the_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
