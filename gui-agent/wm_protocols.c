#include "gui-agent/wm_protocols.h"

#include "gui-agent/props.h"

bool
wm_protocols_has(const struct display *display, Window window, enum display_atom protocol)
{
	Atom atoms[PROPS_MAX_ATOMS];
	size_t count = props_atoms(display, window, display->atoms[ATOM_WM_PROTOCOLS], atoms);

	for (size_t i = 0; i < count; i++) {
		if (atoms[i] == display->atoms[protocol])
			return true;
	}
	return false;
}

void
wm_protocols_send(
    const struct display *display, Window window, enum display_atom protocol, Time time)
{
	XEvent event = {.xclient = {
			    .type = ClientMessage,
			    .window = window,
			    .message_type = display->atoms[ATOM_WM_PROTOCOLS],
			    .format = 32,
			}};

	event.xclient.data.l[0] = (long)display->atoms[protocol];
	event.xclient.data.l[1] = (long)time;
	XSendEvent(display->x, window, False, NoEventMask, &event);
}
