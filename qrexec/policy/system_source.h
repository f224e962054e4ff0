/*
 * system_source - the policy's system information, kept up to date by qubesd's event stream.
 *
 * Shape:  connects to internal.SystemInfoEvents and connects anew, with growing pauses, whenever
 *         the stream ends. Between a lost stream and the next complete picture there is none.
 * Order:  events are taken in at a higher priority than requests, and qubesd sends a change before
 *         it answers the call that made it; so a request never sees an older state.
 * Source: docs/architecture.md, "System information for the policy".
 */
#ifndef QREXEC_POLICY_SYSTEM_SOURCE_H
#define QREXEC_POLICY_SYSTEM_SOURCE_H

#include "qrexec/policy/system_info.h"

struct system_source;

/* socket: the path of qubesd's internal socket, copied. */
struct system_source *system_source_new(const char *socket);
void system_source_free(struct system_source *source); /* NULL is fine */

/* Borrowed until the main loop turns; NULL while qubesd does not tell. */
const struct system_info *system_source_get(const struct system_source *source);

#endif
