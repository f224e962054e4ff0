#include "gui-agent/region_alloc.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define PAGES 64
#define STEPS 20000
#define SEED 42

static void
takes_up_to_the_last_page_and_no_more(void **state)
{
	struct region_alloc *alloc = region_alloc_new(PAGES);
	struct page_run run = {99, 99};

	(void)state;
	assert_int_equal(region_alloc_take(alloc, PAGES + 1, &run), -ENOSPC);
	assert_int_equal(run.first, 99);
	assert_int_equal(region_alloc_take(alloc, PAGES, &run), 0);
	assert_int_equal(run.first, 0);
	assert_int_equal(run.count, PAGES);
	assert_int_equal(region_alloc_largest(alloc), 0);
	assert_int_equal(region_alloc_take(alloc, 1, &run), -ENOSPC);
	region_alloc_free(alloc);
}

static void
an_empty_run_is_refused(void **state)
{
	struct region_alloc *alloc = region_alloc_new(PAGES);
	struct page_run run;

	(void)state;
	assert_int_equal(region_alloc_take(alloc, 0, &run), -EINVAL);
	region_alloc_free(alloc);
}

static void
an_empty_region_has_no_room(void **state)
{
	struct region_alloc *alloc = region_alloc_new(0);
	struct page_run run;

	(void)state;
	assert_int_equal(region_alloc_take(alloc, 1, &run), -ENOSPC);
	assert_int_equal(region_alloc_largest(alloc), 0);
	region_alloc_free(alloc);
}

static void
runs_that_come_back_in_any_order_become_one(void **state)
{
	static const int orders[][3] = {
	    {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(orders); i++) {
		struct region_alloc *alloc = region_alloc_new(30);
		struct page_run runs[3];

		for (int j = 0; j < 3; j++)
			assert_int_equal(region_alloc_take(alloc, 10, &runs[j]), 0);
		for (int j = 0; j < 3; j++)
			region_alloc_give_back(alloc, runs[orders[i][j]]);
		assert_int_equal(region_alloc_largest(alloc), 30);
		region_alloc_free(alloc);
	}
}

/* The model: one byte a page, and a list of what is out. */
struct model {
	struct region_alloc *alloc;
	uint8_t used[PAGES];
	struct page_run out[PAGES];
	unsigned out_count;
};

static uint32_t
largest_gap(const struct model *model)
{
	uint32_t largest = 0, gap = 0;

	for (int i = 0; i < PAGES; i++) {
		gap = model->used[i] ? 0 : gap + 1;
		largest = MAX(largest, gap);
	}
	return largest;
}

static void
model_take(struct model *model, uint32_t count)
{
	struct page_run run;
	int r = region_alloc_take(model->alloc, count, &run);

	assert_int_equal(r, count <= largest_gap(model) ? 0 : -ENOSPC);
	if (r < 0)
		return;
	assert_int_equal(run.count, count);
	assert_true(run.first + run.count <= PAGES);
	for (uint32_t i = 0; i < count; i++)
		assert_false(model->used[run.first + i]++);
	model->out[model->out_count++] = run;
}

static void
model_give_back(struct model *model, unsigned index)
{
	struct page_run run = model->out[index];

	region_alloc_give_back(model->alloc, run);
	memset(model->used + run.first, 0, run.count);
	model->out[index] = model->out[--model->out_count];
}

static void
agrees_with_a_map_of_pages_through_random_use(void **state)
{
	struct model model = {.alloc = region_alloc_new(PAGES)};
	GRand *random = g_rand_new_with_seed(SEED);

	(void)state;
	for (int i = 0; i < STEPS; i++) {
		if (model.out_count > 0 && g_rand_boolean(random))
			model_give_back(
			    &model, g_rand_int_range(random, 0, (gint32)model.out_count));
		else
			model_take(&model, (uint32_t)g_rand_int_range(random, 1, 20));
		assert_int_equal(region_alloc_largest(model.alloc), largest_gap(&model));
	}
	while (model.out_count > 0)
		model_give_back(&model, 0);
	assert_int_equal(region_alloc_largest(model.alloc), PAGES);
	g_rand_free(random);
	region_alloc_free(model.alloc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_up_to_the_last_page_and_no_more),
	    cmocka_unit_test(an_empty_run_is_refused),
	    cmocka_unit_test(an_empty_region_has_no_room),
	    cmocka_unit_test(runs_that_come_back_in_any_order_become_one),
	    cmocka_unit_test(agrees_with_a_map_of_pages_through_random_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
