/*
 * properties - what the window manager reads of one window: title, class, size hints, transience.
 *
 * Guest text gets in here through text.h only, with the qube's name before it. Sizes are of the
 * outer window. Window type, decoration hints and shapes of the guest have no way to the desktop.
 */
#ifndef GUI_DAEMON_PROPERTIES_H
#define GUI_DAEMON_PROPERTIES_H

#include "gui-daemon/window.h"

void properties_set_title(struct window *window, const char *untrusted_text);
void properties_set_class(struct window *window, const struct gui_wmclass *wmclass);
void properties_set_hints(struct window *window, const struct gui_window_hints *hints);
void properties_set_transient_for(struct window *window);
/* When the person last used a window of this qube, in X time. */
/* When the person last used the window; 0: it is not to get the focus when it is mapped. */
void properties_set_user_time(struct window *window, xcb_timestamp_t time);

/* The title as people see it. Pure; to be freed. */
char *properties_make_title(const struct config *config, const char *untrusted_text);

/* WM_NORMAL_HINTS of the outer window: 18 words. Pure. */
void properties_make_hints(
    const struct gui_window_hints *hints, unsigned border, struct rect geometry, uint32_t ret[18]);

#endif
