/*
 * The reader of qubes.xml. The file is the daemon's own, but it may be cut short, edited by hand,
 * written by an older or a newer version, or put there by somebody who got at a backup. xml_read.c
 * keeps the limits before there is a tree. Here the order is that of docs/qubesd.md: labels and pools,
 * domains with whatever does not refer to others, global properties, references, consistency.
 */
#include "qubesd/grammar.h"
#include "qubesd/network.h"
#include "qubesd/storage/volume.h"
#include "qubesd/store.h"
#include "qubesd/xml_read.h"
#include "shared/log.h"
#include "shared/text.h"

#include <errno.h>
#include <string.h>

/* --- labels and pools ----------------------------------------------------------------------- */

struct reader {
	struct qubes_app *app;
	GHashTable *nodes; /* struct domain * -> xmlNode * */
	char *refusal;     /* owned; why the file is refused as a whole */
};

static bool
parse_numbered_id(const char *id, const char *prefix, int64_t *ret)
{
	return id != NULL && g_str_has_prefix(id, prefix) &&
	       grammar_parse_int(id + strlen(prefix), ret);
}

static bool
read_label(struct qubes_app *app, xmlNode *node)
{
	g_autofree char *id = xml_attribute(node, "id");
	g_autofree char *colour_text = xml_attribute(node, "color");
	g_autofree char *name = xml_content(node);
	const struct label *same, *other;
	int64_t index;
	uint32_t colour;

	if (!xml_is_element(node, "label") || !parse_numbered_id(id, "label-", &index) ||
	    index < 1 || index > G_MAXINT || colour_text == NULL ||
	    !grammar_parse_colour(colour_text, &colour) || !grammar_is_new_label(name))
		return false;
	/* The first eight keep their names; the others are new in both. */
	same = qubes_app_label(app, name);
	other = qubes_app_label_by_index(app, (unsigned)index);
	if (same != other || (same != NULL && index > LABEL_BUILTIN_COUNT))
		return false;
	qubes_app_load_label(app, label_new((unsigned)index, name, colour));
	return true;
}

static bool
read_pool(struct qubes_app *app, xmlNode *node)
{
	g_autofree char *name = xml_attribute(node, "name");
	g_autofree char *driver = xml_attribute(node, "driver");
	struct pool *pool;

	if (!xml_is_element(node, "pool") || name == NULL || !grammar_is_pool(name) ||
	    driver == NULL || !grammar_is_pool(driver) || qubes_app_pool(app, name) != NULL ||
	    node->nsDef != NULL)
		return false;
	pool = pool_new(name, driver);
	xml_keep_attributes(pool->config, node, (const char *const[]){"name", "driver", NULL});
	qubes_app_add_pool(app, pool);
	return true;
}

static void
read_section(struct qubes_app *app, xmlNode *section, enum app_raw raw,
    bool (*read)(struct qubes_app *app, xmlNode *node))
{
	for (xmlNode *node = section->children; node != NULL; node = node->next) {
		if (node->type == XML_ELEMENT_NODE && read(app, node))
			continue;
		if (node->type == XML_ELEMENT_NODE)
			log_warn("store: line %ld: <%s> cannot be used and is kept as it is",
			    xmlGetLineNo(node), (const char *)node->name);
		xml_keep(qubes_app_raw(app, raw), node);
	}
}

/* --- properties ----------------------------------------------------------------------------- */

/* Spellings of older versions: {old name, value, new name, value}; NULL: any value, kept. */
static const struct {
	const char *old_name, *old_value, *name, *value;
} old_spellings[] = {
    {"default_fw_netvm", NULL, NULL, NULL}, /* dropped */
    {"dispvm_allowed", NULL, "template_for_dispvms", NULL},
    {"hvm", "True", "virt_mode", "hvm"},
    {"hvm", "False", "virt_mode", "pv"},
};

/* Replaces name and text by today's. False: the property is no more. */
static bool
modernise(char **name, char **text)
{
	for (size_t i = 0; i < G_N_ELEMENTS(old_spellings); i++) {
		if (strcmp(*name, old_spellings[i].old_name) != 0 ||
		    (old_spellings[i].old_value != NULL &&
			strcmp(*text, old_spellings[i].old_value) != 0))
			continue;
		if (old_spellings[i].name == NULL)
			return false;
		g_free(*name);
		*name = g_strdup(old_spellings[i].name);
		if (old_spellings[i].value != NULL) {
			g_free(*text);
			*text = g_strdup(old_spellings[i].value);
		}
		return true;
	}
	return true;
}

