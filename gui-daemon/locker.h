/*
 * locker - whether a screen locker covers the desktop.
 *
 * A locker is a viewable override-redirect child of the root window whose WM_CLASS instance is in
 * the list of the configuration and that is not a window of a qube (no _QUBES_VMNAME). It is
 * followed by events, so nothing has to be asked when a window of a qube is about to be mapped;
 * while there is one, no such window is mapped at all.
 */
#ifndef GUI_DAEMON_LOCKER_H
#define GUI_DAEMON_LOCKER_H

#include "gui-daemon/display.h"

struct locker;

/* is_locked is the new state. */
typedef void (*locker_func)(void *data, bool is_locked);

/* names: WM_CLASS instances, char *; borrowed. */
struct locker *locker_new(
    struct display *display, const GPtrArray *names, locker_func on_change, void *data);
void locker_free(struct locker *locker); /* NULL is fine */

void locker_on_event(struct locker *locker, const xcb_generic_event_t *event);

#endif
