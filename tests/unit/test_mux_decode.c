#include "shared/vchan/mux_decode.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define TAG 0xa1b2c3d4u
#define NONCE UINT64_C(0x1122334455667788)

/* A frame of any form, also wrong ones. */
struct raw_frame {
	uint8_t bytes[MUX_FRAME_MAX + 64];
	size_t len;
};

static struct raw_frame
raw(uint32_t type, uint32_t channel, const void *body, uint32_t len, uint32_t tag)
{
	const struct mux_wire_header header = {type, channel, len};
	struct raw_frame frame = {.len = MUX_OVERHEAD + len};

	assert_true(frame.len <= sizeof(frame.bytes));
	memcpy(frame.bytes, &header, sizeof(header));
	if (body != NULL)
		memcpy(frame.bytes + sizeof(header), body, len);
	memcpy(frame.bytes + sizeof(header) + len, &tag, sizeof(tag));
	return frame;
}

static ssize_t
decode(struct raw_frame frame, enum mux_side sender, struct mux_frame *ret)
{
	return mux_decode(untrusted_bytes_of(frame.bytes, frame.len), sender, TAG, ret);
}

static bool
is_accepted(struct raw_frame frame, enum mux_side sender)
{
	struct mux_frame ret, before;
	ssize_t n;

	memset(&ret, 0x5a, sizeof(ret));
	before = ret;
	n = decode(frame, sender, &ret);
	if (n == (ssize_t)frame.len)
		return true;
	assert_int_equal(n, -EPROTO);
	assert_memory_equal(&ret, &before, sizeof(ret));
	return false;
}

/* One good frame of each type. */
static const struct mux_frame samples[] = {
    {.type = MUX_OPEN, .channel = 3, .role = MUX_CONNECT, .peer = 9, .port = 512},
    {.type = MUX_OPENED, .channel = 3},
    {.type = MUX_REFUSED, .channel = 3, .error = -ENOENT},
    {.type = MUX_CREDIT, .channel = 3, .credit = 4096},
    {.type = MUX_CLOSE, .channel = 3},
    {.type = MUX_BYE},
};

static enum mux_side
sender_of(enum mux_type type)
{
	return type == MUX_OPENED || type == MUX_REFUSED ? MUX_HOST : MUX_GUEST;
}

static struct raw_frame
encoded(const struct mux_frame *frame)
{
	struct raw_frame ret = {0};

	ret.len = mux_encode(frame, TAG, ret.bytes);
	assert_true(ret.len <= MUX_SMALL_MAX);
	return ret;
}

static void
what_is_written_is_what_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
		struct mux_frame frame;
		struct raw_frame bytes = encoded(&samples[i]);

		assert_int_equal(decode(bytes, sender_of(samples[i].type), &frame), bytes.len);
		assert_memory_equal(&frame, &samples[i], sizeof(frame));
	}
}

static void
frame_waits_for_its_last_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
		struct raw_frame bytes = encoded(&samples[i]);
		struct mux_frame frame;

		for (size_t len = 0; len < bytes.len; len++)
			assert_int_equal(mux_decode(untrusted_bytes_of(bytes.bytes, len),
					     sender_of(samples[i].type), TAG, &frame),
			    0);
		memset(bytes.bytes + bytes.len, 0xff, 20); /* and does not look beyond */
		bytes.len += 20;
		assert_int_equal(decode(bytes, sender_of(samples[i].type), &frame), bytes.len - 20);
	}
}

static void
each_side_sends_its_own_types_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
		enum mux_type type = samples[i].type;
		bool both = type >= MUX_CREDIT;

		assert_int_equal(is_accepted(encoded(&samples[i]), MUX_HOST),
		    both || sender_of(type) == MUX_HOST);
		assert_int_equal(is_accepted(encoded(&samples[i]), MUX_GUEST),
		    both || sender_of(type) == MUX_GUEST);
	}
}

static void
types_have_both_bounds_and_greetings_are_none(void **state)
{
	(void)state;
	assert_false(is_accepted(raw(0, 0, NULL, 0, TAG), MUX_GUEST));
	assert_false(is_accepted(raw(MUX_REQUEST, MUX_MAGIC, NULL, 0, TAG), MUX_GUEST));
	assert_false(is_accepted(raw(MUX_HELLO, MUX_MAGIC, NULL, 0, TAG), MUX_HOST));
	assert_true(is_accepted(raw(MUX_BYE, 0, NULL, 0, TAG), MUX_GUEST));
	assert_false(is_accepted(raw(MUX_BYE + 1, 0, NULL, 0, TAG), MUX_GUEST));
	assert_false(is_accepted(raw(UINT32_MAX, 0, NULL, 0, TAG), MUX_GUEST));
}

