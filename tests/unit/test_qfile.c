#include "qrexec/services/crc32.h"
#include "qrexec/services/qfile_decode.h"
#include "qrexec/services/safe_name.h"
#include "qrexec/services/unpack.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- streams -------------------------------------------------------------------------------- */

static GByteArray *
from_hex(const char *hex)
{
	GByteArray *bytes = g_byte_array_new();

	for (const char *p = hex; *p != '\0'; p++) {
		guint8 byte;

		if (*p == ' ')
			continue;
		byte = (guint8)(g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]));
		g_byte_array_append(bytes, &byte, 1);
		p++;
	}
	return bytes;
}

/* The stream of docs/file-copy.md: d, d/f with "abc", d/l -> f, d again, end. */
#define GOLDEN_DIR "02000000 e8410000 0000000000000000 01000000 00000000 02000000 05000000 6400"
#define GOLDEN                                                                                     \
	GOLDEN_DIR " 04000000 a0810000 0300000000000000 01000000 00000000 02000000 05000000"       \
		   " 642f6600 616263"                                                              \
		   " 04000000 ffa10000 0100000000000000 01000000 00000000 02000000 05000000"       \
		   " 642f6c00 66 " GOLDEN_DIR                                                      \
		   " 0000000000000000000000000000000000000000000000000000000000000000"

struct entry {
	const char *name;
	uint32_t mode;
	uint64_t len;
	const char *content; /* NULL: len zeros, if len is small */
	uint32_t nsec;
	uint32_t name_len; /* 0: as the name says */
};

static void
append_entry(GByteArray *stream, const struct entry *entry)
{
	struct qfile_wire_header header = {
	    .name_len = entry->name_len != 0 ? entry->name_len : (uint32_t)strlen(entry->name) + 1,
	    .mode = entry->mode,
	    .content_len = entry->len,
	    .mtime_nsec = entry->nsec,
	};

	g_byte_array_append(stream, (guint8 *)&header, sizeof(header));
	g_byte_array_append(stream, (const guint8 *)entry->name, (guint)strlen(entry->name) + 1);
	if (entry->content != NULL)
		g_byte_array_append(stream, (const guint8 *)entry->content, (guint)entry->len);
}

static void
append_end(GByteArray *stream)
{
	static const guint8 zeros[32];

	g_byte_array_append(stream, zeros, sizeof(zeros));
}

/* Feeds everything, step bytes at a time, and writes down what happens. */
static char *
events_of(struct qfile_reader *reader, const GByteArray *stream, size_t step, struct unpack *unpack)
{
	GString *text = g_string_new(NULL);
	bool more = true;

	for (size_t at = 0; at < stream->len && more; at += step) {
		struct untrusted_bytes piece =
		    untrusted_bytes_of(stream->data + at, MIN(step, stream->len - at));
		enum qfile_event event;

		do {
			size_t used;
			uint32_t error = 0;

			event = qfile_reader_feed(reader, piece, &used);
			switch (event) {
			case QFILE_MORE:
				break;
			case QFILE_ENTRY:
				g_string_append_printf(text, "%c %s %o", "fdl"[reader->entry.type],
				    reader -> entry.path, reader->entry.mode);
				if (reader->entry.target != NULL)
					g_string_append_printf(text, " > %s", reader->entry.target);
				if (unpack != NULL)
					error = unpack_entry(unpack, &reader->entry);
				break;
			case QFILE_CONTENT:
				g_string_append_printf(
				    text, " [%.*s", (int)used, qfile_content(piece));
				if (unpack != NULL)
					error = unpack_content(unpack, qfile_content(piece), used);
				break;
			case QFILE_DONE:
				g_string_append(text, ";");
				if (unpack != NULL)
					error = unpack_done(unpack);
				break;
			case QFILE_END:
				g_string_append(text, ".");
				break;
			case QFILE_ERROR:
				g_string_append_printf(text, "!%u", reader->error);
				break;
			}
			piece = untrusted_bytes_of(qfile_content(piece) + used, piece.len - used);
			if (error != 0)
				g_string_append_printf(text, "?%u", error);
			more = event != QFILE_END && event != QFILE_ERROR && error == 0;
		} while (event != QFILE_MORE && more);
	}
	return g_string_free(text, FALSE);
}

