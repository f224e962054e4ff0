/*
 * guest_conf - what the host tells the qube at its start: guest.conf in the runtime folder.
 *
 * Shape:  lines "key=value"; others are skipped. The host is trusted; the file is bounded (64 KiB).
 * Source: docs/architecture.md, "What a sandbox sees".
 */
#ifndef GUI_AGENT_GUEST_CONF_H
#define GUI_AGENT_GUEST_CONF_H

#include <glib.h>

/* char * -> char *, both owned by the table; empty when there is no such file. */
GHashTable *guest_conf_read(const char *path);

/* Pure: the same from bytes. A key that comes twice counts the last time. */
GHashTable *guest_conf_parse(const char *text, gsize len);

#endif
