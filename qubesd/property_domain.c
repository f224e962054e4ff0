/*
 * The properties of qubes: where a value comes from when nobody set one, and which values a client
 * may set. The table at the end is the summary; read it first.
 */
#include "qubesd/domain.h"
#include "qubesd/grammar.h"
#include "qubesd/kernels.h"
#include "qubesd/network.h"
#include "qubesd/property.h"
#include "qubesd/qubes_app.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define REFUSED "QubesPropertyValueError"

#define MEMORY_DEFAULT_MIB 400
#define MEMORY_MAX_MIB (16 << 20) /* 16 TiB */
#define MAXMEM_NOT_LINUX_MIB 4000
#define VCPUS_MAX 8192
#define KERNELOPTS_MAX 512 /* characters */
#define INTERFACE_CODE 7   /* characters of one entry of devices_denied */

#define DEFAULT(name)                                                                              \
	static bool name(const struct property_owner *owner, const struct property *property,      \
	    struct property_value *ret)
#define CHECK(name)                                                                                \
	static bool name(const struct property_owner *owner, const struct property *property,      \
	    struct property_value *value, struct admin_error *error)

/* --- defaults ------------------------------------------------------------------------------- */

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

DEFAULT(default_false)
{
	(void)owner, (void)property;
	return give_number(ret, false);
}

DEFAULT(default_empty)
{
	(void)owner, (void)property;
	return give_text(ret, "");
}

DEFAULT(default_minus_one)
{
	(void)owner, (void)property;
	return give_number(ret, -1);
}

DEFAULT(default_of_user)
{
	return give_template_value(owner, property, ret) || give_text(ret, "user");
}

DEFAULT(default_of_dns)
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

DEFAULT(default_of_gateway)
{
	(void)property;
	return give_address(ret, network_gateway(owner->domain, NETWORK_IP4));
}

DEFAULT(default_of_gateway6)
{
	(void)property;
	return give_address(ret, network_gateway(owner->domain, NETWORK_IP6));
}

DEFAULT(default_of_ip)
{
	(void)property;
	return give_address(ret, network_default_ip(owner->domain, NETWORK_IP4));
}

DEFAULT(default_of_ip6)
{
	(void)property;
	return give_address(ret, network_default_ip(owner->domain, NETWORK_IP6));
}

DEFAULT(default_of_visible_ip)
{
	(void)property;
	return give_address(ret, network_visible_ip(owner->domain, NETWORK_IP4));
}

DEFAULT(default_of_visible_ip6)
{
	(void)property;
	return give_address(ret, network_visible_ip(owner->domain, NETWORK_IP6));
}

DEFAULT(default_of_visible_gateway)
{
	(void)property;
	return give_address(ret, network_visible_gateway(owner->domain, NETWORK_IP4));
}

DEFAULT(default_of_visible_gateway6)
{
	(void)property;
	return give_address(ret, network_visible_gateway(owner->domain, NETWORK_IP6));
}

DEFAULT(default_of_visible_netmask)
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

DEFAULT(default_of_icon)
{
	const struct label *label = domain_label(owner->domain);

	(void)property;
	ret->text =
	    g_strconcat(icon_kind(owner->domain), "-", label != NULL ? label->name : "black", NULL);
	return true;
}

DEFAULT(default_of_include_in_backups)
{
	const struct domain *domain = owner->domain;

	(void)property;
	if (domain_class(domain) == DOMAIN_REMOTE)
		return give_number(ret, false);
	return give_number(ret,
	    domain_class(domain) != DOMAIN_DISP || !domain_bool(domain, PROPERTY_AUTO_CLEANUP));
}

DEFAULT(default_of_kernel)
{
	g_autofree char *mode = domain_string(owner->domain, PROPERTY_VIRT_MODE);

	if (strcmp(mode, "hvm") == 0)
		return give_text(ret, "");
	return give_template_value(owner, property, ret) ||
	       give_global(owner, GLOBAL_DEFAULT_KERNEL, ret);
}

