/*
 * The stream of files between qubes, its result, and the argument of VMExec. The first byte holds
 * the options, the second how the rest is cut into reads.
 */
#include "qrexec/services/crc32.h"
#include "qrexec/services/qfile_decode.h"
#include "qrexec/services/safe_name.h"
#include "qrexec/services/vm_exec_decode.h"

#include <glib.h>
#include <string.h>

#define MAX_ENTRIES 20
#define MAX_BYTES 4000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool promise)
{
	if (!promise)
		abort();
}

static void
check_entry(const struct qfile_reader *reader)
{
	const struct qfile_entry *entry = &reader->entry;
	size_t len = strlen(entry->path);

	check(safe_path(entry->path, len, reader->options.any_characters));
	check(entry->mode <= 0777 && entry->atime_nsec < 1000000000u);
	check(entry->mtime_nsec < 1000000000u && entry->len < UINT64_C(1) << 63);
	check(entry->type == QFILE_FILE || entry->len == 0);
	check((entry->target != NULL) == (entry->type == QFILE_LINK));
	if (entry->target != NULL && !reader->options.unsafe_links)
		check(safe_link(entry->path, len, entry->target, strlen(entry->target),
			  reader->options.any_characters,
			  reader->options.strict_links) == SAFE_LINK_FINE);
}

struct seen {
	uint64_t entries, bytes, content_left;
	bool in_entry, over;
};

static void
check_event(
    struct seen *seen, const struct qfile_reader *reader, enum qfile_event event, size_t used)
{
	switch (event) {
	case QFILE_MORE:
		break;
	case QFILE_ENTRY:
		check(!seen->in_entry);
		check_entry(reader);
		seen->in_entry = true;
		seen->entries++;
		seen->content_left = reader->entry.len;
		break;
	case QFILE_CONTENT:
		check(seen->in_entry && used > 0 && used <= seen->content_left);
		seen->content_left -= used;
		seen->bytes += used;
		break;
	case QFILE_DONE:
		check(seen->in_entry && seen->content_left == 0);
		seen->in_entry = false;
		break;
	case QFILE_END:
		check(!seen->in_entry && reader->error == 0);
		seen->over = true;
		break;
	case QFILE_ERROR:
		check(reader->error != 0);
		seen->over = true;
		break;
	}
}

static void
check_stream(const struct qfile_options *options, size_t step, const uint8_t *data, size_t size)
{
	g_autofree struct qfile_reader *reader = g_new0(struct qfile_reader, 1);
	struct seen seen = {0};
	size_t used_together = 0;

	qfile_reader_init(reader, options);
	while (used_together < size && !seen.over) {
		struct untrusted_bytes piece =
		    untrusted_bytes_of(data + used_together, MIN(step, size - used_together));
		enum qfile_event event;

		do {
			size_t used;

			event = qfile_reader_feed(reader, piece, &used);
			check(used <= piece.len);
			check_event(&seen, reader, event, used);
			check(event != QFILE_MORE || used == piece.len);
			piece = untrusted_bytes_of(qfile_content(piece) + used, piece.len - used);
			used_together += used;
		} while (event != QFILE_MORE && !seen.over);
	}
	check(seen.entries <= MAX_ENTRIES && seen.bytes <= MAX_BYTES);
	check(reader->crc == crc32_add(0, data, used_together));
	check((qfile_reader_eof(reader) == 0) == (seen.over && reader->error == 0));
}

static void
check_result(const uint8_t *data, size_t size)
{
	struct qfile_result result;
	size_t wanted = qfile_result_size(untrusted_bytes_of(data, size));

	check(wanted >= 16 && wanted <= 20 + QFILE_NAME_LIMIT);
	if (qfile_decode_result(untrusted_bytes_of(data, size), &result) < 0) {
		check(size < 16);
		return;
	}
	for (const char *p = result.last_name; *p != '\0'; p++)
		check(*p >= 0x20 && *p <= 0x7e && *p != '"');
	qfile_result_clear(&result);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qfile_options options = {.max_bytes = MAX_BYTES, .max_entries = MAX_ENTRIES};
	g_autofree char *text = NULL;
	g_auto(GStrv) words = NULL;

	if (size < 2)
		return 0;
	options.any_characters = data[0] & 1;
	options.unsafe_links = data[0] & 2;
	options.strict_links = data[0] & 4;
	check_stream(&options, (size_t)data[1] + 1, data + 2, size - 2);
	check_result(data + 2, size - 2);
	text = g_strndup((const char *)data + 2, size - 2);
	if (vm_exec_decode(text, &words) == 0)
		check(words[0] != NULL);
	return 0;
}
