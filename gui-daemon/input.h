/*
 * input - keys, pointer and focus on their way to the qube, and nothing that is not meant for it.
 *
 * A key reaches the qube only as a press that the X server delivered to one of its windows, or as
 * the release of such a press; so the agent learns of no key that was typed elsewhere. Three sets
 * of keycodes say what is what:
 *   held       forwarded as pressed and not yet as released
 *   stale      down since before a window of the qube had the focus: neither its repeats nor its
 *              release are the qube's business
 *   modifiers  Shift and its like; those down at the moment of focus go along with it
 * When the focus leaves, the agent is told that no key is down (KEYMAP_NOTIFY) before it is told
 * so (FOCUS). While no window of the qube has the focus, modifiers are masked from pointer events.
 * A held key that repeats is sent as release and press, since agents switch repetition off.
 *
 * A qube that does not read: presses and motion are dropped with what belongs to them; the focus
 * is told when there is room again (input_resync()).
 * Source:  docs/gui-protocol.md, "Input".
 */
#ifndef GUI_DAEMON_INPUT_H
#define GUI_DAEMON_INPUT_H

#include "gui-daemon/window.h"

#define INPUT_MAP_BYTES 32 /* a bit for each keycode, bit k of byte k / 8 */

struct input;

/* Both borrowed. */
struct input *input_new(struct display *display, struct outbox *outbox);
void input_free(struct input *input); /* NULL is fine */

/* Before the window goes. */
void input_forget(struct input *input, const struct window *window);

/* Positions are relative to the content. */
void input_key(struct input *input, struct window *window, bool pressed, uint8_t keycode, int32_t x,
    int32_t y, uint16_t state);
void input_button(struct input *input, struct window *window, bool pressed, uint8_t button,
    int32_t x, int32_t y, uint16_t state);
void input_motion(struct input *input, struct window *window, int32_t x, int32_t y, uint16_t state);

struct input_crossing {
	bool entered;
	int32_t x, y;
	uint16_t state;
	uint8_t mode, detail; /* as in X */
	bool focus;
};
void input_cross(struct input *input, struct window *window, const struct input_crossing *crossing);

/* FocusIn and FocusOut, with X's mode. */
void input_focus_in(struct input *input, struct window *window, uint8_t mode);
void input_focus_out(struct input *input, struct window *window, uint8_t mode);
/* KeymapNotify, which follows each FocusIn: the keys that are down; 31 bytes, without keycodes
 * 0..7. */
void input_keymap(struct input *input, const uint8_t keys[31]);

/* There is room in the outbox again. */
void input_resync(struct input *input);

/* Which keys are modifiers has changed; also for tests, which have no display. */
void input_reload_modifiers(struct input *input);
void input_set_modifiers(struct input *input, const uint8_t *keycodes, size_t count);

#endif
