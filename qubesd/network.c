#include "qubesd/network.h"

#include "qubesd/domain.h"

#include <glib.h>

#define DNS "10.139.1.1 10.139.1.2"
#define NETMASK "255.255.255.255"

static bool
is_networked(const struct domain *domain)
{
	return domain_netvm(domain) != NULL || domain_bool(domain, PROPERTY_PROVIDES_NETWORK);
}

static bool
has_family(const struct domain *domain, enum network_family family)
{
	return is_networked(domain) &&
	       (family == NETWORK_IP4 || domain_feature_true(domain, FEATURE_NETVM, "ipv6"));
}

const char *
network_dns(const struct domain *domain)
{
	return is_networked(domain) ? DNS : "";
}

/* No host part is 0 or 255, so that no system takes it for a network or a broadcast. */
static char *
address4(unsigned network, unsigned number)
{
	if (number < 255)
		return g_strdup_printf("10.%u.0.%u", network, number);
	number--;
	return g_strdup_printf("10.%u.%u.%u", network, number / 254, number % 254 + 1);
}

char *
network_default_ip(const struct domain *domain, enum network_family family)
{
	bool disposable = domain_class(domain) == DOMAIN_DISP;
	unsigned number =
	    disposable ? (unsigned)domain_int(domain, PROPERTY_DISPID) : domain_qid(domain);

	if (!has_family(domain, family))
		return g_strdup("");
	if (family == NETWORK_IP4)
		return address4(disposable ? 138 : 137, number);
	return g_strdup_printf("fd09:24ef:4179::%s:%x", disposable ? "a8a" : "a89", number);
}

char *
network_visible_ip(const struct domain *domain, enum network_family family)
{
	const char *fake = domain_feature(domain, FEATURE_TEMPLATE, "net.fake-ip");

	if (family == NETWORK_IP4 && fake != NULL && fake[0] != '\0' && is_networked(domain))
		return g_strdup(fake);
	return domain_string(domain, family == NETWORK_IP4 ? PROPERTY_IP : PROPERTY_IP6);
}

char *
network_gateway(const struct domain *domain, enum network_family family)
{
	if (!domain_bool(domain, PROPERTY_PROVIDES_NETWORK))
		return g_strdup("");
	return network_visible_ip(domain, family);
}

char *
network_visible_gateway(const struct domain *domain, enum network_family family)
{
	const char *fake = domain_feature(domain, FEATURE_TEMPLATE, "net.fake-gateway");
	struct domain *netvm = domain_netvm(domain);

	if (netvm == NULL || !has_family(domain, family))
		return g_strdup("");
	if (family == NETWORK_IP4 && fake != NULL && fake[0] != '\0')
		return g_strdup(fake);
	return network_gateway(netvm, family);
}

char *
network_visible_netmask(const struct domain *domain)
{
	const char *fake = domain_feature(domain, FEATURE_TEMPLATE, "net.fake-netmask");

	if (!is_networked(domain))
		return g_strdup("");
	return g_strdup(fake != NULL && fake[0] != '\0' ? fake : NETMASK);
}

bool
network_would_loop(const struct domain *domain, const struct domain *provider)
{
	const struct domain *hop = provider;

	/* Chains that exist are free of loops; the bound is for a store that is not. */
	for (unsigned hops = 0; hop != NULL && hops <= DOMAIN_QID_MAX; hops++) {
		if (hop == domain)
			return true;
		hop = domain_netvm(hop);
	}
	return hop != NULL;
}
