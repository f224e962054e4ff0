#include "gui-daemon/xevents.h"
#include "gui-daemon/properties.h"
#include "gui-daemon/state.h"

#define SENT_BY_A_CLIENT 0x80 /* in response_type */

typedef void (*event_func)(
    struct guest *guest, struct window *window, const xcb_generic_event_t *event);

/* How the window that an event is about is found in it. */
typedef xcb_window_t (*window_func)(const xcb_generic_event_t *event);

struct event_type {
	window_func window; /* NULL: the event names none */
	bool may_be_sent;   /* by a client, to mean the same */
	event_func handler;
};

/* --- input -------------------------------------------------------------------------------- */

static xcb_window_t
window_of_input(const xcb_generic_event_t *event)
{
	return ((const xcb_key_press_event_t *)event)->event;
}
/* Key, button, motion and crossing events all have their window in the same place. */
static_assert(
    offsetof(xcb_key_press_event_t, event) == offsetof(xcb_button_press_event_t, event) &&
	offsetof(xcb_key_press_event_t, event) == offsetof(xcb_motion_notify_event_t, event) &&
	offsetof(xcb_key_press_event_t, event) == offsetof(xcb_enter_notify_event_t, event),
    "X protocol");

static void
note_use(struct window *window, xcb_timestamp_t time)
{
	window->context->user_time = time;
	properties_set_user_time(window, time);
}

static void
on_key(struct guest *guest, struct window *window, const xcb_generic_event_t *event)
{
	const xcb_key_press_event_t *e = (const void *)event;
	int32_t border = (int32_t)window->frame.border; /* keys come to the outer window */

	note_use(window, e->time);
	input_key(guest->input, window, e->response_type == XCB_KEY_PRESS, e->detail,
	    e->event_x - border, e->event_y - border, e->state);
}

static void
on_button(struct guest *guest, struct window *window, const xcb_generic_event_t *event)
{
	const xcb_button_press_event_t *e = (const void *)event;

	note_use(window, e->time);
	input_button(guest->input, window, e->response_type == XCB_BUTTON_PRESS, e->detail,
	    e->event_x, e->event_y, e->state);
}

static void
on_motion(struct guest *guest, struct window *window, const xcb_generic_event_t *event)
{
	const xcb_motion_notify_event_t *e = (const void *)event;

	input_motion(guest->input, window, e->event_x, e->event_y, e->state);
}

static void
on_crossing(struct guest *guest, struct window *window, const xcb_generic_event_t *event)
{
	const xcb_enter_notify_event_t *e = (const void *)event;
	struct input_crossing crossing = {
	    .entered = e->response_type == XCB_ENTER_NOTIFY,
	    .x = e->event_x,
	    .y = e->event_y,
	    .state = e->state,
	    .mode = e->mode,
	    .detail = e->detail,
	    .focus = (e->same_screen_focus & 1) != 0,
	};

	input_cross(guest->input, window, &crossing);
}

static xcb_window_t
window_of_focus(const xcb_generic_event_t *event)
{
	return ((const xcb_focus_in_event_t *)event)->event;
}

/* Focus that moves between the outer window and a child of it stays where it is, for the qube. */
static bool
is_inside_move(const xcb_focus_in_event_t *e)
{
	return e->detail == XCB_NOTIFY_DETAIL_INFERIOR;
}

static void
on_focus_in(struct guest *guest, struct window *window, const xcb_generic_event_t *event)
{
	const xcb_focus_in_event_t *e = (const void *)event;

	if (!is_inside_move(e))
		input_focus_in(guest->input, window, e->mode);
}

static void
on_focus_out(struct guest *guest, struct window *window, const xcb_generic_event_t *event)
{
	const xcb_focus_out_event_t *e = (const void *)event;

	if (!is_inside_move(e))
		input_focus_out(guest->input, window, e->mode);
}

static void
on_keymap(struct guest *guest, struct window *window, const xcb_generic_event_t *event)
{
	(void)window;
	input_keymap(guest->input, ((const xcb_keymap_notify_event_t *)event)->keys);
}

static void
on_mapping(struct guest *guest, struct window *window, const xcb_generic_event_t *event)
{
	(void)window;
	(void)event;
	input_reload_modifiers(guest->input);
}

/* --- pixels and geometry ------------------------------------------------------------------ */

static xcb_window_t
window_of_expose(const xcb_generic_event_t *event)
{
	return ((const xcb_expose_event_t *)event)->window;
}

static void
on_expose(struct guest *guest, struct window *window, const xcb_generic_event_t *event)
{
	const xcb_expose_event_t *e = (const void *)event;

	if (e->window == window->frame.inner)
		painter_damage(
		    guest->painter, window, (struct rect){e->x, e->y, e->width, e->height});
}

/*
 * Structure events are told to the window itself and, since we follow the root for lockers, once
 * more to the root; the second telling has the root as its event window, and no row finds a window
 * by that.
 */
static xcb_window_t
window_of_structure(const xcb_generic_event_t *event)
{
	return ((const xcb_configure_notify_event_t *)event)->event;
}
static_assert(
    offsetof(xcb_configure_notify_event_t, event) == offsetof(xcb_map_notify_event_t, event) &&
	offsetof(xcb_configure_notify_event_t, event) ==
	    offsetof(xcb_reparent_notify_event_t, event),
    "X protocol");

