#include "qubesd/domain.h"
#include "qubesd/grammar.h"
#include "qubesd/kernels.h"
#include "qubesd/network.h"
#include "qubesd/property_rules.h"
#include "qubesd/qubes_app.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define REFUSED "QubesPropertyValueError"

#define MEMORY_MAX_MIB (16 << 20) /* 16 TiB */
#define VCPUS_MAX 8192
#define KERNELOPTS_MAX 512 /* characters */
#define INTERFACE_CODE 7   /* characters of one entry of devices_denied */

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

PROPERTY_CHECK(domain_check_not_negative)
{
	(void)owner;
	return check_range(property, value, 0, INT64_MAX, error);
}

PROPERTY_CHECK(domain_check_timeout)
{
	(void)owner;
	return check_range(property, value, 1, INT32_MAX, error);
}

PROPERTY_CHECK(domain_check_memory)
{
	(void)owner;
	return check_range(property, value, 1, MEMORY_MAX_MIB, error);
}

PROPERTY_CHECK(domain_check_maxmem)
{
	if (!domain_is_halted(owner->domain))
		return admin_error_set(error, "QubesVMNotHaltedError",
		    "Property 'maxmem' of a running qube cannot be changed");
	return check_range(property, value, 0, MEMORY_MAX_MIB, error);
}

PROPERTY_CHECK(domain_check_vcpus)
{
	(void)owner;
	return check_range(property, value, 1, VCPUS_MAX, error);
}

PROPERTY_CHECK(domain_check_user)
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

PROPERTY_CHECK(domain_check_devices_denied)
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
PROPERTY_CHECK(domain_check_address)
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

PROPERTY_CHECK(domain_check_kernel)
{
	if (value->text[0] != '\0' && !kernels_has(owner->app, value->text))
		return refuse(error, property, "no such kernel");
	return true;
}

PROPERTY_CHECK(domain_check_keyboard_layout)
{
	(void)owner;
	if (!grammar_is_keyboard_layout(value->text))
		return refuse(error, property, "not of the form layout+variant+options");
	return true;
}

PROPERTY_CHECK(domain_check_mac)
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

PROPERTY_CHECK(domain_check_provides_network)
{
	if (value->number == 0 &&
	    (is_used_as(owner, PROPERTY_NETVM) ||
		qubes_app_reference(owner->app, GLOBAL_DEFAULT_NETVM) == owner->domain))
		return admin_error_set(error, "QubesVMInUseError",
		    "Property '%s': other qubes use this one for their network", property->name);
	return true;
}

bool
domain_check_reset_provides_network(const struct property_owner *owner, struct admin_error *error)
{
	struct property_value no = {0};

	return domain_check_provides_network(
	    owner, &property_domain_table[PROPERTY_PROVIDES_NETWORK], &no, error);
}

PROPERTY_CHECK(domain_check_template_for_dispvms)
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

bool
domain_check_reset_template_for_dispvms(
    const struct property_owner *owner, struct admin_error *error)
{
	struct property_value no = {0};

	return domain_check_template_for_dispvms(
	    owner, &property_domain_table[PROPERTY_TEMPLATE_FOR_DISPVMS], &no, error);
}

PROPERTY_CHECK(domain_check_virt_mode)
{
	static const char *const modes[] = {"hvm", "pv", "pvh"};

	(void)owner;
	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
		if (strcmp(value->text, modes[i]) == 0)
			return true;
	}
	return refuse(error, property, "not one of hvm, pv, pvh");
}

PROPERTY_CHECK(domain_check_bootmode)
{
	(void)owner;
	if (!grammar_is_feature_name(value->text) || strlen(value->text) > 64)
		return refuse(error, property, "not the name of a boot mode");
	return true;
}

PROPERTY_CHECK(domain_check_dispvm)
{
	if (value->none)
		return true;
	if (value->domain == owner->domain)
		return refuse(error, property, "a qube cannot be its own");
	if (!domain_bool(value->domain, PROPERTY_TEMPLATE_FOR_DISPVMS))
		return refuse(error, property, "not a template of disposables");
	return true;
}

/* What it is asked by the prompt it would answer itself. */
PROPERTY_CHECK(domain_check_guivm)
{
	if (!value->none && value->domain == owner->domain)
		return refuse(error, property, "a qube cannot be its own GUI domain");
	return true;
}

PROPERTY_CHECK(domain_check_kernelopts)
{
	(void)owner;
	if (strlen(value->text) > KERNELOPTS_MAX)
		return refuse(error, property, "longer than 512 characters");
	return true;
}

PROPERTY_CHECK(domain_check_netvm)
{
	if (value->none)
		return true;
	if (!domain_bool(value->domain, PROPERTY_PROVIDES_NETWORK))
		return refuse(error, property, "that qube does not provide network");
	if (network_would_loop(owner->domain, value->domain))
		return refuse(error, property, "the networks would form a loop");
	return true;
}

PROPERTY_CHECK(domain_check_relayvm)
{
	if (!value->none && value->domain == owner->domain)
		return refuse(error, property, "a qube cannot be its own relay");
	return true;
}

PROPERTY_CHECK(domain_check_template)
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

bool
domain_check_reset_template(const struct property_owner *owner, struct admin_error *error)
{
	struct domain *template = qubes_app_reference(owner->app, GLOBAL_DEFAULT_TEMPLATE);

	return admin_error_set(error, "QubesValueError",
	    "The template cannot be reset; set it to the current default, %s",
	    template != NULL ? domain_name(template) : "which is none");
}

bool
domain_check_reset_label(const struct property_owner *owner, struct admin_error *error)
{
	(void)owner;
	return admin_error_set(error, REFUSED, "Every qube has a label: it cannot be reset");
}
