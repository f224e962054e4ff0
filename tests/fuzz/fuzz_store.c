/* qubes.xml: what is accepted has one dom0, is written, and reads as the same again. */
#include "qubesd/store.h"
#include "shared/text.h"

#include <assert.h>
#include <glib.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_domains(struct qubes_app *app)
{
	const GPtrArray *domains = qubes_app_domains(app);

	assert(qubes_app_dom0(app) == domains->pdata[0]);
	for (guint i = 0; i < domains->len; i++) {
		struct domain *domain = domains->pdata[i];

		assert(text_is_qube_name(domain_name(domain)) && text_is_uuid(domain_uuid(domain)));
		assert(domain_qid(domain) <= DOMAIN_QID_MAX);
		assert(qubes_app_find(app, domain_name(domain)) == domain);
		assert(qubes_app_find_uuid(app, domain_uuid(domain)) == domain);
		if (domain_is_broken(domain))
			continue;
		assert(domain_label(domain) != NULL);
		for (size_t id = 0; id < PROPERTY_COUNT; id++)
			g_free(domain_string(domain, (enum property_id)id));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *message = NULL;
	g_autoptr(GBytes) first = NULL;
	g_autoptr(GBytes) second = NULL;
	struct qubes_app *app = NULL, *again = NULL;

	if (store_parse(data, size, &app, &message) < 0) {
		assert(app == NULL && message != NULL);
		return 0;
	}
	assert(message == NULL);
	check_domains(app);
	first = store_render(app);
	assert(store_parse(
		   g_bytes_get_data(first, NULL), g_bytes_get_size(first), &again, &message) == 0);
	check_domains(again);
	second = store_render(again);
	assert(g_bytes_equal(first, second));
	qubes_app_free(again);
	qubes_app_free(app);
	return 0;
}
