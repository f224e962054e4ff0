/*
 * qubes_app - everything qubesd keeps: all domains, labels, pools and the global properties.
 *
 * Shape:  domains by name, UUID and qid, dom0 first and the others in byte order of their names;
 *         labels by name and index; pools in order of creation; global property values.
 * Rules:  exactly one dom0; names, UUIDs and qids are unique; a domain that others refer to is not
 *         removed, so a reference never dangles.
 * Saving: every change notes how to take it back and marks the app dirty; the store (store.h)
 *         writes soon after, and takes everything back that could not be written.
 * Source: docs/qubesd.md.
 */
#ifndef QUBESD_QUBES_APP_H
#define QUBESD_QUBES_APP_H

#include "qubesd/admin_error.h"
#include "qubesd/domain.h"
#include "qubesd/event.h"
#include "qubesd/journal.h"
#include "qubesd/label.h"
#include "qubesd/pool.h"
#include "qubesd/property.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct qubes_app;
struct lifecycle;

/* Labels and property tables, but no dom0 and no pools yet: for the store's reader. */
struct qubes_app *qubes_app_new(void);
/* A fresh one: dom0 with label black, the built-in labels, the pools of a new store. */
struct qubes_app *qubes_app_new_fresh(void);
void qubes_app_free(struct qubes_app *app);

/* Power states and domain ids come from it; borrowed. NULL (the default): offline, all halted. */
void qubes_app_set_lifecycle(struct qubes_app *app, struct lifecycle *lifecycle);
struct lifecycle *qubes_app_lifecycle(const struct qubes_app *app);
struct event_bus *qubes_app_event_bus(const struct qubes_app *app);
struct kernels *qubes_app_kernels(const struct qubes_app *app);
struct storage *qubes_app_storage(struct qubes_app *app); /* storage/storage.h */

/* Look-ups; results are borrowed, NULL when there is none. */
struct domain *qubes_app_dom0(const struct qubes_app *app);
struct domain *qubes_app_find(const struct qubes_app *app, const char *name);
struct domain *qubes_app_find_uuid(const struct qubes_app *app, const char *uuid);
struct domain *qubes_app_find_qid(const struct qubes_app *app, uint32_t qid);
/* struct domain *, dom0 first, then by name. Borrowed; changes with every add and remove. */
const GPtrArray *qubes_app_domains(const struct qubes_app *app);
/* The same with a reference each, for callers that fire events on the way. g_ptr_array_unref(). */
GPtrArray *qubes_app_snapshot(const struct qubes_app *app);

/* Global properties: like domain_string() and its friends. */
char *qubes_app_string(const struct qubes_app *app, enum global_property_id id);
int64_t qubes_app_int(const struct qubes_app *app, enum global_property_id id);
bool qubes_app_bool(const struct qubes_app *app, enum global_property_id id);
struct domain *qubes_app_reference(const struct qubes_app *app, enum global_property_id id);

static inline struct property_owner
qubes_app_owner(struct qubes_app *app)
{
	return (struct property_owner){app, NULL};
}
struct property_value **qubes_app_value_slot(struct qubes_app *app, size_t index);

/*
 * Whether memory is balanced between qubes (a memory manager is at work): the default of maxmem is
 * then more than memory. Off at the start.
 */
void qubes_app_set_balancing(struct qubes_app *app, bool on);
bool qubes_app_balancing(const struct qubes_app *app);

/* Labels. add and remove journal; the label given to add becomes the app's. */
const struct label *qubes_app_label(const struct qubes_app *app, const char *name);
const struct label *qubes_app_label_by_index(const struct qubes_app *app, unsigned index);
const GPtrArray *qubes_app_labels(const struct qubes_app *app); /* struct label *, by index */
void qubes_app_add_label(struct qubes_app *app, struct label *label);
void qubes_app_load_label(struct qubes_app *app, struct label *label); /* replaces its index */
void qubes_app_remove_label(struct qubes_app *app, const struct label *label);

