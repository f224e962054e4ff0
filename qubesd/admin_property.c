/* Methods about properties: one set of handlers, of qubes and of the application. */
#include "qubesd/admin.h"
#include "qubesd/admin_methods.h"
#include "shared/text.h"

static struct property_owner
owner_of(const struct admin_call *call)
{
	if (admin_call_method(call)->variant == ADMIN_GLOBAL)
		return qubes_app_owner(admin_call_app(call));
	return domain_owner(admin_call_dest(call));
}

/* The row that the argument names; or NULL, after an answer. */
static const struct property *
find(struct admin_call *call, const struct property_owner *owner)
{
	const struct property *property = property_find(owner, admin_call_arg(call));
	g_autofree char *quoted = NULL;

	if (property != NULL)
		return property;
	quoted = text_quote_string(admin_call_arg(call));
	admin_call_fail_with(call, "QubesNoSuchPropertyError", "Invalid property %s of %s", quoted,
	    owner->domain != NULL ? domain_name(owner->domain) : "the application");
	return NULL;
}

/* One property is one line: a value cannot add another. */
static void
append_escaped(GString *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			g_string_append(out, "\\\\");
		else if (*text == '\n')
			g_string_append(out, "\\n");
		else
			g_string_append_c(out, *text);
	}
}

static void
append_state(GString *out, const struct property_owner *owner, const struct property *property,
    const char *text)
{
	g_string_append(out,
	    property_is_default(owner, property) ? "default=True type=" : "default=False type=");
	g_string_append(out, property_type_name(property->type));
	g_string_append_c(out, ' ');
	append_escaped(out, text);
}

static char *
text_of(const struct property_owner *owner, const struct property *property)
{
	struct property_value value;
	char *text;

	property_get(owner, property, &value);
	text = property_value_text(property, &value);
	property_value_clear(&value);
	return text;
}

void
admin_property_list(struct admin_call *call)
{
	struct property_owner owner = owner_of(call);
	g_autoptr(GString) lines = g_string_new(NULL);
	size_t count;
	const struct property *table = property_table(&owner, &count);

	for (size_t i = 0; i < count; i++) {
		if (property_applies(&owner, &table[i]))
			g_string_append_printf(lines, "%s\n", table[i].name);
	}
	admin_call_reply(call, lines->str);
}

void
admin_property_get(struct admin_call *call)
{
	struct property_owner owner = owner_of(call);
	const struct property *property = find(call, &owner);
	g_autofree char *text = NULL;
	g_autofree char *reply = NULL;

	if (property == NULL)
		return;
	text = text_of(&owner, property);
	reply = g_strdup_printf("default=%s type=%s %s",
	    property_is_default(&owner, property) ? "True" : "False",
	    property_type_name(property->type), text);
	admin_call_reply(call, reply);
}

void
admin_property_get_all(struct admin_call *call)
{
	struct property_owner owner = owner_of(call);
	g_autoptr(GString) lines = g_string_sized_new(2048);
	size_t count;
	const struct property *table = property_table(&owner, &count);

	for (size_t i = 0; i < count; i++) {
		g_autofree char *text = NULL;

		if (!property_applies(&owner, &table[i]))
			continue;
		text = text_of(&owner, &table[i]);
		g_string_append(lines, table[i].name);
		g_string_append_c(lines, ' ');
		append_state(lines, &owner, &table[i], text);
		g_string_append_c(lines, '\n');
	}
	admin_call_reply(call, lines->str);
}

void
admin_property_get_default(struct admin_call *call)
{
	struct property_owner owner = owner_of(call);
	const struct property *property = find(call, &owner);
	struct property_value value;
	g_autofree char *text = NULL;
	g_autofree char *reply = NULL;

	if (property == NULL)
		return;
	if (!property_get_default(&owner, property, &value)) {
		admin_call_reply(call, NULL);
		return;
	}
	text = property_value_text(property, &value);
	property_value_clear(&value);
	reply = g_strdup_printf("type=%s %s", property_type_name(property->type), text);
	admin_call_reply(call, reply);
}

void
admin_property_set(struct admin_call *call)
{
	struct property_owner owner = owner_of(call);
	const struct property *property = find(call, &owner);
	struct property_value value = {0};
	struct admin_error error = {0};

	if (property == NULL)
		return;
	if (!property_decode(&owner, property, admin_call_payload(call), &value, &error) ||
	    !property_set(&owner, property, &value, &error)) {
		property_value_clear(&value);
		admin_call_fail(call, &error);
		return;
	}
	admin_call_commit(call, NULL);
}

void
admin_property_reset(struct admin_call *call)
{
	struct property_owner owner = owner_of(call);
	const struct property *property = find(call, &owner);
	struct admin_error error = {0};

	if (property == NULL)
		return;
	if (property_reset(&owner, property, &error))
		admin_call_commit(call, NULL);
	else
		admin_call_fail(call, &error);
}

void
admin_property_help(struct admin_call *call)
{
	struct property_owner owner = owner_of(call);
	const struct property *property = find(call, &owner);

	if (property != NULL)
		admin_call_reply(call, property->help);
}
