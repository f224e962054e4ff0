/*
 * move - the second half of qvm-move: what has been copied goes away here.
 *
 * Only what was there before the copy and has not changed since: the same inode, size, times. A
 * directory goes when it is empty then. Links are never followed.
 */
#ifndef QREXEC_SERVICES_MOVE_H
#define QREXEC_SERVICES_MOVE_H

#include <stdbool.h>

struct move;

/* Notes what lies below the argument. Returns 0 or a negative errno. */
struct move *move_new(void);
int move_add(struct move *move, const char *argument, bool ignore_links);
void move_free(struct move *move);

/* Deletes it. Says what stays, and returns how many things did. */
unsigned move_delete(struct move *move);

#endif
