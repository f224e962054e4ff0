#include "shared/vchan/mux_buffer.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

void
mux_buffer_init(struct mux_buffer *buffer, size_t size)
{
	*buffer = (struct mux_buffer){.bytes = g_malloc(size), .size = size};
}

void
mux_buffer_fini(struct mux_buffer *buffer)
{
	g_free(buffer->bytes);
}

void
mux_buffer_clear(struct mux_buffer *buffer)
{
	buffer->start = buffer->used = 0;
}

size_t
mux_buffer_room(const struct mux_buffer *buffer)
{
	return buffer->size - buffer->start - buffer->used;
}

uint8_t *
mux_buffer_end(const struct mux_buffer *buffer)
{
	return buffer->bytes + buffer->start + buffer->used;
}

void
mux_buffer_add(struct mux_buffer *buffer, size_t len)
{
	buffer->used += len;
}

void
mux_buffer_set_zeros(struct mux_buffer *buffer, size_t len)
{
	buffer->start = 0;
	buffer->used = len;
	memset(buffer->bytes, 0, len);
}

struct untrusted_bytes
mux_buffer_content(const struct mux_buffer *buffer)
{
	return untrusted_bytes_of(buffer->bytes + buffer->start, buffer->used);
}

void
mux_buffer_take(struct mux_buffer *buffer, size_t len)
{
	buffer->start += len;
	buffer->used -= len;
}

void
mux_buffer_wipe_rest(struct mux_buffer *buffer)
{
	explicit_bzero(buffer->bytes, buffer->start);
	explicit_bzero(mux_buffer_end(buffer), mux_buffer_room(buffer));
}

int
mux_buffer_read(struct mux_buffer *buffer, int fd)
{
	ssize_t n;

	if (buffer->used > 0 && buffer->start > 0)
		memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->used);
	buffer->start = 0;
	do
		n = read(fd, mux_buffer_end(buffer), mux_buffer_room(buffer));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -ENOTCONN;
	buffer->used += (size_t)n;
	return 0;
}

int
mux_buffer_write(struct mux_buffer *buffer, int fd)
{
	while (buffer->used > 0) {
		ssize_t n = write(fd, buffer->bytes + buffer->start, buffer->used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		mux_buffer_take(buffer, (size_t)n);
	}
	buffer->start = 0;
	return 0;
}
