#include "qubesd/domain.h"

#include "qubesd/event.h"
#include "qubesd/label.h"
#include "qubesd/lifecycle.h"
#include "qubesd/qubes_app.h"
#include "shared/paths.h"

#include <assert.h>
#include <string.h>

#define CHAIN_MAX 64 /* hops along templates or netvms: more is no chain */

struct feature {
	char *name, *value; /* owned */
};

struct domain {
	unsigned references;
	struct qubes_app *app; /* borrowed */
	enum domain_class klass;
	char *unknown_klass; /* owned; the class's text when klass is DOMAIN_UNKNOWN */
	bool removed;
	gint64 start_time_us;
	struct property_value *values[PROPERTY_COUNT]; /* owned; NULL: the default */
	GPtrArray *features;                           /* struct feature *, in order of insertion */
	GPtrArray *tags;                               /* char *, sorted */
	GPtrArray *raw[DOMAIN_RAW_COUNT];              /* char * */
	char *broken_xml; /* owned; the whole entry when it cannot be used */
	GBytes *text;     /* owned; the entry as last written, NULL when stale */
};

/* --- classes -------------------------------------------------------------------------------- */

static const char *const class_names[DOMAIN_CLASS_COUNT] = {
    [DOMAIN_ADMIN] = "AdminVM",
    [DOMAIN_APP] = "AppVM",
    [DOMAIN_TEMPLATE] = "TemplateVM",
    [DOMAIN_STANDALONE] = "StandaloneVM",
    [DOMAIN_DISP] = "DispVM",
    [DOMAIN_REMOTE] = "RemoteVM",
};

const char *
domain_class_name(enum domain_class klass)
{
	return klass < DOMAIN_CLASS_COUNT ? class_names[klass] : "Unknown";
}

enum domain_class
domain_class_from_name(const char *name)
{
	for (size_t i = 0; i < DOMAIN_CLASS_COUNT; i++) {
		if (strcmp(class_names[i], name) == 0)
			return (enum domain_class)i;
	}
	return DOMAIN_UNKNOWN;
}

/* --- life ----------------------------------------------------------------------------------- */

static void
feature_free(void *data)
{
	struct feature *feature = data;

	g_free(feature->name);
	g_free(feature->value);
	g_free(feature);
}

struct domain *
domain_new(struct qubes_app *app, enum domain_class klass)
{
	struct domain *domain = g_new0(struct domain, 1);

	domain->references = 1;
	domain->app = app;
	domain->klass = klass;
	domain->features = g_ptr_array_new_with_free_func(feature_free);
	domain->tags = g_ptr_array_new_with_free_func(g_free);
	for (size_t i = 0; i < DOMAIN_RAW_COUNT; i++)
		domain->raw[i] = g_ptr_array_new_with_free_func(g_free);
	return domain;
}

struct domain *
domain_ref(struct domain *domain)
{
	domain->references++;
	return domain;
}

static void
domain_free(struct domain *domain)
{
	for (size_t i = 0; i < PROPERTY_COUNT; i++) {
		if (domain->values[i] != NULL)
			property_value_clear(domain->values[i]);
		g_free(domain->values[i]);
	}
	for (size_t i = 0; i < DOMAIN_RAW_COUNT; i++)
		g_ptr_array_unref(domain->raw[i]);
	g_ptr_array_unref(domain->tags);
	g_ptr_array_unref(domain->features);
	g_clear_pointer(&domain->text, g_bytes_unref);
	g_free(domain->broken_xml);
	g_free(domain->unknown_klass);
	g_free(domain);
}

void
domain_unref(struct domain *domain)
{
	if (domain == NULL)
		return;
	assert(domain->references > 0);
	if (--domain->references == 0)
		domain_free(domain);
}

void
domain_mark_removed(struct domain *domain, bool removed)
{
	domain->removed = removed;
}

void
domain_set_broken(struct domain *domain, const char *klass, const char *xml)
{
	g_free(domain->broken_xml);
	domain->broken_xml = g_strdup(xml);
	if (domain->klass == DOMAIN_UNKNOWN && domain->unknown_klass == NULL)
		domain->unknown_klass = g_strdup(klass);
}

/* --- who it is ------------------------------------------------------------------------------ */

struct qubes_app *
domain_app(const struct domain *domain)
{
	return domain->app;
}

enum domain_class
domain_class(const struct domain *domain)
{
	return domain->klass;
}

const char *
domain_klass(const struct domain *domain)
{
	return domain->unknown_klass != NULL ? domain->unknown_klass
					     : domain_class_name(domain->klass);
}

