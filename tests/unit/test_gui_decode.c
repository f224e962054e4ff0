#include "shared/gui_decode.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

/* --- helpers ------------------------------------------------------------------------------ */

#define BODY(...) ((uint32_t[]){__VA_ARGS__}), sizeof((uint32_t[]){__VA_ARGS__})

static struct untrusted_bytes
body(const void *bytes, size_t len)
{
	return untrusted_bytes_of(bytes, len);
}

/* Writes bytes into the reader, in pieces of at most piece bytes. */
static void
feed(struct gui_reader *reader, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	while (len > 0) {
		size_t space_len;
		void *space = gui_reader_space(reader, &space_len);
		size_t n = MIN(len, space_len);

		assert_true(n > 0);
		memcpy(space, from, n);
		gui_reader_filled(reader, n);
		from += n;
		len -= n;
	}
}

static void
feed_header(struct gui_reader *reader, uint32_t type, uint32_t window, uint32_t len)
{
	struct gui_wire_header header = {type, window, len};

	feed(reader, &header, sizeof(header));
}

static int
next_type(struct gui_reader *reader)
{
	struct gui_packet packet;
	int r = gui_reader_next(reader, &packet);

	return r > 0 ? (int)packet.type : r;
}

/* What a reader of an agent of that version says to a header with that length, then a full body. */
static int
verdict(uint32_t version, uint32_t type, uint32_t len)
{
	struct gui_reader *reader = gui_reader_new(GUI_SENDER_AGENT);
	g_autofree uint8_t *zeroes = g_malloc0(GUI_MAX_PAGES * 4 + 64);
	int r;

	gui_reader_set_version(reader, version);
	feed_header(reader, type, 1, len);
	r = next_type(reader);
	if (r == 0) {
		feed(reader, zeroes, MIN(len, GUI_MAX_PAGES * 4 + 64));
		r = next_type(reader);
	}
	gui_reader_free(reader);
	return r;
}

/* --- the reader --------------------------------------------------------------------------- */

static void
message_is_whole_only_with_its_last_byte(void **state)
{
	struct gui_reader *reader = gui_reader_new(GUI_SENDER_AGENT);
	struct gui_wire_header header = {GUI_MAP, 7, sizeof(struct gui_wire_map)};
	struct gui_wire_map map = {3, 1};
	struct gui_packet packet;
	uint8_t bytes[sizeof(header) + sizeof(map)];

	(void)state;
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), &map, sizeof(map));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		assert_int_equal(gui_reader_next(reader, &packet), 0);
		feed(reader, bytes + i, 1);
	}
	assert_int_equal(gui_reader_next(reader, &packet), 1);
	assert_int_equal(packet.type, GUI_MAP);
	assert_int_equal(packet.window.id, 7);
	assert_int_equal(packet.untrusted_body.len, sizeof(map));
	assert_memory_equal(packet.untrusted_body.raw, &map, sizeof(map));
	assert_int_equal(gui_reader_next(reader, &packet), 0);
	gui_reader_free(reader);
}

static void
several_messages_come_out_in_order(void **state)
{
	struct gui_reader *reader = gui_reader_new(GUI_SENDER_AGENT);

	(void)state;
	feed_header(reader, GUI_UNMAP, 1, 0);
	feed_header(reader, GUI_DESTROY, 1, 0);
	feed_header(reader, GUI_DOCK, 2, 0);
	assert_int_equal(next_type(reader), GUI_UNMAP);
	assert_int_equal(next_type(reader), GUI_DESTROY);
	assert_int_equal(next_type(reader), GUI_DOCK);
	assert_int_equal(next_type(reader), 0);
	gui_reader_free(reader);
}

static void
largest_dump_passes_through(void **state)
{
	struct gui_reader *reader = gui_reader_new(GUI_SENDER_AGENT);
	size_t len = sizeof(struct gui_wire_window_dump) + 4 * (size_t)GUI_MAX_PAGES;
	g_autofree uint8_t *bytes = g_malloc0(len);
	struct gui_packet packet;

	(void)state;
	feed_header(reader, GUI_DOCK, 1, 0); /* so that it does not begin at the buffer's start */
	feed_header(reader, GUI_WINDOW_DUMP, 1, (uint32_t)len);
	assert_int_equal(next_type(reader), GUI_DOCK);
	assert_int_equal(next_type(reader), 0);
	feed(reader, bytes, len);
	assert_int_equal(gui_reader_next(reader, &packet), 1);
	assert_int_equal(packet.untrusted_body.len, len);
	gui_reader_free(reader);
}

