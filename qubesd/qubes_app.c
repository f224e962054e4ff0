#include "qubesd/qubes_app.h"

#include "qubesd/kernels.h"
#include "qubesd/storage/storage.h"
#include "shared/paths.h"
#include "shared/text.h"

#include <assert.h>
#include <string.h>

#define DISPID_RECENT 1000 /* numbers that are not given out again soon */

struct qubes_app {
	struct lifecycle *lifecycle; /* borrowed from main */
	struct event_bus *bus;
	struct kernels *kernels;
	struct storage *storage; /* NULL before it is asked for */
	bool balancing;
	GPtrArray *domains;                     /* a reference each; dom0 first, then by name */
	GHashTable *by_name, *by_uuid, *by_qid; /* struct domain *, borrowed; so are the keys */
	GPtrArray *labels;                      /* struct label *, by index */
	GPtrArray *pools;                       /* struct pool *, oldest first */
	struct property_value *values[GLOBAL_PROPERTY_COUNT]; /* owned; NULL: the default */
	GPtrArray *raw[APP_RAW_COUNT];                        /* char * */
	uint16_t recent_dispids[DISPID_RECENT];
	unsigned next_recent;
	struct journal *journal; /* changes since the store took the last one */
	bool undoing;
	void (*on_dirty)(void *data);
	void *on_dirty_data; /* borrowed from the store */
};

/* --- life ----------------------------------------------------------------------------------- */

static void
free_label(void *label)
{
	label_free(label);
}

static void
free_pool(void *pool)
{
	pool_free(pool);
}

static void
free_domain(void *domain)
{
	domain_unref(domain);
}

struct qubes_app *
qubes_app_new(void)
{
	struct qubes_app *app = g_new0(struct qubes_app, 1);

	app->bus = event_bus_new();
	app->kernels = kernels_new();
	app->domains = g_ptr_array_new_with_free_func(free_domain);
	app->by_name = g_hash_table_new(g_str_hash, g_str_equal);
	app->by_uuid = g_hash_table_new(g_str_hash, g_str_equal);
	app->by_qid = g_hash_table_new(NULL, NULL);
	app->labels = g_ptr_array_new_with_free_func(free_label);
	app->pools = g_ptr_array_new_with_free_func(free_pool);
	for (size_t i = 0; i < APP_RAW_COUNT; i++)
		app->raw[i] = g_ptr_array_new_with_free_func(g_free);
	app->journal = journal_new();
	for (size_t i = 0; i < LABEL_BUILTIN_COUNT; i++) {
		const struct label *label = &label_builtins[i];

		g_ptr_array_add(app->labels, label_new(label->index, label->name, label->colour));
	}
	return app;
}

static void
add_fresh_pools(struct qubes_app *app)
{
	struct property_owner owner = qubes_app_owner(app);
	struct property_value kernel_pool = {.text = g_strdup("linux-kernel")};
	g_autofree char *dir = path_in_state_dir("");
	g_autofree char *kernel_dir = path_in_state_dir("vm-kernels");
	struct pool *files = pool_new("varlibqubes", pool_file_driver(dir));
	struct pool *kernels = pool_new("linux-kernel", "linux-kernel");

	pool_set(files, "dir_path", dir);
	pool_set(files, "revisions_to_keep", "1");
	pool_set(kernels, "dir_path", kernel_dir);
	qubes_app_add_pool(app, files);
	qubes_app_add_pool(app, kernels);
	property_assign(&owner, &property_global_table[GLOBAL_DEFAULT_POOL_KERNEL], &kernel_pool);
}

struct qubes_app *
qubes_app_new_fresh(void)
{
	struct qubes_app *app = qubes_app_new();
	struct domain *dom0 = domain_new(app, DOMAIN_ADMIN);
	struct property_owner owner = domain_owner(dom0);
	struct property_value black = {.label = qubes_app_label(app, "black")};

	property_assign(&owner, &property_domain_table[PROPERTY_LABEL], &black);
	qubes_app_insert_domain(app, dom0);
	add_fresh_pools(app);
	return app;
}

void
qubes_app_free(struct qubes_app *app)
{
	if (app == NULL)
		return;
	storage_free(app->storage);
	journal_free(app->journal);
	for (size_t i = 0; i < GLOBAL_PROPERTY_COUNT; i++) {
		if (app->values[i] != NULL)
			property_value_clear(app->values[i]);
		g_free(app->values[i]);
	}
	g_hash_table_unref(app->by_qid);
	g_hash_table_unref(app->by_uuid);
	g_hash_table_unref(app->by_name);
	g_ptr_array_unref(app->domains);
	for (size_t i = 0; i < APP_RAW_COUNT; i++)
		g_ptr_array_unref(app->raw[i]);
	g_ptr_array_unref(app->pools);
	g_ptr_array_unref(app->labels);
	kernels_free(app->kernels);
	event_bus_free(app->bus);
	g_free(app);
}

