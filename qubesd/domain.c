#include "qubesd/domain_private.h"

#include "qubesd/label.h"
#include "qubesd/lifecycle.h"
#include "qubesd/qubes_app.h"
#include "qubesd/storage/volume.h"
#include "shared/paths.h"

#include <assert.h>
#include <string.h>

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

struct domain *
domain_new(struct qubes_app *app, enum domain_class klass)
{
	struct domain *domain = g_new0(struct domain, 1);

	domain->references = 1;
	domain->app = app;
	domain->klass = klass;
	domain->features = g_ptr_array_new_with_free_func(domain_feature_free);
	domain->tags = g_ptr_array_new_with_free_func(g_free);
	domain->volumes = g_ptr_array_new_with_free_func(volume_free);
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
	g_ptr_array_unref(domain->volumes);
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