static void
broken_stream_stays_broken(void **state)
{
	struct gui_reader *reader = gui_reader_new(GUI_SENDER_AGENT);

	(void)state;
	feed_header(reader, 150, 0, 0);
	feed_header(reader, GUI_DOCK, 0, 0);
	assert_int_equal(next_type(reader), -EPROTO);
	assert_int_equal(next_type(reader), -EPROTO);
	gui_reader_free(reader);
}

static void
agent_may_send_only_agent_messages(void **state)
{
	static const uint32_t legal[] = {GUI_CREATE, GUI_DESTROY, GUI_MAP, GUI_UNMAP, GUI_CONFIGURE,
	    GUI_SHMIMAGE, GUI_CLIPBOARD_DATA, GUI_WMNAME, GUI_DOCK, GUI_WINDOW_HINTS,
	    GUI_WINDOW_FLAGS, GUI_WMCLASS, GUI_WINDOW_DUMP, GUI_CURSOR};

	(void)state;
	for (uint32_t type = 0; type < 300; type++) {
		bool is_legal = false;
		bool accepted = false;

		for (size_t i = 0; i < G_N_ELEMENTS(legal); i++)
			is_legal = is_legal || legal[i] == type;
		for (uint32_t len = 0; len <= 256; len++)
			accepted = accepted || verdict(GUI_VERSION_NEWEST, type, len) == (int)type;
		assert_int_equal(accepted, is_legal);
	}
	assert_int_equal(verdict(GUI_VERSION_NEWEST, UINT32_MAX, 0), -EPROTO);
}

static void
fixed_length_is_compared_since_1_6(void **state)
{
	(void)state;
	assert_int_equal(verdict(GUI_VERSION(1, 6), GUI_CREATE, 24), GUI_CREATE);
	assert_int_equal(verdict(GUI_VERSION(1, 6), GUI_CREATE, 23), -EPROTO);
	assert_int_equal(verdict(GUI_VERSION(1, 6), GUI_CREATE, 25), -EPROTO);
	assert_int_equal(verdict(GUI_VERSION(1, 6), GUI_DESTROY, 0), GUI_DESTROY);
	assert_int_equal(verdict(GUI_VERSION(1, 6), GUI_DESTROY, 1), -EPROTO);
}

static void
fixed_length_is_ignored_before_1_6(void **state)
{
	struct gui_reader *reader = gui_reader_new(GUI_SENDER_AGENT);
	struct gui_wire_create create = {0};

	(void)state;
	gui_reader_set_version(reader, GUI_VERSION(1, 5));
	feed_header(reader, GUI_CREATE, 1, UINT32_MAX);
	feed(reader, &create, sizeof(create));
	feed_header(reader, GUI_DOCK, 1, 0);
	assert_int_equal(next_type(reader), GUI_CREATE);
	assert_int_equal(next_type(reader), GUI_DOCK);
	gui_reader_free(reader);
}

static void
clipboard_length_has_the_limit_of_its_version(void **state)
{
	(void)state;
	assert_int_equal(
	    verdict(GUI_VERSION(1, 8), GUI_CLIPBOARD_DATA, 256001), GUI_CLIPBOARD_DATA);
	assert_int_equal(verdict(GUI_VERSION(1, 8), GUI_CLIPBOARD_DATA, 256002), -EPROTO);
	assert_int_equal(verdict(GUI_VERSION(1, 7), GUI_CLIPBOARD_DATA, 65000), GUI_CLIPBOARD_DATA);
	assert_int_equal(verdict(GUI_VERSION(1, 7), GUI_CLIPBOARD_DATA, 65001), -EPROTO);
	assert_int_equal(verdict(GUI_VERSION(1, 2), GUI_CLIPBOARD_DATA, 0), GUI_CLIPBOARD_DATA);
	assert_int_equal(verdict(GUI_VERSION(1, 1), GUI_CLIPBOARD_DATA, 0), -EPROTO);
}

