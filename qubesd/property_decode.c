/*
 * From text to a value, by the type of a property alone. A client chose the bytes; what comes out
 * has the grammar of its type and nothing else is promised: whether a kernel exists or a number is
 * sensible is the row's check.
 */
#include "qubesd/domain.h"
#include "qubesd/grammar.h"
#include "qubesd/property.h"
#include "qubesd/qubes_app.h"
#include "shared/text.h"

#include <string.h>

#define VALUE_ERROR "QubesValueError"
#define TEXT_MAX 4096 /* bytes of a value of type str */

static bool
decode_string(const struct property *property, const char *text, struct property_value *ret,
    struct admin_error *error)
{
	if (!grammar_is_printable(text) || strlen(text) > TEXT_MAX)
		return admin_error_set(error, VALUE_ERROR,
		    "Property '%s': not printable ASCII of at most %d bytes", property->name,
		    TEXT_MAX);
	if ((property->flags & PROPERTY_FLAG_IP4) != 0 && text[0] != '\0' && !grammar_is_ipv4(text))
		return admin_error_set(
		    error, VALUE_ERROR, "Property '%s': not an IPv4 address", property->name);
	if ((property->flags & PROPERTY_FLAG_IP6) != 0 && text[0] != '\0' && !grammar_is_ipv6(text))
		return admin_error_set(
		    error, VALUE_ERROR, "Property '%s': not an IPv6 address", property->name);
	ret->text = g_strdup(text);
	return true;
}

static bool
decode_int(const struct property *property, const char *text, struct property_value *ret,
    struct admin_error *error)
{
	if (!grammar_parse_int(text, &ret->number))
		return admin_error_set(
		    error, VALUE_ERROR, "Property '%s': not a decimal number", property->name);
	return true;
}

static bool
decode_bool(const struct property *property, const char *text, struct property_value *ret,
    struct admin_error *error)
{
	bool value;

	if (!grammar_parse_bool(text, &value))
		return admin_error_set(
		    error, VALUE_ERROR, "Property '%s': not a boolean", property->name);
	ret->number = value;
	return true;
}

static bool
decode_domain(const struct property *property, const char *text, struct property_value *ret,
    struct admin_error *error)
{
	if (text[0] == '\0') {
		ret->none = true;
		return true;
	}
	if (!text_is_qube_name(text))
		return admin_error_set(
		    error, VALUE_ERROR, "Property '%s': not the name of a qube", property->name);
	ret->text = g_strdup(text);
	return true;
}

static bool
decode_label(const struct property_owner *owner, const char *text, struct property_value *ret,
    struct admin_error *error)
{
	if (!grammar_is_label(text))
		return admin_error_set(error, "QubesInvalidLabelError", "Not the name of a label");
	ret->label = qubes_app_label(owner->app, text);
	if (ret->label == NULL)
		return admin_error_set(
		    error, "QubesLabelNotFoundError", "Label does not exist: %s", text);
	return true;
}

static bool
decode_text(const struct property_owner *owner, const struct property *property, const char *text,
    struct property_value *ret, struct admin_error *error)
{
	switch (property->type) {
	case PROPERTY_TYPE_STRING:
		return decode_string(property, text, ret, error);
	case PROPERTY_TYPE_INT:
		return decode_int(property, text, ret, error);
	case PROPERTY_TYPE_BOOL:
		return decode_bool(property, text, ret, error);
	case PROPERTY_TYPE_DOMAIN:
		return decode_domain(property, text, ret, error);
	case PROPERTY_TYPE_LABEL:
		return decode_label(owner, text, ret, error);
	}
	g_assert_not_reached();
}

bool
property_decode(const struct property_owner *owner, const struct property *property,
    struct untrusted_bytes untrusted_text, struct property_value *ret, struct admin_error *error)
{
	struct property_value value = {0};
	g_autofree char *text = NULL;

	for (size_t i = 0; i < untrusted_text.len; i++) {
		if (untrusted_text.raw[i] > 0x7f)
			return admin_error_set(error, VALUE_ERROR,
			    "Property '%s': non-ASCII bytes in the value", property->name);
		if (untrusted_text.raw[i] == 0)
			return admin_error_set(error, VALUE_ERROR,
			    "Property '%s': a NUL in the value", property->name);
	}
	text = g_strndup((const char *)untrusted_text.raw, untrusted_text.len);
	if (!decode_text(owner, property, text, &value, error))
		return false;
	*ret = value;
	return true;
}

bool
property_parse(const struct property_owner *owner, const struct property *property,
    const char *text, struct property_value *ret)
{
	struct property_value value = {0};

	/* Written for "no value" where the type has no text of its own for it. */
	if (text[0] == '\0' && property->type == PROPERTY_TYPE_INT)
		value.none = true;
	else if (!decode_text(owner, property, text, &value, NULL))
		return false;
	if (property->type == PROPERTY_TYPE_DOMAIN && !property_resolve(owner, &value)) {
		property_value_clear(&value);
		return false;
	}
	if ((property->flags & PROPERTY_FLAG_PURE) != 0 && !value.none &&
	    !property->check(owner, property, &value, NULL)) {
		property_value_clear(&value);
		return false;
	}
	*ret = value;
	return true;
}
