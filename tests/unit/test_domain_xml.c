#include "tests/unit/unit.h"

#include "qubesd/domain_xml.h"

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <string.h>

static struct hypervisor_qube
sample(void)
{
	struct hypervisor_qube qube = {
	    .name = "work",
	    .uuid = "2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21",
	    .klass = "AppVM",
	    .qid = 3,
	    .virt_mode = "pvh",
	    .memory_mib = 400,
	    .maxmem_mib = 4000,
	    .vcpus = 2,
	    .kernel = "/var/lib/qubes/vm-kernels/6.6/vmlinuz",
	    .initrd = "",
	    .cmdline = "quiet",
	    .mac = "00:16:3e:5e:6c:00",
	    .ip = "10.137.0.3",
	    .ip6 = "",
	    .netvm = "",
	    .default_user = "user",
	    .keyboard_layout = "us++",
	    .gui_domain = 0,
	    .template_name = "debian",
	};

	return qube;
}

static xmlDocPtr
document_of(const struct hypervisor_qube *qube, enum domain_xml_driver driver)
{
	char *text = NULL, *error = NULL;
	xmlDocPtr document;

	assert_int_equal(domain_xml_new(qube, driver, NULL, &text, &error), 0);
	assert_null(error);
	document = xmlReadMemory(text, (int)strlen(text), NULL, NULL, XML_PARSE_NONET);
	assert_non_null(document);
	g_free(text);
	return document;
}

/* The string value of an expression; to be freed with xmlFree(). */
static char *
value_of(xmlDocPtr document, const char *expression)
{
	xmlXPathContextPtr context = xmlXPathNewContext(document);
	xmlXPathObjectPtr object;
	char *value;

	xmlXPathRegisterNs(context, BAD_CAST "b", BAD_CAST DOMAIN_XML_NAMESPACE);
	object = xmlXPathEvalExpression(BAD_CAST expression, context);
	assert_non_null(object);
	value = (char *)xmlXPathCastToString(object);
	xmlXPathFreeObject(object);
	xmlXPathFreeContext(context);
	return value;
}

static void
assert_value(xmlDocPtr document, const char *expression, const char *expected)
{
	char *value = value_of(document, expression);

	assert_string_equal(value, expected);
	xmlFree(value);
}

static void
description_holds_the_values(void **state)
{
	static const char *const expected[][2] = {
	    {"/domain/@type", "xen"},
	    {"/domain/name", "work"},
	    {"/domain/uuid", "2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21"},
	    {"/domain/metadata/b:qube/@class", "AppVM"},
	    {"/domain/memory[@unit='MiB']", "4000"},
	    {"/domain/currentMemory[@unit='MiB']", "400"},
	    {"/domain/vcpu[@placement='static']", "2"},
	    {"/domain/os/type", "xenpvh"},
	    {"/domain/os/kernel", "/var/lib/qubes/vm-kernels/6.6/vmlinuz"},
	    {"/domain/os/cmdline", "quiet"},
	    {"/domain/on_crash", "destroy"},
	    {"count(/domain/*)", "14"},
	};
	struct hypervisor_qube qube = sample();
	xmlDocPtr document = document_of(&qube, DOMAIN_XML_XEN);

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(expected); i++)
		assert_value(document, expected[i][0], expected[i][1]);
	xmlFreeDoc(document);
}

static void
description_for_other_drivers_has_nothing_of_xen(void **state)
{
	struct hypervisor_qube qube = sample();
	xmlDocPtr document = document_of(&qube, DOMAIN_XML_TEST);

	(void)state;
	assert_value(document, "/domain/@type", "test");
	assert_value(document, "/domain/os/type", "hvm");
	assert_value(document, "count(//*[contains(@type, 'xen')])", "0");
	assert_value(document, "count(/domain/clock)", "0");
	xmlFreeDoc(document);
}

static void
volumes_have_their_places(void **state)
{
	static const struct hypervisor_volume volumes[] = {
	    {"kernel", "/k", false},
	    {"root", "/r", true},
	    {"private", "/p", true},
	    {"more", "/m", true},
	};
	struct hypervisor_qube qube = sample();
	xmlDocPtr document;

	(void)state;
	qube.volumes = volumes;
	qube.volume_count = G_N_ELEMENTS(volumes);
	document = document_of(&qube, DOMAIN_XML_XEN);
	assert_value(document, "//disk[source/@dev='/r']/target/@dev", "xvda");
	assert_value(document, "//disk[source/@dev='/p']/target/@dev", "xvdb");
	assert_value(document, "//disk[source/@dev='/k']/target/@dev", "xvdd");
	assert_value(document, "//disk[source/@dev='/m']/target/@dev", "xvde");
	assert_value(document, "count(//disk/readonly)", "1");
	xmlFreeDoc(document);
}

