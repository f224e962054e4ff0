#include "tests/unit/unit.h"

#include "qubesd/guest/devices.h"
#include "qubesd/guest/power.h"
#include "qubesd/guest/volume.h"
#include "qubesd/guest/xen.h"
#include "qubesd/sandbox/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

static char *folder; /* stands for /sys, and for disks */

static int
set_up(void **state)
{
	(void)state;
	folder = g_dir_make_tmp("test_machine-XXXXXX", NULL);
	return folder != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	int r = tree_remove(folder);

	(void)state;
	g_free(folder);
	return r;
}

static void
put(const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	g_autofree char *parent = g_path_get_dirname(path);

	assert_int_equal(g_mkdir_with_parents(parent, 0755), 0);
	assert_true(g_file_set_contents(path, text, -1, NULL));
}

static char *
get(const char *name)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	char *text = NULL;

	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return text;
}

/* ---- devices ------------------------------------------------------------------------------- */

static void
the_port_is_found_by_its_name_only(void **state)
{
	g_autofree char *port = NULL;

	(void)state;
	assert_int_equal(devices_find_port(folder, DEVICES_PORT_NAME, &port), -ENODEV);
	put("class/virtio-ports/vport0p1/name", "org.bordure.vchan2\n");
	put("class/virtio-ports/vport0p2/dev", "1:2\n");
	assert_int_equal(devices_find_port(folder, DEVICES_PORT_NAME, &port), -ENODEV);
	assert_null(port);
	put("class/virtio-ports/vport3p1/name", "org.bordure.vchan\n");
	assert_int_equal(devices_find_port(folder, DEVICES_PORT_NAME, &port), 0);
	assert_string_equal(port, "/dev/vport3p1");
}

static void
the_region_is_the_ivshmem_device_and_is_switched_on(void **state)
{
	g_autofree char *region = NULL;
	g_autofree char *wanted =
	    g_build_filename(folder, "bus/pci/devices/0000:00:05.0/resource2", NULL);
	g_autofree char *enabled = NULL;

	(void)state;
	put("bus/pci/devices/0000:00:04.0/vendor", "0x1af4\n");
	put("bus/pci/devices/0000:00:04.0/device", "0x1001\n");
	put("bus/pci/devices/0000:00:04.0/resource2", "");
	put("bus/pci/devices/0000:00:06.0/vendor", "0x8086\n");
	put("bus/pci/devices/0000:00:06.0/device", "0x1110\n");
	put("bus/pci/devices/0000:00:06.0/resource2", "");
	assert_int_equal(devices_find_region(folder, &region), -ENODEV);
	put("bus/pci/devices/0000:00:05.0/vendor", "0x1af4\n");
	put("bus/pci/devices/0000:00:05.0/device", "0x1110\n");
	put("bus/pci/devices/0000:00:05.0/enable", "0");
	assert_int_equal(devices_find_region(folder, &region), -ENODEV);
	put("bus/pci/devices/0000:00:05.0/resource2", "");
	assert_int_equal(devices_find_region(folder, &region), 0);
	assert_string_equal(region, wanted);
	enabled = get("bus/pci/devices/0000:00:05.0/enable");
	assert_string_equal(enabled, "1");
}

static void
the_region_is_write_combined_where_that_is_offered(void **state)
{
	g_autofree char *region = NULL;

	(void)state;
	put("bus/pci/devices/0000:00:05.0/vendor", "0x1af4\n");
	put("bus/pci/devices/0000:00:05.0/device", "0x1110\n");
	put("bus/pci/devices/0000:00:05.0/enable", "0");
	put("bus/pci/devices/0000:00:05.0/resource2", "");
	put("bus/pci/devices/0000:00:05.0/resource2_wc", "");
	assert_int_equal(devices_find_region(folder, &region), 0);
	assert_true(g_str_has_suffix(region, "/resource2_wc"));
}

