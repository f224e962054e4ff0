#include "gui-daemon/locker.h"

#include <stdlib.h>
#include <string.h>

#define CLASS_WORDS 64      /* of WM_CLASS that we read */
#define MAX_CANDIDATES 4096 /* windows being looked at; beyond that none is added */

/* A viewable override-redirect window that may be a locker. */
struct candidate {
	struct locker *locker; /* borrowed */
	xcb_window_t window;
	bool name_matches;
	bool is_locker; /* decided; what is none is no candidate any more */
};

struct locker {
	struct display *display; /* borrowed */
	const GPtrArray *names;  /* borrowed */
	locker_func on_change;
	void *data;             /* borrowed from the caller */
	GHashTable *candidates; /* xcb_window_t -> struct candidate, owned */
	unsigned count;         /* of lockers among them */
};

static void
candidate_free(gpointer data)
{
	struct candidate *candidate = data;

	display_forget(candidate->locker->display, candidate);
	g_free(candidate);
}

static void
set_count(struct locker *locker, unsigned count)
{
	bool was_locked = locker->count > 0;

	locker->count = count;
	if (was_locked != (count > 0))
		locker->on_change(locker->data, count > 0);
}

static bool
is_locker_name(const struct locker *locker, const char *instance, size_t len)
{
	for (guint i = 0; i < locker->names->len; i++) {
		const char *name = g_ptr_array_index(locker->names, i);

		if (strlen(name) == strnlen(instance, len) && strncmp(name, instance, len) == 0)
			return true;
	}
	return false;
}

static void
on_class(void *data, const void *reply)
{
	const xcb_get_property_reply_t *property = reply;
	struct candidate *candidate = data;

	candidate->name_matches =
	    property != NULL && property->format == 8 &&
	    is_locker_name(candidate->locker, xcb_get_property_value(property),
		(size_t)xcb_get_property_value_length(property));
}

/* The last of the questions: now it is decided. */
static void
on_qube_name(void *data, const void *reply)
{
	const xcb_get_property_reply_t *property = reply;
	struct candidate *candidate = data;
	struct locker *locker = candidate->locker;
	bool is_of_qube = property == NULL || property->type != XCB_ATOM_NONE;

	if (!candidate->name_matches || is_of_qube) {
		g_hash_table_remove(locker->candidates, GUINT_TO_POINTER(candidate->window));
		return;
	}
	candidate->is_locker = true;
	set_count(locker, locker->count + 1);
}

static void
locker_add(struct locker *locker, xcb_window_t window)
{
	struct display *display = locker->display;
	struct candidate *candidate;

	if (g_hash_table_size(locker->candidates) >= MAX_CANDIDATES ||
	    g_hash_table_contains(locker->candidates, GUINT_TO_POINTER(window)))
		return;
	candidate = g_new0(struct candidate, 1);
	candidate->locker = locker;
	candidate->window = window;
	g_hash_table_insert(locker->candidates, GUINT_TO_POINTER(window), candidate);
	display_await(display,
	    xcb_get_property(
		display->connection, 0, window, XCB_ATOM_WM_CLASS, XCB_ATOM_STRING, 0, CLASS_WORDS)
		.sequence,
	    on_class, candidate);
	display_await(display,
	    xcb_get_property(display->connection, 0, window, display->atoms[ATOM__QUBES_VMNAME],
		XCB_GET_PROPERTY_TYPE_ANY, 0, 1)
		.sequence,
	    on_qube_name, candidate);
}

static void
locker_remove(struct locker *locker, xcb_window_t window)
{
	struct candidate *candidate =
	    g_hash_table_lookup(locker->candidates, GUINT_TO_POINTER(window));
	bool was_locker;

	if (candidate == NULL)
		return;
	was_locker = candidate->is_locker;
	g_hash_table_remove(locker->candidates, GUINT_TO_POINTER(window));
	if (was_locker)
		set_count(locker, locker->count - 1);
}

/* Windows that were there before us. Blocks for a round trip each, once. */
static void
look_round(struct locker *locker)
{
	xcb_connection_t *c = locker->display->connection;
	xcb_query_tree_reply_t *tree =
	    xcb_query_tree_reply(c, xcb_query_tree(c, locker->display->root), NULL);

	if (tree == NULL)
		return;
	for (int i = 0; i < xcb_query_tree_children_length(tree); i++) {
		xcb_window_t window = xcb_query_tree_children(tree)[i];
		xcb_get_window_attributes_reply_t *attributes =
		    xcb_get_window_attributes_reply(c, xcb_get_window_attributes(c, window), NULL);

		if (attributes != NULL && attributes->override_redirect &&
		    attributes->map_state == XCB_MAP_STATE_VIEWABLE)
			locker_add(locker, window);
		free(attributes);
	}
	free(tree);
}

struct locker *
locker_new(struct display *display, const GPtrArray *names, locker_func on_change, void *data)
{
	struct locker *locker = g_new0(struct locker, 1);

	locker->display = display;
	locker->names = names;
	locker->on_change = on_change;
	locker->data = data;
	locker->candidates = g_hash_table_new_full(NULL, NULL, NULL, candidate_free);
	look_round(locker);
	return locker;
}

void
locker_free(struct locker *locker)
{
	if (locker == NULL)
		return;
	g_hash_table_unref(locker->candidates);
	g_free(locker);
}

void
locker_on_event(struct locker *locker, const xcb_generic_event_t *event)
{
	switch (event->response_type & 0x7f) {
	case XCB_MAP_NOTIFY: {
		const xcb_map_notify_event_t *e = (const void *)event;

		if (e->event == locker->display->root && e->override_redirect)
			locker_add(locker, e->window);
		return;
	}
	case XCB_UNMAP_NOTIFY:
		locker_remove(locker, ((const xcb_unmap_notify_event_t *)event)->window);
		return;
	case XCB_DESTROY_NOTIFY:
		locker_remove(locker, ((const xcb_destroy_notify_event_t *)event)->window);
		return;
	case XCB_REPARENT_NOTIFY:
		locker_remove(locker, ((const xcb_reparent_notify_event_t *)event)->window);
		return;
	default:
		return;
	}
}
