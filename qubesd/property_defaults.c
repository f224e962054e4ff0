#include "qubesd/domain.h"
#include "qubesd/grammar.h"
#include "qubesd/kernels.h"
#include "qubesd/network.h"
#include "qubesd/property_rules.h"
#include "qubesd/qubes_app.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_DEFAULT_MIB 400
#define MAXMEM_NOT_LINUX_MIB 4000

static bool
give_text(struct property_value *ret, const char *text)
{
	ret->text = g_strdup(text);
	return true;
}

static bool
give_number(struct property_value *ret, int64_t number)
{
	ret->number = number;
	return true;
}

static bool
give_domain(struct property_value *ret, struct domain *domain)
{
	ret->domain = domain;
	ret->none = domain == NULL;
	return true;
}

/* The template's value of the same property; false when there is no template that has it. */
static bool
give_template_value(
    const struct property_owner *owner, const struct property *property, struct property_value *ret)
{
	struct domain *template = domain_template(owner->domain);

	if (template == NULL)
		return false;
	struct property_owner from = domain_owner(template);

	return property_applies(&from, property) && property_get(&from, property, ret);
}

/* The application's value of a property. */
static bool
give_global(
    const struct property_owner *owner, enum global_property_id id, struct property_value *ret)
{
	struct property_owner from = {owner->app, NULL};

	return property_get(&from, &property_global_table[id], ret);
}

PROPERTY_DEFAULT(domain_default_false)
{
	(void)owner, (void)property;
	return give_number(ret, false);
}

PROPERTY_DEFAULT(domain_default_empty)
{
	(void)owner, (void)property;
	return give_text(ret, "");
}

PROPERTY_DEFAULT(domain_default_minus_one)
{
	(void)owner, (void)property;
	return give_number(ret, -1);
}

PROPERTY_DEFAULT(domain_default_of_user)
{
	return give_template_value(owner, property, ret) || give_text(ret, "user");
}

PROPERTY_DEFAULT(domain_default_of_dns)
{
	(void)property;
	return give_text(ret, network_dns(owner->domain));
}

static bool
give_address(struct property_value *ret, char *address)
{
	ret->text = address;
	return true;
}

PROPERTY_DEFAULT(domain_default_of_gateway)
{
	(void)property;
	return give_address(ret, network_gateway(owner->domain, NETWORK_IP4));
}

PROPERTY_DEFAULT(domain_default_of_gateway6)
{
	(void)property;
	return give_address(ret, network_gateway(owner->domain, NETWORK_IP6));
}

PROPERTY_DEFAULT(domain_default_of_ip)
{
	(void)property;
	return give_address(ret, network_default_ip(owner->domain, NETWORK_IP4));
}

PROPERTY_DEFAULT(domain_default_of_ip6)
{
	(void)property;
	return give_address(ret, network_default_ip(owner->domain, NETWORK_IP6));
}

PROPERTY_DEFAULT(domain_default_of_visible_ip)
{
	(void)property;
	return give_address(ret, network_visible_ip(owner->domain, NETWORK_IP4));
}

PROPERTY_DEFAULT(domain_default_of_visible_ip6)
{
	(void)property;
	return give_address(ret, network_visible_ip(owner->domain, NETWORK_IP6));
}

PROPERTY_DEFAULT(domain_default_of_visible_gateway)
{
	(void)property;
	return give_address(ret, network_visible_gateway(owner->domain, NETWORK_IP4));
}

PROPERTY_DEFAULT(domain_default_of_visible_gateway6)
{
	(void)property;
	return give_address(ret, network_visible_gateway(owner->domain, NETWORK_IP6));
}

PROPERTY_DEFAULT(domain_default_of_visible_netmask)
{
	(void)property;
	return give_address(ret, network_visible_netmask(owner->domain));
}

static const char *
icon_kind(const struct domain *domain)
{
	switch (domain_class(domain)) {
	case DOMAIN_ADMIN:
		return "adminvm";
	case DOMAIN_TEMPLATE:
		return "templatevm";
	case DOMAIN_REMOTE:
		return "remotevm";
	default:
		break;
	}
	if (domain_class(domain) == DOMAIN_APP &&
	    domain_bool(domain, PROPERTY_TEMPLATE_FOR_DISPVMS))
		return "templatevm";
	if (domain_feature_true(domain, FEATURE_OWN, "servicevm"))
		return "servicevm";
	if (domain_class(domain) == DOMAIN_DISP)
		return "dispvm";
	return domain_class(domain) == DOMAIN_STANDALONE ? "standalonevm" : "appvm";
}

