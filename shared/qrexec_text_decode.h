/*
 * qrexec_text_decode - the texts of qrexec: names of services and qubes, commands, verdicts.
 *
 * Who talks: names come from qubes and may hold anything; commands and verdicts come from the trusted
 * side, carry such names, and are checked all the same.
 * Pure, as qrexec_decode. Source: docs/qrexec.md.
 */
#ifndef SHARED_QREXEC_TEXT_DECODE_H
#define SHARED_QREXEC_TEXT_DECODE_H

#include "shared/qrexec_wire.h"
#include "shared/untrusted.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True for A-Z a-z 0-9 _ - . and what is in extra. */
bool qrexec_is_name_byte(uint8_t byte, const char *extra);

/* Every byte that is not A-Z a-z 0-9 _ - . or in extra becomes '_'. A new string. */
char *qrexec_sanitise(struct untrusted_bytes untrusted, const char *extra);

/*
 * What a person's terminal may get: bytes outside 0x20..0x7e become '_', except tab, newline,
 * carriage return, backspace and bell. In place.
 */
void qrexec_filter_escapes(void *bytes, size_t len);

/* --- command strings ------------------------------------------------------------------------ */

/* "[user:][nogui:]QUBESRPC DESCRIPTOR SOURCE [TYPE TARGET]" or "[user:][nogui:]shell command". */
struct qrexec_command {
	char *user; /* owned; NULL when none was asked for */
	char *text; /* owned; what came behind "user:" and "nogui:" */
	bool no_gui;
	/* A service; everything below is NULL for a shell command. */
	char *descriptor; /* owned; as received */
	char *name;       /* owned; descriptor before the first '+', 1..255 bytes */
	char *argument;   /* owned; behind the first '+', NULL when there is none */
	char *call;       /* owned; text behind "QUBESRPC ": what a socket service is told */
	char *source;     /* owned; never empty */
	char *target_type, *target; /* owned; NULL unless four tokens; see is_complete */
	bool is_complete;           /* two or four tokens: an executable service can be run */
};
/*
 * with_user: the text before the first ':' is the user, and there must be one. Returns 0, or
 * -EINVAL with *ret untouched; -ENOENT when only the service's name is too long to exist.
 */
int qrexec_command_parse(const char *text, bool with_user, struct qrexec_command *ret);
void qrexec_command_clear(struct qrexec_command *command);

/* --- what the policy answers ---------------------------------------------------------------- */

struct qrexec_verdict {
	bool allow;
	/* Owned; NULL unless allowed; target_uuid, service and source may be NULL then, too. */
	char *user, *target, *target_uuid, *requested_target, *service, *source;
	bool autostart;
};
/*
 * "key=value" lines, one newline at the end optional. Returns 0, or -EPROTO for anything that is
 * not exactly one well-formed answer; *ret is untouched then. Unknown keys are ignored.
 */
int qrexec_decode_verdict(struct untrusted_bytes untrusted, struct qrexec_verdict *ret);
void qrexec_verdict_clear(struct qrexec_verdict *verdict);

#endif
