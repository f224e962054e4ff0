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
	    .xid = 7,
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
	    {"kernel", "/k", false, NULL},
	    {"root", "/r", true, NULL},
	    {"private", "/p", true, NULL},
	    {"more", "/m", true, NULL},
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

/* --- every shape, compared with a file ------------------------------------------------------ */

#define GOLDEN_DIR "tests/unit/domain_xml"

static const struct domain_xml_machine machine = {
    .port_path = "/run/qubes/machine/7/port.sock",
    .console_path = "/run/qubes/machine/7/console.sock",
    .region_name = "bordure-2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21",
    .region_bytes = UINT64_C(512) << 20,
};

static const struct hypervisor_volume all_volumes[] = {
    {"root", "/var/lib/qubes/appvms/work/root-cow.img", true, NULL},
    {"private", "/dev/qubes/work-private", true, NULL},
    {"volatile", "/var/lib/qubes/appvms/work/volatile.img", true, NULL},
    {"kernel", "/var/lib/qubes/vm-kernels/6.6/modules.img", false, NULL},
};

/* With the environment's leave the files are written anew, to be read before they are committed. */
static void
assert_golden(const char *name, const char *text)
{
	g_autofree char *path = g_strconcat(GOLDEN_DIR "/", name, ".xml", NULL);
	g_autofree char *expected = NULL;

	if (g_getenv("WRITE_GOLDEN") != NULL)
		assert_true(g_file_set_contents(path, text, -1, NULL));
	assert_true(g_file_get_contents(path, &expected, NULL, NULL));
	assert_string_equal(text, expected);
}

static char *
text_of(const struct hypervisor_qube *qube, enum domain_xml_driver driver,
    const struct domain_xml_machine *with)
{
	char *text = NULL, *error = NULL;

	assert_int_equal(domain_xml_new(qube, driver, with, &text, &error), 0);
	return text;
}

static void
set_shape(struct hypervisor_qube *qube, const char *mode, bool has_kernel, bool has_netvm)
{
	qube->virt_mode = mode;
	qube->volumes = all_volumes;
	qube->volume_count = G_N_ELEMENTS(all_volumes);
	qube->initrd = has_kernel ? "/var/lib/qubes/vm-kernels/6.6/initramfs" : "";
	if (!has_kernel)
		qube->kernel = qube->cmdline = "";
	qube->has_netvm = has_netvm;
	qube->netvm = has_netvm ? "sys-firewall" : "";
}

/* debug and the rest of what a qube is change nothing: the same file serves for both. */
static void
golden_descriptions_for_xen(void **state)
{
	static const struct {
		const char *mode;
		bool has_kernel;
	} shapes[] = {{"pv", true}, {"pvh", true}, {"hvm", true}, {"hvm", false}};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(shapes) * 4; i++) {
		bool has_netvm = i % 2 != 0, debug = i / 2 % 2 != 0;
		struct hypervisor_qube qube = sample();
		g_autofree char *name = g_strdup_printf("xen-%s%s%s", shapes[i / 4].mode,
		    shapes[i / 4].has_kernel ? "-kernel" : "", has_netvm ? "-netvm" : "");
		g_autofree char *text = NULL;

		set_shape(&qube, shapes[i / 4].mode, shapes[i / 4].has_kernel, has_netvm);
		qube.debug = debug;
		text = text_of(&qube, DOMAIN_XML_XEN, NULL);
		assert_golden(name, text);
	}
}

/* virt_mode says how Xen runs it, and a network qube cannot be had: one file for all of these. */
static void
golden_descriptions_for_qemu(void **state)
{
	static const char *const modes[] = {"pv", "pvh", "hvm"};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(modes) * 16; i++) {
		bool has_kernel = i % 2 != 0, kvm = i / 2 % 2 != 0;
		struct domain_xml_machine with = machine;
		struct hypervisor_qube qube = sample();
		g_autofree char *name =
		    g_strdup_printf("qemu%s%s", has_kernel ? "-kernel" : "", kvm ? "-kvm" : "");
		g_autofree char *text = NULL;

		set_shape(&qube, modes[i / 16], has_kernel, i / 4 % 2 != 0);
		qube.debug = i / 8 % 2 != 0;
		with.kvm = kvm;
		text = text_of(&qube, DOMAIN_XML_QEMU, &with);
		assert_golden(name, text);
	}
}

