/* The properties of the application; property_domain.c has those of the qubes. */
#include "qubesd/domain.h"
#include "qubesd/kernels.h"
#include "qubesd/network.h"
#include "qubesd/property.h"
#include "qubesd/qubes_app.h"

#include <string.h>
#include <unistd.h>

#define REFUSED "QubesPropertyValueError"

#define DEFAULT(name)                                                                              \
	static bool name(const struct property_owner *owner, const struct property *property,      \
	    struct property_value *ret)
#define CHECK(name)                                                                                \
	static bool name(const struct property_owner *owner, const struct property *property,      \
	    struct property_value *value, struct admin_error *error)

/* --- defaults ------------------------------------------------------------------------------- */

DEFAULT(default_true)
{
	(void)owner, (void)property;
	ret->number = true;
	return true;
}

DEFAULT(default_none)
{
	(void)owner, (void)property;
	ret->none = true;
	return true;
}

DEFAULT(default_dom0)
{
	(void)property;
	ret->domain = qubes_app_dom0(owner->app);
	ret->none = ret->domain == NULL;
	return true;
}

DEFAULT(default_of_kernel)
{
	(void)property;
	ret->text = g_strdup(kernels_newest(owner->app));
	return true;
}

DEFAULT(default_of_pool)
{
	(void)property;
	ret->text =
	    g_strdup(qubes_app_pool(owner->app, "default") != NULL ? "default" : "varlibqubes");
	return true;
}

DEFAULT(default_of_pool_kernel)
{
	(void)owner, (void)property;
	ret->text = g_strdup("linux-kernel");
	return true;
}

DEFAULT(default_of_other_pool)
{
	(void)property;
	ret->text = qubes_app_string(owner->app, GLOBAL_DEFAULT_POOL);
	return true;
}

DEFAULT(default_of_timeout)
{
	(void)owner, (void)property;
	ret->number = 60;
	return true;
}

DEFAULT(default_of_maxmem)
{
	(void)owner, (void)property;
	ret->number = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) >> 20;
	return true;
}

DEFAULT(default_of_no_cpus)
{
	(void)owner, (void)property;
	ret->number = sysconf(_SC_NPROCESSORS_ONLN);
	return true;
}

DEFAULT(default_of_stats_interval)
{
	(void)owner, (void)property;
	ret->number = 3;
	return true;
}

/* --- checks --------------------------------------------------------------------------------- */

static bool
refuse(struct admin_error *error, const struct property *property, const char *why)
{
	return admin_error_set(error, REFUSED, "Property '%s': %s", property->name, why);
}

CHECK(check_clockvm)
{
	(void)owner;
	if (!value->none &&
	    (domain_is_dom0(value->domain) || domain_class(value->domain) == DOMAIN_REMOTE))
		return refuse(error, property, "not a qube on this machine");
	return true;
}

CHECK(check_dispvm)
{
	(void)owner;
	if (!value->none && !domain_bool(value->domain, PROPERTY_TEMPLATE_FOR_DISPVMS))
		return refuse(error, property, "not a template of disposables");
	return true;
}

CHECK(check_kernel)
{
	if (value->text[0] != '\0' && !kernels_has(owner->app, value->text))
		return refuse(error, property, "no such kernel");
	return true;
}

/* A qube on the way from the new default that itself uses the default would close a loop. */
CHECK(check_netvm)
{
	struct domain *hop = value->domain;

	(void)owner;
	if (value->none)
		return true;
	if (!domain_bool(hop, PROPERTY_PROVIDES_NETWORK))
		return refuse(error, property, "that qube does not provide network");
	for (unsigned hops = 0; hop != NULL && hops <= DOMAIN_QID_MAX; hops++) {
		struct property_owner on_the_way = domain_owner(hop);

		if (domain_class(hop) != DOMAIN_TEMPLATE &&
		    property_is_default(&on_the_way, &property_domain_table[PROPERTY_NETVM]))
			return refuse(error, property,
			    "the networks would form a loop: that qube, or one it is connected "
			    "through, uses the default itself");
		hop = domain_netvm(hop);
	}
	return true;
}

CHECK(check_pool)
{
	if (qubes_app_pool(owner->app, value->text) == NULL)
		return refuse(error, property, "no such pool");
	return true;
}

CHECK(check_positive)
{
	(void)owner;
	if (value->number < 1 || value->number > INT32_MAX)
		return refuse(error, property, "not a positive number");
	return true;
}

CHECK(check_template)
{
	(void)owner;
	if (!value->none && domain_class(value->domain) != DOMAIN_TEMPLATE)
		return refuse(error, property, "not a template");
	return true;
}

/* --- the table ------------------------------------------------------------------------------ */

