#include "gui-daemon/pixels.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xcb/shm.h>

#define BYTES_PER_PIXEL 4
/* Two full screens of 1920x1080, or a row of the largest window many times over. */
#define BUFFER_BYTES (16u << 20)
#define ROWS_PER_PASS 65536 /* that we read ourselves: each may be a call of its own */

struct pixels {
	struct display *display;
	struct region *region;        /* owned; NULL: none */
	xcb_shm_seg_t region_segment; /* 0: not attached */

	uint8_t *buffer; /* owned; BUFFER_BYTES, made when first needed */
	bool buffer_is_shared;
	xcb_shm_seg_t buffer_segment; /* 0: the buffer goes over the connection */
	size_t buffer_used;           /* bytes of this pass */
	uint32_t rows_read;           /* of this pass */
};

/* Attaches read-only; xcb takes the descriptor. Returns 0 when the server does not want it. */
static xcb_shm_seg_t
attach(struct display *display, int fd)
{
	xcb_shm_seg_t segment = xcb_generate_id(display->connection);
	xcb_generic_error_t *error = xcb_request_check(
	    display->connection, xcb_shm_attach_fd_checked(display->connection, segment, fd, true));

	if (error == NULL)
		return segment;
	free(error);
	return 0;
}

static void
attach_region(struct pixels *pixels)
{
	int fd;

	if (pixels->region == NULL || region_fd(pixels->region) < 0 || !pixels->display->can_share)
		return;
	fd = fcntl(region_fd(pixels->region), F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return;
	pixels->region_segment = attach(pixels->display, fd);
	if (pixels->region_segment == 0)
		log_warn("the X server does not take the region; pixels are copied once more");
}

struct pixels *
pixels_new(struct display *display, struct region *region)
{
	struct pixels *pixels = g_new0(struct pixels, 1);

	pixels->display = display;
	pixels->region = region;
	attach_region(pixels);
	return pixels;
}

void
pixels_free(struct pixels *pixels)
{
	if (pixels == NULL)
		return;
	if (pixels->region_segment != 0)
		xcb_shm_detach(pixels->display->connection, pixels->region_segment);
	if (pixels->buffer_segment != 0)
		xcb_shm_detach(pixels->display->connection, pixels->buffer_segment);
	if (pixels->buffer_is_shared)
		munmap(pixels->buffer, BUFFER_BYTES);
	else
		g_free(pixels->buffer);
	region_free(pixels->region);
	g_free(pixels);
}

int
pixels_find_surface(struct pixels *pixels, const struct gui_window_dump *dump, struct surface **ret)
{
	if (pixels->region == NULL)
		return -ENODEV;
	return surface_new(pixels->region, dump, ret);
}

/* --- the way through our own buffer ------------------------------------------------------- */

static bool
make_shared_buffer(struct pixels *pixels)
{
	void *map;
	int fd = memfd_create("guid-pixels", MFD_CLOEXEC);

	if (fd < 0)
		return false;
	if (ftruncate(fd, BUFFER_BYTES) < 0) {
		close(fd);
		return false;
	}
	map = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		close(fd);
		return false;
	}
	pixels->buffer_segment = attach(pixels->display, fd);
	if (pixels->buffer_segment == 0) {
		munmap(map, BUFFER_BYTES);
		return false;
	}
	pixels->buffer = map;
	pixels->buffer_is_shared = true;
	return true;
}

static void
make_buffer(struct pixels *pixels)
{
	if (pixels->buffer != NULL)
		return;
	if (!pixels->display->can_share || !make_shared_buffer(pixels))
		pixels->buffer = g_malloc(BUFFER_BYTES);
}

