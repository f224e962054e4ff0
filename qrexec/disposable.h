/*
 * disposable - a disposable qube for one call, that goes when the call is over.
 *
 * A program of its own, qrexec-disposable, creates it and waits for us to let go of it: freeing the
 * object, or our death in whatever way, ends its input, and then it kills the qube. So there is no
 * path on which one is left behind.
 */
#ifndef QREXEC_DISPOSABLE_H
#define QREXEC_DISPOSABLE_H

#include <stdbool.h>

struct disposable;

/* From the loop, once: the new qube's name or "uuid:...", borrowed; NULL when there is none. */
typedef void (*disposable_created)(const char *name, void *data);

/* base: a name or "uuid:..."; by_uuid: the answer is to be a uuid. Returns 0 or a negative errno. */
int disposable_new(const char *base, bool by_uuid, disposable_created created, void *data,
    struct disposable **ret);
void disposable_free(struct disposable *disposable); /* NULL is fine */

#endif
