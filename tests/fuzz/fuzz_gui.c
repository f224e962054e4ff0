/*
 * A stream of GUI messages through the reader and the decoders; asserts what gui_decode.h promises
 * of whatever was accepted. Shape of an input: one byte for the sender (bit 0) and the version
 * (bits 4..7, the minor), one for the size of the pieces that the stream comes in (0: all at once), then
 * the stream.
 */
#include "shared/gui_decode.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

/* assert() that stays when NDEBUG is set. */
#define PROMISE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte of the body is there to be read: the sanitizer would say so. */
static void
touch(struct untrusted_bytes bytes)
{
	volatile uint8_t sum = 0;

	for (size_t i = 0; i < bytes.len; i++)
		sum = (uint8_t)(sum + bytes.raw[i]);
}

static void
check_result(int r)
{
	PROMISE(r == 0 || r == -ENOMSG || r == -EPROTO);
}

static void
check_geometry(const struct gui_geometry *geometry)
{
	PROMISE(geometry->width >= 1 && geometry->width <= GUI_MAX_WIDTH);
	PROMISE(geometry->height >= 1 && geometry->height <= GUI_MAX_HEIGHT);
	PROMISE(abs(geometry->x) <= GUI_MAX_WIDTH && abs(geometry->y) <= GUI_MAX_HEIGHT);
}

static void
try_create(struct untrusted_bytes body)
{
	struct gui_create create;
	int r = gui_decode_create(body, &create);

	check_result(r);
	if (r == 0)
		check_geometry(&create.geometry);
}

static void
try_configure(struct untrusted_bytes body)
{
	struct gui_geometry geometry;
	int r = gui_decode_configure(body, &geometry);

	check_result(r);
	if (r == 0)
		check_geometry(&geometry);
}

static void
try_map(struct untrusted_bytes body)
{
	struct gui_map map;

	check_result(gui_decode_map(body, &map));
}

static void
try_shmimage(struct untrusted_bytes body)
{
	struct gui_shmimage image;
	int r = gui_decode_shmimage(body, &image);

	check_result(r);
	if (r < 0)
		return;
	PROMISE(image.width >= 1 && (uint64_t)image.x + image.width <= GUI_MAX_WIDTH);
	PROMISE(image.height >= 1 && (uint64_t)image.y + image.height <= GUI_MAX_HEIGHT);
}

static void
try_window_dump(struct untrusted_bytes body)
{
	struct gui_window_dump dump;
	int r = gui_decode_window_dump(body, &dump);

	check_result(r);
	if (r < 0)
		return;
	PROMISE(dump.width >= 1 && dump.width <= GUI_MAX_WIDTH);
	PROMISE(dump.height >= 1 && dump.height <= GUI_MAX_HEIGHT);
	PROMISE(dump.page_count >= 1 && dump.page_count <= GUI_MAX_PAGES);
	PROMISE((uint64_t)dump.page_count * 4096 >= (uint64_t)dump.width * dump.height * 4);
	PROMISE(dump.untrusted_refs.len == dump.page_count * 4);
	touch(dump.untrusted_refs);
}

static void
try_wmname(struct untrusted_bytes body)
{
	struct gui_title title;

	if (gui_decode_wmname(body, &title) == 0)
		PROMISE(memchr(title.untrusted_text, '\0', sizeof(title.untrusted_text)));
}

static void
try_wmclass(struct untrusted_bytes body)
{
	struct gui_wmclass class;

	if (gui_decode_wmclass(body, &class) == 0) {
		PROMISE(memchr(class.untrusted_class, '\0', sizeof(class.untrusted_class)));
		PROMISE(memchr(class.untrusted_name, '\0', sizeof(class.untrusted_name)));
	}
}

static void
try_window_hints(struct untrusted_bytes body)
{
	struct gui_window_hints hints;
	int r = gui_decode_window_hints(body, &hints);

	check_result(r);
	if (r < 0)
		return;
	PROMISE((hints.flags & ~0x175u) == 0);
	if (hints.flags & GUI_HINT_MIN_SIZE)
		PROMISE(hints.min_width <= GUI_MAX_WIDTH && hints.min_height <= GUI_MAX_HEIGHT);
	if (hints.flags & GUI_HINT_MAX_SIZE)
		PROMISE(hints.max_width >= 1 && hints.max_width <= GUI_MAX_WIDTH &&
			hints.max_height >= 1 && hints.max_height <= GUI_MAX_HEIGHT);
	if ((hints.flags & GUI_HINT_MIN_SIZE) && (hints.flags & GUI_HINT_MAX_SIZE))
		PROMISE(hints.min_width <= hints.max_width && hints.min_height <= hints.max_height);
	if (hints.flags & GUI_HINT_RESIZE_INC)
		PROMISE(hints.width_inc >= 1 && hints.width_inc < GUI_MAX_WIDTH &&
			hints.height_inc >= 1 && hints.height_inc < GUI_MAX_HEIGHT);
	if ((hints.flags & GUI_HINT_BASE_SIZE) && (hints.flags & GUI_HINT_MAX_SIZE))
		PROMISE(
		    hints.base_width <= hints.max_width && hints.base_height <= hints.max_height);
}

