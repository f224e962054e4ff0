/*
 * ewmh - what the programs in the qube expect of a window manager, which is on the other side.
 *
 * There is no window manager in the qube; the desktop's own one manages these windows. The agent
 * speaks for it: it says which requests are understood, and keeps the properties true that a
 * window manager owns. _NET_WM_MOVERESIZE is not among them: the protocol has no message for it,
 * and toolkits move their windows themselves when it is missing.
 */
#ifndef GUI_AGENT_EWMH_H
#define GUI_AGENT_EWMH_H

#include "gui-agent/display.h"

#include <stddef.h>

/* Marks root and display->own as a window manager's. */
void ewmh_claim(const struct display *display);

void ewmh_set_client_list(const struct display *display, const Window *windows, size_t count);
void ewmh_set_active_window(const struct display *display, Window window); /* None: no one */

/* WM_STATE: Normal or Iconic. */
void ewmh_set_wm_state(const struct display *display, Window window, long state);
/* A withdrawn window has neither WM_STATE nor _NET_WM_STATE. */
void ewmh_clear_states(const struct display *display, Window window);

/* _NET_WM_STATE as GUI_FLAG_* bits, and back; states that the protocol does not know stay. */
uint32_t ewmh_flags(const struct display *display, Window window);
void ewmh_change_flags(const struct display *display, Window window, uint32_t set, uint32_t unset);

/* The GUI_FLAG_* bit of one state, 0 for one that the protocol does not know. */
uint32_t ewmh_flag_of(const struct display *display, Atom state);

#endif
