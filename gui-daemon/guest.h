/*
 * guest - one connection to the agent of a qube, and everything that lives as long as it does.
 *
 * Life:   connecting -> handshake -> running -> the stream ends -> all windows destroyed, and the
 *         next agent is waited for in this same process. An agent that breaks the protocol ends the
 *         daemon instead (on_end): whoever started it starts a new one.
 * Trust:  the agent chooses every byte and their timing. It is read in bounded batches, and not at
 *         all while it leaves its own answers unread or the X server lags behind what it asked for.
 * Limits: CONFIG_MAX_WINDOWS windows, GUEST_MAX_PAGES pages in all dumps together.
 */
#ifndef GUI_DAEMON_GUEST_H
#define GUI_DAEMON_GUEST_H

#include "gui-daemon/input.h"
#include "gui-daemon/painter.h"
#include "gui-daemon/window.h"

#define GUEST_MAX_PAGES (1u << 20) /* of 4096 bytes: all of the largest region */

struct guest {
	struct window_context context;
	uint32_t version;      /* negotiated; 0 before the handshake */
	GHashTable *windows;   /* guest_window.id -> struct window, owned */
	GHashTable *by_xid;    /* outer and inner X windows -> struct window, borrowed */
	struct outbox *outbox; /* owned, as are the next two; NULL while not running */
	struct painter *painter;
	struct input *input;

	struct guest_private *private;
};

struct guest_events {
	/* A whole message. Returns 0 or -EPROTO, -ENOSPC: the daemon ends. */
	int (*on_packet)(struct guest *guest, const struct gui_packet *packet);
	/* For the first time an agent is there. */
	void (*on_connected)(void *data);
	/* The daemon is to end: the agent broke the protocol, or there is no way to it. */
	void (*on_end)(void *data, int error);
	void *data; /* borrowed, for the two above */
};

/* Everything is borrowed. Starts to connect at once; failures are reported by on_end. */
struct guest *guest_new(struct display *display, const struct config *config,
    const struct look *look, const struct guest_events *events);
void guest_free(struct guest *guest); /* NULL is fine */

/* NULL when there is none. */
struct window *guest_find_window(const struct guest *guest, struct guest_window id);
struct window *guest_find_by_xid(const struct guest *guest, xcb_window_t xid);

/* -EPROTO when the id is taken, -ENOSPC at the limit. */
int guest_create_window(
    struct guest *guest, struct guest_window id, const struct gui_create *create);
/* Destroys the window and, as the protocol wants it, tells the agent when its pages are free. */
void guest_destroy_window(struct guest *guest, struct window *window);

/*
 * A dump replaces the one before. It is acknowledged in any case; one that cannot be used, or
 * that is too much, leaves the window without pixels.
 */
void guest_dump_window(
    struct guest *guest, struct window *window, const struct gui_window_dump *dump);
/* The screen was locked or unlocked; the work area changed. */
void guest_set_locked(struct guest *guest, bool is_locked);
void guest_on_screen_changed(struct guest *guest);

#endif
