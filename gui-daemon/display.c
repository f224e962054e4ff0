#include "gui-daemon/display.h"
#include "shared/log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <xcb/shm.h>
#include <xcb/xcbext.h>
#include <xcb/xkb.h>

#define EVENTS_PER_TURN 64
#define CURSOR_GLYPHS 0x9a
#define COORDINATE_MAX (1 << 20) /* what a window manager may say without being laughed at */
#define DPI_MIN 48
#define DPI_MAX 960
#define RESOURCE_WORDS 65536 /* of RESOURCE_MANAGER that we read */
#define WORK_AREA_WORDS 256  /* of _NET_WORKAREA: 64 desktops */

struct awaited {
	unsigned sequence;
	display_reply_func on_reply;
	void *data;  /* borrowed from the caller; NULL when forgotten */
	bool done;   /* reply is what came */
	void *reply; /* owned */
};

struct display_source {
	GSource base;
	struct display *display;
	gpointer fd_tag;
};

struct display_private {
	GSource *source;                     /* owned */
	const struct display_events *events; /* borrowed; NULL before display_start() */
	xcb_generic_event_t *stash;          /* owned: the next one, if it has been read */
	GQueue awaited; /* struct awaited, owned; in the order of the requests */
	xcb_font_t cursor_font;
	xcb_cursor_t cursors[CURSOR_GLYPHS]; /* 0: not made yet */
	uint32_t desktop;
};

static const char *const atom_names[DISPLAY_ATOM_COUNT] = {
#define X(name) #name,
    DISPLAY_ATOMS(X)
#undef X
};

/* --- what is known about the screen ------------------------------------------------------- */

bool
display_parse_work_area(
    const uint32_t *values, size_t count, uint32_t desktop, struct rect screen, struct rect *ret)
{
	const uint32_t *v;
	struct rect area;

	if (desktop >= count / 4)
		return false;
	v = values + 4 * (size_t)desktop;
	for (unsigned i = 0; i < 4; i++) {
		if (v[i] > COORDINATE_MAX)
			return false;
	}
	area = rect_intersect((struct rect){(int32_t)v[0], (int32_t)v[1], v[2], v[3]}, screen);
	if (rect_is_empty(area))
		return false;
	*ret = area;
	return true;
}

unsigned
display_parse_dpi(const char *resources, size_t len)
{
	g_autofree char *text = g_strndup(resources, len);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line != NULL; line++) {
		unsigned long dpi;

		if (!g_str_has_prefix(*line, "Xft.dpi:"))
			continue;
		dpi = strtoul(*line + strlen("Xft.dpi:"), NULL, 10);
		return dpi >= DPI_MIN && dpi <= DPI_MAX ? (unsigned)dpi : 0;
	}
	return 0;
}

static const xcb_visualtype_t *
find_visual(const xcb_screen_t *screen)
{
	xcb_depth_iterator_t depth = xcb_screen_allowed_depths_iterator(screen);

	for (; depth.rem > 0; xcb_depth_next(&depth)) {
		xcb_visualtype_iterator_t visual = xcb_depth_visuals_iterator(depth.data);

		if (depth.data->depth != DISPLAY_DEPTH)
			continue;
		for (; visual.rem > 0; xcb_visualtype_next(&visual)) {
			if (visual.data->_class == XCB_VISUAL_CLASS_TRUE_COLOR &&
			    visual.data->red_mask == 0xff0000 &&
			    visual.data->green_mask == 0xff00 && visual.data->blue_mask == 0xff)
				return visual.data;
		}
	}
	return NULL;
}

static int
open_atoms(struct display *display)
{
	xcb_intern_atom_cookie_t cookies[DISPLAY_ATOM_COUNT];
	int r = 0;

	for (unsigned i = 0; i < DISPLAY_ATOM_COUNT; i++)
		cookies[i] = xcb_intern_atom(
		    display->connection, 0, (uint16_t)strlen(atom_names[i]), atom_names[i]);
	for (unsigned i = 0; i < DISPLAY_ATOM_COUNT; i++) {
		xcb_intern_atom_reply_t *reply =
		    xcb_intern_atom_reply(display->connection, cookies[i], NULL);

		if (reply == NULL) {
			r = -ENXIO;
			continue;
		}
		display->atoms[i] = reply->atom;
		free(reply);
	}
	return r;
}

