/*
 * frame - the coloured border of one window, which nothing the qube sends can reach.
 *
 * The border is not drawn, by us or by anybody. An outer window has the label's colour as its
 * background; inside it, inset by the border on every side, lies the inner window, the only
 * drawable that guest pixels are ever put into. The X server fills what the inner window does not
 * cover. Four guard strips, children of the outer window above the inner one, keep to the edges by
 * window gravity: when anybody resizes the outer window the server moves them in that same request.
 *
 *	outer ........ label colour            top strip:     north-west gravity
 *	+--------------------------+           left strip:    north-west
 *	| +----------------------+ |           right strip:   north-east
 *	| | inner: guest pixels  | |           bottom strip:  south-west
 *	| +----------------------+ |           each as thick as the border, 32,767 long
 *	+--------------------------+
 *
 * Units:   pixels. A window's geometry is that of its content everywhere in this program; only
 *          this file knows that the outer window is larger.
 * Events:  keys, focus, structure, properties on the outer window; pointer and crossing on the
 *          inner one, so that a click on the border never reaches the qube.
 * Source:  docs/frame.md.
 */
#ifndef GUI_DAEMON_FRAME_H
#define GUI_DAEMON_FRAME_H

#include "gui-daemon/display.h"

struct frame_style {
	unsigned border;     /* pixels */
	uint32_t label;      /* 0xRRGGBB */
	uint32_t background; /* of the content where no pixels came yet */
};

struct frame {
	struct display *display; /* borrowed */
	unsigned border;         /* pixels; 0 only in a build without frames, for tests */
	xcb_window_t outer, inner;
	bool inner_mapped, inner_fits; /* fits: the outer window has room for it */
	struct rect inner_size;        /* 0, 0, width, height as last asked for */
	unsigned configure_request;    /* sequence of our last request to place the outer window */
};

/* Makes the windows, the outer one unmapped. content is in root coordinates, at least 1x1. */
void frame_init(struct frame *frame, struct display *display, const struct frame_style *style,
    struct rect content, bool override_redirect);
void frame_fini(struct frame *frame);

/*
 * Maps and unmaps the outer window. The inner one goes first: what a window manager's frame may keep
 * on the screen of a window that is gone is the label's colour, and no pixel of a guest.
 */
void frame_map(struct frame *frame);
void frame_unmap(struct frame *frame);

/* Asks for the outer window to be placed so that the content lies there. */
void frame_place(struct frame *frame, struct rect content);

/* The outer window has this size now, whoever chose it: the inner window follows. */
void frame_fit(struct frame *frame, uint32_t outer_width, uint32_t outer_height);

/*
 * Where the content lies in an outer window, and the outer window round a content. A content is
 * at least 1x1, also where the outer window has no room for it. Pure.
 */
struct rect frame_content_of(unsigned border, struct rect outer);
struct rect frame_outer_of(unsigned border, struct rect content);

#endif
