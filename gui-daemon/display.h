/*
 * display - our connection to the X server, and what is known about its screen.
 *
 * Everything is XCB: no call ends the process, an X error is an event like another (logged at
 * debug level and forgotten: the request that failed concerns one window at most), and replies are
 * awaited by callback, not waited for. Only display_open() blocks.
 * Trust:  the server is trusted. Properties that other clients put on the root window (work area,
 *         resources) are not: bounded, and nonsense is ignored.
 */
#ifndef GUI_DAEMON_DISPLAY_H
#define GUI_DAEMON_DISPLAY_H

#include "gui-daemon/damage.h"

#include <glib.h>
#include <xcb/xcb.h>

#define DISPLAY_DEPTH 24 /* of every window of ours: the format of guest pixels */

/* clang-format off */
#define DISPLAY_ATOMS(X) \
	X(UTF8_STRING) X(WM_PROTOCOLS) X(WM_DELETE_WINDOW) X(WM_STATE) X(WM_CHANGE_STATE) \
	X(_NET_WM_NAME) X(_NET_WM_ICON_NAME) X(_NET_WM_ICON) X(_NET_WM_PID) X(_NET_WM_PING) \
	X(_NET_WM_USER_TIME) X(_NET_ACTIVE_WINDOW) X(_NET_WORKAREA) X(_NET_CURRENT_DESKTOP) \
	X(_NET_WM_STATE) X(_NET_WM_STATE_FULLSCREEN) X(_NET_WM_STATE_DEMANDS_ATTENTION) \
	X(_NET_WM_STATE_MAXIMIZED_VERT) X(_NET_WM_STATE_MAXIMIZED_HORZ) X(_NET_WM_STATE_HIDDEN) \
	X(_QUBES_LABEL) X(_QUBES_LABEL_COLOR) X(_QUBES_VMNAME) X(_QUBES_VMWINDOWID)
/* clang-format on */

enum display_atom {
#define X(name) ATOM_##name,
	DISPLAY_ATOMS(X)
#undef X
	    DISPLAY_ATOM_COUNT
};

struct display {
	xcb_connection_t *connection; /* owned */
	xcb_window_t root;
	xcb_visualid_t visual; /* TrueColor, depth 24, 0x00RRGGBB */
	xcb_colormap_t colormap;
	xcb_gcontext_t gc; /* for that depth, no clip, no exposures */
	xcb_atom_t atoms[DISPLAY_ATOM_COUNT];
	struct rect screen;    /* the root window: 0, 0, width, height */
	struct rect work_area; /* never empty, inside the screen */
	xcb_window_t active;   /* whoever has the focus, by the window manager's word; 0: nobody */
	unsigned dpi;          /* 48..960 */
	bool can_share;        /* MIT-SHM takes descriptors: 1.2 or newer, and a local display */
	uint8_t xkb_event;     /* 0 when there is no keyboard extension */

	struct display_private *private;
};

/* A reply, borrowed; NULL when the request failed. */
typedef void (*display_reply_func)(void *data, const void *reply);

struct display_events {
	/* An event, borrowed. */
	void (*on_event)(void *data, const xcb_generic_event_t *event);
	/* The screen or its work area has another size now. */
	void (*on_screen_changed)(void *data);
	/* The connection is gone for good. */
	void (*on_lost)(void *data);
	void *data; /* borrowed */
};

/*
 * name as in DISPLAY; NULL takes it from there. Returns 0; -ENXIO when there is no such display, -ENOTSUP when it has no visual
 * for us.
 */
int display_open(const char *name, struct display **ret);
void display_free(struct display *display); /* NULL is fine */
/*
 * From here on events and replies are delivered on the main loop in the order in which they came,
 * a bounded batch per turn.
 */
void display_start(struct display *display, const struct display_events *events);

/* Calls back with the reply to the request of that sequence number, which must be one with a reply.
 */
void display_await(
    struct display *display, unsigned sequence, display_reply_func on_reply, void *data);
/*
 * Calls back when the server has done everything that was asked of it so far, and the events of
 * that have been delivered.
 */
void display_fence(struct display *display, display_reply_func on_reply, void *data);
/* Drops everything awaited for data: before data goes. */
void display_forget(struct display *display, const void *data);

/* 0xRRGGBB, or one of X's names. Blocks for one round trip. Returns 0 or -EINVAL. */
int display_parse_color(struct display *display, const char *text, uint32_t *ret_rgb);

/* A shape of the cursor font; made once, then kept. */
xcb_cursor_t display_cursor(struct display *display, unsigned glyph);

/*
 * Reads size, work area and active window again; display->screen, work_area and active change when
 * the replies come.
 */
void display_reload(struct display *display);
/* Takes note of events on the root window: work area, size of the screen, active window. */
void display_on_event(struct display *display, const xcb_generic_event_t *event);

/*
 * The work area out of the values of _NET_WORKAREA, 4 for each desktop: false when there is none
 * or it is nonsense. The result is clipped to the screen. Pure.
 */
bool display_parse_work_area(
    const uint32_t *values, size_t count, uint32_t desktop, struct rect screen, struct rect *ret);
/* The number behind "Xft.dpi:" in a resource string of len bytes, within 48..960; else 0. Pure. */
unsigned display_parse_dpi(const char *resources, size_t len);

#endif