DEFAULT(default_of_keyboard_layout)
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

DEFAULT(default_of_klass)
{
	(void)property;
	return give_text(ret, domain_klass(owner->domain));
}

/* Only dom0 can be without a label of its own. */
DEFAULT(default_of_label)
{
	(void)property;
	if (!domain_is_dom0(owner->domain))
		return false;
	ret->label = qubes_app_label_by_index(owner->app, 8);
	return true;
}

DEFAULT(default_of_mac)
{
	(void)owner, (void)property;
	return give_text(ret, "00:16:3e:5e:6c:00");
}

static int64_t
host_memory_mib(void)
{
	return (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) >> 20;
}

DEFAULT(default_of_maxmem)
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

DEFAULT(default_of_memory)
{
	return give_template_value(owner, property, ret) || give_number(ret, MEMORY_DEFAULT_MIB);
}

/* Only dom0's name, qid and UUID are not values of its own. */
DEFAULT(default_of_name)
{
	(void)property;
	return domain_is_dom0(owner->domain) && give_text(ret, "dom0");
}

DEFAULT(default_of_qid)
{
	(void)property;
	return domain_is_dom0(owner->domain) && give_number(ret, 0);
}

DEFAULT(default_of_uuid)
{
	(void)property;
	return domain_is_dom0(owner->domain) &&
	       give_text(ret, "00000000-0000-0000-0000-000000000000");
}

DEFAULT(default_of_qrexec_timeout)
{
	return give_template_value(owner, property, ret) ||
	       give_global(owner, GLOBAL_DEFAULT_QREXEC_TIMEOUT, ret);
}

DEFAULT(default_of_shutdown_timeout)
{
	return give_template_value(owner, property, ret) ||
	       give_global(owner, GLOBAL_DEFAULT_SHUTDOWN_TIMEOUT, ret);
}

DEFAULT(default_of_start_time)
{
	gint64 start_us = domain_start_time(owner->domain);

	(void)property;
	ret->text = start_us == 0
			? g_strdup("")
			: g_strdup_printf("%" G_GINT64_FORMAT ".%06d", start_us / G_USEC_PER_SEC,
			      (int)(start_us % G_USEC_PER_SEC));
	return true;
}

DEFAULT(default_of_updateable)
{
	enum domain_class klass = domain_class(owner->domain);

	(void)property;
	return give_number(
	    ret, klass == DOMAIN_ADMIN || klass == DOMAIN_TEMPLATE || klass == DOMAIN_STANDALONE);
}

DEFAULT(default_of_vcpus)
{
	return give_template_value(owner, property, ret) || give_number(ret, 2);
}

DEFAULT(default_of_virt_mode)
{
	return give_template_value(owner, property, ret) || give_text(ret, "pvh");
}

DEFAULT(default_of_xid)
{
	(void)property;
	return give_number(ret, domain_xid(owner->domain));
}

DEFAULT(default_of_appvm_bootmode)
{
	(void)owner, (void)property;
	return give_text(ret, "default");
}

DEFAULT(default_of_bootmode)
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

DEFAULT(default_of_audiovm)
{
	(void)property;
	return give_global(owner, GLOBAL_DEFAULT_AUDIOVM, ret);
}

DEFAULT(default_of_guivm)
{
	(void)property;
	return give_global(owner, GLOBAL_DEFAULT_GUIVM, ret);
}

/* A disposable opens its own disposables from its own template: never from a better connected one.
 */
DEFAULT(default_of_dispvm)
{
	(void)property;
	if (domain_class(owner->domain) == DOMAIN_DISP)
		return give_domain(ret, domain_template(owner->domain));
	return give_global(owner, GLOBAL_DEFAULT_DISPVM, ret);
}

