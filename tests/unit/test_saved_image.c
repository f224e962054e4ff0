#include "tests/unit/unit.h"

#include "qubesd/saved_image.h"

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <string.h>

#define HEADER 92
#define NOTES "<cookie><cpu/></cookie>"

static const char description[] =
    "<domain type='qemu'><name>saved-state</name>"
    "<uuid>11111111-1111-4111-8111-111111111111</uuid><memory>409600</memory><devices>"
    "<disk type='file' device='disk'><source file='/old/root.img' index='1'/>"
    "<target dev='vda'/><serial>root</serial></disk>"
    "<disk type='file' device='disk'><source "
    "file='/old/private.img'/><serial>private</serial></disk>"
    "<channel type='unix'><source mode='bind' path='/old/port'/>"
    "<target type='virtio' name='org.bordure.vchan'/></channel>"
    "<serial type='unix'><source mode='bind' path='/old/console'/></serial>"
    "<console type='unix'><source mode='bind' path='/old/console'/></console>"
    "</devices></domain>";

static const struct hypervisor_volume volumes[] = {
    {"root", "/new/<root>&.img", true, NULL},
    {"private", "/new/private.img", true, NULL},
};

static const struct saved_identity identity = {
    .name = "disp1234",
    .uuid = "2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21",
    .klass = "DispVM",
    .xid = 41,
    .volumes = volumes,
    .volume_count = G_N_ELEMENTS(volumes),
    .port_path = "/new/port",
    .console_path = "/new/console",
};

static void
put(GByteArray *image, size_t at, uint32_t value)
{
	memcpy(image->data + at, &value, sizeof(value));
}

/* As libvirt writes it, with so many zeros at the end of the text. */
static GByteArray *
image_of(const char *text, const char *notes, size_t zeros)
{
	GByteArray *image = g_byte_array_new();
	static const uint8_t none[4096];
	uint8_t header[HEADER] = {0};
	size_t text_len = strlen(text) + 1 + (notes != NULL ? strlen(notes) + 1 : 0) + zeros;

	memcpy(header, "LibvirtQemudSave", 16);
	g_byte_array_append(image, header, sizeof(header));
	put(image, 16, 2);
	put(image, 20, (uint32_t)text_len);
	put(image, 24, 1);
	put(image, 32, notes != NULL ? (uint32_t)strlen(text) + 1 : 0);
	g_byte_array_append(image, (const guint8 *)text, (guint)strlen(text) + 1);
	if (notes != NULL)
		g_byte_array_append(image, (const guint8 *)notes, (guint)strlen(notes) + 1);
	g_byte_array_append(image, none, (guint)zeros);
	g_byte_array_append(image, (const guint8 *)"QEVM", 4);
	return image;
}

static void
the_parts_of_an_image_are_found(void **state)
{
	g_autoptr(GByteArray) image = image_of(description, NOTES, 10);
	struct saved_image parts;

	(void)state;
	assert_int_equal(saved_image_parse(image->data, image->len, &parts), 0);
	assert_string_equal(parts.text, description);
	assert_string_equal(parts.text + parts.notes_at, NOTES);
	assert_memory_equal(image->data + parts.stream_at, "QEVM", 4);
	/* The head is enough, and every byte of it is needed. */
	assert_int_equal(saved_image_parse(image->data, parts.stream_at, &parts), 0);
	assert_int_equal(saved_image_parse(image->data, parts.stream_at - 1, &parts), -ENOTSUP);
	assert_int_equal(saved_image_parse(image->data, HEADER - 1, &parts), -ENOTSUP);
	assert_int_equal(saved_image_parse(image->data, 0, &parts), -ENOTSUP);
}

static void
an_image_of_another_form_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
	} changes[] = {
	    {0, 0}, /* another file, or one half written */
	    {16, 1},
	    {16, 3}, /* version */
	    {20, 0},
	    {20, 1},                                   /* no text */
	    {20, sizeof(description) - 1},             /* a description without an end */
	    {20, SAVED_IMAGE_TEXT_MAX + 1},            /* longer than any */
	    {20, UINT32_MAX},                          /* longer than the file */
	    {28, 1},                                   /* compressed */
	    {32, 1},                                   /* notes inside the description */
	    {32, sizeof(description) - 1},             /* the NUL before them */
	    {32, sizeof(description) + sizeof(NOTES)}, /* behind the text */
	    {32, UINT32_MAX},
	};
	struct saved_image parts;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
		g_autoptr(GByteArray) image = image_of(description, NOTES, 0);

		put(image, changes[i].at, changes[i].value);
		assert_int_equal(saved_image_parse(image->data, image->len, &parts), -ENOTSUP);
	}
}

static void
assert_value(xmlXPathContextPtr context, const char *expression, const char *expected)
{
	xmlXPathObjectPtr object = xmlXPathEvalExpression(BAD_CAST expression, context);
	xmlChar *value = xmlXPathCastToString(object);

	assert_string_equal((const char *)value, expected);
	xmlFree(value);
	xmlXPathFreeObject(object);
}