/* Name and UUID are values of their own for everybody but dom0. */
static const char *
own_text(const struct domain *domain, enum property_id id, const char *of_dom0)
{
	const struct property_value *value = domain->values[id];

	if (domain->klass == DOMAIN_ADMIN)
		return of_dom0;
	return value != NULL ? value->text : "";
}

const char *
domain_name(const struct domain *domain)
{
	return own_text(domain, PROPERTY_NAME, "dom0");
}

const char *
domain_uuid(const struct domain *domain)
{
	return own_text(domain, PROPERTY_UUID, "00000000-0000-0000-0000-000000000000");
}

uint32_t
domain_qid(const struct domain *domain)
{
	const struct property_value *value = domain->values[PROPERTY_QID];

	return value != NULL ? (uint32_t)value->number : 0;
}

bool
domain_is_dom0(const struct domain *domain)
{
	return domain->klass == DOMAIN_ADMIN;
}

bool
domain_is_removed(const struct domain *domain)
{
	return domain->removed;
}

bool
domain_is_broken(const struct domain *domain)
{
	return domain->broken_xml != NULL;
}

/* --- property values ------------------------------------------------------------------------ */

struct property_value **
domain_value_slot(const struct domain *domain, size_t index)
{
	assert(index < PROPERTY_COUNT);
	return (struct property_value **)&domain->values[index];
}

/* False when the class has no such property or it has no value. */
static bool
read_value(const struct domain *domain, enum property_id id, struct property_value *ret)
{
	struct property_owner owner = domain_owner((struct domain *)domain);
	const struct property *property = &property_domain_table[id];

	*ret = (struct property_value){.none = true};
	return property_applies(&owner, property) && property_get(&owner, property, ret);
}

char *
domain_string(const struct domain *domain, enum property_id id)
{
	struct property_value value;
	char *text;

	read_value(domain, id, &value);
	text = property_value_text(&property_domain_table[id], &value);
	property_value_clear(&value);
	return text;
}

int64_t
domain_int(const struct domain *domain, enum property_id id)
{
	struct property_value value;

	assert(property_domain_table[id].type == PROPERTY_TYPE_INT);
	return read_value(domain, id, &value) && !value.none ? value.number : -1;
}

bool
domain_bool(const struct domain *domain, enum property_id id)
{
	struct property_value value;

	assert(property_domain_table[id].type == PROPERTY_TYPE_BOOL);
	return read_value(domain, id, &value) && value.number != 0;
}

struct domain *
domain_reference(const struct domain *domain, enum property_id id)
{
	struct property_value value;

	assert(property_domain_table[id].type == PROPERTY_TYPE_DOMAIN);
	return read_value(domain, id, &value) ? value.domain : NULL;
}

struct domain *
domain_template(const struct domain *domain)
{
	const struct property_value *value = domain->values[PROPERTY_TEMPLATE];

	return value != NULL ? value->domain : NULL;
}

struct domain *
domain_netvm(const struct domain *domain)
{
	return domain_reference(domain, PROPERTY_NETVM);
}

const struct label *
domain_label(const struct domain *domain)
{
	struct property_value value;

	return read_value(domain, PROPERTY_LABEL, &value) ? value.label : NULL;
}

/* --- power ---------------------------------------------------------------------------------- */

const char *
domain_power_state(const struct domain *domain)
{
	const struct lifecycle *lifecycle = qubes_app_lifecycle(domain->app);

	if (domain->broken_xml != NULL)
		return "NA";
	if (domain->klass == DOMAIN_ADMIN || domain->klass == DOMAIN_REMOTE)
		return "Running";
	return lifecycle != NULL ? lifecycle_power_state(lifecycle, domain) : "Halted";
}

bool
domain_is_halted(const struct domain *domain)
{
	const struct lifecycle *lifecycle = qubes_app_lifecycle(domain->app);

	if (domain->klass == DOMAIN_ADMIN)
		return false;
	return lifecycle == NULL || !lifecycle_is_active(lifecycle, domain);
}

int64_t
domain_xid(const struct domain *domain)
{
	const struct lifecycle *lifecycle = qubes_app_lifecycle(domain->app);

	if (domain->klass == DOMAIN_ADMIN)
		return 0;
	return lifecycle != NULL ? lifecycle_xid(lifecycle, domain) : -1;
}

void
domain_set_start_time(struct domain *domain, gint64 start_time_us)
{
	domain->start_time_us = start_time_us;
}

gint64
domain_start_time(const struct domain *domain)
{
	return domain->start_time_us;
}

