#include "gui-daemon/surface.h"

#include <glib.h>

struct surface {
	uint32_t width, height;
	size_t page_count;
	struct region_dump *dump; /* owned */
};

int
surface_new(struct region *region, const struct gui_window_dump *dump, struct surface **ret)
{
	struct region_dump *pages;
	struct surface *surface;
	int r;

	r = region_dump_new(region, dump->untrusted_refs, dump->page_count, &pages);
	if (r < 0)
		return r;
	surface = g_new0(struct surface, 1);
	surface->width = dump->width;
	surface->height = dump->height;
	surface->page_count = dump->page_count;
	surface->dump = pages;
	*ret = surface;
	return 0;
}

void
surface_free(struct surface *surface)
{
	if (surface == NULL)
		return;
	region_dump_free(surface->dump);
	g_free(surface);
}

uint32_t
surface_width(const struct surface *surface)
{
	return surface->width;
}

uint32_t
surface_height(const struct surface *surface)
{
	return surface->height;
}

size_t
surface_pages(const struct surface *surface)
{
	return surface->page_count;
}

bool
surface_run(const struct surface *surface, uint64_t *ret_offset)
{
	return region_dump_run(surface->dump, ret_offset);
}

int
surface_read(const struct surface *surface, uint64_t from, void *buffer, size_t len)
{
	return region_dump_read(surface->dump, from, buffer, len);
}
