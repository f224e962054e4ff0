#include "qubesd/property.h"

#include "qubesd/domain.h"
#include "qubesd/event.h"
#include "qubesd/qubes_app.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

const char *
property_type_name(enum property_type type)
{
	static const char *const names[] = {
	    [PROPERTY_TYPE_STRING] = "str",
	    [PROPERTY_TYPE_INT] = "int",
	    [PROPERTY_TYPE_BOOL] = "bool",
	    [PROPERTY_TYPE_DOMAIN] = "vm",
	    [PROPERTY_TYPE_LABEL] = "label",
	};

	return names[type];
}

/* --- values --------------------------------------------------------------------------------- */

void
property_value_clear(struct property_value *value)
{
	g_free(value->text);
	*value = (struct property_value){0};
}

struct property_value
property_value_copy(const struct property_value *value)
{
	struct property_value copy = *value;

	copy.text = g_strdup(value->text);
	return copy;
}

static void
value_free(struct property_value *value)
{
	if (value == NULL)
		return;
	property_value_clear(value);
	g_free(value);
}

static struct property_value *
value_new(const struct property_value *value)
{
	struct property_value *boxed = g_new(struct property_value, 1);

	*boxed = property_value_copy(value);
	return boxed;
}

char *
property_value_text(const struct property *property, const struct property_value *value)
{
	if (value->none)
		return g_strdup("");
	switch (property->type) {
	case PROPERTY_TYPE_STRING:
		return g_strdup(value->text != NULL ? value->text : "");
	case PROPERTY_TYPE_INT:
		return g_strdup_printf("%" PRId64, value->number);
	case PROPERTY_TYPE_BOOL:
		return g_strdup(value->number != 0 ? "True" : "False");
	case PROPERTY_TYPE_DOMAIN:
		return g_strdup(value->domain != NULL ? domain_name(value->domain) : "");
	case PROPERTY_TYPE_LABEL:
		return g_strdup(value->label != NULL ? value->label->name : "");
	}
	g_assert_not_reached();
}

/* --- rows ----------------------------------------------------------------------------------- */

const struct property *
property_table(const struct property_owner *owner, size_t *ret_count)
{
	*ret_count = owner->domain != NULL ? PROPERTY_COUNT : GLOBAL_PROPERTY_COUNT;
	return owner->domain != NULL ? property_domain_table : property_global_table;
}

static bool
in_class(const struct property_owner *owner, unsigned classes)
{
	if (owner->domain == NULL)
		return classes != 0;
	return (classes & 1u << domain_class(owner->domain)) != 0;
}

bool
property_applies(const struct property_owner *owner, const struct property *property)
{
	return owner->domain == NULL || in_class(owner, property->classes);
}

bool
property_is_readonly(const struct property_owner *owner, const struct property *property)
{
	return in_class(owner, property->readonly);
}

const struct property *
property_find(const struct property_owner *owner, const char *name)
{
	size_t count;
	const struct property *table = property_table(owner, &count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(table[i].name, name) == 0)
			return property_applies(owner, &table[i]) ? &table[i] : NULL;
	}
	return NULL;
}

static struct property_value **
slot_of(const struct property_owner *owner, const struct property *property)
{
	if (owner->domain == NULL)
		return qubes_app_value_slot(owner->app, (size_t)(property - property_global_table));
	return domain_value_slot(owner->domain, (size_t)(property - property_domain_table));
}

/* --- reading -------------------------------------------------------------------------------- */

const struct property_value *
property_explicit(const struct property_owner *owner, const struct property *property)
{
	return *slot_of(owner, property);
}

bool
property_is_default(const struct property_owner *owner, const struct property *property)
{
	return property_explicit(owner, property) == NULL;
}

bool
property_get_default(
    const struct property_owner *owner, const struct property *property, struct property_value *ret)
{
	*ret = (struct property_value){0};
	if (property->get_default != NULL && property->get_default(owner, property, ret))
		return true;
	*ret = (struct property_value){.none = true};
	return false;
}

bool
property_get(
    const struct property_owner *owner, const struct property *property, struct property_value *ret)
{
	const struct property_value *value = property_explicit(owner, property);

	if (value == NULL)
		return property_get_default(owner, property, ret);
	*ret = property_value_copy(value);
	return true;
}

/* --- changing ------------------------------------------------------------------------------- */

/* A row's change, to be taken back: old is NULL when the default had been in use. */
struct property_undo {
	struct property_owner owner; /* a reference to the domain */
	const struct property *property;
	struct property_value *old; /* owned */
};

static void
touch(const struct property_owner *owner)
{
	if (owner->domain != NULL)
		domain_set_text(owner->domain, NULL);
}

static void
put(const struct property_owner *owner, const struct property *property,
    struct property_value *boxed)
{
	struct property_value **slot = slot_of(owner, property);

	value_free(*slot);
	*slot = boxed;
	touch(owner);
}

static void
fire(const struct property_owner *owner, const char *what, const struct property *property)
{
	g_autofree char *event = g_strconcat(what, ":", property->name, NULL);

	event_fire(owner->app, owner->domain, event, "name", property->name, NULL);
}

