#include "gui-daemon/input.h"

#include <string.h>

#define FIRST_KEYCODE 8
#define KEY_MODIFIERS 0xff /* Shift..Mod5 of an event's state; what is above are buttons */
#define FOCUS_DETAIL_NONLINEAR 3

enum focus_phase {
	FOCUS_NONE,    /* no window of the qube has it */
	FOCUS_ARRIVES, /* FocusIn came; the keymap is the next event */
	FOCUS_HERE,
};

struct input {
	struct display *display; /* borrowed; NULL in tests */
	struct outbox *outbox;   /* borrowed */
	enum focus_phase phase;
	struct window *focus;     /* borrowed from the guest; NULL: none */
	struct guest_window told; /* to which window the agent was told that the focus went */
	bool is_told;             /* false: the agent believes that it has no focus */
	uint8_t held[INPUT_MAP_BYTES], stale[INPUT_MAP_BYTES], modifiers[INPUT_MAP_BYTES];
	uint8_t buttons[INPUT_MAP_BYTES];   /* forwarded as pressed */
	const struct window *button_window; /* where they were */
};

static bool
map_has(const uint8_t *map, unsigned i)
{
	return (map[i / 8] >> (i % 8)) & 1;
}

static void
map_set(uint8_t *map, unsigned i, bool value)
{
	if (value)
		map[i / 8] |= (uint8_t)(1u << (i % 8));
	else
		map[i / 8] &= (uint8_t) ~(1u << (i % 8));
}

struct input *
input_new(struct display *display, struct outbox *outbox)
{
	struct input *input = g_new0(struct input, 1);

	input->display = display;
	input->outbox = outbox;
	if (display != NULL)
		input_reload_modifiers(input);
	return input;
}

void
input_free(struct input *input)
{
	if (input == NULL)
		return;
	if (input->display != NULL)
		display_forget(input->display, input);
	g_free(input);
}

/* --- modifiers ---------------------------------------------------------------------------- */

void
input_set_modifiers(struct input *input, const uint8_t *keycodes, size_t count)
{
	memset(input->modifiers, 0, sizeof(input->modifiers));
	for (size_t i = 0; i < count; i++) {
		if (keycodes[i] >= FIRST_KEYCODE)
			map_set(input->modifiers, keycodes[i], true);
	}
}

static void
on_modifiers(void *data, const void *reply)
{
	const xcb_get_modifier_mapping_reply_t *mapping = reply;

	if (mapping != NULL)
		input_set_modifiers(data, xcb_get_modifier_mapping_keycodes(mapping),
		    (size_t)xcb_get_modifier_mapping_keycodes_length(mapping));
}

void
input_reload_modifiers(struct input *input)
{
	display_await(input->display, xcb_get_modifier_mapping(input->display->connection).sequence,
	    on_modifiers, input);
}

/* --- focus -------------------------------------------------------------------------------- */

static bool
send_focus(struct input *input, struct guest_window window, bool in)
{
	struct gui_wire_focus wire = {
	    .type = in ? XCB_FOCUS_IN : XCB_FOCUS_OUT,
	    .detail = FOCUS_DETAIL_NONLINEAR,
	};

	return outbox_send(input->outbox, OUTBOX_MAY, GUI_FOCUS, window, &wire, sizeof(wire));
}

/* "Exactly these are down": an agent releases what it believes beyond them. */
static bool
send_keymap(struct input *input, const uint8_t *keys)
{
	struct gui_wire_keymap_notify wire;
	struct guest_window all = {0};

	memcpy(wire.keys, keys, sizeof(wire.keys));
	return outbox_send(input->outbox, OUTBOX_MAY, GUI_KEYMAP_NOTIFY, all, &wire, sizeof(wire));
}

static bool
send_no_keys(struct input *input)
{
	static const uint8_t none[INPUT_MAP_BYTES];

	return send_keymap(input, none);
}

/* What is refused now is sent by the resync. */
static void
tell_focus_out(struct input *input)
{
	if (input->is_told && send_no_keys(input) && send_focus(input, input->told, false))
		input->is_told = false;
}

static void
tell_focus_in(struct input *input)
{
	if (input->is_told && input->told.id != input->focus->id.id)
		tell_focus_out(input);
	if (input->is_told && input->told.id != input->focus->id.id)
		return;
	if (!send_keymap(input, input->held) || !send_focus(input, input->focus->id, true))
		return;
	input->told = input->focus->id;
	input->is_told = true;
}

void
input_resync(struct input *input)
{
	if (input->phase == FOCUS_HERE &&
	    (!input->is_told || input->told.id != input->focus->id.id))
		tell_focus_in(input);
	else if (input->phase == FOCUS_NONE && input->is_told)
		tell_focus_out(input);
}

static void
lose_focus(struct input *input)
{
	input->phase = FOCUS_NONE;
	input->focus = NULL;
	memset(input->held, 0, sizeof(input->held));
	tell_focus_out(input);
}

void
input_forget(struct input *input, const struct window *window)
{
	if (input->button_window == window) {
		memset(input->buttons, 0, sizeof(input->buttons));
		input->button_window = NULL;
	}
	if (input->focus == window)
		lose_focus(input);
}

/* Grabs come and go over a window that keeps the focus; only the keymap matters then. */
static bool
is_about_grab(uint8_t mode)
{
	return mode == XCB_NOTIFY_MODE_GRAB || mode == XCB_NOTIFY_MODE_UNGRAB;
}