static void
a_volume_on_qemu_is_found_by_its_serial_number(void **state)
{
	g_autofree char *root = NULL;
	g_autofree char *private = NULL;

	(void)state;
	put("block/vda/serial", "root\n");
	put("block/vdb/serial", "private2\n");
	put("block/sda/serial", "private\n");
	assert_int_equal(devices_find_volume(folder, "root", &root), 0);
	assert_string_equal(root, "/dev/vda");
	assert_int_equal(devices_find_volume(folder, "private", &private), -ENODEV);
	put("block/vdc/serial", "private");
	assert_int_equal(devices_find_volume(folder, "private", &private), 0);
	assert_string_equal(private, "/dev/vdc");
}

static void
a_volume_on_xen_is_found_by_its_place(void **state)
{
	static const struct {
		const char *name, *device;
	} rows[] = {
	    {"root", "/dev/xvda"},
	    {"private", "/dev/xvdb"},
	    {"volatile", "/dev/xvdc"},
	    {"kernel", "/dev/xvdd"},
	};
	char *device = NULL;

	(void)state;
	put("block/xvda/size", "1\n");
	put("block/xvdb/size", "1\n");
	put("block/xvdc/size", "1\n");
	put("block/xvdd/size", "1\n");
	/* These names mean nothing where there is no Xen. */
	assert_int_equal(devices_find_volume(folder, "root", &device), -ENODEV);
	put("hypervisor/type", "xen\n");
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		assert_int_equal(devices_find_volume(folder, rows[i].name, &device), 0);
		assert_string_equal(device, rows[i].device);
		g_clear_pointer(&device, g_free);
	}
	assert_int_equal(devices_find_volume(folder, "other", &device), -ENODEV);
}

/* ---- volumes ------------------------------------------------------------------------------- */

static char *
make_disk(off_t bytes, off_t mark_at)
{
	char *path = g_build_filename(folder, "disk", NULL);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, bytes), 0);
	if (mark_at >= 0)
		assert_int_equal(pwrite(fd, "x", 1, mark_at), 1);
	close(fd);
	return path;
}

static void
assert_blank(off_t bytes, off_t mark_at, int wanted)
{
	g_autofree char *disk = make_disk(bytes, mark_at);

	assert_int_equal(volume_is_blank(disk), wanted);
}

static void
a_volume_is_blank_when_its_first_ten_megabytes_are_zero(void **state)
{
	const off_t limit = VOLUME_BLANK_BYTES;

	(void)state;
	assert_blank(2 * limit, -1, 1);
	assert_blank(2 * limit, 0, 0);
	assert_blank(2 * limit, limit - 1, 0);
	assert_blank(2 * limit, limit, 1);
	assert_blank(65536, -1, 1);
	assert_blank(65536, 65535, 0);
	assert_blank(100, 99, 0);
	assert_blank(0, -1, 1);
	assert_int_equal(volume_is_blank("/nowhere"), -ENOENT);
}

static void
fill(uint8_t *superblock, size_t at, uint32_t value)
{
	value = GUINT32_TO_LE(value);
	memcpy(superblock + at, &value, sizeof(value));
}

static void
the_size_of_a_file_system_is_in_its_superblock(void **state)
{
	uint8_t superblock[VOLUME_SUPERBLOCK_BYTES] = {0};
	uint64_t bytes = 7;

	(void)state;
	assert_int_equal(volume_ext_bytes(superblock, &bytes), -EINVAL);
	fill(superblock, 0x38, 0xef53);
	fill(superblock, 0x04, 1000);
	fill(superblock, 0x18, 2);
	assert_int_equal(volume_ext_bytes(superblock, &bytes), 0);
	assert_int_equal(bytes, 4096000);
	/* The upper half counts only where the file system says that it has one. */
	fill(superblock, 0x150, 1);
	assert_int_equal(volume_ext_bytes(superblock, &bytes), 0);
	assert_int_equal(bytes, 4096000);
	fill(superblock, 0x60, 0x80);
	assert_int_equal(volume_ext_bytes(superblock, &bytes), 0);
	assert_true(bytes == ((1ull << 32) + 1000) * 4096);
	/* The largest block, and one beyond. */
	fill(superblock, 0x18, 6);
	assert_int_equal(volume_ext_bytes(superblock, &bytes), 0);
	fill(superblock, 0x18, 7);
	assert_int_equal(volume_ext_bytes(superblock, &bytes), -EINVAL);
	/* A number of bytes that no 64 bits hold. */
	fill(superblock, 0x18, 6);
	fill(superblock, 0x150, 0x0000ffff);
	assert_int_equal(volume_ext_bytes(superblock, &bytes), 0);
	fill(superblock, 0x150, 0x00010000);
	assert_int_equal(volume_ext_bytes(superblock, &bytes), -EINVAL);
}

