/* The part of domain.h about features and tags. */
#include "qubesd/domain_private.h"
#include "qubesd/event.h"
#include "qubesd/qubes_app.h"

#include <string.h>

#define CHAIN_MAX 64 /* hops along templates or netvms: more is no chain */

/* --- features ------------------------------------------------------------------------------- */

void
domain_feature_free(void *data)
{
	struct domain_feature *feature = data;

	g_free(feature->name);
	g_free(feature->value);
	g_free(feature);
}

static struct domain_feature *
find_feature(const struct domain *domain, const char *name, guint *ret_index)
{
	for (guint i = 0; i < domain->features->len; i++) {
		struct domain_feature *feature = domain->features->pdata[i];

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
	const struct domain_feature *feature = find_feature(domain, name, NULL);

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
		const struct domain_feature *feature = domain->features->pdata[i];

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
	struct domain_feature *feature = find_feature(domain, name, NULL);

	if (feature == NULL) {
		feature = g_new0(struct domain_feature, 1);
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
	struct domain_feature *feature;
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

guint
domain_tag_count(const struct domain *domain)
{
	return domain->tags->len;
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
