/*
 * The writer of qubes.xml. Everything passes one escaping function; verbatim pieces are what the
 * reader took from a well-formed file. The text of a domain is kept with it and made anew only
 * after a change, so that a save costs one domain and not a thousand.
 */
#include "qubesd/store.h"

#include "qubesd/storage/volume.h"

#include <string.h>

static void
put_escaped(GString *out, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		switch (*p) {
		case '&':
			g_string_append(out, "&amp;");
			break;
		case '<':
			g_string_append(out, "&lt;");
			break;
		case '>':
			g_string_append(out, "&gt;");
			break;
		case '"':
			g_string_append(out, "&quot;");
			break;
		case '\t':
		case '\n':
		case '\r':
			g_string_append_printf(out, "&#%d;", *p);
			break;
		default:
			/* XML has no way to say the other controls; no grammar lets them in. */
			g_string_append_c(out, (unsigned char)*p < 0x20 ? '?' : *p);
		}
	}
}

static void
put_attribute(GString *out, const char *name, const char *value)
{
	g_string_append_printf(out, " %s=\"", name);
	put_escaped(out, value);
	g_string_append_c(out, '"');
}

static void
put_pairs(GString *out, const GPtrArray *pairs)
{
	for (guint i = 0; i + 1 < pairs->len; i += 2)
		put_attribute(out, pairs->pdata[i], pairs->pdata[i + 1]);
}

/* <element name="NAME">TEXT</element> on a line of its own. */
static void
put_named(GString *out, const char *indent, const char *element, const char *name, const char *text)
{
	g_string_append_printf(out, "%s<%s", indent, element);
	put_attribute(out, "name", name);
	g_string_append_c(out, '>');
	put_escaped(out, text);
	g_string_append_printf(out, "</%s>\n", element);
}

static void
put_raw(GString *out, const char *indent, const GPtrArray *raw)
{
	for (guint i = 0; i < raw->len; i++)
		g_string_append_printf(out, "%s%s\n", indent, (const char *)raw->pdata[i]);
}

/* Values that could not be used stay until somebody sets that property. */
static void
put_raw_properties(
    GString *out, const char *indent, const struct property_owner *owner, const GPtrArray *raw)
{
	for (guint i = 0; i + 1 < raw->len; i += 2) {
		const struct property *property = property_find(owner, raw->pdata[i]);

		if (property == NULL || property_is_default(owner, property))
			g_string_append_printf(
			    out, "%s%s\n", indent, (const char *)raw->pdata[i + 1]);
	}
}

static void
put_properties(
    GString *out, const char *indent, const struct property_owner *owner, const GPtrArray *raw)
{
	g_autofree char *inner = g_strconcat(indent, "  ", NULL);
	size_t count;
	const struct property *table = property_table(owner, &count);

	g_string_append_printf(out, "%s<properties>\n", indent);
	for (size_t i = 0; i < count; i++) {
		const struct property_value *value = property_explicit(owner, &table[i]);
		g_autofree char *text =
		    value != NULL ? property_value_text(&table[i], value) : NULL;

		if (text != NULL)
			put_named(out, inner, "property", table[i].name, text);
	}
	put_raw_properties(out, inner, owner, raw);
	g_string_append_printf(out, "%s</properties>\n", indent);
}

static void
put_feature(const char *name, const char *value, void *data)
{
	put_named(data, "        ", "feature", name, value);
}

static void
put_features(GString *out, struct domain *domain)
{
	const GPtrArray *raw = domain_raw(domain, DOMAIN_RAW_FEATURES);

	if (domain_feature_count(domain) == 0 && raw->len == 0) {
		g_string_append(out, "      <features/>\n");
		return;
	}
	g_string_append(out, "      <features>\n");
	domain_each_feature(domain, put_feature, out);
	put_raw(out, "        ", raw);
	g_string_append(out, "      </features>\n");
}

static void
put_tags(GString *out, struct domain *domain)
{
	const GPtrArray *raw = domain_raw(domain, DOMAIN_RAW_TAGS);
	g_auto(GStrv) tags = domain_tags(domain);

	if (tags[0] == NULL && raw->len == 0) {
		g_string_append(out, "      <tags/>\n");
		return;
	}
	g_string_append(out, "      <tags>\n");
	for (char **tag = tags; *tag != NULL; tag++) {
		g_string_append(out, "        <tag");
		put_attribute(out, "name", *tag);
		g_string_append(out, "/>\n");
	}
	put_raw(out, "        ", raw);
	g_string_append(out, "      </tags>\n");
}

