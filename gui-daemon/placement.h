/*
 * placement - where windows may lie that no window manager looks after (override-redirect: menus,
 * tooltips, splash screens), and whether a window may be one of them.
 *
 * Pure. Rectangles are contents in root coordinates; what must be on the screen is the content
 * with its border.
 * Source: docs/frame.md, "Windows without a window manager".
 */
#ifndef GUI_DAEMON_PLACEMENT_H
#define GUI_DAEMON_PLACEMENT_H

#include "gui-daemon/damage.h"

/*
 * True when the content, and others pixels of other such windows of the same qube, would cover more
 * than 90 % of the work area. Where they overlap they count twice.
 */
bool placement_is_too_large(struct rect content, uint64_t others, struct rect work_area);

/*
 * The content moved, and shrunk where it must be, so that it lies in the work area with its whole
 * border. A window that is wholly off the screen is left where it is.
 */
struct rect placement_force_on_screen(
    struct rect content, unsigned border, struct rect screen, struct rect work_area);

#endif
