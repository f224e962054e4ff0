/*
 * state - full screen, minimised, demanding attention: between WINDOW_FLAGS and _NET_WM_STATE.
 *
 * A qube gets the whole screen only when the configuration says so. Else a window that asks for
 * it is maximised and told that it is full screen (emulation), so that programs behave while the
 * person still sees frame and title. A person may make any window full screen with the window
 * manager; that is reported as it is.
 * Source: docs/gui-protocol.md, "WINDOW_FLAGS".
 */
#ifndef GUI_DAEMON_STATE_H
#define GUI_DAEMON_STATE_H

#include "gui-daemon/window.h"

/* What the agent asks for. While the window is unmapped only the flags to set count. */
void state_request(struct window *window, const struct gui_window_flags *flags);

/* _NET_WM_STATE of the outer window was written by somebody: tells the agent what is new. */
void state_on_changed(struct window *window);

#endif
