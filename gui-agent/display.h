/*
 * display - the agent's connection to the X server of the qube.
 *
 * Shape:  one Xlib connection; requests whose replies are not waited for go through the same
 *         connection by xcb. Xlib owns the event queue.
 * Errors: windows vanish while we look at them, so an X error is logged at debug level and nothing
 *         else. The end of the server is the end of the program: Xlib's own rule, main.c's handler.
 */
#ifndef GUI_AGENT_DISPLAY_H
#define GUI_AGENT_DISPLAY_H

#include <X11/Xlib.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <xcb/xcb.h>

enum display_atom {
	ATOM_NET_ACTIVE_WINDOW,
	ATOM_NET_CLIENT_LIST,
	ATOM_NET_SUPPORTED,
	ATOM_NET_SUPPORTING_WM_CHECK,
	ATOM_NET_WM_NAME,
	ATOM_NET_WM_STATE,
	ATOM_NET_WM_STATE_DEMANDS_ATTENTION,
	ATOM_NET_WM_STATE_FULLSCREEN,
	ATOM_NET_WM_STATE_HIDDEN,
	ATOM_QUBES_TIME,
	ATOM_UTF8_STRING,
	ATOM_WM_CHANGE_STATE,
	ATOM_WM_DELETE_WINDOW,
	ATOM_WM_PROTOCOLS,
	ATOM_WM_STATE,
	ATOM_WM_TAKE_FOCUS,
	ATOM_COUNT,
};

struct display {
	Display *x;            /* owned */
	xcb_connection_t *xcb; /* borrowed from x */
	int screen;
	Window root;
	Window own; /* our unmapped window: the check window, and where we get times from */
	Atom atoms[ATOM_COUNT];
	int damage_event, xkb_event; /* where the events of these extensions begin */
	int randr_event;
	unsigned width, height; /* of the screen, pixels */
	bool screen_is_largest; /* it could not grow when it was asked to; screen.c */
};

/*
 * Connects (name NULL: DISPLAY) and checks that the server has what we need. 0; -ECONNREFUSED;
 * -ENOTSUP, after one line in the log saying what is missing.
 */
int display_open(const char *name, struct display **ret);
void display_close(struct display *display); /* NULL is fine */

/* Who gets what comes from the server; each is called from the source below. */
struct display_handler {
	void (*on_event)(XEvent *event, void *data);
	/* Has something else than events arrived? Asked after Xlib has read what there is. */
	bool (*has_more)(void *data);
	/* After at most 64 events; what has_more() promised is fetched here. */
	void (*on_turn_end)(void *data);
};

/* The handler is borrowed for the life of the source. */
GSource *display_source_new(
    struct display *display, const struct display_handler *handler, void *data);

/* Paused, nothing is read from the server: the peer is to catch up first. */
void display_source_set_paused(GSource *source, bool paused);

#endif
