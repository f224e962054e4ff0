#include "qubesd/saved_image.h"

#include "qubesd/domain_xml.h"

#include <assert.h>
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#define MAGIC "LibvirtQemudSave"
#define VERSION 2
#define BLOCK 4096

struct header {
	char magic[sizeof(MAGIC) - 1];
	uint32_t version, text_len, was_running, compressed, notes_at;
	uint32_t unused[14];
};
static_assert(sizeof(struct header) == 92, "libvirt's layout");

/* --- reading -------------------------------------------------------------------------------- */

static bool
is_known(const struct header *header)
{
	return memcmp(header->magic, MAGIC, sizeof(header->magic)) == 0 &&
	       header->version == VERSION && header->compressed == 0 && header->text_len > 1 &&
	       header->text_len <= SAVED_IMAGE_TEXT_MAX;
}

int
saved_image_parse(const void *bytes, size_t len, struct saved_image *ret)
{
	struct header header;
	const char *text;
	size_t description;

	if (len < sizeof(header))
		return -ENOTSUP;
	memcpy(&header, bytes, sizeof(header));
	if (!is_known(&header) || len - sizeof(header) < header.text_len)
		return -ENOTSUP;
	text = (const char *)bytes + sizeof(header);
	description = strnlen(text, header.text_len);
	if (description == 0 || description == header.text_len)
		return -ENOTSUP;
	if (header.notes_at != 0 &&
	    (header.notes_at <= description || header.notes_at >= header.text_len ||
		memchr(text + header.notes_at, '\0', header.text_len - header.notes_at) == NULL))
		return -ENOTSUP;
	ret->text = text;
	ret->text_len = header.text_len;
	ret->notes_at = header.notes_at;
	ret->stream_at = sizeof(header) + header.text_len;
	return 0;
}

/* --- another identity ----------------------------------------------------------------------- */

