/*
 * dispatch - what each message of the daemon does.
 *
 * A message about a window that has gone is ignored: the two sides cross on the way.
 * Source: docs/gui-protocol.md, table of messages.
 */
#ifndef GUI_AGENT_DISPATCH_H
#define GUI_AGENT_DISPATCH_H

#include "gui-agent/focus.h"
#include "gui-agent/inject.h"
#include "gui-agent/link.h"
#include "gui-agent/xwatch.h"

/* What messages act upon; borrowed. */
struct dispatch_targets {
	struct link *link;
	struct xwatch *watch;
	struct focus *focus;
	struct inject *inject;
};

/* 0, also when the message is ignored by rule; -EPROTO when the daemon broke the protocol. */
int dispatch_packet(const struct dispatch_targets *targets, const struct gui_packet *packet);

#endif
