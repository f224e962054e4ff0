/*
 * region - the memory region of one qube, where the pixels of its windows lie.
 *
 * Shape:  up to 2^20 pages of 4096 bytes; a reference in WINDOW_DUMP is a page number.
 * Owner:  made by the host before the qube starts, sealed against growing and shrinking. The qube
 *         holds it writable; the trusted side gets it read-only and never maps it.
 * Xen:    there is no such file. A reference is a grant, and a page is shared for as long as it is
 *         granted. The reading side maps what a dump names, read-only, and reads it; it has no
 *         descriptor. The qube has a file of its own for its X server to draw into, and publishes
 *         what was drawn by a copy into granted pages. The calls for dumps and shares below hide
 *         all that.
 * Source: docs/vchan.md, "The region"; docs/xen.md, "Grants"; docs/gui-protocol.md, "WINDOW_DUMP".
 */
#ifndef SHARED_REGION_H
#define SHARED_REGION_H

#include "shared/untrusted.h"

#include <stdbool.h>
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

int region_fd(const struct region *region); /* borrowed; -1: another domain's on Xen */
uint64_t region_size_bytes(const struct region *region);

/* --- the reading side: one dump -------------------------------------------------------------- */

/*
 * The pages that count references (4 bytes each, as they came) name. *ret is the caller's, to be
 * freed before the region. 0; -EPROTO when untrusted_refs has not 4 * count bytes or count is 0;
 * -ERANGE when a page lies outside the region; another negative errno when Xen does not give them
 * (not granted, or beyond a limit).
 */
struct region_dump;
int region_dump_new(struct region *region, struct untrusted_bytes untrusted_refs, size_t count,
    struct region_dump **ret);
void region_dump_free(struct region_dump *dump); /* NULL is fine */

/* True when the dump is one run of the file region_fd(); *ret_offset is where it begins, in bytes. */
bool region_dump_run(const struct region_dump *dump, uint64_t *ret_offset);

/*
 * Copies bytes [from, from + len) of the dump into buffer. 0; -ERANGE when they lie outside it;
 * -errno of reading the file, with whatever in the buffer.
 */
int region_dump_read(const struct region_dump *dump, uint64_t from, void *buffer, size_t len);

/* --- the owner's side: pages that the reader may see ------------------------------------------ */

/*
 * Makes pages [first, first + count) of the caller's own region readable for the domain that has
 * its windows. 0; or a negative errno: on Xen, when no more pages can be granted now.
 */
struct region_share;
int region_share_new(struct region *region, uint32_t reader, uint32_t first, uint32_t count,
    struct region_share **ret);
/* Afterwards the reader can find no more in them than it has found. NULL is fine. */
void region_share_free(struct region_share *share);

/* What names the pages in WINDOW_DUMP: as many as pages. Borrowed. */
const uint32_t *region_share_refs(const struct region_share *share);
size_t region_share_count(const struct region_share *share);

/* Bytes [from, from + len) of the shared pages have changed and are to be seen. */
void region_share_publish(struct region_share *share, uint64_t from, size_t len);

/* --- page numbers of a file ------------------------------------------------------------------ */

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
