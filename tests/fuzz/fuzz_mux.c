/*
 * What comes through the port of a virtual machine. The first byte chooses the sender, the rest is
 * the stream: it is hunted through for a greeting, as each side does, and what follows is read frame
 * by frame with the tag of that greeting; without one it is read from its beginning with TAG.
 * What is accepted must have the form that mux_decode.h promises and be written back byte for byte;
 * what is refused must leave the result alone.
 */
#include "shared/vchan/mux_decode.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define NONCE UINT64_C(0x3736353433323130) /* "01234567" */
#define TAG 0x30303030u                    /* "0000" */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t buffer[MUX_FRAME_MAX];

static void
check_written_back(const struct mux_frame *frame, uint32_t tag, const uint8_t *bytes, size_t len)
{
	size_t written;

	if (frame->type == MUX_DATA) {
		assert(frame->data == bytes + sizeof(struct mux_wire_header));
		memcpy(mux_data_at(buffer), frame->data, frame->data_len);
		written = mux_encode_data(frame->channel, frame->data_len, tag, buffer);
	} else {
		written = mux_encode(frame, tag, buffer);
	}
	assert(written == len && memcmp(buffer, bytes, len) == 0);
}

static void
check_frame(const struct mux_frame *frame, enum mux_side sender)
{
	bool is_answer = frame->type == MUX_OPENED || frame->type == MUX_REFUSED;

	assert(frame->type >= MUX_OPEN && frame->type <= MUX_BYE);
	assert(frame->channel < MUX_CHANNELS && (frame->type != MUX_BYE || frame->channel == 0));
	assert(!is_answer || sender == MUX_HOST);
	assert(frame->type != MUX_OPEN || sender == MUX_GUEST);
	assert(frame->type != MUX_OPEN || frame->role == MUX_LISTEN || frame->role == MUX_CONNECT);
	assert(frame->port <= 0x7fffffff);
	assert(frame->type == MUX_REFUSED ? frame->error < 0 && frame->error >= -4095
					  : frame->error == 0);
	assert(frame->type == MUX_CREDIT ? frame->credit >= 1 && frame->credit <= MUX_WINDOW
					 : frame->credit == 0);
	assert(frame->type == MUX_DATA ? frame->data_len >= 1 && frame->data_len <= MUX_DATA_MAX
				       : frame->data_len == 0);
}

static void
read_frames(const uint8_t *data, size_t size, enum mux_side sender, uint32_t tag)
{
	for (;;) {
		struct mux_frame frame, before;
		ssize_t n;

		memset(&frame, 0x5a, sizeof(frame));
		before = frame;
		n = mux_decode(untrusted_bytes_of(data, size), sender, tag, &frame);
		if (n <= 0) {
			assert(n == -EPROTO || (n == 0 && size < MUX_FRAME_MAX));
			assert(memcmp(&frame, &before, sizeof(frame)) == 0);
			return;
		}
		assert((size_t)n <= size);
		check_frame(&frame, sender);
		check_written_back(&frame, tag, data, (size_t)n);
		data += n;
		size -= (size_t)n;
	}
}

/* The length of the greeting at the beginning, as the decoders say; *ret_tag is what follows. */
static ssize_t
read_greeting(const uint8_t *data, size_t size, enum mux_side sender, uint32_t *ret_tag)
{
	struct mux_hello hello = {0};
	uint64_t nonce = 0;
	ssize_t n;

	if (sender == MUX_GUEST) {
		n = mux_decode_request(untrusted_bytes_of(data, size), &nonce);
		assert(n > 0 ? (uint32_t)nonce != 0 : nonce == 0);
		*ret_tag = (uint32_t)nonce;
	} else {
		n = mux_decode_hello(untrusted_bytes_of(data, size), NONCE, &hello);
		assert(n > 0 ? hello.session != 0 : hello.session == 0);
		assert(hello.conf_len <= MUX_CONF_MAX);
		*ret_tag = hello.session;
	}
	assert(n <= (ssize_t)size);
	assert(n != 0 || size < MUX_SMALL_MAX + MUX_CONF_MAX);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum mux_side sender;
	uint32_t tag;
	ssize_t n;

	if (size == 0)
		return 0;
	sender = data[0] % 2 == 0 ? MUX_HOST : MUX_GUEST;
	data++;
	size--;
	read_frames(data, size, sender, TAG);
	while (size > 0) {
		size_t skip = mux_hunt(untrusted_bytes_of(data, size), sender);

		assert(skip <= size);
		data += skip;
		size -= skip;
		n = read_greeting(data, size, sender, &tag);
		if (n == 0)
			return 0;
		if (n > 0)
			read_frames(data + n, size - (size_t)n, sender, tag);
		data += n > 0 ? n : 1;
		size -= n > 0 ? (size_t)n : 1;
	}
	return 0;
}