DEFAULT(default_of_kernelopts)
{
	g_autofree char *kernel = NULL;

	if (give_template_value(owner, property, ret))
		return true;
	kernel = domain_string(owner->domain, PROPERTY_KERNEL);
	ret->text = kernels_default_options(owner->app, kernel);
	return ret->text != NULL || give_text(ret, "swiotlb=2048");
}

DEFAULT(default_of_management_dispvm)
{
	(void)property;
	return give_global(owner, GLOBAL_MANAGEMENT_DISPVM, ret);
}

DEFAULT(default_of_netvm)
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

DEFAULT(default_none)
{
	(void)owner, (void)property;
	return give_domain(ret, NULL);
}

/* --- checks --------------------------------------------------------------------------------- */

static bool
refuse(struct admin_error *error, const struct property *property, const char *why)
{
	return admin_error_set(error, REFUSED, "Property '%s': %s", property->name, why);
}

static bool
check_range(const struct property *property, const struct property_value *value, int64_t min,
    int64_t max, struct admin_error *error)
{
	if (value->number >= min && value->number <= max)
		return true;
	return admin_error_set(error, REFUSED,
	    "Property '%s': not between %" PRId64 " and %" PRId64, property->name, min, max);
}

CHECK(check_not_negative)
{
	(void)owner;
	return check_range(property, value, 0, INT64_MAX, error);
}

CHECK(check_timeout)
{
	(void)owner;
	return check_range(property, value, 1, INT32_MAX, error);
}

CHECK(check_memory)
{
	(void)owner;
	return check_range(property, value, 1, MEMORY_MAX_MIB, error);
}

CHECK(check_maxmem)
{
	if (!domain_is_halted(owner->domain))
		return admin_error_set(error, "QubesVMNotHaltedError",
		    "Property 'maxmem' of a running qube cannot be changed");
	return check_range(property, value, 0, MEMORY_MAX_MIB, error);
}

CHECK(check_vcpus)
{
	(void)owner;
	return check_range(property, value, 1, VCPUS_MAX, error);
}

CHECK(check_user)
{
	(void)owner;
	if (!grammar_is_user(value->text))
		return refuse(error, property, "not a user name");
	return true;
}

static bool
is_interface_code(const char *code)
{
	if (strchr("bupm?", code[0]) == NULL)
		return false;
	for (size_t i = 1; i < INTERFACE_CODE; i++) {
		if (!g_ascii_isxdigit(code[i]) && code[i] != '*')
			return false;
	}
	return true;
}

CHECK(check_devices_denied)
{
	size_t len = strlen(value->text);

	(void)owner;
	if (len % INTERFACE_CODE != 0)
		return refuse(error, property, "not a list of interfaces of 7 characters");
	for (size_t i = 0; i < len; i += INTERFACE_CODE) {
		if (!is_interface_code(value->text + i))
			return refuse(error, property, "not an interface of a device");
	}
	return true;
}

/* An address set by hand must not be another qube's. */
CHECK(check_address)
{
	const GPtrArray *domains = qubes_app_domains(owner->app);
	enum property_id id = (enum property_id)(property - property_domain_table);

	for (guint i = 0; value->text[0] != '\0' && i < domains->len; i++) {
		g_autofree char *other = NULL;

		if (domains->pdata[i] == owner->domain)
			continue;
		other = domain_string(domains->pdata[i], id);
		if (strcmp(other, value->text) == 0)
			return refuse(error, property, "another qube has that address");
	}
	return true;
}

CHECK(check_kernel)
{
	if (value->text[0] != '\0' && !kernels_has(owner->app, value->text))
		return refuse(error, property, "no such kernel");
	return true;
}

CHECK(check_keyboard_layout)
{
	(void)owner;
	if (!grammar_is_keyboard_layout(value->text))
		return refuse(error, property, "not of the form layout+variant+options");
	return true;
}

