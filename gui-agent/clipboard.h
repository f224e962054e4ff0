/*
 * clipboard - the qube's side of copy and paste between qubes.
 *
 * Nothing of the qube's clipboard leaves it yet, and nothing comes in: every request is answered at
 * once, with an empty text, so that the daemon never waits and never takes a later text for the
 * answer; what the daemon brings is dropped unread.
 * Source: docs/gui-protocol.md, "CLIPBOARD_REQ".
 */
#ifndef GUI_AGENT_CLIPBOARD_H
#define GUI_AGENT_CLIPBOARD_H

#include "gui-agent/link.h"

/* window is the id in the request, and in the answer. */
void clipboard_answer(struct link *link, uint32_t window);
void clipboard_offer(struct untrusted_bytes untrusted_text);

#endif
