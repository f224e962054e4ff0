/*
 * stage - where bubblewrap takes the parts of a sandbox from.
 *
 * Trust:  the private folder is the qube's own from one run to the next, so what is bound from it
 *         must be out of the qube's reach: the three folders rw, home and usrlocal lie in a folder
 *         that the qube never sees, and nothing inside them is ever named by the host.
 * Root:   the parts may lie where the qube's host id cannot go (/root/...). As root they are first
 *         bound to short paths on a tmpfs at /tmp, in a mount namespace of their own that ends
 *         with the sandbox. Where that is refused, and for ordinary users, the real paths are used.
 */
#ifndef SANDBOX_STAGE_H
#define SANDBOX_STAGE_H

#include <stdbool.h>

enum stage_part {
	STAGE_USR,
	STAGE_ETC,
	STAGE_GUEST,    /* the guest kit */
	STAGE_RW,       /* /rw */
	STAGE_HOME,     /* /home */
	STAGE_USRLOCAL, /* /usr/local */
	STAGE_VCHAN,    /* the broker's socket */
	STAGE_PART_COUNT,
};

struct stage {
	char *paths[STAGE_PART_COUNT]; /* owned; where each part is to be bound from */
};

void stage_clear(struct stage *stage);

/*
 * In the child that becomes bubblewrap, still as root: makes the mount namespace, and replaces the
 * paths by new ones (the old ones stay whose they were). 0; -EPERM with *ret_part untouched when
 * mount namespaces are refused; a negative errno when a part cannot be bound, *ret_part says which.
 * The paths are unchanged then.
 */
int stage_enter(struct stage *stage, enum stage_part *ret_part);

#endif
