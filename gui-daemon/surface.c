#include "gui-daemon/surface.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

struct surface {
	uint32_t width, height;
	size_t page_count;
	struct region *region; /* borrowed from the guest */
	bool is_run;
	uint64_t offset_bytes;                 /* from the region's start, when a run */
	struct untrusted_bytes untrusted_refs; /* else; owned, checked by the region once */
};

/* All pages lie inside but are no run: the references are kept as they came. */
static void
surface_keep_refs(struct surface *surface, struct untrusted_bytes untrusted_refs)
{
	surface->untrusted_refs = untrusted_bytes_dup(untrusted_refs);
}

int
surface_new(struct region *region, const struct gui_window_dump *dump, struct surface **ret)
{
	struct surface *surface;
	uint64_t offset_bytes = 0;
	int r;

	r = region_find_run(region, dump->untrusted_refs, dump->page_count, &offset_bytes);
	if (r < 0 && r != -ENOTSUP)
		return r;

	surface = g_new0(struct surface, 1);
	surface->width = dump->width;
	surface->height = dump->height;
	surface->page_count = dump->page_count;
	surface->region = region;
	surface->is_run = r == 0;
	surface->offset_bytes = offset_bytes;
	if (!surface->is_run)
		surface_keep_refs(surface, dump->untrusted_refs);
	*ret = surface;
	return 0;
}

void
surface_free(struct surface *surface)
{
	if (surface == NULL)
		return;
	untrusted_bytes_free(surface->untrusted_refs);
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
	if (surface->is_run)
		*ret_offset = surface->offset_bytes;
	return surface->is_run;
}

static int
read_run(const struct surface *surface, uint64_t from, uint8_t *buffer, size_t len)
{
	while (len > 0) {
		ssize_t n = pread(
		    region_fd(surface->region), buffer, len, (off_t)(surface->offset_bytes + from));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		buffer += n;
		from += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int
surface_read(const struct surface *surface, uint64_t from, void *buffer, size_t len)
{
	if (surface->is_run)
		return read_run(surface, from, buffer, len);
	return region_read_pages(
	    surface->region, surface->untrusted_refs, surface->page_count, from, buffer, len);
}
