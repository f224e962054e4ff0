/*
 * copy - the content of one file into another: shared blocks where the file system can, else the
 * data and not the holes.
 *
 * Blocks: as long as the disk takes; runs in any thread.
 */
#ifndef QUBESD_STORAGE_COPY_H
#define QUBESD_STORAGE_COPY_H

#include <stdbool.h>
#include <sys/types.h>

enum copy_mode {
	COPY_REFLINK, /* shared blocks, or it fails */
	COPY_SPARSE,  /* data, read and written */
	COPY_AUTO,    /* shared blocks, else data */
};

/*
 * Copies the whole of from into the empty file to, which gets the same size. Returns 0, or a negative
 * errno: -EOPNOTSUPP, -EXDEV or -EINVAL when blocks cannot be shared and mode wants that. What was
 * written by then stays.
 */
int copy_content(int from, int to, enum copy_mode mode);

/* The same, ending early with -ECANCELED when *stop (atomic; NULL: never) is not 0 any more. */
int copy_content_unless(int from, int to, enum copy_mode mode, const int *stop);

/*
 * Copies what comes from from_at on to to_at. Blocks are shared where the file system can and both
 * places lie equally far from the border of a block of 4096 bytes. Returns 0 or a negative errno.
 */
int copy_tail(int from, off_t from_at, int to, off_t to_at);

/* Can files in the folder share blocks? */
bool copy_can_share(const char *dir);

#endif
