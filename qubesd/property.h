/*
 * property - the table of properties, for domains and for the application, and its engine.
 *
 * A row says what a property is called, which classes have it, its type, where its value comes from
 * when nobody set one, and which values a client may set. The Admin API, the store and the help
 * texts all walk the same rows; their order is the order on the wire: load stage, then name.
 *
 * Values: a value equal to the default, when set, is stored; only explicit values are stored.
 *         Reading a default costs a few pointer look-ups and never a scan over all domains.
 * Source: docs/admin-api.md, "Properties".
 */
#ifndef QUBESD_PROPERTY_H
#define QUBESD_PROPERTY_H

#include "qubesd/admin_error.h"
#include "shared/untrusted.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct domain;
struct label;
struct qubes_app;

/* Properties of domains. */
enum property_id {
	PROPERTY_AUTO_CLEANUP,
	PROPERTY_AUTOSTART,
	PROPERTY_BACKUP_TIMESTAMP,
	PROPERTY_DEBUG,
	PROPERTY_DEFAULT_USER,
	PROPERTY_DEVICES_DENIED,
	PROPERTY_DISPID,
	PROPERTY_DNS,
	PROPERTY_GATEWAY,
	PROPERTY_GATEWAY6,
	PROPERTY_ICON,
	PROPERTY_INCLUDE_IN_BACKUPS,
	PROPERTY_INSTALLED_BY_RPM,
	PROPERTY_IP,
	PROPERTY_IP6,
	PROPERTY_IS_PRELOAD,
	PROPERTY_KERNEL,
	PROPERTY_KEYBOARD_LAYOUT,
	PROPERTY_KLASS,
	PROPERTY_LABEL,
	PROPERTY_MAC,
	PROPERTY_MAXMEM,
	PROPERTY_MEMORY,
	PROPERTY_NAME,
	PROPERTY_PROVIDES_NETWORK,
	PROPERTY_QID,
	PROPERTY_QREXEC_TIMEOUT,
	PROPERTY_REMOTE_NAME,
	PROPERTY_SHUTDOWN_TIMEOUT,
	PROPERTY_START_TIME,
	PROPERTY_STUBDOM_MEM,
	PROPERTY_STUBDOM_UUID,
	PROPERTY_STUBDOM_XID,
	PROPERTY_TEMPLATE_FOR_DISPVMS,
	PROPERTY_TRANSPORT_RPC,
	PROPERTY_UPDATEABLE,
	PROPERTY_UUID,
	PROPERTY_VCPUS,
	PROPERTY_VIRT_MODE,
	PROPERTY_VISIBLE_GATEWAY,
	PROPERTY_VISIBLE_GATEWAY6,
	PROPERTY_VISIBLE_IP,
	PROPERTY_VISIBLE_IP6,
	PROPERTY_VISIBLE_NETMASK,
	PROPERTY_XID,
	/* load stage 4: they refer to other domains */
	PROPERTY_APPVM_DEFAULT_BOOTMODE,
	PROPERTY_AUDIOVM,
	PROPERTY_BOOTMODE,
	PROPERTY_DEFAULT_DISPVM,
	PROPERTY_GUIVM,
	PROPERTY_KERNELOPTS,
	PROPERTY_MANAGEMENT_DISPVM,
	PROPERTY_NETVM,
	PROPERTY_RELAYVM,
	PROPERTY_TEMPLATE,
	PROPERTY_COUNT,
};

/* Properties of the application. */
enum global_property_id {
	GLOBAL_CHECK_UPDATES_VM,
	GLOBAL_CLOCKVM,
	GLOBAL_DEFAULT_AUDIOVM,
	GLOBAL_DEFAULT_DISPVM,
	GLOBAL_DEFAULT_GUIVM,
	GLOBAL_DEFAULT_KERNEL,
	GLOBAL_DEFAULT_NETVM,
	GLOBAL_DEFAULT_POOL,
	GLOBAL_DEFAULT_POOL_KERNEL,
	GLOBAL_DEFAULT_POOL_PRIVATE,
	GLOBAL_DEFAULT_POOL_ROOT,
	GLOBAL_DEFAULT_POOL_VOLATILE,
	GLOBAL_DEFAULT_QREXEC_TIMEOUT,
	GLOBAL_DEFAULT_SHUTDOWN_TIMEOUT,
	GLOBAL_DEFAULT_TEMPLATE,
	GLOBAL_MANAGEMENT_DISPVM,
	GLOBAL_MAXMEM,
	GLOBAL_NO_CPUS,
	GLOBAL_STATS_INTERVAL,
	GLOBAL_UPDATEVM,
	GLOBAL_PROPERTY_COUNT,
};