static struct qfile_reader *
new_reader(const struct qfile_options *options)
{
	static const struct qfile_options none;
	struct qfile_reader *reader = g_new0(struct qfile_reader, 1);

	qfile_reader_init(reader, options != NULL ? options : &none);
	return reader;
}

static void
svc_01_the_golden_stream_is_read_whole_and_byte_by_byte(void **state)
{
	g_autoptr(GByteArray) stream = from_hex(GOLDEN);
	g_autofree struct qfile_reader *whole = new_reader(NULL);
	g_autofree struct qfile_reader *dribbled = new_reader(NULL);
	g_autofree char *events = NULL;
	g_autofree char *dribble = NULL;

	(void)state;
	assert_int_equal(stream->len, 176);
	events = events_of(whole, stream, stream->len, NULL);
	assert_string_equal(events, "d d 750;f d/f 640 [abc;l d/l 777 > f;d d 750;.");
	dribble = events_of(dribbled, stream, 1, NULL);
	assert_string_equal(dribble, "d d 750;f d/f 640 [a [b [c;l d/l 777 > f;d d 750;.");
	assert_int_equal(whole->crc, 0xdc653f2e);
	assert_int_equal(dribbled->crc, whole->crc);
	assert_int_equal(qfile_reader_eof(whole), 0);
	assert_int_equal(whole->name_len, 1);
	assert_true(whole->name_is_whole);
}

static void
svc_01_sums_of_short_streams_are_as_recorded(void **state)
{
	g_autoptr(GByteArray) empty = g_byte_array_new();
	g_autoptr(GByteArray) bad = g_byte_array_new();
	g_autofree struct qfile_reader *of_empty = new_reader(NULL);
	g_autofree struct qfile_reader *of_bad = new_reader(NULL);
	g_autofree char *events = NULL;
	g_autofree char *bad_events = NULL;

	(void)state;
	append_end(empty);
	events = events_of(of_empty, empty, 32, NULL);
	assert_string_equal(events, ".");
	assert_int_equal(of_empty->crc, 0x190a55ad);
	assert_int_equal(of_empty->name_len, 0);
	assert_true(of_empty->name_is_whole);
	append_entry(bad, &(struct entry){"../x", 0100640, 3, "abc", 0, 0});
	bad_events = events_of(of_bad, bad, bad->len, NULL);
	assert_string_equal(bad_events, "!84");
	assert_true(of_bad->name_is_whole);
	assert_memory_equal(of_bad->name, "../x", 4);
}

static void
a_stream_that_is_cut_says_where(void **state)
{
	g_autoptr(GByteArray) stream = from_hex(GOLDEN);

	(void)state;
	for (guint cut = 0; cut < stream->len; cut++) {
		g_autofree struct qfile_reader *reader = new_reader(NULL);
		g_autoptr(GByteArray) part = g_byte_array_new();
		g_autofree char *events = NULL;
		/* Names lie at 32, 66, 105, 140 bytes; the file's content and the target behind. */
		bool inside = (cut >= 32 && cut < 34) || (cut >= 66 && cut < 73) ||
			      (cut >= 105 && cut < 110) || (cut >= 142 && cut < 144);

		g_byte_array_append(part, stream->data, cut);
		events = events_of(reader, part, 7, NULL);
		assert_int_equal(qfile_reader_eof(reader), inside ? QFILE_CUT : QFILE_EREMOTEIO);
	}
}

