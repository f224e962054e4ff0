/*
 * domain - one qube as the store knows it: class, properties, features, tags, notes.
 *
 * Shape:  property values that differ from their default (property.h says what the defaults are),
 *         features (name and text, in order of insertion), tags (a set), and whatever elements of
 *         qubes.xml this version does not understand, kept verbatim.
 * State:  a domain belongs to its app from qubes_app_add_domain() to qubes_app_remove_domain();
 *         whoever keeps a pointer across turns of the main loop holds a reference, and asks
 *         domain_is_removed() when it comes back to it. A *broken* domain has an entry in the store
 *         that cannot be used: it is listed with state NA, cannot start, and can be removed.
 * Events: the setters below fire the events of docs/admin-api.md and mark the store dirty.
 * Source: docs/qubesd.md.
 */
#ifndef QUBESD_DOMAIN_H
#define QUBESD_DOMAIN_H

#include "qubesd/admin_error.h"
#include "qubesd/property.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct qubes_app;
struct domain;
struct volume;

enum domain_class {
	DOMAIN_ADMIN,
	DOMAIN_APP,
	DOMAIN_TEMPLATE,
	DOMAIN_STANDALONE,
	DOMAIN_DISP,
	DOMAIN_REMOTE,
	DOMAIN_UNKNOWN, /* broken: the store names a class we do not have */
};
#define DOMAIN_CLASS_COUNT DOMAIN_UNKNOWN

#define DOMAIN_QID_MAX 9999
#define DOMAIN_DISPID_MAX 9999

const char *domain_class_name(enum domain_class klass);     /* "AppVM", ...; a literal */
enum domain_class domain_class_from_name(const char *name); /* DOMAIN_UNKNOWN when it is none */

/* A domain outside any app, with no values yet: for qubes_app_create_domain() and the store. */
struct domain *domain_new(struct qubes_app *app, enum domain_class klass);
struct domain *domain_ref(struct domain *domain);
void domain_unref(struct domain *domain); /* NULL is fine */

/* Who it is. The strings are borrowed and never change. */
struct qubes_app *domain_app(const struct domain *domain);
enum domain_class domain_class(const struct domain *domain);
const char *domain_klass(const struct domain *domain); /* as text, also of an unknown class */
const char *domain_name(const struct domain *domain);
const char *domain_uuid(const struct domain *domain);
uint32_t domain_qid(const struct domain *domain);
bool domain_is_dom0(const struct domain *domain);
bool domain_is_removed(const struct domain *domain);
bool domain_is_broken(const struct domain *domain);

/*
 * Property values, explicit or default; property ids are those of property.h. A property that the
 * class does not have reads as none. domain_string() is a new string for g_free(), "" for none,
 * and works for every type; domain_int() gives -1 for none.
 */
char *domain_string(const struct domain *domain, enum property_id id);
int64_t domain_int(const struct domain *domain, enum property_id id);
bool domain_bool(const struct domain *domain, enum property_id id);
struct domain *domain_reference(const struct domain *domain, enum property_id id); /* borrowed */

struct domain *domain_template(const struct domain *domain); /* borrowed; NULL: it has none */
struct domain *domain_netvm(const struct domain *domain);
const struct label *domain_label(const struct domain *domain); /* label.h; NULL when broken */

static inline struct property_owner
domain_owner(struct domain *domain)
{
	return (struct property_owner){domain_app(domain), domain};
}
/* Where the explicit value lies, NULL in it for the default: for property.c alone. */
struct property_value **domain_value_slot(const struct domain *domain, size_t index);

/* Power, as the lifecycle knows it; without a lifecycle (offline) every qube is halted. */
const char *domain_power_state(const struct domain *domain); /* dom0, RemoteVM: "Running" */
bool domain_is_halted(const struct domain *domain);
int64_t domain_xid(const struct domain *domain); /* -1; dom0: 0 */
/* When it was started, in microseconds since the epoch; 0 = off. Set by the lifecycle. */
void domain_set_start_time(struct domain *domain, gint64 start_time_us);
gint64 domain_start_time(const struct domain *domain);

