#include "shared/gui_decode.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define READER_CHUNK_BYTES 65536 /* how much is read at once */

#define POSITION_MIN (-32768)
#define POSITION_MAX 32768
#define ROOT_MAX 32767
#define MODIFIERS_MASK 0xffffu
#define HINT_MASK                                                                                  \
	(GUI_HINT_USER_POSITION | GUI_HINT_PROGRAM_POSITION | GUI_HINT_MIN_SIZE |                  \
	    GUI_HINT_MAX_SIZE | GUI_HINT_RESIZE_INC | GUI_HINT_BASE_SIZE)
#define FLAG_MASK (GUI_FLAG_FULLSCREEN | GUI_FLAG_DEMANDS_ATTENTION | GUI_FLAG_MINIMIZE)

/* What reads as a header: the wire struct of gui_wire.h, but from somebody else. */
struct header {
	struct untrusted_u32 type, window, len;
};
static_assert(sizeof(struct header) == sizeof(struct gui_wire_header), "wire layout");

/* --- message types ------------------------------------------------------------------------ */

struct message_type {
	const char *name;
	size_t body_min, body_max; /* bytes */
	unsigned senders;          /* bits 1 << enum gui_sender */
};

#define AGENT (1u << GUI_SENDER_AGENT)
#define DAEMON (1u << GUI_SENDER_DAEMON)
#define MIN_DUMP sizeof(struct gui_wire_window_dump)
#define MAX_DUMP (sizeof(struct gui_wire_window_dump) + 4 * (size_t)GUI_MAX_PAGES)
#define EXECUTE_BYTES 255

/* clang-format off */
#define FIXED(struct_name) sizeof(struct struct_name), sizeof(struct struct_name)
static const struct message_type message_types[] = {
	/*                        name                body bytes                        senders */
	[GUI_KEYPRESS]        = { "keypress",         FIXED(gui_wire_keypress),         DAEMON },
	[GUI_BUTTON]          = { "button",           FIXED(gui_wire_button),           DAEMON },
	[GUI_MOTION]          = { "motion",           FIXED(gui_wire_motion),           DAEMON },
	[GUI_CROSSING]        = { "crossing",         FIXED(gui_wire_crossing),         DAEMON },
	[GUI_FOCUS]           = { "focus",            FIXED(gui_wire_focus),            DAEMON },
	[GUI_RESIZE]          = { "resize",           8, 8,                             0 },
	[GUI_CREATE]          = { "create",           FIXED(gui_wire_create),           AGENT },
	[GUI_DESTROY]         = { "destroy",          0, 0,                             AGENT | DAEMON },
	[GUI_MAP]             = { "map",              FIXED(gui_wire_map),              AGENT | DAEMON },
	[GUI_UNMAP]           = { "unmap",            0, 0,                             AGENT },
	[GUI_CONFIGURE]       = { "configure",        FIXED(gui_wire_configure),        AGENT | DAEMON },
	[GUI_MFNDUMP]         = { "frame dump",       0, 0,                             0 },
	[GUI_SHMIMAGE]        = { "shmimage",         FIXED(gui_wire_shmimage),         AGENT },
	[GUI_CLOSE]           = { "close",            0, 0,                             DAEMON },
	[GUI_EXECUTE]         = { "execute",          EXECUTE_BYTES, EXECUTE_BYTES,     0 },
	[GUI_CLIPBOARD_REQ]   = { "clipboard request", 0, 0,                            DAEMON },
	[GUI_CLIPBOARD_DATA]  = { "clipboard data",   0, GUI_MAX_CLIPBOARD + 1,         AGENT | DAEMON },
	[GUI_WMNAME]          = { "wmname",           FIXED(gui_wire_wmname),           AGENT },
	[GUI_KEYMAP_NOTIFY]   = { "keymap notify",    FIXED(gui_wire_keymap_notify),    DAEMON },
	[GUI_DOCK]            = { "dock",             0, 0,                             AGENT },
	[GUI_WINDOW_HINTS]    = { "window hints",     FIXED(gui_wire_window_hints),     AGENT },
	[GUI_WINDOW_FLAGS]    = { "window flags",     FIXED(gui_wire_window_flags),     AGENT | DAEMON },
	[GUI_WMCLASS]         = { "wmclass",          FIXED(gui_wire_wmclass),          AGENT },
	[GUI_WINDOW_DUMP]     = { "window dump",      MIN_DUMP, MAX_DUMP,               AGENT },
	[GUI_CURSOR]          = { "cursor",           FIXED(gui_wire_cursor),           AGENT },
	[GUI_WINDOW_DUMP_ACK] = { "window dump ack",  0, 0,                             DAEMON },
};
/* clang-format on */

