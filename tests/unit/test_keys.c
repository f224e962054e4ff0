#include "gui-agent/keys.h"
#include "tests/unit/unit.h"

#include <string.h>

/* A usual keyboard: the codes that Xvfb has. */
#define SHIFT_L 50
#define SHIFT_R 62
#define CAPS_LOCK 66
#define CONTROL_L 37
#define ALT_L 64
#define NUM_LOCK 77
#define LEVEL3 92

enum { SHIFT = 1, LOCK = 2, CONTROL = 4, MOD1 = 8, MOD2 = 16, MOD3 = 32, MOD5 = 128 };

static const struct keys_map map = {
    .codes = {{SHIFT_L, SHIFT_R}, {CAPS_LOCK}, {0, CONTROL_L}, {ALT_L}, {NUM_LOCK}, {0}, {0},
	{LEVEL3}},
    .locking = LOCK | MOD2,
};

static struct keys_mend
mend(const struct keys_down *down, uint8_t effective, uint8_t locked, uint8_t wanted,
    uint8_t considered)
{
	struct keys_state have = {.effective = effective, .locked = locked};
	struct keys_mend result;

	keys_mend(&map, down, have, wanted, considered, &result);
	return result;
}

static void
equal_modifiers_need_nothing(void **state)
{
	struct keys_down none = {{0}};
	struct keys_mend nothing = {0};

	(void)state;
	for (unsigned mask = 0; mask < 256; mask++) {
		struct keys_mend result = mend(&none, (uint8_t)mask, 0, (uint8_t)mask, 0xff);

		assert_memory_equal(&result, &nothing, sizeof(nothing));
	}
}

static void
a_missing_modifier_is_pressed_by_its_first_key(void **state)
{
	struct keys_down none = {{0}};
	struct keys_mend result = mend(&none, 0, 0, SHIFT | CONTROL, 0xff);

	(void)state;
	assert_int_equal(result.press_count, 2);
	assert_int_equal(result.press[0], SHIFT_L);
	assert_int_equal(result.press[1], CONTROL_L);
	assert_int_equal(result.release_count, 0);
	assert_int_equal(result.lock_affect, 0);
}

static void
a_modifier_too_many_is_released_by_every_key_that_holds_it(void **state)
{
	struct keys_down down = {{0}};
	struct keys_mend result;

	(void)state;
	keys_down_set(&down, SHIFT_L, true);
	keys_down_set(&down, SHIFT_R, true);
	keys_down_set(&down, ALT_L, true);
	result = mend(&down, SHIFT | MOD1, 0, MOD1, 0xff);
	assert_int_equal(result.release_count, 2);
	assert_int_equal(result.release[0], SHIFT_L);
	assert_int_equal(result.release[1], SHIFT_R);
	assert_int_equal(result.press_count, 0);
}

static void
locks_are_set_and_no_key_of_theirs_moves(void **state)
{
	struct keys_down none = {{0}};
	struct keys_mend result = mend(&none, MOD2, MOD2, LOCK, 0xff);

	(void)state;
	assert_int_equal(result.lock_affect, LOCK | MOD2);
	assert_int_equal(result.lock_values, LOCK);
	assert_int_equal(result.press_count, 0);
	assert_int_equal(result.release_count, 0);
}

static void
an_ordinary_modifier_that_is_locked_is_unlocked(void **state)
{
	struct keys_down none = {{0}};
	struct keys_mend result = mend(&none, SHIFT, SHIFT, 0, 0xff);

	(void)state;
	assert_int_equal(result.lock_affect, SHIFT);
	assert_int_equal(result.lock_values, 0);
	assert_int_equal(result.release_count, 0);
}

static void
a_modifier_without_keys_is_left_alone(void **state)
{
	struct keys_down none = {{0}};
	struct keys_mend result = mend(&none, 0, 0, MOD3, 0xff);

	(void)state;
	assert_int_equal(result.press_count, 0);
	assert_int_equal(result.lock_affect, 0);
}

static void
only_considered_modifiers_are_touched(void **state)
{
	struct keys_down none = {{0}};
	struct keys_mend result = mend(&none, 0, 0, SHIFT | LOCK | MOD5, LOCK);

	(void)state;
	assert_int_equal(result.press_count, 0);
	assert_int_equal(result.lock_affect, LOCK);
}

static void
the_set_of_keys_tells_what_was_put_in(void **state)
{
	struct keys_down down = {{0}}, kept = {{0}};

	(void)state;
	assert_int_equal(keys_down_first_without(&down, NULL), 0);
	keys_down_set(&down, 8, true);
	keys_down_set(&down, 255, true);
	assert_true(keys_down_has(&down, 8));
	assert_false(keys_down_has(&down, 9));
	assert_int_equal(keys_down_first_without(&down, NULL), 8);
	keys_down_set(&kept, 8, true);
	assert_int_equal(keys_down_first_without(&down, &kept), 255);
	keys_down_set(&down, 255, false);
	assert_int_equal(keys_down_first_without(&down, &kept), 0);
}

static void
the_map_knows_its_keys_and_no_others(void **state)
{
	(void)state;
	assert_true(keys_map_has(&map, SHIFT_R));
	assert_true(keys_map_has(&map, LEVEL3));
	assert_false(keys_map_has(&map, 38));
	assert_false(keys_map_has(&map, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(equal_modifiers_need_nothing),
	    cmocka_unit_test(a_missing_modifier_is_pressed_by_its_first_key),
	    cmocka_unit_test(a_modifier_too_many_is_released_by_every_key_that_holds_it),
	    cmocka_unit_test(locks_are_set_and_no_key_of_theirs_moves),
	    cmocka_unit_test(an_ordinary_modifier_that_is_locked_is_unlocked),
	    cmocka_unit_test(a_modifier_without_keys_is_left_alone),
	    cmocka_unit_test(only_considered_modifiers_are_touched),
	    cmocka_unit_test(the_set_of_keys_tells_what_was_put_in),
	    cmocka_unit_test(the_map_knows_its_keys_and_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
