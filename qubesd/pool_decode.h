/*
 * pool_decode - the payload of admin.pool.Add. Pure.
 *
 * Shape:  lines key=value, the last line feed may be missing; keys [a-z_]+, each once; values 0x20 to
 *         0x7e; "name" is needed and a pool's name.
 */
#ifndef QUBESD_POOL_DECODE_H
#define QUBESD_POOL_DECODE_H

#include "qubesd/admin_error.h"
#include "qubesd/pool.h"
#include "qubesd/storage/driver.h"
#include "shared/untrusted.h"

#define POOL_DECODE_VALUE_MAX 1024 /* bytes */

/*
 * A pool for pool_free(), whose keys are parameters of the driver with values that it takes: dir_path is
 * an absolute path without blanks, "." and "..". NULL with *error filled: ProtocolError, or
 * QubesException when a mandatory parameter is missing.
 */
struct pool *pool_decode_add(struct untrusted_bytes untrusted_payload,
    const struct volume_driver *driver, struct admin_error *error);

#endif