static const struct message_type *
message_type_of(uint32_t type)
{
	if (type >= G_N_ELEMENTS(message_types) || message_types[type].name == NULL)
		return NULL;
	return &message_types[type];
}

const char *
gui_message_name(uint32_t type)
{
	const struct message_type *message = message_type_of(type);

	return message != NULL ? message->name : NULL;
}

/* --- the stream --------------------------------------------------------------------------- */

struct gui_reader {
	enum gui_sender sender;
	uint32_t version;
	bool broken;
	uint8_t *buffer; /* owned; size bytes */
	size_t size;
	size_t start, end; /* what came and was not yet taken */
	uint64_t skip;     /* bytes of a message nobody knows, still to come */
};

struct gui_reader *
gui_reader_new(enum gui_sender sender)
{
	struct gui_reader *reader = g_new0(struct gui_reader, 1);

	reader->sender = sender;
	reader->version = GUI_VERSION_NEWEST;
	reader->size = READER_CHUNK_BYTES;
	reader->buffer = g_malloc(reader->size);
	return reader;
}

void
gui_reader_free(struct gui_reader *reader)
{
	if (reader == NULL)
		return;
	g_free(reader->buffer);
	g_free(reader);
}

void
gui_reader_set_version(struct gui_reader *reader, uint32_t version)
{
	reader->version = version;
}

static void
reader_skip(struct gui_reader *reader)
{
	size_t have = reader->end - reader->start;
	size_t len = reader->skip < have ? (size_t)reader->skip : have;

	reader->start += len;
	reader->skip -= len;
}

void *
gui_reader_space(struct gui_reader *reader, size_t *ret_len)
{
	if (reader->start > 0) {
		memmove(
		    reader->buffer, reader->buffer + reader->start, reader->end - reader->start);
		reader->end -= reader->start;
		reader->start = 0;
	}
	*ret_len = reader->size - reader->end;
	return reader->buffer + reader->end;
}

void
gui_reader_filled(struct gui_reader *reader, size_t len)
{
	assert(len <= reader->size - reader->end);
	reader->end += len;
}

bool
gui_reader_take(struct gui_reader *reader, void *ret_bytes, size_t len)
{
	if (reader->end - reader->start < len)
		return false;
	memcpy(ret_bytes, reader->buffer + reader->start, len);
	reader->start += len;
	return true;
}

/* The largest body that the negotiated version has for a type of our table. */
static size_t
body_max(const struct gui_reader *reader, uint32_t type)
{
	if (type == GUI_CLIPBOARD_DATA && reader->version < GUI_VERSION(1, 8))
		return GUI_MAX_CLIPBOARD_1_7;
	return message_types[type].body_max;
}

/*
 * How long the body behind a header is. Returns 0, -ENOMSG when the message is to be skipped by
 * *ret_len bytes, or -EPROTO.
 */
static int
body_length(
    const struct gui_reader *reader, struct header header, uint32_t *ret_type, uint32_t *ret_len)
{
	const struct message_type *message;
	uint32_t type, len;

	(void)untrusted_u32_between(header.type, 0, UINT32_MAX, &type);
	(void)untrusted_u32_between(header.len, 0, UINT32_MAX, &len);
	message = message_type_of(type);
	if (message == NULL || !(message->senders & (1u << reader->sender))) {
		*ret_len = len;
		return reader->sender == GUI_SENDER_DAEMON ? -ENOMSG : -EPROTO;
	}
	if (type == GUI_CLIPBOARD_DATA && reader->sender == GUI_SENDER_AGENT &&
	    reader->version < GUI_VERSION(1, 2))
		return -EPROTO; /* its length would be in the window field */
	if (message->body_min == message->body_max && reader->version < GUI_VERSION(1, 6))
		len = (uint32_t)message->body_min;
	if (len < message->body_min || len > body_max(reader, type))
		return -EPROTO;
	*ret_type = type;
	*ret_len = len;
	return 0;
}

/* Makes the buffer large enough for a message of len bytes; body_length() bounded it. */
static void
reader_reserve(struct gui_reader *reader, size_t len)
{
	if (len <= reader->size)
		return;
	reader->size = len;
	reader->buffer = g_realloc(reader->buffer, reader->size);
}