static void
channels_end_at_511_and_bye_has_none(void **state)
{
	(void)state;
	assert_true(is_accepted(raw(MUX_CLOSE, MUX_CHANNELS - 1, NULL, 0, TAG), MUX_GUEST));
	assert_false(is_accepted(raw(MUX_CLOSE, MUX_CHANNELS, NULL, 0, TAG), MUX_GUEST));
	assert_false(is_accepted(raw(MUX_CLOSE, UINT32_MAX, NULL, 0, TAG), MUX_GUEST));
	assert_false(is_accepted(raw(MUX_BYE, 1, NULL, 0, TAG), MUX_GUEST));
}

static void
body_has_exactly_its_length(void **state)
{
	static const struct {
		enum mux_type type;
		uint32_t len;
	} bodies[] = {
	    {MUX_OPEN, 12}, {MUX_OPENED, 0}, {MUX_REFUSED, 4}, {MUX_CREDIT, 4}, {MUX_CLOSE, 0}};
	const uint32_t body[4] = {1, 1, 1, 1};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bodies); i++) {
		for (uint32_t len = 0; len <= sizeof(body); len++)
			assert_int_equal(is_accepted(raw(bodies[i].type, 0, body, len, TAG),
					     sender_of(bodies[i].type)),
			    len == bodies[i].len);
	}
}

/* A length that is too great is refused at once: nobody waits for gigabytes. */
static void
wrong_header_is_refused_before_the_body_is_there(void **state)
{
	const struct mux_wire_header headers[] = {
	    {MUX_DATA, 0, MUX_DATA_MAX + 1},
	    {MUX_DATA, 0, UINT32_MAX},
	    {MUX_DATA, 0, 0},
	    {MUX_OPEN, 0, 13},
	    {MUX_CLOSE, MUX_CHANNELS, 0},
	};
	struct mux_frame frame;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(headers); i++)
		assert_int_equal(mux_decode(untrusted_bytes_of(&headers[i], sizeof(headers[i])),
				     MUX_GUEST, TAG, &frame),
		    -EPROTO);
}

static void
data_has_both_bounds(void **state)
{
	static uint8_t payload[MUX_DATA_MAX + 1];
	struct mux_frame frame;
	struct raw_frame bytes;

	(void)state;
	assert_false(is_accepted(raw(MUX_DATA, 0, payload, 0, TAG), MUX_HOST));
	assert_true(is_accepted(raw(MUX_DATA, 0, payload, 1, TAG), MUX_HOST));
	assert_true(is_accepted(raw(MUX_DATA, 0, payload, MUX_DATA_MAX, TAG), MUX_HOST));
	assert_false(is_accepted(raw(MUX_DATA, 0, payload, MUX_DATA_MAX + 1, TAG), MUX_HOST));

	memcpy(mux_data_at(bytes.bytes), "payload", 7);
	bytes.len = mux_encode_data(511, 7, TAG, bytes.bytes);
	assert_int_equal(decode(bytes, MUX_GUEST, &frame), 7 + MUX_OVERHEAD);
	assert_int_equal(frame.channel, 511);
	assert_int_equal(frame.data_len, 7);
	assert_memory_equal(frame.data, "payload", 7);
	memset(mux_data_at(bytes.bytes), 0, MUX_DATA_MAX);
	assert_int_equal(mux_encode_data(511, MUX_DATA_MAX, TAG, bytes.bytes), MUX_FRAME_MAX);
}

static void
only_the_tag_of_the_session_is_accepted(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 32; bit++)
		assert_false(is_accepted(raw(MUX_CLOSE, 0, NULL, 0, TAG ^ (1u << bit)), MUX_GUEST));
	assert_false(is_accepted(raw(MUX_CLOSE, 0, NULL, 0, 0), MUX_GUEST));
}

static bool
open_is_accepted(uint32_t role, uint32_t peer, uint32_t port)
{
	const struct mux_wire_open open = {role, peer, port};

	return is_accepted(raw(MUX_OPEN, 0, &open, sizeof(open), TAG), MUX_GUEST);
}

