/*
 * look - what all windows of one qube have in common: whose they are, said in every way X knows.
 *
 * Resolved once from the configuration, before the first window. All of it comes from the trusted
 * side; nothing a qube sends changes it.
 */
#ifndef GUI_DAEMON_LOOK_H
#define GUI_DAEMON_LOOK_H

#include "gui-daemon/config.h"
#include "gui-daemon/frame.h"

struct look;

/* Blocks for a few round trips. Returns 0, or -EINVAL after it logged which colour is none. */
int look_new(struct display *display, const struct config *config, struct look **ret);
void look_free(struct look *look); /* NULL is fine */

const struct frame_style *look_frame_style(const struct look *look);

/* Puts on a new window everything that says whose it is: before it can be mapped. */
void look_apply(const struct look *look, xcb_window_t window, uint32_t guest_window_id);

#endif
