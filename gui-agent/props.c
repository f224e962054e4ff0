#include "gui-agent/props.h"

#include <X11/Xatom.h>
#include <string.h>

#define TEXT_BYTES 1024

struct property {
	unsigned char *value; /* owned by Xlib; NULL when there is nothing */
	Atom type;
	int format;
	unsigned long count;
};

static struct property
read_property(const struct display *display, Window window, Atom name, Atom type, long max_longs)
{
	struct property property = {0};
	unsigned long rest;

	if (XGetWindowProperty(display->x, window, name, 0, max_longs, False, type, &property.type,
		&property.format, &property.count, &rest, &property.value) != Success)
		memset(&property, 0, sizeof(property));
	return property;
}

static void
property_clear(struct property *property)
{
	if (property->value != NULL)
		XFree(property->value);
	property->value = NULL;
}

size_t
props_atoms(const struct display *display, Window window, Atom name, Atom ret[PROPS_MAX_ATOMS])
{
	struct property property = read_property(display, window, name, XA_ATOM, PROPS_MAX_ATOMS);
	size_t count = 0;

	if (property.format == 32 && property.type == XA_ATOM)
		count = MIN(property.count, PROPS_MAX_ATOMS);
	if (count > 0)
		memcpy(ret, property.value, count * sizeof(Atom));
	property_clear(&property);
	return count;
}

void
props_set_atoms(
    const struct display *display, Window window, Atom name, const Atom *atoms, size_t count)
{
	if (count == 0)
		XDeleteProperty(display->x, window, name);
	else
		XChangeProperty(display->x, window, name, XA_ATOM, 32, PropModeReplace,
		    (const unsigned char *)atoms, (int)count);
}

/* Text of any of X's encodings as UTF-8. */
static char *
convert(const struct display *display, const struct property *property)
{
	XTextProperty text = {
	    .value = property->value,
	    .encoding = property->type,
	    .format = property->format,
	    .nitems = property->count,
	};
	char **list = NULL, *first;
	int count = 0;

	if (Xutf8TextPropertyToTextList(display->x, &text, &list, &count) < 0 || count < 1) {
		if (list != NULL)
			XFreeStringList(list);
		return g_strdup("");
	}
	first = g_strdup(list[0]);
	XFreeStringList(list);
	return first;
}

char *
props_title(const struct display *display, Window window)
{
	struct property property = read_property(display, window, display->atoms[ATOM_NET_WM_NAME],
	    display->atoms[ATOM_UTF8_STRING], TEXT_BYTES / 4);
	char *title = NULL;

	if (property.format == 8 && property.type == display->atoms[ATOM_UTF8_STRING])
		title = g_strndup((const char *)property.value, property.count);
	property_clear(&property);
	if (title != NULL)
		return title;

	property = read_property(display, window, XA_WM_NAME, AnyPropertyType, TEXT_BYTES / 4);
	if (property.format == 8 && property.type == display->atoms[ATOM_UTF8_STRING])
		title = g_strndup((const char *)property.value, property.count);
	else if (property.format == 8)
		title = convert(display, &property);
	property_clear(&property);
	return title != NULL ? title : g_strdup("");
}

void
props_size_hints(const struct display *display, Window window, XSizeHints *ret)
{
	long supplied;

	memset(ret, 0, sizeof(*ret));
	if (!XGetWMNormalHints(display->x, window, ret, &supplied))
		memset(ret, 0, sizeof(*ret));
}

void
props_class(const struct display *display, Window window, char **ret_class, char **ret_name)
{
	struct property property =
	    read_property(display, window, XA_WM_CLASS, XA_STRING, TEXT_BYTES / 4);
	const char *text = (const char *)property.value;
	size_t name_len;

	*ret_class = *ret_name = NULL;
	if (property.format == 8 && property.type == XA_STRING) {
		name_len = strnlen(text, property.count);
		*ret_name = g_strndup(text, name_len);
		if (name_len + 1 < property.count)
			*ret_class = g_strndup(text + name_len + 1, property.count - name_len - 1);
	}
	if (*ret_name == NULL)
		*ret_name = g_strdup("");
	if (*ret_class == NULL)
		*ret_class = g_strdup("");
	property_clear(&property);
}

Window
props_transient_for(const struct display *display, Window window)
{
	Window transient_for = None;

	if (!XGetTransientForHint(display->x, window, &transient_for))
		return None;
	return transient_for == display->root ? None : transient_for;
}

bool
props_accepts_input(const struct display *display, Window window)
{
	XWMHints *hints = XGetWMHints(display->x, window);
	bool accepts = hints == NULL || !(hints->flags & InputHint) || hints->input;

	if (hints != NULL)
		XFree(hints);
	return accepts;
}
