#include "qubesd/xml_read.h"

#include "shared/text.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <string.h>

/* --- parsing, within limits ----------------------------------------------------------------- */

/* Hangs on the parser while it runs. */
struct progress {
	const struct xml_limits *limits;
	unsigned depth;
	const char *broken; /* which limit, or NULL */
	int line, column;
};

static void
stop(xmlParserCtxt *parser, const char *why)
{
	struct progress *progress = parser->_private;

	if (progress->broken == NULL) {
		progress->broken = why;
		progress->line = xmlSAX2GetLineNumber(parser);
		progress->column = xmlSAX2GetColumnNumber(parser);
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
	struct progress *progress = parser->_private;

	if (++progress->depth > progress->limits->depth) {
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
	struct progress *progress = parser->_private;

	progress->depth--;
	xmlSAX2EndElementNs(data, name, prefix, uri);
}

static void
on_nothing(void *data, const xmlError *error)
{
	(void)data, (void)error; /* libxml2 would print it; the parser keeps it for us */
}

static xmlParserCtxt *
new_parser(struct progress *progress)
{
	xmlParserCtxt *parser = xmlNewParserCtxt();

	parser->_private = progress;
	parser->sax->serror = (xmlStructuredErrorFunc)on_nothing;
	parser->sax->internalSubset = on_document_type;
	parser->sax->startElementNs = on_element;
	parser->sax->endElementNs = on_element_end;
	return parser;
}

static char *
describe(const struct progress *progress, const xmlError *error)
{
	const char *message = error->message != NULL ? error->message : "not XML";
	g_autofree char *text = text_ascii(message, strcspn(message, "\n"));

	if (progress->broken != NULL)
		return g_strdup_printf(
		    "line %d, column %d: %s", progress->line, progress->column, progress->broken);
	return g_strdup_printf(
	    "line %d, column %d: %s", MAX(error->line, 1), MAX(error->int2, 1), text);
}

xmlDoc *
xml_read(const void *bytes, size_t len, const struct xml_limits *limits, char **ret_message)
{
	const int options =
	    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_BIG_LINES;
	struct progress progress = {.limits = limits};
	xmlParserCtxt *parser;
	xmlDoc *doc;

	if (len > limits->bytes) {
		*ret_message = g_strdup("the file is too large");
		return NULL;
	}
	parser = new_parser(&progress);
	doc = xmlCtxtReadMemory(parser, bytes, (int)len, NULL, NULL, options);
	if (doc != NULL && progress.broken != NULL) /* stopped where it was well formed so far */
		g_clear_pointer(&doc, xmlFreeDoc);
	if (doc == NULL)
		*ret_message = describe(&progress, &parser->lastError);
	xmlFreeParserCtxt(parser);
	if (doc == NULL)
		return NULL;
	/* The tree is UTF-8 whatever the file was; what is dumped is written as such. */
	xmlFree((xmlChar *)doc->encoding);
	doc->encoding = xmlStrdup((const xmlChar *)"UTF-8");
	return doc;
}

/* --- looking at the tree -------------------------------------------------------------------- */

bool
xml_is_element(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

char *
xml_attribute(const xmlNode *node, const char *name)
{
	xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);
	char *copy = g_strdup((const char *)value);

	xmlFree(value);
	return copy;
}

char *
xml_content(const xmlNode *node)
{
	xmlChar *text = xmlNodeGetContent(node);
	char *copy = g_strdup(text != NULL ? (const char *)text : "");

	xmlFree(text);
	return copy;
}

char *
xml_dump(xmlNode *node)
{
	xmlBuffer *buffer = xmlBufferCreate();
	char *text;

	xmlNodeDump(buffer, node->doc, node, 0, 0);
	text = g_strdup((const char *)xmlBufferContent(buffer));
	xmlBufferFree(buffer);
	return text;
}

/* Elements and comments that are not ours are kept; white space is not. */
void
xml_keep(GPtrArray *raw, xmlNode *node)
{
	if (node->type == XML_ELEMENT_NODE || node->type == XML_COMMENT_NODE)
		g_ptr_array_add(raw, xml_dump(node));
}

static char *
qualified_name(const xmlNs *namespace, const xmlChar *name)
{
	if (namespace == NULL || namespace->prefix == NULL)
		return g_strdup((const char *)name);
	return g_strconcat((const char *)namespace->prefix, ":", (const char *)name, NULL);
}

/* Every attribute whose name is not in the list, and every namespace, as pairs. */
void
xml_keep_attributes(GPtrArray *raw, xmlNode *node, const char *const *known)
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