static bool
is_element(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

static xmlNodePtr
child_of(xmlNodePtr parent, const char *name)
{
	for (xmlNodePtr node = parent != NULL ? parent->children : NULL; node != NULL;
	     node = node->next)
		if (is_element(node, name))
			return node;
	return NULL;
}

static bool
has_attribute(xmlNodePtr node, const char *name, const char *value)
{
	xmlChar *found = node != NULL ? xmlGetNoNsProp(node, BAD_CAST name) : NULL;
	bool equal = found != NULL && strcmp((const char *)found, value) == 0;

	xmlFree(found);
	return equal;
}

/* -ENOTSUP when the element or its attribute is not there. */
static int
set_attribute(xmlNodePtr node, const char *name, const char *value)
{
	if (node == NULL || xmlHasProp(node, BAD_CAST name) == NULL)
		return -ENOTSUP;
	xmlSetProp(node, BAD_CAST name, BAD_CAST value);
	return 0;
}

static int
set_text(xmlNodePtr parent, const char *element, const char *value)
{
	xmlNodePtr node = child_of(parent, element);
	xmlNodePtr text;

	if (node == NULL)
		return -ENOTSUP;
	text = xmlNewText(BAD_CAST value); /* which escapes; as content it would be parsed */
	xmlNodeSetContent(node, NULL);
	xmlAddChild(node, text);
	return 0;
}

/* Our mark alone: a machine that runs to be saved has none. */
static void
set_mark(xmlNodePtr domain, const struct saved_identity *identity)
{
	g_autofree char *xid = g_strdup_printf("%" G_GUINT32_FORMAT, identity->xid);
	xmlNodePtr metadata = child_of(domain, "metadata"), mark;

	if (metadata != NULL) {
		xmlUnlinkNode(metadata);
		xmlFreeNode(metadata);
	}
	metadata = xmlNewNode(NULL, BAD_CAST "metadata");
	xmlAddNextSibling(child_of(domain, "uuid"), metadata);
	mark = xmlNewChild(metadata, NULL, BAD_CAST "qube", NULL);
	xmlSetNs(mark, xmlNewNs(mark, BAD_CAST DOMAIN_XML_NAMESPACE, BAD_CAST DOMAIN_XML_PREFIX));
	xmlNewProp(mark, BAD_CAST "class", BAD_CAST identity->klass);
	xmlNewProp(mark, BAD_CAST "xid", BAD_CAST xid);
}

static const char *
path_of_disk(xmlNodePtr disk, const struct saved_identity *identity)
{
	xmlNodePtr serial = child_of(disk, "serial");
	xmlChar *name = serial != NULL ? xmlNodeGetContent(serial) : NULL;
	const char *path = NULL;

	for (size_t i = 0; name != NULL && i < identity->volume_count; i++)
		if (strcmp(identity->volumes[i].name, (const char *)name) == 0)
			path = identity->volumes[i].path;
	xmlFree(name);
	return path;
}

static int
set_disk(xmlNodePtr disk, const struct saved_identity *identity)
{
	const char *path = path_of_disk(disk, identity);

	if (path == NULL)
		return -ENOTSUP;
	return set_attribute(child_of(disk, "source"), "file", path);
}

static int
set_channel(xmlNodePtr channel, const struct saved_identity *identity)
{
	if (!has_attribute(child_of(channel, "target"), "name", DOMAIN_XML_PORT))
		return -ENOTSUP;
	return set_attribute(child_of(channel, "source"), "path", identity->port_path);
}

/* libvirt shows the first serial port as a console once more. */
static int
set_serial(xmlNodePtr serial, const struct saved_identity *identity)
{
	return set_attribute(child_of(serial, "source"), "path", identity->console_path);
}

static int
set_devices(xmlNodePtr devices, const struct saved_identity *identity)
{
	size_t disks = 0;

	for (xmlNodePtr node = devices != NULL ? devices->children : NULL; node != NULL;
	     node = node->next) {
		int r = 0;

		if (is_element(node, "disk")) {
			disks++;
			r = set_disk(node, identity);
		} else if (is_element(node, "channel")) {
			r = set_channel(node, identity);
		} else if (is_element(node, "serial") || is_element(node, "console")) {
			r = set_serial(node, identity);
		}
		if (r < 0)
			return r;
	}
	return disks == identity->volume_count ? 0 : -ENOTSUP;
}

static int
set_identity(xmlNodePtr domain, const struct saved_identity *identity)
{
	int r = domain != NULL && is_element(domain, "domain") ? 0 : -ENOTSUP;

	if (r == 0)
		r = set_text(domain, "name", identity->name);
	if (r == 0)
		r = set_text(domain, "uuid", identity->uuid);
	if (r < 0)
		return r;
	set_mark(domain, identity);
	return set_devices(child_of(domain, "devices"), identity);
}

/* --- the new head --------------------------------------------------------------------------- */

static GByteArray *
assemble(const struct saved_image *image, const char *description, size_t len)
{
	const char *notes = image->text + image->notes_at;
	size_t notes_len = image->notes_at != 0 ? strlen(notes) + 1 : 0;
	size_t used = len + 1 + notes_len;
	size_t stream_at = sizeof(struct header) + used;
	struct header header = {
	    .version = VERSION,
	    .was_running = 0, /* whoever restores it says when it goes on */
	    .notes_at = image->notes_at != 0 ? (uint32_t)len + 1 : 0,
	};
	GByteArray *head = g_byte_array_new();

	stream_at += (BLOCK + image->stream_at % BLOCK - stream_at % BLOCK) % BLOCK;
	memcpy(header.magic, MAGIC, sizeof(header.magic));
	header.text_len = (uint32_t)(stream_at - sizeof(header));
	g_byte_array_append(head, (const guint8 *)&header, sizeof(header));
	g_byte_array_append(head, (const guint8 *)description, (guint)len);
	g_byte_array_append(head, (const guint8 *)"", 1);
	g_byte_array_append(head, (const guint8 *)notes, (guint)notes_len);
	used = head->len;
	g_byte_array_set_size(head, (guint)stream_at);
	memset(head->data + used, 0, head->len - used);
	return head;
}

int
saved_image_head_new(
    const struct saved_image *image, const struct saved_identity *identity, GByteArray **ret)
{
	xmlDocPtr document = xmlReadMemory(image->text, (int)strlen(image->text), NULL, NULL,
	    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	xmlNodePtr domain = document != NULL ? xmlDocGetRootElement(document) : NULL;
	xmlBufferPtr buffer;
	int r = set_identity(domain, identity);

	if (r == 0) {
		buffer = xmlBufferCreate();
		xmlNodeDump(buffer, document, domain, 0, 0);
		if (xmlBufferLength(buffer) > (int)SAVED_IMAGE_TEXT_MAX / 2)
			r = -ENOTSUP;
		else
			*ret = assemble(image, (const char *)xmlBufferContent(buffer),
			    (size_t)xmlBufferLength(buffer));
		xmlBufferFree(buffer);
	}
	xmlFreeDoc(document);
	return r;
}
