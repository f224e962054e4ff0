/*
 * dispatch - the table of the agent's messages: what each may be about, and what it does.
 *
 * Who talks to it: guest.c, with whole messages of a known type and a length that the type allows.
 * Checks that all rows share (does the window exist) are made here once; the decoders check the
 * fields, and the handlers act.
 * Source: docs/gui-protocol.md.
 */
#ifndef GUI_DAEMON_DISPATCH_H
#define GUI_DAEMON_DISPATCH_H

#include "gui-daemon/guest.h"

/* Returns 0; -EPROTO when the agent broke the protocol; -ENOSPC when it has too many windows. */
int dispatch_packet(struct guest *guest, const struct gui_packet *packet);

#endif