/* --- features ------------------------------------------------------------------------------- */

static struct feature *
find_feature(const struct domain *domain, const char *name, guint *ret_index)
{
	for (guint i = 0; i < domain->features->len; i++) {
		struct feature *feature = domain->features->pdata[i];

		if (strcmp(feature->name, name) == 0) {
			if (ret_index != NULL)
				*ret_index = i;
			return feature;
		}
	}
	return NULL;
}

static const char *
own_feature(const struct domain *domain, const char *name)
{
	const struct feature *feature = find_feature(domain, name, NULL);

	return feature != NULL ? feature->value : NULL;
}

static const char *
chain_feature(const struct domain *domain, const char *name,
    struct domain *(*next)(const struct domain *domain))
{
	for (unsigned hops = 0; domain != NULL && hops < CHAIN_MAX; hops++) {
		const char *value = own_feature(domain, name);

		if (value != NULL)
			return value;
		domain = next(domain);
	}
	return NULL;
}

const char *
domain_feature(const struct domain *domain, enum feature_chain chain, const char *name)
{
	const char *value = NULL;

	switch (chain) {
	case FEATURE_OWN:
	case FEATURE_ADMIN:
		value = own_feature(domain, name);
		break;
	case FEATURE_TEMPLATE:
	case FEATURE_TEMPLATE_ADMIN:
		value = chain_feature(domain, name, domain_template);
		break;
	case FEATURE_NETVM:
		value = chain_feature(domain, name, domain_netvm);
		break;
	}
	if (value == NULL && (chain == FEATURE_ADMIN || chain == FEATURE_TEMPLATE_ADMIN))
		value = own_feature(qubes_app_dom0(domain->app), name);
	return value;
}

bool
domain_feature_true(const struct domain *domain, enum feature_chain chain, const char *name)
{
	const char *value = domain_feature(domain, chain, name);

	return value != NULL && value[0] != '\0';
}

void
domain_each_feature(const struct domain *domain, domain_pair_func func, void *data)
{
	for (guint i = 0; i < domain->features->len; i++) {
		const struct feature *feature = domain->features->pdata[i];

		func(feature->name, feature->value, data);
	}
}

size_t
domain_feature_count(const struct domain *domain)
{
	return domain->features->len;
}

/* A feature's change, to be taken back: value is NULL when it had been absent. */
struct feature_undo {
	struct domain *domain; /* a reference */
	char *name, *value;    /* owned */
};

static void
undo_feature(void *data)
{
	struct feature_undo *undo = data;

	if (undo->value != NULL)
		domain_feature_set(undo->domain, undo->name, undo->value);
	else
		domain_feature_remove(undo->domain, undo->name);
}

static void
drop_feature(void *data, bool kept)
{
	struct feature_undo *undo = data;

	(void)kept;
	domain_unref(undo->domain);
	g_free(undo->name);
	g_free(undo->value);
	g_free(undo);
}

static void
note_feature(struct domain *domain, const char *name, const char *old)
{
	struct feature_undo *undo = g_new0(struct feature_undo, 1);

	undo->domain = domain_ref(domain);
	undo->name = g_strdup(name);
	undo->value = g_strdup(old);
	domain_set_text(domain, NULL);
	qubes_app_journal(domain->app, undo_feature, drop_feature, undo);
}

void
domain_feature_load(struct domain *domain, const char *name, const char *value)
{
	struct feature *feature = find_feature(domain, name, NULL);

	if (feature == NULL) {
		feature = g_new0(struct feature, 1);
		feature->name = g_strdup(name);
		g_ptr_array_add(domain->features, feature);
	}
	g_free(feature->value);
	feature->value = g_strdup(value);
	domain_set_text(domain, NULL);
}

void
domain_feature_set(struct domain *domain, const char *name, const char *value)
{
	g_autofree char *pre_event = g_strconcat("domain-feature-pre-set:", name, NULL);
	g_autofree char *event = g_strconcat("domain-feature-set:", name, NULL);
	g_autofree char *old = g_strdup(own_feature(domain, name));
	const char *old_key = old != NULL ? "oldvalue" : NULL; /* ends the arguments early */

	event_fire(
	    domain->app, domain, pre_event, "feature", name, "value", value, old_key, old, NULL);
	note_feature(domain, name, old);
	domain_feature_load(domain, name, value);
	event_fire(domain->app, domain, event, "feature", name, "value", value, old_key, old, NULL);
}