static void
dump_length_is_bounded_before_it_is_read(void **state)
{
	uint32_t max = sizeof(struct gui_wire_window_dump) + 4 * GUI_MAX_PAGES;

	(void)state;
	assert_int_equal(verdict(GUI_VERSION(1, 0), GUI_WINDOW_DUMP, max), GUI_WINDOW_DUMP);
	assert_int_equal(verdict(GUI_VERSION(1, 8), GUI_WINDOW_DUMP, max + 1), -EPROTO);
	assert_int_equal(verdict(GUI_VERSION(1, 8), GUI_WINDOW_DUMP, UINT32_MAX), -EPROTO);
	assert_int_equal(verdict(GUI_VERSION(1, 8), GUI_WINDOW_DUMP, 15), -EPROTO);
	assert_int_equal(verdict(GUI_VERSION(1, 8), GUI_MFNDUMP, 28), -EPROTO);
}

static void
unknown_message_of_the_daemon_is_skipped(void **state)
{
	struct gui_reader *reader = gui_reader_new(GUI_SENDER_DAEMON);
	uint8_t junk[1000] = {0};

	(void)state;
	feed_header(reader, 0x51585401, 0, 200000);
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(next_type(reader), 0);
		feed(reader, junk, sizeof(junk));
	}
	feed_header(reader, GUI_EXECUTE, 0, 255);
	feed(reader, junk, 255);
	feed_header(reader, GUI_CLOSE, 5, 0);
	assert_int_equal(next_type(reader), GUI_CLOSE);
	assert_int_equal(next_type(reader), 0);
	gui_reader_free(reader);
}

static void
handshake_bytes_are_taken_whole(void **state)
{
	struct gui_reader *reader = gui_reader_new(GUI_SENDER_AGENT);
	uint32_t version = GUI_VERSION_NEWEST, got = 0;

	(void)state;
	feed(reader, &version, 3);
	assert_false(gui_reader_take(reader, &got, sizeof(got)));
	feed(reader, (uint8_t *)&version + 3, 1);
	assert_true(gui_reader_take(reader, &got, sizeof(got)));
	assert_int_equal(got, version);
	assert_false(gui_reader_take(reader, &got, sizeof(got)));
	gui_reader_free(reader);
}

static void
every_message_has_a_name_and_nothing_else_has(void **state)
{
	(void)state;
	for (uint32_t type = 0; type < 300; type++)
		assert_int_equal(gui_message_name(type) != NULL,
		    type >= GUI_KEYPRESS && type <= GUI_WINDOW_DUMP_ACK);
}

/* --- handshake ---------------------------------------------------------------------------- */

static void
agent_version_is_negotiated_down(void **state)
{
	uint32_t version = 99, major = 99;

	(void)state;
	assert_int_equal(
	    gui_decode_agent_version((struct untrusted_u32){GUI_VERSION(1, 0)}, &major, &version),
	    0);
	assert_int_equal(version, GUI_VERSION(1, 0));
	assert_int_equal(gui_decode_agent_version(
			     (struct untrusted_u32){GUI_VERSION(1, 0xffff)}, &major, &version),
	    0);
	assert_int_equal(version, GUI_VERSION(1, 8));
	assert_int_equal(
	    gui_decode_agent_version((struct untrusted_u32){GUI_VERSION(2, 0)}, &major, &version),
	    -EPROTO);
	assert_int_equal(major, 2);
	assert_int_equal(
	    gui_decode_agent_version((struct untrusted_u32){GUI_VERSION(0, 9)}, &major, &version),
	    -EPROTO);
	assert_int_equal(version, GUI_VERSION(1, 8));
}

static void
daemon_version_is_between_1_4_and_ours(void **state)
{
	static const struct {
		uint32_t version;
		int result;
	} cases[] = {
	    {GUI_VERSION(1, 3), -EPROTO},
	    {GUI_VERSION(1, 4), 0},
	    {GUI_VERSION(1, 8), 0},
	    {GUI_VERSION(1, 9), -EPROTO},
	    {1920, -EPROTO},
	    {GUI_VERSION(2, 4), -EPROTO},
	};
	uint32_t version;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_int_equal(
		    gui_decode_daemon_version((struct untrusted_u32){cases[i].version}, &version),
		    cases[i].result);
}

