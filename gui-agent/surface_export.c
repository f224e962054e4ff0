#include "gui-agent/surface_export.h"

#include "gui-agent/buffer.h"

#include <X11/extensions/Xdamage.h>
#include <X11/extensions/Xfixes.h>
#include <stdlib.h>
#include <xcb/xcbext.h>
#include <xcb/xfixes.h>

#define CAPTURE_INTERVAL_US 8000
#define RETRY_INTERVAL_S 1 /* for want of pages that somebody else gives back */
#define MAX_UNACKNOWLEDGED 2
#define MAX_RECTANGLES 16 /* of one capture; more become the box around them */
#define BITS_PER_PIXEL 32

/* A buffer that the daemon may look at until it has acknowledged this many dumps of the window. */
struct retired {
	struct buffer *buffer; /* owned */
	unsigned until;
};

struct surface {
	struct surface_export *export; /* borrowed */
	Window window;
	Damage damage;
	unsigned depth;
	unsigned width, height; /* of the window, pixels, as far as a dump can go */
	bool shown;
	struct buffer *front;           /* owned; the newest picture, NULL before the first */
	bool announced;                 /* the daemon knows front */
	bool whole;                     /* the next capture copies everything */
	unsigned sent, acknowledged;    /* dumps, since the daemon came */
	GQueue retired;                 /* owned; struct retired *, oldest first */
	struct capture *capture;        /* in flight; borrowed from the export; NULL: none */
	GList dirty_link, starved_link; /* data is NULL when not in that list */
	gint64 next_us;                 /* not captured before */
};

struct capture {
	struct surface *surface; /* borrowed; NULL when its result is of no use any more */
	struct buffer *fresh;    /* owned; the next front, NULL: into the present front */
	bool whole;              /* everything was copied */
	xcb_xfixes_fetch_region_cookie_t cookie;
	bool done;
	xcb_xfixes_fetch_region_reply_t *reply; /* owned; NULL when the window has gone */
};

struct surface_export {
	const struct display *display; /* borrowed */
	struct link *link;             /* borrowed */
	struct buffer_pool *pool;      /* owned */
	XserverRegion parts;           /* of the capture that is being put together */
	GC gc24, gc32;                 /* owned; None until the first window of that depth */
	GQueue dirty;                  /* struct surface *: to be captured */
	GQueue starved;                /* struct surface *: for want of pages */
	GQueue captures;               /* owned; struct capture *, oldest first */
	guint timer;                   /* 0: none */
	guint retry_timer;             /* 0: none; while somebody is starved */
};

/* --- buffers ------------------------------------------------------------------------------- */

static void feed_the_starved(struct surface_export *export);

static void
give_back(struct surface_export *export, struct buffer *buffer)
{
	if (buffer == NULL)
		return;
	buffer_free(export->pool, buffer);
	feed_the_starved(export);
}

/* Who will look at pictures; meaningless unless the daemon is there. */
static uint32_t
reader_of(const struct surface_export *export)
{
	return (uint32_t)link_gui_domain(export->link);
}

static bool
buffer_fits(const struct buffer *buffer, const struct surface *surface)
{
	return buffer != NULL && buffer->width == surface->width &&
	       buffer->height == surface->height && buffer->reader == reader_of(surface->export);
}

static void
retire(struct surface *surface, struct buffer *buffer)
{
	struct retired *retired = g_new(struct retired, 1);

	retired->buffer = buffer;
	retired->until = surface->sent + 1; /* the dump that comes next replaces it */
	g_queue_push_tail(&surface->retired, retired);
}

/* Comparing by difference, the counters may wrap. */
static void
free_retired(struct surface *surface, bool all)
{
	struct retired *oldest;

	while ((oldest = g_queue_peek_head(&surface->retired)) != NULL) {
		if (!all && (int)(surface->acknowledged - oldest->until) < 0)
			break;
		g_queue_pop_head(&surface->retired);
		give_back(surface->export, oldest->buffer);
		g_free(oldest);
	}
}

/* --- who waits for a capture --------------------------------------------------------------- */

static void
list_add(GQueue *list, GList *link, struct surface *surface)
{
	if (link->data != NULL)
		return;
	link->data = surface;
	g_queue_push_tail_link(list, link);
}

static void
list_remove(GQueue *list, GList *link)
{
	if (link->data == NULL)
		return;
	g_queue_unlink(list, link);
	link->data = NULL;
}

static void
mark_dirty(struct surface *surface)
{
	if (surface->shown)
		list_add(&surface->export->dirty, &surface->dirty_link, surface);
}

static void start_in(struct surface_export *export, gint64 wait_us);

