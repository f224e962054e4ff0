/*
 * qfile_decode - the stream of files taken apart, by whoever receives it.
 *
 * Who talks: another qube, which is hostile. What leaves here is safe to be used as a path below
 * the incoming directory, if every component is opened without following links.
 * Pure: no input or output; memory is two names and nothing else, however large the files.
 * Source: docs/file-copy.md.
 */
#ifndef QREXEC_SERVICES_QFILE_DECODE_H
#define QREXEC_SERVICES_QFILE_DECODE_H

#include "qrexec/services/qfile_wire.h"
#include "shared/untrusted.h"

#include <stdbool.h>

enum qfile_type { QFILE_FILE, QFILE_DIRECTORY, QFILE_LINK };

struct qfile_entry {
	enum qfile_type type;
	const char *path;   /* relative, see safe_path(); borrowed until the next entry */
	const char *target; /* of a link, see safe_link(); else NULL; borrowed likewise */
	uint32_t mode;      /* permission bits, 0..0777 */
	uint64_t len;       /* bytes of a file, less than 2^63; else 0 */
	uint32_t atime, atime_nsec, mtime, mtime_nsec; /* nsec 0..999999999 */
};

enum qfile_event {
	QFILE_MORE,    /* everything was used, more is needed */
	QFILE_ENTRY,   /* a new entry; a link with its target */
	QFILE_CONTENT, /* bytes of the file: 1 or more, at the place that was given */
	QFILE_DONE,    /* the entry is complete */
	QFILE_END,     /* the end of the stream: nothing may follow, nothing more is read */
	QFILE_ERROR,   /* reader->error says what; nothing more is read */
};

struct qfile_options {
	bool any_characters;  /* names may have any but NUL and slash */
	bool unsafe_links;    /* targets are not looked at */
	bool strict_links;    /* no "." and "//" in them */
	uint64_t max_bytes;   /* of contents together; 0: no limit */
	uint64_t max_entries; /* 0: no limit */
};

struct qfile_reader {
	struct qfile_options options;
	int state;
	uint32_t crc;   /* of everything used so far */
	uint32_t error; /* an enum qfile_error, once there is one */
	uint64_t bytes, entries;
	union {
		struct qfile_wire_header wire;
		uint8_t bytes[sizeof(struct qfile_wire_header)];
	} header;
	size_t have;   /* bytes of what is being read */
	uint64_t left; /* bytes of content still to come */
	size_t name_len;
	char name[QFILE_NAME_LIMIT + 1], target[QFILE_NAME_LIMIT + 1];
	bool name_is_whole; /* name[0..name_len) may be told as the last name; "" at the start */
	struct qfile_entry entry;
};

void qfile_reader_init(struct qfile_reader *reader, const struct qfile_options *options);

/*
 * Takes some of the bytes; their number goes to *ret_used, and with QFILE_CONTENT that many of them
 * are content. Call it again with the rest, and with none at all once, to learn what is due.
 */
enum qfile_event qfile_reader_feed(
    struct qfile_reader *reader, struct untrusted_bytes untrusted, size_t *ret_used);

/* The stream is over: sets and returns the error that this means, 0 after QFILE_END. */
uint32_t qfile_reader_eof(struct qfile_reader *reader);

/* The bytes of content, where QFILE_CONTENT said that they are. */
const uint8_t *qfile_content(struct untrusted_bytes untrusted);

/* --- the result, by whoever sent ------------------------------------------------------------ */

struct qfile_result {
	uint32_t error, crc;
	bool crc_is_plain; /* the upper half is zero, as it must be */
	char *last_name;   /* owned; every byte that is not printable ASCII, and '"', is '_' */
};

/* How many bytes of a result are needed: 16, then 20, then all. bytes: those that are here. */
size_t qfile_result_size(struct untrusted_bytes untrusted);
/* len is 16, or what qfile_result_size() said. 0 or -EPROTO. */
int qfile_decode_result(struct untrusted_bytes untrusted, struct qfile_result *ret);
void qfile_result_clear(struct qfile_result *result);

#endif
