/*
 * qfile_wire - the stream of files between two qubes, little endian. docs/file-copy.md.
 *
 *   stream := entry* end        entry := header name content
 *   result := status [ length of the last name, last name ], the other way
 */
#ifndef QREXEC_SERVICES_QFILE_WIRE_H
#define QREXEC_SERVICES_QFILE_WIRE_H

#include <assert.h>
#include <stdint.h>

#define QFILE_NAME_LIMIT 16384 /* bytes of a name with its NUL, and of a link's target: fewer */

struct qfile_wire_header {
	uint32_t name_len; /* with the NUL; 0: end of the stream */
	uint32_t mode;     /* as in struct stat */
	uint64_t content_len;
	uint32_t atime, atime_nsec, mtime, mtime_nsec;
};

struct qfile_wire_result {
	uint32_t error; /* 0 or one of below */
	uint32_t zero;
	uint64_t crc; /* of everything received */
};

static_assert(sizeof(struct qfile_wire_header) == 32 && sizeof(struct qfile_wire_result) == 16,
    "wire layout");

/* The numbers of Linux, which are those of the protocol. */
enum qfile_error {
	QFILE_OK = 0,
	QFILE_ENOENT = 2,
	QFILE_EEXIST = 17,
	QFILE_ENOTDIR = 20,
	QFILE_EINVAL = 22,
	QFILE_ENOSPC = 28,
	QFILE_ENAMETOOLONG = 36,
	QFILE_ENOLINK = 67,
	QFILE_EILSEQ = 84,
	QFILE_EREMOTEIO = 121, /* the stream ended between two entries */
	QFILE_EDQUOT = 122,
	QFILE_CUT = 31415926, /* the stream ended inside a name, a target or a file */
};

#endif