static void
a_file_system_grows_when_a_megabyte_is_won(void **state)
{
	const off_t file_system = 4 << 20;
	uint8_t superblock[VOLUME_SUPERBLOCK_BYTES] = {0};
	g_autofree char *disk = make_disk(file_system, -1);
	int fd = open(disk, O_RDWR | O_CLOEXEC);

	(void)state;
	assert_false(volume_can_grow(disk)); /* nothing is on it */
	fill(superblock, 0x38, 0xef53);
	fill(superblock, 0x04, 1024);
	fill(superblock, 0x18, 2);
	assert_int_equal(
	    pwrite(fd, superblock, sizeof(superblock), VOLUME_SUPERBLOCK_AT), sizeof(superblock));
	assert_false(volume_can_grow(disk));
	assert_int_equal(ftruncate(fd, file_system + (1 << 20) - 1), 0);
	assert_false(volume_can_grow(disk));
	assert_int_equal(ftruncate(fd, file_system + (1 << 20)), 0);
	assert_true(volume_can_grow(disk));
	close(fd);
	assert_false(volume_can_grow("/nowhere"));
}

/* ---- Xen's command line, and the names of the program --------------------------------------- */

static void
assert_conf(const char *cmdline, const char *wanted)
{
	g_autofree char *text = xen_conf_of_cmdline(cmdline);

	if (wanted == NULL)
		assert_null(text);
	else
		assert_string_equal(text, wanted);
}

static void
guest_conf_is_one_word_of_the_command_line(void **state)
{
	(void)state;
	assert_conf("rw quiet bordure.conf=bmFtZT13b3JrCg== console=hvc0\n", "name=work\n");
	assert_conf("bordure.conf=bmFtZT13b3JrCg==", "name=work\n");
	assert_conf("xbordure.conf=bmFtZT13b3JrCg==", NULL);
	assert_conf("bordure.conf=", NULL);
	assert_conf("bordure.conf=YQBi", NULL); /* a NUL between a and b */
	assert_conf("", NULL);
}

static void
the_program_asks_when_it_is_called_by_a_name_that_ends_machines(void **state)
{
	(void)state;
	assert_true(power_is_request("/sbin/poweroff"));
	assert_true(power_is_request("halt"));
	assert_true(power_is_request("/usr/sbin/shutdown"));
	assert_true(power_is_request("reboot"));
	assert_false(power_is_request("/sbin/init"));
	assert_false(power_is_request("bordure-machine-init"));
	assert_false(power_is_request("poweroff2"));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(the_port_is_found_by_its_name_only),
	    TEST(the_region_is_the_ivshmem_device_and_is_switched_on),
	    TEST(the_region_is_write_combined_where_that_is_offered),
	    TEST(a_volume_on_qemu_is_found_by_its_serial_number),
	    TEST(a_volume_on_xen_is_found_by_its_place),
	    TEST(a_volume_is_blank_when_its_first_ten_megabytes_are_zero),
	    TEST(the_size_of_a_file_system_is_in_its_superblock),
	    TEST(a_file_system_grows_when_a_megabyte_is_won),
	    TEST(guest_conf_is_one_word_of_the_command_line),
	    TEST(the_program_asks_when_it_is_called_by_a_name_that_ends_machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
