#include "qubesd/guest/devices.h"
#include "shared/io.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

#define IVSHMEM_VENDOR "0x1af4"
#define IVSHMEM_DEVICE "0x1110"

/* The text of a file without its newline; NULL when it cannot be read. */
static char *
read_line(const char *folder, const char *name)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	char *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return NULL;
	return g_strchomp(text);
}

static bool
line_is(const char *folder, const char *name, const char *wanted)
{
	g_autofree char *text = read_line(folder, name);

	return text != NULL && strcmp(text, wanted) == 0;
}

bool
devices_on_xen(const char *sys)
{
	g_autofree char *folder = g_build_filename(sys, "hypervisor", NULL);

	return line_is(folder, "type", "xen");
}

/* Calls is_it for each entry below sys/class_folder; *ret is the name of the first that is. */
static int
find_entry(const char *sys, const char *class_folder,
    bool (*is_it)(const char *folder, const char *entry, const char *name), const char *name,
    char **ret)
{
	g_autofree char *base = g_build_filename(sys, class_folder, NULL);
	g_autoptr(GDir) dir = g_dir_open(base, 0, NULL);
	const char *entry;

	while (dir != NULL && (entry = g_dir_read_name(dir)) != NULL) {
		g_autofree char *folder = g_build_filename(base, entry, NULL);

		if (!is_it(folder, entry, name))
			continue;
		*ret = g_strdup(entry);
		return 0;
	}
	return -ENODEV;
}

static bool
is_port(const char *folder, const char *entry, const char *name)
{
	(void)entry;
	return line_is(folder, "name", name);
}

static bool
is_ivshmem(const char *folder, const char *entry, const char *name)
{
	(void)entry;
	(void)name;
	return line_is(folder, "vendor", IVSHMEM_VENDOR) &&
	       line_is(folder, "device", IVSHMEM_DEVICE);
}

static bool
is_virtio_volume(const char *folder, const char *entry, const char *name)
{
	return g_str_has_prefix(entry, "vd") && line_is(folder, "serial", name);
}

static const struct {
	const char *name, *disk;
} xen_disks[] = {
    {"root", "xvda"},
    {"private", "xvdb"},
    {"volatile", "xvdc"},
    {"kernel", "xvdd"},
};

static bool
is_xen_volume(const char *folder, const char *entry, const char *name)
{
	(void)folder;
	for (size_t i = 0; i < G_N_ELEMENTS(xen_disks); i++)
		if (strcmp(xen_disks[i].disk, entry) == 0)
			return strcmp(xen_disks[i].name, name) == 0;
	return false;
}

static int
find_device(const char *sys, const char *class_folder,
    bool (*is_it)(const char *folder, const char *entry, const char *name), const char *name,
    char **ret)
{
	g_autofree char *entry = NULL;

	if (find_entry(sys, class_folder, is_it, name, &entry) < 0)
		return -ENODEV;
	*ret = g_build_filename("/dev", entry, NULL);
	return 0;
}

int
devices_find_port(const char *sys, const char *name, char **ret)
{
	return find_device(sys, "class/virtio-ports", is_port, name, ret);
}

int
devices_find_volume(const char *sys, const char *name, char **ret)
{
	return find_device(
	    sys, "block", devices_on_xen(sys) ? is_xen_volume : is_virtio_volume, name, ret);
}

int
devices_find_region(const char *sys, char **ret)
{
	static const char *const files[] = {"resource2_wc", "resource2"};
	g_autofree char *entry = NULL;
	g_autofree char *enable = NULL;

	if (find_entry(sys, "bus/pci/devices", is_ivshmem, NULL, &entry) < 0)
		return -ENODEV;
	enable = g_build_filename(sys, "bus/pci/devices", entry, "enable", NULL);
	if (io_write_file(enable, "1") < 0)
		log_warn("%s: cannot switch the device on", enable);
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path =
		    g_build_filename(sys, "bus/pci/devices", entry, files[i], NULL);

		if (!g_file_test(path, G_FILE_TEST_EXISTS))
			continue;
		*ret = g_steal_pointer(&path);
		return 0;
	}
	return -ENODEV;
}
