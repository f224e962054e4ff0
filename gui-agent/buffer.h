/*
 * buffer - room for pictures in the memory region of the qube.
 *
 * The whole region is one shared memory segment of the qube's X server. A buffer is a run of its
 * pages with a pixmap on them: what the X server draws into the pixmap lies in the region.
 * Shape:  rows of stride 4 * width bytes, top row first, from the start of the first page.
 * Sharing: the GUI domain sees the pages themselves, or on Xen granted pages with a copy of what was
 *         published. Granted pages are given back with the buffer, never before.
 * Order:  pages are given back while the X server may still have drawing for them in its stream. It
 *         does that before it draws for their next owner, so pictures never mix.
 */
#ifndef GUI_AGENT_BUFFER_H
#define GUI_AGENT_BUFFER_H

#include "gui-agent/display.h"
#include "gui-agent/region_alloc.h"
#include "shared/region.h"

struct buffer_pool;

/*
 * Both are borrowed, and outlive the pool. region NULL: there is room for nothing.
 * 0; -ENOTSUP when the X server cannot use the region (one line in the log says why).
 */
int buffer_pool_new(const struct display *display, struct region *region, struct buffer_pool **ret);
void buffer_pool_free(struct buffer_pool *pool); /* after its buffers; NULL is fine */

/* For how many rows, of up to height, there is room now. */
unsigned buffer_pool_rows(const struct buffer_pool *pool, unsigned width, unsigned height);

struct buffer {
	struct page_run run;
	struct region_share *share; /* owned */
	uint32_t reader;            /* the domain that may see it */
	unsigned width, height;     /* pixels */
	Pixmap pixmap;
};

/*
 * depth is 24 or 32. It may be of fewer rows than asked for, when no more pages can be shared now,
 * but of at least as many as least says (and one). NULL when that cannot be had. reader is the GUI
 * domain.
 */
struct buffer *buffer_new(struct buffer_pool *pool, uint32_t reader, unsigned width,
    unsigned height, unsigned least, unsigned depth);

/* A rectangle inside the picture has been drawn, and is to be seen by the GUI domain. */
void buffer_publish(struct buffer *buffer, unsigned x, unsigned y, unsigned width, unsigned height);

/* Its memory goes back to the system as well, where the region can do that. NULL is fine. */
void buffer_free(struct buffer_pool *pool, struct buffer *buffer);

#endif