static void
undo_change(void *data)
{
	struct property_undo *undo = data;

	put(&undo->owner, undo->property, g_steal_pointer(&undo->old));
	if (property_is_default(&undo->owner, undo->property)) {
		fire(&undo->owner, "property-reset", undo->property);
		return;
	}
	g_autofree char *event = g_strconcat("property-set:", undo->property->name, NULL);
	g_autofree char *text =
	    property_value_text(undo->property, *slot_of(&undo->owner, undo->property));

	event_fire(undo->owner.app, undo->owner.domain, event, "name", undo->property->name,
	    "newvalue", text, NULL);
}

static void
drop_change(void *data, bool kept)
{
	struct property_undo *undo = data;

	(void)kept;
	value_free(undo->old);
	domain_unref(undo->owner.domain);
	g_free(undo);
}

/* Puts the new value in place and notes the old one. */
static void
change(const struct property_owner *owner, const struct property *property,
    struct property_value *boxed)
{
	struct property_value **slot = slot_of(owner, property);
	struct property_undo *undo = g_new0(struct property_undo, 1);

	undo->owner = *owner;
	if (owner->domain != NULL)
		domain_ref(owner->domain);
	undo->property = property;
	undo->old = g_steal_pointer(slot);
	put(owner, property, boxed);
	qubes_app_journal(owner->app, undo_change, drop_change, undo);
}

void
property_assign(const struct property_owner *owner, const struct property *property,
    struct property_value *value)
{
	put(owner, property, value_new(value));
	property_value_clear(value);
}

void
property_unassign(const struct property_owner *owner, const struct property *property)
{
	put(owner, property, NULL);
}

/* The text that stood there, or NULL when it was the default. */
static char *
explicit_text(const struct property_owner *owner, const struct property *property)
{
	const struct property_value *value = property_explicit(owner, property);

	return value != NULL ? property_value_text(property, value) : NULL;
}

static bool
may_change(
    const struct property_owner *owner, const struct property *property, struct admin_error *error)
{
	if (property_is_readonly(owner, property))
		return admin_error_set(error, "QubesPropertyValueError",
		    "Property '%s' cannot be set", property->name);
	if ((property->flags & PROPERTY_FLAG_WRITE_ONCE) != 0)
		return admin_error_set(error, "QubesPropertyValueError",
		    "Property '%s' was set when the qube was made and cannot be changed",
		    property->name);
	return true;
}

bool
property_resolve(const struct property_owner *owner, struct property_value *value)
{
	if (value->none)
		return true;
	value->domain = qubes_app_find(owner->app, value->text);
	if (value->domain == NULL)
		return false;
	g_clear_pointer(&value->text, g_free);
	return true;
}

bool
property_set(const struct property_owner *owner, const struct property *property,
    struct property_value *value, struct admin_error *error)
{
	g_autofree char *pre_event = g_strconcat("property-pre-set:", property->name, NULL);
	g_autofree char *event = g_strconcat("property-set:", property->name, NULL);
	g_autofree char *old_text = explicit_text(owner, property);
	g_autofree char *new_text = NULL;
	const char *old_key = old_text != NULL ? "oldvalue" : NULL; /* ends the arguments early */

	if (!may_change(owner, property, error))
		return false;
	if (property->type == PROPERTY_TYPE_DOMAIN && !property_resolve(owner, value))
		return admin_error_set(error, "QubesPropertyValueError",
		    "Property '%s': no such domain: '%s'", property->name, value->text);
	if (property->check != NULL && !property->check(owner, property, value, error))
		return false;

	new_text = property_value_text(property, value);
	if (!event_ask(owner->app, owner->domain, error, pre_event, "name", property->name,
		"newvalue", new_text, old_key, old_text, NULL))
		return false;
	change(owner, property, value_new(value));
	property_value_clear(value);
	event_fire(owner->app, owner->domain, event, "name", property->name, "newvalue", new_text,
	    old_key, old_text, NULL);
	return true;
}

bool
property_reset(
    const struct property_owner *owner, const struct property *property, struct admin_error *error)
{
	static const char *const before[] = {"property-pre-reset:", "property-pre-del:"};
	static const char *const after[] = {"property-reset:", "property-del:"};
	g_autofree char *old_text = explicit_text(owner, property);
	const char *old_key = old_text != NULL ? "oldvalue" : NULL;

	if (!may_change(owner, property, error))
		return false;
	if (property->check_reset != NULL && !property->check_reset(owner, error))
		return false;

	for (size_t i = 0; i < G_N_ELEMENTS(before); i++) {
		g_autofree char *event = g_strconcat(before[i], property->name, NULL);

		if (!event_ask(owner->app, owner->domain, error, event, "name", property->name,
			old_key, old_text, NULL))
			return false;
	}
	if (old_text != NULL)
		change(owner, property, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(after); i++) {
		g_autofree char *event = g_strconcat(after[i], property->name, NULL);

		event_fire(owner->app, owner->domain, event, "name", property->name, old_key,
		    old_text, NULL);
	}
	return true;
}

void
property_derived_reset(struct domain *domain, enum property_id id)
{
	struct property_owner owner = domain_owner(domain);
	const struct property *property = &property_domain_table[id];

	if (property_applies(&owner, property) && property_is_default(&owner, property))
		fire(&owner, "property-reset", property);
}