static void
try_window_flags(struct untrusted_bytes body)
{
	struct gui_window_flags flags;
	int r = gui_decode_window_flags(body, &flags);

	check_result(r);
	if (r == 0)
		PROMISE((flags.set & flags.unset) == 0 && ((flags.set | flags.unset) & ~7u) == 0);
}

static void
try_cursor(struct untrusted_bytes body)
{
	struct gui_cursor cursor;
	int r = gui_decode_cursor(body, &cursor);

	check_result(r);
	if (r == 0)
		PROMISE(cursor.glyph < 0x9a && cursor.glyph % 2 == 0);
}

static void
try_keypress(struct untrusted_bytes body)
{
	struct gui_keypress key;
	int r = gui_decode_keypress(body, &key);

	check_result(r);
	if (r == 0)
		PROMISE(key.keycode >= 8 && key.keycode <= 255 && key.state <= 0xffff &&
			abs(key.x) <= 32768 && abs(key.y) <= 32768);
}

static void
try_button(struct untrusted_bytes body)
{
	struct gui_button button;
	int r = gui_decode_button(body, &button);

	check_result(r);
	if (r == 0)
		PROMISE(button.button >= 1 && button.button <= 255 && button.state <= 0xffff);
}

static void
try_motion(struct untrusted_bytes body)
{
	struct gui_motion motion;
	int r = gui_decode_motion(body, &motion);

	check_result(r);
	if (r == 0)
		PROMISE(abs(motion.x) <= 32768 && abs(motion.y) <= 32768);
}

static void
try_crossing(struct untrusted_bytes body)
{
	struct gui_crossing crossing;
	int r = gui_decode_crossing(body, &crossing);

	check_result(r);
	if (r == 0)
		PROMISE(crossing.mode <= 3 && crossing.detail <= 7);
}

static void
try_focus(struct untrusted_bytes body)
{
	struct gui_focus focus;
	int r = gui_decode_focus(body, &focus);

	check_result(r);
	if (r == 0)
		PROMISE(focus.mode <= 3 && focus.detail <= 7);
}

static void
try_keymap_notify(struct untrusted_bytes body)
{
	struct gui_wire_keymap_notify keymap;

	check_result(gui_decode_keymap_notify(body, &keymap));
}

typedef void (*try_func)(struct untrusted_bytes body);

static const try_func tries[] = {
    [GUI_KEYPRESS] = try_keypress,
    [GUI_BUTTON] = try_button,
    [GUI_MOTION] = try_motion,
    [GUI_CROSSING] = try_crossing,
    [GUI_FOCUS] = try_focus,
    [GUI_CREATE] = try_create,
    [GUI_MAP] = try_map,
    [GUI_CONFIGURE] = try_configure,
    [GUI_SHMIMAGE] = try_shmimage,
    [GUI_WMNAME] = try_wmname,
    [GUI_KEYMAP_NOTIFY] = try_keymap_notify,
    [GUI_WINDOW_HINTS] = try_window_hints,
    [GUI_WINDOW_FLAGS] = try_window_flags,
    [GUI_WMCLASS] = try_wmclass,
    [GUI_WINDOW_DUMP] = try_window_dump,
    [GUI_CURSOR] = try_cursor,
};

static void
handle(const struct gui_packet *packet, enum gui_sender sender)
{
	PROMISE(gui_message_name(packet->type) != NULL);
	if (sender == GUI_SENDER_AGENT)
		PROMISE(packet->type >= GUI_CREATE && packet->type <= GUI_CURSOR);
	PROMISE(packet->untrusted_body.len <= 4 * (size_t)GUI_MAX_PAGES + 16);
	touch(packet->untrusted_body);
	if (packet->type < G_N_ELEMENTS(tries) && tries[packet->type] != NULL)
		tries[packet->type](packet->untrusted_body);
}

/* Handles what is whole. Returns false when the stream is broken, and then it stays so. */
static bool
drain(struct gui_reader *reader, enum gui_sender sender)
{
	struct gui_packet packet;
	int r;

	while ((r = gui_reader_next(reader, &packet)) == 1)
		handle(&packet, sender);
	PROMISE(r == 0 || r == -EPROTO);
	if (r < 0)
		PROMISE(gui_reader_next(reader, &packet) == -EPROTO);
	return r == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum gui_sender sender;
	struct gui_reader *reader;
	size_t piece;

	if (size < 2)
		return 0;
	sender = data[0] & 1 ? GUI_SENDER_DAEMON : GUI_SENDER_AGENT;
	reader = gui_reader_new(sender);
	gui_reader_set_version(reader, GUI_VERSION(1, MIN(data[0] >> 4, 8)));
	piece = data[1] > 0 ? data[1] : size;
	data += 2;
	size -= 2;
	while (drain(reader, sender) && size > 0) {
		size_t room, len;
		void *space = gui_reader_space(reader, &room);

		PROMISE(room >= 1);
		len = MIN(MIN(room, size), piece);
		memcpy(space, data, len);
		gui_reader_filled(reader, len);
		data += len;
		size -= len;
	}
	gui_reader_free(reader);
	return 0;
}
