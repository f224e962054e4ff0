/*
 * window - one window of the qube: its frame on our display, and what both sides know of it.
 *
 * Geometry: of the content, in root coordinates. There is one current geometry, ours. When the
 *         desktop changes it, the agent is told (CONFIGURE) and the change is pending until the
 *         agent repeats it; until then what the agent asks for is answered with our geometry, and
 *         further changes of the desktop wait. When nothing is pending the agent's CONFIGURE is a
 *         request.
 * Flags:  override_redirect here, in the X attribute and in the window manager's eyes never differ:
 *         it changes while the window is unmapped only, nothing the agent says about a mapped
 *         window sets it, and the window gets new X windows for it: no manager ever knows one
 *         window by two natures.
 * Trust:  what the agent chose has passed the decoders; what the window manager says is checked
 *         here, at every event.
 * Source: docs/gui-protocol.md, docs/frame.md.
 */
#ifndef GUI_DAEMON_WINDOW_H
#define GUI_DAEMON_WINDOW_H

#include "gui-daemon/config.h"
#include "gui-daemon/damage.h"
#include "gui-daemon/frame.h"
#include "gui-daemon/look.h"
#include "gui-daemon/outbox.h"
#include "gui-daemon/surface.h"
#include "shared/gui_decode.h"

struct window;

/* What windows need of the program around them; all borrowed. */
struct window_context {
	struct display *display;
	const struct config *config;
	const struct look *look;
	struct outbox *outbox;
	GHashTable *by_xid; /* outer and inner X windows -> struct window; kept by window.c */
	void (*on_renewed)(void *data, struct window *window); /* it has new X windows */
	void *data;                                            /* of on_renewed */
	size_t pages;                                          /* of all surfaces */
	uint64_t override_area;    /* pixels of all mapped windows without a window manager */
	xcb_timestamp_t user_time; /* of the last key or button in any window; 0: none yet */
	bool screen_is_locked;     /* a locker is there: nothing of a qube is mapped */
	bool told_about_too_large; /* the 90 % rule was logged once */
};

struct window {
	struct window_context *context; /* borrowed from the guest */
	struct guest_window id;
	struct frame frame;
	struct rect geometry;
	bool override_redirect;
	uint64_t override_area; /* pixels: what it has of the context's; 0 unless mapped so */
	bool mapped;            /* by the agent's word */
	bool map_deferred;      /* mapped, but the screen is locked */
	bool map_seen;          /* mapped, and the X server or the window manager has done it */
	bool configure_pending;
	bool fullscreen_emulated; /* shown maximised, reported as full screen */
	struct gui_title title;   /* what the agent said last, for new X windows */
	struct gui_wmclass wmclass;
	struct gui_window_hints hints;
	struct gui_cursor cursor;
	uint32_t reported_flags;      /* GUI_FLAG_* the agent knows of */
	struct window *transient_for; /* borrowed from the guest; NULL: none */
	xcb_window_t parent;          /* the window manager's frame, or the root */
	struct rect outer;            /* of the last ConfigureNotify, position relative to parent */
	struct surface *surface;      /* owned; NULL: no pixels yet */
	struct damage damage;
	bool dirty; /* waits in the guest's queue to be painted */
};

struct window *window_new(
    struct window_context *context, struct guest_window id, const struct gui_create *create);
/* transient_for of other windows that point here is the caller's to clear first. */
void window_free(struct window *window); /* NULL is fine */

/* --- what the agent asks for -------------------------------------------------------------- */

/* Ignored when mapped. transient_for NULL: none; the caller has made sure that it makes no circle.
 */
void window_map(struct window *window, struct window *transient_for, bool override_redirect);
void window_unmap(struct window *window);
void window_configure(struct window *window, const struct gui_geometry *geometry);
void window_set_transient_for(struct window *window, struct window *transient_for);
void window_set_title(struct window *window, const struct gui_title *title);
void window_set_class(struct window *window, const struct gui_wmclass *wmclass);
void window_set_hints(struct window *window, const struct gui_window_hints *hints);
void window_set_cursor(struct window *window, const struct gui_cursor *cursor);

/* Takes over the surface (NULL: none); the one before is gone. */
void window_set_surface(struct window *window, struct surface *surface);

/* --- what happens on the desktop ---------------------------------------------------------- */

/* ConfigureNotify of the outer window; sequence is the event's. */
void window_on_configured(
    struct window *window, struct rect outer, bool synthetic, unsigned sequence);
void window_on_reparented(struct window *window, xcb_window_t parent, int32_t x, int32_t y);
/* Somebody mapped the outer window; only the agent and, for managed windows, the manager may. */
void window_on_mapped(struct window *window);
/* The screen was locked or unlocked: unmanaged windows go and wait, or what waited is mapped. */
void window_on_lock_changed(struct window *window);
/* The work area or the screen changed. */
void window_on_screen_changed(struct window *window);

#endif