CHECK(check_mac)
{
	char *lower;

	(void)owner;
	if (!grammar_is_mac(value->text))
		return refuse(error, property, "not six hexadecimal pairs with colons");
	lower = g_ascii_strdown(value->text, -1);
	g_free(value->text);
	value->text = lower;
	return true;
}

/* True when some other domain's effective value of the property is the owner. */
static bool
is_used_as(const struct property_owner *owner, enum property_id id)
{
	const GPtrArray *domains = qubes_app_domains(owner->app);

	for (guint i = 0; i < domains->len; i++) {
		if (domains->pdata[i] != owner->domain &&
		    domain_reference(domains->pdata[i], id) == owner->domain)
			return true;
	}
	return false;
}

CHECK(check_provides_network)
{
	if (value->number == 0 &&
	    (is_used_as(owner, PROPERTY_NETVM) ||
		qubes_app_reference(owner->app, GLOBAL_DEFAULT_NETVM) == owner->domain))
		return admin_error_set(error, "QubesVMInUseError",
		    "Property '%s': other qubes use this one for their network", property->name);
	return true;
}

static bool
check_reset_provides_network(const struct property_owner *owner, struct admin_error *error)
{
	struct property_value no = {0};

	return check_provides_network(
	    owner, &property_domain_table[PROPERTY_PROVIDES_NETWORK], &no, error);
}

CHECK(check_template_for_dispvms)
{
	static const enum property_id users[] = {
	    PROPERTY_TEMPLATE, PROPERTY_DEFAULT_DISPVM, PROPERTY_MANAGEMENT_DISPVM};

	if (value->number != 0)
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(users); i++) {
		if (is_used_as(owner, users[i]))
			return admin_error_set(error, "QubesVMInUseError",
			    "Property '%s': disposables or other qubes refer to this one",
			    property->name);
	}
	if (qubes_app_reference(owner->app, GLOBAL_DEFAULT_DISPVM) == owner->domain ||
	    qubes_app_reference(owner->app, GLOBAL_MANAGEMENT_DISPVM) == owner->domain)
		return admin_error_set(error, "QubesVMInUseError",
		    "Property '%s': a global property refers to this qube", property->name);
	return true;
}

static bool
check_reset_template_for_dispvms(const struct property_owner *owner, struct admin_error *error)
{
	struct property_value no = {0};

	return check_template_for_dispvms(
	    owner, &property_domain_table[PROPERTY_TEMPLATE_FOR_DISPVMS], &no, error);
}

CHECK(check_virt_mode)
{
	static const char *const modes[] = {"hvm", "pv", "pvh"};

	(void)owner;
	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
		if (strcmp(value->text, modes[i]) == 0)
			return true;
	}
	return refuse(error, property, "not one of hvm, pv, pvh");
}

CHECK(check_bootmode)
{
	(void)owner;
	if (!grammar_is_feature_name(value->text) || strlen(value->text) > 64)
		return refuse(error, property, "not the name of a boot mode");
	return true;
}

CHECK(check_dispvm)
{
	if (value->none)
		return true;
	if (value->domain == owner->domain)
		return refuse(error, property, "a qube cannot be its own");
	if (!domain_bool(value->domain, PROPERTY_TEMPLATE_FOR_DISPVMS))
		return refuse(error, property, "not a template of disposables");
	return true;
}

CHECK(check_kernelopts)
{
	(void)owner;
	if (strlen(value->text) > KERNELOPTS_MAX)
		return refuse(error, property, "longer than 512 characters");
	return true;
}

CHECK(check_netvm)
{
	if (value->none)
		return true;
	if (!domain_bool(value->domain, PROPERTY_PROVIDES_NETWORK))
		return refuse(error, property, "that qube does not provide network");
	if (network_would_loop(owner->domain, value->domain))
		return refuse(error, property, "the networks would form a loop");
	return true;
}

CHECK(check_relayvm)
{
	if (!value->none && value->domain == owner->domain)
		return refuse(error, property, "a qube cannot be its own relay");
	return true;
}

