#include "qrexec/ports.h"

#include <errno.h>
#include <string.h>

void
ports_init(struct ports *ports, uint32_t domain)
{
	memset(ports, 0, sizeof(*ports));
	ports->domain = domain;
}

int
ports_take(struct ports *ports, uint32_t peer, uint32_t *ret)
{
	uint32_t first = peer > ports->domain ? 1 : 0;
	uint32_t step = peer == 0 ? 1 : 2;

	for (uint32_t i = first; i < QREXEC_DATA_PORTS; i += step) {
		if (ports->port[i].used)
			continue;
		ports->port[i].used = true;
		ports->port[i].peer = peer;
		*ret = QREXEC_DATA_PORT_FIRST + i;
		return 0;
	}
	return -ENOSPC;
}

bool
ports_release(struct ports *ports, uint32_t peer, uint32_t port)
{
	uint32_t i = port - QREXEC_DATA_PORT_FIRST;

	if (i >= QREXEC_DATA_PORTS || !ports->port[i].used || ports->port[i].peer != peer)
		return false;
	ports->port[i].used = false;
	return true;
}
