/*
 * inject - what the person does, done again in the qube's X server (XTEST).
 *
 * Keys:    auto-repeat is off here, and kept off: a repeated key comes from the desktop, or not at
 *          all (a key that stays down in a qube after the focus has left would act on its own). Who
 *          holds what is known here, and released on request.
 * Pointer: the window that the desktop says the pointer is in lies on top here before anything
 *          happens in it. A window that the pointer has left sees it leave: a one pixel stub comes
 *          between them.
 * Blocks:  a key asks the X server for the state of its modifiers (one local round trip).
 * Source:  docs/gui-agent.md, "Keys" and "Pointer".
 */
#ifndef GUI_AGENT_INJECT_H
#define GUI_AGENT_INJECT_H

#include "gui-agent/display.h"
#include "shared/gui_decode.h"

struct inject;

/* display is borrowed. locks_only: of the modifiers only Caps Lock is brought in line. */
struct inject *inject_new(struct display *display, bool locks_only);
void inject_free(struct inject *inject); /* NULL is fine */

void inject_key(struct inject *inject, const struct gui_keypress *key);
/*
 * Positions on the screen; what lies outside is moved to its edge. state: X modifiers and buttons
 * on the desktop; a button that is not down there is released here (its release went to another
 * window, because the one it was pressed in has gone).
 */
void inject_motion(struct inject *inject, Window window, int x, int y, unsigned state);
void inject_button(
    struct inject *inject, Window window, int x, int y, unsigned button, bool pressed);
void inject_leave(struct inject *inject, Window window);
/* Puts a window on top that the pointer may be in or not. */
void inject_raise(struct inject *inject, Window window);

/* Releases every key that we hold and that is not among these. */
void inject_release_keys(struct inject *inject, const struct gui_wire_keymap_notify *kept);
/* Every key and every button. */
void inject_release_all(struct inject *inject);

/* A MappingNotify, or an event of the XKEYBOARD extension. */
void inject_on_event(struct inject *inject, XEvent *event);

#endif
