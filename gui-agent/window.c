#include "gui-agent/window.h"

#include "gui-agent/describe.h"
#include "gui-agent/ewmh.h"
#include "gui-agent/props.h"
#include "gui-agent/wm_protocols.h"

#include <X11/Xatom.h>
#include <string.h>

enum {
	STALE_TITLE = 1,
	STALE_CLASS = 2,
	STALE_HINTS = 4,
};

struct window {
	const struct window_env *env; /* borrowed */
	Window id;
	int x, y;
	unsigned width, height;
	bool override_redirect;
	bool mapped;
	bool dying;
	unsigned stale; /* STALE_: to be read again */
	struct gui_wire_wmname title;
	struct gui_wire_wmclass class;
	struct gui_wire_window_hints hints;
	struct surface *surface; /* owned */
};

static const struct display *
display_of(const struct window *window)
{
	return window->env->display;
}

/* --- to the daemon ------------------------------------------------------------------------- */

static void
send(struct window *window, enum gui_message type, const void *body, size_t len)
{
	link_send(window->env->link, type, (uint32_t)window->id, body, len);
}

static void
send_create(struct window *window)
{
	struct gui_wire_create create = {
	    .x = window->x,
	    .y = window->y,
	    .width = window->width,
	    .height = window->height,
	    .override_redirect = window->override_redirect,
	};

	send(window, GUI_CREATE, &create, sizeof(create));
}

static void
send_configure(struct window *window)
{
	struct gui_wire_configure configure = {
	    .x = window->x,
	    .y = window->y,
	    .width = window->width,
	    .height = window->height,
	    .override_redirect = window->override_redirect,
	};

	send(window, GUI_CONFIGURE, &configure, sizeof(configure));
}

static void
send_map(struct window *window)
{
	struct gui_wire_map map = {
	    .transient_for = (uint32_t)props_transient_for(display_of(window), window->id),
	    .override_redirect = window->override_redirect,
	};

	send(window, GUI_MAP, &map, sizeof(map));
}

static void
send_flags(struct window *window, uint32_t set, uint32_t unset)
{
	struct gui_wire_window_flags flags = {.set = set, .unset = unset};

	send(window, GUI_WINDOW_FLAGS, &flags, sizeof(flags));
}

static void
send_title(struct window *window)
{
	send(window, GUI_WMNAME, &window->title, sizeof(window->title));
}

static void
send_class(struct window *window)
{
	send(window, GUI_WMCLASS, &window->class, sizeof(window->class));
}

static void
send_hints(struct window *window)
{
	send(window, GUI_WINDOW_HINTS, &window->hints, sizeof(window->hints));
}

/* --- what it says of itself ---------------------------------------------------------------- */

static void
read_title(struct window *window)
{
	g_autofree char *title = props_title(display_of(window), window->id);

	describe_title(title, strlen(title), &window->title);
}

static void
read_class(struct window *window)
{
	g_autofree char *class = NULL, *name = NULL;

	props_class(display_of(window), window->id, &class, &name);
	describe_class(class, name, &window->class);
}

static void
read_hints(struct window *window)
{
	XSizeHints hints;

	props_size_hints(display_of(window), window->id, &hints);
	describe_hints(&hints, &window->hints);
}

static void
update_title(struct window *window)
{
	struct gui_wire_wmname before = window->title;

	read_title(window);
	if (memcmp(&before, &window->title, sizeof(before)) != 0)
		send_title(window);
}

static void
update_class(struct window *window)
{
	struct gui_wire_wmclass before = window->class;

	read_class(window);
	if (memcmp(&before, &window->class, sizeof(before)) != 0)
		send_class(window);
}

static void
update_hints(struct window *window)
{
	struct gui_wire_window_hints before = window->hints;

	read_hints(window);
	if (memcmp(&before, &window->hints, sizeof(before)) != 0)
		send_hints(window);
}

void
window_update(struct window *window)
{
	unsigned stale = window->stale;

	window->stale = 0;
	if (stale & STALE_TITLE)
		update_title(window);
	if (stale & STALE_CLASS)
		update_class(window);
	if (stale & STALE_HINTS)
		update_hints(window);
}

/* --- life ---------------------------------------------------------------------------------- */

struct window *
window_new(const struct window_env *env, Window id, const XWindowAttributes *attributes)
{
	struct window *window = g_new0(struct window, 1);

	window->env = env;
	window->id = id;
	window->x = attributes->x;
	window->y = attributes->y;
	window->width = (unsigned)attributes->width;
	window->height = (unsigned)attributes->height;
	window->override_redirect = attributes->override_redirect;
	XSelectInput(env->display->x, id, PropertyChangeMask);
	if (attributes->border_width != 0)
		XSetWindowBorderWidth(env->display->x, id, 0);
	window->surface = surface_new(
	    env->export, id, (unsigned)attributes->depth, window->width, window->height);
	read_title(window);
	read_class(window);
	read_hints(window);
	send_create(window);
	send_hints(window);
	send_title(window);
	send_class(window);
	return window;
}

