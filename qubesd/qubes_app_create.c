/* The part of qubes_app.h that makes domains and removes them. */
#include "qubesd/domain_files.h"
#include "qubesd/qubes_app.h"

#include <assert.h>
#include <string.h>

#define IN_USE "QubesVMInUseError"

/* --- taking back ---------------------------------------------------------------------------- */

/* The data of both journal entries below is the domain, with a reference of their own. */
static void
undo_create(void *data)
{
	struct domain *domain = data;

	qubes_app_take_out_domain(domain_app(domain), domain);
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

/* --- making --------------------------------------------------------------------------------- */

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
	const GPtrArray *domains = qubes_app_domains(app);
	g_autofree char *tag = g_strconcat("created-by-", name, NULL);

	for (guint i = 0; i < domains->len; i++) {
		if (domain_has_tag(domains->pdata[i], tag))
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
	uint32_t qid = qubes_app_pick_qid(app);
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
		dispid = qubes_app_pick_dispid(app);
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
what_refers_to(struct qubes_app *app, const struct domain *domain)
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
	const GPtrArray *domains = qubes_app_domains(app);

	for (size_t i = 0; i < GLOBAL_PROPERTY_COUNT; i++) {
		const struct property_value *value = *qubes_app_value_slot(app, i);

		if (value != NULL && value->domain == domain)
			return property_global_table[i].name;
	}
	for (guint i = 0; i < domains->len; i++) {
		struct domain *other = domains->pdata[i];

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
may_remove(struct qubes_app *app, const struct domain *domain, struct admin_error *error)
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
	qubes_app_take_out_domain(app, domain);
	qubes_app_journal(app, undo_remove, drop_remove, domain);
	event_fire_about(app, NULL, "domain-delete", domain);
	if (!disposed)
		event_fire(app, domain, "domain-remove-from-disk", NULL);
	return true;
}