static void
on_configure(struct guest *guest, struct window *window, const xcb_generic_event_t *event)
{
	const xcb_configure_notify_event_t *e = (const void *)event;

	(void)guest;
	if (e->window == window->frame.outer)
		window_on_configured(window, (struct rect){e->x, e->y, e->width, e->height},
		    (e->response_type & SENT_BY_A_CLIENT) != 0, event->full_sequence);
}

static void
on_map(struct guest *guest, struct window *window, const xcb_generic_event_t *event)
{
	(void)guest;
	if (((const xcb_map_notify_event_t *)event)->window == window->frame.outer)
		window_on_mapped(window);
}

static void
on_reparent(struct guest *guest, struct window *window, const xcb_generic_event_t *event)
{
	const xcb_reparent_notify_event_t *e = (const void *)event;

	(void)guest;
	if (e->window == window->frame.outer)
		window_on_reparented(window, e->parent, e->x, e->y);
}

/* --- the window manager ------------------------------------------------------------------- */

static xcb_window_t
window_of_property(const xcb_generic_event_t *event)
{
	return ((const xcb_property_notify_event_t *)event)->window;
}

static void
on_property(struct guest *guest, struct window *window, const xcb_generic_event_t *event)
{
	const xcb_property_notify_event_t *e = (const void *)event;

	if (e->atom == guest->context.display->atoms[ATOM__NET_WM_STATE])
		state_on_changed(window);
}

static xcb_window_t
window_of_client_message(const xcb_generic_event_t *event)
{
	return ((const xcb_client_message_event_t *)event)->window;
}

static void
answer_ping(const struct display *display, const xcb_client_message_event_t *ping)
{
	xcb_client_message_event_t answer = *ping;

	answer.response_type = XCB_CLIENT_MESSAGE;
	answer.window = display->root;
	xcb_send_event(display->connection, false, display->root,
	    XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY | XCB_EVENT_MASK_SUBSTRUCTURE_REDIRECT,
	    (const char *)&answer);
}

static void
on_client_message(struct guest *guest, struct window *window, const xcb_generic_event_t *event)
{
	const xcb_client_message_event_t *e = (const void *)event;
	const struct display *display = guest->context.display;

	if (e->type != display->atoms[ATOM_WM_PROTOCOLS] || e->format != 32)
		return;
	if (e->data.data32[0] == display->atoms[ATOM_WM_DELETE_WINDOW])
		outbox_send(guest->outbox, OUTBOX_MAY, GUI_CLOSE, window->id, NULL, 0);
	else if (e->data.data32[0] == display->atoms[ATOM__NET_WM_PING])
		answer_ping(display, e);
}

/* --- the table ---------------------------------------------------------------------------- */

/* clang-format off */
static const struct event_type event_types[] = {
	/*                       window of                 sent?  handler */
	[XCB_KEY_PRESS]        = { window_of_input,          false, on_key },
	[XCB_KEY_RELEASE]      = { window_of_input,          false, on_key },
	[XCB_BUTTON_PRESS]     = { window_of_input,          false, on_button },
	[XCB_BUTTON_RELEASE]   = { window_of_input,          false, on_button },
	[XCB_MOTION_NOTIFY]    = { window_of_input,          false, on_motion },
	[XCB_ENTER_NOTIFY]     = { window_of_input,          false, on_crossing },
	[XCB_LEAVE_NOTIFY]     = { window_of_input,          false, on_crossing },
	[XCB_FOCUS_IN]         = { window_of_focus,          false, on_focus_in },
	[XCB_FOCUS_OUT]        = { window_of_focus,          false, on_focus_out },
	[XCB_KEYMAP_NOTIFY]    = { NULL,                     false, on_keymap },
	[XCB_EXPOSE]           = { window_of_expose,         false, on_expose },
	[XCB_MAP_NOTIFY]       = { window_of_structure,      false, on_map },
	[XCB_REPARENT_NOTIFY]  = { window_of_structure,      false, on_reparent },
	[XCB_CONFIGURE_NOTIFY] = { window_of_structure,      true,  on_configure },
	[XCB_PROPERTY_NOTIFY]  = { window_of_property,       false, on_property },
	[XCB_CLIENT_MESSAGE]   = { window_of_client_message, true,  on_client_message },
	[XCB_MAPPING_NOTIFY]   = { NULL,                     false, on_mapping },
};
/* clang-format on */

void
xevents_dispatch(struct guest *guest, const xcb_generic_event_t *event)
{
	uint8_t number = event->response_type & (uint8_t)~SENT_BY_A_CLIENT;
	bool sent = (event->response_type & SENT_BY_A_CLIENT) != 0;
	const struct event_type *type;
	struct window *window = NULL;

	if (number >= G_N_ELEMENTS(event_types) || guest->input == NULL)
		return;
	type = &event_types[number];
	if (type->handler == NULL || (sent && !type->may_be_sent))
		return;
	if (type->window != NULL) {
		window = guest_find_by_xid(guest, type->window(event));
		if (window == NULL)
			return;
	}
	type->handler(guest, window, event);
}
