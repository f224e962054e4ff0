#include "gui-daemon/frame.h"

#define STRIP_LENGTH 32767
#define OUTER_EVENTS                                                                               \
	(XCB_EVENT_MASK_KEY_PRESS | XCB_EVENT_MASK_KEY_RELEASE | XCB_EVENT_MASK_FOCUS_CHANGE |     \
	    XCB_EVENT_MASK_KEYMAP_STATE | XCB_EVENT_MASK_STRUCTURE_NOTIFY |                        \
	    XCB_EVENT_MASK_PROPERTY_CHANGE)
#define INNER_EVENTS                                                                               \
	(XCB_EVENT_MASK_EXPOSURE | XCB_EVENT_MASK_BUTTON_PRESS | XCB_EVENT_MASK_BUTTON_RELEASE |   \
	    XCB_EVENT_MASK_POINTER_MOTION | XCB_EVENT_MASK_ENTER_WINDOW |                          \
	    XCB_EVENT_MASK_LEAVE_WINDOW)

struct rect
frame_content_of(unsigned border, struct rect outer)
{
	struct rect content = {outer.x + (int32_t)border, outer.y + (int32_t)border, 1, 1};

	if (outer.width > 2 * border)
		content.width = outer.width - 2 * border;
	if (outer.height > 2 * border)
		content.height = outer.height - 2 * border;
	return content;
}

struct rect
frame_outer_of(unsigned border, struct rect content)
{
	return (struct rect){content.x - (int32_t)border, content.y - (int32_t)border,
	    content.width + 2 * border, content.height + 2 * border};
}

/* The one place where a window is made: every attribute explicit, nothing taken from a parent. */
static xcb_window_t
make_window(struct display *display, xcb_window_t parent, struct rect rect, uint32_t background,
    xcb_gravity_t win_gravity, bool override_redirect, uint32_t events)
{
	xcb_window_t window = xcb_generate_id(display->connection);
	xcb_create_window_value_list_t values = {
	    .background_pixel = background,
	    .border_pixel = 0,
	    .bit_gravity = XCB_GRAVITY_NORTH_WEST,
	    .win_gravity = win_gravity,
	    .override_redirect = override_redirect,
	    .event_mask = events,
	    .colormap = display->colormap,
	};

	xcb_create_window_aux(display->connection, DISPLAY_DEPTH, window, parent, (int16_t)rect.x,
	    (int16_t)rect.y, (uint16_t)rect.width, (uint16_t)rect.height, 0,
	    XCB_WINDOW_CLASS_INPUT_OUTPUT, display->visual,
	    XCB_CW_BACK_PIXEL | XCB_CW_BORDER_PIXEL | XCB_CW_BIT_GRAVITY | XCB_CW_WIN_GRAVITY |
		XCB_CW_OVERRIDE_REDIRECT | XCB_CW_EVENT_MASK | XCB_CW_COLORMAP,
	    &values);
	return window;
}

#ifdef FRAME_OFF

/* Only to test the tests: one bare window, which every oracle must find. */
void
frame_init(struct frame *frame, struct display *display, const struct frame_style *style,
    struct rect content, bool override_redirect)
{
	frame->display = display;
	frame->border = 0;
	frame->outer = make_window(display, display->root, content, style->background,
	    XCB_GRAVITY_NORTH_WEST, override_redirect, OUTER_EVENTS | INNER_EVENTS);
	frame->inner = frame->outer;
	frame->inner_mapped = frame->inner_fits = true;
	frame->inner_size = (struct rect){0, 0, content.width, content.height};
}

void
frame_fit(struct frame *frame, uint32_t outer_width, uint32_t outer_height)
{
	frame->inner_size = (struct rect){0, 0, outer_width, outer_height};
}

static void
frame_show_inner(struct frame *frame, bool show)
{
	(void)frame;
	(void)show;
}

#else

