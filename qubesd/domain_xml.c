#include "qubesd/domain_xml_parts.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define XEN DOMAIN_XML_XEN
#define QEMU DOMAIN_XML_QEMU
#define TEST DOMAIN_XML_TEST

/* --- words ---------------------------------------------------------------------------------- */

void
part_begin(struct writing *w, const char *element)
{
	xmlTextWriterStartElement(w->writer, BAD_CAST element);
}

void
part_end(struct writing *w)
{
	xmlTextWriterEndElement(w->writer);
}

void
part_attribute(struct writing *w, const char *name, const char *value)
{
	xmlTextWriterWriteAttribute(w->writer, BAD_CAST name, BAD_CAST value);
}

void
part_text(struct writing *w, const char *element, const char *value)
{
	xmlTextWriterWriteElement(w->writer, BAD_CAST element, BAD_CAST value);
}

void
part_mark(struct writing *w, const char *element, const char *name, const char *value)
{
	part_begin(w, element);
	part_attribute(w, name, value);
	part_end(w);
}

void
part_empty(struct writing *w, const char *element)
{
	part_begin(w, element);
	part_end(w);
}

void
part_mebibytes(struct writing *w, const char *element, uint32_t value)
{
	g_autofree char *digits = g_strdup_printf("%" PRIu32, value);

	part_begin(w, element);
	part_attribute(w, "unit", "MiB");
	xmlTextWriterWriteString(w->writer, BAD_CAST digits);
	part_end(w);
}

void
part_os_type(struct writing *w, const char *type, const char *arch, const char *machine)
{
	part_begin(w, "type");
	if (arch != NULL)
		part_attribute(w, "arch", arch);
	if (machine != NULL)
		part_attribute(w, "machine", machine);
	xmlTextWriterWriteString(w->writer, BAD_CAST type);
	part_end(w);
}

bool
part_mode_is(const struct writing *w, const char *virt_mode)
{
	return strcmp(w->qube->virt_mode, virt_mode) == 0;
}

bool
part_has_kernel(const struct writing *w)
{
	return w->qube->kernel[0] != '\0';
}

void
part_kernel(struct writing *w)
{
	if (!part_has_kernel(w))
		return;
	part_text(w, "kernel", w->qube->kernel);
	if (w->qube->initrd[0] != '\0')
		part_text(w, "initrd", w->qube->initrd);
	if (w->qube->cmdline[0] != '\0')
		part_text(w, "cmdline", w->qube->cmdline);
}

/* --- the parts that drivers share ----------------------------------------------------------- */

static void
write_identity(struct writing *w)
{
	g_autofree char *xid = g_strdup_printf("%" PRIu32, w->qube->xid);

	part_text(w, "name", w->qube->name);
	part_text(w, "uuid", w->qube->uuid);
	if (w->machine != NULL && w->machine->to_be_saved)
		return;
	part_begin(w, "metadata");
	xmlTextWriterStartElementNS(
	    w->writer, BAD_CAST DOMAIN_XML_PREFIX, BAD_CAST "qube", BAD_CAST DOMAIN_XML_NAMESPACE);
	part_attribute(w, "class", w->qube->klass);
	part_attribute(w, "xid", xid);
	part_end(w);
	part_end(w);
}

static void
write_memory(struct writing *w)
{
	part_mebibytes(w, "memory", MAX(w->qube->maxmem_mib, w->qube->memory_mib));
	part_mebibytes(w, "currentMemory", w->qube->memory_mib);
}

static void
write_vcpu(struct writing *w)
{
	g_autofree char *digits = g_strdup_printf("%" PRIu32, MAX(w->qube->vcpus, 1));

	part_begin(w, "vcpu");
	part_attribute(w, "placement", "static");
	xmlTextWriterWriteString(w->writer, BAD_CAST digits);
	part_end(w);
}

static void
write_os(struct writing *w)
{
	part_begin(w, "os");
	part_os_type(w, "hvm", NULL, NULL);
	part_kernel(w);
	part_end(w);
}