static void
svc_02_each_fault_of_an_entry_has_its_code(void **state)
{
	static const struct {
		struct entry entry;
		const char *events;
	} rows[] = {
	    {{"f", 0100644, 0, NULL, 999999999, 0}, "f f 644;"},
	    {{"f", 0100644, 0, NULL, 1000000000, 0}, "!22"},
	    {{"f", 0100644, 0, NULL, 0x3fffffff, 0}, "!22"},
	    {{"f", 0104755, 0, NULL, 0, 0}, "f f 755;"},
	    {{"d", 0040755, 1, "x", 0, 0}, "!22"},
	    {{"p", 0010644, 0, NULL, 0, 0}, "!22"},
	    {{"c", 0020644, 0, NULL, 0, 0}, "!22"},
	    {{"b", 0060644, 0, NULL, 0, 0}, "!22"},
	    {{"s", 0140644, 0, NULL, 0, 0}, "!22"},
	    {{"x", 0000644, 0, NULL, 0, 0}, "!22"},
	    {{"f", 0100644, UINT64_C(1) << 63, NULL, 0, 0}, "!122"},
	    {{"f", 0100644, UINT64_MAX, NULL, 0, 0}, "!122"},
	    {{"ab", 0100644, 0, NULL, 0, 2}, "!22"},
	    {{"", 0100644, 0, NULL, 0, 0}, "!84"},
	    {{"a\nb", 0100644, 0, NULL, 0, 0}, "!84"},
	    {{"a//b", 0100644, 0, NULL, 0, 0}, "!84"},
	    {{"/a", 0100644, 0, NULL, 0, 0}, "!84"},
	    {{"a/", 0040755, 0, NULL, 0, 0}, "!84"},
	    {{"n", 0100644, 0, NULL, 0, 16384}, "!36"},
	    {{"n", 0100644, 0, NULL, 0, 0xffffffff}, "!36"},
	    {{"d/l", 0120777, 16384, NULL, 0, 0}, "!36"},
	    {{"d/l", 0120777, 0, "", 0, 0}, "!67"},
	    {{"l", 0120777, 1, "a", 0, 0}, "!67"},
	    {{"d/l", 0120777, 2, "a\0", 0, 0}, "!84"},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree struct qfile_reader *reader = new_reader(NULL);
		g_autoptr(GByteArray) stream = g_byte_array_new();
		g_autofree char *events = NULL;

		append_entry(stream, &rows[i].entry);
		events = events_of(reader, stream, stream->len, NULL);
		if (strcmp(events, rows[i].events) != 0)
			fail_msg("row %zu: %s", i, events);
	}
}

static void
limits_hold_at_the_limit_and_not_beyond(void **state)
{
	const struct qfile_options two = {.max_entries = 2};
	const struct qfile_options ten = {.max_bytes = 10};
	static const struct entry five = {"f", 0100644, 5, "12345", 0, 0};
	static const struct entry six = {"f", 0100644, 6, "123456", 0, 0};
	g_autoptr(GByteArray) stream = g_byte_array_new();
	g_autoptr(GByteArray) longer = g_byte_array_new();
	g_autofree struct qfile_reader *entries = new_reader(&two);
	g_autofree struct qfile_reader *bytes = new_reader(&ten);
	g_autofree struct qfile_reader *too_many = new_reader(&ten);
	g_autofree char *first = NULL;
	g_autofree char *second = NULL;
	g_autofree char *third = NULL;

	(void)state;
	for (int i = 0; i < 3; i++)
		append_entry(stream, &five);
	first = events_of(entries, stream, stream->len, NULL);
	assert_string_equal(first, "f f 644 [12345;f f 644 [12345;!122");
	second = events_of(bytes, stream, stream->len, NULL);
	assert_string_equal(second, "f f 644 [12345;f f 644 [12345;!122");
	append_entry(longer, &five);
	append_entry(longer, &six);
	third = events_of(too_many, longer, longer->len, NULL);
	assert_string_equal(third, "f f 644 [12345;!122");
}

/* --- names ---------------------------------------------------------------------------------- */

static void
paths_obey_the_table(void **state)
{
	static const struct {
		const char *path;
		bool safe, any; /* with and without the rule about characters */
	} rows[] = {
	    {"a", true, true},
	    {".a", true, true},
	    {"..a", true, true},
	    {"...", true, true},
	    {"a/b/c", true, true},
	    {"\xc3\xa4", true, true},
	    {"", false, false},
	    {".", false, false},
	    {"..", false, false},
	    {"a/..", false, false},
	    {"a/./b", false, false},
	    {"/a", false, false},
	    {"a/", false, false},
	    {"a//b", false, false},
	    {"a\x1b[0m", false, true},
	    {"a\xff", false, true},
	    {"\xc0\xaf", false, true},
	    {"\xed\xa0\x80", false, true},
	    {"\xf4\x90\x80\x80", false, true},
	    {"\xe2\x80\xae", false, true},
	    {"e\xcc\x81", false, true},
	    {"\xc3", false, true},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		size_t len = strlen(rows[i].path);

		if (safe_path(rows[i].path, len, false) != rows[i].safe ||
		    safe_path(rows[i].path, len, true) != rows[i].any)
			fail_msg("row %zu", i);
	}
	assert_false(safe_path("a\0b", 3, true));
}