static void
feed_the_starved(struct surface_export *export)
{
	struct surface *surface;

	while ((surface = g_queue_peek_head(&export->starved)) != NULL) {
		list_remove(&export->starved, &surface->starved_link);
		mark_dirty(surface);
		start_in(export, 0);
	}
}

static gboolean
on_retry_timer(gpointer data)
{
	struct surface_export *export = data;

	export->retry_timer = 0;
	feed_the_starved(export);
	return G_SOURCE_REMOVE;
}

static void
starve(struct surface *surface)
{
	struct surface_export *export = surface->export;

	list_add(&export->starved, &surface->starved_link, surface);
	if (export->retry_timer == 0)
		export->retry_timer =
		    g_timeout_add_seconds(RETRY_INTERVAL_S, on_retry_timer, export);
}

/* --- capture ------------------------------------------------------------------------------- */

static GC
new_gc(struct surface_export *export, unsigned depth)
{
	const struct display *display = export->display;
	XGCValues values = {.subwindow_mode = IncludeInferiors, .graphics_exposures = False};
	Pixmap pixmap = XCreatePixmap(display->x, display->root, 1, 1, depth);
	GC gc = XCreateGC(display->x, pixmap, GCSubwindowMode | GCGraphicsExposures, &values);

	XFreePixmap(display->x, pixmap);
	return gc;
}

static GC
gc_for(struct surface_export *export, unsigned depth)
{
	GC *gc = depth == 32 ? &export->gc32 : &export->gc24;

	if (*gc == NULL)
		*gc = new_gc(export, depth);
	return *gc;
}

static void
capture_free(struct surface_export *export, struct capture *capture)
{
	if (capture->surface != NULL)
		capture->surface->capture = NULL;
	give_back(export, capture->fresh);
	free(capture->reply);
	g_free(capture);
}

/* The result of the capture in flight is of no use any more; its damage is not seen again. */
static void
abandon_capture(struct surface *surface)
{
	if (surface->capture == NULL)
		return;
	surface->whole = true;
	surface->capture->surface = NULL;
	surface->capture = NULL;
}

static void
request_copy(struct surface *surface, struct capture *capture)
{
	struct surface_export *export = surface->export;
	const struct display *display = export->display;
	const struct buffer *target = capture->fresh != NULL ? capture->fresh : surface->front;
	GC gc = gc_for(export, surface->depth);

	XDamageSubtract(display->x, surface->damage, None, export->parts);
	if (capture->whole)
		XSetClipMask(display->x, gc, None);
	else
		XFixesSetGCClipRegion(display->x, gc, 0, 0, export->parts);
	XCopyArea(display->x, surface->window, target->pixmap, gc, 0, 0, target->width,
	    target->height, 0, 0);
	capture->cookie =
	    xcb_xfixes_fetch_region(display->xcb, (xcb_xfixes_region_t) export->parts);
}

static bool
is_starved(const struct surface *surface)
{
	return surface->starved_link.data != NULL;
}

/* Is a picture of the window's present size to be had? */
static bool
wants_buffer(const struct surface *surface)
{
	return !buffer_fits(surface->front, surface) && !is_starved(surface);
}

/* NULL when pages are short and what the window has is as good. */
static struct buffer *
better_buffer(struct surface *surface)
{
	struct surface_export *export = surface->export;
	const struct buffer *front = surface->front;
	unsigned rows = buffer_pool_rows(export->pool, surface->width, surface->height);
	unsigned least = 0;
	struct buffer *buffer;

	if (front != NULL && front->width == surface->width && front->reader == reader_of(export) &&
	    front->height < surface->height)
		least = front->height + 1;
	buffer = buffer_new(
	    export->pool, reader_of(export), surface->width, rows, least, surface->depth);
	if (buffer == NULL || buffer->height < surface->height)
		starve(surface);
	return buffer;
}

static void
begin_capture(struct surface *surface)
{
	struct surface_export *export = surface->export;
	struct capture *capture;
	struct buffer *fresh = NULL;

	if (wants_buffer(surface))
		fresh = better_buffer(surface);
	if (fresh == NULL && surface->front == NULL)
		return;
	capture = g_new0(struct capture, 1);
	capture->surface = surface;
	capture->fresh = fresh;
	capture->whole = surface->whole || fresh != NULL;
	request_copy(surface, capture);
	surface->whole = false;
	surface->capture = capture;
	g_queue_push_tail(&export->captures, capture);
}

/* Is there nothing that the surface has to wait for, but time? */
static bool
may_capture(const struct surface *surface)
{
	bool dumps = !surface->announced || wants_buffer(surface);

	return surface->capture == NULL && link_is_connected(surface->export->link) &&
	       !(dumps && surface->sent - surface->acknowledged >= MAX_UNACKNOWLEDGED);
}

