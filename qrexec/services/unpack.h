/*
 * unpack - stores what arrives, below one directory and nowhere else.
 *
 * Who talks: another qube chose the entries (checked by qfile_decode); the user of this qube may
 * move and replace things below the directory meanwhile. So each entry is walked to from the
 * directory's descriptor, component by component and never through a link; no descriptor of an
 * entry's folder is kept for the next; a file gets its name only when it is complete, and never
 * takes the place of another.
 * Needs no privilege: no set-uid program, no chroot, no mount. Blocks.
 */
#ifndef QREXEC_SERVICES_UNPACK_H
#define QREXEC_SERVICES_UNPACK_H

#include "qrexec/services/qfile_decode.h"

#include <stddef.h>

struct unpack;

struct unpack_options {
	uint64_t keep_free_bytes; /* refuse a file that would leave less: ENOSPC */
	bool wait_for_space;      /* wait instead until so much is free */
};

/* fd of the directory, borrowed. */
struct unpack *unpack_new(int fd, const struct unpack_options *options);
void unpack_free(struct unpack *unpack); /* an incomplete file vanishes */

/* Each returns 0 or an errno as the protocol has them: positive. In the order of the stream. */
uint32_t unpack_entry(struct unpack *unpack, const struct qfile_entry *entry);
uint32_t unpack_content(struct unpack *unpack, const void *bytes, size_t len);
uint32_t unpack_done(struct unpack *unpack);
/* Everything is on disk when this returns 0. */
uint32_t unpack_sync(struct unpack *unpack);

#endif