static void
open_dpi(struct display *display, const xcb_screen_t *screen)
{
	xcb_get_property_reply_t *reply = xcb_get_property_reply(display->connection,
	    xcb_get_property(display->connection, 0, display->root, XCB_ATOM_RESOURCE_MANAGER,
		XCB_ATOM_STRING, 0, RESOURCE_WORDS),
	    NULL);
	unsigned dpi = 0;

	if (reply != NULL && reply->format == 8)
		dpi = display_parse_dpi(
		    xcb_get_property_value(reply), (size_t)xcb_get_property_value_length(reply));
	free(reply);
	if (dpi == 0 && screen->height_in_millimeters > 0)
		dpi = (unsigned)(screen->height_in_pixels * 254u /
				 (screen->height_in_millimeters * 10u));
	display->dpi = dpi >= DPI_MIN && dpi <= DPI_MAX ? dpi : 96;
}

static bool
is_local(const struct display *display)
{
	int domain = AF_UNSPEC;
	socklen_t len = sizeof(domain);

	return getsockopt(xcb_get_file_descriptor(display->connection), SOL_SOCKET, SO_DOMAIN,
		   &domain, &len) == 0 &&
	       domain == AF_UNIX;
}

/* Descriptors travel over a unix socket only, and only since MIT-SHM 1.2. */
static void
open_shm(struct display *display)
{
	xcb_shm_query_version_reply_t *reply;

	if (!is_local(display) ||
	    !xcb_get_extension_data(display->connection, &xcb_shm_id)->present)
		return;
	reply = xcb_shm_query_version_reply(
	    display->connection, xcb_shm_query_version(display->connection), NULL);
	if (reply == NULL)
		return;
	display->can_share =
	    reply->major_version > 1 || (reply->major_version == 1 && reply->minor_version >= 2);
	free(reply);
}

/*
 * With detectable auto-repeat a held key sends presses and no releases, so that "held since before
 * we had the focus" stays known (see input.c).
 */
static void
open_keyboard(struct display *display)
{
	const xcb_query_extension_reply_t *xkb =
	    xcb_get_extension_data(display->connection, &xcb_xkb_id);
	xcb_xkb_use_extension_reply_t *use;
	uint32_t flag = XCB_XKB_PER_CLIENT_FLAG_DETECTABLE_AUTO_REPEAT;

	if (!xkb->present)
		return;
	use = xcb_xkb_use_extension_reply(
	    display->connection, xcb_xkb_use_extension(display->connection, 1, 0), NULL);
	if (use == NULL || !use->supported) {
		free(use);
		return;
	}
	free(use);
	free(xcb_xkb_per_client_flags_reply(display->connection,
	    xcb_xkb_per_client_flags(
		display->connection, XCB_XKB_ID_USE_CORE_KBD, flag, flag, 0, 0, 0),
	    NULL));
	display->xkb_event = xkb->first_event;
}

static void
open_resources(struct display *display)
{
	xcb_connection_t *c = display->connection;
	uint32_t no_exposures = 0;
	uint32_t mask = XCB_EVENT_MASK_PROPERTY_CHANGE | XCB_EVENT_MASK_STRUCTURE_NOTIFY |
			XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY;
	xcb_pixmap_t pixmap = xcb_generate_id(c);

	display->colormap = xcb_generate_id(c);
	xcb_create_colormap(
	    c, XCB_COLORMAP_ALLOC_NONE, display->colormap, display->root, display->visual);
	xcb_create_pixmap(c, DISPLAY_DEPTH, pixmap, display->root, 1, 1);
	display->gc = xcb_generate_id(c);
	xcb_create_gc(c, display->gc, pixmap, XCB_GC_GRAPHICS_EXPOSURES, &no_exposures);
	xcb_free_pixmap(c, pixmap);
	display->private->cursor_font = xcb_generate_id(c);
	xcb_open_font(c, display->private->cursor_font, strlen("cursor"), "cursor");
	xcb_change_window_attributes(c, display->root, XCB_CW_EVENT_MASK, &mask);
}

