/*
 * pixels - the way of guest pixels from the region of a qube into our windows.
 *
 * The good way: the region, read-only, is attached to the X server once, and the server copies a
 * damaged rectangle straight out of it. When the display takes no descriptors, when the pages of a
 * surface are no run, and on Xen, the rectangle is read into a buffer of our own first and put from
 * there. Guest memory is never looked at here, and no decision is ever made by what it holds.
 *
 * Puts are asynchronous. A pass is what is put between two fences of the display; the buffer for
 * the second way serves one pass, so a pass has a limit and the rest of the damage waits.
 */
#ifndef GUI_DAEMON_PIXELS_H
#define GUI_DAEMON_PIXELS_H

#include "gui-daemon/display.h"
#include "gui-daemon/surface.h"

struct pixels;

/*
 * Takes over region (NULL: there is none, and no surface can be made). Blocks for one round trip to
 * the X server.
 */
struct pixels *pixels_new(struct display *display, struct region *region);
void pixels_free(struct pixels *pixels); /* NULL is fine; after all its surfaces */

/* As surface_new(); -ENODEV when there is no region. */
int pixels_find_surface(
    struct pixels *pixels, const struct gui_window_dump *dump, struct surface **ret);

/*
 * Puts rect of the surface, which must lie inside it, at at_x, at_y of the drawable. Returns 0;
 * -EAGAIN when this pass can take no more of *rect, which is then what is left of it; or the error
 * of reading the guest's memory.
 */
int pixels_put(struct pixels *pixels, const struct surface *surface, xcb_drawable_t drawable,
    struct rect *rect, int32_t at_x, int32_t at_y);

/* The server has finished everything of the last pass. */
void pixels_pass_done(struct pixels *pixels);

#endif