/* Made in this order, each above the one before and all of them above the inner window. */
static void
make_strips(struct frame *frame, const struct frame_style *style, struct rect outer)
{
	uint32_t b = style->border;
	const struct {
		struct rect rect;
		xcb_gravity_t gravity;
	} strips[] = {
	    {{0, 0, STRIP_LENGTH, b}, XCB_GRAVITY_NORTH_WEST},
	    {{0, 0, b, STRIP_LENGTH}, XCB_GRAVITY_NORTH_WEST},
	    {{(int32_t)(outer.width - b), 0, b, STRIP_LENGTH}, XCB_GRAVITY_NORTH_EAST},
	    {{0, (int32_t)(outer.height - b), STRIP_LENGTH, b}, XCB_GRAVITY_SOUTH_WEST},
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(strips); i++)
		make_window(frame->display, frame->outer, strips[i].rect, style->label,
		    strips[i].gravity, false, XCB_EVENT_MASK_NO_EVENT);
}

void
frame_init(struct frame *frame, struct display *display, const struct frame_style *style,
    struct rect content, bool override_redirect)
{
	struct rect outer = frame_outer_of(style->border, content);
	int32_t b = (int32_t)style->border;

	frame->display = display;
	frame->border = style->border;
	frame->outer = make_window(display, display->root, outer, style->label,
	    XCB_GRAVITY_NORTH_WEST, override_redirect, OUTER_EVENTS);
	frame->inner =
	    make_window(display, frame->outer, (struct rect){b, b, content.width, content.height},
		style->background, XCB_GRAVITY_NORTH_WEST, false, INNER_EVENTS);
	frame->inner_mapped = frame->inner_fits = true;
	frame->inner_size = (struct rect){0, 0, content.width, content.height};
	make_strips(frame, style, outer);
	xcb_map_subwindows(display->connection, frame->outer);
}

static void
frame_resize_inner(struct frame *frame, uint32_t width, uint32_t height)
{
	uint32_t values[] = {width, height};

	if (frame->inner_size.width == width && frame->inner_size.height == height)
		return;
	frame->inner_size.width = width;
	frame->inner_size.height = height;
	xcb_configure_window(frame->display->connection, frame->inner,
	    XCB_CONFIG_WINDOW_WIDTH | XCB_CONFIG_WINDOW_HEIGHT, values);
}

static void
frame_show_inner(struct frame *frame, bool show)
{
	if (frame->inner_mapped == show)
		return;
	frame->inner_mapped = show;
	if (show)
		xcb_map_window(frame->display->connection, frame->inner);
	else
		xcb_unmap_window(frame->display->connection, frame->inner);
}

void
frame_fit(struct frame *frame, uint32_t outer_width, uint32_t outer_height)
{
	struct rect content =
	    frame_content_of(frame->border, (struct rect){0, 0, outer_width, outer_height});

	frame_resize_inner(frame, content.width, content.height);
	frame->inner_fits = outer_width > 2 * frame->border && outer_height > 2 * frame->border;
	frame_show_inner(frame, frame->inner_fits);
}

#endif

void
frame_map(struct frame *frame)
{
	frame_show_inner(frame, frame->inner_fits);
	xcb_map_window(frame->display->connection, frame->outer);
}

void
frame_unmap(struct frame *frame)
{
	frame_show_inner(frame, false);
	xcb_unmap_window(frame->display->connection, frame->outer);
}

void
frame_fini(struct frame *frame)
{
	frame_show_inner(frame, false);
	xcb_destroy_window(frame->display->connection, frame->outer);
}

void
frame_place(struct frame *frame, struct rect content)
{
	struct rect outer = frame_outer_of(frame->border, content);
	uint32_t values[] = {(uint32_t)outer.x, (uint32_t)outer.y, outer.width, outer.height};

	frame->configure_request = xcb_configure_window(frame->display->connection, frame->outer,
	    XCB_CONFIG_WINDOW_X | XCB_CONFIG_WINDOW_Y | XCB_CONFIG_WINDOW_WIDTH |
		XCB_CONFIG_WINDOW_HEIGHT,
	    values)
				       .sequence;
	/* Until the server or the window manager says otherwise. The strips guard the meantime. */
	frame_fit(frame, outer.width, outer.height);
}
