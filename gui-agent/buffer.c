#include "gui-agent/buffer.h"

#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <xcb/shm.h>

#define BYTES_PER_PIXEL 4

struct buffer_pool {
	const struct display *display; /* borrowed */
	struct region *region;         /* borrowed; NULL: no room */
	struct region_alloc *alloc;    /* owned */
	xcb_shm_seg_t segment;
};

static uint32_t
pages_for(unsigned width, unsigned height)
{
	uint64_t bytes = (uint64_t)width * height * BYTES_PER_PIXEL;

	return (uint32_t)((bytes + REGION_PAGE_BYTES - 1) / REGION_PAGE_BYTES);
}

unsigned
buffer_pool_rows(const struct buffer_pool *pool, unsigned width, unsigned height)
{
	uint64_t bytes = (uint64_t)region_alloc_largest(pool->alloc) * REGION_PAGE_BYTES;

	return (unsigned)MIN(height, bytes / ((uint64_t)width * BYTES_PER_PIXEL));
}

/* Pages for that many rows, and the right of the reader to see them. */
static int
take_pages(struct buffer_pool *pool, struct buffer *buffer, unsigned rows)
{
	int r = region_alloc_take(pool->alloc, pages_for(buffer->width, rows), &buffer->run);

	if (r < 0)
		return r;
	r = region_share_new(
	    pool->region, buffer->reader, buffer->run.first, buffer->run.count, &buffer->share);
	if (r < 0)
		region_alloc_give_back(pool->alloc, buffer->run);
	else
		buffer->height = rows;
	return r;
}

struct buffer *
buffer_new(struct buffer_pool *pool, uint32_t reader, unsigned width, unsigned height,
    unsigned least, unsigned depth)
{
	struct buffer *buffer = g_new0(struct buffer, 1);
	unsigned rows = height;

	buffer->reader = reader;
	buffer->width = width;
	least = MAX(least, 1);
	while (rows >= least && take_pages(pool, buffer, rows) < 0)
		rows = rows > least ? MAX(rows / 2, least) : 0;
	if (buffer->height == 0) {
		g_free(buffer);
		return NULL;
	}
	buffer->pixmap = xcb_generate_id(pool->display->xcb);
	xcb_shm_create_pixmap(pool->display->xcb, (xcb_pixmap_t)buffer->pixmap,
	    (xcb_drawable_t)pool->display->root, (uint16_t)width, (uint16_t)buffer->height,
	    (uint8_t)depth, pool->segment, (uint32_t)buffer->run.first * REGION_PAGE_BYTES);
	return buffer;
}

void
buffer_publish(struct buffer *buffer, unsigned x, unsigned y, unsigned width, unsigned height)
{
	uint64_t stride = (uint64_t)buffer->width * BYTES_PER_PIXEL;
	uint64_t from = y * stride + (uint64_t)x * BYTES_PER_PIXEL;

	if (width == buffer->width) {
		region_share_publish(buffer->share, from, height * stride);
		return;
	}
	for (unsigned row = 0; row < height; row++)
		region_share_publish(
		    buffer->share, from + row * stride, (size_t)width * BYTES_PER_PIXEL);
}

void
buffer_free(struct buffer_pool *pool, struct buffer *buffer)
{
	if (buffer == NULL)
		return;
	XFreePixmap(pool->display->x, buffer->pixmap);
	region_share_free(buffer->share);
	(void)fallocate(region_fd(pool->region), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	    (off_t)buffer->run.first * REGION_PAGE_BYTES,
	    (off_t)buffer->run.count * REGION_PAGE_BYTES);
	region_alloc_give_back(pool->alloc, buffer->run);
	g_free(buffer);
}

/* --- the region in the X server ------------------------------------------------------------ */

static bool
has_shared_pixmaps(xcb_connection_t *xcb)
{
	xcb_shm_query_version_reply_t *reply =
	    xcb_shm_query_version_reply(xcb, xcb_shm_query_version(xcb), NULL);
	bool has = reply != NULL && reply->shared_pixmaps &&
		   reply->pixmap_format == XCB_IMAGE_FORMAT_Z_PIXMAP &&
		   (reply->major_version > 1 || reply->minor_version >= 2);

	free(reply);
	return has;
}

static int
attach_region(struct buffer_pool *pool)
{
	xcb_connection_t *xcb = pool->display->xcb;
	xcb_generic_error_t *error;
	int fd;

	if (!has_shared_pixmaps(xcb)) {
		log_error("the X server of this qube has no pixmaps in shared memory");
		return -ENOTSUP;
	}
	fd = fcntl(region_fd(pool->region), F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	pool->segment = xcb_generate_id(xcb);
	error = xcb_request_check(/* it closes the descriptor */
	    xcb, xcb_shm_attach_fd_checked(xcb, pool->segment, fd, false));
	if (error != NULL) {
		log_error("the X server of this qube cannot map the memory region");
		free(error);
		return -ENOTSUP;
	}
	return 0;
}

int
buffer_pool_new(const struct display *display, struct region *region, struct buffer_pool **ret)
{
	struct buffer_pool *pool = g_new0(struct buffer_pool, 1);
	uint64_t pages = region != NULL ? region_size_bytes(region) / REGION_PAGE_BYTES : 0;
	int r;

	pool->display = display;
	pool->region = region;
	pool->alloc = region_alloc_new((uint32_t)pages);
	r = region != NULL ? attach_region(pool) : 0;
	if (r < 0) {
		buffer_pool_free(pool);
		return r;
	}
	*ret = pool;
	return 0;
}

void
buffer_pool_free(struct buffer_pool *pool)
{
	if (pool == NULL)
		return;
	region_alloc_free(pool->alloc);
	g_free(pool);
}
