#include "gui-agent/region_alloc.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>

struct region_alloc {
	uint32_t page_count;
	GArray *free_runs; /* owned; struct page_run, ascending, never touching each other */
};

static struct page_run *
run_at(const struct region_alloc *alloc, guint index)
{
	return &g_array_index(alloc->free_runs, struct page_run, index);
}

static uint32_t
run_end(const struct page_run *run)
{
	return run->first + run->count;
}

struct region_alloc *
region_alloc_new(uint32_t page_count)
{
	struct region_alloc *alloc = g_new0(struct region_alloc, 1);
	struct page_run all = {0, page_count};

	alloc->page_count = page_count;
	alloc->free_runs = g_array_new(FALSE, FALSE, sizeof(struct page_run));
	if (page_count > 0)
		g_array_append_val(alloc->free_runs, all);
	return alloc;
}

void
region_alloc_free(struct region_alloc *alloc)
{
	if (alloc == NULL)
		return;
	g_array_free(alloc->free_runs, TRUE);
	g_free(alloc);
}

int
region_alloc_take(struct region_alloc *alloc, uint32_t count, struct page_run *ret)
{
	if (count == 0)
		return -EINVAL;
	for (guint i = 0; i < alloc->free_runs->len; i++) {
		struct page_run *run = run_at(alloc, i);

		if (run->count < count)
			continue;
		ret->first = run->first;
		ret->count = count;
		run->first += count;
		run->count -= count;
		if (run->count == 0)
			g_array_remove_index(alloc->free_runs, i);
		return 0;
	}
	return -ENOSPC;
}

/* The first free run that lies behind page. */
static guint
index_behind(const struct region_alloc *alloc, uint32_t page)
{
	guint low = 0, high = alloc->free_runs->len;

	while (low < high) {
		guint middle = low + (high - low) / 2;

		if (run_at(alloc, middle)->first > page)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

void
region_alloc_give_back(struct region_alloc *alloc, struct page_run run)
{
	guint at = index_behind(alloc, run.first);
	struct page_run *before = at > 0 ? run_at(alloc, at - 1) : NULL;
	struct page_run *behind = at < alloc->free_runs->len ? run_at(alloc, at) : NULL;

	assert(run.count > 0 && run.count <= alloc->page_count - run.first);
	assert(before == NULL || run_end(before) <= run.first);
	assert(behind == NULL || run_end(&run) <= behind->first);

	if (before != NULL && run_end(before) == run.first) {
		before->count += run.count;
		if (behind != NULL && run_end(before) == behind->first) {
			before->count += behind->count;
			g_array_remove_index(alloc->free_runs, at);
		}
	} else if (behind != NULL && run_end(&run) == behind->first) {
		behind->first = run.first;
		behind->count += run.count;
	} else {
		g_array_insert_val(alloc->free_runs, at, run);
	}
}

uint32_t
region_alloc_largest(const struct region_alloc *alloc)
{
	uint32_t largest = 0;

	for (guint i = 0; i < alloc->free_runs->len; i++)
		largest = MAX(largest, run_at(alloc, i)->count);
	return largest;
}
