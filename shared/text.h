/*
 * text - the only place where bytes from outside become something a person may see.
 *
 * Input is bytes, never trusted to be UTF-8 or terminated. Results are new strings, to be freed
 * with g_free(), unless said otherwise.
 */
#ifndef SHARED_TEXT_H
#define SHARED_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * For logs and messages: the text in double quotes; bytes outside 0x20..0x7e, backslash and the
 * double quote as \xHH; cut after 256 bytes with "..." behind the closing quote.
 */
char *text_quote(const void *bytes, size_t len);
char *text_quote_string(const char *string);

/* Every byte outside 0x20..0x7e becomes '_'. */
char *text_ascii(const void *bytes, size_t len);

/*
 * UTF-8 kept where well formed (RFC 3629) and harmless; every other byte and every character that
 * could reorder or hide its neighbours (controls, bidirectional controls, zero width, private
 * use, surrogates, not assigned) becomes '_'.
 */
char *text_utf8(const void *bytes, size_t len);

/*
 * Names. A qube's name: [A-Za-z][A-Za-z0-9_.-]*, at most 31 bytes, not "none", "default",
 * "Domain-0", not ending in "-dm". "dom0" is such a name.
 */
bool text_is_qube_name(const char *name);
/* Lower-case UUID, 36 characters with dashes. */
bool text_is_uuid(const char *text);

#define TEXT_QUBE_NAME_MAX 31

#endif