/* --- small accessors ------------------------------------------------------------------------ */

void
qubes_app_set_lifecycle(struct qubes_app *app, struct lifecycle *lifecycle)
{
	app->lifecycle = lifecycle;
}

struct lifecycle *
qubes_app_lifecycle(const struct qubes_app *app)
{
	return app->lifecycle;
}

struct event_bus *
qubes_app_event_bus(const struct qubes_app *app)
{
	return app->bus;
}

struct kernels *
qubes_app_kernels(const struct qubes_app *app)
{
	return app->kernels;
}

/* It has threads, which a tool that only reads the store does not need. */
struct storage *
qubes_app_storage(struct qubes_app *app)
{
	if (app->storage == NULL)
		app->storage = storage_new();
	return app->storage;
}

void
qubes_app_set_balancing(struct qubes_app *app, bool on)
{
	app->balancing = on;
}

bool
qubes_app_balancing(const struct qubes_app *app)
{
	return app->balancing;
}

GPtrArray *
qubes_app_raw(struct qubes_app *app, enum app_raw place)
{
	return app->raw[place];
}

/* --- global properties ---------------------------------------------------------------------- */

struct property_value **
qubes_app_value_slot(struct qubes_app *app, size_t index)
{
	assert(index < GLOBAL_PROPERTY_COUNT);
	return &app->values[index];
}

static bool
read_value(const struct qubes_app *app, enum global_property_id id, struct property_value *ret)
{
	struct property_owner owner = qubes_app_owner((struct qubes_app *)app);

	return property_get(&owner, &property_global_table[id], ret);
}

char *
qubes_app_string(const struct qubes_app *app, enum global_property_id id)
{
	struct property_value value;
	char *text;

	read_value(app, id, &value);
	text = property_value_text(&property_global_table[id], &value);
	property_value_clear(&value);
	return text;
}

int64_t
qubes_app_int(const struct qubes_app *app, enum global_property_id id)
{
	struct property_value value;

	assert(property_global_table[id].type == PROPERTY_TYPE_INT);
	return read_value(app, id, &value) ? value.number : -1;
}

bool
qubes_app_bool(const struct qubes_app *app, enum global_property_id id)
{
	struct property_value value;

	assert(property_global_table[id].type == PROPERTY_TYPE_BOOL);
	return read_value(app, id, &value) && value.number != 0;
}

struct domain *
qubes_app_reference(const struct qubes_app *app, enum global_property_id id)
{
	struct property_value value;

	assert(property_global_table[id].type == PROPERTY_TYPE_DOMAIN);
	return read_value(app, id, &value) ? value.domain : NULL;
}

/* --- domains: finding ----------------------------------------------------------------------- */

struct domain *
qubes_app_dom0(const struct qubes_app *app)
{
	return app->domains->len > 0 && domain_is_dom0(app->domains->pdata[0])
		   ? app->domains->pdata[0]
		   : NULL;
}

struct domain *
qubes_app_find(const struct qubes_app *app, const char *name)
{
	return g_hash_table_lookup(app->by_name, name);
}

struct domain *
qubes_app_find_uuid(const struct qubes_app *app, const char *uuid)
{
	return g_hash_table_lookup(app->by_uuid, uuid);
}

struct domain *
qubes_app_find_qid(const struct qubes_app *app, uint32_t qid)
{
	return g_hash_table_lookup(app->by_qid, GUINT_TO_POINTER(qid));
}

const GPtrArray *
qubes_app_domains(const struct qubes_app *app)
{
	return app->domains;
}

GPtrArray *
qubes_app_snapshot(const struct qubes_app *app)
{
	GPtrArray *snapshot = g_ptr_array_new_full(app->domains->len, free_domain);

	for (guint i = 0; i < app->domains->len; i++)
		g_ptr_array_add(snapshot, domain_ref(app->domains->pdata[i]));
	return snapshot;
}

/* --- domains: coming and going -------------------------------------------------------------- */

static bool
stands_before(const struct domain *a, const struct domain *b)
{
	if (domain_is_dom0(a) != domain_is_dom0(b))
		return domain_is_dom0(a);
	return strcmp(domain_name(a), domain_name(b)) < 0;
}

void
qubes_app_insert_domain(struct qubes_app *app, struct domain *domain)
{
	guint low = 0, high = app->domains->len;

	while (low < high) {
		guint middle = (low + high) / 2;

		if (stands_before(app->domains->pdata[middle], domain))
			low = middle + 1;
		else
			high = middle;
	}
	domain_mark_removed(domain, false);
	g_ptr_array_insert(app->domains, (int)low, domain);
	g_hash_table_insert(app->by_name, (char *)domain_name(domain), domain);
	g_hash_table_insert(app->by_uuid, (char *)domain_uuid(domain), domain);
	g_hash_table_insert(app->by_qid, GUINT_TO_POINTER(domain_qid(domain)), domain);
}

