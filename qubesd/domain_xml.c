#include "qubesd/domain_xml.h"

#include <errno.h>
#include <inttypes.h>
#include <libxml/xmlwriter.h>
#include <string.h>

#define ALL (DOMAIN_XML_XEN | DOMAIN_XML_QEMU | DOMAIN_XML_TEST)

struct writing {
	xmlTextWriterPtr writer;
	const struct hypervisor_qube *qube;
	enum domain_xml_driver driver;
};

/* --- words of the writer; what goes wrong in it is a lack of memory, seen at the end -------- */

static void
begin(struct writing *w, const char *element)
{
	xmlTextWriterStartElement(w->writer, BAD_CAST element);
}

static void
end(struct writing *w)
{
	xmlTextWriterEndElement(w->writer);
}

static void
attribute(struct writing *w, const char *name, const char *value)
{
	xmlTextWriterWriteAttribute(w->writer, BAD_CAST name, BAD_CAST value);
}

static void
text(struct writing *w, const char *element, const char *value)
{
	xmlTextWriterWriteElement(w->writer, BAD_CAST element, BAD_CAST value);
}

static void
mebibytes(struct writing *w, const char *element, uint32_t value)
{
	g_autofree char *digits = g_strdup_printf("%" PRIu32, value);

	begin(w, element);
	attribute(w, "unit", "MiB");
	xmlTextWriterWriteString(w->writer, BAD_CAST digits);
	end(w);
}

/* An element with one attribute and no content. */
static void
mark(struct writing *w, const char *element, const char *name, const char *value)
{
	begin(w, element);
	attribute(w, name, value);
	end(w);
}

static bool
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* --- the parts, in the order of the description --------------------------------------------- */

static void
write_identity(struct writing *w)
{
	text(w, "name", w->qube->name);
	text(w, "uuid", w->qube->uuid);
	begin(w, "metadata");
	xmlTextWriterStartElementNS(
	    w->writer, BAD_CAST DOMAIN_XML_PREFIX, BAD_CAST "qube", BAD_CAST DOMAIN_XML_NAMESPACE);
	attribute(w, "class", w->qube->klass);
	end(w);
	end(w);
}

static void
write_memory(struct writing *w)
{
	uint32_t maxmem = MAX(w->qube->maxmem_mib, w->qube->memory_mib);

	mebibytes(w, "memory", maxmem);
	mebibytes(w, "currentMemory", w->qube->memory_mib);
}

static void
write_vcpu(struct writing *w)
{
	g_autofree char *digits = g_strdup_printf("%" PRIu32, MAX(w->qube->vcpus, 1));

	begin(w, "vcpu");
	attribute(w, "placement", "static");
	xmlTextWriterWriteString(w->writer, BAD_CAST digits);
	end(w);
}

static void
write_cpu_xen(struct writing *w)
{
	static const struct {
		const char *name, *policy;
	} features[] = {{"vmx", "disable"}, {"svm", "disable"}, {"invtsc", "require"}};

	if (is(w->qube->virt_mode, "pv"))
		return;
	begin(w, "cpu");
	attribute(w, "mode", "host-passthrough");
	for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
		begin(w, "feature");
		attribute(w, "name", features[i].name);
		attribute(w, "policy", features[i].policy);
		end(w);
	}
	end(w);
}

/* type, arch and machine for each way to run. */
static void
write_os_type(struct writing *w, const char *type, const char *arch, const char *machine)
{
	begin(w, "type");
	if (arch != NULL)
		attribute(w, "arch", arch);
	if (machine != NULL)
		attribute(w, "machine", machine);
	xmlTextWriterWriteString(w->writer, BAD_CAST type);
	end(w);
}

static void
write_kernel(struct writing *w)
{
	if (w->qube->kernel[0] == '\0')
		return;
	text(w, "kernel", w->qube->kernel);
	if (w->qube->initrd[0] != '\0')
		text(w, "initrd", w->qube->initrd);
	if (w->qube->cmdline[0] != '\0')
		text(w, "cmdline", w->qube->cmdline);
}