static void
assert_is_ours(const char *text)
{
	xmlDocPtr document = xmlReadMemory(text, (int)strlen(text), NULL, NULL, XML_PARSE_NONET);
	xmlXPathContextPtr context;

	assert_non_null(document);
	context = xmlXPathNewContext(document);
	xmlXPathRegisterNs(context, BAD_CAST "b", BAD_CAST "urn:bordure:qube");
	assert_value(context, "/domain/name", identity.name);
	assert_value(context, "/domain/uuid", identity.uuid);
	assert_value(context, "/domain/memory", "409600");
	assert_value(context, "/domain/metadata/b:qube/@class", "DispVM");
	assert_value(context, "/domain/metadata/b:qube/@xid", "41");
	assert_value(context, "count(/domain/metadata)", "1");
	assert_value(context, "//disk[serial='root']/source/@file", volumes[0].path);
	assert_value(context, "//disk[serial='root']/source/@index", "1");
	assert_value(context, "//disk[serial='private']/source/@file", volumes[1].path);
	assert_value(context, "//channel/source/@path", "/new/port");
	assert_value(context, "//serial[source]/source/@path", "/new/console");
	assert_value(context, "//console/source/@path", "/new/console");
	xmlXPathFreeContext(context);
	xmlFreeDoc(document);
}

static void
a_head_is_made_for_another_machine(void **state)
{
	static const struct {
		const char *notes;
		size_t zeros;
	} shapes[] = {{NULL, 0}, {NULL, 1}, {NOTES, 0}, {NOTES, 1500}, {NOTES, 4096}};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++) {
		g_autoptr(GByteArray) image =
		    image_of(description, shapes[i].notes, shapes[i].zeros);
		g_autoptr(GByteArray) head = NULL;
		struct saved_image parts, again;

		assert_int_equal(saved_image_parse(image->data, image->len, &parts), 0);
		assert_int_equal(saved_image_head_new(&parts, &identity, &head), 0);
		assert_int_equal(saved_image_parse(head->data, head->len, &again), 0);
		assert_int_equal(again.stream_at, head->len);
		assert_int_equal(again.stream_at % 4096, parts.stream_at % 4096);
		assert_is_ours(again.text);
		assert_true((again.notes_at != 0) == (shapes[i].notes != NULL));
		if (shapes[i].notes != NULL)
			assert_string_equal(again.text + again.notes_at, NOTES);
	}
}

/* A mark that is there gives way to that of the new one, and a second change is like the first. */
static void
a_head_can_be_made_of_a_head(void **state)
{
	g_autoptr(GByteArray) image = image_of(description, NOTES, 0);
	g_autoptr(GByteArray) first = NULL;
	g_autoptr(GByteArray) second = NULL;
	struct saved_image parts;

	(void)state;
	assert_int_equal(saved_image_parse(image->data, image->len, &parts), 0);
	assert_int_equal(saved_image_head_new(&parts, &identity, &first), 0);
	assert_int_equal(saved_image_parse(first->data, first->len, &parts), 0);
	assert_int_equal(saved_image_head_new(&parts, &identity, &second), 0);
	assert_int_equal(saved_image_parse(second->data, second->len, &parts), 0);
	assert_is_ours(parts.text);
}

static void
a_description_that_is_not_ours_is_refused(void **state)
{
	/* What is taken out of the description. */
	static const char *const parts_of_it[] = {
	    "<name>saved-state</name>",
	    "<uuid>11111111-1111-4111-8111-111111111111</uuid>",
	    "<serial>root</serial>",
	    " file='/old/root.img'",
	    " name='org.bordure.vchan'",
	    " path='/old/port'",
	    " path='/old/console'",
	    "<disk type='file' device='disk'><source file='/old/private.img'/>"
	    "<serial>private</serial></disk>",
	    "</domain>",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(parts_of_it); i++) {
		GString *text = g_string_new(description);
		g_autoptr(GByteArray) image = NULL;
		GByteArray *head = NULL;
		struct saved_image parts;

		assert_int_equal(g_string_replace(text, parts_of_it[i], "", 1), 1);
		image = image_of(text->str, NULL, 0);
		assert_int_equal(saved_image_parse(image->data, image->len, &parts), 0);
		assert_int_equal(saved_image_head_new(&parts, &identity, &head), -ENOTSUP);
		assert_null(head);
		g_string_free(text, TRUE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_parts_of_an_image_are_found),
	    cmocka_unit_test(an_image_of_another_form_is_refused),
	    cmocka_unit_test(a_head_is_made_for_another_machine),
	    cmocka_unit_test(a_head_can_be_made_of_a_head),
	    cmocka_unit_test(a_description_that_is_not_ours_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
