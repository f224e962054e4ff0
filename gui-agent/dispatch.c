#include "gui-agent/dispatch.h"

#include "gui-agent/clipboard.h"

#include <errno.h>

#define CROSSING_NORMAL 0 /* neither the beginning nor the end of a grab */

typedef int (*handler)(
    const struct dispatch_targets *targets, struct window *window, const struct gui_packet *packet);

static int
on_keypress(
    const struct dispatch_targets *targets, struct window *window, const struct gui_packet *packet)
{
	struct gui_keypress key;
	int r;

	r = gui_decode_keypress(packet->untrusted_body, &key);
	if (r < 0)
		return r;
	if (window != NULL || !key.pressed)
		inject_key(targets->inject, &key);
	return 0;
}

static int
on_button(
    const struct dispatch_targets *targets, struct window *window, const struct gui_packet *packet)
{
	struct gui_button button;
	int x, y, r;

	r = gui_decode_button(packet->untrusted_body, &button);
	if (r < 0)
		return r;
	window_origin(window, &x, &y);
	inject_button(targets->inject, window_id(window), x + button.x, y + button.y, button.button,
	    button.pressed);
	return 0;
}

static int
on_motion(
    const struct dispatch_targets *targets, struct window *window, const struct gui_packet *packet)
{
	struct gui_motion motion;
	int x, y, r;

	r = gui_decode_motion(packet->untrusted_body, &motion);
	if (r < 0)
		return r;
	window_origin(window, &x, &y);
	inject_motion(targets->inject, window_id(window), x + motion.x, y + motion.y, motion.state);
	return 0;
}

static int
on_crossing(
    const struct dispatch_targets *targets, struct window *window, const struct gui_packet *packet)
{
	struct gui_crossing crossing;
	int x, y, r;

	r = gui_decode_crossing(packet->untrusted_body, &crossing);
	if (r < 0 || crossing.mode != CROSSING_NORMAL)
		return r;
	window_origin(window, &x, &y);
	if (crossing.entered)
		inject_motion(targets->inject, window_id(window), x + crossing.x, y + crossing.y,
		    crossing.state);
	else
		inject_leave(targets->inject, window_id(window));
	return 0;
}

static int
on_focus(
    const struct dispatch_targets *targets, struct window *window, const struct gui_packet *packet)
{
	struct gui_focus focus;
	int r;

	r = gui_decode_focus(packet->untrusted_body, &focus);
	if (r < 0)
		return r;
	if (focus.focused) {
		inject_raise(targets->inject, window_id(window));
		focus_give(targets->focus, window_id(window));
	} else {
		inject_release_keys(targets->inject, &(const struct gui_wire_keymap_notify){{0}});
		focus_take_away(targets->focus, window_id(window));
	}
	return 0;
}

static int
on_keymap_notify(
    const struct dispatch_targets *targets, struct window *window, const struct gui_packet *packet)
{
	struct gui_wire_keymap_notify down;
	int r;

	(void)window;
	r = gui_decode_keymap_notify(packet->untrusted_body, &down);
	if (r == 0)
		inject_release_keys(targets->inject, &down);
	return r;
}

static int
on_configure(
    const struct dispatch_targets *targets, struct window *window, const struct gui_packet *packet)
{
	struct gui_geometry geometry;
	int r;

	(void)targets;
	r = gui_decode_configure(packet->untrusted_body, &geometry);
	if (r == 0)
		window_configure(window, &geometry);
	return r;
}

static int
on_map(
    const struct dispatch_targets *targets, struct window *window, const struct gui_packet *packet)
{
	struct gui_map map;
	int r;

	(void)targets;
	r = gui_decode_map(packet->untrusted_body, &map);
	if (r == 0)
		window_map(window, map.override_redirect);
	return r;
}

static int
on_window_flags(
    const struct dispatch_targets *targets, struct window *window, const struct gui_packet *packet)
{
	struct gui_window_flags flags;
	int r;

	(void)targets;
	r = gui_decode_window_flags(packet->untrusted_body, &flags);
	if (r == 0)
		window_set_flags(window, flags.set, flags.unset);
	return r;
}

static int
on_close(
    const struct dispatch_targets *targets, struct window *window, const struct gui_packet *packet)
{
	(void)targets;
	(void)packet;
	window_close(window);
	return 0;
}

static int
on_destroy(
    const struct dispatch_targets *targets, struct window *window, const struct gui_packet *packet)
{
	(void)window;
	xwatch_destroy_acknowledged(targets->watch, packet->window.id);
	return 0;
}

static int
on_window_dump_ack(
    const struct dispatch_targets *targets, struct window *window, const struct gui_packet *packet)
{
	(void)window;
	xwatch_dump_acknowledged(targets->watch, packet->window.id);
	return 0;
}

static int
on_clipboard_req(
    const struct dispatch_targets *targets, struct window *window, const struct gui_packet *packet)
{
	(void)window;
	clipboard_answer(targets->link, packet->window.id);
	return 0;
}

static int
on_clipboard_data(
    const struct dispatch_targets *targets, struct window *window, const struct gui_packet *packet)
{
	(void)targets;
	(void)window;
	clipboard_offer(packet->untrusted_body);
	return 0;
}

enum window_rule {
	WINDOW_ANY,   /* or none, or a dying one: then the handler is given NULL */
	WINDOW_ALIVE, /* else ignored */
};

/* clang-format off */
static const struct {
	enum window_rule window;
	handler handler;
} messages[] = {
	[GUI_KEYPRESS]        = { WINDOW_ANY,   on_keypress },
	[GUI_BUTTON]          = { WINDOW_ALIVE, on_button },
	[GUI_MOTION]          = { WINDOW_ALIVE, on_motion },
	[GUI_CROSSING]        = { WINDOW_ALIVE, on_crossing },
	[GUI_FOCUS]           = { WINDOW_ALIVE, on_focus },
	[GUI_DESTROY]         = { WINDOW_ANY,   on_destroy },
	[GUI_MAP]             = { WINDOW_ALIVE, on_map },
	[GUI_CONFIGURE]       = { WINDOW_ALIVE, on_configure },
	[GUI_CLOSE]           = { WINDOW_ALIVE, on_close },
	[GUI_CLIPBOARD_REQ]   = { WINDOW_ANY,   on_clipboard_req },
	[GUI_CLIPBOARD_DATA]  = { WINDOW_ANY,   on_clipboard_data },
	[GUI_KEYMAP_NOTIFY]   = { WINDOW_ANY,   on_keymap_notify },
	[GUI_WINDOW_FLAGS]    = { WINDOW_ALIVE, on_window_flags },
	[GUI_WINDOW_DUMP_ACK] = { WINDOW_ANY,   on_window_dump_ack },
};
/* clang-format on */

int
dispatch_packet(const struct dispatch_targets *targets, const struct gui_packet *packet)
{
	struct window *window;
	int r;

	if (packet->type >= G_N_ELEMENTS(messages) || messages[packet->type].handler == NULL)
		return 0; /* obsolete: EXECUTE, RESIZE */
	window = xwatch_find(targets->watch, packet->window.id);
	if (window == NULL && messages[packet->type].window == WINDOW_ALIVE)
		return 0;
	r = messages[packet->type].handler(targets, window, packet);
	return r == -ENOMSG ? 0 : r;
}
