#include "tests/unit/unit.h"

#include "shared/rate.h"

static const struct rate_limit limit = {3, 2};

#define START_US (INT64_C(1) << 40)

static unsigned
admitted(struct rate *rate, unsigned tries, int64_t now_us)
{
	unsigned count = 0;
	uint64_t held;

	while (tries-- > 0)
		count += rate_admit(rate, &limit, now_us, &held);
	return count;
}

static void
burst_is_admitted_and_no_more(void **state)
{
	struct rate rate = {0};

	(void)state;
	assert_int_equal(admitted(&rate, 3, START_US), 3);
	assert_int_equal(admitted(&rate, 100, START_US), 0);
}

static void
after_the_burst_the_rate_is_admitted(void **state)
{
	struct rate rate = {0};

	(void)state;
	admitted(&rate, 3, START_US);
	assert_int_equal(admitted(&rate, 10, START_US + 499999), 0);
	assert_int_equal(admitted(&rate, 10, START_US + 500000), 1);
	assert_int_equal(admitted(&rate, 10, START_US + 999999), 0);
	assert_int_equal(admitted(&rate, 10, START_US + 1000000), 1);
}

static void
silence_gives_back_the_burst_and_no_more(void **state)
{
	struct rate rate = {0};

	(void)state;
	admitted(&rate, 3, START_US);
	assert_int_equal(admitted(&rate, 10, START_US + INT64_C(3600000000)), 3);
}

static void
what_was_held_back_is_counted_once(void **state)
{
	struct rate rate = {0};
	uint64_t held = 99;

	(void)state;
	admitted(&rate, 3 + 7, START_US);
	assert_true(rate_admit(&rate, &limit, START_US + 500000, &held));
	assert_int_equal(held, 7);
	assert_true(rate_admit(&rate, &limit, START_US + 1000000, &held));
	assert_int_equal(held, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(burst_is_admitted_and_no_more),
	    cmocka_unit_test(after_the_burst_the_rate_is_admitted),
	    cmocka_unit_test(silence_gives_back_the_burst_and_no_more),
	    cmocka_unit_test(what_was_held_back_is_counted_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