/*
 * Features. Values are borrowed until the next change; NULL when absent everywhere. An empty value
 * means false. The chains: the domain itself, its template, its template's template; then dom0.
 */
enum feature_chain {
	FEATURE_OWN,
	FEATURE_TEMPLATE,
	FEATURE_NETVM, /* the domain, its netvm, its netvm's netvm, ... */
	FEATURE_ADMIN, /* the domain, dom0 */
	FEATURE_TEMPLATE_ADMIN,
};
const char *domain_feature(const struct domain *domain, enum feature_chain chain, const char *name);
bool domain_feature_true(const struct domain *domain, enum feature_chain chain, const char *name);

typedef void (*domain_pair_func)(const char *name, const char *value, void *data);
void domain_each_feature(const struct domain *domain, domain_pair_func func, void *data);
size_t domain_feature_count(const struct domain *domain);
void domain_feature_set(struct domain *domain, const char *name, const char *value);
bool domain_feature_remove(struct domain *domain, const char *name); /* false: was not there */
/* Without events and journal: the store's reader and the making of domains. */
void domain_feature_load(struct domain *domain, const char *name, const char *value);
bool domain_tag_load(struct domain *domain, const char *tag); /* false: was there already */

/* Tags. The array is sorted, NULL-terminated, for g_strfreev(). */
bool domain_has_tag(const struct domain *domain, const char *tag);
char **domain_tags(const struct domain *domain);
guint domain_tag_count(const struct domain *domain);
bool domain_tag_add(struct domain *domain, const char *tag);    /* false: was there already */
bool domain_tag_remove(struct domain *domain, const char *tag); /* false: was not there */

/*
 * Its folder below the state folder: "appvms/NAME", or "vm-templates/NAME" for templates; and in it
 * "private", which becomes /home and /rw of a sandbox. New strings.
 */
char *domain_dir(const struct domain *domain);
char *domain_private_dir(const struct domain *domain);

/*
 * Its volumes (struct volume *, storage/volume.h), in the order of its disks; borrowed until the next
 * change. Planned ones are among them; domain_volume() finds only those that exist, else NULL.
 * domain_set_volumes() takes the array over, journals, and fires nothing.
 */
const GPtrArray *domain_volumes(const struct domain *domain);
const struct volume *domain_volume(const struct domain *domain, const char *name);
GPtrArray *domain_volumes_copy(const struct domain *domain);
void domain_set_volumes(struct domain *domain, GPtrArray *volumes);
void domain_volume_load(struct domain *domain, struct volume *volume); /* the store's reader */

/*
 * For the store: what this version does not understand, kept verbatim (char *, owned), per place.
 * ATTRIBUTES and PROPERTIES hold pairs: name and value, name and whole element; the others whole
 * elements. domain_set_broken() takes the whole text of an entry that cannot be used.
 * domain_text() is the entry as last written, NULL when a change has made it stale.
 */
enum domain_raw {
	DOMAIN_RAW_ATTRIBUTES,
	DOMAIN_RAW_PROPERTIES,
	DOMAIN_RAW_FEATURES,
	DOMAIN_RAW_TAGS,
	DOMAIN_RAW_VOLUMES,
	DOMAIN_RAW_ELEMENTS,
	DOMAIN_RAW_COUNT,
};
GPtrArray *domain_raw(struct domain *domain, enum domain_raw place);
void domain_set_broken(struct domain *domain, const char *klass, const char *xml);
const char *domain_broken_xml(const struct domain *domain);
GBytes *domain_text(const struct domain *domain);
void domain_set_text(struct domain *domain, GBytes *text); /* takes over; NULL: stale */

/* For qubes_app.c: it has left its app. */
void domain_mark_removed(struct domain *domain, bool removed);

#endif
