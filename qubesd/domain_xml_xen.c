/* The parts of a description that Xen alone has; element by element as docs/lifecycle.md says. */
#include "qubesd/domain_xml_parts.h"

#include <string.h>

void
xen_write_cpu(struct writing *w)
{
	static const struct {
		const char *name, *policy;
	} features[] = {{"vmx", "disable"}, {"svm", "disable"}, {"invtsc", "require"}};

	if (part_mode_is(w, "pv"))
		return;
	part_begin(w, "cpu");
	part_attribute(w, "mode", "host-passthrough");
	for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
		part_begin(w, "feature");
		part_attribute(w, "name", features[i].name);
		part_attribute(w, "policy", features[i].policy);
		part_end(w);
	}
	part_end(w);
}

void
xen_write_os(struct writing *w)
{
	part_begin(w, "os");
	if (part_mode_is(w, "hvm")) {
		part_os_type(w, "hvm", "x86_64", "xenfv");
		part_begin(w, "loader");
		part_attribute(w, "type", "rom");
		xmlTextWriterWriteString(w->writer, BAD_CAST "hvmloader");
		part_end(w);
		part_mark(w, "boot", "dev", "cdrom");
		part_mark(w, "boot", "dev", "hd");
	} else if (part_mode_is(w, "pvh")) {
		part_os_type(w, "xenpvh", "x86_64", "xenpvh");
	} else {
		part_os_type(w, "linux", "x86_64", "xenpv");
	}
	part_kernel(w);
	part_end(w);
}

void
xen_write_features(struct writing *w)
{
	static const char *const features[] = {"pae", "acpi", "apic", "viridian"};

	if (part_mode_is(w, "pv"))
		return;
	part_begin(w, "features");
	for (size_t i = 0; i < G_N_ELEMENTS(features); i++)
		part_empty(w, features[i]);
	part_end(w);
}

void
xen_write_clock(struct writing *w)
{
	part_begin(w, "clock");
	if (part_mode_is(w, "hvm")) {
		part_attribute(w, "offset", "variable");
		part_attribute(w, "adjustment", "0");
		part_attribute(w, "basis", "utc");
	} else {
		part_attribute(w, "offset", "utc");
		part_attribute(w, "adjustment", "reset");
		part_begin(w, "timer");
		part_attribute(w, "name", "tsc");
		part_attribute(w, "mode", "native");
		part_end(w);
	}
	part_end(w);
}

static void
write_disk(struct writing *w, const struct hypervisor_volume *volume, const char *target)
{
	part_begin(w, "disk");
	part_attribute(w, "type", "block");
	part_attribute(w, "device", "disk");
	part_mark(w, "driver", "name", "phy");
	part_mark(w, "source", "dev", volume->path);
	part_mark(w, "target", "dev", target);
	if (!volume->rw)
		part_empty(w, "readonly");
	part_mark(w, "script", "path", "qubes-block");
	part_end(w);
}

void
xen_write_disks(struct writing *w)
{
	static const char *const fixed[] = {"root", "private", "volatile", "kernel"};
	char next = 'e'; /* xvda..xvdd are those four, whether they are there or not */

	for (size_t i = 0; i < w->qube->volume_count; i++) {
		const struct hypervisor_volume *volume = &w->qube->volumes[i];
		char target[] = "xvd?";

		target[3] = '\0';
		for (size_t j = 0; j < G_N_ELEMENTS(fixed); j++)
			if (strcmp(volume->name, fixed[j]) == 0)
				target[3] = (char)('a' + j);
		if (target[3] == '\0' && next <= 'h') /* from xvdi on they are assigned devices */
			target[3] = next++;
		if (target[3] != '\0')
			write_disk(w, volume, target);
	}
}

/* Without a network qube there is no device at all. */
void
xen_write_network(struct writing *w)
{
	const struct hypervisor_qube *qube = w->qube;

	if (!qube->has_netvm)
		return;
	part_begin(w, "interface");
	part_attribute(w, "type", "ethernet");
	part_mark(w, "mac", "address", qube->mac);
	if (qube->ip[0] != '\0')
		part_mark(w, "ip", "address", qube->ip);
	if (qube->ip6[0] != '\0')
		part_mark(w, "ip", "address", qube->ip6);
	part_mark(w, "backenddomain", "name", qube->netvm);
	part_mark(w, "script", "path", "vif-route-qubes");
	part_end(w);
}

/* What a machine with emulated hardware is seen and pointed at with. */
void
xen_write_display(struct writing *w)
{
	if (!part_mode_is(w, "hvm"))
		return;
	part_begin(w, "input");
	part_attribute(w, "type", "tablet");
	part_attribute(w, "bus", "usb");
	part_end(w);
	part_begin(w, "video");
	part_mark(w, "model", "type", "vga");
	part_end(w);
}

void
xen_write_console(struct writing *w)
{
	part_begin(w, "console");
	part_attribute(w, "type", "pty");
	part_begin(w, "target");
	part_attribute(w, "type", "xen");
	part_attribute(w, "port", "0");
	part_end(w);
	part_end(w);
}