/*
 * A value that cannot be used: the default takes its place, except where the default might connect
 * a qube to something it was not connected to. There it is "none".
 */
static void
fall_back(const struct property_owner *owner, const struct property *property)
{
	struct property_value none = {.none = true};

	if (owner->domain == NULL || property->type != PROPERTY_TYPE_DOMAIN)
		return;
	if (property == &property_domain_table[PROPERTY_NETVM] ||
	    property == &property_domain_table[PROPERTY_DEFAULT_DISPVM])
		property_assign(owner, property, &none);
}

static const char *
owner_name(const struct property_owner *owner)
{
	return owner->domain != NULL ? domain_name(owner->domain) : "global";
}

static void
keep_property(GPtrArray *raw, const char *name, xmlNode *node)
{
	g_ptr_array_add(raw, g_strdup(name != NULL ? name : ""));
	g_ptr_array_add(raw, xml_dump(node));
}

/* Not what is computed, and not what read_identity() has read already. dom0's label is written. */
static bool
is_stored(const struct property_owner *owner, const struct property *property)
{
	if (owner->domain == NULL)
		return !property_is_readonly(owner, property);
	if (property == &property_domain_table[PROPERTY_LABEL] ||
	    property == &property_domain_table[PROPERTY_DISPID])
		return true;
	return !property_is_readonly(owner, property) &&
	       (property->flags & PROPERTY_FLAG_WRITE_ONCE) == 0;
}

/* One <property>, when it is of the stage. Values that cannot be used are kept beside. */
static void
read_property(const struct property_owner *owner, xmlNode *node, int stage, GPtrArray *raw)
{
	g_autofree char *name = xml_attribute(node, "name");
	g_autofree char *text = xml_attribute(node, "ref");
	const struct property *property = NULL;
	struct property_value value;

	if (text == NULL)
		text = xml_content(node);
	if (xml_is_element(node, "property") && name != NULL) {
		if (!modernise(&name, &text))
			return;
		property = property_find(owner, name);
	}
	if (property == NULL) {
		if (stage == PROPERTY_STAGE_PLAIN)
			keep_property(raw, name, node);
		return;
	}
	if (property->stage != stage || !is_stored(owner, property))
		return;
	if (property_parse(owner, property, text, &value)) {
		property_assign(owner, property, &value);
		return;
	}
	log_warn("store: line %ld: %s: property '%s' cannot be used", xmlGetLineNo(node),
	    owner_name(owner), property->name);
	keep_property(raw, property->name, node);
	fall_back(owner, property);
}

static void
read_properties(const struct property_owner *owner, xmlNode *parent, int stage, GPtrArray *raw)
{
	for (xmlNode *section = parent->children; section != NULL; section = section->next) {
		if (!xml_is_element(section, "properties"))
			continue;
		for (xmlNode *node = section->children; node != NULL; node = node->next) {
			if (node->type == XML_ELEMENT_NODE)
				read_property(owner, node, stage, raw);
		}
	}
}

/* The text of a property of a domain, before there is a domain; NULL. */
static char *
peek_property(const xmlNode *domain, const char *wanted)
{
	for (xmlNode *section = domain->children; section != NULL; section = section->next) {
		if (!xml_is_element(section, "properties"))
			continue;
		for (xmlNode *node = section->children; node != NULL; node = node->next) {
			g_autofree char *name =
			    xml_is_element(node, "property") ? xml_attribute(node, "name") : NULL;

			if (g_strcmp0(name, wanted) == 0)
				return xml_content(node);
		}
	}
	return NULL;
}

/* --- domains: what does not refer to others ------------------------------------------------- */

/* The feature of old stores: off means that the qube stays at its initial memory. */
static void
read_meminfo_writer(struct domain *domain, const char *value)
{
	struct property_owner owner = domain_owner(domain);
	const struct property *maxmem = &property_domain_table[PROPERTY_MAXMEM];
	struct property_value zero = {0};

	if ((value[0] == '\0' || strcmp(value, "0") == 0) && property_applies(&owner, maxmem) &&
	    !property_is_readonly(&owner, maxmem))
		property_assign(&owner, maxmem, &zero);
}

