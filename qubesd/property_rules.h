/*
 * property_rules - where the value of a qube's property comes from when nobody set one, and which
 * values a client may set: the functions that the rows of property_domain.c name.
 *
 * A default fills *ret and returns true, or returns false when there is no value. A check returns
 * true, or false with *error filled; it may put *value into its canonical form. A reset check says
 * whether the property may go back to its default. All of them only read the app.
 * Source: docs/admin-api.md, "Properties".
 */
#ifndef QUBESD_PROPERTY_RULES_H
#define QUBESD_PROPERTY_RULES_H

#include "qubesd/property.h"

#define PROPERTY_DEFAULT(name)                                                                     \
	bool name(const struct property_owner *owner, const struct property *property,             \
	    struct property_value *ret)
#define PROPERTY_CHECK(name)                                                                       \
	bool name(const struct property_owner *owner, const struct property *property,             \
	    struct property_value *value, struct admin_error *error)
#define PROPERTY_RESET_CHECK(name)                                                                 \
	bool name(const struct property_owner *owner, struct admin_error *error)

PROPERTY_DEFAULT(domain_default_false);
PROPERTY_DEFAULT(domain_default_empty);
PROPERTY_DEFAULT(domain_default_minus_one);
PROPERTY_DEFAULT(domain_default_of_user);
PROPERTY_DEFAULT(domain_default_of_dns);
PROPERTY_DEFAULT(domain_default_of_gateway);
PROPERTY_DEFAULT(domain_default_of_gateway6);
PROPERTY_DEFAULT(domain_default_of_ip);
PROPERTY_DEFAULT(domain_default_of_ip6);
PROPERTY_DEFAULT(domain_default_of_visible_ip);
PROPERTY_DEFAULT(domain_default_of_visible_ip6);
PROPERTY_DEFAULT(domain_default_of_visible_gateway);
PROPERTY_DEFAULT(domain_default_of_visible_gateway6);
PROPERTY_DEFAULT(domain_default_of_visible_netmask);
PROPERTY_DEFAULT(domain_default_of_icon);
PROPERTY_DEFAULT(domain_default_of_include_in_backups);
PROPERTY_DEFAULT(domain_default_of_kernel);
PROPERTY_DEFAULT(domain_default_of_keyboard_layout);
PROPERTY_DEFAULT(domain_default_of_klass);
PROPERTY_DEFAULT(domain_default_of_label);
PROPERTY_DEFAULT(domain_default_of_mac);
PROPERTY_DEFAULT(domain_default_of_maxmem);
PROPERTY_DEFAULT(domain_default_of_memory);
PROPERTY_DEFAULT(domain_default_of_name);
PROPERTY_DEFAULT(domain_default_of_qid);
PROPERTY_DEFAULT(domain_default_of_uuid);
PROPERTY_DEFAULT(domain_default_of_qrexec_timeout);
PROPERTY_DEFAULT(domain_default_of_shutdown_timeout);
PROPERTY_DEFAULT(domain_default_of_start_time);
PROPERTY_DEFAULT(domain_default_of_updateable);
PROPERTY_DEFAULT(domain_default_of_vcpus);
PROPERTY_DEFAULT(domain_default_of_virt_mode);
PROPERTY_DEFAULT(domain_default_of_xid);
PROPERTY_DEFAULT(domain_default_of_appvm_bootmode);
PROPERTY_DEFAULT(domain_default_of_bootmode);
PROPERTY_DEFAULT(domain_default_of_audiovm);
PROPERTY_DEFAULT(domain_default_of_guivm);
PROPERTY_DEFAULT(domain_default_of_dispvm);
PROPERTY_DEFAULT(domain_default_of_kernelopts);
PROPERTY_DEFAULT(domain_default_of_management_dispvm);
PROPERTY_DEFAULT(domain_default_of_netvm);
PROPERTY_DEFAULT(domain_default_none);

PROPERTY_CHECK(domain_check_not_negative);
PROPERTY_CHECK(domain_check_timeout);
PROPERTY_CHECK(domain_check_memory);
PROPERTY_CHECK(domain_check_maxmem);
PROPERTY_CHECK(domain_check_vcpus);
PROPERTY_CHECK(domain_check_user);
PROPERTY_CHECK(domain_check_devices_denied);
PROPERTY_CHECK(domain_check_address);
PROPERTY_CHECK(domain_check_kernel);
PROPERTY_CHECK(domain_check_keyboard_layout);
PROPERTY_CHECK(domain_check_mac);
PROPERTY_CHECK(domain_check_provides_network);
PROPERTY_CHECK(domain_check_template_for_dispvms);
PROPERTY_CHECK(domain_check_virt_mode);
PROPERTY_CHECK(domain_check_bootmode);
PROPERTY_CHECK(domain_check_dispvm);
PROPERTY_CHECK(domain_check_kernelopts);
PROPERTY_CHECK(domain_check_netvm);
PROPERTY_CHECK(domain_check_guivm);
PROPERTY_CHECK(domain_check_relayvm);
PROPERTY_CHECK(domain_check_template);

PROPERTY_RESET_CHECK(domain_check_reset_provides_network);
PROPERTY_RESET_CHECK(domain_check_reset_template_for_dispvms);
PROPERTY_RESET_CHECK(domain_check_reset_template);
PROPERTY_RESET_CHECK(domain_check_reset_label);

#endif