static void
links_stay_inside_their_top_level_directory(void **state)
{
	static const struct {
		const char *path, *target;
		enum safe_link lenient, strict;
	} rows[] = {
	    {"d/l", "f", SAFE_LINK_FINE, SAFE_LINK_FINE},
	    {"d/l", "f/", SAFE_LINK_FINE, SAFE_LINK_FINE},
	    {"d/l", "./f", SAFE_LINK_FINE, SAFE_LINK_NAME},
	    {"d/l", "f//g", SAFE_LINK_FINE, SAFE_LINK_NAME},
	    {"d/e/l", "../f", SAFE_LINK_FINE, SAFE_LINK_FINE},
	    {"d/e/l", "..", SAFE_LINK_FINE, SAFE_LINK_FINE},
	    {"d/e/g/l", "../../f", SAFE_LINK_FINE, SAFE_LINK_FINE},
	    {"d/e/g/l", "../../..", SAFE_LINK_OUTSIDE, SAFE_LINK_OUTSIDE},
	    {"l", "a", SAFE_LINK_OUTSIDE, SAFE_LINK_OUTSIDE},
	    {"d/l", "..", SAFE_LINK_OUTSIDE, SAFE_LINK_OUTSIDE},
	    {"d/l", "../d/f", SAFE_LINK_OUTSIDE, SAFE_LINK_OUTSIDE},
	    {"d/e/l", "a/../b", SAFE_LINK_OUTSIDE, SAFE_LINK_OUTSIDE},
	    {"d/e/l", "./../b", SAFE_LINK_FINE, SAFE_LINK_NAME},
	    {"d/l", "/etc", SAFE_LINK_OUTSIDE, SAFE_LINK_OUTSIDE},
	    {"d/l", "", SAFE_LINK_OUTSIDE, SAFE_LINK_OUTSIDE},
	    {"d/l", "a\x1b", SAFE_LINK_NAME, SAFE_LINK_NAME},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		size_t len = strlen(rows[i].path), target_len = strlen(rows[i].target);

		if (safe_link(rows[i].path, len, rows[i].target, target_len, false, false) !=
			rows[i].lenient ||
		    safe_link(rows[i].path, len, rows[i].target, target_len, false, true) !=
			rows[i].strict)
			fail_msg("row %zu", i);
	}
}

static void
svc_05_code_points_agree_with_the_recorded_set(void **state)
{
	uint32_t count = 0, sum = 0;

	(void)state;
	for (uint32_t c = 0; c < 0x110000; c++) {
		if (!safe_code_point(c))
			continue;
		count++;
		sum = sum * 31 + c;
		assert_false(c >= 0xd800 && c <= 0xdfff);
		assert_false(c < 0x20 || (c >= 0x7f && c < 0xa1));
	}
	/* Of the table as published; a change of one range changes both. */
	assert_int_equal(count, 115608);
	assert_int_equal(sum, 0xc0a3de4cu);
	assert_true(safe_code_point(0x20) && safe_code_point(0x7e) && safe_code_point(0xa1));
	assert_true(safe_code_point(0x323af) && !safe_code_point(0x323b0));
	assert_true(!safe_code_point(0xa0) && !safe_code_point(0xad) && !safe_code_point(0x202e));
	assert_true(!safe_code_point(0x1f600) && !safe_code_point(0x300));
}

/* --- results -------------------------------------------------------------------------------- */

static void
svc_04_a_result_is_read_with_and_without_its_name(void **state)
{
	g_autoptr(GByteArray) bytes =
	    from_hex("11000000 00000000 2e3f65dc00000000 05000000 611b622263");
	struct qfile_result result;

	(void)state;
	assert_int_equal(qfile_result_size(untrusted_bytes_of(bytes->data, 0)), 16);
	assert_int_equal(qfile_result_size(untrusted_bytes_of(bytes->data, 16)), 20);
	assert_int_equal(qfile_result_size(untrusted_bytes_of(bytes->data, 20)), 25);
	assert_int_equal(
	    qfile_decode_result(untrusted_bytes_of(bytes->data, 15), &result), -EPROTO);
	assert_int_equal(qfile_decode_result(untrusted_bytes_of(bytes->data, 16), &result), 0);
	assert_string_equal(result.last_name, "");
	qfile_result_clear(&result);
	assert_int_equal(qfile_decode_result(untrusted_bytes_of(bytes->data, 25), &result), 0);
	assert_int_equal(result.error, QFILE_EEXIST);
	assert_int_equal(result.crc, 0xdc653f2e);
	assert_true(result.crc_is_plain);
	assert_string_equal(result.last_name, "a_b_c");
	qfile_result_clear(&result);
}

