#include "gui-daemon/look.h"
#include "shared/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ICON_SIZE 32 /* pixels, square */

/* -p NAME=T:V with its names turned into atoms. */
struct extra {
	const struct config_property *property; /* borrowed from the configuration */
	xcb_atom_t name;
	xcb_atom_t value; /* of kind 'a' */
};

struct look {
	struct display *display;     /* borrowed */
	const struct config *config; /* borrowed */
	struct frame_style style;
	uint32_t icon[2 + ICON_SIZE * ICON_SIZE]; /* width, height, 0xAARRGGBB */
	char host[256];
	unsigned extra_count;
	struct extra extras[CONFIG_MAX_PROPERTIES];
};

static int
resolve_color(struct display *display, const char *what, const char *text, uint32_t *ret)
{
	int r = display_parse_color(display, text, ret);

	if (r < 0)
		log_error("%s: \"%s\" is no colour", what, text);
	return r;
}

static xcb_atom_t
resolve_atom(struct display *display, const char *name)
{
	xcb_intern_atom_reply_t *reply = xcb_intern_atom_reply(display->connection,
	    xcb_intern_atom(display->connection, 0, (uint16_t)strlen(name), name), NULL);
	xcb_atom_t atom = reply != NULL ? reply->atom : XCB_ATOM_NONE;

	free(reply);
	return atom;
}

static void
resolve_extras(struct look *look)
{
	for (guint i = 0; i < look->config->properties->len; i++) {
		const struct config_property *property =
		    g_ptr_array_index(look->config->properties, i);
		struct extra *extra = &look->extras[look->extra_count++];

		extra->property = property;
		extra->name = resolve_atom(look->display, property->name);
		if (property->kind == 'a')
			extra->value = resolve_atom(look->display, property->text);
	}
}

/* A plain square in the label's colour: what a task bar shows of the window. */
static void
make_icon(struct look *look)
{
	look->icon[0] = look->icon[1] = ICON_SIZE;
	for (unsigned i = 2; i < G_N_ELEMENTS(look->icon); i++)
		look->icon[i] = 0xff000000 | look->style.label;
}

int
look_new(struct display *display, const struct config *config, struct look **ret)
{
	struct look *look = g_new0(struct look, 1);
	int r;

	look->display = display;
	look->config = config;
	look->style.border = config_border(config, display->dpi);
	r = resolve_color(display, "label", config->color, &look->style.label);
	if (r == 0)
		r = resolve_color(display, "window_background_color",
		    config->window_background_color, &look->style.background);
	if (r < 0) {
		look_free(look);
		return r;
	}
	if (gethostname(look->host, sizeof(look->host) - 1) < 0)
		look->host[0] = '\0';
	make_icon(look);
	resolve_extras(look);
	*ret = look;
	return 0;
}

void
look_free(struct look *look)
{
	g_free(look);
}

const struct frame_style *
look_frame_style(const struct look *look)
{
	return &look->style;
}

static void
set_property(const struct look *look, xcb_window_t window, xcb_atom_t name, xcb_atom_t type,
    uint8_t format, uint32_t count, const void *values)
{
	xcb_change_property(look->display->connection, XCB_PROP_MODE_REPLACE, window, name, type,
	    format, count, values);
}

static void
set_string(const struct look *look, xcb_window_t window, xcb_atom_t name, const char *value)
{
	set_property(look, window, name, XCB_ATOM_STRING, 8, (uint32_t)strlen(value), value);
}

static void
apply_extra(const struct look *look, xcb_window_t window, const struct extra *extra)
{
	const struct config_property *property = extra->property;

	if (property->kind == 's')
		set_string(look, window, extra->name, property->text);
	else if (property->kind == 'a')
		set_property(look, window, extra->name, XCB_ATOM_ATOM, 32, 1, &extra->value);
	else
		set_property(look, window, extra->name, XCB_ATOM_CARDINAL, 32,
		    property->cardinals->len, property->cardinals->data);
}

/* Instance and class both: the icon's name, else the qube's. */
static void
apply_class(const struct look *look, xcb_window_t window)
{
	const struct config *config = look->config;
	bool has_icon_name = config->icon != NULL && config->icon[0] != '/';
	const char *class = has_icon_name ? config->icon : config->name;
	g_autofree char *both = g_strdup_printf("%s%c%s", class, '\0', class);

	set_property(look, window, XCB_ATOM_WM_CLASS, XCB_ATOM_STRING, 8,
	    2 * ((uint32_t)strlen(class) + 1), both);
}

void
look_apply(const struct look *look, xcb_window_t window, uint32_t guest_window_id)
{
	const xcb_atom_t *atoms = look->display->atoms;
	xcb_atom_t protocols[] = {atoms[ATOM_WM_DELETE_WINDOW], atoms[ATOM__NET_WM_PING]};
	/* WM_HINTS: flags "input" and "state", takes input, starts in the normal state */
	uint32_t hints[9] = {3, 1, 1};
	uint8_t label = (uint8_t)look->config->label;
	uint32_t pid = (uint32_t)getpid();

	set_property(look, window, atoms[ATOM__QUBES_LABEL], XCB_ATOM_CARDINAL, 8, 1, &label);
	set_property(look, window, atoms[ATOM__QUBES_LABEL_COLOR], XCB_ATOM_CARDINAL, 32, 1,
	    &look->style.label);
	set_string(look, window, atoms[ATOM__QUBES_VMNAME], look->config->name);
	set_property(
	    look, window, atoms[ATOM__QUBES_VMWINDOWID], XCB_ATOM_WINDOW, 32, 1, &guest_window_id);
	set_property(look, window, atoms[ATOM_WM_PROTOCOLS], XCB_ATOM_ATOM, 32,
	    G_N_ELEMENTS(protocols), protocols);
	set_string(look, window, XCB_ATOM_WM_CLIENT_MACHINE, look->host);
	set_property(look, window, atoms[ATOM__NET_WM_PID], XCB_ATOM_CARDINAL, 32, 1, &pid);
	set_property(
	    look, window, XCB_ATOM_WM_HINTS, XCB_ATOM_WM_HINTS, 32, G_N_ELEMENTS(hints), hints);
	set_property(look, window, atoms[ATOM__NET_WM_ICON], XCB_ATOM_CARDINAL, 32,
	    G_N_ELEMENTS(look->icon), look->icon);
	apply_class(look, window);
	for (unsigned i = 0; i < look->extra_count; i++)
		apply_extra(look, window, &look->extras[i]);
}
