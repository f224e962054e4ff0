/*
 * The reader of qubes.xml. The file is the daemon's own, but it may be cut short, edited by hand,
 * written by an older or a newer version, or put there by somebody who got at a backup. What the
 * header promises about limits is enforced while libxml2 parses, before a tree is built: a document
 * type ends the parse, so no entity is ever defined; elements have a depth; nothing is fetched.
 *
 * After that the order is that of docs/qubesd.md: labels and pools, domains with whatever does not
 * refer to others, global properties, references, consistency.
 */
#include "qubesd/grammar.h"
#include "qubesd/network.h"
#include "qubesd/store.h"
#include "shared/log.h"
#include "shared/text.h"

#include <errno.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

/* --- parsing, within limits ----------------------------------------------------------------- */

struct limits {
	unsigned depth;
	const char *broken; /* a sentence's end, or NULL */
	int line, column;
};

static void
stop(xmlParserCtxt *parser, const char *why)
{
	struct limits *limits = parser->_private;

	if (limits->broken == NULL) {
		limits->broken = why;
		limits->line = xmlSAX2GetLineNumber(parser);
		limits->column = xmlSAX2GetColumnNumber(parser);
	}
	xmlStopParser(parser);
}

static void
on_document_type(
    void *data, const xmlChar *name, const xmlChar *public_id, const xmlChar *system_id)
{
	(void)name, (void)public_id, (void)system_id;
	stop(data, "a document type is not allowed");
}

static void
on_element(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
    int namespace_count, const xmlChar **namespaces, int attribute_count, int default_count,
    const xmlChar **attributes)
{
	xmlParserCtxt *parser = data;
	struct limits *limits = parser->_private;

	if (++limits->depth > STORE_MAX_DEPTH) {
		stop(parser, "elements are nested too deeply");
		return;
	}
	xmlSAX2StartElementNs(data, name, prefix, uri, namespace_count, namespaces, attribute_count,
	    default_count, attributes);
}

static void
on_element_end(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	xmlParserCtxt *parser = data;
	struct limits *limits = parser->_private;

	limits->depth--;
	xmlSAX2EndElementNs(data, name, prefix, uri);
}

static void
on_nothing(void *data, const xmlError *error)
{
	(void)data, (void)error; /* libxml2 would print it; the parser keeps it for us */
}

/* The tree, or NULL with a sentence in *ret_message. */
static xmlDoc *
parse_xml(const void *bytes, size_t len, char **ret_message)
{
	const int options =
	    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_BIG_LINES;
	struct limits limits = {0};
	xmlParserCtxt *parser;
	xmlDoc *doc;

	if (len > STORE_MAX_BYTES) {
		*ret_message = g_strdup("the file is too large");
		return NULL;
	}
	parser = xmlNewParserCtxt();
	parser->_private = &limits;
	parser->sax->serror = (xmlStructuredErrorFunc)on_nothing;
	parser->sax->internalSubset = on_document_type;
	parser->sax->startElementNs = on_element;
	parser->sax->endElementNs = on_element_end;
	doc = xmlCtxtReadMemory(parser, bytes, (int)len, NULL, NULL, options);
	if (limits.broken != NULL) {
		*ret_message = g_strdup_printf(
		    "line %d, column %d: %s", limits.line, limits.column, limits.broken);
	} else if (doc == NULL) {
		const xmlError *error = &parser->lastError;
		g_autofree char *text =
		    text_ascii(error->message != NULL ? error->message : "not XML",
			error->message != NULL ? strcspn(error->message, "\n") : 7);

		*ret_message = g_strdup_printf(
		    "line %d, column %d: %s", MAX(error->line, 1), MAX(error->int2, 1), text);
	}
	if (limits.broken != NULL && doc != NULL)
		g_clear_pointer(&doc, xmlFreeDoc);
	if (doc == NULL && parser->myDoc != NULL) {
		xmlFreeDoc(parser->myDoc);
		parser->myDoc = NULL;
	}
	xmlFreeParserCtxt(parser);
	return doc;
}

