/*
 * screen - the size of the qube's screen follows the desktop's.
 *
 * Windows have the same coordinates on both sides, so both screens must be of one size, or clicks
 * land beside what the person sees. By RANDR, as far as the X server goes: Xvfb never grows beyond
 * the size that it was started with.
 */
#ifndef GUI_AGENT_SCREEN_H
#define GUI_AGENT_SCREEN_H

#include "gui-agent/display.h"

/*
 * Makes the screen width * height pixels large, or as near to it as the server can. Some round
 * trips. 0; -ENOTSUP when it cannot be changed at all; display->width and height tell the outcome.
 */
int screen_fit(struct display *display, unsigned width, unsigned height);

/* Clamps a position to the screen, after growing it when it can grow so far. */
void screen_reach(struct display *display, int *x, int *y);

/* An event of the RANDR extension: somebody else changed the size. */
void screen_on_event(struct display *display, XEvent *event);

#endif
