#include "qubesd/tools/session/display.h"

#include <errno.h>
#include <glib-unix.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xcb/xcb.h>
#include <xcb/xcbext.h>

#define RULES_NAMES "_XKB_RULES_NAMES"
#define RULES_MAX_BYTES 4096

struct display {
	xcb_connection_t *xcb; /* owned */
	xcb_window_t root;
	xcb_atom_t rules_names;
	guint source;
	unsigned asked; /* sequence number of a GetProperty in flight; 0: none */
	display_layout_func on_layout;
	display_lost_func on_lost;
	void *data; /* borrowed */
};

static void
ask_layout(struct display *display)
{
	if (display->asked != 0)
		xcb_discard_reply(display->xcb, display->asked);
	display->asked = xcb_get_property(display->xcb, 0, display->root, display->rules_names,
	    XCB_ATOM_STRING, 0, RULES_MAX_BYTES / 4)
			     .sequence;
	xcb_flush(display->xcb);
}

/* Takes the reply if it has come. */
static void
take_layout(struct display *display)
{
	xcb_get_property_reply_t *reply = NULL;
	xcb_generic_error_t *error = NULL;
	g_autofree char *layout = NULL;

	if (display->asked == 0 ||
	    xcb_poll_for_reply(display->xcb, display->asked, (void **)&reply, &error) == 0)
		return;
	display->asked = 0;
	if (reply != NULL && reply->format == 8)
		layout = display_layout_text(
		    xcb_get_property_value(reply), (size_t)xcb_get_property_value_length(reply));
	free(reply);
	free(error);
	if (layout != NULL)
		display->on_layout(layout, display->data);
}

static gboolean
on_readable(gint fd, GIOCondition condition, gpointer data)
{
	struct display *display = data;
	xcb_generic_event_t *event;
	bool changed = false;

	(void)fd;
	(void)condition;
	while ((event = xcb_poll_for_event(display->xcb)) != NULL) {
		const xcb_property_notify_event_t *notify = (const void *)event;

		changed |= (event->response_type & 0x7f) == XCB_PROPERTY_NOTIFY &&
			   notify->atom == display->rules_names;
		free(event);
	}
	take_layout(display);
	if (changed)
		ask_layout(display);
	if (xcb_connection_has_error(display->xcb) == 0)
		return G_SOURCE_CONTINUE;
	display->source = 0;
	display->on_lost(display->data);
	return G_SOURCE_REMOVE;
}

/* Once, before the loop runs, a round trip is waited for. */
static xcb_atom_t
intern(xcb_connection_t *xcb, const char *name)
{
	xcb_intern_atom_reply_t *reply =
	    xcb_intern_atom_reply(xcb, xcb_intern_atom(xcb, 0, (uint16_t)strlen(name), name), NULL);
	xcb_atom_t atom = reply != NULL ? reply->atom : XCB_ATOM_NONE;

	free(reply);
	return atom;
}

int
display_new(
    display_layout_func on_layout, display_lost_func on_lost, void *data, struct display **ret)
{
	const uint32_t mask = XCB_EVENT_MASK_PROPERTY_CHANGE;
	xcb_connection_t *xcb = xcb_connect(NULL, NULL);
	struct display *display;

	if (xcb_connection_has_error(xcb) != 0) {
		xcb_disconnect(xcb);
		return -ENOTCONN;
	}
	display = g_new0(struct display, 1);
	display->xcb = xcb;
	display->root = xcb_setup_roots_iterator(xcb_get_setup(xcb)).data->root;
	display->rules_names = intern(xcb, RULES_NAMES);
	display->on_layout = on_layout;
	display->on_lost = on_lost;
	display->data = data;
	xcb_change_window_attributes(xcb, display->root, XCB_CW_EVENT_MASK, &mask);
	display->source = g_unix_fd_add(
	    xcb_get_file_descriptor(xcb), G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, display);
	ask_layout(display);
	*ret = display;
	return 0;
}

void
display_free(struct display *display)
{
	if (display == NULL)
		return;
	if (display->source != 0)
		g_source_remove(display->source);
	xcb_disconnect(display->xcb);
	g_free(display);
}
