/*
 * display - the session's X display, as far as the session daemon needs it: the keyboard layout, and
 * whether the display is there at all.
 *
 * The layout is read from the root window's property _XKB_RULES_NAMES (rules, model, layout,
 * variant, options; each ended by NUL) and told again whenever it changes. Nothing here
 * waits for the X server after display_new().
 */
#ifndef QUBESD_TOOLS_SESSION_DISPLAY_H
#define QUBESD_TOOLS_SESSION_DISPLAY_H

#include <stddef.h>

struct display;

/* layout: "layout+variant+options"; borrowed. */
typedef void (*display_layout_func)(const char *layout, void *data);
/* The connection is lost. The object is still to be freed, also inside the callback. */
typedef void (*display_lost_func)(void *data);

/* Connects to $DISPLAY. Returns 0, or -ENOTCONN when nobody answers there. */
int display_new(
    display_layout_func on_layout, display_lost_func on_lost, void *data, struct display **ret);
void display_free(struct display *display);

/*
 * The value for qubesd from the property's bytes; to be freed. NULL when there is no layout, or one
 * that qubesd could not take ('+' within a part, bytes outside printable ASCII).
 */
char *display_layout_text(const void *bytes, size_t len);

#endif
