/*
 * Requests of the Admin API and their payloads: every decoder, whose promises are asserted, and the
 * values of every property.
 */
#include "qubesd/admin_decode.h"
#include "qubesd/domain.h"
#include "qubesd/grammar.h"
#include "qubesd/property.h"
#include "qubesd/qubes_app.h"
#include "shared/text.h"

#include <assert.h>
#include <glib.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_create(struct untrusted_bytes payload)
{
	for (int in_pool = 0; in_pool < 2; in_pool++) {
		struct admin_create create = {0};
		struct admin_error error = {0};

		if (!admin_decode_create(payload, in_pool != 0, &create, &error)) {
			assert(error.name != NULL && error.message != NULL);
			admin_error_clear(&error);
			continue;
		}
		assert(text_is_qube_name(create.name) && grammar_is_new_label(create.label));
		for (size_t i = 0; i < ADMIN_VOLUME_COUNT; i++) {
			const char *pool = create.volume_pools[i];

			assert(pool == NULL ||
			       (in_pool && create.pool == NULL && grammar_is_printable(pool)));
		}
		admin_create_clear(&create);
	}
}

static void
check_payloads(struct untrusted_bytes payload)
{
	g_autofree char *value = NULL;
	g_autofree char *notes = admin_decode_notes(payload);
	uint32_t colour = 0;

	check_create(payload);
	if (admin_decode_feature_value(payload, &value, NULL))
		assert(grammar_is_printable(value) && strlen(value) <= GRAMMAR_FEATURE_VALUE_MAX &&
		       strlen(value) == payload.len);
	if (admin_decode_colour(payload, &colour, NULL))
		assert(colour <= 0xffffff && payload.len == 8);
	assert(g_utf8_validate(notes, -1, NULL));
}

/* What a property accepts has the grammar of its type, and its text is read as the same value. */
static void
check_properties(struct qubes_app *app, struct untrusted_bytes payload)
{
	struct property_owner owner = domain_owner(qubes_app_dom0(app));

	for (size_t i = 0; i < PROPERTY_COUNT; i++) {
		const struct property *property = &property_domain_table[i];
		struct property_value value = {0}, again = {0};
		g_autofree char *text = NULL;

		if (!property_decode(&owner, property, payload, &value, NULL))
			continue;
		if (property->type != PROPERTY_TYPE_DOMAIN) {
			text = property_value_text(property, &value);
			assert(grammar_is_printable(text));
			assert(property_decode(&owner, property,
			    untrusted_bytes_of(text, strlen(text)), &again, NULL));
			assert(again.number == value.number && again.label == value.label);
		} else {
			assert(value.none || text_is_qube_name(value.text));
		}
		property_value_clear(&value);
		property_value_clear(&again);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct qubes_app *app;
	struct admin_request request = {0};
	struct admin_request same = {0};
	bool force, wait;
	const char *name;

	if (app == NULL)
		app = qubes_app_new_fresh();
	if (admin_decode_request(untrusted_bytes_of(data, size), &request) < 0) {
		assert(memcmp(&request, &same, sizeof(request)) == 0);
		return 0;
	}
	assert(size <= ADMIN_REQUEST_MAX);
	assert(strchr(request.method, '+') == NULL && strchr(request.method, ' ') == NULL);
	assert(strchr(request.arg, ' ') == NULL && strchr(request.source, ' ') == NULL);
	assert(request.untrusted_payload.len < size);
	switch (admin_decode_name(request.dest, &name)) {
	case ADMIN_NAME_QUBE:
		assert(text_is_qube_name(name));
		break;
	case ADMIN_NAME_UUID:
		assert(text_is_uuid(name));
		break;
	default:
		break;
	}
	(void)admin_decode_shutdown(request.arg, &force, &wait, NULL);
	check_payloads(request.untrusted_payload);
	check_properties(app, request.untrusted_payload);
	admin_request_clear(&request);
	return 0;
}
