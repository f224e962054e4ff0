#include "gui-agent/focus.h"

#include "gui-agent/ewmh.h"
#include "gui-agent/props.h"
#include "gui-agent/wm_protocols.h"

#include <X11/Xatom.h>

struct focus {
	const struct display *display; /* borrowed */
	Window focused;                /* None: nobody */
	Window waits_for_time;         /* None: nobody */
};

struct focus *
focus_new(const struct display *display)
{
	struct focus *focus = g_new0(struct focus, 1);

	focus->display = display;
	return focus;
}

void
focus_free(struct focus *focus)
{
	g_free(focus);
}

static void
ask_for_the_time(const struct display *display)
{
	XChangeProperty(display->x, display->own, display->atoms[ATOM_QUBES_TIME], XA_CARDINAL, 8,
	    PropModeAppend, (const unsigned char *)"", 0);
}

void
focus_give(struct focus *focus, Window window)
{
	const struct display *display = focus->display;

	focus->focused = window;
	focus->waits_for_time = None;
	ewmh_set_active_window(display, window);
	if (props_accepts_input(display, window))
		XSetInputFocus(display->x, window, RevertToNone, CurrentTime);
	if (wm_protocols_has(display, window, ATOM_WM_TAKE_FOCUS)) {
		focus->waits_for_time = window;
		ask_for_the_time(display);
	}
}

void
focus_take_away(struct focus *focus, Window window)
{
	if (focus->focused != window)
		return;
	focus->focused = focus->waits_for_time = None;
	ewmh_set_active_window(focus->display, None);
	XSetInputFocus(focus->display->x, None, RevertToNone, CurrentTime);
}

bool
focus_is_at(const struct focus *focus, Window window)
{
	return focus->focused == window;
}

void
focus_on_time(struct focus *focus, Time time)
{
	if (focus->waits_for_time == None)
		return;
	wm_protocols_send(focus->display, focus->waits_for_time, ATOM_WM_TAKE_FOCUS, time);
	focus->waits_for_time = None;
}