static void
svc_04_an_endless_name_is_cut(void **state)
{
	g_autoptr(GByteArray) bytes = from_hex("11000000 00000000 0000000000000000 ffffffff");

	(void)state;
	assert_int_equal(qfile_result_size(untrusted_bytes_of(bytes->data, 20)), 20 + 16384);
}

/* --- unpacking ------------------------------------------------------------------------------ */

struct place {
	char *path;
	int fd;
	struct unpack *unpack;
};

static int
setup_place(void **state)
{
	static const struct unpack_options options;
	struct place *place = g_new0(struct place, 1);

	place->path = g_dir_make_tmp("unpack-XXXXXX", NULL);
	place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	place->unpack = unpack_new(place->fd, &options);
	*state = place;
	return 0;
}

static int
remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)type;
	(void)walk;
	return remove(path);
}

static int
teardown_place(void **state)
{
	struct place *place = *state;

	unpack_free(place->unpack);
	close(place->fd);
	nftw(place->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	g_free(place->path);
	g_free(place);
	return 0;
}

static char *
unpack_stream(struct place *place, const GByteArray *stream)
{
	g_autofree struct qfile_reader *reader = new_reader(NULL);

	return events_of(reader, stream, 5, place->unpack);
}

static void
svc_01_the_golden_stream_becomes_files(void **state)
{
	struct place *place = *state;
	g_autoptr(GByteArray) stream = from_hex(GOLDEN);
	g_autofree char *events = unpack_stream(place, stream);
	g_autofree char *file = g_build_filename(place->path, "d/f", NULL);
	g_autofree char *link = g_build_filename(place->path, "d/l", NULL);
	g_autofree char *dir = g_build_filename(place->path, "d", NULL);
	g_autofree char *content = NULL;
	g_autofree char *target = g_file_read_link(link, NULL);
	struct stat info;

	assert_true(g_str_has_suffix(events, "."));
	assert_true(g_file_get_contents(file, &content, NULL, NULL));
	assert_string_equal(content, "abc");
	assert_string_equal(target, "f");
	assert_int_equal(stat(file, &info), 0);
	assert_int_equal(info.st_mode, 0100640);
	assert_int_equal(info.st_mtim.tv_sec, 2);
	assert_int_equal(info.st_mtim.tv_nsec, 5);
	assert_int_equal(stat(dir, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0750);
	assert_int_equal(info.st_mtim.tv_sec, 2);
}

static void
svc_02_what_is_there_is_never_replaced(void **state)
{
	struct place *place = *state;
	g_autofree char *path = g_build_filename(place->path, "f", NULL);
	g_autofree char *content = NULL;
	g_autofree char *events = NULL;
	g_autoptr(GByteArray) stream = g_byte_array_new();

	assert_true(g_file_set_contents(path, "mine", -1, NULL));
	append_entry(stream, &(struct entry){"f", 0100644, 3, "abc", 0, 0});
	events = unpack_stream(place, stream);
	assert_string_equal(events, "f f 644?17");
	assert_true(g_file_get_contents(path, &content, NULL, NULL));
	assert_string_equal(content, "mine");
}

static void
qrx_26_links_on_the_way_are_not_followed(void **state)
{
	struct place *place = *state;
	g_autofree char *outside = g_dir_make_tmp("outside-XXXXXX", NULL);
	g_autofree char *link = g_build_filename(place->path, "d", NULL);
	static const struct {
		struct entry entry;
		const char *events;
	} rows[] = {
	    {{"d/f", 0100644, 3, "abc", 0, 0}, "f d/f 644?20"},
	    {{"d", 0040755, 0, NULL, 0, 0}, "d d 755?20"},
	    {{"d/l", 0120777, 1, "x", 0, 0}, "l d/l 777 > x?20"},
	    {{"none/f", 0100644, 3, "abc", 0, 0}, "f none/f 644?2"},
	};
	DIR *dir;

	assert_int_equal(symlink(outside, link), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GByteArray) stream = g_byte_array_new();
		g_autofree char *events = NULL;

		append_entry(stream, &rows[i].entry);
		events = unpack_stream(place, stream);
		assert_string_equal(events, rows[i].events);
	}
	dir = opendir(outside);
	for (int i = 0; i < 2; i++)
		assert_non_null(readdir(dir)); /* . and .. */
	assert_null(readdir(dir));
	closedir(dir);
	rmdir(outside);
}

static void
qrx_26_a_file_has_no_name_before_it_is_complete(void **state)
{
	struct place *place = *state;
	g_autofree char *path = g_build_filename(place->path, "f", NULL);
	static const struct qfile_entry entry = {
	    .type = QFILE_FILE, .path = "f", .mode = 0600, .len = 6};

	assert_int_equal(unpack_entry(place->unpack, &entry), 0);
	assert_int_equal(unpack_content(place->unpack, "abc", 3), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(unpack_content(place->unpack, "def", 3), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(unpack_done(place->unpack), 0);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(unpack_sync(place->unpack), 0);
}

static void
a_directory_that_was_moved_away_gets_nothing_more(void **state)
{
	struct place *place = *state;
	g_autofree char *old = g_build_filename(place->path, "d", NULL);
	g_autofree char *new = g_build_filename(place->path, "moved", NULL);
	static const struct qfile_entry dir = {.type = QFILE_DIRECTORY, .path = "d", .mode = 0700};
	static const struct qfile_entry file = {
	    .type = QFILE_FILE, .path = "d/f", .mode = 0600, .len = 0};

	assert_int_equal(unpack_entry(place->unpack, &dir), 0);
	assert_int_equal(rename(old, new), 0);
	assert_int_equal(unpack_entry(place->unpack, &file), ENOENT);
}

static void
a_file_that_would_fill_the_disk_is_refused(void **state)
{
	struct place *place = *state;
	const struct unpack_options options = {.keep_free_bytes = UINT64_C(1) << 60};
	static const struct qfile_entry file = {
	    .type = QFILE_FILE, .path = "f", .mode = 0600, .len = 1};
	struct unpack *unpack = unpack_new(place->fd, &options);

	assert_int_equal(unpack_entry(unpack, &file), ENOSPC);
	unpack_free(unpack);
}

static void
the_sum_is_that_of_gzip(void **state)
{
	g_autofree uint8_t *bytes = g_malloc0(1000);
	uint32_t whole, pieces = 0;

	(void)state;
	assert_int_equal(crc32_add(0, "123456789", 9), 0xcbf43926);
	for (int i = 0; i < 1000; i++)
		bytes[i] = (uint8_t)(i * 7);
	whole = crc32_add(0, bytes, 1000);
	for (int i = 0; i < 1000; i += 13)
		pieces = crc32_add(pieces, bytes + i, MIN(13, 1000 - i));
	assert_int_equal(whole, pieces);
}

int
main(void)
{
#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, setup_place, teardown_place)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(svc_01_the_golden_stream_is_read_whole_and_byte_by_byte),
	    cmocka_unit_test(svc_01_sums_of_short_streams_are_as_recorded),
	    cmocka_unit_test(a_stream_that_is_cut_says_where),
	    cmocka_unit_test(svc_02_each_fault_of_an_entry_has_its_code),
	    cmocka_unit_test(limits_hold_at_the_limit_and_not_beyond),
	    cmocka_unit_test(paths_obey_the_table),
	    cmocka_unit_test(links_stay_inside_their_top_level_directory),
	    cmocka_unit_test(svc_05_code_points_agree_with_the_recorded_set),
	    cmocka_unit_test(svc_04_a_result_is_read_with_and_without_its_name),
	    cmocka_unit_test(svc_04_an_endless_name_is_cut),
	    WITH_PLACE(svc_01_the_golden_stream_becomes_files),
	    WITH_PLACE(svc_02_what_is_there_is_never_replaced),
	    WITH_PLACE(qrx_26_links_on_the_way_are_not_followed),
	    WITH_PLACE(qrx_26_a_file_has_no_name_before_it_is_complete),
	    WITH_PLACE(a_directory_that_was_moved_away_gets_nothing_more),
	    WITH_PLACE(a_file_that_would_fill_the_disk_is_refused),
	    cmocka_unit_test(the_sum_is_that_of_gzip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
