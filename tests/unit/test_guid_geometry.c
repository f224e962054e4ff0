/* The pure geometry of the GUI daemon: damage, frame, placement, work area. */
#include "gui-daemon/display.h"
#include "gui-daemon/frame.h"
#include "gui-daemon/placement.h"
#include "tests/unit/unit.h"

#include <string.h>

#define RECT(...) ((struct rect){__VA_ARGS__})

static void
assert_rect(struct rect got, struct rect wanted)
{
	assert_int_equal(got.x, wanted.x);
	assert_int_equal(got.y, wanted.y);
	assert_int_equal(got.width, wanted.width);
	assert_int_equal(got.height, wanted.height);
}

/* --- rectangles and damage ---------------------------------------------------------------- */

static void
rectangles_that_touch_do_not_meet(void **state)
{
	(void)state;
	assert_true(rect_is_empty(rect_intersect(RECT(0, 0, 10, 10), RECT(10, 0, 10, 10))));
	assert_rect(rect_intersect(RECT(0, 0, 10, 10), RECT(9, 9, 10, 10)), RECT(9, 9, 1, 1));
	assert_rect(rect_intersect(RECT(-5, -5, 10, 10), RECT(0, 0, 100, 100)), RECT(0, 0, 5, 5));
}

static void
rectangles_at_the_ends_of_numbers_do_not_overflow(void **state)
{
	(void)state;
	assert_rect(rect_intersect(RECT(INT32_MAX - 1, 0, UINT32_MAX, 1), RECT(0, 0, INT32_MAX, 1)),
	    RECT(INT32_MAX - 1, 0, 1, 1));
	assert_true(
	    rect_is_empty(rect_intersect(RECT(INT32_MIN, 0, 10, 10), RECT(0, 0, UINT32_MAX, 10))));
}

/* True when every pixel of rect lies in one of the damage's rectangles. */
static bool
covers(const struct damage *damage, struct rect rect)
{
	for (unsigned i = 0; i < damage->count; i++) {
		struct rect common = rect_intersect(damage->rects[i], rect);

		if (common.width == rect.width && common.height == rect.height)
			return true;
	}
	return false;
}

static void
much_damage_is_kept_in_few_rectangles(void **state)
{
	struct damage damage = {0};
	struct rect all[1000];

	(void)state;
	srandom(1);
	for (unsigned i = 0; i < 1000; i++) {
		all[i] = RECT((int32_t)(random() % 1000), (int32_t)(random() % 1000),
		    (uint32_t)(1 + random() % 50), (uint32_t)(1 + random() % 50));
		damage_add(&damage, all[i]);
		assert_true(damage.count <= DAMAGE_RECTS);
		for (unsigned j = 0; j <= i; j++)
			assert_true(covers(&damage, all[j]));
	}
}

static void
neighbouring_damage_is_joined(void **state)
{
	struct damage damage = {0};

	(void)state;
	damage_add(&damage, RECT(0, 0, 10, 10));
	damage_add(&damage, RECT(10, 0, 10, 10));
	assert_int_equal(damage.count, 1);
	assert_rect(damage.rects[0], RECT(0, 0, 20, 10));
	damage_add(&damage, RECT(500, 500, 1, 1));
	assert_int_equal(damage.count, 2);
	damage_add(&damage, RECT(0, 0, 0, 5));
	assert_int_equal(damage.count, 2);
	damage_clear(&damage);
	assert_int_equal(damage.count, 0);
}

/* --- frame -------------------------------------------------------------------------------- */

static void
outer_window_grows_outwards(void **state)
{
	(void)state;
	assert_rect(frame_outer_of(4, RECT(100, 50, 640, 480)), RECT(96, 46, 648, 488));
	assert_rect(frame_content_of(4, RECT(96, 46, 648, 488)), RECT(100, 50, 640, 480));
	assert_rect(frame_outer_of(2, RECT(0, 0, 1, 1)), RECT(-2, -2, 5, 5));
}

static void
bdr_06_content_is_at_least_one_pixel(void **state)
{
	(void)state;
	assert_rect(frame_content_of(4, RECT(0, 0, 9, 9)), RECT(4, 4, 1, 1));
	assert_rect(frame_content_of(4, RECT(0, 0, 8, 8)), RECT(4, 4, 1, 1));
	assert_rect(frame_content_of(4, RECT(0, 0, 1, 100)), RECT(4, 4, 1, 92));
	assert_rect(frame_content_of(4, RECT(0, 0, 10, 8)), RECT(4, 4, 2, 1));
}

/* --- placement ---------------------------------------------------------------------------- */

static const struct rect screen = {0, 0, 1000, 800};
static const struct rect work = {0, 30, 1000, 770};

static struct rect
forced(struct rect content)
{
	return placement_force_on_screen(content, 4, screen, work);
}

static void
bdr_08_window_is_moved_until_its_border_is_on_the_screen(void **state)
{
	(void)state;
	assert_rect(forced(RECT(500, 400, 100, 100)), RECT(500, 400, 100, 100));
	assert_rect(forced(RECT(4, 34, 100, 100)), RECT(4, 34, 100, 100));
	assert_rect(forced(RECT(3, 33, 100, 100)), RECT(4, 34, 100, 100));
	assert_rect(forced(RECT(-50, -50, 100, 100)), RECT(4, 34, 100, 100));
	assert_rect(forced(RECT(896, 696, 100, 100)), RECT(896, 696, 100, 100));
	assert_rect(forced(RECT(897, 697, 100, 100)), RECT(896, 696, 100, 100));
	assert_rect(forced(RECT(999, 799, 100, 100)), RECT(896, 696, 100, 100));
}

