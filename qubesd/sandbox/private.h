/*
 * private - the folder of a qube that lasts: what becomes /rw, /home and /usr/local inside.
 *
 * Shape:  DIR/rw, DIR/home, DIR/usrlocal, and DIR/owner: "FIRST COUNT", the host ids that the files
 *         belong to (tree.h). DIR itself is ours (mode 0700) and never seen inside, so that a qube
 *         cannot put a link where the host looks next time.
 * Owners: when the file `owner` names other ids than those of this start, because the folder came
 *         from another qube or was used by another kind of start, everything is shifted to the new
 *         ones; an ordinary user cannot do that and is told so.
 */
#ifndef SANDBOX_PRIVATE_H
#define SANDBOX_PRIVATE_H

#include "qubesd/sandbox/identity.h"

#include <stdbool.h>

/*
 * Makes the folder ready: new when it is not there (or when fresh, after removing what is left),
 * copied from source when that is not NULL. Returns 0, or a negative errno and *ret_error a
 * sentence (g_free()).
 */
int private_prepare(const char *dir, const char *source, bool fresh,
    const struct identity *identity, char **ret_error);

#endif
