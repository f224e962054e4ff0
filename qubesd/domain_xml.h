/*
 * domain_xml - the libvirt description of a qube.
 *
 * Pure: values in, text out, written by libxml2's writer and never pasted. What a value may hold is
 * checked here once more, because some come from clients of the Admin API: a byte that XML 1.0
 * cannot carry (controls, broken UTF-8) is an error, everything else is escaped.
 * Parts:  a table says which part of the description which driver gets (docs/lifecycle.md, "XML").
 * Mark:   every description of ours carries metadata in DOMAIN_XML_NAMESPACE, with the domain id
 *         that we gave it; a libvirt domain without it is somebody else's, whatever its name or UUID.
 */
#ifndef QUBESD_DOMAIN_XML_H
#define QUBESD_DOMAIN_XML_H

#include "qubesd/hypervisor.h"

#define DOMAIN_XML_NAMESPACE "urn:bordure:qube"
#define DOMAIN_XML_PREFIX "bordure"
#define DOMAIN_XML_PORT "org.bordure.vchan" /* name of the port in a QEMU machine */

enum domain_xml_driver {
	DOMAIN_XML_XEN = 1 << 0,
	DOMAIN_XML_QEMU = 1 << 1,
	DOMAIN_XML_TEST = 1 << 2,
};

/* By the scheme of a libvirt URI; 0 when we have no description for it. */
enum domain_xml_driver domain_xml_driver_of(const char *uri);

/* What a QEMU machine has on the host (machine.h); borrowed. */
struct domain_xml_machine {
	bool kvm;                             /* else it is emulated */
	const char *port_path, *console_path; /* sockets on which QEMU listens */
	const char *region_name;              /* the file's name in /dev/shm */
	uint64_t region_bytes;
	/* It runs to be saved, and is nobody's: no mark, and a region that can be unplugged. */
	bool to_be_saved;
};

/*
 * machine is for DOMAIN_XML_QEMU and for no other.
 * Returns 0 and the text (g_free()), or -EINVAL and *ret_error a sentence that names the value
 * (g_free()).
 */
int domain_xml_new(const struct hypervisor_qube *qube, enum domain_xml_driver driver,
    const struct domain_xml_machine *machine, char **ret, char **ret_error);

/* The region alone, for a machine that has a free place for it. g_free(). */
char *domain_xml_region_new(const char *region_name, uint64_t region_bytes);

#endif