static void
read_features(struct domain *domain, xmlNode *section)
{
	for (xmlNode *node = section->children; node != NULL; node = node->next) {
		g_autofree char *name =
		    xml_is_element(node, "feature") ? xml_attribute(node, "name") : NULL;
		g_autofree char *value = xml_content(node);

		if (name != NULL && strcmp(name, "service.meminfo-writer") == 0) {
			read_meminfo_writer(domain, value);
		} else if (name != NULL && grammar_is_feature_name(name) &&
			   grammar_is_printable(value) &&
			   domain_feature(domain, FEATURE_OWN, name) == NULL) {
			domain_feature_load(domain, name, value);
		} else {
			xml_keep(domain_raw(domain, DOMAIN_RAW_FEATURES), node);
		}
	}
}

static void
read_tags(struct domain *domain, xmlNode *section)
{
	for (xmlNode *node = section->children; node != NULL; node = node->next) {
		g_autofree char *name =
		    xml_is_element(node, "tag") ? xml_attribute(node, "name") : NULL;

		if (name != NULL && grammar_is_tag(name))
			domain_tag_load(domain, name);
		else
			xml_keep(domain_raw(domain, DOMAIN_RAW_TAGS), node);
	}
}

static void
read_volumes(struct domain *domain, xmlNode *section)
{
	for (xmlNode *node = section->children; node != NULL; node = node->next) {
		g_autoptr(GPtrArray) attributes = g_ptr_array_new_with_free_func(g_free);
		struct volume *volume = NULL;

		if (xml_is_element(node, "volume") && node->nsDef == NULL &&
		    node->children == NULL) {
			xml_keep_attributes(attributes, node, (const char *const[]){NULL});
			volume = volume_decode(attributes);
		}
		if (volume != NULL && volume_find(domain_volumes(domain), volume->name) == NULL) {
			domain_volume_load(domain, volume);
			continue;
		}
		volume_free(volume);
		if (node->type == XML_ELEMENT_NODE)
			log_warn("store: line %ld: a volume of %s cannot be used",
			    xmlGetLineNo(node), domain_name(domain));
		xml_keep(domain_raw(domain, DOMAIN_RAW_VOLUMES), node);
	}
}

static void
read_parts(struct domain *domain, xmlNode *entry)
{
	for (xmlNode *node = entry->children; node != NULL; node = node->next) {
		if (xml_is_element(node, "features"))
			read_features(domain, node);
		else if (xml_is_element(node, "tags"))
			read_tags(domain, node);
		else if (xml_is_element(node, "volume-config") && node->properties == NULL &&
			 node->nsDef == NULL)
			read_volumes(domain, node);
		else if (!xml_is_element(node, "properties"))
			xml_keep(domain_raw(domain, DOMAIN_RAW_ELEMENTS), node);
	}
}

static void
break_domain(struct domain *domain, xmlNode *entry, const char *why)
{
	g_autofree char *klass = xml_attribute(entry, "class");
	g_autofree char *xml = NULL;

	if (domain_is_broken(domain))
		return;
	log_warn("store: line %ld: %s cannot be used: %s", xmlGetLineNo(entry), domain_name(domain),
	    why);
	xml = xml_dump(entry);
	domain_set_broken(
	    domain, klass != NULL && grammar_is_label(klass) ? klass : "Unknown", xml);
}

static void
refuse(struct reader *reader, const xmlNode *node, const char *what, const char *value)
{
	if (reader->refusal == NULL)
		reader->refusal =
		    g_strdup_printf("line %ld, column 1: %s %s", xmlGetLineNo(node), what, value);
}

static void
give_identity(struct domain *domain, const char *name, int64_t qid, const char *uuid)
{
	struct property_owner owner = domain_owner(domain);
	struct property_value name_value = {.text = g_strdup(name)};
	struct property_value qid_value = {.number = qid};
	struct property_value uuid_value = {.text = g_strdup(uuid)};

	property_assign(&owner, &property_domain_table[PROPERTY_NAME], &name_value);
	property_assign(&owner, &property_domain_table[PROPERTY_QID], &qid_value);
	property_assign(&owner, &property_domain_table[PROPERTY_UUID], &uuid_value);
}

