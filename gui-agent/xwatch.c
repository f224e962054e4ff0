#include "gui-agent/xwatch.h"

#include "gui-agent/ewmh.h"
#include "shared/log.h"

#include <X11/Xutil.h>
#include <X11/extensions/Xcomposite.h>
#include <X11/extensions/Xdamage.h>

struct xwatch {
	const struct window_env *env; /* borrowed */
	struct focus *focus;          /* borrowed */
	GHashTable *windows;          /* owned; id -> struct window *, dying ones too */
	GPtrArray *order;             /* struct window *, borrowed from windows, oldest first */
	GHashTable *waiting;          /* owned; ids that are in use again, but rest */
	GHashTable *stale; /* owned; set of struct window *, to be updated when the turn ends */
};

static const struct display *
display_of(const struct xwatch *watch)
{
	return watch->env->display;
}

/* Also a dying one. */
static struct window *
find_any(struct xwatch *watch, Window id)
{
	return g_hash_table_lookup(watch->windows, GUINT_TO_POINTER((guint)id));
}

struct window *
xwatch_find(struct xwatch *watch, Window id)
{
	struct window *window = find_any(watch, id);

	return window != NULL && !window_is_dying(window) ? window : NULL;
}

/* --- coming and going ---------------------------------------------------------------------- */

static void
update_client_list(struct xwatch *watch)
{
	g_autofree Window *ids = g_new(Window, watch->order->len + 1);
	size_t count = 0;

	for (guint i = 0; i < watch->order->len; i++) {
		struct window *window = watch->order->pdata[i];

		if (window_is_managed(window))
			ids[count++] = window_id(window);
	}
	ewmh_set_client_list(display_of(watch), ids, count);
}

static void
map(struct xwatch *watch, struct window *window, bool override_redirect)
{
	window_saw_map(window, override_redirect);
	update_client_list(watch);
}

/* Takes in one child of the root, if it is one that can be shown. */
static void
adopt(struct xwatch *watch, Window id)
{
	const struct display *display = display_of(watch);
	XWindowAttributes attributes;
	struct window *window;

	if (!XGetWindowAttributes(display->x, id, &attributes) || attributes.class != InputOutput)
		return;
	if (g_hash_table_size(watch->windows) >= XWATCH_MAX_WINDOWS) {
		log_warn("more than %d windows: one is not shown", XWATCH_MAX_WINDOWS);
		return;
	}
	window = window_new(watch->env, id, &attributes);
	g_hash_table_insert(watch->windows, GUINT_TO_POINTER((guint)id), window);
	g_ptr_array_add(watch->order, window);
	if (attributes.map_state != IsUnmapped)
		map(watch, window, attributes.override_redirect);
}

static void
appear(struct xwatch *watch, Window id)
{
	struct window *window = find_any(watch, id);

	if (window == NULL)
		adopt(watch, id);
	else if (window_is_dying(window))
		g_hash_table_add(watch->waiting, GUINT_TO_POINTER((guint)id));
}

static void
drop(struct xwatch *watch, struct window *window)
{
	Window id = window_id(window);

	g_hash_table_remove(watch->stale, window);
	g_ptr_array_remove(watch->order, window);
	g_hash_table_remove(watch->windows, GUINT_TO_POINTER((guint)id));
	if (g_hash_table_remove(watch->waiting, GUINT_TO_POINTER((guint)id)))
		adopt(watch, id);
}

static bool
daemon_acknowledges_destroy(const struct xwatch *watch)
{
	return link_is_connected(watch->env->link) &&
	       link_version(watch->env->link) >= GUI_VERSION(1, 5);
}

static void
disappear(struct xwatch *watch, Window id)
{
	struct window *window = xwatch_find(watch, id);

	g_hash_table_remove(watch->waiting, GUINT_TO_POINTER((guint)id));
	if (window == NULL)
		return;
	focus_take_away(watch->focus, id);
	window_saw_destroy(window);
	update_client_list(watch);
	if (!daemon_acknowledges_destroy(watch))
		drop(watch, window);
}

