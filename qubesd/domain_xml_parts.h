/*
 * domain_xml_parts - what the parts of a description are written with; seen by domain_xml*.c only.
 *
 * The words are those of libxml2's writer, which escapes. What goes wrong in it is a lack of
 * memory, seen at the end.
 */
#ifndef QUBESD_DOMAIN_XML_PARTS_H
#define QUBESD_DOMAIN_XML_PARTS_H

#include "qubesd/domain_xml.h"

#include <libxml/xmlwriter.h>

struct writing {
	xmlTextWriterPtr writer;
	const struct hypervisor_qube *qube;
	const struct domain_xml_machine *machine; /* NULL unless the driver is QEMU */
	enum domain_xml_driver driver;
};

struct domain_xml_part {
	unsigned drivers;
	void (*write)(struct writing *w);
};

void part_begin(struct writing *w, const char *element);
void part_end(struct writing *w);
void part_attribute(struct writing *w, const char *name, const char *value);
/* An element with nothing but text. */
void part_text(struct writing *w, const char *element, const char *value);
/* An element with one attribute and no content. */
void part_mark(struct writing *w, const char *element, const char *name, const char *value);
/* An element with nothing at all. */
void part_empty(struct writing *w, const char *element);
void part_mebibytes(struct writing *w, const char *element, uint32_t value);
/* <type>; NULL leaves an attribute out. */
void part_os_type(struct writing *w, const char *type, const char *arch, const char *machine);

bool part_mode_is(const struct writing *w, const char *virt_mode);
bool part_has_kernel(const struct writing *w);
/* kernel, initrd, cmdline, as far as there are any. */
void part_kernel(struct writing *w);

/* domain_xml_xen.c */
void xen_write_cpu(struct writing *w);
void xen_write_os(struct writing *w);
void xen_write_features(struct writing *w);
void xen_write_clock(struct writing *w);
void xen_write_disks(struct writing *w);
void xen_write_network(struct writing *w);
void xen_write_display(struct writing *w);
void xen_write_console(struct writing *w);

/* domain_xml_qemu.c */
void qemu_write_memory(struct writing *w);
void qemu_write_cpu(struct writing *w);
void qemu_write_os(struct writing *w);
void qemu_write_features(struct writing *w);
void qemu_write_clock(struct writing *w);
void qemu_write_disks(struct writing *w);
void qemu_write_port(struct writing *w);
void qemu_write_region(struct writing *w);
void qemu_write_console(struct writing *w);
void qemu_write_small_devices(struct writing *w);

#endif