/* --- looking at the tree -------------------------------------------------------------------- */

static bool
is_element(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

/* New strings; NULL when there is no such attribute. */
static char *
attribute(const xmlNode *node, const char *name)
{
	xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);
	char *copy = g_strdup((const char *)value);

	xmlFree(value);
	return copy;
}

static char *
content(const xmlNode *node)
{
	xmlChar *text = xmlNodeGetContent(node);
	char *copy = g_strdup(text != NULL ? (const char *)text : "");

	xmlFree(text);
	return copy;
}

static char *
dump(xmlNode *node)
{
	xmlBuffer *buffer = xmlBufferCreate();
	char *text;

	xmlNodeDump(buffer, node->doc, node, 0, 0);
	text = g_strdup((const char *)xmlBufferContent(buffer));
	xmlBufferFree(buffer);
	return text;
}

/* Elements and comments that are not ours are kept; white space is not. */
static void
keep(GPtrArray *raw, xmlNode *node)
{
	if (node->type == XML_ELEMENT_NODE || node->type == XML_COMMENT_NODE)
		g_ptr_array_add(raw, dump(node));
}

static char *
qualified_name(const xmlNs *namespace, const xmlChar *name)
{
	if (namespace == NULL || namespace->prefix == NULL)
		return g_strdup((const char *)name);
	return g_strconcat((const char *)namespace->prefix, ":", (const char *)name, NULL);
}