/* --- events -------------------------------------------------------------------------------- */

static void
on_create(struct xwatch *watch, const XEvent *event)
{
	appear(watch, event->xcreatewindow.window);
}

static void
on_destroy(struct xwatch *watch, const XEvent *event)
{
	disappear(watch, event->xdestroywindow.window);
}

static void
on_reparent(struct xwatch *watch, const XEvent *event)
{
	if (event->xreparent.parent == display_of(watch)->root)
		appear(watch, event->xreparent.window);
	else
		disappear(watch, event->xreparent.window);
}

static void
on_map(struct xwatch *watch, const XEvent *event)
{
	struct window *window = xwatch_find(watch, event->xmap.window);

	if (window != NULL)
		map(watch, window, event->xmap.override_redirect);
}

static void
on_unmap(struct xwatch *watch, const XEvent *event)
{
	struct window *window = xwatch_find(watch, event->xunmap.window);

	/* A sent one tells a window manager about a window that is unmapped already. */
	if (window == NULL || event->xunmap.send_event)
		return;
	focus_take_away(watch->focus, event->xunmap.window);
	window_saw_unmap(window);
	update_client_list(watch);
}

static void
on_configure(struct xwatch *watch, const XEvent *event)
{
	struct window *window = xwatch_find(watch, event->xconfigure.window);

	if (window != NULL && !event->xconfigure.send_event)
		window_saw_configure(window, &event->xconfigure);
}

static void
on_property(struct xwatch *watch, const XEvent *event)
{
	struct window *window = xwatch_find(watch, event->xproperty.window);

	if (window != NULL && window_saw_property(window, event->xproperty.atom))
		g_hash_table_add(watch->stale, window);
}

/* _NET_WM_STATE: what to do, and up to two states to do it to. */
static void
on_state_request(struct xwatch *watch, struct window *window, const XClientMessageEvent *request)
{
	const struct display *display = display_of(watch);
	uint32_t flags = ewmh_flag_of(display, (Atom)request->data.l[1]) |
			 ewmh_flag_of(display, (Atom)request->data.l[2]);
	uint32_t present;

	switch (request->data.l[0]) {
	case 0:
		window_ask_flags(window, 0, flags);
		break;
	case 1:
		window_ask_flags(window, flags, 0);
		break;
	case 2:
		present = ewmh_flags(display, window_id(window));
		window_ask_flags(window, flags & ~present, flags & present);
		break;
	}
}

static void
on_change_state_request(
    struct xwatch *watch, struct window *window, const XClientMessageEvent *request)
{
	(void)watch;
	if (request->data.l[0] == IconicState)
		window_ask_flags(window, GUI_FLAG_MINIMIZE, 0);
}

/* Whose turn it is decides the person: the desktop is asked to point at the window. */
static void
on_activate_request(struct xwatch *watch, struct window *window, const XClientMessageEvent *request)
{
	if (!focus_is_at(watch->focus, request->window))
		window_ask_flags(window, GUI_FLAG_DEMANDS_ATTENTION, 0);
}

static const struct {
	enum display_atom type;
	void (*handler)(
	    struct xwatch *watch, struct window *window, const XClientMessageEvent *request);
} requests[] = {
    {ATOM_NET_WM_STATE, on_state_request},
    {ATOM_WM_CHANGE_STATE, on_change_state_request},
    {ATOM_NET_ACTIVE_WINDOW, on_activate_request},
};

static void
on_client_message(struct xwatch *watch, const XEvent *event)
{
	struct window *window = xwatch_find(watch, event->xclient.window);

	if (window == NULL || event->xclient.format != 32)
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
		if (display_of(watch)->atoms[requests[i].type] == event->xclient.message_type)
			requests[i].handler(watch, window, &event->xclient);
	}
}

