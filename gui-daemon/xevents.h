/*
 * xevents - the table of the X events that we listen to, and what each is for.
 *
 * The window manager and every other client of the session can cause them: events that were sent
 * by a client and not by the server are believed only where a convention says so (geometry,
 * protocols); keys, pointer and focus never.
 */
#ifndef GUI_DAEMON_XEVENTS_H
#define GUI_DAEMON_XEVENTS_H

#include "gui-daemon/guest.h"

void xevents_dispatch(struct guest *guest, const xcb_generic_event_t *event);

#endif
