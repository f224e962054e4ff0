/*
 * qrexec_wire - the qrexec protocol (versions 2 to 4) as it crosses vchans and local sockets.
 *
 * Numbers, limits and layouts of docs/qrexec.md, nothing else. All integers are little endian. The
 * fields are plain here because every end also *writes* these structs; whoever *reads* them from
 * another side does so in qrexec_decode.c only. A struct that is sent is zeroed first: no byte of
 * ours leaves in the padding of a string.
 */
#ifndef SHARED_QREXEC_WIRE_H
#define SHARED_QREXEC_WIRE_H

#include <assert.h>
#include <stdint.h>

#define QREXEC_VERSION 4        /* ours, on control and data vchans */
#define QREXEC_VERSION_OLDEST 2 /* that we talk to there */
#define QREXEC_LOCAL_VERSION 3  /* between daemon and clients on the trusted side */

#define QREXEC_CONTROL_PORT 512
#define QREXEC_DATA_PORT_FIRST 513
#define QREXEC_DATA_PORT_LAST 768
#define QREXEC_DATA_PORTS 256

#define QREXEC_CHUNK_MAX_V2 4096
#define QREXEC_CHUNK_MAX 65536        /* body of a data message, version 3 and newer */
#define QREXEC_DESCRIPTOR_MAX 65000   /* "service+argument" with its NUL */
#define QREXEC_COMMAND_BODY_MAX 65535 /* struct qrexec_wire_exec, command and NUL */
#define QREXEC_SERVICE_NAME_MAX 255
#define QREXEC_TABLE_MAX 256 /* clients, pending requests, calls: each */

#define QREXEC_IDENT_BYTES 32
#define QREXEC_TARGET_BYTES 64 /* with its NUL */

enum qrexec_exit {
	QREXEC_EXIT_PROBLEM = 125,
	QREXEC_EXIT_REFUSED = 126,
	QREXEC_EXIT_NOT_FOUND = 127,
	QREXEC_EXIT_CUT = 255, /* the stream ended before the exit code came */
};

enum qrexec_type {
	QREXEC_DATA_STDIN = 0x190,
	QREXEC_DATA_STDOUT,
	QREXEC_DATA_STDERR,
	QREXEC_DATA_EXIT_CODE,
	QREXEC_EXEC_CMDLINE = 0x200,
	QREXEC_JUST_EXEC,
	QREXEC_SERVICE_CONNECT,
	QREXEC_SERVICE_REFUSED,
	QREXEC_TRIGGER_SERVICE = 0x210, /* version 2 */
	QREXEC_CONNECTION_TERMINATED,
	QREXEC_TRIGGER_SERVICE3, /* version 3 and newer */
	QREXEC_TRIGGER_SERVICE4, /* version 4; client-vm to agent always */
	QREXEC_HELLO = 0x300,
};
static_assert(QREXEC_DATA_EXIT_CODE == 0x193 && QREXEC_SERVICE_REFUSED == 0x203 &&
		  QREXEC_TRIGGER_SERVICE4 == 0x213,
    "message numbers");

struct qrexec_wire_header {
	uint32_t type, len; /* len: bytes of the body that follows */
};

struct qrexec_wire_hello {
	uint32_t version;
};

struct qrexec_wire_exec { /* then the command and its NUL */
	uint32_t domain, port;
};

struct qrexec_wire_service {
	char ident[QREXEC_IDENT_BYTES];
};

struct qrexec_wire_trigger2 {
	char service[64], target[32], ident[QREXEC_IDENT_BYTES];
};

struct qrexec_wire_trigger3 { /* then the descriptor and its NUL */
	char target[QREXEC_TARGET_BYTES], ident[QREXEC_IDENT_BYTES];
};

struct qrexec_wire_trigger4 { /* then the descriptor and its NUL */
	char source[QREXEC_TARGET_BYTES], target[QREXEC_TARGET_BYTES], ident[QREXEC_IDENT_BYTES];
};

struct qrexec_wire_fork { /* agent to fork server, no header; then the command and its NUL */
	uint32_t type, domain, port, len;
};

static_assert(
    sizeof(struct qrexec_wire_header) == 8 && sizeof(struct qrexec_wire_hello) == 4 &&
	sizeof(struct qrexec_wire_exec) == 8 && sizeof(struct qrexec_wire_service) == 32 &&
	sizeof(struct qrexec_wire_trigger2) == 128 && sizeof(struct qrexec_wire_trigger3) == 96 &&
	sizeof(struct qrexec_wire_trigger4) == 160 && sizeof(struct qrexec_wire_fork) == 16,
    "wire layout");

#endif
