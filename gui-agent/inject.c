#include "gui-agent/inject.h"

#include "gui-agent/keys.h"
#include "gui-agent/screen.h"

#include <X11/XKBlib.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>
#include <string.h>

struct inject {
	struct display *display; /* borrowed */
	struct keys_map map;
	uint8_t considered; /* modifiers, a mask */
	struct keys_down keys, buttons;
	Window under; /* where the pointer is, and what we put on top; None: nowhere */
	int x, y;     /* of the pointer */
	Window stub;  /* owned */
	bool stub_shown;
};

/* --- modifiers ----------------------------------------------------------------------------- */

static bool
is_lock(const struct display *display, uint8_t code)
{
	KeySym symbol = XkbKeycodeToKeysym(display->x, code, 0, 0);

	return symbol == XK_Caps_Lock || symbol == XK_Shift_Lock || symbol == XK_Num_Lock ||
	       symbol == XK_Scroll_Lock;
}

static void
map_key(struct inject *inject, int modifier, int slot, uint8_t code)
{
	inject->map.codes[modifier][slot] = code;
	if (code != 0 && is_lock(inject->display, code))
		inject->map.locking |= (uint8_t)(1u << modifier);
}

static void
read_modifier_map(struct inject *inject)
{
	XModifierKeymap *modifiers = XGetModifierMapping(inject->display->x);
	int slots = MIN(modifiers->max_keypermod, KEYS_PER_MODIFIER);

	memset(&inject->map, 0, sizeof(inject->map));
	inject->map.locking = LockMask;
	for (int m = 0; m < KEYS_MODIFIERS; m++) {
		for (int i = 0; i < slots; i++)
			map_key(
			    inject, m, i, modifiers->modifiermap[m * modifiers->max_keypermod + i]);
	}
	XFreeModifiermap(modifiers);
}

static void
keep_repeat_off(const struct inject *inject)
{
	XkbChangeEnabledControls(inject->display->x, XkbUseCoreKbd, XkbRepeatKeysMask, 0);
}

static void
watch_keyboard(const struct inject *inject)
{
	XkbSelectEvents(
	    inject->display->x, XkbUseCoreKbd, XkbControlsNotifyMask, XkbControlsNotifyMask);
	keep_repeat_off(inject);
}

void
inject_on_event(struct inject *inject, XEvent *event)
{
	if (event->type == MappingNotify) {
		XRefreshKeyboardMapping(&event->xmapping);
		if (event->xmapping.request != MappingPointer)
			read_modifier_map(inject);
	} else if (((XkbAnyEvent *)event)->xkb_type == XkbControlsNotify) {
		const XkbControlsNotifyEvent *controls = (const XkbControlsNotifyEvent *)event;

		if (controls->enabled_ctrls & XkbRepeatKeysMask)
			keep_repeat_off(inject); /* a session daemon switched it on */
	}
}

/* --- keys ---------------------------------------------------------------------------------- */

static void
set_key(struct inject *inject, uint8_t code, bool pressed)
{
	keys_down_set(&inject->keys, code, pressed);
	XTestFakeKeyEvent(inject->display->x, code, pressed, CurrentTime);
}

static struct keys_state
modifiers_here(const struct inject *inject)
{
	XkbStateRec state = {0};

	XkbGetState(inject->display->x, XkbUseCoreKbd, &state);
	return (struct keys_state){
	    .effective = state.mods,
	    .locked = state.locked_mods & (uint8_t)~state.base_mods,
	};
}

static void
mend_modifiers(struct inject *inject, uint8_t wanted)
{
	struct keys_mend mend;

	keys_mend(
	    &inject->map, &inject->keys, modifiers_here(inject), wanted, inject->considered, &mend);
	if (mend.lock_affect != 0)
		XkbLockModifiers(
		    inject->display->x, XkbUseCoreKbd, mend.lock_affect, mend.lock_values);
	for (size_t i = 0; i < mend.press_count; i++)
		set_key(inject, mend.press[i], true);
	for (size_t i = 0; i < mend.release_count; i++)
		set_key(inject, mend.release[i], false);
}

void
inject_key(struct inject *inject, const struct gui_keypress *key)
{
	uint8_t code = (uint8_t)key->keycode;
	bool was_down = keys_down_has(&inject->keys, code);

	if (!key->pressed) {
		if (was_down) /* else it went down in another window */
			set_key(inject, code, false);
		return;
	}
	if (was_down && keys_map_has(&inject->map, code))
		return; /* a modifier does not repeat */
	if (was_down)
		set_key(inject, code, false);
	mend_modifiers(inject, (uint8_t)key->state);
	set_key(inject, code, true);
}