static void
open_has_both_bounds_of_each_field(void **state)
{
	(void)state;
	assert_false(open_is_accepted(0, 0, 0));
	assert_true(open_is_accepted(MUX_LISTEN, 0, 0));
	assert_true(open_is_accepted(MUX_CONNECT, UINT32_MAX, 0x7fffffff));
	assert_false(open_is_accepted(MUX_CONNECT + 1, 0, 0));
	assert_false(open_is_accepted(MUX_LISTEN, 0, 0x80000000));
}

static bool
number_is_accepted(enum mux_type type, uint32_t number)
{
	return is_accepted(raw(type, 0, &number, sizeof(number), TAG), MUX_HOST);
}

static void
errors_and_credits_have_both_bounds(void **state)
{
	(void)state;
	assert_false(number_is_accepted(MUX_REFUSED, 0));
	assert_true(number_is_accepted(MUX_REFUSED, 1));
	assert_true(number_is_accepted(MUX_REFUSED, 4095));
	assert_false(number_is_accepted(MUX_REFUSED, 4096));
	assert_false(number_is_accepted(MUX_CREDIT, 0));
	assert_true(number_is_accepted(MUX_CREDIT, 1));
	assert_true(number_is_accepted(MUX_CREDIT, MUX_WINDOW));
	assert_false(number_is_accepted(MUX_CREDIT, MUX_WINDOW + 1));
}

static void
break_ends_every_frame_that_was_begun(void **state)
{
	static uint8_t stream[2 * MUX_FRAME_MAX];
	size_t len = mux_encode_data(0, MUX_DATA_MAX, TAG, stream);
	struct mux_frame frame;

	(void)state;
	memset(mux_data_at(stream), 'x', MUX_DATA_MAX);
	for (size_t cut = 0; cut < len; cut += cut < 20 || cut >= len - 20 ? 1 : 997) {
		g_autofree uint8_t *copy = g_malloc0(sizeof(stream));

		memcpy(copy, stream, cut);
		assert_int_equal(mux_decode(untrusted_bytes_of(copy, cut + MUX_FRAME_MAX), MUX_HOST,
				     TAG, &frame),
		    -EPROTO);
	}
}

/* --- greetings ------------------------------------------------------------------------------- */

static ssize_t
decode_request(const uint8_t *bytes, size_t len)
{
	uint64_t nonce = 0;
	ssize_t n = mux_decode_request(untrusted_bytes_of(bytes, len), &nonce);

	assert_true(n > 0 ? nonce == NONCE : nonce == 0);
	return n;
}

static void
request_is_read_back_and_nothing_like_it(void **state)
{
	uint8_t good[MUX_SMALL_MAX + 1] = {0}, bad[MUX_SMALL_MAX];
	size_t len = mux_encode_request(NONCE, good);

	(void)state;
	assert_int_equal(decode_request(good, len), len);
	assert_int_equal(decode_request(good, len + 1), len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(decode_request(good, i), 0);
	for (size_t i = 0; i < len; i++) {
		memcpy(bad, good, len);
		bad[i] ^= 0x40;
		if (i >= 24 && i < 28)
			continue; /* the high half of the number, which is free */
		assert_int_equal(
		    decode_request(bad, len), i >= 12 && i < 16 ? -EPROTONOSUPPORT : -EPROTO);
	}
	mux_encode_request(NONCE << 32, bad); /* a tag that a break could have made */
	assert_int_equal(decode_request(bad, len), -EPROTO);
}

static ssize_t
decode_hello(const uint8_t *bytes, size_t len, struct mux_hello *ret)
{
	return mux_decode_hello(untrusted_bytes_of(bytes, len), NONCE, ret);
}

static void
hello_is_read_back_with_its_text(void **state)
{
	static char conf[MUX_CONF_MAX];
	static uint8_t bytes[MUX_SMALL_MAX + MUX_CONF_MAX];
	struct mux_hello hello;

	(void)state;
	memset(conf, 'c', sizeof(conf));
	for (size_t conf_len = 0; conf_len <= MUX_CONF_MAX; conf_len += 512) {
		size_t len = mux_encode_hello(TAG, NONCE, conf, conf_len, bytes);

		for (size_t i = 0; i < len; i += i < 64 ? 1 : 61)
			assert_int_equal(decode_hello(bytes, i, &hello), 0);
		assert_int_equal(decode_hello(bytes, len, &hello), len);
		assert_int_equal(hello.session, TAG);
		assert_int_equal(hello.conf_len, conf_len);
		assert_memory_equal(hello.conf, conf, conf_len);
	}
}

/* Bytes of another time may hold what a peer made up: it cannot know our number. */
static void
vch_03_hello_that_answers_another_request_is_none(void **state)
{
	uint8_t bytes[MUX_SMALL_MAX + 16];
	struct mux_hello hello;
	size_t len;

	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		len = mux_encode_hello(TAG, NONCE ^ (UINT64_C(1) << bit), "conf", 4, bytes);
		assert_int_equal(decode_hello(bytes, len, &hello), -EPROTO);
		/* Not even waited for. */
		assert_int_equal(decode_hello(bytes, len - 8, &hello), -EPROTO);
	}
}

