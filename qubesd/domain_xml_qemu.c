/*
 * The parts of a description that QEMU alone has. A machine gets what a qube needs and nothing else:
 * disks, the port to the broker, the region, a serial console, entropy, and the device by which a
 * kernel tells that it panicked. No network, no display, no USB, no balloon.
 */
#include "qubesd/domain_xml_parts.h"

#include <inttypes.h>

#define CODE_CACHE_MIB 256 /* boot and a session fit in; of less, some is translated twice */

/* Nothing balances memory here, so it is all given at once. */
void
qemu_write_memory(struct writing *w)
{
	part_mebibytes(w, "memory", w->qube->memory_mib);
	part_mebibytes(w, "currentMemory", w->qube->memory_mib);
}

void
qemu_write_cpu(struct writing *w)
{
	part_begin(w, "cpu");
	part_attribute(w, "mode", w->machine->kvm ? "host-passthrough" : "maximum");
	part_attribute(w, "check", "none");
	part_end(w);
}

/* virt_mode says how Xen runs a guest; here it is all one machine, which boots a kernel if it has one. */
void
qemu_write_os(struct writing *w)
{
	part_begin(w, "os");
	part_os_type(w, "hvm", "x86_64", "q35");
	part_kernel(w);
	if (!part_has_kernel(w))
		part_mark(w, "boot", "dev", "hd");
	part_end(w);
}

/* What emulation has translated. QEMU's own limit is 1 GiB, whatever the guest's memory is. */
static void
write_code_cache(struct writing *w)
{
	part_begin(w, "tcg");
	part_mebibytes(w, "tb-cache", CODE_CACHE_MIB);
	part_end(w);
}

void
qemu_write_features(struct writing *w)
{
	part_begin(w, "features");
	part_empty(w, "acpi"); /* the power button: how it is asked to shut down */
	part_empty(w, "apic");
	if (!w->machine->kvm)
		write_code_cache(w);
	part_end(w);
}

void
qemu_write_clock(struct writing *w)
{
	part_mark(w, "clock", "offset", "utc");
}

static void
write_disk(struct writing *w, const struct hypervisor_volume *volume, const char *target)
{
	bool is_device = g_str_has_prefix(volume->path, "/dev/");

	part_begin(w, "disk");
	part_attribute(w, "type", is_device ? "block" : "file");
	part_attribute(w, "device", "disk");
	part_begin(w, "driver");
	part_attribute(w, "name", "qemu");
	part_attribute(w, "type", "raw"); /* never guessed from what the guest wrote into it */
	part_attribute(w, "discard", "unmap");
	part_end(w);
	part_mark(w, "source", is_device ? "dev" : "file", volume->path);
	part_begin(w, "target");
	part_attribute(w, "dev", target);
	part_attribute(w, "bus", "virtio");
	part_end(w);
	part_text(w, "serial", volume->name);
	if (!volume->rw)
		part_empty(w, "readonly");
	part_end(w);
}

/* vda, vdb, ... in the order given; the guest goes by the serial number. */
void
qemu_write_disks(struct writing *w)
{
	for (size_t i = 0; i < w->qube->volume_count && i < 26; i++) {
		char target[] = {'v', 'd', (char)('a' + i), '\0'};

		write_disk(w, &w->qube->volumes[i], target);
	}
}

/* A socket on which QEMU listens; whoever connects has the other end. */
static void
write_socket(struct writing *w, const char *path)
{
	part_begin(w, "source");
	part_attribute(w, "mode", "bind");
	part_attribute(w, "path", path);
	part_end(w);
}

void
qemu_write_port(struct writing *w)
{
	part_begin(w, "controller");
	part_attribute(w, "type", "virtio-serial");
	part_attribute(w, "index", "0");
	part_attribute(w, "ports", "2"); /* the first is reserved for a console */
	part_end(w);
	part_begin(w, "channel");
	part_attribute(w, "type", "unix");
	write_socket(w, w->machine->port_path);
	part_begin(w, "target");
	part_attribute(w, "type", "virtio");
	part_attribute(w, "name", DOMAIN_XML_PORT);
	part_end(w);
	part_end(w);
}

/*
 * A region would be saved with all its pages, so it is unplugged before, and each machine gets its own
 * plugged in: below a bridge for that, whose window is as large as the region because one was there
 * when the firmware made it.
 */
static void
write_unpluggable_place(struct writing *w)
{
	static const char *const buses[] = {"pcie-root", "pcie-root-port", "pcie-to-pci-bridge"};

	for (size_t i = 0; i < G_N_ELEMENTS(buses); i++) {
		const char index[] = {(char)('0' + i), '\0'}; /* libvirt adds none below others */

		part_begin(w, "controller");
		part_attribute(w, "type", "pci");
		part_attribute(w, "index", index);
		part_attribute(w, "model", buses[i]);
		part_end(w);
	}
}

/* Plugged in later, it gets the only bridge there is. */
static void
write_address_of_place(struct writing *w)
{
	part_begin(w, "address");
	part_attribute(w, "type", "pci");
	part_attribute(w, "bus", "2");
	part_attribute(w, "slot", "1");
	part_end(w);
}

void
qemu_write_region(struct writing *w)
{
	g_autofree char *bytes = g_strdup_printf("%" PRIu64, w->machine->region_bytes);

	if (w->machine->to_be_saved)
		write_unpluggable_place(w);
	part_begin(w, "shmem");
	part_attribute(w, "name", w->machine->region_name);
	part_mark(w, "model", "type", "ivshmem-plain");
	part_begin(w, "size");
	part_attribute(w, "unit", "bytes");
	xmlTextWriterWriteString(w->writer, BAD_CAST bytes);
	part_end(w);
	if (w->machine->to_be_saved)
		write_address_of_place(w);
	part_end(w);
}

void
qemu_write_console(struct writing *w)
{
	part_begin(w, "serial");
	part_attribute(w, "type", "unix");
	write_socket(w, w->machine->console_path);
	part_begin(w, "target");
	part_attribute(w, "type", "isa-serial");
	part_attribute(w, "port", "0");
	part_end(w);
	part_end(w);
}

void
qemu_write_small_devices(struct writing *w)
{
	part_begin(w, "controller");
	part_attribute(w, "type", "usb");
	part_attribute(w, "model", "none");
	part_end(w);
	part_begin(w, "video");
	part_mark(w, "model", "type", "none");
	part_end(w);
	part_mark(w, "memballoon", "model", "none");
	part_begin(w, "rng");
	part_attribute(w, "model", "virtio");
	part_begin(w, "backend");
	part_attribute(w, "model", "random");
	xmlTextWriterWriteString(w->writer, BAD_CAST "/dev/urandom");
	part_end(w);
	part_end(w);
	part_mark(w, "panic", "model", "isa");
}
