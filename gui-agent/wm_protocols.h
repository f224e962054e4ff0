/* wm_protocols - what a window wants to be asked instead of being treated (WM_PROTOCOLS). */
#ifndef GUI_AGENT_WM_PROTOCOLS_H
#define GUI_AGENT_WM_PROTOCOLS_H

#include "gui-agent/display.h"

/* One round trip. */
bool wm_protocols_has(const struct display *display, Window window, enum display_atom protocol);
void wm_protocols_send(
    const struct display *display, Window window, enum display_atom protocol, Time time);

#endif
