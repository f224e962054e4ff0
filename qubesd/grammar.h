/*
 * grammar - what names, tags, features, numbers and colours may look like: one definition for
 * requests, the store and properties. Nothing here reads anything but its argument.
 *
 * Source: docs/admin-api.md, "Grammars". Names of qubes and UUIDs: shared/text.h.
 */
#ifndef QUBESD_GRAMMAR_H
#define QUBESD_GRAMMAR_H

#include <stdbool.h>
#include <stdint.h>

#define GRAMMAR_TAG_MAX 128            /* bytes */
#define GRAMMAR_FEATURE_NAME_MAX 128   /* bytes */
#define GRAMMAR_FEATURE_VALUE_MAX 4096 /* bytes */
#define GRAMMAR_LABEL_MAX 128          /* bytes */

bool grammar_is_label(const char *text);        /* [A-Za-z0-9_.-]+ */
bool grammar_is_new_label(const char *text);    /* the same, and not digits only */
bool grammar_is_tag(const char *text);          /* [A-Za-z0-9_-]+ */
bool grammar_is_feature_name(const char *text); /* [A-Za-z0-9_.-]+ */
bool grammar_is_pool(const char *text);         /* [A-Za-z0-9._-]+ */
bool grammar_is_user(const char *text);         /* [A-Za-z0-9_+,.][A-Za-z0-9_+,.-]* */
bool grammar_is_printable(const char *text);    /* 0x20..0x7e only */
bool grammar_is_ipv4(const char *text);
bool grammar_is_ipv6(const char *text);
bool grammar_is_mac(const char *text);             /* six hexadecimal pairs with colons */
bool grammar_is_keyboard_layout(const char *text); /* layout+variant+options */

/* The parsers return false and leave *ret alone when the text is not one. */
bool grammar_parse_int(const char *text, int64_t *ret); /* -?[0-9]{1,19}, in range */
bool grammar_parse_bool(const char *text, bool *ret); /* 0 no false off, 1 yes true on; any case */
bool grammar_parse_colour(const char *text, uint32_t *ret); /* 0xRRGGBB, exactly */

/*
 * What the feature "hypervisor" may say. No other libvirt URI: one may name a program to be run here
 * ("qemu+ext:///system?command=..."), a socket, a file or another machine.
 */
bool grammar_is_hypervisor(const char *text);

#endif