static void
screen_size_is_clamped(void **state)
{
	struct gui_xconf xconf;

	(void)state;
	assert_int_equal(gui_decode_xconf(body(BODY(0, 0xffffffff, 24, 0)), &xconf), 0);
	assert_int_equal(xconf.width, 1);
	assert_int_equal(xconf.height, 32767);
	assert_int_equal(gui_decode_xconf(body(BODY(0, 0, 0)), &xconf), -EPROTO);
}

/* --- geometry ----------------------------------------------------------------------------- */

static void
bdr_07_create_clamps_what_is_out_of_range(void **state)
{
	static const struct {
		int32_t x, y;
		uint32_t width, height;
		struct gui_geometry wanted;
	} cases[] = {
	    {0, 0, 0, 0, {0, 0, 1, 1}},
	    {16384, 6144, 16384, 6144, {16384, 6144, 16384, 6144}},
	    {16385, 6145, 16385, 6145, {16384, 6144, 16384, 6144}},
	    {-16384, -6144, 1, 1, {-16384, -6144, 1, 1}},
	    {-16385, -6145, 1, 1, {-16384, -6144, 1, 1}},
	    {INT32_MIN, INT32_MAX, INT32_MAX, INT32_MAX, {-16384, 6144, 16384, 6144}},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct gui_create create;

		assert_int_equal(
		    gui_decode_create(body(BODY((uint32_t)cases[i].x, (uint32_t)cases[i].y,
					  cases[i].width, cases[i].height, 77, 0)),
			&create),
		    0);
		assert_memory_equal(&create.geometry, &cases[i].wanted, sizeof(create.geometry));
		assert_false(create.override_redirect);
	}
}

static void
bdr_07_negative_size_breaks_the_protocol(void **state)
{
	struct gui_create create;
	struct gui_geometry geometry;

	(void)state;
	assert_int_equal(
	    gui_decode_create(body(BODY(0, 0, 0x80000000, 1, 0, 0)), &create), -EPROTO);
	assert_int_equal(
	    gui_decode_create(body(BODY(0, 0, 1, 0xffffffff, 0, 0)), &create), -EPROTO);
	assert_int_equal(
	    gui_decode_configure(body(BODY(0, 0, 0x80000000, 1, 0)), &geometry), -EPROTO);
	assert_int_equal(gui_decode_configure(body(BODY(0, 0, 0x7fffffff, 1, 0)), &geometry), 0);
	assert_int_equal(geometry.width, GUI_MAX_WIDTH);
}

static void
any_number_but_zero_asks_for_override_redirect(void **state)
{
	struct gui_create create;
	struct gui_map map;

	(void)state;
	assert_int_equal(gui_decode_create(body(BODY(0, 0, 1, 1, 0, 0x80000000)), &create), 0);
	assert_true(create.override_redirect);
	assert_int_equal(gui_decode_map(body(BODY(5, 2)), &map), 0);
	assert_true(map.override_redirect);
	assert_int_equal(map.transient_for.id, 5);
	assert_int_equal(gui_decode_map(body(BODY(0xffffffff, 0)), &map), 0);
	assert_false(map.override_redirect);
	assert_int_equal(map.transient_for.id, 0xffffffff);
}

static void
every_decoder_refuses_a_body_of_another_length(void **state)
{
	uint8_t zeroes[256] = {0};
	union {
		struct gui_create create;
		struct gui_geometry geometry;
		struct gui_map map;
		struct gui_shmimage image;
		struct gui_title title;
		struct gui_wmclass class;
		struct gui_window_hints hints;
		struct gui_window_flags flags;
		struct gui_cursor cursor;
		struct gui_keypress key;
		struct gui_button button;
		struct gui_motion motion;
		struct gui_crossing crossing;
		struct gui_focus focus;
		struct gui_wire_keymap_notify keymap;
	} ret;

	(void)state;
#define REFUSES(decode, member, size)                                                              \
	do {                                                                                       \
		assert_int_equal(decode(body(zeroes, (size)-1), &ret.member), -EPROTO);            \
		assert_int_not_equal(decode(body(zeroes, (size)), &ret.member), -EPROTO);          \
		assert_int_equal(decode(body(zeroes, (size) + 1), &ret.member), -EPROTO);          \
	} while (0)
	REFUSES(gui_decode_create, create, 24);
	REFUSES(gui_decode_configure, geometry, 20);
	REFUSES(gui_decode_map, map, 8);
	REFUSES(gui_decode_shmimage, image, 16);
	REFUSES(gui_decode_wmname, title, 128);
	REFUSES(gui_decode_wmclass, class, 128);
	REFUSES(gui_decode_window_hints, hints, 36);
	REFUSES(gui_decode_window_flags, flags, 8);
	REFUSES(gui_decode_cursor, cursor, 4);
	REFUSES(gui_decode_keypress, key, 20);
	REFUSES(gui_decode_button, button, 20);
	REFUSES(gui_decode_motion, motion, 16);
	REFUSES(gui_decode_crossing, crossing, 28);
	REFUSES(gui_decode_focus, focus, 12);
	REFUSES(gui_decode_keymap_notify, keymap, 32);
#undef REFUSES
}