const GPtrArray *qubes_app_pools(const struct qubes_app *app); /* struct pool *, oldest first */
const struct pool *qubes_app_pool(const struct qubes_app *app, const char *name);
void qubes_app_add_pool(struct qubes_app *app, struct pool *pool); /* becomes the app's */
/* With journal and events: for the Admin API. The pool becomes the app's, or is freed when it can. */
void qubes_app_new_pool(struct qubes_app *app, struct pool *pool);
void qubes_app_remove_pool(struct qubes_app *app, const struct pool *pool);
void qubes_app_set_pool(
    struct qubes_app *app, const struct pool *pool, const char *key, const char *value);

/*
 * What a new qube is made of. uuid, qid and dispid are chosen. template may be NULL: the class's
 * default. Returns the domain (borrowed), or NULL with *error filled and nothing changed. Fires
 * domain-add, the creator's tags, domain-create-on-disk.
 */
struct qubes_app_new_domain {
	enum domain_class klass;
	const char *name;          /* NULL for a disposable: "disp" and its number */
	const struct label *label; /* NULL for a disposable: the template's */
	struct domain *template;
	struct domain *creator; /* NULL: no tags */
	bool auto_cleanup;      /* DispVM only */
};
struct domain *qubes_app_create_domain(
    struct qubes_app *app, const struct qubes_app_new_domain *spec, struct admin_error *error);

/*
 * Removes a halted domain that nobody refers to, with its files (after the store has been
 * written). Fires domain-pre-delete, domain-remove-from-disk, domain-delete. Also for a disposable
 * with auto_cleanup after its stop: the caller keeps a reference if it goes on using the pointer.
 * False: refused, *error filled, nothing changed.
 */
bool qubes_app_remove_domain(
    struct qubes_app *app, struct domain *domain, struct admin_error *error);

/* Adds a complete domain without events: the store's reader. Takes over the reference. */
void qubes_app_insert_domain(struct qubes_app *app, struct domain *domain);
/* The opposite; for qubes_app_create.c, like the next two. Drops the app's reference. */
void qubes_app_take_out_domain(struct qubes_app *app, struct domain *domain);
/* The lowest free qid; a random dispid that was not given out lately. 0: there is none. */
uint32_t qubes_app_pick_qid(const struct qubes_app *app);
uint32_t qubes_app_pick_dispid(struct qubes_app *app);

/*
 * For the store: what this version does not understand, kept verbatim (char *, owned), per place.
 * ATTRIBUTES (of the root) and PROPERTIES hold pairs: name and value, name and whole element; the
 * others whole elements.
 */
enum app_raw {
	APP_RAW_ATTRIBUTES,
	APP_RAW_LABELS,
	APP_RAW_POOLS,
	APP_RAW_PROPERTIES,
	APP_RAW_DOMAINS,
	APP_RAW_ELEMENTS,
	APP_RAW_COUNT,
};
GPtrArray *qubes_app_raw(struct qubes_app *app, enum app_raw place);

/*
 * Notes how to take a change back, and marks the app dirty. While changes are taken back nothing is
 * noted: drop() is called at once.
 */
void qubes_app_journal(struct qubes_app *app, journal_undo undo, journal_drop drop, void *data);
bool qubes_app_is_undoing(const struct qubes_app *app);

/* For the store. take: the changes so far become the caller's, and the app is clean. */
bool qubes_app_is_dirty(const struct qubes_app *app);
struct journal *qubes_app_take_journal(struct qubes_app *app);
/* Takes back whatever the app has noted since, then the journal (NULL: none). Frees it. */
void qubes_app_undo(struct qubes_app *app, struct journal *journal);
/* Called at the first change after take. */
void qubes_app_set_on_dirty(struct qubes_app *app, void (*on_dirty)(void *data), void *data);

#endif