int
gui_reader_next(struct gui_reader *reader, struct gui_packet *ret)
{
	struct header header;
	uint32_t type, len;
	int r;

	if (reader->broken)
		return -EPROTO;
	for (;;) {
		reader_skip(reader);
		if (reader->skip > 0 || reader->end - reader->start < sizeof(header))
			return 0;
		memcpy(&header, reader->buffer + reader->start, sizeof(header));
		r = body_length(reader, header, &type, &len);
		if (r != -ENOMSG)
			break;
		reader->skip = sizeof(header) + (uint64_t)len;
	}
	if (r < 0) {
		reader->broken = true;
		return r;
	}
	if (reader->end - reader->start < sizeof(header) + len) {
		reader_reserve(reader, sizeof(header) + len);
		return 0;
	}
	ret->type = type;
	ret->window.id = header.window.raw;
	ret->untrusted_body =
	    untrusted_bytes_of(reader->buffer + reader->start + sizeof(header), len);
	reader->start += sizeof(header) + len;
	return 1;
}

/* --- handshake ---------------------------------------------------------------------------- */

int
gui_decode_agent_version(struct untrusted_u32 untrusted_version, uint32_t *ret_major, uint32_t *ret)
{
	uint32_t version = untrusted_version.raw;

	*ret_major = version >> 16;
	if (*ret_major != GUI_VERSION_NEWEST >> 16)
		return -EPROTO;
	*ret = version < GUI_VERSION_NEWEST ? version : GUI_VERSION_NEWEST;
	return 0;
}

int
gui_decode_daemon_version(struct untrusted_u32 untrusted_version, uint32_t *ret)
{
	if (!untrusted_u32_between(untrusted_version, GUI_VERSION(1, 4), GUI_VERSION_NEWEST, ret))
		return -EPROTO;
	return 0;
}

/*
 * The body copied once into a struct of untrusted fields, or -EPROTO from the function around it.
 * The reader has compared the length already; a decoder stands for itself all the same.
 */
#define READ_WIRE(wire, body)                                                                      \
	do {                                                                                       \
		if ((body).len != sizeof(wire))                                                    \
			return -EPROTO;                                                            \
		memcpy(&(wire), (body).raw, sizeof(wire));                                         \
	} while (0)

