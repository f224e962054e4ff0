#include "qubesd/qubes_app.h"

#include "qubesd/domain_files.h"
#include "qubesd/kernels.h"
#include "shared/paths.h"
#include "shared/text.h"

#include <assert.h>
#include <string.h>

#define DISPID_RECENT 1000 /* numbers that are not given out again soon */
#define IN_USE "QubesVMInUseError"

struct journal_entry {
	journal_undo undo;
	journal_drop drop;
	void *data;
};

struct journal {
	GArray *entries; /* struct journal_entry, oldest first */
};

struct qubes_app {
	struct lifecycle *lifecycle; /* borrowed from main */
	struct event_bus *bus;
	struct kernels *kernels;
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

static struct journal *
journal_new(void)
{
	struct journal *journal = g_new0(struct journal, 1);

	journal->entries = g_array_new(FALSE, FALSE, sizeof(struct journal_entry));
	return journal;
}

static void
journal_finish(struct journal *journal, bool kept)
{
	for (guint i = 0; i < journal->entries->len; i++) {
		struct journal_entry *entry =
		    &g_array_index(journal->entries, struct journal_entry, i);

		entry->drop(entry->data, kept);
	}
	g_array_unref(journal->entries);
	g_free(journal);
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
	journal_finish(app->journal, false);
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

static void
take_out_domain(struct qubes_app *app, struct domain *domain)
{
	g_hash_table_remove(app->by_qid, GUINT_TO_POINTER(domain_qid(domain)));
	g_hash_table_remove(app->by_uuid, domain_uuid(domain));
	g_hash_table_remove(app->by_name, domain_name(domain));
	domain_mark_removed(domain, true);
	g_ptr_array_remove(app->domains, domain);
}

/* The data of both journal entries below is the domain, with a reference of their own. */
static void
undo_create(void *data)
{
	struct domain *domain = data;

	take_out_domain(domain_app(domain), domain);
	event_fire_about(domain_app(domain), NULL, "domain-delete", domain);
}

static void
drop_create(void *data, bool kept)
{
	struct domain *domain = data;

	if (!kept && domain_is_removed(domain))
		domain_files_unmake(domain);
	domain_unref(domain);
}

static void
undo_remove(void *data)
{
	struct domain *domain = data;

	domain_files_bring_back(domain);
	qubes_app_insert_domain(domain_app(domain), domain_ref(domain));
	event_fire_about(domain_app(domain), NULL, "domain-add", domain);
}

static void
drop_remove(void *data, bool kept)
{
	struct domain *domain = data;

	if (kept)
		domain_files_delete(domain);
	domain_unref(domain);
}

static uint32_t
lowest_free_qid(const struct qubes_app *app)
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

/* Random, so that a right or a memory that sticks to a name does not meet the next one; 0: none
 * free. */
static unsigned
pick_dispid(struct qubes_app *app)
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

static void
assign_text(struct domain *domain, enum property_id id, char *text)
{
	struct property_owner owner = domain_owner(domain);
	struct property_value value = {.text = text};

	property_assign(&owner, &property_domain_table[id], &value);
}

static void
assign_number(struct domain *domain, enum property_id id, int64_t number)
{
	struct property_owner owner = domain_owner(domain);
	struct property_value value = {.number = number};

	property_assign(&owner, &property_domain_table[id], &value);
}

static void
load_feature(const char *name, const char *value, void *data)
{
	if (!g_str_has_prefix(name, "preload-dispvm"))
		domain_feature_load(data, name, value);
}

/* A disposable takes over what its template was given: values, features and tags. */
static void
clone_template(struct domain *domain, struct domain *template)
{
	struct property_owner from = domain_owner(template), to = domain_owner(domain);
	g_auto(GStrv) tags = domain_tags(template);

	for (size_t i = 0; i < PROPERTY_COUNT; i++) {
		const struct property *property = &property_domain_table[i];
		const struct property_value *value = property_explicit(&from, property);
		struct property_value copy;

		if (value == NULL || (property->flags & PROPERTY_FLAG_NOT_CLONED) != 0 ||
		    !property_applies(&to, property))
			continue;
		copy = property_value_copy(value);
		property_assign(&to, property, &copy);
	}
	domain_each_feature(template, load_feature, domain);
	for (char **tag = tags; *tag != NULL; tag++)
		domain_tag_load(domain, *tag);
}

static struct domain *
build_domain(struct qubes_app *app, const struct qubes_app_new_domain *spec, uint32_t qid,
    unsigned dispid, const char *name)
{
	struct domain *domain = domain_new(app, spec->klass);
	struct property_owner owner = domain_owner(domain);
	const struct label *label =
	    spec->label != NULL ? spec->label : domain_label(spec->template);
	struct property_value label_value = {.label = label};
	struct property_value template_value = {.domain = spec->template};

	if (spec->klass == DOMAIN_DISP)
		clone_template(domain, spec->template);
	assign_text(domain, PROPERTY_NAME, g_strdup(name));
	assign_number(domain, PROPERTY_QID, qid);
	assign_text(domain, PROPERTY_UUID, g_uuid_string_random());
	property_assign(&owner, &property_domain_table[PROPERTY_LABEL], &label_value);
	if (spec->template != NULL)
		property_assign(&owner, &property_domain_table[PROPERTY_TEMPLATE], &template_value);
	if (spec->klass == DOMAIN_DISP)
		assign_number(domain, PROPERTY_DISPID, dispid);
	if (spec->auto_cleanup)
		assign_number(domain, PROPERTY_AUTO_CLEANUP, true);
	return domain;
}

static bool
check_class(const struct qubes_app_new_domain *spec, struct admin_error *error)
{
	const struct domain *template = spec->template;

	switch (spec->klass) {
	case DOMAIN_APP:
		if (template == NULL)
			return admin_error_set(error, "QubesValueError",
			    "No template was given and there is no default_template");
		if (domain_class(template) != DOMAIN_TEMPLATE || domain_is_broken(template))
			return admin_error_set(
			    error, "QubesValueError", "The template must be a TemplateVM");
		return true;
	case DOMAIN_DISP:
		if (template == NULL)
			return admin_error_set(
			    error, "QubesValueError", "A disposable needs a template");
		if (!domain_bool(template, PROPERTY_TEMPLATE_FOR_DISPVMS) ||
		    domain_is_broken(template))
			return admin_error_set(error, "QubesException",
			    "Refusing to create a disposable from this qube, because "
			    "template_for_dispvms=False");
		return true;
	case DOMAIN_TEMPLATE:
	case DOMAIN_STANDALONE:
	case DOMAIN_REMOTE:
		assert(template == NULL);
		return true;
	default:
		return admin_error_set(
		    error, "QubesException", "A qube of this class cannot be created");
	}
}

/*
 * Tags "created-by-NAME" may outlive the qube NAME. A new qube of that name would inherit its
 * rights on others, so only dom0 may make it.
 */
static bool
name_carries_rights(const struct qubes_app *app, const char *name)
{
	g_autofree char *tag = g_strconcat("created-by-", name, NULL);

	for (guint i = 0; i < app->domains->len; i++) {
		if (domain_has_tag(app->domains->pdata[i], tag))
			return true;
	}
	return false;
}

static void
add_creator_tags(struct domain *domain, const struct qubes_app_new_domain *spec)
{
	const char *creator = domain_name(spec->creator);
	g_autofree char *tag = g_strconcat("created-by-", creator, NULL);
	g_autofree char *disp_tag = g_strconcat("disp-created-by-", creator, NULL);

	domain_tag_add(domain, tag);
	if (spec->auto_cleanup)
		domain_tag_add(domain, disp_tag);
}

struct domain *
qubes_app_create_domain(
    struct qubes_app *app, const struct qubes_app_new_domain *spec, struct admin_error *error)
{
	uint32_t qid = lowest_free_qid(app);
	g_autofree char *name = g_strdup(spec->name);
	unsigned dispid = 0;
	struct domain *domain;

	if (name != NULL && qubes_app_find(app, name) != NULL) {
		admin_error_set(
		    error, "QubesVMAlreadyExistsError", "Qube already exists: %s", name);
		return NULL;
	}
	if (!check_class(spec, error))
		return NULL;
	if (spec->klass == DOMAIN_DISP)
		dispid = pick_dispid(app);
	if (qid == 0 || (spec->klass == DOMAIN_DISP && dispid == 0)) {
		admin_error_set(error, "QubesException", "There are too many qubes");
		return NULL;
	}
	if (name == NULL)
		name = g_strdup_printf("disp%u", dispid);
	if (spec->creator != NULL && !domain_is_dom0(spec->creator) &&
	    name_carries_rights(app, name)) {
		admin_error_set(error, "QubesException",
		    "Only dom0 may use the name of a qube that has made others");
		return NULL;
	}

	domain = build_domain(app, spec, qid, dispid, name);
	if (!domain_files_make(domain, error)) {
		domain_unref(domain);
		return NULL;
	}
	qubes_app_insert_domain(app, domain);
	qubes_app_journal(app, undo_create, drop_create, domain_ref(domain));
	event_fire_about(app, NULL, "domain-add", domain);
	if (spec->creator != NULL)
		add_creator_tags(domain, spec);
	event_fire(app, domain, "domain-create-on-disk", NULL);
	return domain;
}

/* The name of a property that refers to the domain, or NULL: what keeps it from being removed. */
static const char *
what_refers_to(const struct qubes_app *app, const struct domain *domain)
{
	static const enum property_id references[] = {
	    PROPERTY_TEMPLATE,
	    PROPERTY_NETVM,
	    PROPERTY_GUIVM,
	    PROPERTY_AUDIOVM,
	    PROPERTY_DEFAULT_DISPVM,
	    PROPERTY_MANAGEMENT_DISPVM,
	    PROPERTY_RELAYVM,
	};

	for (size_t i = 0; i < GLOBAL_PROPERTY_COUNT; i++) {
		const struct property_value *value = app->values[i];

		if (value != NULL && value->domain == domain)
			return property_global_table[i].name;
	}
	for (guint i = 0; i < app->domains->len; i++) {
		struct domain *other = app->domains->pdata[i];

		for (size_t k = 0; other != domain && k < G_N_ELEMENTS(references); k++) {
			const struct property_value *value =
			    *domain_value_slot(other, references[k]);

			if (value != NULL && value->domain == domain)
				return property_domain_table[references[k]].name;
		}
	}
	return NULL;
}

static bool
may_remove(const struct qubes_app *app, const struct domain *domain, struct admin_error *error)
{
	const char *name = domain_name(domain);
	const char *property;

	if (domain_is_dom0(domain))
		return admin_error_set(error, IN_USE, "'%s' cannot be removed", name);
	if (domain_bool(domain, PROPERTY_INSTALLED_BY_RPM))
		return admin_error_set(error, IN_USE, "A package manager looks after '%s'", name);
	if (!domain_is_halted(domain))
		return admin_error_set(
		    error, "QubesVMNotHaltedError", "Domain is not powered off: '%s'", name);
	property = what_refers_to(app, domain);
	if (property != NULL)
		return admin_error_set(error, IN_USE,
		    "Domain is in use: '%s' is the %s of another qube or of the system", name,
		    property);
	return true;
}

bool
qubes_app_remove_domain(struct qubes_app *app, struct domain *domain, struct admin_error *error)
{
	bool disposed =
	    domain_class(domain) == DOMAIN_DISP && domain_bool(domain, PROPERTY_AUTO_CLEANUP);

	if (domain_is_removed(domain))
		return admin_error_set(
		    error, "QubesVMNotFoundError", "No such domain: '%s'", domain_name(domain));
	if (!may_remove(app, domain, error))
		return false;

	domain_ref(domain); /* the journal's */
	event_fire_about(app, NULL, "domain-pre-delete", domain);
	domain_files_set_aside(domain);
	if (disposed)
		event_fire(app, domain, "domain-remove-from-disk", NULL);
	take_out_domain(app, domain);
	qubes_app_journal(app, undo_remove, drop_remove, domain);
	event_fire_about(app, NULL, "domain-delete", domain);
	if (!disposed)
		event_fire(app, domain, "domain-remove-from-disk", NULL);
	return true;
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

/* --- the journal ---------------------------------------------------------------------------- */

void
qubes_app_journal(struct qubes_app *app, journal_undo undo, journal_drop drop, void *data)
{
	struct journal_entry entry = {undo, drop, data};
	bool first = app->journal->entries->len == 0;

	if (app->undoing) {
		drop(data, false);
		return;
	}
	g_array_append_val(app->journal->entries, entry);
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
	return app->journal->entries->len > 0;
}

struct journal *
qubes_app_take_journal(struct qubes_app *app)
{
	struct journal *journal = app->journal;

	app->journal = journal_new();
	return journal;
}

void
journal_keep(struct journal *journal)
{
	journal_finish(journal, true);
}

static void
journal_undo_all(struct journal *journal)
{
	for (guint i = journal->entries->len; i > 0; i--) {
		struct journal_entry *entry =
		    &g_array_index(journal->entries, struct journal_entry, i - 1);

		entry->undo(entry->data);
	}
}

void
qubes_app_undo(struct qubes_app *app, struct journal *journal)
{
	struct journal *newest = qubes_app_take_journal(app);

	app->undoing = true;
	journal_undo_all(newest);
	if (journal != NULL)
		journal_undo_all(journal);
	journal_finish(newest, false);
	if (journal != NULL)
		journal_finish(journal, false);
	app->undoing = false;
}

void
qubes_app_set_on_dirty(struct qubes_app *app, void (*on_dirty)(void *data), void *data)
{
	app->on_dirty = on_dirty;
	app->on_dirty_data = data;
}