void
input_focus_in(struct input *input, struct window *window, uint8_t mode)
{
	if (is_about_grab(mode) && input->focus == window)
		return;
	input->focus = window;
	input->phase = FOCUS_ARRIVES;
}

void
input_focus_out(struct input *input, struct window *window, uint8_t mode)
{
	if (!is_about_grab(mode) && input->focus == window)
		lose_focus(input);
}

/* Keys that went up while somebody else had the keyboard: the agent believes them down. */
static void
release_vanished(struct input *input, const uint8_t *down)
{
	for (unsigned key = FIRST_KEYCODE; key < 256; key++) {
		struct gui_wire_keypress wire = {.type = XCB_KEY_RELEASE, .keycode = key};

		if (!map_has(input->held, key) || map_has(down, key))
			continue;
		map_set(input->held, key, false);
		outbox_send(input->outbox, OUTBOX_MUST, GUI_KEYPRESS, input->focus->id, &wire,
		    sizeof(wire));
	}
}

void
input_keymap(struct input *input, const uint8_t keys[31])
{
	uint8_t down[INPUT_MAP_BYTES] = {0};

	memcpy(down + 1, keys, INPUT_MAP_BYTES - 1);
	if (input->phase == FOCUS_NONE)
		return;
	if (input->phase == FOCUS_HERE)
		release_vanished(input, down);
	for (unsigned i = 0; i < INPUT_MAP_BYTES; i++) {
		if (input->phase == FOCUS_ARRIVES)
			input->held[i] = down[i] & input->modifiers[i];
		input->stale[i] = down[i] & (uint8_t)~input->held[i];
	}
	if (input->phase == FOCUS_ARRIVES) {
		input->phase = FOCUS_HERE;
		tell_focus_in(input);
	}
}

/* --- keys --------------------------------------------------------------------------------- */

/* A press the agent does not get is none, so its release will not be sent either. */
static void
send_press(struct input *input, struct window *window, struct gui_wire_keypress *wire)
{
	wire->type = XCB_KEY_PRESS;
	if (outbox_send(input->outbox, OUTBOX_MAY, GUI_KEYPRESS, window->id, wire, sizeof(*wire)))
		map_set(input->held, wire->keycode, true);
}

static void
send_release(struct input *input, struct window *window, struct gui_wire_keypress *wire)
{
	if (!map_has(input->held, wire->keycode))
		return;
	map_set(input->held, wire->keycode, false);
	wire->type = XCB_KEY_RELEASE;
	outbox_send(input->outbox, OUTBOX_MUST, GUI_KEYPRESS, window->id, wire, sizeof(*wire));
}

void
input_key(struct input *input, struct window *window, bool pressed, uint8_t keycode, int32_t x,
    int32_t y, uint16_t state)
{
	struct gui_wire_keypress wire = {.x = x, .y = y, .state = state, .keycode = keycode};

	if (!pressed) {
		map_set(input->stale, keycode, false);
		send_release(input, window, &wire);
		return;
	}
	if (map_has(input->stale, keycode))
		return;
	if (map_has(input->held, keycode)) { /* a repeat */
		if (outbox_is_full(input->outbox))
			return;
		send_release(input, window, &wire);
	}
	send_press(input, window, &wire);
}

/* --- pointer ------------------------------------------------------------------------------ */

static uint32_t
pointer_state(const struct input *input, uint16_t state)
{
	return input->phase == FOCUS_NONE ? state & ~KEY_MODIFIERS : state;
}

void
input_button(struct input *input, struct window *window, bool pressed, uint8_t button, int32_t x,
    int32_t y, uint16_t state)
{
	struct gui_wire_button wire = {
	    .type = pressed ? XCB_BUTTON_PRESS : XCB_BUTTON_RELEASE,
	    .x = x,
	    .y = y,
	    .state = state,
	    .button = button,
	};

	if (!pressed && !map_has(input->buttons, button))
		return;
	if (!outbox_send(input->outbox, pressed ? OUTBOX_MAY : OUTBOX_MUST, GUI_BUTTON, window->id,
		&wire, sizeof(wire)))
		return;
	map_set(input->buttons, button, pressed);
	input->button_window = window;
}

void
input_motion(struct input *input, struct window *window, int32_t x, int32_t y, uint16_t state)
{
	struct gui_wire_motion wire = {.x = x, .y = y, .state = pointer_state(input, state)};

	outbox_send(input->outbox, OUTBOX_MAY, GUI_MOTION, window->id, &wire, sizeof(wire));
}

/* Where keys follow the pointer no FocusOut tells that they go elsewhere now. */
static void
release_without_focus(struct input *input)
{
	static const uint8_t none[INPUT_MAP_BYTES];

	if (input->phase == FOCUS_NONE && memcmp(input->held, none, sizeof(none)) != 0 &&
	    send_no_keys(input))
		memset(input->held, 0, sizeof(input->held));
}

void
input_cross(struct input *input, struct window *window, const struct input_crossing *crossing)
{
	struct gui_wire_crossing wire = {
	    .type = crossing->entered ? XCB_ENTER_NOTIFY : XCB_LEAVE_NOTIFY,
	    .x = crossing->x,
	    .y = crossing->y,
	    .state = pointer_state(input, crossing->state),
	    .mode = crossing->mode,
	    .detail = crossing->detail,
	    .focus = crossing->focus,
	};

	outbox_send(input->outbox, OUTBOX_MAY, GUI_CROSSING, window->id, &wire, sizeof(wire));
	if (!crossing->entered)
		release_without_focus(input);
}