static gboolean
on_timer(gpointer data)
{
	struct surface_export *export = data;

	export->timer = 0;
	surface_export_start(export);
	return G_SOURCE_REMOVE;
}

static void
start_in(struct surface_export *export, gint64 wait_us)
{
	if (export->timer == 0)
		export->timer = g_timeout_add((guint)((wait_us + 999) / 1000), on_timer, export);
}

void
surface_export_start(struct surface_export *export)
{
	gint64 now_us = g_get_monotonic_time(), due_us = G_MAXINT64;
	GList *next;

	if (link_is_congested(export->link))
		return;
	for (GList *link = export->dirty.head; link != NULL; link = next) {
		struct surface *surface = link->data;

		next = link->next;
		if (!may_capture(surface))
			continue;
		if (now_us < surface->next_us) {
			due_us = MIN(due_us, surface->next_us);
			continue;
		}
		list_remove(&export->dirty, &surface->dirty_link);
		surface->next_us = now_us + CAPTURE_INTERVAL_US;
		begin_capture(surface);
	}
	if (due_us != G_MAXINT64)
		start_in(export, due_us - now_us);
	xcb_flush(export->display->xcb);
}

/* --- results ------------------------------------------------------------------------------- */

static void
send_dump(struct surface *surface)
{
	const struct region_share *share = surface->front->share;
	struct gui_wire_window_dump dump = {
	    .type = GUI_DUMP_GRANT_REFS,
	    .width = surface->front->width,
	    .height = surface->front->height,
	    .bpp = BITS_PER_PIXEL,
	};

	surface->sent++;
	surface->announced = true;
	link_send_parts(surface->export->link, GUI_WINDOW_DUMP, (uint32_t)surface->window, &dump,
	    sizeof(dump), region_share_refs(share), region_share_count(share) * sizeof(uint32_t));
	if (link_version(surface->export->link) < GUI_VERSION(1, 7))
		surface_acknowledged(surface); /* that daemon never does */
}

/* What has changed, cut to the picture. */
struct parts {
	size_t count;
	struct gui_wire_shmimage parts[MAX_RECTANGLES];
};

static void
add_part(struct parts *parts, const struct buffer *buffer, int x, int y, int width, int height)
{
	int right = MIN(x + width, (int)buffer->width);
	int bottom = MIN(y + height, (int)buffer->height);
	struct gui_wire_shmimage part = {.x = MAX(x, 0), .y = MAX(y, 0)};

	if (right <= part.x || bottom <= part.y)
		return;
	part.width = (uint32_t)(right - part.x);
	part.height = (uint32_t)(bottom - part.y);
	parts->parts[parts->count++] = part;
}

static void
find_parts(const struct buffer *buffer, const struct capture *capture, struct parts *ret)
{
	const xcb_rectangle_t *rectangles = xcb_xfixes_fetch_region_rectangles(capture->reply);
	int count = xcb_xfixes_fetch_region_rectangles_length(capture->reply);

	ret->count = 0;
	if (capture->whole) {
		add_part(ret, buffer, 0, 0, (int)buffer->width, (int)buffer->height);
		return;
	}
	if (count > MAX_RECTANGLES) {
		rectangles = &capture->reply->extents;
		count = 1;
	}
	for (int i = 0; i < count; i++)
		add_part(ret, buffer, rectangles[i].x, rectangles[i].y, rectangles[i].width,
		    rectangles[i].height);
}

static void
publish_parts(struct buffer *buffer, const struct parts *parts)
{
	for (size_t i = 0; i < parts->count; i++)
		buffer_publish(buffer, (unsigned)parts->parts[i].x, (unsigned)parts->parts[i].y,
		    parts->parts[i].width, parts->parts[i].height);
}

static void
send_parts(struct surface *surface, const struct parts *parts)
{
	for (size_t i = 0; i < parts->count; i++)
		link_send(surface->export->link, GUI_SHMIMAGE, (uint32_t)surface->window,
		    &parts->parts[i], sizeof(parts->parts[i]));
}

static void
adopt_fresh(struct surface *surface, struct capture *capture)
{
	if (capture->fresh == NULL)
		return;
	if (surface->front != NULL)
		retire(surface, surface->front);
	surface->front = g_steal_pointer(&capture->fresh);
	surface->announced = false;
}

static void
use_result(struct surface *surface, struct capture *capture)
{
	struct parts parts;

	adopt_fresh(surface, capture);
	find_parts(surface->front, capture, &parts);
	publish_parts(surface->front, &parts);
	if (!surface->announced)
		send_dump(surface);
	send_parts(surface, &parts);
}