static void
awaited_free(gpointer data)
{
	struct awaited *awaited = data;

	free(awaited->reply);
	g_free(awaited);
}

int
display_open(const char *name, struct display **ret)
{
	struct display *display;
	const xcb_screen_t *screen;
	const xcb_visualtype_t *visual;
	int number, r;

	display = g_new0(struct display, 1);
	display->private = g_new0(struct display_private, 1);
	g_queue_init(&display->private->awaited);
	display->connection = xcb_connect(name, &number);
	if (xcb_connection_has_error(display->connection)) {
		display_free(display);
		return -ENXIO;
	}
	xcb_screen_iterator_t iterator =
	    xcb_setup_roots_iterator(xcb_get_setup(display->connection));
	for (; number > 0 && iterator.rem > 1; number--)
		xcb_screen_next(&iterator);
	screen = iterator.data;
	visual = find_visual(screen);
	if (visual == NULL) {
		display_free(display);
		return -ENOTSUP;
	}
	display->root = screen->root;
	display->visual = visual->visual_id;
	display->screen = (struct rect){0, 0, screen->width_in_pixels, screen->height_in_pixels};
	display->work_area = display->screen;
	r = open_atoms(display);
	if (r < 0) {
		display_free(display);
		return r;
	}
	open_dpi(display, screen);
	open_shm(display);
	open_keyboard(display);
	open_resources(display);
	display_reload(display);
	*ret = display;
	return 0;
}

void
display_free(struct display *display)
{
	if (display == NULL)
		return;
	if (display->private->source != NULL) {
		g_source_destroy(display->private->source);
		g_source_unref(display->private->source);
	}
	g_queue_clear_full(&display->private->awaited, awaited_free);
	free(display->private->stash);
	xcb_disconnect(display->connection);
	g_free(display->private);
	g_free(display);
}

/* --- events and replies ------------------------------------------------------------------- */

/* Looks whether the oldest awaited reply has come. Reads nothing from the connection. */
static bool
reply_is_there(struct display *display)
{
	struct awaited *first = g_queue_peek_head(&display->private->awaited);
	xcb_generic_error_t *error = NULL;

	if (first == NULL)
		return false;
	if (!first->done &&
	    xcb_poll_for_reply(display->connection, first->sequence, &first->reply, &error)) {
		first->done = true;
		free(error);
	}
	return first->done;
}

/* In the order of the stream: a reply waits until the events that came before it are delivered. */
static bool
reply_is_next(struct display *display)
{
	const struct awaited *first = g_queue_peek_head(&display->private->awaited);
	const xcb_generic_event_t *event = display->private->stash;

	return reply_is_there(display) &&
	       (event == NULL || (int32_t)(event->full_sequence - first->sequence) >= 0);
}

static void
deliver_reply(struct display *display)
{
	struct awaited *first = g_queue_pop_head(&display->private->awaited);

	if (first->data != NULL)
		first->on_reply(first->data, first->reply);
	awaited_free(first);
}

static void
deliver_event(struct display *display, xcb_generic_event_t *event)
{
	if (event->response_type == 0) {
		const xcb_generic_error_t *error = (const xcb_generic_error_t *)event;

		log_debug("X error %u of request %u.%u, resource 0x%x", error->error_code,
		    error->major_code, error->minor_code, error->resource_id);
		return;
	}
	display_on_event(display, event);
	display->private->events->on_event(display->private->events->data, event);
}

/* One event or reply; false when there is none. */
static bool
deliver_next(struct display *display)
{
	struct display_private *private = display->private;
	xcb_generic_event_t *event;

	if (private->stash == NULL)
	private->stash = xcb_poll_for_event(display->connection);
	if (reply_is_next(display)) {
		deliver_reply(display);
		return true;
	}
	event = g_steal_pointer(&private->stash);
	if (event == NULL)
		return false;
	deliver_event(display, event);
	free(event);
	return true;
}

