#include "shared/vchan/mux_decode.h"

#include <errno.h>
#include <string.h>

#define PORT_MAX 0x7fffffffu
#define ERROR_MAX 4095

#define FROM_HOST (1u << MUX_HOST)
#define FROM_GUEST (1u << MUX_GUEST)

/* clang-format off */
static const struct {
	unsigned senders;
	uint32_t min_len, max_len; /* of the body */
	uint32_t channels;         /* how many numbers there are */
} frame_types[] = {
	[MUX_OPEN]    = { FROM_GUEST,             12, 12,           MUX_CHANNELS },
	[MUX_OPENED]  = { FROM_HOST,              0,  0,            MUX_CHANNELS },
	[MUX_REFUSED] = { FROM_HOST,              4,  4,            MUX_CHANNELS },
	[MUX_DATA]    = { FROM_HOST | FROM_GUEST, 1,  MUX_DATA_MAX, MUX_CHANNELS },
	[MUX_CREDIT]  = { FROM_HOST | FROM_GUEST, 4,  4,            MUX_CHANNELS },
	[MUX_CLOSE]   = { FROM_HOST | FROM_GUEST, 0,  0,            MUX_CHANNELS },
	[MUX_BYE]     = { FROM_HOST | FROM_GUEST, 0,  0,            1 },
};
/* clang-format on */