static void
bdr_08_window_wholly_off_the_screen_stays_there(void **state)
{
	(void)state;
	assert_rect(forced(RECT(1004, 0, 100, 100)), RECT(1004, 0, 100, 100));
	assert_rect(forced(RECT(1003, 100, 100, 100)), RECT(896, 100, 100, 100));
	assert_rect(forced(RECT(0, 804, 100, 100)), RECT(0, 804, 100, 100));
	assert_rect(forced(RECT(-104, 0, 100, 100)), RECT(-104, 0, 100, 100));
	assert_rect(forced(RECT(-103, 100, 100, 100)), RECT(4, 100, 100, 100));
	assert_rect(forced(RECT(100, -104, 100, 100)), RECT(100, -104, 100, 100));
	assert_rect(forced(RECT(100, -103, 100, 100)), RECT(100, 34, 100, 100));
}

static void
window_larger_than_the_work_area_is_shrunk_into_it(void **state)
{
	(void)state;
	assert_rect(forced(RECT(0, 0, 2000, 10)), RECT(4, 34, 992, 10));
	assert_rect(forced(RECT(-16384, -6144, 16384 + 100, 6144 + 100)), RECT(4, 34, 992, 762));
}

static void
bdr_12_ninety_percent_of_the_work_area_is_the_limit(void **state)
{
	(void)state;
	assert_false(placement_is_too_large(RECT(0, 0, 900, 770), 0, work));
	assert_true(placement_is_too_large(RECT(0, 0, 901, 770), 0, work));
	assert_true(placement_is_too_large(RECT(0, 0, 16384, 6144), 0, work));
	assert_false(placement_is_too_large(RECT(0, 0, 1, 1), 0, work));
	/* bdr_17: what others of the qube cover counts with it */
	assert_false(placement_is_too_large(RECT(0, 0, 1, 1), 900 * 770 - 1, work));
	assert_true(placement_is_too_large(RECT(0, 0, 1, 1), 900 * 770, work));
	assert_true(placement_is_too_large(RECT(0, 0, 1, 1), UINT64_C(1) << 50, work));
}

/* --- what other clients say about the screen ---------------------------------------------- */

static void
bdr_39_work_area_of_nonsense_is_ignored(void **state)
{
	static const uint32_t values[] = {
	    0, 20, 1000, 780,         /* desktop 0 */
	    10, 10, 2000, 2000,       /* 1: larger than the screen */
	    0, 0, 0, 100,             /* 2: empty */
	    0xffffffff, 0, 1000, 800, /* 3: negative */
	    0, 0, 1000, 0xffffff00,   /* 4: negative */
	    5000, 5000, 100, 100,     /* 5: elsewhere */
	    0, 0, 1000,               /* 6: cut */
	};
	struct rect area = {1, 2, 3, 4};

	(void)state;
	assert_true(display_parse_work_area(values, 27, 0, screen, &area));
	assert_rect(area, RECT(0, 20, 1000, 780));
	assert_true(display_parse_work_area(values, 27, 1, screen, &area));
	assert_rect(area, RECT(10, 10, 990, 790));
	for (uint32_t desktop = 2; desktop < 9; desktop++)
		assert_false(display_parse_work_area(values, 27, desktop, screen, &area));
	assert_false(display_parse_work_area(values, 27, UINT32_MAX, screen, &area));
	assert_false(display_parse_work_area(values, 0, 0, screen, &area));
	assert_rect(area, RECT(10, 10, 990, 790));
}

static unsigned
dpi_of(const char *resources)
{
	return display_parse_dpi(resources, strlen(resources));
}

static void
density_comes_from_the_resources(void **state)
{
	(void)state;
	assert_int_equal(dpi_of("*customization: -color\nXft.dpi:\t144\nXft.rgba:\tnone\n"), 144);
	assert_int_equal(dpi_of("Xft.dpi: 47\n"), 0);
	assert_int_equal(dpi_of("Xft.dpi: 48"), 48);
	assert_int_equal(dpi_of("Xft.dpi: 960"), 960);
	assert_int_equal(dpi_of("Xft.dpi: 961"), 0);
	assert_int_equal(dpi_of("Xft.dpi: many"), 0);
	assert_int_equal(dpi_of("XXft.dpi: 96"), 0);
	assert_int_equal(dpi_of(""), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rectangles_that_touch_do_not_meet),
	    cmocka_unit_test(rectangles_at_the_ends_of_numbers_do_not_overflow),
	    cmocka_unit_test(much_damage_is_kept_in_few_rectangles),
	    cmocka_unit_test(neighbouring_damage_is_joined),
	    cmocka_unit_test(outer_window_grows_outwards),
	    cmocka_unit_test(bdr_06_content_is_at_least_one_pixel),
	    cmocka_unit_test(bdr_08_window_is_moved_until_its_border_is_on_the_screen),
	    cmocka_unit_test(bdr_08_window_wholly_off_the_screen_stays_there),
	    cmocka_unit_test(window_larger_than_the_work_area_is_shrunk_into_it),
	    cmocka_unit_test(bdr_12_ninety_percent_of_the_work_area_is_the_limit),
	    cmocka_unit_test(bdr_39_work_area_of_nonsense_is_ignored),
	    cmocka_unit_test(density_comes_from_the_resources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
