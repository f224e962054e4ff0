#include "qubesd/tools/session/wm_probe.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <xcb/xcb.h>

#define STEP_MS 50
#define TRIES 6 /* steps with one window */

enum atom { WM_CHECK, WM_STATE, WINDOW_TYPE, TYPE_DOCK, ATOM_COUNT };

static const char *const atom_names[ATOM_COUNT] = {
    [WM_CHECK] = "_NET_SUPPORTING_WM_CHECK",
    [WM_STATE] = "WM_STATE",
    [WINDOW_TYPE] = "_NET_WM_WINDOW_TYPE",
    [TYPE_DOCK] = "_NET_WM_WINDOW_TYPE_DOCK", /* undecorated, and never focused */
};

struct wm_probe {
	xcb_connection_t *connection; /* owned */
	const xcb_screen_t *screen;   /* borrowed from connection */
	xcb_atom_t atoms[ATOM_COUNT];
	xcb_window_t window; /* XCB_NONE: none */
	unsigned tries;      /* with this window */
	unsigned elapsed_ms;
	guint timer;
	wm_probe_done done;
	void *data; /* borrowed */
};

void
wm_probe_free(struct wm_probe *probe)
{
	if (probe == NULL)
		return;
	if (probe->timer != 0)
		g_source_remove(probe->timer);
	xcb_disconnect(probe->connection); /* the window goes with it */
	g_free(probe);
}

static void
intern_atoms(struct wm_probe *probe)
{
	xcb_intern_atom_cookie_t cookies[ATOM_COUNT];

	for (unsigned i = 0; i < ATOM_COUNT; i++)
		cookies[i] = xcb_intern_atom(
		    probe->connection, false, (uint16_t)strlen(atom_names[i]), atom_names[i]);
	for (unsigned i = 0; i < ATOM_COUNT; i++) {
		xcb_intern_atom_reply_t *reply =
		    xcb_intern_atom_reply(probe->connection, cookies[i], NULL);

		probe->atoms[i] = reply != NULL ? reply->atom : XCB_NONE;
		free(reply);
	}
}

static bool
has_property(const struct wm_probe *probe, xcb_window_t window, enum atom atom)
{
	xcb_get_property_reply_t *reply = xcb_get_property_reply(probe->connection,
	    xcb_get_property(probe->connection, false, window, probe->atoms[atom],
		XCB_GET_PROPERTY_TYPE_ANY, 0, 1),
	    NULL);
	bool has = reply != NULL && reply->type != XCB_NONE;

	free(reply);
	return has;
}

static void
map_window(struct wm_probe *probe)
{
	probe->window = xcb_generate_id(probe->connection);
	probe->tries = 0;
	xcb_create_window(probe->connection, XCB_COPY_FROM_PARENT, probe->window,
	    probe->screen->root, 0, 0, 1, 1, 0, XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT,
	    0, NULL);
	xcb_change_property(probe->connection, XCB_PROP_MODE_REPLACE, probe->window,
	    probe->atoms[WINDOW_TYPE], XCB_ATOM_ATOM, 32, 1, &probe->atoms[TYPE_DOCK]);
	xcb_map_window(probe->connection, probe->window);
	xcb_flush(probe->connection);
}

/* Is the window managed now? If not, what is next towards it is done. */
static bool
step(struct wm_probe *probe)
{
	if (!has_property(probe, probe->screen->root, WM_CHECK))
		return false;
	if (probe->window != XCB_NONE && has_property(probe, probe->window, WM_STATE))
		return true;
	if (probe->window != XCB_NONE && ++probe->tries < TRIES)
		return false;
	if (probe->window != XCB_NONE)
		xcb_destroy_window(probe->connection, probe->window);
	map_window(probe);
	return false;
}

static gboolean
on_step(gpointer data)
{
	struct wm_probe *probe = data;
	bool managed = !xcb_connection_has_error(probe->connection) && step(probe);

	probe->elapsed_ms += STEP_MS;
	if (!managed && probe->elapsed_ms < WM_PROBE_LIMIT_MS)
		return G_SOURCE_CONTINUE;
	probe->timer = 0;
	probe->done(managed, probe->data);
	wm_probe_free(probe);
	return G_SOURCE_REMOVE;
}

struct wm_probe *
wm_probe_new(wm_probe_done done, void *data)
{
	struct wm_probe *probe = g_new0(struct wm_probe, 1);

	probe->done = done;
	probe->data = data;
	probe->connection = xcb_connect(NULL, NULL);
	if (!xcb_connection_has_error(probe->connection)) {
		probe->screen = xcb_setup_roots_iterator(xcb_get_setup(probe->connection)).data;
		intern_atoms(probe);
	}
	probe->timer = g_timeout_add(STEP_MS, on_step, probe);
	return probe;
}
