/*
 * focus - the keyboard focus inside the qube follows the desktop's.
 *
 * A window gets the focus in the way that it asks for (ICCCM 4.1.7): set by us, taken by itself
 * after WM_TAKE_FOCUS, or both. WM_TAKE_FOCUS needs a time of the X server, which we get by
 * touching a property of our own window: the message goes out when that event comes back.
 */
#ifndef GUI_AGENT_FOCUS_H
#define GUI_AGENT_FOCUS_H

#include "gui-agent/display.h"

struct focus;

struct focus *focus_new(const struct display *display); /* display is borrowed */
void focus_free(struct focus *focus);                   /* NULL is fine */

void focus_give(struct focus *focus, Window window);
/* Nobody has it then, unless another window has got it in the meantime. */
void focus_take_away(struct focus *focus, Window window);
bool focus_is_at(const struct focus *focus, Window window);

/* A PropertyNotify of display->own. */
void focus_on_time(struct focus *focus, Time time);

#endif