CHECK(check_template)
{
	bool fits;

	if (value->none)
		return refuse(error, property, "a qube of this class needs a template");
	fits = domain_class(owner->domain) == DOMAIN_DISP
		   ? domain_bool(value->domain, PROPERTY_TEMPLATE_FOR_DISPVMS)
		   : domain_class(value->domain) == DOMAIN_TEMPLATE;
	if (!fits || domain_is_broken(value->domain))
		return refuse(error, property, "that qube cannot be the template of this one");
	if (!domain_is_halted(owner->domain))
		return admin_error_set(error, "QubesVMNotHaltedError",
		    "The template of a running qube cannot be changed");
	return true;
}

static bool
check_reset_template(const struct property_owner *owner, struct admin_error *error)
{
	struct domain *template = qubes_app_reference(owner->app, GLOBAL_DEFAULT_TEMPLATE);

	return admin_error_set(error, "QubesValueError",
	    "The template cannot be reset; set it to the current default, %s",
	    template != NULL ? domain_name(template) : "which is none");
}

static bool
check_reset_label(const struct property_owner *owner, struct admin_error *error)
{
	(void)owner;
	return admin_error_set(error, REFUSED, "Every qube has a label: it cannot be reset");
}

/* --- the table ------------------------------------------------------------------------------ */

#define ADMIN (1u << DOMAIN_ADMIN)
#define APP (1u << DOMAIN_APP)
#define TEMPLATE (1u << DOMAIN_TEMPLATE)
#define STANDALONE (1u << DOMAIN_STANDALONE)
#define DISP (1u << DOMAIN_DISP)
#define REMOTE (1u << DOMAIN_REMOTE)
#define LOCAL (APP | TEMPLATE | STANDALONE | DISP)
#define ALL (ADMIN | LOCAL | REMOTE)

#define STR PROPERTY_TYPE_STRING
#define INT PROPERTY_TYPE_INT
#define BOOL PROPERTY_TYPE_BOOL
#define VM PROPERTY_TYPE_DOMAIN
#define LABEL PROPERTY_TYPE_LABEL

#define ONCE (PROPERTY_FLAG_WRITE_ONCE | PROPERTY_FLAG_NOT_CLONED)
#define OWN PROPERTY_FLAG_NOT_CLONED
#define PURE PROPERTY_FLAG_PURE
#define PLAIN PROPERTY_STAGE_PLAIN
#define LATE PROPERTY_STAGE_REFERENCES

