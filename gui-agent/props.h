/*
 * props - properties of windows, read with a bound on their size.
 *
 * Each function is one round trip to the qube's own X server. A property that is missing, of
 * another type, or of a window that has gone, reads as empty.
 */
#ifndef GUI_AGENT_PROPS_H
#define GUI_AGENT_PROPS_H

#include "gui-agent/display.h"

#include <X11/Xutil.h>
#include <stdbool.h>
#include <stddef.h>

#define PROPS_MAX_ATOMS 64

/* Returns how many of the atoms (at most PROPS_MAX_ATOMS) stand in ret. */
size_t props_atoms(
    const struct display *display, Window window, Atom property, Atom ret[PROPS_MAX_ATOMS]);
void props_set_atoms(
    const struct display *display, Window window, Atom property, const Atom *atoms, size_t count);

/* _NET_WM_NAME, else WM_NAME made UTF-8; at most 1024 bytes are read. To be freed; never NULL. */
char *props_title(const struct display *display, Window window);

/* The six fields of WM_NORMAL_HINTS; all zero when there are none. */
void props_size_hints(const struct display *display, Window window, XSizeHints *ret);

/* WM_CLASS, at most 1024 bytes of it; both are to be freed, and never NULL. */
void props_class(const struct display *display, Window window, char **ret_class, char **ret_name);

/* WM_TRANSIENT_FOR, 0 for none. */
Window props_transient_for(const struct display *display, Window window);

/* The input field of WM_HINTS; true when the window does not say. */
bool props_accepts_input(const struct display *display, Window window);

#endif
