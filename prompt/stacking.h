/*
 * stacking - what really lies above a window, asked of the X server: visibility events say nothing
 * when a compositor draws the screen.
 *
 * Shape:  above are the top-level windows later in the order of the root's children. One covers
 *         when it is viewable, has pixels and overlaps; windows of our own connection (menus) and
 *         the compositor's overlay do not count. A shaped window counts with its whole rectangle.
 */
#ifndef PROMPT_STACKING_H
#define PROMPT_STACKING_H

#include <X11/Xlib.h>
#include <stdbool.h>

struct stacking_view {
	int x, y, width, height; /* of the window, in root coordinates */
	bool visible;            /* viewable, within the screen, and nothing covers it */
	Window covered_by;       /* None, or the topmost window that covers it */
};

/* X errors must be trapped by the caller; with one, *ret says not visible. */
void stacking_look(Display *display, Window window, struct stacking_view *ret);

/* True when all keys and pointer buttons are released. */
bool stacking_input_is_quiet(Display *display);

/* True when the input focus is with a window of the same connection as window. */
bool stacking_has_focus(Display *display, Window window);

/*
 * Puts an override-redirect window of a qube below ours; window managers leave those where they
 * are. Does nothing with other windows: that of a screen locker stays where it is. other may be
 * None.
 */
void stacking_push_below(Display *display, Window other, Window ours);

#endif