bool
domain_feature_remove(struct domain *domain, const char *name)
{
	g_autofree char *pre_event = g_strconcat("domain-feature-pre-delete:", name, NULL);
	g_autofree char *event = g_strconcat("domain-feature-delete:", name, NULL);
	struct feature *feature;
	guint index;

	if (own_feature(domain, name) == NULL)
		return false;
	event_fire(domain->app, domain, pre_event, "feature", name, NULL);
	feature = find_feature(domain, name, &index);
	if (feature == NULL) /* a handler was faster */
		return true;
	note_feature(domain, name, feature->value);
	g_ptr_array_remove_index(domain->features, index);
	event_fire(domain->app, domain, event, "feature", name, NULL);
	return true;
}

/* --- tags ----------------------------------------------------------------------------------- */

/* Where the tag stands, or where it would be put in. */
static guint
tag_position(const struct domain *domain, const char *tag, bool *ret_found)
{
	guint low = 0, high = domain->tags->len;

	while (low < high) {
		guint middle = (low + high) / 2;

		if (strcmp(domain->tags->pdata[middle], tag) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_found = low < domain->tags->len && strcmp(domain->tags->pdata[low], tag) == 0;
	return low;
}

bool
domain_has_tag(const struct domain *domain, const char *tag)
{
	bool found;

	tag_position(domain, tag, &found);
	return found;
}

char **
domain_tags(const struct domain *domain)
{
	char **tags = g_new0(char *, domain->tags->len + 1);

	for (guint i = 0; i < domain->tags->len; i++)
		tags[i] = g_strdup(domain->tags->pdata[i]);
	return tags;
}

struct tag_undo {
	struct domain *domain; /* a reference */
	char *tag;             /* owned */
};

static void
undo_tag_add(void *data)
{
	struct tag_undo *undo = data;

	domain_tag_remove(undo->domain, undo->tag);
}

static void
undo_tag_remove(void *data)
{
	struct tag_undo *undo = data;

	domain_tag_add(undo->domain, undo->tag);
}

static void
drop_tag(void *data, bool kept)
{
	struct tag_undo *undo = data;

	(void)kept;
	domain_unref(undo->domain);
	g_free(undo->tag);
	g_free(undo);
}

static void
note_tag(struct domain *domain, const char *tag, journal_undo how)
{
	struct tag_undo *undo = g_new0(struct tag_undo, 1);

	undo->domain = domain_ref(domain);
	undo->tag = g_strdup(tag);
	domain_set_text(domain, NULL);
	qubes_app_journal(domain->app, how, drop_tag, undo);
}

bool
domain_tag_load(struct domain *domain, const char *tag)
{
	bool found;
	guint position = tag_position(domain, tag, &found);

	if (found)
		return false;
	g_ptr_array_insert(domain->tags, (int)position, g_strdup(tag));
	domain_set_text(domain, NULL);
	return true;
}

bool
domain_tag_add(struct domain *domain, const char *tag)
{
	g_autofree char *event = g_strconcat("domain-tag-add:", tag, NULL);

	if (!domain_tag_load(domain, tag))
		return false;
	note_tag(domain, tag, undo_tag_add);
	event_fire(domain->app, domain, event, "tag", tag, NULL);
	return true;
}

bool
domain_tag_remove(struct domain *domain, const char *tag)
{
	g_autofree char *event = g_strconcat("domain-tag-delete:", tag, NULL);
	bool found;
	guint position = tag_position(domain, tag, &found);

	if (!found)
		return false;
	note_tag(domain, tag, undo_tag_remove);
	g_ptr_array_remove_index(domain->tags, position);
	event_fire(domain->app, domain, event, "tag", tag, NULL);
	return true;
}

/* --- folders, and what the store keeps ------------------------------------------------------ */

char *
domain_dir(const struct domain *domain)
{
	g_autofree char *relative =
	    g_build_filename(domain->klass == DOMAIN_TEMPLATE ? "vm-templates" : "appvms",
		domain_name(domain), NULL);

	return path_in_state_dir(relative);
}

char *
domain_private_dir(const struct domain *domain)
{
	g_autofree char *dir = domain_dir(domain);

	return g_build_filename(dir, "private", NULL);
}

GPtrArray *
domain_raw(struct domain *domain, enum domain_raw place)
{
	return domain->raw[place];
}

const char *
domain_broken_xml(const struct domain *domain)
{
	return domain->broken_xml;
}

GBytes *
domain_text(const struct domain *domain)
{
	return domain->text;
}

void
domain_set_text(struct domain *domain, GBytes *text)
{
	g_clear_pointer(&domain->text, g_bytes_unref);
	domain->text = text;
}