enum property_type {
	PROPERTY_TYPE_STRING,
	PROPERTY_TYPE_INT,
	PROPERTY_TYPE_BOOL,
	PROPERTY_TYPE_DOMAIN,
	PROPERTY_TYPE_LABEL,
};
const char *property_type_name(enum property_type type); /* "str", "int", "bool", "vm", "label" */

/*
 * A value. none: a property without one, or a reference to no domain. Numbers and booleans are in
 * number, text in text (owned), references are borrowed.
 */
struct property_value {
	bool none;
	int64_t number;
	char *text;
	struct domain *domain;
	const struct label *label;
};
void property_value_clear(struct property_value *value);
struct property_value property_value_copy(const struct property_value *value);
bool property_value_equal(const struct property_value *a, const struct property_value *b);

/* What a property belongs to: domain is NULL for the application's. */
struct property_owner {
	struct qubes_app *app;
	struct domain *domain;
};

#define PROPERTY_FLAG_WRITE_ONCE 0x1 /* set when the domain is made, never again */
#define PROPERTY_FLAG_NOT_CLONED 0x2 /* a disposable does not take it over from its template */
#define PROPERTY_FLAG_IP4 0x4        /* type str: an address, or empty */
#define PROPERTY_FLAG_IP6 0x8
#define PROPERTY_FLAG_PURE 0x10 /* check looks at the value alone: the store's reader asks it too */

#define PROPERTY_STAGE_PLAIN 2
#define PROPERTY_STAGE_REFERENCES 4 /* read after every domain is there */

struct property {
	const char *name;
	enum property_type type;
	unsigned
	    classes; /* who has it: bits 1 << enum domain_class; unused for the application's */
	unsigned
	    readonly; /* for whom it is computed, so that no client may set it; the same bits */
	unsigned flags;
	int stage;
	/* Fills *ret (cleared before) and returns true; false: there is no default. */
	bool (*get_default)(const struct property_owner *owner, const struct property *property,
	    struct property_value *ret);
	/*
	 * May a client set this value? It may be normalised. NULL: every value of the type. A
	 * reference is there already, or none.
	 */
	bool (*check)(const struct property_owner *owner, const struct property *property,
	    struct property_value *value, struct admin_error *error);
	/* May a client go back to the default? NULL: yes. */
	bool (*check_reset)(const struct property_owner *owner, struct admin_error *error);
	const char *help; /* the first paragraph is a summary */
};

extern const struct property property_domain_table[PROPERTY_COUNT];
extern const struct property property_global_table[GLOBAL_PROPERTY_COUNT];

/* The rows of an owner, and how many there are; a domain's class may lack some of them. */
const struct property *property_table(const struct property_owner *owner, size_t *ret_count);
bool property_applies(const struct property_owner *owner, const struct property *property);
/* NULL when the owner has no property of that name. */
const struct property *property_find(const struct property_owner *owner, const char *name);
bool property_is_readonly(const struct property_owner *owner, const struct property *property);

/* Copies the value into *ret, to be cleared. False: neither a value nor a default (*ret is none).
 */
bool property_get(const struct property_owner *owner, const struct property *property,
    struct property_value *ret);
bool property_get_default(const struct property_owner *owner, const struct property *property,
    struct property_value *ret);
bool property_is_default(const struct property_owner *owner, const struct property *property);
/* The text of Get, events and the store: "" for none, "True", "400", a name. */
char *property_value_text(const struct property *property, const struct property_value *value);

/*
 * Bytes of a client into a value, by type alone: nothing that is named has to exist yet, except a
 * label. The domain's name, when type is vm, is in ret->text.
 */
bool property_decode(const struct property_owner *owner, const struct property *property,
    struct untrusted_bytes untrusted_text, struct property_value *ret, struct admin_error *error);
/* The same for text of the store: references must exist, and no error is told apart. */
bool property_parse(const struct property_owner *owner, const struct property *property,
    const char *text, struct property_value *ret);
/* Turns the name in value->text into a reference. False: no such domain. */
bool property_resolve(const struct property_owner *owner, struct property_value *value);

/*
 * A client's set: existence, the row's check, property-pre-set, the value, property-set, journal.
 * Takes over what value holds. False: *error filled, nothing changed.
 */
bool property_set(const struct property_owner *owner, const struct property *property,
    struct property_value *value, struct admin_error *error);
bool property_reset(
    const struct property_owner *owner, const struct property *property, struct admin_error *error);

/* No checks, no events, no journal: the store's reader and the making of domains. */
void property_assign(const struct property_owner *owner, const struct property *property,
    struct property_value *value);

/* The explicit value, borrowed; NULL when the default is in use. */
const struct property_value *property_explicit(
    const struct property_owner *owner, const struct property *property);
/* An explicit value taken away without checks, events or journal. */
void property_unassign(const struct property_owner *owner, const struct property *property);

/* Fires property-reset for a value that changed because something it is derived from did. */
void property_derived_reset(struct domain *domain, enum property_id id);

#endif