bool
surface_export_has_result(struct surface_export *export)
{
	struct capture *oldest = g_queue_peek_head(&export->captures);
	xcb_generic_error_t *error = NULL;
	void *reply = NULL;

	if (oldest == NULL)
		return false;
	if (!oldest->done &&
	    xcb_poll_for_reply(export->display->xcb, oldest->cookie.sequence, &reply, &error)) {
		oldest->done = true;
		oldest->reply = reply;
		free(error);
	}
	return oldest->done;
}

void
surface_export_finish(struct surface_export *export)
{
	while (surface_export_has_result(export)) {
		struct capture *capture = g_queue_pop_head(&export->captures);

		if (capture->surface != NULL && capture->reply != NULL)
			use_result(capture->surface, capture);
		capture_free(export, capture);
	}
}

/* --- surfaces ------------------------------------------------------------------------------ */

struct surface *
surface_new(
    struct surface_export *export, Window window, unsigned depth, unsigned width, unsigned height)
{
	struct surface *surface = g_new0(struct surface, 1);

	surface->export = export;
	surface->window = window;
	surface->depth = depth;
	surface->width = MIN(width, GUI_MAX_WIDTH);
	surface->height = MIN(height, GUI_MAX_HEIGHT);
	surface->whole = true;
	surface->damage = XDamageCreate(export->display->x, window, XDamageReportNonEmpty);
	g_queue_init(&surface->retired);
	return surface;
}

void
surface_free(struct surface *surface)
{
	if (surface == NULL)
		return;
	surface_show(surface, false);
	free_retired(surface, true);
	give_back(surface->export, surface->front);
	XDamageDestroy(surface->export->display->x, surface->damage);
	g_free(surface);
}

void
surface_resize(struct surface *surface, unsigned width, unsigned height)
{
	width = MIN(width, GUI_MAX_WIDTH);
	height = MIN(height, GUI_MAX_HEIGHT);
	if (surface->width == width && surface->height == height)
		return;
	surface->width = width;
	surface->height = height;
	list_remove(&surface->export->starved, &surface->starved_link);
	mark_dirty(surface);
}

void
surface_show(struct surface *surface, bool shown)
{
	bool has_pixels = surface->depth == 24 || surface->depth == 32;

	if (surface->shown == (shown && has_pixels))
		return;
	surface->shown = shown && has_pixels;
	if (surface->shown) {
		surface->whole = true;
		mark_dirty(surface);
		return;
	}
	surface->announced = false; /* the daemon lets go of the picture of a hidden window */
	abandon_capture(surface);
	list_remove(&surface->export->dirty, &surface->dirty_link);
	list_remove(&surface->export->starved, &surface->starved_link);
}

void
surface_damaged(struct surface *surface)
{
	mark_dirty(surface);
}

void
surface_acknowledged(struct surface *surface)
{
	if (surface->acknowledged == surface->sent)
		return; /* one too many: nothing of ours waits for it */
	surface->acknowledged++;
	free_retired(surface, false);
	if (surface->export->dirty.length > 0)
		start_in(surface->export, 0);
}

void
surface_forget_daemon(struct surface *surface)
{
	abandon_capture(surface);
	free_retired(surface, true);
	surface->announced = false;
	surface->sent = surface->acknowledged = 0;
}

void
surface_replay(struct surface *surface)
{
	if (!surface->shown)
		return;
	if (buffer_fits(surface->front, surface))
		send_dump(surface);
	surface->whole = true;
	surface->next_us = 0;
	mark_dirty(surface);
	start_in(surface->export, 0);
}

/* --- export -------------------------------------------------------------------------------- */

int
surface_export_new(const struct display *display, struct link *link, struct region *region,
    struct surface_export **ret)
{
	struct surface_export *export;
	struct buffer_pool *pool;
	int r;

	r = buffer_pool_new(display, region, &pool);
	if (r < 0)
		return r;
	export = g_new0(struct surface_export, 1);
	export->display = display;
	export->link = link;
	export->pool = pool;
	export->parts = XFixesCreateRegion(display->x, NULL, 0);
	*ret = export;
	return 0;
}

void
surface_export_free(struct surface_export *export)
{
	struct capture *capture;

	if (export == NULL)
		return;
	g_clear_handle_id(&export->timer, g_source_remove);
	g_clear_handle_id(&export->retry_timer, g_source_remove);
	while ((capture = g_queue_pop_head(&export->captures)) != NULL)
		capture_free(export, capture);
	if (export->gc24 != NULL)
		XFreeGC(export->display->x, export->gc24);
	if (export->gc32 != NULL)
		XFreeGC(export->display->x, export->gc32);
	XFixesDestroyRegion(export->display->x, export->parts);
	buffer_pool_free(export->pool);
	g_free(export);
}