/* Every attribute whose name is not in the list, and every namespace, as pairs. */
static void
keep_attributes(GPtrArray *raw, xmlNode *node, const char *const *known)
{
	for (const xmlNs *ns = node->nsDef; ns != NULL; ns = ns->next) {
		g_ptr_array_add(raw, ns->prefix != NULL
					 ? g_strconcat("xmlns:", (const char *)ns->prefix, NULL)
					 : g_strdup("xmlns"));
		g_ptr_array_add(raw, g_strdup(ns->href != NULL ? (const char *)ns->href : ""));
	}
	for (const xmlAttr *attr = node->properties; attr != NULL; attr = attr->next) {
		char *name = qualified_name(attr->ns, attr->name);
		xmlChar *value;

		if (g_strv_contains(known, name)) {
			g_free(name);
			continue;
		}
		value = xmlNodeListGetString(node->doc, attr->children, 1);
		g_ptr_array_add(raw, name);
		g_ptr_array_add(raw, g_strdup(value != NULL ? (const char *)value : ""));
		xmlFree(value);
	}
}

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
	g_autofree char *id = attribute(node, "id");
	g_autofree char *colour_text = attribute(node, "color");
	g_autofree char *name = content(node);
	const struct label *same, *other;
	int64_t index;
	uint32_t colour;

	if (!is_element(node, "label") || !parse_numbered_id(id, "label-", &index) || index < 1 ||
	    index > G_MAXINT || colour_text == NULL ||
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
	g_autofree char *name = attribute(node, "name");
	g_autofree char *driver = attribute(node, "driver");
	struct pool *pool;

	if (!is_element(node, "pool") || name == NULL || !grammar_is_pool(name) || driver == NULL ||
	    !grammar_is_pool(driver) || qubes_app_pool(app, name) != NULL || node->nsDef != NULL)
		return false;
	pool = pool_new(name, driver);
	keep_attributes(pool->config, node, (const char *const[]){"name", "driver", NULL});
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
		keep(qubes_app_raw(app, raw), node);
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
	g_ptr_array_add(raw, dump(node));
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
	g_autofree char *name = attribute(node, "name");
	g_autofree char *text = attribute(node, "ref");
	const struct property *property = NULL;
	struct property_value value;

	if (text == NULL)
		text = content(node);
	if (is_element(node, "property") && name != NULL) {
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
		if (!is_element(section, "properties"))
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
		if (!is_element(section, "properties"))
			continue;
		for (xmlNode *node = section->children; node != NULL; node = node->next) {
			g_autofree char *name =
			    is_element(node, "property") ? attribute(node, "name") : NULL;

			if (g_strcmp0(name, wanted) == 0)
				return content(node);
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
		    is_element(node, "feature") ? attribute(node, "name") : NULL;
		g_autofree char *value = content(node);

		if (name != NULL && strcmp(name, "service.meminfo-writer") == 0) {
			read_meminfo_writer(domain, value);
		} else if (name != NULL && grammar_is_feature_name(name) &&
			   grammar_is_printable(value) &&
			   domain_feature(domain, FEATURE_OWN, name) == NULL) {
			domain_feature_load(domain, name, value);
		} else {
			keep(domain_raw(domain, DOMAIN_RAW_FEATURES), node);
		}
	}
}

static void
read_tags(struct domain *domain, xmlNode *section)
{
	for (xmlNode *node = section->children; node != NULL; node = node->next) {
		g_autofree char *name = is_element(node, "tag") ? attribute(node, "name") : NULL;

		if (name != NULL && grammar_is_tag(name))
			domain_tag_load(domain, name);
		else
			keep(domain_raw(domain, DOMAIN_RAW_TAGS), node);
	}
}

static void
read_parts(struct domain *domain, xmlNode *entry)
{
	for (xmlNode *node = entry->children; node != NULL; node = node->next) {
		if (is_element(node, "features"))
			read_features(domain, node);
		else if (is_element(node, "tags"))
			read_tags(domain, node);
		else if (!is_element(node, "properties"))
			keep(domain_raw(domain, DOMAIN_RAW_ELEMENTS), node);
	}
}

static void
break_domain(struct domain *domain, xmlNode *entry, const char *why)
{
	g_autofree char *klass = attribute(entry, "class");
	g_autofree char *xml = NULL;

	if (domain_is_broken(domain))
		return;
	log_warn("store: line %ld: %s cannot be used: %s", xmlGetLineNo(entry), domain_name(domain),
	    why);
	xml = dump(entry);
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
	g_autofree char *id = attribute(entry, "id");
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
	g_autofree char *klass_text = attribute(entry, "class");
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
		keep(qubes_app_raw(reader->app, APP_RAW_DOMAINS), entry);
		return;
	}

	g_hash_table_insert(reader->nodes, domain, entry);
	owner = domain_owner(domain);
	keep_attributes(domain_raw(domain, DOMAIN_RAW_ATTRIBUTES), entry,
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
		if (is_element(node, "domain"))
			read_domain(reader, node);
		else
			keep(qubes_app_raw(reader->app, APP_RAW_DOMAINS), node);
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

	keep_attributes(
	    qubes_app_raw(reader->app, APP_RAW_ATTRIBUTES), root, (const char *const[]){NULL});
	for (xmlNode *node = root->children; node != NULL; node = node->next) {
		if (is_element(node, "labels"))
			read_section(reader->app, node, APP_RAW_LABELS, read_label);
		else if (is_element(node, "pools"))
			read_section(reader->app, node, APP_RAW_POOLS, read_pool);
		else if (!is_element(node, "properties") && !is_element(node, "domains"))
			keep(qubes_app_raw(reader->app, APP_RAW_ELEMENTS), node);
	}
	for (xmlNode *node = root->children; node != NULL; node = node->next) {
		if (is_element(node, "domains"))
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
	struct reader reader = {0};
	xmlDoc *doc = parse_xml(bytes, len, ret_message);
	xmlNode *root;

	if (doc == NULL)
		return -EPROTO;
	reader.app = qubes_app_new();
	reader.nodes = g_hash_table_new(NULL, NULL);
	/* The tree is UTF-8 whatever the file was; what is kept verbatim is written as such. */
	xmlFree((xmlChar *)doc->encoding);
	doc->encoding = xmlStrdup((const xmlChar *)"UTF-8");
	root = xmlDocGetRootElement(doc);
	if (is_element(root, "qubes"))
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
