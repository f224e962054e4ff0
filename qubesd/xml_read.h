/*
 * xml_read - XML into a tree, within limits that hold before there is a tree; and small looks at it.
 *
 * A document type ends the parse, so no entity is ever defined and nothing is fetched; so does an
 * element that lies too deep. Strings that come back are new, for g_free().
 */
#ifndef QUBESD_XML_READ_H
#define QUBESD_XML_READ_H

#include <glib.h>
#include <libxml/tree.h>
#include <stdbool.h>
#include <stddef.h>

struct xml_limits {
	size_t bytes;
	unsigned depth; /* of elements; the root is 1 */
};

/* The tree, for xmlFreeDoc(); or NULL with a sentence in *ret_message that names line and column. */
xmlDoc *xml_read(
    const void *bytes, size_t len, const struct xml_limits *limits, char **ret_message);

bool xml_is_element(const xmlNode *node, const char *name);
char *xml_attribute(const xmlNode *node, const char *name); /* NULL: there is none */
char *xml_content(const xmlNode *node);                     /* all text in it */
char *xml_dump(xmlNode *node);                              /* as XML */
/* Adds an element or a comment as XML; other nodes are white space and not kept. */
void xml_keep(GPtrArray *raw, xmlNode *node);
/* Adds every attribute whose name is not known, and every namespace: names and values in turn. */
void xml_keep_attributes(GPtrArray *raw, xmlNode *node, const char *const *known);

#endif