static uint32_t
u32_at(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* The body of a complete frame that ends with this tag. */
static ssize_t
find_end(struct untrusted_bytes untrusted_stream, uint32_t len, uint32_t tag,
    struct untrusted_bytes *ret_body)
{
	const uint8_t *body = untrusted_stream.raw + sizeof(struct mux_wire_header);

	if (untrusted_stream.len < MUX_OVERHEAD + len)
		return 0;
	if (u32_at(body + len) != tag)
		return -EPROTO;
	*ret_body = untrusted_bytes_of(body, len);
	return (ssize_t)(MUX_OVERHEAD + len);
}

/* Takes the header; false when it is none of a frame within a session. */
static bool
decode_header(const struct mux_wire_header *wire, enum mux_side sender, struct mux_frame *frame,
    uint32_t *ret_len)
{
	uint32_t type;

	if (!untrusted_u32_between((struct untrusted_u32){wire->type}, MUX_OPEN, MUX_BYE, &type) ||
	    !(frame_types[type].senders & (1u << sender)))
		return false;
	frame->type = (enum mux_type)type;
	return untrusted_u32_between((struct untrusted_u32){wire->channel}, 0,
		   frame_types[type].channels - 1, &frame->channel) &&
	       untrusted_u32_between((struct untrusted_u32){wire->len}, frame_types[type].min_len,
		   frame_types[type].max_len, ret_len);
}

static bool
decode_open(const uint8_t *untrusted_body, struct mux_frame *frame)
{
	struct mux_wire_open wire;
	uint32_t role;

	memcpy(&wire, untrusted_body, sizeof(wire));
	if (!untrusted_u32_between(
		(struct untrusted_u32){wire.role}, MUX_LISTEN, MUX_CONNECT, &role) ||
	    !untrusted_u32_between((struct untrusted_u32){wire.port}, 0, PORT_MAX, &frame->port))
		return false;
	frame->role = (enum mux_role)role;
	frame->peer = wire.peer;
	return true;
}

static bool
decode_error(const uint8_t *untrusted_body, struct mux_frame *frame)
{
	struct untrusted_u32 untrusted_error = {u32_at(untrusted_body)};
	uint32_t error;

	if (!untrusted_u32_between(untrusted_error, 1, ERROR_MAX, &error))
		return false;
	frame->error = -(int)error;
	return true;
}

static bool
decode_body(struct untrusted_bytes untrusted_body, struct mux_frame *frame)
{
	switch (frame->type) {
	case MUX_OPEN:
		return decode_open(untrusted_body.raw, frame);
	case MUX_REFUSED:
		return decode_error(untrusted_body.raw, frame);
	case MUX_CREDIT:
		return untrusted_u32_between((struct untrusted_u32){u32_at(untrusted_body.raw)}, 1,
		    MUX_WINDOW, &frame->credit);
	case MUX_DATA:
		frame->data = untrusted_body.raw;
		frame->data_len = untrusted_body.len;
		return true;
	default:
		return true;
	}
}

ssize_t
mux_decode(struct untrusted_bytes untrusted_stream, enum mux_side sender, uint32_t tag,
    struct mux_frame *ret)
{
	struct mux_frame frame = {0};
	struct mux_wire_header header;
	struct untrusted_bytes untrusted_body;
	uint32_t len;
	ssize_t n;

	if (untrusted_stream.len < sizeof(header))
		return 0;
	memcpy(&header, untrusted_stream.raw, sizeof(header)); /* copied once, then checked */
	if (!decode_header(&header, sender, &frame, &len))
		return -EPROTO;
	n = find_end(untrusted_stream, len, tag, &untrusted_body);
	if (n <= 0)
		return n;
	if (!decode_body(untrusted_body, &frame))
		return -EPROTO;
	*ret = frame;
	return n;
}

/* --- greetings ------------------------------------------------------------------------------- */

/* What a greeting begins with, and nothing in a session does. */
struct beginning {
	uint32_t type, magic;
};

static struct beginning
beginning_of(enum mux_side sender)
{
	return (struct beginning){sender == MUX_HOST ? MUX_HELLO : MUX_REQUEST, MUX_MAGIC};
}

/* Whether the stream begins like a greeting, as far as it goes. */
static bool
begins(struct untrusted_bytes untrusted_stream, enum mux_side sender)
{
	struct beginning beginning = beginning_of(sender);
	size_t len =
	    untrusted_stream.len < sizeof(beginning) ? untrusted_stream.len : sizeof(beginning);

	return len == 0 || memcmp(untrusted_stream.raw, &beginning, len) == 0;
}

size_t
mux_hunt(struct untrusted_bytes untrusted_stream, enum mux_side sender)
{
	struct beginning beginning = beginning_of(sender);
	const uint8_t *found =
	    memmem(untrusted_stream.raw, untrusted_stream.len, &beginning, sizeof(beginning));
	size_t rest;

	if (found != NULL)
		return (size_t)(found - untrusted_stream.raw);
	rest =
	    untrusted_stream.len < sizeof(beginning) ? untrusted_stream.len : sizeof(beginning) - 1;
	for (; rest > 0; rest--) {
		if (memcmp(untrusted_stream.raw + untrusted_stream.len - rest, &beginning, rest) ==
		    0)
			break;
	}
	return untrusted_stream.len - rest;
}

ssize_t
mux_decode_request(struct untrusted_bytes untrusted_stream, uint64_t *ret)
{
	struct mux_wire_header header;
	struct mux_wire_request wire;
	struct untrusted_bytes untrusted_body;
	ssize_t n;

	if (!begins(untrusted_stream, MUX_GUEST))
		return -EPROTO;
	if (untrusted_stream.len < sizeof(header))
		return 0;
	memcpy(&header, untrusted_stream.raw, sizeof(header));
	if (header.len != sizeof(wire))
		return -EPROTO;
	if (untrusted_stream.len < MUX_OVERHEAD + sizeof(wire))
		return 0;
	memcpy(&wire, untrusted_stream.raw + sizeof(header), sizeof(wire));
	n = find_end(untrusted_stream, sizeof(wire), (uint32_t)wire.nonce, &untrusted_body);
	if (n < 0 || (uint32_t)wire.nonce == 0)
		return -EPROTO;
	if (wire.version != MUX_VERSION)
		return -EPROTONOSUPPORT;
	if (wire.zero != 0)
		return -EPROTO;
	*ret = wire.nonce;
	return n;
}

ssize_t
mux_decode_hello(struct untrusted_bytes untrusted_stream, uint64_t nonce, struct mux_hello *ret)
{
	struct mux_wire_header header;
	struct mux_wire_hello wire;
	struct untrusted_bytes untrusted_body;
	uint32_t len, session;
	ssize_t n;

	if (!begins(untrusted_stream, MUX_HOST))
		return -EPROTO;
	if (untrusted_stream.len < sizeof(header) + sizeof(wire))
		return 0; /* no more than the host sends at once: no other can make us wait */
	memcpy(&header, untrusted_stream.raw, sizeof(header));
	memcpy(&wire, untrusted_stream.raw + sizeof(header), sizeof(wire));
	if (wire.version != MUX_VERSION || wire.nonce != nonce ||
	    !untrusted_u32_between((struct untrusted_u32){header.len}, sizeof(wire),
		sizeof(wire) + MUX_CONF_MAX, &len) ||
	    !untrusted_u32_between((struct untrusted_u32){wire.session}, 1, UINT32_MAX, &session))
		return -EPROTO;
	n = find_end(untrusted_stream, len, session, &untrusted_body);
	if (n <= 0)
		return n;
	ret->session = session;
	ret->conf = (const char *)untrusted_body.raw + sizeof(wire);
	ret->conf_len = untrusted_body.len - sizeof(wire);
	return n;
}

/* --- writing --------------------------------------------------------------------------------- */

/* Puts a header before, and the tag behind, the body that stands in its place. */
static size_t
enclose(uint32_t type, uint32_t channel, size_t len, uint32_t tag, uint8_t *buffer)
{
	const struct mux_wire_header header = {type, channel, (uint32_t)len};

	memcpy(buffer, &header, sizeof(header));
	memcpy(buffer + sizeof(header) + len, &tag, sizeof(tag));
	return MUX_OVERHEAD + len;
}

uint8_t *
mux_data_at(uint8_t *buffer)
{
	return buffer + sizeof(struct mux_wire_header);
}

static size_t
write_body(const struct mux_frame *frame, uint8_t *body)
{
	const struct mux_wire_open open = {frame->role, frame->peer, frame->port};
	const struct mux_wire_refused refused = {(uint32_t)-frame->error};
	const struct mux_wire_credit credit = {frame->credit};

	switch (frame->type) {
	case MUX_OPEN:
		memcpy(body, &open, sizeof(open));
		return sizeof(open);
	case MUX_REFUSED:
		memcpy(body, &refused, sizeof(refused));
		return sizeof(refused);
	case MUX_CREDIT:
		memcpy(body, &credit, sizeof(credit));
		return sizeof(credit);
	default:
		return 0;
	}
}

size_t
mux_encode(const struct mux_frame *frame, uint32_t tag, uint8_t *buffer)
{
	size_t len;

	assert(frame->type >= MUX_OPEN && frame->type != MUX_DATA);
	len = write_body(frame, mux_data_at(buffer));
	return enclose(frame->type, frame->channel, len, tag, buffer);
}

size_t
mux_encode_request(uint64_t nonce, uint8_t *buffer)
{
	const struct mux_wire_request wire = {MUX_VERSION, 0, nonce};

	memcpy(mux_data_at(buffer), &wire, sizeof(wire));
	return enclose(MUX_REQUEST, MUX_MAGIC, sizeof(wire), (uint32_t)nonce, buffer);
}

size_t
mux_encode_hello(
    uint32_t session, uint64_t nonce, const char *conf, size_t conf_len, uint8_t *buffer)
{
	const struct mux_wire_hello wire = {MUX_VERSION, session, nonce};

	assert(conf_len <= MUX_CONF_MAX);
	memcpy(mux_data_at(buffer), &wire, sizeof(wire));
	memcpy(mux_data_at(buffer) + sizeof(wire), conf, conf_len);
	return enclose(MUX_HELLO, MUX_MAGIC, sizeof(wire) + conf_len, session, buffer);
}

size_t
mux_encode_data(uint32_t channel, size_t len, uint32_t tag, uint8_t *buffer)
{
	assert(len >= 1 && len <= MUX_DATA_MAX);
	return enclose(MUX_DATA, channel, len, tag, buffer);
}
