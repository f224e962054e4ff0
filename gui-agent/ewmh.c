#include "gui-agent/ewmh.h"

#include "gui-agent/props.h"
#include "shared/gui_wire.h"

#include <X11/Xatom.h>
#include <string.h>

#define WM_NAME "Qubes"

static const enum display_atom supported[] = {
    ATOM_NET_ACTIVE_WINDOW,
    ATOM_NET_CLIENT_LIST,
    ATOM_NET_SUPPORTED,
    ATOM_NET_SUPPORTING_WM_CHECK,
    ATOM_NET_WM_STATE,
    ATOM_NET_WM_STATE_DEMANDS_ATTENTION,
    ATOM_NET_WM_STATE_FULLSCREEN,
    ATOM_NET_WM_STATE_HIDDEN,
};

static const struct {
	enum display_atom atom;
	uint32_t flag;
} states[] = {
    {ATOM_NET_WM_STATE_FULLSCREEN, GUI_FLAG_FULLSCREEN},
    {ATOM_NET_WM_STATE_DEMANDS_ATTENTION, GUI_FLAG_DEMANDS_ATTENTION},
    {ATOM_NET_WM_STATE_HIDDEN, GUI_FLAG_MINIMIZE},
};

static void
set_windows(const struct display *display, Window window, enum display_atom property,
    const Window *windows, size_t count)
{
	XChangeProperty(display->x, window, display->atoms[property], XA_WINDOW, 32,
	    PropModeReplace, (const unsigned char *)windows, (int)count);
}

void
ewmh_claim(const struct display *display)
{
	Atom atoms[G_N_ELEMENTS(supported)];

	for (size_t i = 0; i < G_N_ELEMENTS(supported); i++)
		atoms[i] = display->atoms[supported[i]];
	XChangeProperty(display->x, display->own, display->atoms[ATOM_NET_WM_NAME],
	    display->atoms[ATOM_UTF8_STRING], 8, PropModeReplace, (const unsigned char *)WM_NAME,
	    (int)strlen(WM_NAME));
	set_windows(display, display->own, ATOM_NET_SUPPORTING_WM_CHECK, &display->own, 1);
	props_set_atoms(
	    display, display->root, display->atoms[ATOM_NET_SUPPORTED], atoms, G_N_ELEMENTS(atoms));
	set_windows(display, display->root, ATOM_NET_SUPPORTING_WM_CHECK, &display->own, 1);
}

void
ewmh_set_client_list(const struct display *display, const Window *windows, size_t count)
{
	set_windows(display, display->root, ATOM_NET_CLIENT_LIST, windows, count);
}

void
ewmh_set_active_window(const struct display *display, Window window)
{
	set_windows(display, display->root, ATOM_NET_ACTIVE_WINDOW, &window, 1);
}

void
ewmh_set_wm_state(const struct display *display, Window window, long state)
{
	const long data[2] = {state, None /* no icon window */};
	Atom property = display->atoms[ATOM_WM_STATE];

	XChangeProperty(display->x, window, property, property, 32, PropModeReplace,
	    (const unsigned char *)data, 2);
}

void
ewmh_clear_states(const struct display *display, Window window)
{
	XDeleteProperty(display->x, window, display->atoms[ATOM_WM_STATE]);
	XDeleteProperty(display->x, window, display->atoms[ATOM_NET_WM_STATE]);
}

uint32_t
ewmh_flag_of(const struct display *display, Atom state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(states); i++) {
		if (display->atoms[states[i].atom] == state)
			return states[i].flag;
	}
	return 0;
}

uint32_t
ewmh_flags(const struct display *display, Window window)
{
	Atom atoms[PROPS_MAX_ATOMS];
	size_t count = props_atoms(display, window, display->atoms[ATOM_NET_WM_STATE], atoms);
	uint32_t flags = 0;

	for (size_t i = 0; i < count; i++)
		flags |= ewmh_flag_of(display, atoms[i]);
	return flags;
}

void
ewmh_change_flags(const struct display *display, Window window, uint32_t set, uint32_t unset)
{
	Atom property = display->atoms[ATOM_NET_WM_STATE];
	Atom old[PROPS_MAX_ATOMS], new[PROPS_MAX_ATOMS + G_N_ELEMENTS(states)];
	size_t old_count = props_atoms(display, window, property, old), new_count = 0;

	for (size_t i = 0; i < old_count; i++) {
		if (!(ewmh_flag_of(display, old[i]) & (set | unset)))
			new[new_count++] = old[i];
	}
	for (size_t i = 0; i < G_N_ELEMENTS(states); i++) {
		if (states[i].flag & set)
			new[new_count++] = display->atoms[states[i].atom];
	}
	props_set_atoms(display, window, property, new, new_count);
}