/* Rows of rect that fit what is left of the pass, and one request. */
static uint32_t
rows_that_fit(const struct pixels *pixels, struct rect rect)
{
	size_t room = BUFFER_BYTES - pixels->buffer_used;
	uint32_t rows = MIN(rect.height, ROWS_PER_PASS - pixels->rows_read);
	size_t request;

	if (pixels->buffer_segment == 0) {
		request = (size_t)xcb_get_maximum_request_length(pixels->display->connection) * 4 -
			  sizeof(xcb_put_image_request_t) - 8;
		room = MIN(room, request);
	}
	return (uint32_t)MIN(room / ((size_t)rect.width * BYTES_PER_PIXEL), rows);
}

static int
read_rows(const struct surface *surface, struct rect rect, uint8_t *to)
{
	uint64_t stride = (uint64_t)surface_width(surface) * BYTES_PER_PIXEL;
	uint64_t from = (uint64_t)rect.y * stride + (uint64_t)rect.x * BYTES_PER_PIXEL;
	size_t row = (size_t)rect.width * BYTES_PER_PIXEL;
	int r;

	if (row == stride)
		return surface_read(surface, from, to, row * rect.height);
	for (uint32_t i = 0; i < rect.height; i++) {
		r = surface_read(surface, from + i * stride, to + i * row, row);
		if (r < 0)
			return r;
	}
	return 0;
}

static void
put_buffer(struct pixels *pixels, xcb_drawable_t drawable, size_t offset, struct rect at)
{
	struct display *display = pixels->display;
	uint16_t width = (uint16_t)at.width, height = (uint16_t)at.height;

	if (pixels->buffer_segment != 0)
		xcb_shm_put_image(display->connection, drawable, display->gc, width, height, 0, 0,
		    width, height, (int16_t)at.x, (int16_t)at.y, DISPLAY_DEPTH,
		    XCB_IMAGE_FORMAT_Z_PIXMAP, 0, pixels->buffer_segment, (uint32_t)offset);
	else
		xcb_put_image(display->connection, XCB_IMAGE_FORMAT_Z_PIXMAP, drawable, display->gc,
		    width, height, (int16_t)at.x, (int16_t)at.y, 0, DISPLAY_DEPTH,
		    (uint32_t)(at.width * at.height * BYTES_PER_PIXEL), pixels->buffer + offset);
}

static int
put_copied(struct pixels *pixels, const struct surface *surface, xcb_drawable_t drawable,
    struct rect *rect, int32_t at_x, int32_t at_y)
{
	make_buffer(pixels);
	while (rect->height > 0) {
		struct rect band = *rect;
		size_t offset = pixels->buffer_used;
		int r;

		band.height = rows_that_fit(pixels, *rect);
		if (band.height == 0)
			return -EAGAIN;
		r = read_rows(surface, band, pixels->buffer + offset);
		if (r < 0)
			return r;
		pixels->rows_read += band.height;
		pixels->buffer_used += (size_t)band.width * band.height * BYTES_PER_PIXEL;
		put_buffer(
		    pixels, drawable, offset, (struct rect){at_x, at_y, band.width, band.height});
		rect->y += (int32_t)band.height;
		rect->height -= band.height;
		at_y += (int32_t)band.height;
	}
	return 0;
}

int
pixels_put(struct pixels *pixels, const struct surface *surface, xcb_drawable_t drawable,
    struct rect *rect, int32_t at_x, int32_t at_y)
{
	struct display *display = pixels->display;
	uint64_t offset;

	if (pixels->region_segment == 0 || !surface_run(surface, &offset))
		return put_copied(pixels, surface, drawable, rect, at_x, at_y);
	xcb_shm_put_image(display->connection, drawable, display->gc,
	    (uint16_t)surface_width(surface), (uint16_t)surface_height(surface), (uint16_t)rect->x,
	    (uint16_t)rect->y, (uint16_t)rect->width, (uint16_t)rect->height, (int16_t)at_x,
	    (int16_t)at_y, DISPLAY_DEPTH, XCB_IMAGE_FORMAT_Z_PIXMAP, 0, pixels->region_segment,
	    (uint32_t)offset);
	return 0;
}

void
pixels_pass_done(struct pixels *pixels)
{
	pixels->buffer_used = 0;
	pixels->rows_read = 0;
}
