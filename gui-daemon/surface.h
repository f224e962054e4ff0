/*
 * surface - where the pixels of one guest window lie in the memory region of its qube, or on Xen
 *           in the pages that it granted.
 *
 * Shape:  height rows of stride bytes, top row first; a row is width little-endian 0xXXRRGGBB.
 * Units:  width and height in pixels; stride in bytes, always 4 * width; a page is 4096 bytes.
 * Trust:  the guest rewrites the pixels whenever it likes. The X server copies them out of the
 *         region, or region_dump_read() once into memory of ours. Never decide by them.
 * Source: docs/gui-protocol.md, "WINDOW_DUMP".
 */
#ifndef GUI_DAEMON_SURFACE_H
#define GUI_DAEMON_SURFACE_H

#include "shared/gui_decode.h"
#include "shared/region.h"

struct surface;

/*
 * Finds a checked dump in the region. *ret is the caller's, to be freed before region. Returns 0 or
 * an error of region_dump_new(); *ret is untouched then.
 */
int surface_new(struct region *region, const struct gui_window_dump *dump, struct surface **ret);
void surface_free(struct surface *surface); /* NULL is fine */

uint32_t surface_width(const struct surface *surface);
uint32_t surface_height(const struct surface *surface);
size_t surface_pages(const struct surface *surface);

/* True when the pages are one run of the region's file; *ret_offset is where in the region it begins, in bytes. */
bool surface_run(const struct surface *surface, uint64_t *ret_offset);

/*
 * Copies bytes [from, from + len) of the image, which must lie inside it. Returns 0, or a negative
 * errno with whatever in the buffer: what a guest did to its memory is no error of the protocol.
 */
int surface_read(const struct surface *surface, uint64_t from, void *buffer, size_t len);

#endif
