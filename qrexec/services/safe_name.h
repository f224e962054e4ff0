/*
 * safe_name - which names of files and links another qube may give us.
 *
 * Names end up in file managers and terminals, where marks, controls and right-to-left text make
 * one name look like another. Sender and receiver must agree, so the table is part of the protocol:
 * valid code points of recommended scripts, without marks, controls, formats, symbols and spaces
 * other than U+0020.
 * Pure. Source: docs/file-copy.md, "Safe names".
 */
#ifndef QREXEC_SERVICES_SAFE_NAME_H
#define QREXEC_SERVICES_SAFE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool safe_code_point(uint32_t code_point);

/* Well-formed UTF-8 of safe code points only. */
bool safe_string(const char *text, size_t len);

/*
 * A relative path: not empty, no empty component, no "." and "..", no NUL; and safe_string() unless
 * any_characters.
 */
bool safe_path(const char *path, size_t len, bool any_characters);

enum safe_link {
	SAFE_LINK_FINE,
	SAFE_LINK_OUTSIDE, /* top-level, absolute, empty, or leaving the top-level directory */
	SAFE_LINK_NAME,    /* characters or shape */
};

/*
 * A link at path, which has passed safe_path(): wherever its top-level directory is moved to, the
 * link stays inside. strict: no "." and no doubled slashes either.
 */
enum safe_link safe_link(const char *path, size_t path_len, const char *target, size_t target_len,
    bool any_characters, bool strict);

#endif