PROPERTY_DEFAULT(domain_default_of_icon)
{
	const struct label *label = domain_label(owner->domain);

	(void)property;
	ret->text =
	    g_strconcat(icon_kind(owner->domain), "-", label != NULL ? label->name : "black", NULL);
	return true;
}

PROPERTY_DEFAULT(domain_default_of_include_in_backups)
{
	const struct domain *domain = owner->domain;

	(void)property;
	if (domain_class(domain) == DOMAIN_REMOTE)
		return give_number(ret, false);
	return give_number(ret,
	    domain_class(domain) != DOMAIN_DISP || !domain_bool(domain, PROPERTY_AUTO_CLEANUP));
}

PROPERTY_DEFAULT(domain_default_of_kernel)
{
	g_autofree char *mode = domain_string(owner->domain, PROPERTY_VIRT_MODE);

	if (strcmp(mode, "hvm") == 0)
		return give_text(ret, "");
	return give_template_value(owner, property, ret) ||
	       give_global(owner, GLOBAL_DEFAULT_KERNEL, ret);
}

PROPERTY_DEFAULT(domain_default_of_keyboard_layout)
{
	struct domain *gui = domain_reference(owner->domain, PROPERTY_GUIVM);

	if (gui != NULL && gui != owner->domain) {
		struct property_owner from = domain_owner(gui);
		const struct property_value *value =
		    property_applies(&from, property) ? property_explicit(&from, property) : NULL;

		if (value != NULL)
			return give_text(ret, value->text);
	}
	return give_text(ret, "us++");
}

PROPERTY_DEFAULT(domain_default_of_klass)
{
	(void)property;
	return give_text(ret, domain_klass(owner->domain));
}

/* Only dom0 can be without a label of its own. */
PROPERTY_DEFAULT(domain_default_of_label)
{
	(void)property;
	if (!domain_is_dom0(owner->domain))
		return false;
	ret->label = qubes_app_label_by_index(owner->app, 8);
	return true;
}

PROPERTY_DEFAULT(domain_default_of_mac)
{
	(void)owner, (void)property;
	return give_text(ret, "00:16:3e:5e:6c:00");
}

static int64_t
host_memory_mib(void)
{
	return (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) >> 20;
}

PROPERTY_DEFAULT(domain_default_of_maxmem)
{
	const struct domain *domain = owner->domain;
	const char *os;

	if (domain_is_dom0(domain))
		return give_number(ret, host_memory_mib());
	if (!qubes_app_balancing(owner->app))
		return give_number(ret, 0);
	if (give_template_value(owner, property, ret))
		return true;
	os = domain_feature(domain, FEATURE_TEMPLATE, "os");
	if (os != NULL && strcmp(os, "Linux") != 0)
		return give_number(ret, MAXMEM_NOT_LINUX_MIB);
	return give_number(
	    ret, MIN(domain_int(domain, PROPERTY_MEMORY) * 10, host_memory_mib() / 2));
}

PROPERTY_DEFAULT(domain_default_of_memory)
{
	return give_template_value(owner, property, ret) || give_number(ret, MEMORY_DEFAULT_MIB);
}

/* Only dom0's name, qid and UUID are not values of its own. */
PROPERTY_DEFAULT(domain_default_of_name)
{
	(void)property;
	return domain_is_dom0(owner->domain) && give_text(ret, "dom0");
}

PROPERTY_DEFAULT(domain_default_of_qid)
{
	(void)property;
	return domain_is_dom0(owner->domain) && give_number(ret, 0);
}

PROPERTY_DEFAULT(domain_default_of_uuid)
{
	(void)property;
	return domain_is_dom0(owner->domain) &&
	       give_text(ret, "00000000-0000-0000-0000-000000000000");
}