static void
release_keys(struct inject *inject, const struct keys_down *kept)
{
	uint8_t code;

	while ((code = keys_down_first_without(&inject->keys, kept)) != 0)
		set_key(inject, code, false);
}

void
inject_release_keys(struct inject *inject, const struct gui_wire_keymap_notify *kept)
{
	struct keys_down down;

	memcpy(down.bits, kept->keys, sizeof(down.bits));
	release_keys(inject, &down);
}

/* --- pointer ------------------------------------------------------------------------------- */

static bool
holds_button(const struct inject *inject)
{
	return keys_down_first_without(&inject->buttons, NULL) != 0;
}

static void
hide_stub(struct inject *inject)
{
	if (inject->stub_shown)
		XUnmapWindow(inject->display->x, inject->stub);
	inject->stub_shown = false;
}

/* While a button is down, events go where it was pressed, whatever lies on top. */
static void
put_under_pointer(struct inject *inject, Window window)
{
	hide_stub(inject);
	if (inject->under == window || holds_button(inject))
		return;
	inject->under = window;
	XRaiseWindow(inject->display->x, window);
}

static void
move_to(struct inject *inject, int x, int y)
{
	screen_reach(inject->display, &x, &y);
	inject->x = x;
	inject->y = y;
	XTestFakeMotionEvent(inject->display->x, inject->display->screen, x, y, CurrentTime);
}

static void
set_button(struct inject *inject, uint8_t button, bool pressed)
{
	keys_down_set(&inject->buttons, button, pressed);
	XTestFakeButtonEvent(inject->display->x, button, pressed, CurrentTime);
}

/* Only what the state can tell: buttons 1 to 3. The others are wheels. */
static void
release_lost_buttons(struct inject *inject, unsigned state)
{
	for (uint8_t button = 1; button <= 3; button++) {
		if (keys_down_has(&inject->buttons, button) &&
		    !(state & (Button1Mask << (button - 1))))
			set_button(inject, button, false);
	}
}

void
inject_motion(struct inject *inject, Window window, int x, int y, unsigned state)
{
	release_lost_buttons(inject, state);
	put_under_pointer(inject, window);
	move_to(inject, x, y);
}

void
inject_button(struct inject *inject, Window window, int x, int y, unsigned button, bool pressed)
{
	bool was_down = keys_down_has(&inject->buttons, (uint8_t)button);

	if (!was_down && !pressed)
		return; /* it was pressed in another window */
	if (was_down && pressed)
		set_button(inject, (uint8_t)button, false); /* its release was lost */
	put_under_pointer(inject, window);
	if (x != inject->x || y != inject->y)
		move_to(inject, x, y);
	set_button(inject, (uint8_t)button, pressed);
}

void
inject_leave(struct inject *inject, Window window)
{
	if (inject->under != window || holds_button(inject))
		return;
	inject->under = None;
	XMoveWindow(inject->display->x, inject->stub, inject->x, inject->y);
	XMapRaised(inject->display->x, inject->stub);
	inject->stub_shown = true;
}

void
inject_raise(struct inject *inject, Window window)
{
	XRaiseWindow(inject->display->x, window);
	if (inject->under != window)
		inject->under = None; /* it may be covered now */
}

static void
release_buttons(struct inject *inject)
{
	uint8_t button;

	while ((button = keys_down_first_without(&inject->buttons, NULL)) != 0)
		set_button(inject, button, false);
}

void
inject_release_all(struct inject *inject)
{
	release_keys(inject, NULL);
	release_buttons(inject);
	inject->under = None;
}

/* --- life ---------------------------------------------------------------------------------- */

struct inject *
inject_new(struct display *display, bool locks_only)
{
	struct inject *inject = g_new0(struct inject, 1);
	XSetWindowAttributes attributes = {.override_redirect = True};

	inject->display = display;
	inject->considered = locks_only ? LockMask : 0xff;
	inject->stub = XCreateWindow(display->x, display->root, 0, 0, 1, 1, 0, 0, InputOnly,
	    CopyFromParent, CWOverrideRedirect, &attributes);
	XTestGrabControl(display->x, True); /* a grab of the server does not hold the person up */
	read_modifier_map(inject);
	watch_keyboard(inject);
	return inject;
}

void
inject_free(struct inject *inject)
{
	g_free(inject);
}