#define STR PROPERTY_TYPE_STRING
#define INT PROPERTY_TYPE_INT
#define BOOL PROPERTY_TYPE_BOOL
#define VM PROPERTY_TYPE_DOMAIN

#define PLAIN PROPERTY_STAGE_PLAIN

/* clang-format off */
const struct property property_global_table[GLOBAL_PROPERTY_COUNT] = {
	/*                                    name                       type  -  read-only flags stage default, check, reset check, help */
	[GLOBAL_CHECK_UPDATES_VM]         = { "check_updates_vm",         BOOL, 0, 0, 0, PLAIN, default_true, NULL, NULL,
		"Whether qubes look for updates by themselves." },
	[GLOBAL_CLOCKVM]                  = { "clockvm",                  VM,   0, 0, 0, PLAIN, default_none, check_clockvm, NULL,
		"The qube that the host takes its time from." },
	[GLOBAL_DEFAULT_AUDIOVM]          = { "default_audiovm",          VM,   0, 0, 0, PLAIN, default_dom0, NULL, NULL,
		"The qube that plays sound, where a qube does not say." },
	[GLOBAL_DEFAULT_DISPVM]           = { "default_dispvm",           VM,   0, 0, 0, PLAIN, default_none, check_dispvm, NULL,
		"What disposables are made from, where a qube does not say." },
	[GLOBAL_DEFAULT_GUIVM]            = { "default_guivm",            VM,   0, 0, 0, PLAIN, default_dom0, NULL, NULL,
		"The qube that shows windows, where a qube does not say." },
	[GLOBAL_DEFAULT_KERNEL]           = { "default_kernel",           STR,  0, 0, 0, PLAIN, default_of_kernel, check_kernel, NULL,
		"The kernel of qubes that do not say." },
	[GLOBAL_DEFAULT_NETVM]            = { "default_netvm",            VM,   0, 0, 0, PLAIN, default_none, check_netvm, NULL,
		"The qube that gives network, where a qube does not say." },
	[GLOBAL_DEFAULT_POOL]             = { "default_pool",             STR,  0, 0, 0, PLAIN, default_of_pool, check_pool, NULL,
		"The pool of new volumes." },
	[GLOBAL_DEFAULT_POOL_KERNEL]      = { "default_pool_kernel",      STR,  0, 0, 0, PLAIN, default_of_pool_kernel, check_pool, NULL,
		"The pool of kernels." },
	[GLOBAL_DEFAULT_POOL_PRIVATE]     = { "default_pool_private",     STR,  0, 0, 0, PLAIN, default_of_other_pool, check_pool, NULL,
		"The pool of new private volumes." },
	[GLOBAL_DEFAULT_POOL_ROOT]        = { "default_pool_root",        STR,  0, 0, 0, PLAIN, default_of_other_pool, check_pool, NULL,
		"The pool of new root volumes." },
	[GLOBAL_DEFAULT_POOL_VOLATILE]    = { "default_pool_volatile",    STR,  0, 0, 0, PLAIN, default_of_other_pool, check_pool, NULL,
		"The pool of new volatile volumes." },
	[GLOBAL_DEFAULT_QREXEC_TIMEOUT]   = { "default_qrexec_timeout",   INT,  0, 0, 0, PLAIN, default_of_timeout, check_positive, NULL,
		"Seconds that a started qube has to answer, where it does not say." },
	[GLOBAL_DEFAULT_SHUTDOWN_TIMEOUT] = { "default_shutdown_timeout", INT,  0, 0, 0, PLAIN, default_of_timeout, check_positive, NULL,
		"Seconds that a qube has to shut down, where it does not say." },
	[GLOBAL_DEFAULT_TEMPLATE]         = { "default_template",         VM,   0, 0, 0, PLAIN, NULL, check_template, NULL,
		"The template of new qubes." },
	[GLOBAL_MANAGEMENT_DISPVM]        = { "management_dispvm",        VM,   0, 0, 0, PLAIN, default_none, check_dispvm, NULL,
		"What the disposables that manage other qubes are made from." },
	[GLOBAL_MAXMEM]                   = { "maxmem",                   INT,  0, 1, 0, PLAIN, default_of_maxmem, NULL, NULL,
		"Memory of the host, in MiB." },
	[GLOBAL_NO_CPUS]                  = { "no_cpus",                  INT,  0, 1, 0, PLAIN, default_of_no_cpus, NULL, NULL,
		"Processors of the host." },
	[GLOBAL_STATS_INTERVAL]           = { "stats_interval",           INT,  0, 0, 0, PLAIN, default_of_stats_interval, check_positive, NULL,
		"Seconds between two rounds of statistics." },
	[GLOBAL_UPDATEVM]                 = { "updatevm",                 VM,   0, 0, 0, PLAIN, default_none, NULL, NULL,
		"The qube that fetches updates for the host." },
};
/* clang-format on */