void
qubes_app_take_out_domain(struct qubes_app *app, struct domain *domain)
{
	g_hash_table_remove(app->by_qid, GUINT_TO_POINTER(domain_qid(domain)));
	g_hash_table_remove(app->by_uuid, domain_uuid(domain));
	g_hash_table_remove(app->by_name, domain_name(domain));
	domain_mark_removed(domain, true);
	g_ptr_array_remove(app->domains, domain);
}

uint32_t
qubes_app_pick_qid(const struct qubes_app *app)
{
	for (uint32_t qid = 1; qid <= DOMAIN_QID_MAX; qid++) {
		if (qubes_app_find_qid(app, qid) == NULL)
			return qid;
	}
	return 0;
}

static bool
dispid_is_taken(const struct qubes_app *app, unsigned dispid)
{
	g_autofree char *name = g_strdup_printf("disp%u", dispid);

	for (unsigned i = 0; i < DISPID_RECENT; i++) {
		if (app->recent_dispids[i] == dispid)
			return true;
	}
	for (guint i = 0; i < app->domains->len; i++) {
		const struct domain *domain = app->domains->pdata[i];

		if (domain_class(domain) == DOMAIN_DISP &&
		    domain_int(domain, PROPERTY_DISPID) == dispid)
			return true;
	}
	return qubes_app_find(app, name) != NULL;
}

/* Random, so that a right or a memory that sticks to a name does not meet the next one. */
uint32_t
qubes_app_pick_dispid(struct qubes_app *app)
{
	unsigned start = (unsigned)g_random_int_range(1, DOMAIN_DISPID_MAX + 1);

	for (unsigned i = 0; i < DOMAIN_DISPID_MAX; i++) {
		unsigned dispid = (start + i * 7u) % DOMAIN_DISPID_MAX + 1;

		if (dispid_is_taken(app, dispid))
			continue;
		app->recent_dispids[app->next_recent] = (uint16_t)dispid;
		app->next_recent = (app->next_recent + 1) % DISPID_RECENT;
		return dispid;
	}
	return 0;
}

/* --- labels --------------------------------------------------------------------------------- */

const struct label *
qubes_app_label(const struct qubes_app *app, const char *name)
{
	for (guint i = 0; i < app->labels->len; i++) {
		const struct label *label = app->labels->pdata[i];

		if (strcmp(label->name, name) == 0)
			return label;
	}
	return NULL;
}

const struct label *
qubes_app_label_by_index(const struct qubes_app *app, unsigned index)
{
	for (guint i = 0; i < app->labels->len; i++) {
		const struct label *label = app->labels->pdata[i];

		if (label->index == index)
			return label;
	}
	return NULL;
}

const GPtrArray *
qubes_app_labels(const struct qubes_app *app)
{
	return app->labels;
}

/* The label is owned by the app while it is in, by the journal's entry while it is out. */
struct label_undo {
	struct qubes_app *app;
	struct label *label;
	bool out;
};

static void
put_in_label(struct qubes_app *app, struct label *label)
{
	guint position = 0;

	while (position < app->labels->len &&
	       ((struct label *)app->labels->pdata[position])->index < label->index)
		position++;
	g_ptr_array_insert(app->labels, (int)position, label);
}

static void
undo_label(void *data)
{
	struct label_undo *undo = data;
	guint index;

	if (undo->out)
		put_in_label(undo->app, undo->label);
	else if (g_ptr_array_find(undo->app->labels, undo->label, &index))
		g_ptr_array_steal_index(undo->app->labels, index);
	undo->out = !undo->out;
}

static void
drop_label(void *data, bool kept)
{
	struct label_undo *undo = data;

	(void)kept;
	if (undo->out)
		label_free(undo->label);
	g_free(undo);
}

static void
note_label(struct qubes_app *app, struct label *label, bool out)
{
	struct label_undo *undo = g_new0(struct label_undo, 1);

	*undo = (struct label_undo){app, label, out};
	qubes_app_journal(app, undo_label, drop_label, undo);
}

void
qubes_app_load_label(struct qubes_app *app, struct label *label)
{
	const struct label *old = qubes_app_label_by_index(app, label->index);

	if (old != NULL)
		g_ptr_array_remove(app->labels, (struct label *)old);
	put_in_label(app, label);
}

void
qubes_app_add_label(struct qubes_app *app, struct label *label)
{
	put_in_label(app, label);
	note_label(app, label, false);
}

void
qubes_app_remove_label(struct qubes_app *app, const struct label *label)
{
	guint index;

	if (!g_ptr_array_find(app->labels, label, &index))
		return;
	note_label(app, g_ptr_array_steal_index(app->labels, index), true);
}

