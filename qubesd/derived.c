#include "qubesd/derived.h"

#include "qubesd/grammar.h"
#include "qubesd/qubes_app.h"

#include <string.h>

/* --- tags that mirror a reference ----------------------------------------------------------- */

static const struct {
	enum property_id property;
	const char *prefix;
} mirror_tags[] = {
    {PROPERTY_AUDIOVM, "audiovm-"},
    {PROPERTY_GUIVM, "guivm-"},
    {PROPERTY_RELAYVM, "relayvm-"},
};

static void
refresh_tag(struct domain *domain, enum property_id id, const char *prefix)
{
	struct domain *now = domain_reference(domain, id);
	g_autofree char *wanted = now != NULL ? g_strconcat(prefix, domain_name(now), NULL) : NULL;
	g_auto(GStrv) tags = domain_tags(domain);

	for (char **tag = tags; *tag != NULL; tag++) {
		if (g_str_has_prefix(*tag, prefix) && g_strcmp0(*tag, wanted) != 0)
			domain_tag_remove(domain, *tag);
	}
	if (wanted != NULL)
		domain_tag_add(domain, wanted);
}

static void
refresh_mirror_tags(struct domain *domain)
{
	for (size_t i = 0; i < G_N_ELEMENTS(mirror_tags); i++)
		refresh_tag(domain, mirror_tags[i].property, mirror_tags[i].prefix);
}

/* --- news of defaults ----------------------------------------------------------------------- */

static const struct {
	enum global_property_id global;
	enum property_id property;
} global_defaults[] = {
    {GLOBAL_DEFAULT_AUDIOVM, PROPERTY_AUDIOVM},
    {GLOBAL_DEFAULT_DISPVM, PROPERTY_DEFAULT_DISPVM},
    {GLOBAL_DEFAULT_GUIVM, PROPERTY_GUIVM},
    {GLOBAL_DEFAULT_KERNEL, PROPERTY_KERNEL},
    {GLOBAL_DEFAULT_NETVM, PROPERTY_NETVM},
    {GLOBAL_DEFAULT_QREXEC_TIMEOUT, PROPERTY_QREXEC_TIMEOUT},
    {GLOBAL_DEFAULT_SHUTDOWN_TIMEOUT, PROPERTY_SHUTDOWN_TIMEOUT},
    {GLOBAL_MANAGEMENT_DISPVM, PROPERTY_MANAGEMENT_DISPVM},
};

/* What a qube takes from its template when it has none of its own. */
static const enum property_id template_defaults[] = {
    PROPERTY_DEFAULT_USER,
    PROPERTY_KERNEL,
    PROPERTY_KERNELOPTS,
    PROPERTY_MAXMEM,
    PROPERTY_MEMORY,
    PROPERTY_QREXEC_TIMEOUT,
    PROPERTY_SHUTDOWN_TIMEOUT,
    PROPERTY_VCPUS,
    PROPERTY_VIRT_MODE,
};

static bool
comes_from_template(const struct domain *domain, enum property_id id)
{
	for (size_t i = 0; domain_template(domain) != NULL && i < G_N_ELEMENTS(template_defaults);
	     i++) {
		if (template_defaults[i] == id)
			return true;
	}
	return false;
}

/* Qubes that take the value from their template hear of it when the template does. */
static void
on_global_changed(struct qubes_app *app, const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(global_defaults); i++) {
		g_autoptr(GPtrArray) domains = NULL;

		if (strcmp(property_global_table[global_defaults[i].global].name, name) != 0)
			continue;
		domains = qubes_app_snapshot(app);
		for (guint k = 0; k < domains->len; k++) {
			if (!comes_from_template(domains->pdata[k], global_defaults[i].property))
				property_derived_reset(
				    domains->pdata[k], global_defaults[i].property);
		}
	}
}

static void
tell_children(struct domain *template, enum property_id id)
{
	g_autoptr(GPtrArray) domains = qubes_app_snapshot(domain_app(template));

	for (guint i = 0; i < domains->len; i++) {
		if (domain_template(domains->pdata[i]) == template)
			property_derived_reset(domains->pdata[i], id);
	}
}

static void
on_template_value_changed(struct domain *domain, const char *name)
{
	if (domain_class(domain) != DOMAIN_TEMPLATE && domain_class(domain) != DOMAIN_APP)
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(template_defaults); i++) {
		if (strcmp(property_domain_table[template_defaults[i]].name, name) == 0)
			tell_children(domain, template_defaults[i]);
	}
	if (domain_class(domain) == DOMAIN_APP && strcmp(name, "netvm") == 0)
		tell_children(domain, PROPERTY_NETVM);
}

static void
on_template_switched(struct domain *domain)
{
	for (size_t i = 0; i < G_N_ELEMENTS(template_defaults); i++)
		property_derived_reset(domain, template_defaults[i]);
}

/* --- features that go with a property ------------------------------------------------------- */

static void
on_provides_network(struct domain *domain)
{
	if (domain_bool(domain, PROPERTY_PROVIDES_NETWORK))
		domain_feature_set(domain, "servicevm", "1");
	else
		domain_feature_remove(domain, "servicevm");
}

