#include "gui-daemon/window.h"
#include "gui-daemon/placement.h"
#include "gui-daemon/properties.h"
#include "shared/log.h"

#include <string.h>

static bool
rect_equal(struct rect a, struct rect b)
{
	return a.x == b.x && a.y == b.y && a.width == b.width && a.height == b.height;
}

static struct rect
rect_of(const struct gui_geometry *geometry)
{
	return (struct rect){geometry->x, geometry->y, geometry->width, geometry->height};
}

/* --- telling the agent -------------------------------------------------------------------- */

static void
send_geometry(struct window *window)
{
	struct gui_wire_configure wire = {
	    .x = window->geometry.x,
	    .y = window->geometry.y,
	    .width = window->geometry.width,
	    .height = window->geometry.height,
	    .override_redirect = window->override_redirect,
	};

	outbox_send(
	    window->context->outbox, OUTBOX_MUST, GUI_CONFIGURE, window->id, &wire, sizeof(wire));
}

/* Window 0 is the guest's whole screen: an agent does not answer for it. */
static void
tell_geometry(struct window *window)
{
	if (window->configure_pending)
		return;
	send_geometry(window);
	window->configure_pending = window->id.id != 0;
}

static void
tell_mapped(struct window *window)
{
	struct gui_wire_map wire = {.override_redirect = window->override_redirect};

	if (window->transient_for != NULL)
		wire.transient_for = window->transient_for->id.id;
	outbox_send(window->context->outbox, OUTBOX_MAY, GUI_MAP, window->id, &wire, sizeof(wire));
}

/* --- override-redirect -------------------------------------------------------------------- */

/* Whether a window may escape the window manager; asked for or, while mapped, as it is. */
static bool
override_is_allowed(const struct window *window, bool requested, struct rect geometry)
{
	struct window_context *context = window->context;

	if (!requested || !context->config->allow_override_redirect)
		return false;
	if (!context->config->protect_override_redirect ||
	    !placement_is_too_large(geometry, context->override_area - window->override_area,
		context->display->work_area))
		return true;
	if (!context->told_about_too_large)
		log_warn("very large windows without a window manager were asked for and refused "
			 "(override_redirect_protection)");
	context->told_about_too_large = true;
	return false;
}

/* All of them together may not cover more than one may: many small ones are a large one. */
static void
count_area(struct window *window)
{
	bool counts = window->mapped && window->override_redirect;
	uint64_t area = counts ? (uint64_t)window->geometry.width * window->geometry.height : 0;

	window->context->override_area += area - window->override_area;
	window->override_area = area;
}

/* Where the window may lie; managed windows are the window manager's business. */
static struct rect
permitted_geometry(const struct window *window, struct rect wanted)
{
	const struct display *display = window->context->display;

	if (!window->override_redirect)
		return wanted;
	return placement_force_on_screen(
	    wanted, window->frame.border, display->screen, display->work_area);
}

/* --- life --------------------------------------------------------------------------------- */

/* Makes the X windows, and puts on them everything that is known. */
static void
make_frame(struct window *window)
{
	struct window_context *context = window->context;

	frame_init(&window->frame, context->display, look_frame_style(context->look),
	    window->geometry, window->override_redirect);
	window->outer = frame_outer_of(window->frame.border, window->geometry);
	window->parent = context->display->root;
	window->map_seen = false;
	look_apply(context->look, window->frame.outer, window->id.id);
	properties_set_title(window, window->title.untrusted_text);
	properties_set_hints(window, &window->hints);
	g_hash_table_insert(context->by_xid, GUINT_TO_POINTER(window->frame.outer), window);
	g_hash_table_insert(context->by_xid, GUINT_TO_POINTER(window->frame.inner), window);
}

static void
destroy_frame(struct window *window)
{
	struct window_context *context = window->context;

	display_forget(context->display, window);
	g_hash_table_remove(context->by_xid, GUINT_TO_POINTER(window->frame.outer));
	g_hash_table_remove(context->by_xid, GUINT_TO_POINTER(window->frame.inner));
	frame_fini(&window->frame);
}

/* New X windows for an unmapped window. */
static void
renew_frame(struct window *window)
{
	destroy_frame(window);
	make_frame(window);
	if (window->wmclass.untrusted_class[0] != '\0')
		properties_set_class(window, &window->wmclass);
	properties_set_transient_for(window);
	window_set_cursor(window, &window->cursor);
	window->context->on_renewed(window->context->data, window);
}

/*
 * The one place where the flag changes; the outer window is unmapped now. Requests about the old one
 * may still wait at a window manager, which would carry them out on whatever it is by then.
 */
static void
set_override_redirect(struct window *window, bool value)
{
	if (window->override_redirect == value)
		return;
	window->override_redirect = value;
	count_area(window);
	renew_frame(window);
}

