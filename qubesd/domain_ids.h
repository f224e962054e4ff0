/*
 * domain_ids - the numbers of all qubes that are reached over the broker, whatever runs them.
 *
 * They only grow while the instance lives, so that a number means one run of one qube: whoever
 * speaks of a domain that has gone speaks of nobody. The last one is kept in last-xid in the
 * runtime folder, which lasts until the machine starts again; without it what is in use is still
 * skipped. Xen numbers its domains itself, from 1 on; beside it ours begin where Xen's cannot be.
 */
#ifndef QUBESD_DOMAIN_IDS_H
#define QUBESD_DOMAIN_IDS_H

#include <stdbool.h>
#include <stdint.h>

#define DOMAIN_IDS_FIRST 1
#define DOMAIN_IDS_FIRST_BESIDE_XEN 0x8000
#define DOMAIN_IDS_LAST INT32_MAX /* then from the first on again */

/* Has somebody this id? */
typedef bool (*domain_ids_taken)(uint32_t id, void *data);

/*
 * The next id that is free. Returns 0, or a negative errno when the file cannot be written: then no
 * id was given out. -ENOSPC when all are taken.
 */
int domain_ids_next(bool beside_xen, domain_ids_taken is_taken, void *data, uint32_t *ret);

#endif