#define SAME_LAYOUT(struct_name)                                                                   \
	static_assert(sizeof(struct struct_name) == sizeof(struct gui_wire_##struct_name), "wire")

struct xconf {
	struct untrusted_u32 width, height, depth, mem_kib;
};
SAME_LAYOUT(xconf);

int
gui_decode_xconf(struct untrusted_bytes untrusted_body, struct gui_xconf *ret)
{
	struct xconf wire;

	READ_WIRE(wire, untrusted_body);
	ret->width = untrusted_u32_clamped(wire.width, 1, ROOT_MAX);
	ret->height = untrusted_u32_clamped(wire.height, 1, ROOT_MAX);
	return 0;
}

/* --- geometry ----------------------------------------------------------------------------- */

static bool
untrusted_true(struct untrusted_u32 in)
{
	return untrusted_u32_clamped(in, 0, 1) == 1;
}

/* Sizes are unsigned on the wire, but whoever sends more than 2^31-1 meant a negative number. */
static int
decode_size(struct untrusted_u32 untrusted_size, uint32_t max, uint32_t *ret)
{
	uint32_t size;

	if (!untrusted_u32_between(untrusted_size, 0, INT32_MAX, &size))
		return -EPROTO;
	*ret = CLAMP(size, 1, max);
	return 0;
}

static int
decode_geometry(struct untrusted_i32 x, struct untrusted_i32 y, struct untrusted_u32 width,
    struct untrusted_u32 height, struct gui_geometry *ret)
{
	struct gui_geometry geometry;

	if (decode_size(width, GUI_MAX_WIDTH, &geometry.width) < 0 ||
	    decode_size(height, GUI_MAX_HEIGHT, &geometry.height) < 0)
		return -EPROTO;
	geometry.x = untrusted_i32_clamped(x, -GUI_MAX_WIDTH, GUI_MAX_WIDTH);
	geometry.y = untrusted_i32_clamped(y, -GUI_MAX_HEIGHT, GUI_MAX_HEIGHT);
	*ret = geometry;
	return 0;
}

struct create {
	struct untrusted_i32 x, y;
	struct untrusted_u32 width, height, parent, override_redirect;
};
SAME_LAYOUT(create);

int
gui_decode_create(struct untrusted_bytes untrusted_body, struct gui_create *ret)
{
	struct create wire;

	READ_WIRE(wire, untrusted_body);
	if (decode_geometry(wire.x, wire.y, wire.width, wire.height, &ret->geometry) < 0)
		return -EPROTO;
	ret->override_redirect = untrusted_true(wire.override_redirect);
	return 0;
}

struct configure {
	struct untrusted_i32 x, y;
	struct untrusted_u32 width, height, override_redirect;
};
SAME_LAYOUT(configure);

int
gui_decode_configure(struct untrusted_bytes untrusted_body, struct gui_geometry *ret)
{
	struct configure wire;

	READ_WIRE(wire, untrusted_body);
	return decode_geometry(wire.x, wire.y, wire.width, wire.height, ret);
}

struct map {
	struct untrusted_u32 transient_for, override_redirect;
};
SAME_LAYOUT(map);

int
gui_decode_map(struct untrusted_bytes untrusted_body, struct gui_map *ret)
{
	struct map wire;

	READ_WIRE(wire, untrusted_body);
	ret->transient_for.id = wire.transient_for.raw; /* a name */
	ret->override_redirect = untrusted_true(wire.override_redirect);
	return 0;
}

/* --- pixels ------------------------------------------------------------------------------- */

struct shmimage {
	struct untrusted_u32 x, y, width, height;
};
SAME_LAYOUT(shmimage);

/* Clips start + len to limit. False when either is negative as a signed number, or nothing is left.
 */
static bool
clip_span(struct untrusted_u32 untrusted_start, struct untrusted_u32 untrusted_len, uint32_t limit,
    uint32_t *ret_start, uint32_t *ret_len)
{
	uint32_t start, len;

	if (!untrusted_u32_between(untrusted_start, 0, limit - 1, &start) ||
	    !untrusted_u32_between(untrusted_len, 1, INT32_MAX, &len))
		return false;
	*ret_start = start;
	*ret_len = MIN(len, limit - start);
	return true;
}

int
gui_decode_shmimage(struct untrusted_bytes untrusted_body, struct gui_shmimage *ret)
{
	struct gui_shmimage image;
	struct shmimage wire;

	READ_WIRE(wire, untrusted_body);
	if (!clip_span(wire.x, wire.width, GUI_MAX_WIDTH, &image.x, &image.width) ||
	    !clip_span(wire.y, wire.height, GUI_MAX_HEIGHT, &image.y, &image.height))
		return -ENOMSG;
	*ret = image;
	return 0;
}

struct window_dump { /* then 4 bytes per page */
	struct untrusted_u32 type, width, height, bpp;
};
SAME_LAYOUT(window_dump);

int
gui_decode_window_dump(struct untrusted_bytes untrusted_body, struct gui_window_dump *ret)
{
	struct gui_window_dump dump;
	struct window_dump wire;
	uint32_t type;
	size_t refs_len;

	if (untrusted_body.len < sizeof(wire))
		return -EPROTO;
	memcpy(&wire, untrusted_body.raw, sizeof(wire));
	if (!untrusted_u32_between(wire.type, GUI_DUMP_GRANT_REFS, GUI_DUMP_GRANT_REFS, &type) ||
	    !untrusted_u32_between(wire.width, 1, GUI_MAX_WIDTH, &dump.width) ||
	    !untrusted_u32_between(wire.height, 1, GUI_MAX_HEIGHT, &dump.height))
		return -EPROTO;

	refs_len = untrusted_body.len - sizeof(wire);
	dump.page_count = refs_len / sizeof(uint32_t);
	if (refs_len % sizeof(uint32_t) != 0 || dump.page_count > GUI_MAX_PAGES ||
	    dump.page_count * 4096 < (size_t)dump.width * dump.height * 4)
		return -EPROTO;

	dump.untrusted_refs = untrusted_bytes_of(untrusted_body.raw + sizeof(wire), refs_len);
	*ret = dump;
	return 0;
}

/* --- text, hints, flags ------------------------------------------------------------------- */

/* The string in a field of size bytes, which may have no end of its own; the rest is zeroed. */
static void
copy_text(char *to, const char *from, size_t size)
{
	size_t len = strnlen(from, size - 1);

	memset(to, 0, size);
	memcpy(to, from, len);
}

int
gui_decode_wmname(struct untrusted_bytes untrusted_body, struct gui_title *ret)
{
	struct gui_wire_wmname wire;

	READ_WIRE(wire, untrusted_body);
	copy_text(ret->untrusted_text, wire.text, sizeof(wire.text));
	return 0;
}

int
gui_decode_wmclass(struct untrusted_bytes untrusted_body, struct gui_wmclass *ret)
{
	struct gui_wire_wmclass wire;

	READ_WIRE(wire, untrusted_body);
	copy_text(ret->untrusted_class, wire.res_class, sizeof(wire.res_class));
	copy_text(ret->untrusted_name, wire.res_name, sizeof(wire.res_name));
	return 0;
}

struct window_hints {
	struct untrusted_u32 flags, min_width, min_height, max_width, max_height;
	struct untrusted_u32 width_inc, height_inc, base_width, base_height;
};
SAME_LAYOUT(window_hints);

/* Where a pair may lie: from..GUI_MAX_WIDTH - below, from..GUI_MAX_HEIGHT - below. */
static bool
decode_pair(struct untrusted_u32 untrusted_width, struct untrusted_u32 untrusted_height,
    uint32_t from, uint32_t below, uint32_t *ret_width, uint32_t *ret_height)
{
	uint32_t width, height;

	if (!untrusted_u32_between(untrusted_width, from, GUI_MAX_WIDTH - below, &width) ||
	    !untrusted_u32_between(untrusted_height, from, GUI_MAX_HEIGHT - below, &height))
		return false;
	*ret_width = width;
	*ret_height = height;
	return true;
}

int
gui_decode_window_hints(struct untrusted_bytes untrusted_body, struct gui_window_hints *ret)
{
	struct gui_window_hints hints = {0};
	struct window_hints wire;

	READ_WIRE(wire, untrusted_body);
	hints.flags = wire.flags.raw & HINT_MASK;
	if (!decode_pair(
		wire.min_width, wire.min_height, 0, 0, &hints.min_width, &hints.min_height))
		hints.flags &= ~(uint32_t)GUI_HINT_MIN_SIZE;
	if (!decode_pair(
		wire.max_width, wire.max_height, 1, 0, &hints.max_width, &hints.max_height))
		hints.flags &= ~(uint32_t)GUI_HINT_MAX_SIZE;
	if (!decode_pair(
		wire.width_inc, wire.height_inc, 1, 1, &hints.width_inc, &hints.height_inc))
		hints.flags &= ~(uint32_t)GUI_HINT_RESIZE_INC;
	if (!decode_pair(
		wire.base_width, wire.base_height, 0, 0, &hints.base_width, &hints.base_height))
		hints.flags &= ~(uint32_t)GUI_HINT_BASE_SIZE;

	if ((hints.flags & GUI_HINT_MIN_SIZE) &&
	    (hints.max_width < hints.min_width || hints.max_height < hints.min_height))
		hints.flags &= ~(uint32_t)GUI_HINT_MAX_SIZE;
	if ((hints.flags & GUI_HINT_MAX_SIZE) &&
	    (hints.base_width > hints.max_width || hints.base_height > hints.max_height))
		hints.flags &= ~(uint32_t)GUI_HINT_BASE_SIZE;
	*ret = hints;
	return 0;
}

struct window_flags {
	struct untrusted_u32 set, unset;
};
SAME_LAYOUT(window_flags);

int
gui_decode_window_flags(struct untrusted_bytes untrusted_body, struct gui_window_flags *ret)
{
	struct window_flags wire;

	READ_WIRE(wire, untrusted_body);
	if ((wire.set.raw & wire.unset.raw) != 0)
		return -ENOMSG;
	ret->set = wire.set.raw & FLAG_MASK;
	ret->unset = wire.unset.raw & FLAG_MASK;
	return 0;
}

struct cursor {
	struct untrusted_u32 cursor;
};
SAME_LAYOUT(cursor);

int
gui_decode_cursor(struct untrusted_bytes untrusted_body, struct gui_cursor *ret)
{
	struct cursor wire;
	uint32_t cursor;

	READ_WIRE(wire, untrusted_body);
	if (untrusted_u32_between(wire.cursor, GUI_CURSOR_DEFAULT, GUI_CURSOR_DEFAULT, &cursor)) {
		ret->is_default = true;
		ret->glyph = 0;
		return 0;
	}
	/* The odd glyphs of the cursor font are the masks of the even ones. */
	if (!untrusted_u32_between(wire.cursor, GUI_CURSOR_FONT, GUI_CURSOR_LIMIT - 1, &cursor) ||
	    cursor % 2 != 0)
		return -ENOMSG;
	ret->is_default = false;
	ret->glyph = cursor - GUI_CURSOR_FONT;
	return 0;
}

/* --- input -------------------------------------------------------------------------------- */

static int32_t
decode_position(struct untrusted_i32 in)
{
	return untrusted_i32_clamped(in, POSITION_MIN, POSITION_MAX);
}

/* Two event numbers, one for "down" and the next for "up". */
static bool
decode_pair_type(struct untrusted_u32 untrusted_type, uint32_t first, bool *ret_is_first)
{
	uint32_t type;

	if (!untrusted_u32_between(untrusted_type, first, first + 1, &type))
		return false;
	*ret_is_first = type == first;
	return true;
}

struct press {
	struct untrusted_u32 type;
	struct untrusted_i32 x, y;
	struct untrusted_u32 state, code;
};
static_assert(sizeof(struct press) == sizeof(struct gui_wire_keypress) &&
		  sizeof(struct press) == sizeof(struct gui_wire_button),
    "wire");

int
gui_decode_keypress(struct untrusted_bytes untrusted_body, struct gui_keypress *ret)
{
	struct gui_keypress key;
	struct press wire;

	READ_WIRE(wire, untrusted_body);
	if (!decode_pair_type(wire.type, 2, &key.pressed) ||
	    !untrusted_u32_between(wire.code, 8, 255, &key.keycode))
		return -ENOMSG;
	key.x = decode_position(wire.x);
	key.y = decode_position(wire.y);
	key.state = wire.state.raw & MODIFIERS_MASK;
	*ret = key;
	return 0;
}

int
gui_decode_button(struct untrusted_bytes untrusted_body, struct gui_button *ret)
{
	struct gui_button button;
	struct press wire;

	READ_WIRE(wire, untrusted_body);
	if (!decode_pair_type(wire.type, 4, &button.pressed) ||
	    !untrusted_u32_between(wire.code, 1, 255, &button.button))
		return -ENOMSG;
	button.x = decode_position(wire.x);
	button.y = decode_position(wire.y);
	button.state = wire.state.raw & MODIFIERS_MASK;
	*ret = button;
	return 0;
}

struct motion {
	struct untrusted_i32 x, y;
	struct untrusted_u32 state, is_hint;
};
SAME_LAYOUT(motion);

int
gui_decode_motion(struct untrusted_bytes untrusted_body, struct gui_motion *ret)
{
	struct motion wire;

	READ_WIRE(wire, untrusted_body);
	ret->x = decode_position(wire.x);
	ret->y = decode_position(wire.y);
	ret->state = wire.state.raw & MODIFIERS_MASK;
	ret->is_hint = untrusted_true(wire.is_hint);
	return 0;
}

struct crossing {
	struct untrusted_u32 type;
	struct untrusted_i32 x, y;
	struct untrusted_u32 state, mode, detail, focus;
};
SAME_LAYOUT(crossing);

int
gui_decode_crossing(struct untrusted_bytes untrusted_body, struct gui_crossing *ret)
{
	struct gui_crossing crossing;
	struct crossing wire;

	READ_WIRE(wire, untrusted_body);
	if (!decode_pair_type(wire.type, 7, &crossing.entered) ||
	    !untrusted_u32_between(wire.mode, 0, 3, &crossing.mode) ||
	    !untrusted_u32_between(wire.detail, 0, 7, &crossing.detail))
		return -ENOMSG;
	crossing.x = decode_position(wire.x);
	crossing.y = decode_position(wire.y);
	crossing.state = wire.state.raw & MODIFIERS_MASK;
	crossing.focus = untrusted_true(wire.focus);
	*ret = crossing;
	return 0;
}

struct focus {
	struct untrusted_u32 type, mode, detail;
};
SAME_LAYOUT(focus);

int
gui_decode_focus(struct untrusted_bytes untrusted_body, struct gui_focus *ret)
{
	struct gui_focus focus;
	struct focus wire;

	READ_WIRE(wire, untrusted_body);
	if (!decode_pair_type(wire.type, 9, &focus.focused) ||
	    !untrusted_u32_between(wire.mode, 0, 3, &focus.mode) ||
	    !untrusted_u32_between(wire.detail, 0, 7, &focus.detail))
		return -ENOMSG;
	*ret = focus;
	return 0;
}

int
gui_decode_keymap_notify(struct untrusted_bytes untrusted_body, struct gui_wire_keymap_notify *ret)
{
	READ_WIRE(*ret, untrusted_body);
	return 0;
}
