/*
 * region_xen - what vchan-xen.so does for region.c: pages granted by one domain to another.
 *
 * Shape:  a picture is count pages of 4096 bytes; each has a grant reference, a number of 32 bits
 *         without any order, chosen by the granting domain's kernel.
 * Trust:  reading side: the references are the qube's, and so is what the pages hold, which may
 *         change at any moment. Xen checks each reference. A page that was mapped stays readable
 *         until it is unmapped, whatever becomes of the qube; it is mapped read-only.
 * Limits: both devices limit what one call, one process or the whole domain may have; the
 *         hypervisor limits a domain. Beyond a limit a call returns a negative errno and has done
 *         nothing.
 * Source: docs/xen.md, "Grants".
 */
#ifndef SHARED_REGION_XEN_H
#define SHARED_REGION_XEN_H

#include "shared/untrusted.h"

#include <stdint.h>

struct region_xen;        /* the reading side: an open /dev/xen/gntdev */
struct region_xen_dump;   /* mapped pages of another domain */
struct region_xen_owner;  /* the granting side: an open /dev/xen/gntalloc */
struct region_xen_shared; /* pages of our own, granted */

struct region_xen_calls {
	int (*open)(uint32_t domain, struct region_xen **ret);
	void (*close)(struct region_xen *xen); /* after its dumps */

	/* untrusted_refs has 4 * count bytes. -errno: not granted, or beyond a limit. */
	int (*map)(struct region_xen *xen, struct untrusted_bytes untrusted_refs, size_t count,
	    struct region_xen_dump **ret);
	void (*unmap)(struct region_xen_dump *dump);
	/* [from, from + len) lies inside the dump. */
	void (*read)(const struct region_xen_dump *dump, uint64_t from, void *buffer, size_t len);

	int (*open_own)(struct region_xen_owner **ret);
	void (*close_own)(struct region_xen_owner *owner); /* after its pages */

	/* refs has room for count; the pages are zero, and the reader may only read them. */
	int (*share)(struct region_xen_owner *owner, uint32_t reader, size_t count, uint32_t *refs,
	    struct region_xen_shared **ret);
	/* A page that the reader has still mapped is given back by the kernel when it no longer is. */
	void (*unshare)(struct region_xen_shared *shared);
	/* [to, to + len) lies inside the pages. */
	void (*write)(struct region_xen_shared *shared, uint64_t to, const void *bytes, size_t len);
};

/* The name of this table in the module. */
#define REGION_XEN_SYMBOL "region_xen_calls"
extern const struct region_xen_calls region_xen_calls;

#endif
