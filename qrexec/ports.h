/*
 * ports - which data ports of one qube are in use, and for whom.
 *
 * Each daemon has its own 256. Two daemons serve every pair of qubes, so the higher and the lower
 * peer get every other port: what the two hand out for one pair never meets.
 * Source: docs/qrexec.md, "Ports".
 */
#ifndef QREXEC_PORTS_H
#define QREXEC_PORTS_H

#include "shared/qrexec_wire.h"

#include <stdbool.h>
#include <stdint.h>

struct ports {
	uint32_t domain; /* whose they are */
	struct {
		bool used;
		uint32_t peer;
	} port[QREXEC_DATA_PORTS];
};

void ports_init(struct ports *ports, uint32_t domain);

/* The lowest free port for a connection with peer, or -ENOSPC. */
int ports_take(struct ports *ports, uint32_t peer, uint32_t *ret);

/* True when the port was in use for exactly that peer, and is free now. */
bool ports_release(struct ports *ports, uint32_t peer, uint32_t port);

#endif
