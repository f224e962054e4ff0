/*
 * mux_buffer - bytes between the port and the frames: those that came and are no whole frame yet, or
 * those that the port has not taken yet.
 *
 * Shape:  one run of bytes in memory of a fixed size. Bytes are put at its end and taken from its
 *         start; room is what is left behind the end, so that an encoder can write there.
 */
#ifndef SHARED_VCHAN_MUX_BUFFER_H
#define SHARED_VCHAN_MUX_BUFFER_H

#include "shared/untrusted.h"

#include <stddef.h>
#include <stdint.h>

struct mux_buffer {
	uint8_t *bytes;           /* owned */
	size_t size, start, used; /* bytes */
};

void mux_buffer_init(struct mux_buffer *buffer, size_t size);
void mux_buffer_fini(struct mux_buffer *buffer);
/* Nothing is in it afterwards; the memory keeps what was. */
void mux_buffer_clear(struct mux_buffer *buffer);

size_t mux_buffer_room(const struct mux_buffer *buffer);
/* Where the next byte belongs; mux_buffer_add() says how many were written there, room at most. */
uint8_t *mux_buffer_end(const struct mux_buffer *buffer);
void mux_buffer_add(struct mux_buffer *buffer, size_t len);
/* In place of all that is in it: len zeros. */
void mux_buffer_set_zeros(struct mux_buffer *buffer, size_t len);

/* Borrowed until the next call that changes the buffer. */
struct untrusted_bytes mux_buffer_content(const struct mux_buffer *buffer);
/* len: what of the content is done with, all at most. */
void mux_buffer_take(struct mux_buffer *buffer, size_t len);
/* Wipes all memory of the buffer that holds no content. */
void mux_buffer_wipe_rest(struct mux_buffer *buffer);

/* One read, of as much as there is room for. 0; -EAGAIN; -ENOTCONN at the end; a negative errno. */
int mux_buffer_read(struct mux_buffer *buffer, int fd);
/* As much as fd takes. 0, also when some is left; or a negative errno. */
int mux_buffer_write(struct mux_buffer *buffer, int fd);

#endif
