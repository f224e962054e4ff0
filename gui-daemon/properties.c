#include "gui-daemon/properties.h"
#include "shared/text.h"

#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6" /* what agents append to a title that they cut */

/* Words of WM_NORMAL_HINTS (ICCCM 4.1.2.3). */
enum size_hint {
	HINT_FLAGS,
	HINT_X,
	HINT_Y,
	HINT_WIDTH,
	HINT_HEIGHT,
	HINT_MIN_WIDTH,
	HINT_MIN_HEIGHT,
	HINT_MAX_WIDTH,
	HINT_MAX_HEIGHT,
	HINT_WIDTH_INC,
	HINT_HEIGHT_INC,
	HINT_BASE_WIDTH = 15,
	HINT_BASE_HEIGHT,
	HINT_COUNT = 18,
};
#define HINT_FLAG_PROGRAM_SIZE 0x8

static void
set_property(struct window *window, xcb_atom_t name, xcb_atom_t type, uint8_t format,
    uint32_t count, const void *values)
{
	xcb_change_property(window->context->display->connection, XCB_PROP_MODE_REPLACE,
	    window->frame.outer, name, type, format, count, values);
}

char *
properties_make_title(const struct config *config, const char *untrusted_text)
{
	g_autofree char *cut = g_strdup(untrusted_text);
	g_autofree char *shown = NULL;

	if (config->allow_utf8_titles) {
		shown = text_utf8(cut, strlen(cut));
	} else {
		if (g_str_has_suffix(cut, ELLIPSIS))
			memcpy(cut + strlen(cut) - strlen(ELLIPSIS), "...", 3);
		shown = text_ascii(cut, strlen(cut));
	}
	if (!config->title_name)
		return g_steal_pointer(&shown);
	return g_strdup_printf("[%s] %s", config->name, shown);
}

void
properties_set_title(struct window *window, const char *untrusted_text)
{
	const xcb_atom_t *atoms = window->context->display->atoms;
	const xcb_atom_t names[] = {XCB_ATOM_WM_NAME, XCB_ATOM_WM_ICON_NAME,
	    atoms[ATOM__NET_WM_NAME], atoms[ATOM__NET_WM_ICON_NAME]};
	g_autofree char *title = properties_make_title(window->context->config, untrusted_text);

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
		set_property(
		    window, names[i], atoms[ATOM_UTF8_STRING], 8, (uint32_t)strlen(title), title);
}

/* The qube's name before both, so that no window passes for a program of the desktop. */
void
properties_set_class(struct window *window, const struct gui_wmclass *wmclass)
{
	const char *name = window->context->config->name;
	g_autofree char *instance =
	    text_ascii(wmclass->untrusted_name, strlen(wmclass->untrusted_name));
	g_autofree char *class =
	    text_ascii(wmclass->untrusted_class, strlen(wmclass->untrusted_class));
	g_autoptr(GString) both = g_string_new(NULL);

	g_string_append_printf(both, "%s:%s", name, instance);
	g_string_append_c(both, '\0');
	g_string_append_printf(both, "%s:%s", name, class);
	g_string_append_c(both, '\0');
	set_property(window, XCB_ATOM_WM_CLASS, XCB_ATOM_STRING, 8, (uint32_t)both->len, both->str);
}

void
properties_make_hints(
    const struct gui_window_hints *hints, unsigned border, struct rect geometry, uint32_t ret[18])
{
	uint32_t frame = 2 * border;
	uint32_t base_width = 0, base_height = 0;

	memset(ret, 0, HINT_COUNT * sizeof(ret[0]));
	ret[HINT_FLAGS] = hints->flags | HINT_FLAG_PROGRAM_SIZE | GUI_HINT_MIN_SIZE;
	ret[HINT_X] = (uint32_t)geometry.x;
	ret[HINT_Y] = (uint32_t)geometry.y;
	ret[HINT_WIDTH] = geometry.width + frame;
	ret[HINT_HEIGHT] = geometry.height + frame;
	ret[HINT_MIN_WIDTH] = 1 + frame;
	ret[HINT_MIN_HEIGHT] = 1 + frame;
	if (hints->flags & GUI_HINT_BASE_SIZE) {
		base_width = hints->base_width;
		base_height = hints->base_height;
		ret[HINT_MIN_WIDTH] = MAX(base_width, 1) + frame;
		ret[HINT_MIN_HEIGHT] = MAX(base_height, 1) + frame;
	}
	if (hints->flags & GUI_HINT_MIN_SIZE) {
		ret[HINT_MIN_WIDTH] = MAX(hints->min_width, 1) + frame;
		ret[HINT_MIN_HEIGHT] = MAX(hints->min_height, 1) + frame;
		if (!(hints->flags & GUI_HINT_BASE_SIZE)) {
			base_width = hints->min_width;
			base_height = hints->min_height;
		}
	}
	if (hints->flags & GUI_HINT_MAX_SIZE) {
		ret[HINT_MAX_WIDTH] = hints->max_width + frame;
		ret[HINT_MAX_HEIGHT] = hints->max_height + frame;
	}
	if (hints->flags & GUI_HINT_RESIZE_INC) {
		ret[HINT_WIDTH_INC] = hints->width_inc;
		ret[HINT_HEIGHT_INC] = hints->height_inc;
	}
	/* Steps count from the base: it must say that the frame is none of them. */
	if (hints->flags & (GUI_HINT_RESIZE_INC | GUI_HINT_BASE_SIZE)) {
		ret[HINT_FLAGS] |= GUI_HINT_BASE_SIZE;
		ret[HINT_BASE_WIDTH] = base_width + frame;
		ret[HINT_BASE_HEIGHT] = base_height + frame;
	}
}

void
properties_set_hints(struct window *window, const struct gui_window_hints *hints)
{
	uint32_t words[HINT_COUNT];

	properties_make_hints(hints, window->frame.border, window->geometry, words);
	set_property(
	    window, XCB_ATOM_WM_NORMAL_HINTS, XCB_ATOM_WM_SIZE_HINTS, 32, HINT_COUNT, words);
}

void
properties_set_transient_for(struct window *window)
{
	if (window->transient_for != NULL)
		set_property(window, XCB_ATOM_WM_TRANSIENT_FOR, XCB_ATOM_WINDOW, 32, 1,
		    &window->transient_for->frame.outer);
	else
		xcb_delete_property(window->context->display->connection, window->frame.outer,
		    XCB_ATOM_WM_TRANSIENT_FOR);
}

void
properties_set_user_time(struct window *window, xcb_timestamp_t time)
{
	set_property(window, window->context->display->atoms[ATOM__NET_WM_USER_TIME],
	    XCB_ATOM_CARDINAL, 32, 1, &time);
}