static void
on_damage(struct xwatch *watch, const XEvent *event)
{
	const XDamageNotifyEvent *damage = (const XDamageNotifyEvent *)event;
	struct window *window = xwatch_find(watch, damage->drawable);

	if (window != NULL)
		window_saw_damage(window);
}

static void (*const handlers[LASTEvent])(struct xwatch *watch, const XEvent *event) = {
    [CreateNotify] = on_create,
    [DestroyNotify] = on_destroy,
    [UnmapNotify] = on_unmap,
    [MapNotify] = on_map,
    [ReparentNotify] = on_reparent,
    [ConfigureNotify] = on_configure,
    [PropertyNotify] = on_property,
    [ClientMessage] = on_client_message,
};

void
xwatch_on_event(struct xwatch *watch, const XEvent *event)
{
	if (event->type == display_of(watch)->damage_event + XDamageNotify)
		on_damage(watch, event);
	else if (event->type < LASTEvent && handlers[event->type] != NULL)
		handlers[event->type](watch, event);
}

static gboolean
update(gpointer window, gpointer value, gpointer data)
{
	(void)value;
	(void)data;
	if (!window_is_dying(window))
		window_update(window);
	return TRUE;
}

void
xwatch_on_turn_end(struct xwatch *watch)
{
	g_hash_table_foreach_remove(watch->stale, update, NULL);
}

/* --- the daemon ---------------------------------------------------------------------------- */

void
xwatch_replay(struct xwatch *watch)
{
	for (guint i = 0; i < watch->order->len; i++)
		window_replay(watch->order->pdata[i]);
}

void
xwatch_forget_daemon(struct xwatch *watch)
{
	for (guint i = watch->order->len; i > 0; i--) {
		struct window *window = watch->order->pdata[i - 1];

		if (window_is_dying(window))
			drop(watch, window);
		else
			window_forget_daemon(window);
	}
}

void
xwatch_destroy_acknowledged(struct xwatch *watch, Window id)
{
	struct window *window = find_any(watch, id);

	if (window != NULL && window_is_dying(window))
		drop(watch, window);
}

void
xwatch_dump_acknowledged(struct xwatch *watch, Window id)
{
	struct window *window = find_any(watch, id);

	if (window != NULL)
		window_dump_acknowledged(window);
}

/* --- life ---------------------------------------------------------------------------------- */

static void
adopt_all(struct xwatch *watch)
{
	const struct display *display = display_of(watch);
	Window root, parent, *children = NULL;
	unsigned count = 0;

	XGrabServer(display->x);
	if (XQueryTree(display->x, display->root, &root, &parent, &children, &count)) {
		for (unsigned i = 0; i < count; i++)
			adopt(watch, children[i]);
	}
	XUngrabServer(display->x);
	if (children != NULL)
		XFree(children);
}

static void
free_window(gpointer window)
{
	window_free(window);
}

struct xwatch *
xwatch_new(const struct window_env *env, struct focus *focus, bool manual)
{
	struct xwatch *watch = g_new0(struct xwatch, 1);

	watch->env = env;
	watch->focus = focus;
	watch->windows = g_hash_table_new_full(NULL, NULL, NULL, free_window);
	watch->order = g_ptr_array_new();
	watch->waiting = g_hash_table_new(NULL, NULL);
	watch->stale = g_hash_table_new(NULL, NULL);
	ewmh_claim(env->display);
	XSelectInput(env->display->x, env->display->root, SubstructureNotifyMask);
	XCompositeRedirectSubwindows(env->display->x, env->display->root,
	    manual ? CompositeRedirectManual : CompositeRedirectAutomatic);
	adopt_all(watch);
	return watch;
}

void
xwatch_free(struct xwatch *watch)
{
	if (watch == NULL)
		return;
	g_hash_table_destroy(watch->stale);
	g_hash_table_destroy(watch->waiting);
	g_ptr_array_free(watch->order, TRUE);
	g_hash_table_destroy(watch->windows);
	g_free(watch);
}