/* Name, number and UUID of an ordinary domain. NULL: it has none that could be listed. */
static struct domain *
read_identity(struct reader *reader, xmlNode *entry, enum domain_class klass)
{
	g_autofree char *name = peek_property(entry, "name");
	g_autofree char *uuid = peek_property(entry, "uuid");
	g_autofree char *qid_text = peek_property(entry, "qid");
	g_autofree char *id = xml_attribute(entry, "id");
	g_autofree char *lower = NULL;
	struct domain *domain;
	int64_t qid = 0;

	if (name == NULL || !text_is_qube_name(name) || strcmp(name, "dom0") == 0)
		return NULL;
	if (qid_text != NULL ? !grammar_parse_int(qid_text, &qid)
			     : !parse_numbered_id(id, "domain-", &qid))
		return NULL;
	if (qid < 1 || qid > DOMAIN_QID_MAX)
		return NULL;
	lower = uuid != NULL ? g_ascii_strdown(uuid, -1) : NULL;
	if (lower == NULL || !text_is_uuid(lower)) {
		log_warn("store: line %ld: %s has no usable UUID and gets a new one",
		    xmlGetLineNo(entry), name);
		g_free(lower);
		lower = g_uuid_string_random();
	}

	if (qubes_app_find(reader->app, name) != NULL)
		refuse(reader, entry, "there are two domains with the name", name);
	if (qubes_app_find_qid(reader->app, (uint32_t)qid) != NULL)
		refuse(reader, entry, "there are two domains with the qid of", name);
	if (qubes_app_find_uuid(reader->app, lower) != NULL)
		refuse(reader, entry, "there are two domains with the UUID", lower);
	if (reader->refusal != NULL)
		return NULL;
	domain = domain_new(reader->app, klass);
	give_identity(domain, name, qid, lower);
	return domain;
}

static void
read_domain(struct reader *reader, xmlNode *entry)
{
	g_autofree char *klass_text = xml_attribute(entry, "class");
	enum domain_class klass =
	    klass_text != NULL ? domain_class_from_name(klass_text) : DOMAIN_UNKNOWN;
	struct domain *domain;
	struct property_owner owner;

	if (klass == DOMAIN_ADMIN && qubes_app_dom0(reader->app) != NULL) {
		refuse(reader, entry, "there is a second", "dom0");
		return;
	}
	domain = klass == DOMAIN_ADMIN ? domain_new(reader->app, klass)
				       : read_identity(reader, entry, klass);
	if (domain == NULL) {
		if (reader->refusal == NULL)
			log_warn("store: line %ld: a domain without a usable name or qid is kept "
				 "as it is",
			    xmlGetLineNo(entry));
		xml_keep(qubes_app_raw(reader->app, APP_RAW_DOMAINS), entry);
		return;
	}

	g_hash_table_insert(reader->nodes, domain, entry);
	owner = domain_owner(domain);
	xml_keep_attributes(domain_raw(domain, DOMAIN_RAW_ATTRIBUTES), entry,
	    (const char *const[]){"id", "class", NULL});
	read_properties(
	    &owner, entry, PROPERTY_STAGE_PLAIN, domain_raw(domain, DOMAIN_RAW_PROPERTIES));
	read_parts(domain, entry);
	qubes_app_insert_domain(reader->app, domain);
	if (klass == DOMAIN_UNKNOWN)
		break_domain(domain, entry, "unknown class");
	else if (domain_label(domain) == NULL)
		break_domain(domain, entry, "no usable label");
	else if (klass == DOMAIN_DISP && domain_int(domain, PROPERTY_DISPID) < 0)
		break_domain(domain, entry, "no dispid");
}

static void
read_domains(struct reader *reader, xmlNode *section)
{
	for (xmlNode *node = section->children; node != NULL; node = node->next) {
		if (xml_is_element(node, "domain"))
			read_domain(reader, node);
		else
			xml_keep(qubes_app_raw(reader->app, APP_RAW_DOMAINS), node);
	}
}

