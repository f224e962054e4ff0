/*
 * network - addresses of qubes, computed from their numbers and from who connects them.
 *
 * A qube is networked when it has a netvm or provides network itself; everything is empty for the
 * others. Results are new strings. Source: docs/qubesd.md, "Addresses".
 */
#ifndef QUBESD_NETWORK_H
#define QUBESD_NETWORK_H

#include <stdbool.h>

struct domain;

enum network_family {
	NETWORK_IP4,
	NETWORK_IP6, /* only where the feature ipv6 is on along the chain of netvms */
};

const char *network_dns(const struct domain *domain); /* a literal */
/* From qid, or dispid for a disposable. */
char *network_default_ip(const struct domain *domain, enum network_family family);
/* What the qube's own clients use; empty unless it provides network. */
char *network_gateway(const struct domain *domain, enum network_family family);
/* What the qube is told: features net.fake-* of the template chain, else the real values. */
char *network_visible_ip(const struct domain *domain, enum network_family family);
char *network_visible_gateway(const struct domain *domain, enum network_family family);
char *network_visible_netmask(const struct domain *domain);

/* Would the chain of netvms come back to domain if its netvm were provider? */
bool network_would_loop(const struct domain *domain, const struct domain *provider);

#endif