struct window *
window_new(struct window_context *context, struct guest_window id, const struct gui_create *create)
{
	struct window *window = g_new0(struct window, 1);

	window->context = context;
	window->id = id;
	window->cursor.is_default = true;
	window->override_redirect =
	    override_is_allowed(window, create->override_redirect, rect_of(&create->geometry));
	window->frame.border = look_frame_style(context->look)->border;
	window->geometry = permitted_geometry(window, rect_of(&create->geometry));
	make_frame(window);
	if (!rect_equal(window->geometry, rect_of(&create->geometry)))
		tell_geometry(window);
	return window;
}

void
window_free(struct window *window)
{
	if (window == NULL)
		return;
	window->mapped = false;
	count_area(window);
	destroy_frame(window);
	window_set_surface(window, NULL);
	g_free(window);
}

/* --- where it is --------------------------------------------------------------------------- */

/* The content lies there now, in root coordinates, by whoever's will. */
static void
accept_geometry(struct window *window, struct rect content)
{
	struct rect permitted = permitted_geometry(window, content);

	if (!rect_equal(permitted, content))
		frame_place(&window->frame, permitted);
	if (rect_equal(permitted, window->geometry))
		return;
	window->geometry = permitted;
	count_area(window);
	tell_geometry(window);
}

static void
on_translated(void *data, const void *reply)
{
	const xcb_translate_coordinates_reply_t *origin = reply;
	struct window *window = data;
	struct rect outer = window->outer;

	if (origin == NULL)
		return;
	outer.x = origin->dst_x;
	outer.y = origin->dst_y;
	accept_geometry(window, frame_content_of(window->frame.border, outer));
}

/* Asks where the outer window lies, and takes that for its place. */
static void
look_where_it_lies(struct window *window)
{
	struct display *display = window->context->display;

	display_await(display,
	    xcb_translate_coordinates(display->connection, window->frame.outer, display->root, 0, 0)
		.sequence,
	    on_translated, window);
}

/* --- mapping ------------------------------------------------------------------------------ */

/*
 * What a window manager is to take for the person's last use of a window that appears: with 0 it never
 * gets the focus. So it takes it from nobody but another window of the same qube.
 */
static xcb_timestamp_t
user_time(const struct window_context *context)
{
	xcb_window_t active = context->display->active;

	if (active != XCB_NONE &&
	    g_hash_table_lookup(context->by_xid, GUINT_TO_POINTER(active)) == NULL)
		return 0;
	return MAX(context->user_time, 1);
}

static void
show(struct window *window)
{
	xcb_connection_t *c = window->context->display->connection;
	uint32_t above[] = {XCB_STACK_MODE_ABOVE};

	if (window->context->config->invisible)
		return;
	window->map_deferred = window->context->screen_is_locked;
	if (window->map_deferred)
		return;
	if (window->override_redirect)
		xcb_configure_window(c, window->frame.outer, XCB_CONFIG_WINDOW_STACK_MODE, above);
	else
		properties_set_user_time(window, user_time(window->context));
	frame_map(&window->frame);
}

/* Unmaps so that a window manager lets go of the window (ICCCM 4.1.4). */
static void
hide(struct window *window)
{
	const struct display *display = window->context->display;
	xcb_unmap_notify_event_t event = {
	    .response_type = XCB_UNMAP_NOTIFY,
	    .event = display->root,
	    .window = window->frame.outer,
	};

	window->map_deferred = window->map_seen = false;
	frame_unmap(&window->frame);
	if (!window->override_redirect)
		xcb_send_event(display->connection, false, display->root,
		    XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY | XCB_EVENT_MASK_SUBSTRUCTURE_REDIRECT,
		    (const char *)&event);
}

static void
place(struct window *window, struct rect geometry)
{
	window->geometry = geometry;
	count_area(window);
	frame_place(&window->frame, geometry);
}

void
window_map(struct window *window, struct window *transient_for, bool override_redirect)
{
	struct rect geometry;

	if (window->mapped)
		return;
	window_set_transient_for(window, transient_for);
	set_override_redirect(
	    window, override_is_allowed(window, override_redirect, window->geometry));
	geometry = permitted_geometry(window, window->geometry);
	if (!rect_equal(geometry, window->geometry)) {
		place(window, geometry);
		tell_geometry(window);
	}
	window->mapped = true;
	count_area(window);
	show(window);
}

void
window_unmap(struct window *window)
{
	if (!window->mapped)
		return;
	window->mapped = false;
	count_area(window);
	damage_clear(&window->damage);
	hide(window);
	if (window->id.id != 0) /* its buffer serves other windows too */
		window_set_surface(window, NULL);
}

void
window_on_lock_changed(struct window *window)
{
	if (!window->context->screen_is_locked) {
		if (window->map_deferred)
			show(window);
		return;
	}
	/* It may have come above the locker before that was known for one. */
	if (window->mapped && window->override_redirect) {
		frame_unmap(&window->frame);
		window->map_deferred = true;
	}
}

