/*
 * window - one window of the qube, as the daemon is told of it.
 *
 * Shape:  a child of the root window; its X id is its id in the protocol. Position and size in
 *         pixels of the qube's screen, border always 0.
 * State:  alive; then dying, from DESTROY until the daemon has acknowledged it: until then the
 *         id must not be used again and the pixels must stay.
 * Sends:  every window_saw_ function tells the daemon what has changed, if one is there.
 * Source: docs/gui-protocol.md; docs/gui-agent.md, "Windows".
 */
#ifndef GUI_AGENT_WINDOW_H
#define GUI_AGENT_WINDOW_H

#include "gui-agent/display.h"
#include "gui-agent/link.h"
#include "gui-agent/surface_export.h"
#include "shared/gui_decode.h"

/* What all windows share; borrowed by each. */
struct window_env {
	const struct display *display;
	struct link *link;
	struct surface_export *export;
};

struct window;

/* Reads its properties and announces it. */
struct window *window_new(
    const struct window_env *env, Window id, const XWindowAttributes *attributes);
void window_free(struct window *window); /* NULL is fine; gives back its pages */

Window window_id(const struct window *window);
bool window_is_dying(const struct window *window);
/* Mapped, and not one that goes past window managers. */
bool window_is_managed(const struct window *window);
void window_origin(const struct window *window, int *ret_x, int *ret_y);

/* Tells a new daemon everything. */
void window_replay(struct window *window);
/* The daemon has gone, and with it every claim on pages. */
void window_forget_daemon(struct window *window);

/* From the X server. */
void window_saw_map(struct window *window, bool override_redirect);
void window_saw_unmap(struct window *window);
void window_saw_configure(struct window *window, const XConfigureEvent *event);
/* True when window_update() has something to do now. */
bool window_saw_property(struct window *window, Atom property);
/* Reads again what a changed property says; once for any number of changes. */
void window_update(struct window *window);
void window_saw_damage(struct window *window);
/* The window has gone, or is no child of the root any more. */
void window_saw_destroy(struct window *window);
/* Its program asks for these changes of state; only a mapped window may. */
void window_ask_flags(struct window *window, uint32_t set, uint32_t unset);

/* From the daemon. */
void window_configure(struct window *window, const struct gui_geometry *geometry);
void window_map(struct window *window, bool override_redirect);
void window_close(struct window *window);
void window_set_flags(struct window *window, uint32_t set, uint32_t unset);
void window_dump_acknowledged(struct window *window);

#endif
