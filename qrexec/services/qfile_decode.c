#include "qrexec/services/qfile_decode.h"

#include "qrexec/services/crc32.h"
#include "qrexec/services/safe_name.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>

#define NANOSECONDS 1000000000u
#define CONTENT_LIMIT (UINT64_C(1) << 63)

enum state {
	IN_HEADER,
	IN_NAME,
	IN_TARGET,
	IN_CONTENT,
	AT_ENTRY_END,
	AT_END,
	FAILED,
};

void
qfile_reader_init(struct qfile_reader *reader, const struct qfile_options *options)
{
	memset(reader, 0, sizeof(*reader));
	reader->options = *options;
	reader->name_is_whole = true;
}

static enum qfile_event
fail(struct qfile_reader *reader, uint32_t error)
{
	reader->error = error;
	reader->state = FAILED;
	return QFILE_ERROR;
}

/* Copies towards size bytes at to; true when they are all there. */
static bool
collect(struct qfile_reader *reader, struct untrusted_bytes *untrusted, void *to, size_t size)
{
	size_t n = MIN(size - reader->have, untrusted->len);

	if (n == 0)
		return size == 0;
	memcpy((uint8_t *)to + reader->have, untrusted->raw, n);
	reader->crc = crc32_add(reader->crc, untrusted->raw, n);
	reader->have += n;
	untrusted->raw += n;
	untrusted->len -= n;
	if (reader->have < size)
		return false;
	reader->have = 0;
	return true;
}

static bool
within(uint64_t limit, uint64_t used, uint64_t more)
{
	return limit == 0 || (more <= limit && used <= limit - more);
}

/* What the header alone tells. 0 or the error. */
static uint32_t
check_header(const struct qfile_reader *reader)
{
	const struct qfile_wire_header *wire = &reader->header.wire;

	if (!within(reader->options.max_entries, reader->entries, 1))
		return QFILE_EDQUOT;
	if (wire->content_len >= CONTENT_LIMIT)
		return QFILE_EDQUOT;
	if (wire->atime_nsec >= NANOSECONDS || wire->mtime_nsec >= NANOSECONDS)
		return QFILE_EINVAL;
	switch (wire->mode & S_IFMT) {
	case S_IFREG:
		break;
	case S_IFDIR:
		return wire->content_len == 0 ? 0 : QFILE_EINVAL;
	case S_IFLNK:
		if (wire->content_len >= QFILE_NAME_LIMIT)
			return QFILE_ENAMETOOLONG;
		break;
	default:
		return QFILE_EINVAL;
	}
	if (!within(reader->options.max_bytes, reader->bytes, wire->content_len))
		return QFILE_EDQUOT;
	return 0;
}

static enum qfile_event
take_header(struct qfile_reader *reader)
{
	const struct qfile_wire_header *wire = &reader->header.wire;

	if (wire->name_len == 0) {
		reader->state = AT_END;
		return QFILE_END;
	}
	reader->name_is_whole = false;
	if (wire->name_len >= QFILE_NAME_LIMIT)
		return fail(reader, QFILE_ENAMETOOLONG);
	reader->name_len = wire->name_len - 1;
	reader->state = IN_NAME;
	return QFILE_MORE;
}

static void
fill_entry(struct qfile_reader *reader, enum qfile_type type)
{
	const struct qfile_wire_header *wire = &reader->header.wire;

	reader->entry = (struct qfile_entry){
	    .type = type,
	    .path = reader->name,
	    .target = type == QFILE_LINK ? reader->target : NULL,
	    .mode = wire->mode & 0777,
	    .len = type == QFILE_FILE ? wire->content_len : 0,
	    .atime = wire->atime,
	    .atime_nsec = wire->atime_nsec,
	    .mtime = wire->mtime,
	    .mtime_nsec = wire->mtime_nsec,
	};
	reader->entries++;
	reader->bytes += wire->content_len;
}

static enum qfile_event
begin_entry(struct qfile_reader *reader)
{
	bool file = S_ISREG(reader->header.wire.mode);

	if (S_ISLNK(reader->header.wire.mode)) {
		reader->state = IN_TARGET;
		return QFILE_MORE;
	}
	fill_entry(reader, file ? QFILE_FILE : QFILE_DIRECTORY);
	reader->left = reader->entry.len;
	reader->state = reader->left > 0 ? IN_CONTENT : AT_ENTRY_END;
	return QFILE_ENTRY;
}

/* The name is judged before what the header says, so that a refusal can name what it refuses. */
static enum qfile_event
take_name(struct qfile_reader *reader)
{
	uint32_t error;

	if (memchr(reader->name, '\0', reader->name_len + 1) != reader->name + reader->name_len)
		return fail(reader, QFILE_EINVAL);
	reader->name_is_whole = true;
	if (!safe_path(reader->name, reader->name_len, reader->options.any_characters))
		return fail(reader, QFILE_EILSEQ);
	error = check_header(reader);
	if (error != 0)
		return fail(reader, error);
	return begin_entry(reader);
}

