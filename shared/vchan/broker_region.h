/*
 * broker_region - the memory region of a domain, as the broker makes and holds it.
 *
 * A memfd, sparse, sealed against growing, shrinking and further seals: the qube that writes to it
 * can neither take pages away under a reader's hands nor forbid its own writing.
 */
#ifndef SHARED_VCHAN_BROKER_REGION_H
#define SHARED_VCHAN_BROKER_REGION_H

#include <stdint.h>

#define BROKER_REGION_MIN_BYTES (UINT64_C(1) << 20)
#define BROKER_REGION_MAX_BYTES (UINT64_C(4) << 30)

struct broker_region {
	int writable_fd;  /* for the domain itself */
	int read_only_fd; /* for those who show its windows; cannot be mapped writable */
};

/* Returns 0, -EINVAL for a size that is no power of two or out of bounds, or a negative errno. */
int broker_region_init(struct broker_region *region, uint64_t size_bytes);
/*
 * The file that stands for the memory of a virtual machine's region device, made by somebody else;
 * there is no writable_fd. Returns 0, -EINVAL when it is no regular file, or a negative errno.
 */
int broker_region_open(struct broker_region *region, const char *path);
/*
 * Inside a virtual machine: the memory of its own region device, which may be a symbolic link to
 * it; there is no read_only_fd. Returns 0 or a negative errno, -ENOENT while it is not there.
 */
int broker_region_open_own(struct broker_region *region, const char *path);
/* Closes both; what was handed out lives on. Also for a struct whose members are -1. */
void broker_region_fini(struct broker_region *region);

#endif