static void
write_os_xen(struct writing *w)
{
	begin(w, "os");
	if (is(w->qube->virt_mode, "hvm")) {
		write_os_type(w, "hvm", "x86_64", "xenfv");
		begin(w, "loader");
		attribute(w, "type", "rom");
		xmlTextWriterWriteString(w->writer, BAD_CAST "hvmloader");
		end(w);
		mark(w, "boot", "dev", "cdrom");
		mark(w, "boot", "dev", "hd");
	} else if (is(w->qube->virt_mode, "pvh")) {
		write_os_type(w, "xenpvh", "x86_64", "xenpvh");
	} else {
		write_os_type(w, "linux", "x86_64", "xenpv");
	}
	write_kernel(w);
	end(w);
}

static void
write_os_generic(struct writing *w)
{
	begin(w, "os");
	write_os_type(w, "hvm", NULL, NULL);
	write_kernel(w);
	end(w);
}

static void
write_features_xen(struct writing *w)
{
	static const char *const features[] = {"pae", "acpi", "apic", "viridian"};

	if (is(w->qube->virt_mode, "pv"))
		return;
	begin(w, "features");
	for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
		begin(w, features[i]);
		end(w);
	}
	end(w);
}

static void
write_clock_xen(struct writing *w)
{
	begin(w, "clock");
	if (is(w->qube->virt_mode, "hvm")) {
		attribute(w, "offset", "variable");
		attribute(w, "adjustment", "0");
		attribute(w, "basis", "utc");
	} else {
		attribute(w, "offset", "utc");
		attribute(w, "adjustment", "reset");
		begin(w, "timer");
		attribute(w, "name", "tsc");
		attribute(w, "mode", "native");
		end(w);
	}
	end(w);
}

/* Whatever a guest does to itself ends the run; the lifecycle decides what comes next. */
static void
write_on_end(struct writing *w)
{
	static const char *const occasions[] = {"on_poweroff", "on_reboot", "on_crash"};

	for (size_t i = 0; i < G_N_ELEMENTS(occasions); i++)
		text(w, occasions[i], "destroy");
}

static void
write_disk_xen(struct writing *w, const struct hypervisor_volume *volume, const char *target)
{
	begin(w, "disk");
	attribute(w, "type", "block");
	attribute(w, "device", "disk");
	mark(w, "driver", "name", "phy");
	mark(w, "source", "dev", volume->path);
	mark(w, "target", "dev", target);
	if (!volume->rw) {
		begin(w, "readonly");
		end(w);
	}
	mark(w, "script", "path", "qubes-block");
	end(w);
}

static void
write_disks_xen(struct writing *w)
{
	static const char *const fixed[] = {"root", "private", "volatile", "kernel"};
	char next = 'e'; /* xvda..xvdd are those four, whether they are there or not */

	for (size_t i = 0; i < w->qube->volume_count; i++) {
		const struct hypervisor_volume *volume = &w->qube->volumes[i];
		char target[] = "xvd?";

		target[3] = '\0';
		for (size_t j = 0; j < G_N_ELEMENTS(fixed); j++)
			if (is(volume->name, fixed[j]))
				target[3] = (char)('a' + j);
		if (target[3] == '\0' && next <= 'h') /* from xvdi on they are assigned devices */
			target[3] = next++;
		if (target[3] != '\0')
			write_disk_xen(w, volume, target);
	}
}

static void
write_console(struct writing *w)
{
	begin(w, "console");
	attribute(w, "type", "pty");
	begin(w, "target");
	attribute(w, "type", w->driver == DOMAIN_XML_XEN ? "xen" : "serial");
	attribute(w, "port", "0");
	end(w);
	end(w);
}

struct part {
	unsigned drivers;
	void (*write)(struct writing *w);
};