static void
golden_description_of_a_machine_to_be_saved(void **state)
{
	struct domain_xml_machine with = machine;
	struct hypervisor_qube qube = sample();
	g_autofree char *text = NULL;
	g_autofree char *region = NULL;

	(void)state;
	set_shape(&qube, "pvh", true, false);
	with.to_be_saved = true;
	text = text_of(&qube, DOMAIN_XML_QEMU, &with);
	assert_golden("qemu-kernel-saved", text);
	assert_null(strstr(text, DOMAIN_XML_NAMESPACE));
	region = domain_xml_region_new(machine.region_name, machine.region_bytes);
	assert_golden("qemu-region", region);
}

static void
golden_description_for_the_test_driver(void **state)
{
	struct hypervisor_qube qube = sample();
	g_autofree char *text = NULL;

	(void)state;
	set_shape(&qube, "hvm", false, false);
	text = text_of(&qube, DOMAIN_XML_TEST, NULL);
	assert_golden("test", text);
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

/* The same for all that a QEMU machine and a Xen domain have besides. */
static void
lvt_01_hostile_values_of_devices_come_back_as_they_were(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(hostile); i++) {
		struct hypervisor_volume volume = {hostile[i], hostile[i], true, NULL};
		struct domain_xml_machine with = machine;
		struct hypervisor_qube qube = sample();
		g_autofree char *plain_text = NULL, *text = NULL, *plain = NULL, *shape = NULL;
		struct hypervisor_volume plain_volume = {"x", "x", true, NULL};
		xmlDocPtr document;

		(void)state;
		qube.volumes = &plain_volume;
		qube.volume_count = 1;
		plain_text = text_of(&qube, DOMAIN_XML_QEMU, &with);
		document = xmlReadMemory(plain_text, (int)strlen(plain_text), NULL, NULL, 0);
		plain = shape_of(document);
		xmlFreeDoc(document);
		qube.volumes = &volume;
		with.port_path = with.console_path = with.region_name = hostile[i];
		text = text_of(&qube, DOMAIN_XML_QEMU, &with);
		document = xmlReadMemory(text, (int)strlen(text), NULL, NULL, XML_PARSE_NONET);
		assert_non_null(document);
		shape = shape_of(document);
		assert_string_equal(shape, plain);
		assert_value(document, "//disk/source/@file", hostile[i]);
		assert_value(document, "//disk/serial", hostile[i]);
		assert_value(document, "//channel/source/@path", hostile[i]);
		assert_value(document, "//serial/source/@path", hostile[i]);
		assert_value(document, "//shmem/@name", hostile[i]);
		xmlFreeDoc(document);

		qube.has_netvm = true;
		qube.netvm = qube.mac = qube.ip = hostile[i];
		document = document_of(&qube, DOMAIN_XML_XEN);
		assert_value(document, "count(//interface/*)", "4");
		assert_value(document, "//interface/backenddomain/@name", hostile[i]);
		assert_value(document, "//interface/mac/@address", hostile[i]);
		assert_value(document, "//interface/ip/@address", hostile[i]);
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
		assert_int_equal(
		    domain_xml_new(&qube, DOMAIN_XML_XEN, NULL, &text, &error), -EINVAL);
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
	    cmocka_unit_test(lvt_01_hostile_values_of_devices_come_back_as_they_were),
	    cmocka_unit_test(golden_descriptions_for_xen),
	    cmocka_unit_test(golden_descriptions_for_qemu),
	    cmocka_unit_test(golden_description_of_a_machine_to_be_saved),
	    cmocka_unit_test(golden_description_for_the_test_driver),
	    cmocka_unit_test(lvt_01_bytes_that_xml_cannot_carry_are_refused_by_name),
	    cmocka_unit_test(driver_follows_the_scheme_of_the_uri),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
