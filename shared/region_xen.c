/*
 * Grants through the kernel's two devices; a part of the module vchan-xen.so.
 *
 * Pages are mapped and shared in chunks: what one call may have is limited, and a kernel finds room
 * for the bookkeeping of a small chunk when it has none for that of a whole window.
 */
#include "shared/region_xen.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <xengnttab.h>

#define PAGE_BYTES 4096
#define CHUNK_PAGES 1024

/* Pages in chunks; each chunk is one piece of our memory, and all but the last are full. */
struct pages {
	size_t count;
	uint8_t **chunks; /* owned array; NULL where a chunk is not there yet */
};

struct region_xen {
	uint32_t domain;
	xengnttab_handle *device; /* owned */
};

struct region_xen_dump {
	struct region_xen *xen; /* borrowed */
	struct pages pages;
};

struct region_xen_owner {
	xengntshr_handle *device; /* owned */
};

struct region_xen_shared {
	struct region_xen_owner *owner; /* borrowed */
	struct pages pages;
};

static size_t
chunk_count(const struct pages *pages)
{
	return (pages->count + CHUNK_PAGES - 1) / CHUNK_PAGES;
}

static uint32_t
pages_in_chunk(const struct pages *pages, size_t chunk)
{
	return (uint32_t)MIN(CHUNK_PAGES, pages->count - chunk * CHUNK_PAGES);
}

static void
pages_init(struct pages *pages, size_t count)
{
	pages->count = count;
	pages->chunks = g_new0(uint8_t *, chunk_count(pages));
}

/* The bytes at offset, and how many of them lie in one piece. */
static uint8_t *
pages_at(const struct pages *pages, uint64_t offset, size_t *ret_len)
{
	const uint64_t chunk_bytes = (uint64_t)CHUNK_PAGES * PAGE_BYTES;
	uint64_t inside = offset % chunk_bytes;

	*ret_len = (size_t)(chunk_bytes - inside);
	return pages->chunks[offset / chunk_bytes] + inside;
}

static int
error_or(int otherwise)
{
	return errno != 0 ? -errno : otherwise;
}

/* --- the reading side ------------------------------------------------------------------------ */

static int
open_reader(uint32_t domain, struct region_xen **ret)
{
	xengnttab_handle *device;
	struct region_xen *xen;

	errno = 0;
	device = xengnttab_open(NULL, 0);
	if (device == NULL)
		return error_or(-ENODEV);
	xen = g_new0(struct region_xen, 1);
	xen->domain = domain;
	xen->device = device;
	*ret = xen;
	return 0;
}

static void
close_reader(struct region_xen *xen)
{
	xengnttab_close(xen->device);
	g_free(xen);
}

static void
unmap_dump(struct region_xen_dump *dump)
{
	for (size_t i = 0; i < chunk_count(&dump->pages); i++)
		if (dump->pages.chunks[i] != NULL)
			xengnttab_unmap(dump->xen->device, dump->pages.chunks[i],
			    pages_in_chunk(&dump->pages, i));
	g_free(dump->pages.chunks);
	g_free(dump);
}

static int
map_chunk(struct region_xen_dump *dump, struct untrusted_bytes untrusted_refs, size_t chunk)
{
	uint32_t refs[CHUNK_PAGES], count = pages_in_chunk(&dump->pages, chunk);
	void *mapped;

	memcpy(refs, untrusted_refs.raw + chunk * sizeof(refs), count * sizeof(*refs));
	errno = 0;
	mapped = xengnttab_map_domain_grant_refs(
	    dump->xen->device, count, dump->xen->domain, refs, PROT_READ);
	if (mapped == NULL)
		return error_or(-EACCES);
	dump->pages.chunks[chunk] = mapped;
	return 0;
}

static int
map_dump(struct region_xen *xen, struct untrusted_bytes untrusted_refs, size_t count,
    struct region_xen_dump **ret)
{
	struct region_xen_dump *dump = g_new0(struct region_xen_dump, 1);

	dump->xen = xen;
	pages_init(&dump->pages, count);
	for (size_t i = 0; i < chunk_count(&dump->pages); i++) {
		int r = map_chunk(dump, untrusted_refs, i);

		if (r < 0) {
			unmap_dump(dump);
			return r;
		}
	}
	*ret = dump;
	return 0;
}

static void
read_dump(const struct region_xen_dump *dump, uint64_t from, void *buffer, size_t len)
{
	uint8_t *to = buffer;

	while (len > 0) {
		size_t part;
		const uint8_t *bytes = pages_at(&dump->pages, from, &part);

		part = MIN(part, len);
		memcpy(to, bytes, part);
		to += part;
		from += part;
		len -= part;
	}
}

/* --- the granting side ----------------------------------------------------------------------- */

static int
open_owner(struct region_xen_owner **ret)
{
	xengntshr_handle *device;
	struct region_xen_owner *owner;

	errno = 0;
	device = xengntshr_open(NULL, 0);
	if (device == NULL)
		return error_or(-ENODEV);
	owner = g_new0(struct region_xen_owner, 1);
	owner->device = device;
	*ret = owner;
	return 0;
}

static void
close_owner(struct region_xen_owner *owner)
{
	xengntshr_close(owner->device);
	g_free(owner);
}

static void
unshare_pages(struct region_xen_shared *shared)
{
	for (size_t i = 0; i < chunk_count(&shared->pages); i++)
		if (shared->pages.chunks[i] != NULL)
			xengntshr_unshare(shared->owner->device, shared->pages.chunks[i],
			    pages_in_chunk(&shared->pages, i));
	g_free(shared->pages.chunks);
	g_free(shared);
}

static int
share_pages(struct region_xen_owner *owner, uint32_t reader, size_t count, uint32_t *refs,
    struct region_xen_shared **ret)
{
	struct region_xen_shared *shared = g_new0(struct region_xen_shared, 1);
	const int writable = 0;

	shared->owner = owner;
	pages_init(&shared->pages, count);
	for (size_t i = 0; i < chunk_count(&shared->pages); i++) {
		void *bytes;

		errno = 0;
		bytes = xengntshr_share_pages(owner->device, reader,
		    (int)pages_in_chunk(&shared->pages, i), refs + i * CHUNK_PAGES, writable);
		if (bytes == NULL) {
			int r = error_or(-ENOSPC);

			unshare_pages(shared);
			return r;
		}
		shared->pages.chunks[i] = bytes;
	}
	*ret = shared;
	return 0;
}

static void
write_shared(struct region_xen_shared *shared, uint64_t to, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	while (len > 0) {
		size_t part;
		uint8_t *place = pages_at(&shared->pages, to, &part);

		part = MIN(part, len);
		memcpy(place, from, part);
		from += part;
		to += part;
		len -= part;
	}
}

const struct region_xen_calls region_xen_calls = {
    .open = open_reader,
    .close = close_reader,
    .map = map_dump,
    .unmap = unmap_dump,
    .read = read_dump,
    .open_own = open_owner,
    .close_own = close_owner,
    .share = share_pages,
    .unshare = unshare_pages,
    .write = write_shared,
};