/* clang-format off */
static const struct part parts[] = {
	{ ALL,             write_identity },
	{ ALL,             write_memory },
	{ ALL,             write_vcpu },
	{ DOMAIN_XML_XEN,  write_cpu_xen },
	{ DOMAIN_XML_XEN,  write_os_xen },
	{ ALL & ~DOMAIN_XML_XEN, write_os_generic },
	{ DOMAIN_XML_XEN,  write_features_xen },
	{ DOMAIN_XML_XEN,  write_clock_xen },
	{ ALL,             write_on_end },
};
static const struct part devices[] = {
	{ DOMAIN_XML_XEN,  write_disks_xen },
	{ ALL,             write_console },
};
/* clang-format on */

static void
write_parts(struct writing *w, const struct part *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if ((list[i].drivers & w->driver) != 0)
			list[i].write(w);
}

/* --- the whole ------------------------------------------------------------------------------ */

static const struct {
	const char *scheme, *type;
	enum domain_xml_driver driver;
} drivers[] = {
    {"xen", "xen", DOMAIN_XML_XEN},
    {"qemu", "qemu", DOMAIN_XML_QEMU},
    {"test", "test", DOMAIN_XML_TEST},
};

/* "qemu+tls://host/system" has the scheme qemu. */
enum domain_xml_driver
domain_xml_driver_of(const char *uri)
{
	size_t len = strcspn(uri, "+:");

	for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++)
		if (strlen(drivers[i].scheme) == len && strncmp(uri, drivers[i].scheme, len) == 0)
			return drivers[i].driver;
	return 0;
}

static const char *
type_of(enum domain_xml_driver driver)
{
	for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++)
		if (drivers[i].driver == driver)
			return drivers[i].type;
	return NULL;
}

/* What XML 1.0 can carry (its production Char). */
static bool
is_xml_text(const char *value)
{
	if (!g_utf8_validate(value, -1, NULL))
		return false;
	for (const char *p = value; *p != '\0'; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);

		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0xfffe || c == 0xffff)
			return false;
	}
	return true;
}

static int
check(const struct hypervisor_qube *qube, char **ret_error)
{
	const struct {
		const char *what, *value;
	} values[] = {
	    {"name", qube->name},
	    {"uuid", qube->uuid},
	    {"class", qube->klass},
	    {"virt_mode", qube->virt_mode},
	    {"kernel", qube->kernel},
	    {"initrd", qube->initrd},
	    {"kernel command line", qube->cmdline},
	    {"mac", qube->mac},
	};
	const char *wrong = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
		if (!is_xml_text(values[i].value))
			wrong = values[i].what;
	for (size_t i = 0; i < qube->volume_count; i++)
		if (!is_xml_text(qube->volumes[i].path))
			wrong = "path of a volume";
	if (wrong == NULL)
		return 0;
	*ret_error = g_strdup_printf("its %s holds a character that libvirt cannot be told", wrong);
	return -EINVAL;
}

int
domain_xml_new(
    const struct hypervisor_qube *qube, enum domain_xml_driver driver, char **ret, char **ret_error)
{
	struct writing w = {.qube = qube, .driver = driver};
	xmlBufferPtr buffer;
	int r;

	r = check(qube, ret_error);
	if (r < 0)
		return r;
	buffer = xmlBufferCreate();
	w.writer = xmlNewTextWriterMemory(buffer, 0);
	begin(&w, "domain");
	attribute(&w, "type", type_of(driver));
	write_parts(&w, parts, G_N_ELEMENTS(parts));
	begin(&w, "devices");
	write_parts(&w, devices, G_N_ELEMENTS(devices));
	end(&w);
	end(&w);
	xmlTextWriterEndDocument(w.writer);
	xmlFreeTextWriter(w.writer);
	*ret = g_strdup((const char *)xmlBufferContent(buffer));
	xmlBufferFree(buffer);
	return 0;
}