/* The shape of a document: every element and attribute name, without values. */
static void
append_shape(GString *shape, xmlNodePtr node)
{
	for (; node != NULL; node = node->next) {
		if (node->type != XML_ELEMENT_NODE)
			continue;
		g_string_append_printf(shape, "<%s", node->name);
		for (xmlAttrPtr a = node->properties; a != NULL; a = a->next)
			g_string_append_printf(shape, " %s", a->name);
		g_string_append_c(shape, '>');
		append_shape(shape, node->children);
		g_string_append(shape, "</>");
	}
}

static char *
shape_of(xmlDocPtr document)
{
	GString *shape = g_string_new(NULL);

	append_shape(shape, xmlDocGetRootElement(document));
	return g_string_free(shape, FALSE);
}

static const char *const hostile[] = {
    "<",
    ">",
    "&",
    "'\"",
    "]]>",
    "</kernel><devices/>",
    "</cmdline></os><devices><disk type='block'><source dev='/dev/sda'/></disk></devices><os>",
    "&lt;",
    "&#60;",
    "<!-- ",
    "<![CDATA[x]]>",
    "<!ENTITY x SYSTEM 'file:///etc/passwd'>&x;",
    "<?x?>",
    " leading and trailing ",
    "tab\there",
    "line\nfeed",
    "carriage\rreturn",
    "\xc3\xa4\xe2\x82\xac\xf0\x9f\xa6\x8a",
    "%s%n",
};

static void
lvt_01_hostile_values_come_back_as_they_were_and_add_no_element(void **state)
{
	struct hypervisor_qube plain = sample();
	xmlDocPtr document = document_of(&plain, DOMAIN_XML_XEN);
	g_autofree char *shape = shape_of(document);

	(void)state;
	xmlFreeDoc(document);
	for (size_t i = 0; i < G_N_ELEMENTS(hostile); i++) {
		struct hypervisor_qube qube = sample();
		g_autofree char *other = NULL;

		qube.kernel = hostile[i];
		qube.cmdline = hostile[i];
		qube.klass = hostile[i];
		qube.name = hostile[i];
		document = document_of(&qube, DOMAIN_XML_XEN);
		other = shape_of(document);
		assert_string_equal(other, shape);
		assert_value(document, "/domain/name", hostile[i]);
		assert_value(document, "/domain/os/kernel", hostile[i]);
		assert_value(document, "/domain/os/cmdline", hostile[i]);
		assert_value(document, "/domain/metadata/b:qube/@class", hostile[i]);
		xmlFreeDoc(document);
	}
}

static void
lvt_01_bytes_that_xml_cannot_carry_are_refused_by_name(void **state)
{
	static const char *const wrong[] = {"\x01", "\x08", "\x0b", "\x1f", "\xff", "\xc3",
	    "\xed\xa0\x80", "\xef\xbf\xbe", "\xef\xbf\xbf", "a\x1b[31m"};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		struct hypervisor_qube qube = sample();
		char *text = NULL, *error = NULL;

		qube.cmdline = wrong[i];
		assert_int_equal(domain_xml_new(&qube, DOMAIN_XML_XEN, NULL, &text, &error), -EINVAL);
		assert_null(text);
		assert_non_null(strstr(error, "command line"));
		g_free(error);
	}
}

static void
driver_follows_the_scheme_of_the_uri(void **state)
{
	(void)state;
	assert_int_equal(domain_xml_driver_of("xen:///"), DOMAIN_XML_XEN);
	assert_int_equal(domain_xml_driver_of("qemu+tls://host/system"), DOMAIN_XML_QEMU);
	assert_int_equal(domain_xml_driver_of("test:///default"), DOMAIN_XML_TEST);
	assert_int_equal(domain_xml_driver_of("xenial:///"), 0);
	assert_int_equal(domain_xml_driver_of("lxc:///"), 0);
	assert_int_equal(domain_xml_driver_of(""), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(description_holds_the_values),
	    cmocka_unit_test(description_for_other_drivers_has_nothing_of_xen),
	    cmocka_unit_test(volumes_have_their_places),
	    cmocka_unit_test(lvt_01_hostile_values_come_back_as_they_were_and_add_no_element),
	    cmocka_unit_test(lvt_01_bytes_that_xml_cannot_carry_are_refused_by_name),
	    cmocka_unit_test(driver_follows_the_scheme_of_the_uri),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
