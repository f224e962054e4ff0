#include "prompt/stacking.h"

#include <X11/Xlib-xcb.h>
#include <X11/extensions/Xcomposite.h>
#include <stdio.h>
#include <xcb/xcb.h>

#define BUTTONS (Button1Mask | Button2Mask | Button3Mask | Button4Mask | Button5Mask)

/* Windows made over one connection share the bits of their ids that the server chose. */
static bool
same_client(Display *display, Window a, Window b)
{
	const xcb_setup_t *setup = xcb_get_setup(XGetXCBConnection(display));

	return (a & ~(Window)setup->resource_id_mask) == (b & ~(Window)setup->resource_id_mask);
}

/* The window's ancestor among the root's children, or None. */
static Window
top_level_of(Display *display, Window window)
{
	Window root, parent, *children;
	unsigned count;

	for (;;) {
		if (!XQueryTree(display, window, &root, &parent, &children, &count))
			return None;
		if (children != NULL)
			XFree(children);
		if (parent == root)
			return window;
		window = parent;
	}
}

/* The window that a compositor paints on, None without one. */
static Window
overlay_of(Display *display, Window root)
{
	char name[32];
	Window overlay;

	snprintf(name, sizeof(name), "_NET_WM_CM_S%d", DefaultScreen(display));
	if (XGetSelectionOwner(display, XInternAtom(display, name, False)) == None)
		return None;
	overlay = XCompositeGetOverlayWindow(display, root);
	if (overlay != None)
		XCompositeReleaseOverlayWindow(display, root);
	return overlay;
}

static bool
covers(Display *display, Window other, const struct stacking_view *view)
{
	XWindowAttributes attributes;
	int border;

	if (!XGetWindowAttributes(display, other, &attributes))
		return false; /* it has just gone */
	if (attributes.map_state != IsViewable || attributes.class == InputOnly)
		return false;
	border = 2 * attributes.border_width;
	return attributes.x < view->x + view->width && attributes.y < view->y + view->height &&
	       attributes.x + attributes.width + border > view->x &&
	       attributes.y + attributes.height + border > view->y;
}

static Window
find_cover(
    Display *display, Window root, Window top_level, Window ours, const struct stacking_view *view)
{
	Window overlay = overlay_of(display, root);
	Window found = None, root_again, parent, *children = NULL;
	unsigned count;

	if (!XQueryTree(display, root, &root_again, &parent, &children, &count))
		return root; /* cannot tell: covered */
	for (unsigned i = count; i > 0 && children[i - 1] != top_level && found == None; i--) {
		Window other = children[i - 1];

		if (!same_client(display, other, ours) && other != overlay &&
		    covers(display, other, view))
			found = other;
	}
	if (children != NULL)
		XFree(children);
	return found;
}

void
stacking_look(Display *display, Window window, struct stacking_view *ret)
{
	XWindowAttributes attributes, screen;
	Window top_level, child;

	*ret = (struct stacking_view){0};
	if (!XGetWindowAttributes(display, window, &attributes) ||
	    !XGetWindowAttributes(display, attributes.root, &screen) ||
	    !XTranslateCoordinates(
		display, window, attributes.root, 0, 0, &ret->x, &ret->y, &child))
		return;
	ret->width = attributes.width;
	ret->height = attributes.height;
	top_level = top_level_of(display, window);
	if (attributes.map_state != IsViewable || top_level == None)
		return;
	if (ret->x < 0 || ret->y < 0 || ret->x + ret->width > screen.width ||
	    ret->y + ret->height > screen.height)
		return;
	ret->covered_by = find_cover(display, attributes.root, top_level, window, ret);
	ret->visible = ret->covered_by == None;
}

bool
stacking_input_is_quiet(Display *display)
{
	char keys[32];
	Window root, child;
	int root_x, root_y, x, y;
	unsigned mask = 0;

	XQueryKeymap(display, keys);
	for (size_t i = 0; i < sizeof(keys); i++) {
		if (keys[i] != 0)
			return false;
	}
	return XQueryPointer(display, DefaultRootWindow(display), &root, &child, &root_x, &root_y,
		   &x, &y, &mask) &&
	       (mask & BUTTONS) == 0;
}

bool
stacking_has_focus(Display *display, Window window)
{
	Window focus = None;
	int revert;

	XGetInputFocus(display, &focus, &revert);
	return focus != None && focus != PointerRoot && same_client(display, focus, window);
}

/* The GUI daemon marks the windows of qubes, and nobody else's. */
static bool
is_of_qube(Display *display, Window window)
{
	Atom mark = XInternAtom(display, "_QUBES_VMNAME", False);
	Atom type = None;
	int format;
	unsigned long count, rest;
	unsigned char *data = NULL;

	XGetWindowProperty(display, window, mark, 0, 0, False, AnyPropertyType, &type, &format,
	    &count, &rest, &data);
	if (data != NULL)
		XFree(data);
	return type != None;
}

void
stacking_push_below(Display *display, Window other, Window ours)
{
	XWindowChanges changes = {.stack_mode = Below};

	if (other == None || !is_of_qube(display, other))
		return;
	changes.sibling = top_level_of(display, ours);
	XConfigureWindow(display, other, CWSibling | CWStackMode, &changes);
}