/* What xcb has already read gives no sign on the descriptor. */
static gboolean
display_source_prepare(GSource *source, gint *timeout_ms)
{
	struct display *display = ((struct display_source *)source)->display;
	bool reply;

	*timeout_ms = -1;
	xcb_flush(display->connection);
	reply = reply_is_there(display);
	if (display->private->stash == NULL)
		display->private->stash = xcb_poll_for_queued_event(display->connection);
	return reply || display->private->stash != NULL ||
	       xcb_connection_has_error(display->connection);
}

static gboolean
display_source_check(GSource *source)
{
	struct display_source *self = (struct display_source *)source;

	return self->display->private->stash != NULL ||
	       g_source_query_unix_fd(source, self->fd_tag) != 0;
}

static gboolean
display_source_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	struct display *display = ((struct display_source *)source)->display;

	(void)callback;
	(void)data;
	for (unsigned budget = EVENTS_PER_TURN; budget > 0 && deliver_next(display); budget--)
		;
	if (xcb_connection_has_error(display->connection)) {
		display->private->events->on_lost(display->private->events->data);
		return G_SOURCE_REMOVE;
	}
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs display_source_funcs = {
    .prepare = display_source_prepare,
    .check = display_source_check,
    .dispatch = display_source_dispatch,
};

void
display_start(struct display *display, const struct display_events *events)
{
	GSource *source = g_source_new(&display_source_funcs, sizeof(struct display_source));
	struct display_source *self = (struct display_source *)source;

	self->display = display;
	self->fd_tag = g_source_add_unix_fd(
	    source, xcb_get_file_descriptor(display->connection), G_IO_IN | G_IO_HUP | G_IO_ERR);
	display->private->events = events;
	display->private->source = source;
	g_source_attach(source, NULL);
}

void
display_await(struct display *display, unsigned sequence, display_reply_func on_reply, void *data)
{
	struct awaited *awaited = g_new0(struct awaited, 1);

	awaited->sequence = sequence;
	awaited->on_reply = on_reply;
	awaited->data = data;
	g_queue_push_tail(&display->private->awaited, awaited);
}

void
display_fence(struct display *display, display_reply_func on_reply, void *data)
{
	display_await(display, xcb_get_input_focus(display->connection).sequence, on_reply, data);
}

void
display_forget(struct display *display, const void *data)
{
	for (GList *l = display->private->awaited.head; l != NULL; l = l->next) {
		struct awaited *awaited = l->data;

		if (awaited->data == data)
			awaited->data = NULL;
	}
}

/* --- the root window ---------------------------------------------------------------------- */

static void
tell_screen_changed(struct display *display)
{
	const struct display_events *events = display->private->events;

	if (events != NULL)
		events->on_screen_changed(events->data);
}

static void
on_work_area(void *data, const void *reply)
{
	const xcb_get_property_reply_t *property = reply;
	struct display *display = data;

	if (property == NULL || property->format != 32)
		return;
	if (display_parse_work_area(xcb_get_property_value(property),
		(size_t)xcb_get_property_value_length(property) / 4, display->private->desktop,
		display->screen, &display->work_area))
		tell_screen_changed(display);
}

static void
on_current_desktop(void *data, const void *reply)
{
	const xcb_get_property_reply_t *property = reply;
	struct display *display = data;
	xcb_get_property_cookie_t cookie;

	display->private->desktop = 0;
	if (property != NULL && property->format == 32 &&
	    xcb_get_property_value_length(property) == 4)
		display->private->desktop = *(const uint32_t *)xcb_get_property_value(property);
	cookie = xcb_get_property(display->connection, 0, display->root,
	    display->atoms[ATOM__NET_WORKAREA], XCB_ATOM_CARDINAL, 0, WORK_AREA_WORDS);
	display_await(display, cookie.sequence, on_work_area, display);
}

static void
reload_work_area(struct display *display)
{
	xcb_get_property_cookie_t cookie = xcb_get_property(display->connection, 0, display->root,
	    display->atoms[ATOM__NET_CURRENT_DESKTOP], XCB_ATOM_CARDINAL, 0, 1);

	display_await(display, cookie.sequence, on_current_desktop, display);
}

static void
on_active_window(void *data, const void *reply)
{
	const xcb_get_property_reply_t *property = reply;
	struct display *display = data;
	bool told = property != NULL && property->format == 32 &&
		    xcb_get_property_value_length(property) == sizeof(uint32_t);

	display->active =
	    told ? *(const uint32_t *)xcb_get_property_value(property) : (xcb_window_t)XCB_NONE;
}