/* --- references and consistency ------------------------------------------------------------- */

static bool
template_fits(const struct domain *domain)
{
	const struct domain *template = domain_template(domain);

	switch (domain_class(domain)) {
	case DOMAIN_APP:
		return template != NULL && domain_class(template) == DOMAIN_TEMPLATE;
	case DOMAIN_DISP:
		return template != NULL && (domain_class(template) == DOMAIN_APP ||
					       domain_class(template) == DOMAIN_STANDALONE);
	default:
		return true;
	}
}

static void
disconnect(struct domain *domain, const char *why)
{
	struct property_owner owner = domain_owner(domain);
	struct property_value none = {.none = true};

	log_warn("store: %s: no netvm any more: %s", domain_name(domain), why);
	property_assign(&owner, &property_domain_table[PROPERTY_NETVM], &none);
}

static void
check_netvm(struct domain *domain)
{
	struct domain *netvm = domain_netvm(domain);

	if (netvm == NULL)
		return;
	if (!domain_bool(netvm, PROPERTY_PROVIDES_NETWORK))
		disconnect(domain, "it does not provide network");
	else if (network_would_loop(domain, netvm))
		disconnect(domain, "the networks formed a loop");
}

static void
read_references(struct reader *reader)
{
	const GPtrArray *domains = qubes_app_domains(reader->app);

	for (guint i = 0; i < domains->len; i++) {
		struct domain *domain = domains->pdata[i];
		struct property_owner owner = domain_owner(domain);
		xmlNode *entry = g_hash_table_lookup(reader->nodes, domain);

		read_properties(&owner, entry, PROPERTY_STAGE_REFERENCES,
		    domain_raw(domain, DOMAIN_RAW_PROPERTIES));
		if (!template_fits(domain))
			break_domain(domain, entry, "no usable template");
	}
	for (guint i = 0; i < domains->len; i++)
		check_netvm(domains->pdata[i]);
}

/* --- the whole ------------------------------------------------------------------------------ */

static void
read_top(struct reader *reader, xmlNode *root)
{
	struct property_owner owner = qubes_app_owner(reader->app);

	xml_keep_attributes(
	    qubes_app_raw(reader->app, APP_RAW_ATTRIBUTES), root, (const char *const[]){NULL});
	for (xmlNode *node = root->children; node != NULL; node = node->next) {
		if (xml_is_element(node, "labels"))
			read_section(reader->app, node, APP_RAW_LABELS, read_label);
		else if (xml_is_element(node, "pools"))
			read_section(reader->app, node, APP_RAW_POOLS, read_pool);
		else if (!xml_is_element(node, "properties") && !xml_is_element(node, "domains"))
			xml_keep(qubes_app_raw(reader->app, APP_RAW_ELEMENTS), node);
	}
	for (xmlNode *node = root->children; node != NULL; node = node->next) {
		if (xml_is_element(node, "domains"))
			read_domains(reader, node);
	}
	if (qubes_app_dom0(reader->app) == NULL)
		refuse(reader, root, "there is no", "dom0");
	if (reader->refusal != NULL)
		return;
	read_properties(
	    &owner, root, PROPERTY_STAGE_PLAIN, qubes_app_raw(reader->app, APP_RAW_PROPERTIES));
	read_references(reader);
}

int
store_parse(const void *bytes, size_t len, struct qubes_app **ret, char **ret_message)
{
	static const struct xml_limits limits = {STORE_MAX_BYTES, STORE_MAX_DEPTH};
	struct reader reader = {0};
	xmlDoc *doc = xml_read(bytes, len, &limits, ret_message);
	xmlNode *root;

	if (doc == NULL)
		return -EPROTO;
	reader.app = qubes_app_new();
	reader.nodes = g_hash_table_new(NULL, NULL);
	root = xmlDocGetRootElement(doc);
	if (xml_is_element(root, "qubes"))
		read_top(&reader, root);
	else
		refuse(&reader, root, "the root is not", "<qubes>");
	g_hash_table_unref(reader.nodes);
	xmlFreeDoc(doc);
	if (reader.refusal != NULL) {
		*ret_message = reader.refusal;
		qubes_app_free(reader.app);
		return -EPROTO;
	}
	*ret = reader.app;
	return 0;
}
