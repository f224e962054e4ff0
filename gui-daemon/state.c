#include "gui-daemon/state.h"

#define MAX_STATES 32 /* atoms of _NET_WM_STATE that we read */
#define ICONIC_STATE 3
#define SOURCE_APPLICATION 1

enum state_action {
	STATE_REMOVE = 0,
	STATE_ADD = 1,
};

/* --- from the agent ----------------------------------------------------------------------- */

static void
send_to_root(struct window *window, xcb_atom_t type, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	const struct display *display = window->context->display;
	xcb_client_message_event_t event = {
	    .response_type = XCB_CLIENT_MESSAGE,
	    .format = 32,
	    .window = window->frame.outer,
	    .type = type,
	    .data.data32 = {a, b, c, d},
	};

	xcb_send_event(display->connection, false, display->root,
	    XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY | XCB_EVENT_MASK_SUBSTRUCTURE_REDIRECT,
	    (const char *)&event);
}

static void
ask_manager(struct window *window, enum state_action action, enum display_atom first,
    enum display_atom second)
{
	const xcb_atom_t *atoms = window->context->display->atoms;

	send_to_root(window, atoms[ATOM__NET_WM_STATE], action, atoms[first],
	    second == DISPLAY_ATOM_COUNT ? 0 : atoms[second], SOURCE_APPLICATION);
}

static void
ask_for_maximized(struct window *window, enum state_action action)
{
	ask_manager(
	    window, action, ATOM__NET_WM_STATE_MAXIMIZED_VERT, ATOM__NET_WM_STATE_MAXIMIZED_HORZ);
}

static void
enter_fullscreen(struct window *window)
{
	if (window->context->config->allow_fullscreen) {
		ask_manager(window, STATE_ADD, ATOM__NET_WM_STATE_FULLSCREEN, DISPLAY_ATOM_COUNT);
		return;
	}
	window->fullscreen_emulated = true;
	ask_for_maximized(window, STATE_ADD);
}

static void
leave_fullscreen(struct window *window)
{
	if (window->fullscreen_emulated) {
		window->fullscreen_emulated = false;
		ask_for_maximized(window, STATE_REMOVE);
		return;
	}
	ask_manager(window, STATE_REMOVE, ATOM__NET_WM_STATE_FULLSCREEN, DISPLAY_ATOM_COUNT);
}

static void
request_mapped(struct window *window, const struct gui_window_flags *flags)
{
	const xcb_atom_t *atoms = window->context->display->atoms;

	if (flags->set & GUI_FLAG_MINIMIZE)
		send_to_root(window, atoms[ATOM_WM_CHANGE_STATE], ICONIC_STATE, 0, 0, 0);
	else if (flags->set & GUI_FLAG_FULLSCREEN)
		enter_fullscreen(window);
	else if (flags->unset & GUI_FLAG_FULLSCREEN)
		leave_fullscreen(window);
	if (flags->set & GUI_FLAG_DEMANDS_ATTENTION)
		ask_manager(
		    window, STATE_ADD, ATOM__NET_WM_STATE_DEMANDS_ATTENTION, DISPLAY_ATOM_COUNT);
}

/* Before it is mapped a window's state is a property that the manager will read. */
static void
request_unmapped(struct window *window, const struct gui_window_flags *flags)
{
	const struct display *display = window->context->display;
	xcb_atom_t states[3];
	uint32_t count = 0;

	window->fullscreen_emulated = false;
	if (flags->set & GUI_FLAG_FULLSCREEN) {
		if (window->context->config->allow_fullscreen) {
			states[count++] = display->atoms[ATOM__NET_WM_STATE_FULLSCREEN];
		} else {
			window->fullscreen_emulated = true;
			states[count++] = display->atoms[ATOM__NET_WM_STATE_MAXIMIZED_VERT];
			states[count++] = display->atoms[ATOM__NET_WM_STATE_MAXIMIZED_HORZ];
		}
	}
	if (flags->set & GUI_FLAG_DEMANDS_ATTENTION)
		states[count++] = display->atoms[ATOM__NET_WM_STATE_DEMANDS_ATTENTION];
	if (count == 0)
		xcb_delete_property(
		    display->connection, window->frame.outer, display->atoms[ATOM__NET_WM_STATE]);
	else
		xcb_change_property(display->connection, XCB_PROP_MODE_REPLACE, window->frame.outer,
		    display->atoms[ATOM__NET_WM_STATE], XCB_ATOM_ATOM, 32, count, states);
}

void
state_request(struct window *window, const struct gui_window_flags *flags)
{
	if (window->mapped)
		request_mapped(window, flags);
	else
		request_unmapped(window, flags);
}

/* --- from the window manager -------------------------------------------------------------- */

static bool
has_state(const xcb_atom_t *states, int count, xcb_atom_t state)
{
	for (int i = 0; i < count; i++) {
		if (states[i] == state)
			return true;
	}
	return false;
}

static uint32_t
fold_states(struct window *window, const xcb_atom_t *states, int count)
{
	const xcb_atom_t *atoms = window->context->display->atoms;
	uint32_t flags = 0;

	if (has_state(states, count, atoms[ATOM__NET_WM_STATE_FULLSCREEN])) {
		window->fullscreen_emulated = false; /* it is real */
		flags |= GUI_FLAG_FULLSCREEN;
	} else if (window->fullscreen_emulated &&
		   has_state(states, count, atoms[ATOM__NET_WM_STATE_MAXIMIZED_VERT]) &&
		   has_state(states, count, atoms[ATOM__NET_WM_STATE_MAXIMIZED_HORZ])) {
		flags |= GUI_FLAG_FULLSCREEN;
	}
	if (has_state(states, count, atoms[ATOM__NET_WM_STATE_DEMANDS_ATTENTION]))
		flags |= GUI_FLAG_DEMANDS_ATTENTION;
	if (has_state(states, count, atoms[ATOM__NET_WM_STATE_HIDDEN]))
		flags |= GUI_FLAG_MINIMIZE;
	return flags;
}

static void
on_states(void *data, const void *reply)
{
	const xcb_get_property_reply_t *property = reply;
	struct window *window = data;
	struct gui_wire_window_flags wire;
	uint32_t flags = 0;

	if (property == NULL || !window->mapped)
		return;
	if (property->format == 32)
		flags = fold_states(window, xcb_get_property_value(property),
		    xcb_get_property_value_length(property) / 4);
	wire.set = flags & ~window->reported_flags;
	wire.unset = window->reported_flags & ~flags;
	if (wire.set == 0 && wire.unset == 0)
		return;
	if (outbox_send(window->context->outbox, OUTBOX_MAY, GUI_WINDOW_FLAGS, window->id, &wire,
		sizeof(wire)))
		window->reported_flags = flags;
}

void
state_on_changed(struct window *window)
{
	struct display *display = window->context->display;
	xcb_get_property_cookie_t cookie;

	if (!window->mapped)
		return;
	cookie = xcb_get_property(display->connection, 0, window->frame.outer,
	    display->atoms[ATOM__NET_WM_STATE], XCB_ATOM_ATOM, 0, MAX_STATES);
	display_await(display, cookie.sequence, on_states, window);
}