static void
hello_has_the_bounds_of_each_field(void **state)
{
	static struct raw_frame frame;
	struct mux_wire_hello wire = {MUX_VERSION, TAG, NONCE};
	static uint8_t body[sizeof(wire) + MUX_CONF_MAX + 1];
	struct mux_hello hello;

	(void)state;
	memcpy(body, &wire, sizeof(wire));
	frame = raw(MUX_HELLO, MUX_MAGIC, body, sizeof(wire) + MUX_CONF_MAX, TAG);
	assert_int_equal(decode_hello(frame.bytes, frame.len, &hello), frame.len);
	frame = raw(MUX_HELLO, MUX_MAGIC, body, sizeof(wire) + MUX_CONF_MAX + 1, TAG);
	assert_int_equal(decode_hello(frame.bytes, frame.len, &hello), -EPROTO);
	frame = raw(MUX_HELLO, MUX_MAGIC, body, sizeof(wire) - 1, TAG);
	frame.len += 8;
	assert_int_equal(decode_hello(frame.bytes, frame.len, &hello), -EPROTO);
	frame = raw(MUX_HELLO, MUX_MAGIC, body, sizeof(wire), TAG ^ 1);
	assert_int_equal(decode_hello(frame.bytes, frame.len, &hello), -EPROTO);
	wire.version = MUX_VERSION + 1;
	frame = raw(MUX_HELLO, MUX_MAGIC, &wire, sizeof(wire), TAG);
	assert_int_equal(decode_hello(frame.bytes, frame.len, &hello), -EPROTO);
	wire = (struct mux_wire_hello){MUX_VERSION, 0, NONCE};
	frame = raw(MUX_HELLO, MUX_MAGIC, &wire, sizeof(wire), 0);
	assert_int_equal(decode_hello(frame.bytes, frame.len, &hello), -EPROTO);
}

static void
hunter_forgets_all_that_cannot_become_a_greeting(void **state)
{
	uint8_t stream[200] = {0};
	uint8_t request[MUX_SMALL_MAX];

	(void)state;
	mux_encode_request(NONCE, request);
	assert_int_equal(mux_hunt(untrusted_bytes_of(stream, 0), MUX_GUEST), 0);
	assert_int_equal(mux_hunt(untrusted_bytes_of(stream, 100), MUX_GUEST), 100);
	for (size_t at = 0; at < 100; at += 33) {
		for (size_t len = 1; len <= 32; len++) {
			memset(stream, 0, sizeof(stream));
			memcpy(stream + at, request, len);
			assert_int_equal(
			    mux_hunt(untrusted_bytes_of(stream, at + len), MUX_GUEST), at);
		}
	}
	/* The other side's greeting is none. */
	assert_int_equal(mux_hunt(untrusted_bytes_of(request, 8), MUX_HOST), 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_is_what_is_read),
	    cmocka_unit_test(frame_waits_for_its_last_byte),
	    cmocka_unit_test(each_side_sends_its_own_types_only),
	    cmocka_unit_test(types_have_both_bounds_and_greetings_are_none),
	    cmocka_unit_test(channels_end_at_511_and_bye_has_none),
	    cmocka_unit_test(body_has_exactly_its_length),
	    cmocka_unit_test(wrong_header_is_refused_before_the_body_is_there),
	    cmocka_unit_test(data_has_both_bounds),
	    cmocka_unit_test(only_the_tag_of_the_session_is_accepted),
	    cmocka_unit_test(open_has_both_bounds_of_each_field),
	    cmocka_unit_test(errors_and_credits_have_both_bounds),
	    cmocka_unit_test(break_ends_every_frame_that_was_begun),
	    cmocka_unit_test(request_is_read_back_and_nothing_like_it),
	    cmocka_unit_test(hello_is_read_back_with_its_text),
	    cmocka_unit_test(vch_03_hello_that_answers_another_request_is_none),
	    cmocka_unit_test(hello_has_the_bounds_of_each_field),
	    cmocka_unit_test(hunter_forgets_all_that_cannot_become_a_greeting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