PROPERTY_DEFAULT(domain_default_of_qrexec_timeout)
{
	return give_template_value(owner, property, ret) ||
	       give_global(owner, GLOBAL_DEFAULT_QREXEC_TIMEOUT, ret);
}

PROPERTY_DEFAULT(domain_default_of_shutdown_timeout)
{
	return give_template_value(owner, property, ret) ||
	       give_global(owner, GLOBAL_DEFAULT_SHUTDOWN_TIMEOUT, ret);
}

PROPERTY_DEFAULT(domain_default_of_start_time)
{
	gint64 start_us = domain_start_time(owner->domain);

	(void)property;
	ret->text = start_us == 0
			? g_strdup("")
			: g_strdup_printf("%" G_GINT64_FORMAT ".%06d", start_us / G_USEC_PER_SEC,
			      (int)(start_us % G_USEC_PER_SEC));
	return true;
}

PROPERTY_DEFAULT(domain_default_of_updateable)
{
	enum domain_class klass = domain_class(owner->domain);

	(void)property;
	return give_number(
	    ret, klass == DOMAIN_ADMIN || klass == DOMAIN_TEMPLATE || klass == DOMAIN_STANDALONE);
}

PROPERTY_DEFAULT(domain_default_of_vcpus)
{
	return give_template_value(owner, property, ret) || give_number(ret, 2);
}

PROPERTY_DEFAULT(domain_default_of_virt_mode)
{
	return give_template_value(owner, property, ret) || give_text(ret, "pvh");
}

PROPERTY_DEFAULT(domain_default_of_xid)
{
	(void)property;
	return give_number(ret, domain_xid(owner->domain));
}

PROPERTY_DEFAULT(domain_default_of_appvm_bootmode)
{
	(void)owner, (void)property;
	return give_text(ret, "default");
}

PROPERTY_DEFAULT(domain_default_of_bootmode)
{
	struct domain *template = domain_template(owner->domain);

	(void)property;
	if (template == NULL)
		return give_text(ret, "default");
	ret->text = domain_string(template, domain_class(template) == DOMAIN_TEMPLATE
						? PROPERTY_APPVM_DEFAULT_BOOTMODE
						: PROPERTY_BOOTMODE);
	return true;
}

PROPERTY_DEFAULT(domain_default_of_audiovm)
{
	(void)property;
	return give_global(owner, GLOBAL_DEFAULT_AUDIOVM, ret);
}

PROPERTY_DEFAULT(domain_default_of_guivm)
{
	(void)property;
	if (!give_global(owner, GLOBAL_DEFAULT_GUIVM, ret))
		return false;
	/* The default GUI domain itself has none, unless it is given one. */
	if (!ret->none && ret->domain == owner->domain) {
		ret->domain = NULL;
		ret->none = true;
	}
	return true;
}

/* A disposable opens its own disposables from its own template: never from a better connected one.
 */
PROPERTY_DEFAULT(domain_default_of_dispvm)
{
	(void)property;
	if (domain_class(owner->domain) == DOMAIN_DISP)
		return give_domain(ret, domain_template(owner->domain));
	return give_global(owner, GLOBAL_DEFAULT_DISPVM, ret);
}

PROPERTY_DEFAULT(domain_default_of_kernelopts)
{
	g_autofree char *kernel = NULL;

	if (give_template_value(owner, property, ret))
		return true;
	kernel = domain_string(owner->domain, PROPERTY_KERNEL);
	ret->text = kernels_default_options(owner->app, kernel);
	return ret->text != NULL || give_text(ret, "swiotlb=2048");
}

PROPERTY_DEFAULT(domain_default_of_management_dispvm)
{
	(void)property;
	return give_global(owner, GLOBAL_MANAGEMENT_DISPVM, ret);
}

PROPERTY_DEFAULT(domain_default_of_netvm)
{
	switch (domain_class(owner->domain)) {
	case DOMAIN_TEMPLATE:
		return give_domain(ret, NULL);
	case DOMAIN_DISP:
		return give_template_value(owner, property, ret) || give_domain(ret, NULL);
	default:
		return give_global(owner, GLOBAL_DEFAULT_NETVM, ret);
	}
}

PROPERTY_DEFAULT(domain_default_none)
{
	(void)owner, (void)property;
	return give_domain(ret, NULL);
}