static void
reload_active_window(struct display *display)
{
	xcb_get_property_cookie_t cookie = xcb_get_property(display->connection, 0, display->root,
	    display->atoms[ATOM__NET_ACTIVE_WINDOW], XCB_ATOM_WINDOW, 0, 1);

	display_await(display, cookie.sequence, on_active_window, display);
}

static void
set_screen_size(struct display *display, uint16_t width, uint16_t height)
{
	display->screen.width = width;
	display->screen.height = height;
	/* Whoever manages the work area will say so; until then no part of it is off the screen. */
	display->work_area = rect_intersect(display->work_area, display->screen);
	if (rect_is_empty(display->work_area))
		display->work_area = display->screen;
	tell_screen_changed(display);
}

static void
on_root_geometry(void *data, const void *reply)
{
	const xcb_get_geometry_reply_t *geometry = reply;

	if (geometry != NULL)
		set_screen_size(data, geometry->width, geometry->height);
}

void
display_reload(struct display *display)
{
	xcb_get_geometry_cookie_t cookie = xcb_get_geometry(display->connection, display->root);

	display_await(display, cookie.sequence, on_root_geometry, display);
	reload_work_area(display);
	reload_active_window(display);
}

void
display_on_event(struct display *display, const xcb_generic_event_t *event)
{
	switch (event->response_type & 0x7f) {
	case XCB_CONFIGURE_NOTIFY: {
		const xcb_configure_notify_event_t *e = (const void *)event;

		if (e->window != display->root)
			return;
		/* Without a window manager the new screen is all work area. */
		if (display->work_area.width == display->screen.width &&
		    display->work_area.height == display->screen.height)
			display->work_area = (struct rect){0, 0, e->width, e->height};
		set_screen_size(display, e->width, e->height);
		reload_work_area(display);
		return;
	}
	case XCB_PROPERTY_NOTIFY: {
		const xcb_property_notify_event_t *e = (const void *)event;

		if (e->window == display->root &&
		    (e->atom == display->atoms[ATOM__NET_WORKAREA] ||
			e->atom == display->atoms[ATOM__NET_CURRENT_DESKTOP]))
			reload_work_area(display);
		else if (e->window == display->root &&
			 e->atom == display->atoms[ATOM__NET_ACTIVE_WINDOW])
			reload_active_window(display);
		return;
	}
	default:
		return;
	}
}

/* --- colours and cursors ------------------------------------------------------------------ */

int
display_parse_color(struct display *display, const char *text, uint32_t *ret_rgb)
{
	xcb_lookup_color_reply_t *reply;

	text += strspn(text, " \t");
	if (g_str_has_prefix(text, "0x")) {
		char *end;
		unsigned long rgb = strtoul(text, &end, 16);

		if (*end != '\0' || end == text + 2 || rgb > 0xffffff)
			return -EINVAL;
		*ret_rgb = (uint32_t)rgb;
		return 0;
	}
	reply = xcb_lookup_color_reply(display->connection,
	    xcb_lookup_color(display->connection, display->colormap, (uint16_t)strlen(text), text),
	    NULL);
	if (reply == NULL)
		return -EINVAL;
	*ret_rgb = (uint32_t)(reply->exact_red >> 8) << 16 |
		   (uint32_t)(reply->exact_green >> 8) << 8 | reply->exact_blue >> 8;
	free(reply);
	return 0;
}

xcb_cursor_t
display_cursor(struct display *display, unsigned glyph)
{
	xcb_cursor_t *cursor = &display->private->cursors[glyph];

	assert(glyph < CURSOR_GLYPHS - 1);
	if (*cursor == 0) {
		*cursor = xcb_generate_id(display->connection);
		xcb_create_glyph_cursor(display->connection, *cursor, display->private->cursor_font,
		    display->private->cursor_font, (uint16_t)glyph, (uint16_t)(glyph + 1), 0, 0, 0,
		    0xffff, 0xffff, 0xffff);
	}
	return *cursor;
}
