/*
 * xwatch - which windows there are in the qube: the events of its X server, as calls on windows.
 *
 * A window is a child of the root that can be drawn into. All of them are redirected off the
 * screen, so that each has pixels of its own, whatever lies over it.
 * Ids:    the protocol wants an id to rest from DESTROY until the daemon has acknowledged it, while
 *         the X server gives it out again at once. A window that takes a resting id is announced
 *         when the rest is over.
 * Limits: XWATCH_MAX_WINDOWS; windows beyond are not shown.
 */
#ifndef GUI_AGENT_XWATCH_H
#define GUI_AGENT_XWATCH_H

#include "gui-agent/focus.h"
#include "gui-agent/window.h"

#define XWATCH_MAX_WINDOWS 4096

struct xwatch;

/*
 * Begins to watch, and takes in the windows that are there. Everything is borrowed. manual: the X
 * server does not draw the windows on its own screen, which nobody sees.
 */
struct xwatch *xwatch_new(const struct window_env *env, struct focus *focus, bool manual);
void xwatch_free(struct xwatch *watch); /* NULL is fine */

/* NULL when there is none, or it is dying. */
struct window *xwatch_find(struct xwatch *watch, Window id);

void xwatch_on_event(struct xwatch *watch, const XEvent *event);
/* After some events: tells what titles and hints have become. */
void xwatch_on_turn_end(struct xwatch *watch);

/* The daemon: a new one, gone, and its answers to DESTROY and WINDOW_DUMP. */
void xwatch_replay(struct xwatch *watch);
void xwatch_forget_daemon(struct xwatch *watch);
void xwatch_destroy_acknowledged(struct xwatch *watch, Window id);
void xwatch_dump_acknowledged(struct xwatch *watch, Window id);

#endif
