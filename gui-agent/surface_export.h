/*
 * surface_export - the pixels of the windows, brought into the memory region of the qube.
 *
 * Way:    a capture is a few requests, of which only the last has a reply: take what was damaged,
 *         copy just that from the window into a buffer's pixmap, tell what it was. When the reply
 *         is here, the copy has run: WINDOW_DUMP and SHMIMAGE follow. Nobody waits for the reply,
 *         and damage gathers in the server meanwhile.
 * Depth:  24 or 32 (the top byte means nothing); windows of another have no picture.
 * Life:   pages are given back only when the daemon has acknowledged the dump that replaced them,
 *         or the window's end; when the daemon has gone, all that it might still have looked at.
 * Limits: a picture is no larger than the protocol allows; one capture and two unacknowledged
 *         dumps a window at a time; a window is captured at most every 8 ms, the first damage
 *         after a pause at once. A full region, or on Xen no more pages to grant: a dump of fewer
 *         rows or none, made good when pages come back; tried again each second, too.
 * Source: docs/gui-agent.md, "Pixels".
 */
#ifndef GUI_AGENT_SURFACE_EXPORT_H
#define GUI_AGENT_SURFACE_EXPORT_H

#include "gui-agent/display.h"
#include "gui-agent/link.h"
#include "shared/region.h"

struct surface_export;

/*
 * Everything is borrowed, and outlives the export. region NULL: windows have no pictures.
 * 0; -ENOTSUP when the X server cannot use the region (one line in the log says why).
 */
int surface_export_new(const struct display *display, struct link *link, struct region *region,
    struct surface_export **ret);
/* After its surfaces. NULL is fine. */
void surface_export_free(struct surface_export *export);

/* At the end of each turn of the loop: begins captures. */
void surface_export_start(struct surface_export *export);
/* Has the reply of a capture arrived? Reads what Xlib has already taken from the server. */
bool surface_export_has_result(struct surface_export *export);
/* Sends what has been captured. */
void surface_export_finish(struct surface_export *export);

/* One window's pixels. */
struct surface;

struct surface *surface_new(
    struct surface_export *export, Window window, unsigned depth, unsigned width, unsigned height);
void surface_free(struct surface *surface); /* NULL is fine; gives back all pages at once */

void surface_resize(struct surface *surface, unsigned width, unsigned height);
/* A surface that is shown needs a dump; one that is not is left alone. */
void surface_show(struct surface *surface, bool shown);
void surface_damaged(struct surface *surface);

/* The daemon acknowledged the oldest dump of this window. */
void surface_acknowledged(struct surface *surface);
/* The daemon has gone: nothing is announced any more. */
void surface_forget_daemon(struct surface *surface);
/* A new daemon: sends the dump if there is a picture, and sees to a fresh one. */
void surface_replay(struct surface *surface);

#endif