/* --- pixels ------------------------------------------------------------------------------- */

static void
shm_07_damage_is_clipped(void **state)
{
	static const struct {
		uint32_t in[4];
		struct gui_shmimage wanted;
	} cases[] = {
	    {{0, 0, 1, 1}, {0, 0, 1, 1}},
	    {{0, 0, 0x7fffffff, 0x7fffffff}, {0, 0, GUI_MAX_WIDTH, GUI_MAX_HEIGHT}},
	    {{15, 15, 0x7fffffff, 1}, {15, 15, GUI_MAX_WIDTH - 15, 1}},
	    {{16383, 6143, 2, 2}, {16383, 6143, 1, 1}},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct gui_shmimage image;

		assert_int_equal(
		    gui_decode_shmimage(body(cases[i].in, sizeof(cases[i].in)), &image), 0);
		assert_memory_equal(&image, &cases[i].wanted, sizeof(image));
	}
}

static void
shm_07_damage_of_nothing_is_ignored(void **state)
{
	static const uint32_t cases[][4] = {
	    {0, 0, 0, 1},
	    {0, 0, 1, 0},
	    {0x80000000, 0, 1, 1},
	    {0, 0xffffffff, 1, 1},
	    {0, 0, 0x80000000, 1},
	    {0, 0, 1, 0xffffffff},
	    {16384, 0, 1, 1},
	    {0, 6144, 1, 1},
	};
	struct gui_shmimage image;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_int_equal(
		    gui_decode_shmimage(body(cases[i], sizeof(cases[i])), &image), -ENOMSG);
}

/* A dump of so many zero references. */
static int
decode_dump(uint32_t type, uint32_t width, uint32_t height, size_t pages, size_t extra_bytes,
    struct gui_window_dump *ret)
{
	struct gui_wire_window_dump wire = {type, width, height, 24};
	size_t len = sizeof(wire) + 4 * pages + extra_bytes;
	g_autofree uint8_t *bytes = g_malloc0(len);

	memcpy(bytes, &wire, sizeof(wire));
	return gui_decode_window_dump(body(bytes, len), ret);
}

static void
window_dump_refuses_one_page_too_few(void **state)
{
	struct gui_window_dump dump;

	(void)state;
	assert_int_equal(decode_dump(0, 640, 480, 300, 0, &dump), 0);
	assert_int_equal(dump.page_count, 300);
	assert_int_equal(dump.untrusted_refs.len, 1200);
	assert_int_equal(decode_dump(0, 640, 480, 299, 0, &dump), -EPROTO);
	assert_int_equal(decode_dump(0, 640, 480, 301, 0, &dump), 0);
	assert_int_equal(decode_dump(0, 1, 1, 1, 0, &dump), 0);
	assert_int_equal(decode_dump(0, 1, 1, 0, 0, &dump), -EPROTO);
}

static void
bdr_05_window_dump_refuses_an_empty_image(void **state)
{
	struct gui_window_dump dump;

	(void)state;
	assert_int_equal(decode_dump(0, 0, 0, 1, 0, &dump), -EPROTO);
	assert_int_equal(decode_dump(0, 0, 1, 1, 0, &dump), -EPROTO);
	assert_int_equal(decode_dump(0, 1, 0, 1, 0, &dump), -EPROTO);
}

