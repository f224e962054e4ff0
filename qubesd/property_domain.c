/*
 * The properties of qubes: one row each. What a row's functions do stands in property_rules.h.
 */
#include "qubesd/domain.h"
#include "qubesd/property_rules.h"

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
	[PROPERTY_AUTO_CLEANUP]         = { "auto_cleanup",      BOOL, DISP,             0,     OWN,  PLAIN, domain_default_false, NULL, NULL,
		"Remove the qube as soon as it has stopped." },
	[PROPERTY_AUTOSTART]            = { "autostart",         BOOL, LOCAL,            0,     OWN,  PLAIN, domain_default_false, NULL, NULL,
		"Start the qube with the host." },
	[PROPERTY_BACKUP_TIMESTAMP]     = { "backup_timestamp",  INT,  LOCAL,            0,     OWN | PURE,  PLAIN, NULL, domain_check_not_negative, NULL,
		"When the qube was last backed up, in seconds since 1970." },
	[PROPERTY_DEBUG]                = { "debug",             BOOL, LOCAL,            0,     0,    PLAIN, domain_default_false, NULL, NULL,
		"Run the qube so that its problems can be seen." },
	[PROPERTY_DEFAULT_USER]         = { "default_user",      STR,  LOCAL,            0,     PURE,    PLAIN, domain_default_of_user, domain_check_user, NULL,
		"The user that programs run as unless a call says otherwise." },
	[PROPERTY_DEVICES_DENIED]       = { "devices_denied",    STR,  ADMIN | LOCAL,    0,     PURE,    PLAIN, domain_default_empty, domain_check_devices_denied, NULL,
		"Interfaces of devices that are never attached by hand." },
	[PROPERTY_DISPID]               = { "dispid",            INT,  DISP,             0,     ONCE, PLAIN, NULL, NULL, NULL,
		"The number of a disposable." },
	[PROPERTY_DNS]                  = { "dns",               STR,  LOCAL,            LOCAL, OWN,  PLAIN, domain_default_of_dns, NULL, NULL,
		"Addresses of the name servers, separated by a blank." },
	[PROPERTY_GATEWAY]              = { "gateway",           STR,  LOCAL,            LOCAL, OWN,  PLAIN, domain_default_of_gateway, NULL, NULL,
		"The address that the qubes connected to this one use as their gateway." },
	[PROPERTY_GATEWAY6]             = { "gateway6",          STR,  LOCAL,            LOCAL, OWN,  PLAIN, domain_default_of_gateway6, NULL, NULL,
		"The IPv6 address that the qubes connected to this one use as their gateway." },
	[PROPERTY_ICON]                 = { "icon",              STR,  ALL,              ALL,   OWN,  PLAIN, domain_default_of_icon, NULL, NULL,
		"The name of the qube's icon in the icon theme." },
	[PROPERTY_INCLUDE_IN_BACKUPS]   = { "include_in_backups", BOOL, ALL,             0,     OWN,  PLAIN, domain_default_of_include_in_backups, NULL, NULL,
		"Whether a backup that names no qubes contains this one." },
	[PROPERTY_INSTALLED_BY_RPM]     = { "installed_by_rpm",  BOOL, LOCAL,            0,     OWN,  PLAIN, domain_default_false, NULL, NULL,
		"A package manager looks after this qube; it is not removed by hand." },
	[PROPERTY_IP]                   = { "ip",                STR,  LOCAL,            0,     OWN | PROPERTY_FLAG_IP4, PLAIN, domain_default_of_ip, domain_check_address, NULL,
		"The qube's IPv4 address; empty without a network." },
	[PROPERTY_IP6]                  = { "ip6",               STR,  LOCAL,            0,     OWN | PROPERTY_FLAG_IP6, PLAIN, domain_default_of_ip6, domain_check_address, NULL,
		"The qube's IPv6 address; empty without a network or the feature ipv6." },
	[PROPERTY_IS_PRELOAD]           = { "is_preload",        BOOL, DISP,             DISP,  OWN,  PLAIN, domain_default_false, NULL, NULL,
		"Whether this disposable was started ahead of its use." },
	[PROPERTY_KERNEL]               = { "kernel",            STR,  LOCAL,            0,     0,    PLAIN, domain_default_of_kernel, domain_check_kernel, NULL,
		"The kernel to start; empty for the one inside the qube." },
	[PROPERTY_KEYBOARD_LAYOUT]      = { "keyboard_layout",   STR,  ADMIN | LOCAL,    0,     PURE,    PLAIN, domain_default_of_keyboard_layout, domain_check_keyboard_layout, NULL,
		"The keyboard as layout+variant+options." },
	[PROPERTY_KLASS]                = { "klass",             STR,  ALL,              ALL,   OWN,  PLAIN, domain_default_of_klass, NULL, NULL,
		"The class of the qube." },
	[PROPERTY_LABEL]                = { "label",             LABEL, ALL,             ADMIN, OWN,  PLAIN, domain_default_of_label, NULL, domain_check_reset_label,
		"The label whose colour frames every window of the qube." },
	[PROPERTY_MAC]                  = { "mac",               STR,  LOCAL,            0,     OWN | PURE,  PLAIN, domain_default_of_mac, domain_check_mac, NULL,
		"The hardware address of the network card." },
	[PROPERTY_MAXMEM]               = { "maxmem",            INT,  ADMIN | LOCAL,    ADMIN, PURE,    PLAIN, domain_default_of_maxmem, domain_check_maxmem, NULL,
		"The most memory the qube may be given, in MiB; 0 keeps it at its initial memory." },
	[PROPERTY_MEMORY]               = { "memory",            INT,  LOCAL,            0,     PURE,    PLAIN, domain_default_of_memory, domain_check_memory, NULL,
		"The memory the qube starts with, in MiB." },
	[PROPERTY_NAME]                 = { "name",              STR,  ALL,              ADMIN, ONCE, PLAIN, domain_default_of_name, NULL, NULL,
		"The name of the qube, for ever." },
	[PROPERTY_PROVIDES_NETWORK]     = { "provides_network",  BOOL, LOCAL,            0,     0,    PLAIN, domain_default_false, domain_check_provides_network, domain_check_reset_provides_network,
		"Whether other qubes may use this one for their network." },
	[PROPERTY_QID]                  = { "qid",               INT,  ALL,              ADMIN, ONCE, PLAIN, domain_default_of_qid, NULL, NULL,
		"The number of the qube in the store." },
	[PROPERTY_QREXEC_TIMEOUT]       = { "qrexec_timeout",    INT,  LOCAL,            0,     PURE,    PLAIN, domain_default_of_qrexec_timeout, domain_check_timeout, NULL,
		"Seconds that a started qube has to answer." },
	[PROPERTY_REMOTE_NAME]          = { "remote_name",       STR,  REMOTE,           0,     0,    PLAIN, domain_default_empty, NULL, NULL,
		"What the qube is called on the machine it lives on." },
	[PROPERTY_SHUTDOWN_TIMEOUT]     = { "shutdown_timeout",  INT,  LOCAL,            0,     PURE,    PLAIN, domain_default_of_shutdown_timeout, domain_check_timeout, NULL,
		"Seconds that a qube has to shut down." },
	[PROPERTY_START_TIME]           = { "start_time",        STR,  LOCAL,            LOCAL, OWN,  PLAIN, domain_default_of_start_time, NULL, NULL,
		"When the qube was started, in seconds since 1970; empty when it is off." },
	[PROPERTY_STUBDOM_MEM]          = { "stubdom_mem",       INT,  LOCAL,            0,     PURE,    PLAIN, NULL, domain_check_memory, NULL,
		"Memory of the domain that emulates devices for this one, in MiB." },
	[PROPERTY_STUBDOM_UUID]         = { "stubdom_uuid",      STR,  LOCAL,            LOCAL, OWN,  PLAIN, domain_default_empty, NULL, NULL,
		"UUID of the domain that emulates devices for this one." },
	[PROPERTY_STUBDOM_XID]          = { "stubdom_xid",       INT,  LOCAL,            LOCAL, OWN,  PLAIN, domain_default_minus_one, NULL, NULL,
		"Number of the domain that emulates devices for this one; -1 when there is none." },
	[PROPERTY_TEMPLATE_FOR_DISPVMS] = { "template_for_dispvms", BOOL, APP | STANDALONE, 0,  OWN,  PLAIN, domain_default_false, domain_check_template_for_dispvms, domain_check_reset_template_for_dispvms,
		"Whether disposables may be made from this qube." },
	[PROPERTY_TRANSPORT_RPC]        = { "transport_rpc",     STR,  REMOTE,           0,     0,    PLAIN, domain_default_empty, NULL, NULL,
		"The service of the relay that carries calls to this qube." },
	[PROPERTY_UPDATEABLE]           = { "updateable",        BOOL, ADMIN | LOCAL,    ADMIN | LOCAL, OWN, PLAIN, domain_default_of_updateable, NULL, NULL,
		"Whether programs installed in the qube stay." },
	[PROPERTY_UUID]                 = { "uuid",              STR,  ALL,              ADMIN, ONCE, PLAIN, domain_default_of_uuid, NULL, NULL,
		"The UUID of the qube." },
	[PROPERTY_VCPUS]                = { "vcpus",             INT,  LOCAL,            0,     PURE,    PLAIN, domain_default_of_vcpus, domain_check_vcpus, NULL,
		"How many processors the qube has." },
	[PROPERTY_VIRT_MODE]            = { "virt_mode",         STR,  LOCAL,            0,     PURE,    PLAIN, domain_default_of_virt_mode, domain_check_virt_mode, NULL,
		"How the qube is virtualized: hvm, pv or pvh." },
	[PROPERTY_VISIBLE_GATEWAY]      = { "visible_gateway",   STR,  LOCAL,            LOCAL, OWN,  PLAIN, domain_default_of_visible_gateway, NULL, NULL,
		"The gateway as the qube is told." },
	[PROPERTY_VISIBLE_GATEWAY6]     = { "visible_gateway6",  STR,  LOCAL,            LOCAL, OWN,  PLAIN, domain_default_of_visible_gateway6, NULL, NULL,
		"The IPv6 gateway as the qube is told." },
	[PROPERTY_VISIBLE_IP]           = { "visible_ip",        STR,  LOCAL,            LOCAL, OWN,  PLAIN, domain_default_of_visible_ip, NULL, NULL,
		"The IPv4 address as the qube is told." },
	[PROPERTY_VISIBLE_IP6]          = { "visible_ip6",       STR,  LOCAL,            LOCAL, OWN,  PLAIN, domain_default_of_visible_ip6, NULL, NULL,
		"The IPv6 address as the qube is told." },
	[PROPERTY_VISIBLE_NETMASK]      = { "visible_netmask",   STR,  LOCAL,            LOCAL, OWN,  PLAIN, domain_default_of_visible_netmask, NULL, NULL,
		"The netmask as the qube is told." },
	[PROPERTY_XID]                  = { "xid",               INT,  LOCAL,            LOCAL, OWN,  PLAIN, domain_default_of_xid, NULL, NULL,
		"The number of the running domain; -1 when it is off." },
	[PROPERTY_APPVM_DEFAULT_BOOTMODE] = { "appvm_default_bootmode", STR, TEMPLATE,   0,     PURE,    LATE,  domain_default_of_appvm_bootmode, domain_check_bootmode, NULL,
		"The boot mode of qubes based on this template." },
	[PROPERTY_AUDIOVM]              = { "audiovm",           VM,   LOCAL,            0,     0,    LATE,  domain_default_of_audiovm, NULL, NULL,
		"The qube that plays the sound of this one." },
	[PROPERTY_BOOTMODE]             = { "bootmode",          STR,  LOCAL,            0,     PURE,    LATE,  domain_default_of_bootmode, domain_check_bootmode, NULL,
		"The boot mode of this qube." },
	[PROPERTY_DEFAULT_DISPVM]       = { "default_dispvm",    VM,   ADMIN | LOCAL,    0,     OWN,  LATE,  domain_default_of_dispvm, domain_check_dispvm, NULL,
		"What disposables that this qube asks for are made from." },
	[PROPERTY_GUIVM]                = { "guivm",             VM,   LOCAL,            0,     0,    LATE,  domain_default_of_guivm, domain_check_guivm, NULL,
		"The qube that shows the windows of this one." },
	[PROPERTY_KERNELOPTS]           = { "kernelopts",        STR,  LOCAL,            0,     PURE,    LATE,  domain_default_of_kernelopts, domain_check_kernelopts, NULL,
		"Options on the kernel's command line." },
	[PROPERTY_MANAGEMENT_DISPVM]    = { "management_dispvm", VM,   LOCAL,            0,     0,    LATE,  domain_default_of_management_dispvm, domain_check_dispvm, NULL,
		"What the disposables that manage this qube are made from." },
	[PROPERTY_NETVM]                = { "netvm",             VM,   LOCAL,            0,     0,    LATE,  domain_default_of_netvm, domain_check_netvm, NULL,
		"The qube that connects this one to the network." },
	[PROPERTY_RELAYVM]              = { "relayvm",           VM,   REMOTE,           0,     0,    LATE,  domain_default_none, domain_check_relayvm, NULL,
		"The qube that carries calls to this one." },
	[PROPERTY_TEMPLATE]             = { "template",          VM,   APP | DISP,       0,     OWN,  LATE,  NULL, domain_check_template, domain_check_reset_template,
		"The qube that this one takes its programs from." },
};
/* clang-format on */
