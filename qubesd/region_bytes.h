/*
 * region_bytes - how large the memory region of a qube is, whatever runs it.
 *
 * 512 MiB, or QUBES_REGION_SIZE bytes: a power of two from 1 MiB to 4 GiB.
 */
#ifndef QUBESD_REGION_BYTES_H
#define QUBESD_REGION_BYTES_H

#include <stdint.h>

/* A value of the environment that cannot be used is logged, and the default is taken. */
uint64_t region_bytes(void);

#endif
