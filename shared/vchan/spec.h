/*
 * spec - which transport, and where: the text of QUBES_VCHAN taken apart.
 *
 * Shape:  "broker:SOCKET", "socket" or "xen", as vchan.h says.
 * Trust:  the text comes from our own environment or from the caller.
 * Source: docs/vchan.md, "Choosing a transport".
 */
#ifndef SHARED_VCHAN_SPEC_H
#define SHARED_VCHAN_SPEC_H

#include <stdint.h>

enum vchan_kind {
	VCHAN_KIND_SOCKET,
	VCHAN_KIND_BROKER,
	VCHAN_KIND_XEN,
};

struct vchan_spec {
	enum vchan_kind kind;
	char *path; /* owned; broker: its socket for this domain, socket: the folder, xen: NULL */
	uint32_t own_domain; /* socket only: VCHAN_DOMAIN, else 0 */
};

/*
 * text NULL: QUBES_VCHAN, else what qubesd wrote down for the peer, else what the environment
 * suggests (see vchan.h). Returns 0, -EINVAL for a text that names no transport, -ENOTCONN when
 * nothing suggests one; *ret is untouched then.
 */
int vchan_spec_parse(const char *text, uint32_t peer, struct vchan_spec *ret);

/*
 * The file, in the runtime folder of the trusted side, that says how a domain is reached: such a
 * text and a line feed. There as long as the domain runs. g_free().
 */
char *vchan_spec_file(uint32_t domain);

void vchan_spec_clear(struct vchan_spec *spec);

#endif