static enum qfile_event
take_target(struct qfile_reader *reader)
{
	size_t len = reader->header.wire.content_len;

	reader->target[len] = '\0';
	if (memchr(reader->target, '\0', len) != NULL)
		return fail(reader, QFILE_EILSEQ);
	if (!reader->options.unsafe_links) {
		switch (safe_link(reader->name, reader->name_len, reader->target, len,
		    reader->options.any_characters, reader->options.strict_links)) {
		case SAFE_LINK_OUTSIDE:
			return fail(reader, QFILE_ENOLINK);
		case SAFE_LINK_NAME:
			return fail(reader, QFILE_EILSEQ);
		case SAFE_LINK_FINE:
			break;
		}
	}
	fill_entry(reader, QFILE_LINK);
	reader->state = AT_ENTRY_END;
	return QFILE_ENTRY;
}

static enum qfile_event
take_content(struct qfile_reader *reader, struct untrusted_bytes *untrusted)
{
	size_t n = MIN(reader->left, untrusted->len);

	if (n == 0)
		return QFILE_MORE;
	reader->crc = crc32_add(reader->crc, untrusted->raw, n);
	untrusted->raw += n;
	untrusted->len -= n;
	reader->left -= n;
	if (reader->left == 0)
		reader->state = AT_ENTRY_END;
	return QFILE_CONTENT;
}

/* One step; QFILE_MORE also when a part is complete and the next has begun. */
static enum qfile_event
step(struct qfile_reader *reader, struct untrusted_bytes *untrusted)
{
	switch ((enum state)reader->state) {
	case IN_HEADER:
		if (!collect(reader, untrusted, reader->header.bytes, sizeof(reader->header)))
			return QFILE_MORE;
		return take_header(reader);
	case IN_NAME:
		if (!collect(reader, untrusted, reader->name, reader->name_len + 1))
			return QFILE_MORE;
		return take_name(reader);
	case IN_TARGET:
		if (!collect(reader, untrusted, reader->target, reader->header.wire.content_len))
			return QFILE_MORE;
		return take_target(reader);
	case IN_CONTENT:
		return take_content(reader, untrusted);
	case AT_ENTRY_END:
		reader->state = IN_HEADER;
		return QFILE_DONE;
	case AT_END:
		return QFILE_END;
	case FAILED:
		break;
	}
	return QFILE_ERROR;
}

enum qfile_event
qfile_reader_feed(struct qfile_reader *reader, struct untrusted_bytes untrusted, size_t *ret_used)
{
	size_t len = untrusted.len;
	enum qfile_event event;
	int state;

	do {
		state = reader->state;
		event = step(reader, &untrusted);
	} while (event == QFILE_MORE && reader->state != state);
	*ret_used = len - untrusted.len;
	return event;
}

uint32_t
qfile_reader_eof(struct qfile_reader *reader)
{
	switch ((enum state)reader->state) {
	case IN_HEADER:
	case AT_ENTRY_END:
		fail(reader, QFILE_EREMOTEIO);
		break;
	case IN_NAME:
	case IN_TARGET:
	case IN_CONTENT:
		fail(reader, QFILE_CUT);
		break;
	case AT_END:
	case FAILED:
		break;
	}
	return reader->error;
}

const uint8_t *
qfile_content(struct untrusted_bytes untrusted)
{
	return untrusted.raw;
}

/* --- the result, by whoever sent ------------------------------------------------------------ */

#define NAME_LEN_AT sizeof(struct qfile_wire_result)
#define NAME_AT (NAME_LEN_AT + sizeof(uint32_t))

static uint32_t
last_name_len(struct untrusted_bytes untrusted)
{
	struct untrusted_u32 len;

	memcpy(&len.raw, untrusted.raw + NAME_LEN_AT, sizeof(len.raw));
	return untrusted_u32_clamped(len, 0, QFILE_NAME_LIMIT);
}

size_t
qfile_result_size(struct untrusted_bytes untrusted)
{
	if (untrusted.len < NAME_LEN_AT)
		return NAME_LEN_AT;
	if (untrusted.len < NAME_AT)
		return NAME_AT;
	return NAME_AT + last_name_len(untrusted);
}

static char *
printable(const uint8_t *bytes, size_t len)
{
	char *text = g_malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		text[i] =
		    bytes[i] >= 0x20 && bytes[i] <= 0x7e && bytes[i] != '"' ? (char)bytes[i] : '_';
	text[len] = '\0';
	return text;
}

int
qfile_decode_result(struct untrusted_bytes untrusted, struct qfile_result *ret)
{
	struct qfile_wire_result wire;
	size_t name_len = 0;

	if (untrusted.len < sizeof(wire))
		return -EPROTO;
	memcpy(&wire, untrusted.raw, sizeof(wire));
	if (untrusted.len >= NAME_AT)
		name_len = MIN(last_name_len(untrusted), untrusted.len - NAME_AT);
	ret->error = wire.error;
	ret->crc = (uint32_t)wire.crc;
	ret->crc_is_plain = wire.crc >> 32 == 0;
	ret->last_name = printable(untrusted.raw + (name_len > 0 ? NAME_AT : 0), name_len);
	return 0;
}

void
qfile_result_clear(struct qfile_result *result)
{
	g_clear_pointer(&result->last_name, g_free);
}