void
window_free(struct window *window)
{
	if (window == NULL)
		return;
	surface_free(window->surface);
	g_free(window);
}

Window
window_id(const struct window *window)
{
	return window->id;
}

bool
window_is_dying(const struct window *window)
{
	return window->dying;
}

bool
window_is_managed(const struct window *window)
{
	return window->mapped && !window->override_redirect;
}

void
window_origin(const struct window *window, int *ret_x, int *ret_y)
{
	*ret_x = window->x;
	*ret_y = window->y;
}

void
window_replay(struct window *window)
{
	send_create(window);
	send_configure(window);
	surface_replay(window->surface);
	send_class(window);
	send_hints(window);
	if (!window->mapped)
		return;
	send_map(window);
	send_title(window);
	send_flags(window, ewmh_flags(display_of(window), window->id), 0);
}

void
window_forget_daemon(struct window *window)
{
	surface_forget_daemon(window->surface);
}

/* --- from the X server --------------------------------------------------------------------- */

void
window_saw_map(struct window *window, bool override_redirect)
{
	if (window->mapped)
		return;
	window_update(window); /* the daemon takes no class for a mapped window */
	window->mapped = true;
	window->override_redirect = override_redirect;
	send_flags(window, ewmh_flags(display_of(window), window->id), 0);
	send_map(window);
	send_title(window);
	if (!override_redirect)
		ewmh_set_wm_state(display_of(window), window->id, NormalState);
	surface_show(window->surface, true);
}

void
window_saw_unmap(struct window *window)
{
	if (!window->mapped)
		return;
	window->mapped = false;
	surface_show(window->surface, false);
	send(window, GUI_UNMAP, NULL, 0);
	ewmh_clear_states(display_of(window), window->id);
}

void
window_saw_configure(struct window *window, const XConfigureEvent *event)
{
	bool same = window->x == event->x && window->y == event->y &&
		    window->width == (unsigned)event->width &&
		    window->height == (unsigned)event->height;

	window->override_redirect = event->override_redirect;
	if (event->border_width != 0) /* a program's late wish: our windows have none */
		XSetWindowBorderWidth(display_of(window)->x, window->id, 0);
	if (same)
		return;
	window->x = event->x;
	window->y = event->y;
	window->width = (unsigned)event->width;
	window->height = (unsigned)event->height;
	send_configure(window);
	surface_resize(window->surface, window->width, window->height);
}

bool
window_saw_property(struct window *window, Atom property)
{
	if (property == XA_WM_NAME || property == display_of(window)->atoms[ATOM_NET_WM_NAME])
		window->stale |= STALE_TITLE;
	else if (property == XA_WM_CLASS)
		window->stale |= STALE_CLASS;
	else if (property == XA_WM_NORMAL_HINTS)
		window->stale |= STALE_HINTS;
	return window->stale != 0;
}

void
window_saw_damage(struct window *window)
{
	surface_damaged(window->surface);
}

void
window_saw_destroy(struct window *window)
{
	window->dying = true;
	window->mapped = false;
	surface_show(window->surface, false);
	send(window, GUI_DESTROY, NULL, 0);
}

void
window_ask_flags(struct window *window, uint32_t set, uint32_t unset)
{
	if (window->mapped && (set != 0 || unset != 0))
		send_flags(window, set, unset);
}

/* --- from the daemon ----------------------------------------------------------------------- */

void
window_configure(struct window *window, const struct gui_geometry *geometry)
{
	bool same = window->x == geometry->x && window->y == geometry->y &&
		    window->width == geometry->width && window->height == geometry->height;

	if (same) /* the X server would say nothing, and the daemon waits for an answer */
		send_configure(window);
	else
		XMoveResizeWindow(display_of(window)->x, window->id, geometry->x, geometry->y,
		    geometry->width, geometry->height);
}

void
window_map(struct window *window, bool override_redirect)
{
	XSetWindowAttributes attributes = {.override_redirect = override_redirect};

	if (window->mapped)
		return;
	XChangeWindowAttributes(display_of(window)->x, window->id, CWOverrideRedirect, &attributes);
	XMapWindow(display_of(window)->x, window->id);
}

/* A program that does not want to be asked loses its connection: X knows no other way. */
void
window_close(struct window *window)
{
	const struct display *display = display_of(window);

	if (wm_protocols_has(display, window->id, ATOM_WM_DELETE_WINDOW))
		wm_protocols_send(display, window->id, ATOM_WM_DELETE_WINDOW, CurrentTime);
	else
		XKillClient(display->x, window->id);
}

void
window_set_flags(struct window *window, uint32_t set, uint32_t unset)
{
	const struct display *display = display_of(window);

	ewmh_change_flags(display, window->id, set, unset);
	if ((set | unset) & GUI_FLAG_MINIMIZE && window_is_managed(window))
		ewmh_set_wm_state(
		    display, window->id, set & GUI_FLAG_MINIMIZE ? IconicState : NormalState);
}

void
window_dump_acknowledged(struct window *window)
{
	surface_acknowledged(window->surface);
}