/* clang-format off */
const struct property property_domain_table[PROPERTY_COUNT] = {
	/*                                  name                 type  classes           read-only flags stage default, check, reset check, help */
	[PROPERTY_AUTO_CLEANUP]         = { "auto_cleanup",      BOOL, DISP,             0,     OWN,  PLAIN, default_false, NULL, NULL,
		"Remove the qube as soon as it has stopped." },
	[PROPERTY_AUTOSTART]            = { "autostart",         BOOL, LOCAL,            0,     OWN,  PLAIN, default_false, NULL, NULL,
		"Start the qube with the host." },
	[PROPERTY_BACKUP_TIMESTAMP]     = { "backup_timestamp",  INT,  LOCAL,            0,     OWN | PURE,  PLAIN, NULL, check_not_negative, NULL,
		"When the qube was last backed up, in seconds since 1970." },
	[PROPERTY_DEBUG]                = { "debug",             BOOL, LOCAL,            0,     0,    PLAIN, default_false, NULL, NULL,
		"Run the qube so that its problems can be seen." },
	[PROPERTY_DEFAULT_USER]         = { "default_user",      STR,  LOCAL,            0,     PURE,    PLAIN, default_of_user, check_user, NULL,
		"The user that programs run as unless a call says otherwise." },
	[PROPERTY_DEVICES_DENIED]       = { "devices_denied",    STR,  ADMIN | LOCAL,    0,     PURE,    PLAIN, default_empty, check_devices_denied, NULL,
		"Interfaces of devices that are never attached by hand." },
	[PROPERTY_DISPID]               = { "dispid",            INT,  DISP,             0,     ONCE, PLAIN, NULL, NULL, NULL,
		"The number of a disposable." },
	[PROPERTY_DNS]                  = { "dns",               STR,  LOCAL,            LOCAL, OWN,  PLAIN, default_of_dns, NULL, NULL,
		"Addresses of the name servers, separated by a blank." },
	[PROPERTY_GATEWAY]              = { "gateway",           STR,  LOCAL,            LOCAL, OWN,  PLAIN, default_of_gateway, NULL, NULL,
		"The address that the qubes connected to this one use as their gateway." },
	[PROPERTY_GATEWAY6]             = { "gateway6",          STR,  LOCAL,            LOCAL, OWN,  PLAIN, default_of_gateway6, NULL, NULL,
		"The IPv6 address that the qubes connected to this one use as their gateway." },
	[PROPERTY_ICON]                 = { "icon",              STR,  ALL,              ALL,   OWN,  PLAIN, default_of_icon, NULL, NULL,
		"The name of the qube's icon in the icon theme." },
	[PROPERTY_INCLUDE_IN_BACKUPS]   = { "include_in_backups", BOOL, ALL,             0,     OWN,  PLAIN, default_of_include_in_backups, NULL, NULL,
		"Whether a backup that names no qubes contains this one." },
	[PROPERTY_INSTALLED_BY_RPM]     = { "installed_by_rpm",  BOOL, LOCAL,            0,     OWN,  PLAIN, default_false, NULL, NULL,
		"A package manager looks after this qube; it is not removed by hand." },
	[PROPERTY_IP]                   = { "ip",                STR,  LOCAL,            0,     OWN | PROPERTY_FLAG_IP4, PLAIN, default_of_ip, check_address, NULL,
		"The qube's IPv4 address; empty without a network." },
	[PROPERTY_IP6]                  = { "ip6",               STR,  LOCAL,            0,     OWN | PROPERTY_FLAG_IP6, PLAIN, default_of_ip6, check_address, NULL,
		"The qube's IPv6 address; empty without a network or the feature ipv6." },
	[PROPERTY_IS_PRELOAD]           = { "is_preload",        BOOL, DISP,             DISP,  OWN,  PLAIN, default_false, NULL, NULL,
		"Whether this disposable was started ahead of its use." },
	[PROPERTY_KERNEL]               = { "kernel",            STR,  LOCAL,            0,     0,    PLAIN, default_of_kernel, check_kernel, NULL,
		"The kernel to start; empty for the one inside the qube." },
	[PROPERTY_KEYBOARD_LAYOUT]      = { "keyboard_layout",   STR,  ADMIN | LOCAL,    0,     PURE,    PLAIN, default_of_keyboard_layout, check_keyboard_layout, NULL,
		"The keyboard as layout+variant+options." },
	[PROPERTY_KLASS]                = { "klass",             STR,  ALL,              ALL,   OWN,  PLAIN, default_of_klass, NULL, NULL,
		"The class of the qube." },
	[PROPERTY_LABEL]                = { "label",             LABEL, ALL,             ADMIN, OWN,  PLAIN, default_of_label, NULL, check_reset_label,
		"The label whose colour frames every window of the qube." },
	[PROPERTY_MAC]                  = { "mac",               STR,  LOCAL,            0,     OWN | PURE,  PLAIN, default_of_mac, check_mac, NULL,
		"The hardware address of the network card." },
	[PROPERTY_MAXMEM]               = { "maxmem",            INT,  ADMIN | LOCAL,    ADMIN, PURE,    PLAIN, default_of_maxmem, check_maxmem, NULL,
		"The most memory the qube may be given, in MiB; 0 keeps it at its initial memory." },
	[PROPERTY_MEMORY]               = { "memory",            INT,  LOCAL,            0,     PURE,    PLAIN, default_of_memory, check_memory, NULL,
		"The memory the qube starts with, in MiB." },
	[PROPERTY_NAME]                 = { "name",              STR,  ALL,              ADMIN, ONCE, PLAIN, default_of_name, NULL, NULL,
		"The name of the qube, for ever." },
	[PROPERTY_PROVIDES_NETWORK]     = { "provides_network",  BOOL, LOCAL,            0,     0,    PLAIN, default_false, check_provides_network, check_reset_provides_network,
		"Whether other qubes may use this one for their network." },
	[PROPERTY_QID]                  = { "qid",               INT,  ALL,              ADMIN, ONCE, PLAIN, default_of_qid, NULL, NULL,
		"The number of the qube in the store." },
	[PROPERTY_QREXEC_TIMEOUT]       = { "qrexec_timeout",    INT,  LOCAL,            0,     PURE,    PLAIN, default_of_qrexec_timeout, check_timeout, NULL,
		"Seconds that a started qube has to answer." },
	[PROPERTY_REMOTE_NAME]          = { "remote_name",       STR,  REMOTE,           0,     0,    PLAIN, default_empty, NULL, NULL,
		"What the qube is called on the machine it lives on." },
	[PROPERTY_SHUTDOWN_TIMEOUT]     = { "shutdown_timeout",  INT,  LOCAL,            0,     PURE,    PLAIN, default_of_shutdown_timeout, check_timeout, NULL,
		"Seconds that a qube has to shut down." },
	[PROPERTY_START_TIME]           = { "start_time",        STR,  LOCAL,            LOCAL, OWN,  PLAIN, default_of_start_time, NULL, NULL,
		"When the qube was started, in seconds since 1970; empty when it is off." },
	[PROPERTY_STUBDOM_MEM]          = { "stubdom_mem",       INT,  LOCAL,            0,     PURE,    PLAIN, NULL, check_memory, NULL,
		"Memory of the domain that emulates devices for this one, in MiB." },
	[PROPERTY_STUBDOM_UUID]         = { "stubdom_uuid",      STR,  LOCAL,            LOCAL, OWN,  PLAIN, default_empty, NULL, NULL,
		"UUID of the domain that emulates devices for this one." },
	[PROPERTY_STUBDOM_XID]          = { "stubdom_xid",       INT,  LOCAL,            LOCAL, OWN,  PLAIN, default_minus_one, NULL, NULL,
		"Number of the domain that emulates devices for this one; -1 when there is none." },
	[PROPERTY_TEMPLATE_FOR_DISPVMS] = { "template_for_dispvms", BOOL, APP | STANDALONE, 0,  OWN,  PLAIN, default_false, check_template_for_dispvms, check_reset_template_for_dispvms,
		"Whether disposables may be made from this qube." },
	[PROPERTY_TRANSPORT_RPC]        = { "transport_rpc",     STR,  REMOTE,           0,     0,    PLAIN, default_empty, NULL, NULL,
		"The service of the relay that carries calls to this qube." },
	[PROPERTY_UPDATEABLE]           = { "updateable",        BOOL, ADMIN | LOCAL,    ADMIN | LOCAL, OWN, PLAIN, default_of_updateable, NULL, NULL,
		"Whether programs installed in the qube stay." },
	[PROPERTY_UUID]                 = { "uuid",              STR,  ALL,              ADMIN, ONCE, PLAIN, default_of_uuid, NULL, NULL,
		"The UUID of the qube." },
	[PROPERTY_VCPUS]                = { "vcpus",             INT,  LOCAL,            0,     PURE,    PLAIN, default_of_vcpus, check_vcpus, NULL,
		"How many processors the qube has." },
	[PROPERTY_VIRT_MODE]            = { "virt_mode",         STR,  LOCAL,            0,     PURE,    PLAIN, default_of_virt_mode, check_virt_mode, NULL,
		"How the qube is virtualized: hvm, pv or pvh." },
	[PROPERTY_VISIBLE_GATEWAY]      = { "visible_gateway",   STR,  LOCAL,            LOCAL, OWN,  PLAIN, default_of_visible_gateway, NULL, NULL,
		"The gateway as the qube is told." },
	[PROPERTY_VISIBLE_GATEWAY6]     = { "visible_gateway6",  STR,  LOCAL,            LOCAL, OWN,  PLAIN, default_of_visible_gateway6, NULL, NULL,
		"The IPv6 gateway as the qube is told." },
	[PROPERTY_VISIBLE_IP]           = { "visible_ip",        STR,  LOCAL,            LOCAL, OWN,  PLAIN, default_of_visible_ip, NULL, NULL,
		"The IPv4 address as the qube is told." },
	[PROPERTY_VISIBLE_IP6]          = { "visible_ip6",       STR,  LOCAL,            LOCAL, OWN,  PLAIN, default_of_visible_ip6, NULL, NULL,
		"The IPv6 address as the qube is told." },
	[PROPERTY_VISIBLE_NETMASK]      = { "visible_netmask",   STR,  LOCAL,            LOCAL, OWN,  PLAIN, default_of_visible_netmask, NULL, NULL,
		"The netmask as the qube is told." },
	[PROPERTY_XID]                  = { "xid",               INT,  LOCAL,            LOCAL, OWN,  PLAIN, default_of_xid, NULL, NULL,
		"The number of the running domain; -1 when it is off." },
	[PROPERTY_APPVM_DEFAULT_BOOTMODE] = { "appvm_default_bootmode", STR, TEMPLATE,   0,     PURE,    LATE,  default_of_appvm_bootmode, check_bootmode, NULL,
		"The boot mode of qubes based on this template." },
	[PROPERTY_AUDIOVM]              = { "audiovm",           VM,   LOCAL,            0,     0,    LATE,  default_of_audiovm, NULL, NULL,
		"The qube that plays the sound of this one." },
	[PROPERTY_BOOTMODE]             = { "bootmode",          STR,  LOCAL,            0,     PURE,    LATE,  default_of_bootmode, check_bootmode, NULL,
		"The boot mode of this qube." },
	[PROPERTY_DEFAULT_DISPVM]       = { "default_dispvm",    VM,   ADMIN | LOCAL,    0,     OWN,  LATE,  default_of_dispvm, check_dispvm, NULL,
		"What disposables that this qube asks for are made from." },
	[PROPERTY_GUIVM]                = { "guivm",             VM,   LOCAL,            0,     0,    LATE,  default_of_guivm, NULL, NULL,
		"The qube that shows the windows of this one." },
	[PROPERTY_KERNELOPTS]           = { "kernelopts",        STR,  LOCAL,            0,     PURE,    LATE,  default_of_kernelopts, check_kernelopts, NULL,
		"Options on the kernel's command line." },
	[PROPERTY_MANAGEMENT_DISPVM]    = { "management_dispvm", VM,   LOCAL,            0,     0,    LATE,  default_of_management_dispvm, check_dispvm, NULL,
		"What the disposables that manage this qube are made from." },
	[PROPERTY_NETVM]                = { "netvm",             VM,   LOCAL,            0,     0,    LATE,  default_of_netvm, check_netvm, NULL,
		"The qube that connects this one to the network." },
	[PROPERTY_RELAYVM]              = { "relayvm",           VM,   REMOTE,           0,     0,    LATE,  default_none, check_relayvm, NULL,
		"The qube that carries calls to this one." },
	[PROPERTY_TEMPLATE]             = { "template",          VM,   APP | DISP,       0,     OWN,  LATE,  NULL, check_template, check_reset_template,
		"The qube that this one takes its programs from." },
};
/* clang-format on */