static void
on_attributes(void *data, const void *reply)
{
	const xcb_get_window_attributes_reply_t *attributes = reply;
	struct window *window = data;

	if (attributes == NULL || window->mapped)
		return;
	if (attributes->map_state == XCB_MAP_STATE_UNMAPPED)
		return;
	if (window->override_redirect || attributes->map_state != XCB_MAP_STATE_VIEWABLE) {
		hide(window);
		return;
	}
	window->mapped = window->map_seen = true;
	tell_mapped(window);
	tell_geometry(window);
}

void
window_on_mapped(struct window *window)
{
	struct display *display = window->context->display;

	if (window->mapped && !window->map_deferred) {
		if (!window->map_seen) {
			window->map_seen = true;
			look_where_it_lies(window);
		}
		return;
	}
	if (window->map_deferred || window->context->config->invisible) {
		frame_unmap(&window->frame);
		return;
	}
	display_await(display,
	    xcb_get_window_attributes(display->connection, window->frame.outer).sequence,
	    on_attributes, window);
}

/* --- geometry ----------------------------------------------------------------------------- */

void
window_configure(struct window *window, const struct gui_geometry *geometry)
{
	struct rect wanted = rect_of(geometry);
	bool adopt;

	if (rect_equal(wanted, window->geometry)) {
		window->configure_pending = false;
		return;
	}
	if (window->configure_pending) {
		send_geometry(window);
		return;
	}
	/* A window that outgrew its freedom: the window manager gets to adopt it. */
	adopt = window->override_redirect && !override_is_allowed(window, true, wanted);
	if (adopt) {
		if (window->mapped)
			hide(window);
		set_override_redirect(window, false);
	}
	place(window, permitted_geometry(window, wanted));
	if (!rect_equal(window->geometry, wanted))
		tell_geometry(window);
	if (adopt && window->mapped)
		show(window);
}

/*
 * Whether an event tells of somebody else's will. One from before our own last request describes what
 * is no longer so. A manager answers a request with an event of its own (ICCCM 4.1.5), but late, and
 * then nothing tells the answers to two requests apart: until it has mapped the window, which is when
 * it is asked for its place, all that comes are such answers.
 */
static bool
has_a_say(const struct window *window, unsigned sequence)
{
	if (!window->override_redirect && !window->map_seen)
		return false;
	return (int32_t)(sequence - window->frame.configure_request) >= 0;
}

void
window_on_configured(struct window *window, struct rect outer, bool synthetic, unsigned sequence)
{
	if (!synthetic) {
		window->outer = outer;
		frame_fit(&window->frame, outer.width, outer.height);
	}
	if (!has_a_say(window, sequence))
		return;
	if (synthetic || window->parent == window->context->display->root) {
		outer.width = window->outer.width;
		outer.height = window->outer.height;
		accept_geometry(window, frame_content_of(window->frame.border, outer));
		return;
	}
	look_where_it_lies(window);
}

/* A manager that lets go of a window may put it anywhere, and no ConfigureNotify tells where. */
void
window_on_reparented(struct window *window, xcb_window_t parent, int32_t x, int32_t y)
{
	window->parent = parent;
	window->outer.x = x;
	window->outer.y = y;
	if (parent == window->context->display->root && window->override_redirect)
		accept_geometry(window, frame_content_of(window->frame.border, window->outer));
}

void
window_on_screen_changed(struct window *window)
{
	struct rect permitted = permitted_geometry(window, window->geometry);

	if (!window->mapped || rect_equal(permitted, window->geometry))
		return;
	place(window, permitted);
	tell_geometry(window);
}

/* --- the rest ----------------------------------------------------------------------------- */

void
window_set_transient_for(struct window *window, struct window *transient_for)
{
	window->transient_for = transient_for;
	properties_set_transient_for(window);
}

void
window_set_title(struct window *window, const struct gui_title *title)
{
	window->title = *title;
	properties_set_title(window, title->untrusted_text);
}

/* Only before the first map, as window managers read it then and never again. */
void
window_set_class(struct window *window, const struct gui_wmclass *wmclass)
{
	if (window->mapped)
		return;
	window->wmclass = *wmclass;
	properties_set_class(window, wmclass);
}

void
window_set_hints(struct window *window, const struct gui_window_hints *hints)
{
	window->hints = *hints;
	properties_set_hints(window, hints);
}

void
window_set_cursor(struct window *window, const struct gui_cursor *cursor)
{
	struct display *display = window->context->display;
	uint32_t values[] = {cursor->is_default ? 0 : display_cursor(display, cursor->glyph)};

	window->cursor = *cursor;
	xcb_change_window_attributes(
	    display->connection, window->frame.inner, XCB_CW_CURSOR, values);
}

void
window_set_surface(struct window *window, struct surface *surface)
{
	if (window->surface != NULL)
		window->context->pages -= surface_pages(window->surface);
	surface_free(window->surface);
	window->surface = surface;
	if (surface != NULL)
		window->context->pages += surface_pages(surface);
}