static void
put_volumes(GString *out, struct domain *domain)
{
	const GPtrArray *volumes = domain_volumes(domain);
	const GPtrArray *raw = domain_raw(domain, DOMAIN_RAW_VOLUMES);

	if (volumes->len == 0 && raw->len == 0)
		return;
	g_string_append(out, "      <volume-config>\n");
	for (guint i = 0; i < volumes->len; i++) {
		g_autoptr(GPtrArray) attributes = volume_encode(volumes->pdata[i]);

		g_string_append(out, "        <volume");
		put_pairs(out, attributes);
		g_string_append(out, "/>\n");
	}
	put_raw(out, "        ", raw);
	g_string_append(out, "      </volume-config>\n");
}

static GBytes *
render_domain(struct domain *domain)
{
	struct property_owner owner = domain_owner(domain);
	GString *out = g_string_new(NULL);

	if (domain_is_broken(domain)) {
		g_string_append_printf(out, "    %s\n", domain_broken_xml(domain));
		return g_string_free_to_bytes(out);
	}
	g_string_append_printf(out, "    <domain id=\"domain-%u\" class=\"%s\"", domain_qid(domain),
	    domain_klass(domain));
	put_pairs(out, domain_raw(domain, DOMAIN_RAW_ATTRIBUTES));
	g_string_append(out, ">\n");
	put_properties(out, "      ", &owner, domain_raw(domain, DOMAIN_RAW_PROPERTIES));
	put_features(out, domain);
	put_tags(out, domain);
	put_volumes(out, domain);
	put_raw(out, "      ", domain_raw(domain, DOMAIN_RAW_ELEMENTS));
	g_string_append(out, "    </domain>\n");
	return g_string_free_to_bytes(out);
}

static void
put_domain(GString *out, struct domain *domain)
{
	const char *text;
	gsize len;

	if (domain_text(domain) == NULL)
		domain_set_text(domain, render_domain(domain));
	text = g_bytes_get_data(domain_text(domain), &len);
	g_string_append_len(out, text, (gssize)len);
}

static void
put_labels(GString *out, struct qubes_app *app)
{
	const GPtrArray *labels = qubes_app_labels(app);

	g_string_append(out, "  <labels>\n");
	for (guint i = 0; i < labels->len; i++) {
		const struct label *label = labels->pdata[i];

		g_string_append_printf(out, "    <label id=\"label-%u\" color=\"0x%06x\">",
		    label->index, label->colour);
		put_escaped(out, label->name);
		g_string_append(out, "</label>\n");
	}
	put_raw(out, "    ", qubes_app_raw(app, APP_RAW_LABELS));
	g_string_append(out, "  </labels>\n");
}

static void
put_pools(GString *out, struct qubes_app *app)
{
	const GPtrArray *pools = qubes_app_pools(app);

	g_string_append(out, "  <pools>\n");
	for (guint i = 0; i < pools->len; i++) {
		const struct pool *pool = pools->pdata[i];

		g_string_append(out, "    <pool");
		put_attribute(out, "name", pool->name);
		put_attribute(out, "driver", pool->driver);
		put_pairs(out, pool->config);
		g_string_append(out, "/>\n");
	}
	put_raw(out, "    ", qubes_app_raw(app, APP_RAW_POOLS));
	g_string_append(out, "  </pools>\n");
}

GBytes *
store_render(struct qubes_app *app)
{
	struct property_owner owner = qubes_app_owner(app);
	const GPtrArray *domains = qubes_app_domains(app);
	GString *out = g_string_sized_new(64 << 10);

	g_string_append(out, "<?xml version='1.0' encoding='UTF-8'?>\n<qubes");
	put_pairs(out, qubes_app_raw(app, APP_RAW_ATTRIBUTES));
	g_string_append(out, ">\n");
	put_labels(out, app);
	put_pools(out, app);
	put_properties(out, "  ", &owner, qubes_app_raw(app, APP_RAW_PROPERTIES));
	g_string_append(out, "  <domains>\n");
	for (guint i = 0; i < domains->len; i++)
		put_domain(out, domains->pdata[i]);
	put_raw(out, "    ", qubes_app_raw(app, APP_RAW_DOMAINS));
	g_string_append(out, "  </domains>\n");
	put_raw(out, "  ", qubes_app_raw(app, APP_RAW_ELEMENTS));
	g_string_append(out, "</qubes>\n");
	return g_string_free_to_bytes(out);
}
