/*
 * describe - what a window says of itself, put into the fields of the protocol.
 *
 * Pure. The results are filled completely, zeros behind every text: what goes to the daemon never
 * carries bytes of our own memory.
 * Source: docs/gui-protocol.md, "WMNAME", "WMCLASS", "WINDOW_HINTS".
 */
#ifndef GUI_AGENT_DESCRIBE_H
#define GUI_AGENT_DESCRIBE_H

#include "shared/gui_wire.h"

#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <stddef.h>

/*
 * A title, UTF-8, up to its first NUL. What is longer than 127 bytes is cut between two characters
 * and ends in U+2026.
 */
void describe_title(const char *utf8, size_t len, struct gui_wire_wmname *ret);

/* Both texts cut after 63 bytes; NULL is the empty text. */
void describe_class(const char *res_class, const char *res_name, struct gui_wire_wmclass *ret);

/*
 * The six kinds of hints that the protocol knows; a pair with a negative number in it is left out.
 * A minimum is rounded up to the next step that base size and increment make.
 */
void describe_hints(const XSizeHints *hints, struct gui_wire_window_hints *ret);

#endif
