/*
 * region_alloc - which pages of the qube's memory region hold pixels.
 *
 * Shape:  the region is page_count pages; a buffer is one run of them, so that the references of a
 *         dump ascend by one. First fit; a run that comes back merges with its free neighbours.
 * Limits: the list of free runs is never longer than the number of runs in use and one.
 * Pure:   it touches no memory of the region.
 */
#ifndef GUI_AGENT_REGION_ALLOC_H
#define GUI_AGENT_REGION_ALLOC_H

#include <stdint.h>

struct page_run {
	uint32_t first, count; /* pages; count is at least 1 */
};

struct region_alloc;

struct region_alloc *region_alloc_new(uint32_t page_count);
void region_alloc_free(struct region_alloc *alloc); /* NULL is fine */

/* Takes a run of exactly count pages. 0; -EINVAL when count is 0; -ENOSPC; *ret is untouched then.
 */
int region_alloc_take(struct region_alloc *alloc, uint32_t count, struct page_run *ret);

/* Gives back a run as it was taken. */
void region_alloc_give_back(struct region_alloc *alloc, struct page_run run);

/* The most pages that region_alloc_take() would grant now. */
uint32_t region_alloc_largest(const struct region_alloc *alloc);

#endif
