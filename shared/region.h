/*
 * region - the memory region of one qube, where the pixels of its windows lie.
 *
 * Shape:  up to 2^20 pages of 4096 bytes; a reference in WINDOW_DUMP is a page number.
 * Owner:  made by the host before the qube starts, sealed against growing and shrinking. The qube
 *         holds it writable; the trusted side gets it read-only and never maps it.
 * Source: docs/vchan.md, "The region"; docs/gui-protocol.md, "WINDOW_DUMP".
 */
#ifndef SHARED_REGION_H
#define SHARED_REGION_H

#include "shared/untrusted.h"

#include <stddef.h>
#include <stdint.h>

#define REGION_PAGE_BYTES 4096

struct region;

/*
 * The region of another domain, read-only: asked of the transport named by spec (as in
 * vchan_connect(); "socket": the file dom<D>.pages in QUBES_REGION_DIR, default the socket folder).
 * Blocks for one short local exchange, 5 seconds at most. Returns 0 or a negative errno; -EACCES
 * when the caller has no right to it, -ENOENT when the domain or its region is not there.
 */
int region_open(const char *spec, uint32_t domain, struct region **ret);
/* The caller's own region, writable. */
int region_open_own(const char *spec, struct region **ret);
/* Takes over a descriptor of a regular file or memfd; for tests. */
int region_new_from_fd(int fd, struct region **ret);
void region_free(struct region *region);

int region_fd(const struct region *region); /* borrowed */
uint64_t region_size_bytes(const struct region *region);

/*
 * Finds count page references (4 bytes each, as they came) in the region. When they ascend by one
 * and the last lies inside: 0 and the offset of the first in bytes. -ERANGE when a page lies
 * outside, -ENOTSUP when all lie inside but are not one run, -EPROTO when untrusted_refs has not
 * 4 * count bytes or count is 0; *ret_offset is untouched then.
 */
int region_find_run(const struct region *region, struct untrusted_bytes untrusted_refs,
    size_t count, uint64_t *ret_offset);

/*
 * Copies bytes [from, from + len) of the dump that the references describe into buffer, page by
 * page: for references that are no run. 0, -ERANGE, -EPROTO, -errno of the read.
 */
int region_read_pages(const struct region *region, struct untrusted_bytes untrusted_refs,
    size_t count, uint64_t from, void *buffer, size_t len);

#endif