static void
shm_02_window_dump_refuses_sizes_that_overflow(void **state)
{
	struct gui_window_dump dump;

	(void)state;
	assert_int_equal(decode_dump(0, 16384, 6144, GUI_MAX_PAGES, 0, &dump), 0);
	assert_int_equal(decode_dump(0, 16384, 6144, GUI_MAX_PAGES - 1, 0, &dump), -EPROTO);
	assert_int_equal(decode_dump(0, 16384, 6144, GUI_MAX_PAGES + 1, 0, &dump), -EPROTO);
	assert_int_equal(decode_dump(0, 16385, 1, GUI_MAX_PAGES, 0, &dump), -EPROTO);
	assert_int_equal(decode_dump(0, 1, 6145, GUI_MAX_PAGES, 0, &dump), -EPROTO);
	assert_int_equal(decode_dump(0, 65536, 16384, 1, 0, &dump), -EPROTO);
	assert_int_equal(decode_dump(1, 1, 1, 1, 0, &dump), -EPROTO);
	assert_int_equal(decode_dump(0, 1, 1, 1, 1, &dump), -EPROTO);
}

/* --- text, hints, flags ------------------------------------------------------------------- */

static void
bdr_26_title_without_an_end_is_cut(void **state)
{
	struct gui_wire_wmname wire;
	struct gui_title title;

	(void)state;
	memset(wire.text, 'a', sizeof(wire.text));
	assert_int_equal(gui_decode_wmname(body(&wire, sizeof(wire)), &title), 0);
	assert_int_equal(strlen(title.untrusted_text), 127);
	wire.text[3] = '\0';
	assert_int_equal(gui_decode_wmname(body(&wire, sizeof(wire)), &title), 0);
	assert_string_equal(title.untrusted_text, "aaa");
}

static void
class_comes_before_name_and_both_are_cut(void **state)
{
	struct gui_wire_wmclass wire;
	struct gui_wmclass class;

	(void)state;
	memset(&wire, 'n', sizeof(wire));
	memset(wire.res_class, 'c', sizeof(wire.res_class));
	assert_int_equal(gui_decode_wmclass(body(&wire, sizeof(wire)), &class), 0);
	assert_int_equal(strlen(class.untrusted_class), 63);
	assert_int_equal(class.untrusted_class[0], 'c');
	assert_int_equal(strlen(class.untrusted_name), 63);
	assert_int_equal(class.untrusted_name[0], 'n');
}

/* The flags that are left of hints. */
static uint32_t
hint_flags(const uint32_t in[9])
{
	struct gui_window_hints hints;

	assert_int_equal(gui_decode_window_hints(body(in, 36), &hints), 0);
	return hints.flags;
}