/* Whatever a guest does to itself ends the run; the lifecycle decides what comes next. */
static void
write_on_end(struct writing *w)
{
	static const char *const occasions[] = {"on_poweroff", "on_reboot", "on_crash"};

	for (size_t i = 0; i < G_N_ELEMENTS(occasions); i++)
		part_text(w, occasions[i], "destroy");
}

static void
write_console(struct writing *w)
{
	part_begin(w, "console");
	part_attribute(w, "type", "pty");
	part_end(w);
}

/* clang-format off */
static const struct domain_xml_part parts[] = {
	{ XEN | QEMU | TEST, write_identity },
	{ XEN | TEST,        write_memory },
	{ QEMU,              qemu_write_memory },
	{ XEN | QEMU | TEST, write_vcpu },
	{ XEN,               xen_write_cpu },
	{ QEMU,              qemu_write_cpu },
	{ XEN,               xen_write_os },
	{ QEMU,              qemu_write_os },
	{ TEST,              write_os },
	{ XEN,               xen_write_features },
	{ QEMU,              qemu_write_features },
	{ XEN,               xen_write_clock },
	{ QEMU,              qemu_write_clock },
	{ XEN | QEMU | TEST, write_on_end },
};
static const struct domain_xml_part devices[] = {
	{ XEN,               xen_write_disks },
	{ QEMU,              qemu_write_disks },
	{ XEN,               xen_write_network },
	{ QEMU,              qemu_write_port },
	{ QEMU,              qemu_write_region },
	{ XEN,               xen_write_display },
	{ XEN,               xen_write_console },
	{ QEMU,              qemu_write_console },
	{ TEST,              write_console },
	{ QEMU,              qemu_write_small_devices },
};
/* clang-format on */

static void
write_parts(struct writing *w, const struct domain_xml_part *list, size_t count)
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
type_of(const struct writing *w)
{
	if (w->machine != NULL && w->machine->kvm)
		return "kvm";
	for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++)
		if (drivers[i].driver == w->driver)
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
	    {"ip", qube->ip},
	    {"ip6", qube->ip6},
	    {"netvm", qube->netvm},
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

static void
write_domain(struct writing *w)
{
	part_begin(w, "domain");
	part_attribute(w, "type", type_of(w));
	write_parts(w, parts, G_N_ELEMENTS(parts));
	part_begin(w, "devices");
	write_parts(w, devices, G_N_ELEMENTS(devices));
	part_end(w);
	part_end(w);
}

/* The text of what write() writes. */
static char *
written(struct writing *w, void (*write)(struct writing *w))
{
	xmlBufferPtr buffer = xmlBufferCreate();
	char *text;

	w->writer = xmlNewTextWriterMemory(buffer, 0);
	xmlTextWriterSetIndent(w->writer, 1);
	write(w);
	xmlTextWriterEndDocument(w->writer);
	xmlFreeTextWriter(w->writer);
	text = g_strdup((const char *)xmlBufferContent(buffer));
	xmlBufferFree(buffer);
	return text;
}

int
domain_xml_new(const struct hypervisor_qube *qube, enum domain_xml_driver driver,
    const struct domain_xml_machine *machine, char **ret, char **ret_error)
{
	struct writing w = {.qube = qube, .machine = machine, .driver = driver};
	int r = check(qube, ret_error);

	if (r < 0)
		return r;
	assert((driver == DOMAIN_XML_QEMU) == (machine != NULL));
	*ret = written(&w, write_domain);
	return 0;
}

char *
domain_xml_region_new(const char *region_name, uint64_t region_bytes)
{
	struct domain_xml_machine machine = {
	    .region_name = region_name,
	    .region_bytes = region_bytes,
	};
	struct writing w = {.machine = &machine, .driver = DOMAIN_XML_QEMU};

	return written(&w, qemu_write_region);
}