/* --- pools ---------------------------------------------------------------------------------- */

const GPtrArray *
qubes_app_pools(const struct qubes_app *app)
{
	return app->pools;
}

const struct pool *
qubes_app_pool(const struct qubes_app *app, const char *name)
{
	for (guint i = 0; i < app->pools->len; i++) {
		const struct pool *pool = app->pools->pdata[i];

		if (strcmp(pool->name, name) == 0)
			return pool;
	}
	return NULL;
}

void
qubes_app_add_pool(struct qubes_app *app, struct pool *pool)
{
	g_ptr_array_add(app->pools, pool);
}

/* The pool is owned by the app while it is in, by the journal's entry while it is out. */
struct pool_undo {
	struct qubes_app *app;
	struct pool *pool;
	bool out;
};

static void
undo_pool(void *data)
{
	struct pool_undo *undo = data;
	guint index;

	if (undo->out)
		g_ptr_array_add(undo->app->pools, undo->pool);
	else if (g_ptr_array_find(undo->app->pools, undo->pool, &index))
		g_ptr_array_steal_index(undo->app->pools, index);
	undo->out = !undo->out;
}

static void
drop_pool(void *data, bool kept)
{
	struct pool_undo *undo = data;

	(void)kept;
	if (undo->out)
		pool_free(undo->pool);
	g_free(undo);
}

static void
note_pool(struct qubes_app *app, struct pool *pool, bool out)
{
	struct pool_undo *undo = g_new0(struct pool_undo, 1);

	*undo = (struct pool_undo){app, pool, out};
	qubes_app_journal(app, undo_pool, drop_pool, undo);
}

void
qubes_app_new_pool(struct qubes_app *app, struct pool *pool)
{
	g_ptr_array_add(app->pools, pool);
	note_pool(app, pool, false);
	event_fire(app, NULL, "pool-add", "pool", pool->name, NULL);
}

void
qubes_app_remove_pool(struct qubes_app *app, const struct pool *pool)
{
	guint index;

	if (!g_ptr_array_find(app->pools, pool, &index))
		return;
	event_fire(app, NULL, "pool-pre-delete", "pool", pool->name, NULL);
	note_pool(app, g_ptr_array_steal_index(app->pools, index), true);
	event_fire(app, NULL, "pool-delete", "pool", pool->name, NULL);
}

/* A setting of a pool as it was. */
struct setting_undo {
	struct pool *pool; /* borrowed from the app: an entry before this one keeps it */
	char *key, *value; /* owned */
};

static void
undo_setting(void *data)
{
	struct setting_undo *undo = data;

	pool_set(undo->pool, undo->key, undo->value);
}

static void
drop_setting(void *data, bool kept)
{
	struct setting_undo *undo = data;

	(void)kept;
	g_free(undo->key);
	g_free(undo->value);
	g_free(undo);
}

void
qubes_app_set_pool(
    struct qubes_app *app, const struct pool *pool, const char *key, const char *value)
{
	const char *old = pool_get(pool, key);
	struct setting_undo *undo = g_new0(struct setting_undo, 1);

	undo->pool = (struct pool *)pool;
	undo->key = g_strdup(key);
	undo->value = g_strdup(old != NULL ? old : "0");
	pool_set((struct pool *)pool, key, value);
	qubes_app_journal(app, undo_setting, drop_setting, undo);
}

/* --- taking back ---------------------------------------------------------------------------- */

void
qubes_app_journal(struct qubes_app *app, journal_undo undo, journal_drop drop, void *data)
{
	bool first = journal_is_empty(app->journal);

	if (app->undoing) {
		drop(data, false);
		return;
	}
	journal_note(app->journal, undo, drop, data);
	if (first && app->on_dirty != NULL)
		app->on_dirty(app->on_dirty_data);
}

bool
qubes_app_is_undoing(const struct qubes_app *app)
{
	return app->undoing;
}

bool
qubes_app_is_dirty(const struct qubes_app *app)
{
	return !journal_is_empty(app->journal);
}

struct journal *
qubes_app_take_journal(struct qubes_app *app)
{
	struct journal *journal = app->journal;

	app->journal = journal_new();
	return journal;
}

void
qubes_app_undo(struct qubes_app *app, struct journal *journal)
{
	struct journal *newest = qubes_app_take_journal(app);

	app->undoing = true;
	journal_take_back(newest);
	if (journal != NULL)
		journal_take_back(journal);
	journal_free(newest);
	journal_free(journal);
	app->undoing = false;
}

void
qubes_app_set_on_dirty(struct qubes_app *app, void (*on_dirty)(void *data), void *data)
{
	app->on_dirty = on_dirty;
	app->on_dirty_data = data;
}