/* The clock service runs in one qube: the one that is clockvm now. */
static void
on_clockvm(struct qubes_app *app, const struct event *event)
{
	const char *old_name = event_arg(event, "oldvalue");
	struct domain *old = old_name != NULL ? qubes_app_find(app, old_name) : NULL;
	struct domain *now = qubes_app_reference(app, GLOBAL_CLOCKVM);

	if (old != NULL && old != now)
		domain_feature_remove(old, "service.clocksync");
	if (now != NULL)
		domain_feature_set(now, "service.clocksync", "1");
}

/* --- rights of a creator -------------------------------------------------------------------- */

/* dom0 decides, by features of the creator, what comes with its qubes. */
static void
on_creator_tag(struct domain *domain, const char *creator_name)
{
	struct qubes_app *app = domain_app(domain);
	struct property_owner owner = domain_owner(domain);
	const struct property *guivm = &property_domain_table[PROPERTY_GUIVM];
	struct domain *creator = qubes_app_find(app, creator_name);
	const char *with, *gui;

	if (creator == NULL)
		return;
	with = domain_feature(creator, FEATURE_OWN, "tag-created-vm-with");
	gui = domain_feature(creator, FEATURE_OWN, "set-created-guivm");
	if (with != NULL) {
		g_auto(GStrv) tags = g_strsplit(with, " ", -1);

		for (char **tag = tags; *tag != NULL; tag++) {
			if (grammar_is_tag(*tag))
				domain_tag_add(domain, *tag);
		}
	}
	if (gui != NULL && property_applies(&owner, guivm)) {
		struct property_value value = {.text = g_strdup(gui)};

		if (!property_set(&owner, guivm, &value, NULL))
			property_value_clear(&value);
	}
}

/* --- the rules ------------------------------------------------------------------------------ */

/* "property-set:P" and "property-reset:P" give P, anything else NULL. */
static const char *
changed_property(const char *event)
{
	static const char *const prefixes[] = {"property-set:", "property-reset:"};

	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		if (g_str_has_prefix(event, prefixes[i]))
			return event + strlen(prefixes[i]);
	}
	return NULL;
}

static bool
is_feature_event(const char *event, const char *feature)
{
	const char *colon = strchr(event, ':');

	return colon != NULL && strcmp(colon + 1, feature) == 0 &&
	       (g_str_has_prefix(event, "domain-feature-set:") ||
		   g_str_has_prefix(event, "domain-feature-delete:"));
}

/* Only tells others; nothing is stored, so this also runs while changes are taken back. */
static void
tell_of_derived(struct qubes_app *app, const struct event *event, const char *property)
{
	struct domain *domain = event->subject;

	if (property != NULL && domain == NULL)
		on_global_changed(app, property);
	if (domain == NULL)
		return;
	if (property != NULL) {
		on_template_value_changed(domain, property);
		if (strcmp(property, "template") == 0)
			on_template_switched(domain);
		if (strcmp(property, "label") == 0 || strcmp(property, "template_for_dispvms") == 0)
			property_derived_reset(domain, PROPERTY_ICON);
	}
	if (is_feature_event(event->name, "servicevm"))
		property_derived_reset(domain, PROPERTY_ICON);
}

/* Changes the store; what is taken back has its own entries in the journal. */
static void
apply_rules(struct qubes_app *app, const struct event *event, const char *property)
{
	static const char creator_event[] = "domain-tag-add:created-by-";
	struct domain *domain = event->subject;

	if (property != NULL && domain == NULL && strcmp(property, "clockvm") == 0)
		on_clockvm(app, event);
	if (property != NULL && domain != NULL) {
		for (size_t i = 0; i < G_N_ELEMENTS(mirror_tags); i++) {
			if (strcmp(property_domain_table[mirror_tags[i].property].name, property) ==
			    0)
				refresh_tag(domain, mirror_tags[i].property, mirror_tags[i].prefix);
		}
		if (strcmp(property, "provides_network") == 0)
			on_provides_network(domain);
	}
	if (domain != NULL && g_str_has_prefix(event->name, creator_event))
		on_creator_tag(domain, event->name + strlen(creator_event));
	/* Not at domain-add: nobody is to hear of the tags of a qube before he has heard of it. */
	if (domain != NULL && strcmp(event->name, "domain-create-on-disk") == 0)
		refresh_mirror_tags(domain);
}

static bool
on_event(const struct event *event, struct admin_error *error, void *data)
{
	struct qubes_app *app = data;
	const char *property = changed_property(event->name);

	(void)error;
	tell_of_derived(app, event, property);
	if (!qubes_app_is_undoing(app))
		apply_rules(app, event, property);
	return true;
}

void
derived_init(struct qubes_app *app)
{
	const GPtrArray *domains = qubes_app_domains(app);

	for (guint i = 0; i < domains->len; i++) {
		if (!domain_is_broken(domains->pdata[i]))
			refresh_mirror_tags(domains->pdata[i]);
	}
	event_add_handler(app, EVENT_ORDER_CORE, on_event, app);
}
