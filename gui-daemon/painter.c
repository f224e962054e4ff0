#include "gui-daemon/painter.h"
#include "shared/log.h"

#include <errno.h>
#include <string.h>

#define MANY_ACKNOWLEDGEMENTS 1024

struct acknowledgement {
	enum gui_message type;
	struct guest_window window;
};

struct painter {
	struct display *display;       /* borrowed */
	struct outbox *outbox;         /* borrowed */
	struct pixels *pixels;         /* owned */
	struct window *screen;         /* borrowed from the guest; NULL: none */
	GQueue dirty;                  /* struct window, borrowed from the guest */
	GQueue acknowledgements;       /* struct acknowledgement, owned; see painter_is_full() */
	unsigned acknowledged_by_pass; /* so many of them go out when the pass is done */
	bool pass_under_way;
	guint source; /* 0: no pass is scheduled */
};

struct painter *
painter_new(struct display *display, struct outbox *outbox, struct pixels *pixels)
{
	struct painter *painter = g_new0(struct painter, 1);

	painter->display = display;
	painter->outbox = outbox;
	painter->pixels = pixels;
	g_queue_init(&painter->dirty);
	g_queue_init(&painter->acknowledgements);
	return painter;
}

void
painter_free(struct painter *painter)
{
	if (painter == NULL)
		return;
	if (painter->source != 0)
		g_source_remove(painter->source);
	display_forget(painter->display, painter);
	g_queue_clear(&painter->dirty);
	g_queue_clear_full(&painter->acknowledgements, g_free);
	pixels_free(painter->pixels);
	g_free(painter);
}

struct pixels *
painter_pixels(struct painter *painter)
{
	return painter->pixels;
}

/* --- one window --------------------------------------------------------------------------- */

/*
 * Where the window's pixels come from: its own surface, or the part of the guest's screen that it
 * covers; *ret_x, *ret_y is the place of its content in there.
 */
static const struct surface *
source_of(
    const struct painter *painter, const struct window *window, int32_t *ret_x, int32_t *ret_y)
{
	*ret_x = *ret_y = 0;
	if (window->surface != NULL || painter->screen == NULL)
		return window->surface;
	*ret_x = window->geometry.x;
	*ret_y = window->geometry.y;
	return painter->screen->surface;
}

/* Returns 0, or -EAGAIN with what is left of *rect. */
static int
paint_rect(struct painter *painter, struct window *window, struct rect *rect)
{
	const struct surface *surface;
	struct rect content = window->frame.inner_size, image = {0};
	struct rect part;
	int32_t x, y;
	int r;

	surface = source_of(painter, window, &x, &y);
	if (surface == NULL)
		return 0;
	image.width = surface_width(surface);
	image.height = surface_height(surface);
	part = rect_intersect(*rect, content);
	part.x += x;
	part.y += y;
	part = rect_intersect(part, image);
	if (rect_is_empty(part))
		return 0;
	r = pixels_put(
	    painter->pixels, surface, window->frame.inner, &part, part.x - x, part.y - y);
	if (r == -EAGAIN) {
		part.x -= x;
		part.y -= y;
		*rect = part;
		return r;
	}
	if (r < 0)
		log_debug("window 0x%x: reading its pixels: %s", window->id.id, strerror(-r));
	return 0;
}

static int
paint_window(struct painter *painter, struct window *window)
{
	struct damage *damage = &window->damage;

	while (damage->count > 0) {
		int r = paint_rect(painter, window, &damage->rects[damage->count - 1]);

		if (r < 0)
			return r;
		damage->count--;
	}
	return 0;
}

/* --- passes ------------------------------------------------------------------------------- */

static void schedule(struct painter *painter);

static void
on_pass_done(void *data, const void *reply)
{
	struct painter *painter = data;

	(void)reply;
	painter->pass_under_way = false;
	pixels_pass_done(painter->pixels);
	for (; painter->acknowledged_by_pass > 0; painter->acknowledged_by_pass--) {
		g_autofree struct acknowledgement *ack =
		    g_queue_pop_head(&painter->acknowledgements);

		outbox_send(painter->outbox, OUTBOX_MUST, ack->type, ack->window, NULL, 0);
	}
	schedule(painter);
}

static gboolean
on_pass(gpointer data)
{
	struct painter *painter = data;
	struct window *window;

	painter->source = 0;
	while ((window = g_queue_peek_head(&painter->dirty)) != NULL) {
		if (paint_window(painter, window) == -EAGAIN)
			break;
		window->dirty = false;
		g_queue_pop_head(&painter->dirty);
	}
	painter->acknowledged_by_pass = painter->acknowledgements.length;
	painter->pass_under_way = true;
	display_fence(painter->display, on_pass_done, painter);
	return G_SOURCE_REMOVE;
}

/* Once per turn of the main loop, in turn with the X connection and the vchan. */
static void
schedule(struct painter *painter)
{
	if (painter->pass_under_way || painter->source != 0)
		return;
	if (painter->dirty.length == 0 && painter->acknowledgements.length == 0)
		return;
	painter->source = g_idle_add_full(G_PRIORITY_DEFAULT, on_pass, painter, NULL);
}

void
painter_damage(struct painter *painter, struct window *window, struct rect rect)
{
	damage_add(&window->damage, rect);
	if (!window->dirty) {
		window->dirty = true;
		g_queue_push_tail(&painter->dirty, window);
	}
	schedule(painter);
}

void
painter_set_screen(struct painter *painter, struct window *screen)
{
	painter->screen = screen;
}

void
painter_acknowledge(struct painter *painter, enum gui_message type, struct guest_window window)
{
	struct acknowledgement *ack = g_new0(struct acknowledgement, 1);

	ack->type = type;
	ack->window = window;
	g_queue_push_tail(&painter->acknowledgements, ack);
	schedule(painter);
}

bool
painter_is_full(const struct painter *painter)
{
	return painter->acknowledgements.length > MANY_ACKNOWLEDGEMENTS;
}

void
painter_forget(struct painter *painter, struct window *window)
{
	if (window->dirty)
		g_queue_remove(&painter->dirty, window);
	window->dirty = false;
	if (painter->screen == window)
		painter->screen = NULL;
}