static void
bdr_28_each_hint_falls_on_its_own(void **state)
{
	static const struct {
		uint32_t in[9];
		uint32_t wanted;
	} cases[] = {
	    {{0x175, 1, 1, 10, 10, 1, 1, 2, 2}, 0x175},
	    {{0xffffffff, 1, 1, 10, 10, 1, 1, 2, 2}, 0x175},
	    {{0x175, 16385, 1, 10, 10, 1, 1, 2, 2}, 0x165},
	    {{0x175, 1, 6145, 10, 10, 1, 1, 2, 2}, 0x165},
	    {{0x175, 16384, 6144, 16384, 6144, 1, 1, 2, 2}, 0x175},
	    {{0x175, 0, 0, 0, 10, 1, 1, 2, 2}, 0x155},
	    {{0x175, 0, 0, 1, 1, 1, 1, 1, 1}, 0x175},
	    {{0x175, 1, 1, 10, 6145, 1, 1, 2, 2}, 0x155},
	    {{0x175, 11, 1, 10, 10, 1, 1, 2, 2}, 0x155}, /* minimum above maximum */
	    {{0x175, 10, 10, 10, 10, 1, 1, 2, 2}, 0x175},
	    {{0x175, 1, 1, 10, 10, 0, 1, 2, 2}, 0x135},
	    {{0x175, 1, 1, 10, 10, 16384, 1, 2, 2}, 0x135},
	    {{0x175, 1, 1, 10, 10, 16383, 6143, 2, 2}, 0x175},
	    {{0x175, 1, 1, 10, 10, 1, 1, 11, 2}, 0x75}, /* base above maximum */
	    {{0x175, 1, 1, 10, 10, 1, 1, 0xffffffff, 2}, 0x75},
	    {{0, 1, 1, 10, 10, 1, 1, 2, 2}, 0},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_int_equal(hint_flags(cases[i].in), cases[i].wanted);
}

static void
bdr_29_flags_set_and_unset_at_once_are_ignored(void **state)
{
	struct gui_window_flags flags;

	(void)state;
	assert_int_equal(gui_decode_window_flags(body(BODY(1, 1)), &flags), -ENOMSG);
	assert_int_equal(gui_decode_window_flags(body(BODY(0x100, 0x100)), &flags), -ENOMSG);
	assert_int_equal(gui_decode_window_flags(body(BODY(0xfffffffd, 0x2)), &flags), 0);
	assert_int_equal(flags.set, 5);
	assert_int_equal(flags.unset, 2);
}

static void
bdr_30_only_shapes_of_the_cursor_font_pass(void **state)
{
	struct gui_cursor cursor;

	(void)state;
	assert_int_equal(gui_decode_cursor(body(BODY(0)), &cursor), 0);
	assert_true(cursor.is_default);
	assert_int_equal(gui_decode_cursor(body(BODY(1)), &cursor), -ENOMSG);
	assert_int_equal(gui_decode_cursor(body(BODY(0xff)), &cursor), -ENOMSG);
	assert_int_equal(gui_decode_cursor(body(BODY(0x100)), &cursor), 0);
	assert_false(cursor.is_default);
	assert_int_equal(cursor.glyph, 0);
	assert_int_equal(gui_decode_cursor(body(BODY(0x101)), &cursor), -ENOMSG);
	assert_int_equal(gui_decode_cursor(body(BODY(0x198)), &cursor), 0);
	assert_int_equal(cursor.glyph, 0x98);
	assert_int_equal(gui_decode_cursor(body(BODY(0x199)), &cursor), -ENOMSG);
	assert_int_equal(gui_decode_cursor(body(BODY(0x19a)), &cursor), -ENOMSG);
	assert_int_equal(gui_decode_cursor(body(BODY(0xffffffff)), &cursor), -ENOMSG);
}

/* --- input -------------------------------------------------------------------------------- */

static void
key_is_a_press_or_a_release_of_a_keycode(void **state)
{
	struct gui_keypress key;

	(void)state;
	assert_int_equal(gui_decode_keypress(body(BODY(2, 5, (uint32_t)-5, 0x1ffff, 8)), &key), 0);
	assert_true(key.pressed);
	assert_int_equal(key.x, 5);
	assert_int_equal(key.y, -5);
	assert_int_equal(key.state, 0xffff);
	assert_int_equal(gui_decode_keypress(body(BODY(3, 0, 0, 0, 255)), &key), 0);
	assert_false(key.pressed);
	assert_int_equal(gui_decode_keypress(body(BODY(1, 0, 0, 0, 8)), &key), -ENOMSG);
	assert_int_equal(gui_decode_keypress(body(BODY(4, 0, 0, 0, 8)), &key), -ENOMSG);
	assert_int_equal(gui_decode_keypress(body(BODY(2, 0, 0, 0, 7)), &key), -ENOMSG);
	assert_int_equal(gui_decode_keypress(body(BODY(2, 0, 0, 0, 256)), &key), -ENOMSG);
}

static void
button_is_a_press_or_a_release_of_a_button(void **state)
{
	struct gui_button button;

	(void)state;
	assert_int_equal(gui_decode_button(body(BODY(4, 0, 0, 0, 1)), &button), 0);
	assert_true(button.pressed);
	assert_int_equal(gui_decode_button(body(BODY(5, 0, 0, 0, 255)), &button), 0);
	assert_false(button.pressed);
	assert_int_equal(gui_decode_button(body(BODY(3, 0, 0, 0, 1)), &button), -ENOMSG);
	assert_int_equal(gui_decode_button(body(BODY(6, 0, 0, 0, 1)), &button), -ENOMSG);
	assert_int_equal(gui_decode_button(body(BODY(4, 0, 0, 0, 0)), &button), -ENOMSG);
	assert_int_equal(gui_decode_button(body(BODY(4, 0, 0, 0, 256)), &button), -ENOMSG);
}

static void
position_of_the_pointer_is_clamped(void **state)
{
	struct gui_motion motion;

	(void)state;
	assert_int_equal(gui_decode_motion(body(BODY(0x7fffffff, 0x80000000, 0, 1)), &motion), 0);
	assert_int_equal(motion.x, 32768);
	assert_int_equal(motion.y, -32768);
	assert_true(motion.is_hint);
}

static void
crossing_and_focus_have_the_modes_of_x(void **state)
{
	struct gui_crossing crossing;
	struct gui_focus focus;

	(void)state;
	assert_int_equal(gui_decode_crossing(body(BODY(7, 0, 0, 0, 3, 7, 1)), &crossing), 0);
	assert_true(crossing.entered);
	assert_true(crossing.focus);
	assert_int_equal(gui_decode_crossing(body(BODY(8, 0, 0, 0, 0, 0, 0)), &crossing), 0);
	assert_false(crossing.entered);
	assert_int_equal(gui_decode_crossing(body(BODY(9, 0, 0, 0, 0, 0, 0)), &crossing), -ENOMSG);
	assert_int_equal(gui_decode_crossing(body(BODY(7, 0, 0, 0, 4, 0, 0)), &crossing), -ENOMSG);
	assert_int_equal(gui_decode_crossing(body(BODY(7, 0, 0, 0, 0, 8, 0)), &crossing), -ENOMSG);
	assert_int_equal(gui_decode_focus(body(BODY(9, 0, 3)), &focus), 0);
	assert_true(focus.focused);
	assert_int_equal(gui_decode_focus(body(BODY(10, 3, 7)), &focus), 0);
	assert_false(focus.focused);
	assert_int_equal(gui_decode_focus(body(BODY(8, 0, 3)), &focus), -ENOMSG);
	assert_int_equal(gui_decode_focus(body(BODY(9, 4, 3)), &focus), -ENOMSG);
	assert_int_equal(gui_decode_focus(body(BODY(9, 0, 8)), &focus), -ENOMSG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(message_is_whole_only_with_its_last_byte),
	    cmocka_unit_test(several_messages_come_out_in_order),
	    cmocka_unit_test(largest_dump_passes_through),
	    cmocka_unit_test(broken_stream_stays_broken),
	    cmocka_unit_test(agent_may_send_only_agent_messages),
	    cmocka_unit_test(fixed_length_is_compared_since_1_6),
	    cmocka_unit_test(fixed_length_is_ignored_before_1_6),
	    cmocka_unit_test(clipboard_length_has_the_limit_of_its_version),
	    cmocka_unit_test(dump_length_is_bounded_before_it_is_read),
	    cmocka_unit_test(unknown_message_of_the_daemon_is_skipped),
	    cmocka_unit_test(handshake_bytes_are_taken_whole),
	    cmocka_unit_test(every_message_has_a_name_and_nothing_else_has),
	    cmocka_unit_test(agent_version_is_negotiated_down),
	    cmocka_unit_test(daemon_version_is_between_1_4_and_ours),
	    cmocka_unit_test(screen_size_is_clamped),
	    cmocka_unit_test(bdr_07_create_clamps_what_is_out_of_range),
	    cmocka_unit_test(bdr_07_negative_size_breaks_the_protocol),
	    cmocka_unit_test(any_number_but_zero_asks_for_override_redirect),
	    cmocka_unit_test(every_decoder_refuses_a_body_of_another_length),
	    cmocka_unit_test(shm_07_damage_is_clipped),
	    cmocka_unit_test(shm_07_damage_of_nothing_is_ignored),
	    cmocka_unit_test(window_dump_refuses_one_page_too_few),
	    cmocka_unit_test(bdr_05_window_dump_refuses_an_empty_image),
	    cmocka_unit_test(shm_02_window_dump_refuses_sizes_that_overflow),
	    cmocka_unit_test(bdr_26_title_without_an_end_is_cut),
	    cmocka_unit_test(class_comes_before_name_and_both_are_cut),
	    cmocka_unit_test(bdr_28_each_hint_falls_on_its_own),
	    cmocka_unit_test(bdr_29_flags_set_and_unset_at_once_are_ignored),
	    cmocka_unit_test(bdr_30_only_shapes_of_the_cursor_font_pass),
	    cmocka_unit_test(key_is_a_press_or_a_release_of_a_keycode),
	    cmocka_unit_test(button_is_a_press_or_a_release_of_a_button),
	    cmocka_unit_test(position_of_the_pointer_is_clamped),
	    cmocka_unit_test(crossing_and_focus_have_the_modes_of_x),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
