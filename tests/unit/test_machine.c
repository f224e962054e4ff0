#include "tests/unit/unit.h"

#include "qubesd/guest/devices.h"
#include "qubesd/guest/fresh.h"
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

static void
only_what_was_read_of_a_disk_can_be_forgotten(void **state)
{
	g_autofree char *file = make_disk(4096, -1);

	(void)state;
	assert_int_equal(volume_forget(file), -ENOTTY);
	assert_int_equal(volume_forget("/nowhere"), -ENOENT);
}

/* ---- what comes anew ------------------------------------------------------------------------ */

#define CONF                                                                                       \
	"name=work\nuuid=2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21\ntype=AppVM\nxid=3\n"                \
	"default-user=user\n"

static int
take(const char *name, struct guest_conf_fresh *ret, char **ret_text)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);

	return fresh_take(path, ret, ret_text);
}

static void
assert_empty_folder(void)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);

	assert_null(g_dir_read_name(dir));
}

static void
time_and_seed_are_taken_out_of_what_the_host_sent(void **state)
{
	struct guest_conf_fresh sent = {
	    .has_time = true, .has_seed = true, .time_s = 1700000000, .time_ns = 5};
	struct guest_conf_fresh fresh = {0};
	g_autofree char *all = NULL;
	g_autofree char *text = NULL;

	(void)state;
	memset(sent.seed, 0xa5, sizeof(sent.seed));
	all = guest_conf_with_fresh(CONF, &sent);
	put("guest.conf", all);
	assert_int_equal(take("guest.conf", &fresh, &text), 0);
	assert_string_equal(text, CONF);
	assert_true(fresh.has_time && fresh.has_seed);
	assert_int_equal(fresh.time_s, sent.time_s);
	assert_int_equal(fresh.time_ns, sent.time_ns);
	assert_memory_equal(fresh.seed, sent.seed, sizeof(sent.seed));
	assert_empty_folder();
}

/* A file that somebody still has open shows that the seed is not in its blocks any more. */
static void
the_file_that_held_a_seed_is_overwritten(void **state)
{
	g_autofree char *path = g_build_filename(folder, "guest.conf", NULL);
	g_autofree char *text = NULL;
	struct guest_conf_fresh fresh;
	char byte = 'x';
	size_t len = 0;
	int fd;

	(void)state;
	put("guest.conf", CONF);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(take("guest.conf", &fresh, &text), 0);
	for (; read(fd, &byte, 1) == 1; len++)
		assert_int_equal(byte, 0);
	assert_int_equal(len, strlen(CONF));
	close(fd);
}

static void
what_the_host_sent_is_taken_once_and_only_when_it_is_right(void **state)
{
	struct guest_conf_fresh fresh = {.time_s = 77};
	g_autofree char *long_text = g_strnfill(GUEST_CONF_MAX + 1, 'x');
	char *text = NULL;

	(void)state;
	assert_int_equal(take("guest.conf", &fresh, &text), -ENOENT);
	put("guest.conf", CONF "random-seed=0\n");
	assert_int_equal(take("guest.conf", &fresh, &text), -EINVAL);
	assert_empty_folder();
	memcpy(long_text, CONF "pad=", strlen(CONF "pad="));
	put("guest.conf", long_text);
	assert_int_equal(take("guest.conf", &fresh, &text), -EINVAL);
	assert_empty_folder();
	put("guest.conf", "");
	assert_int_equal(take("guest.conf", &fresh, &text), -EINVAL);
	assert_null(text);
	assert_int_equal(fresh.time_s, 77);
	long_text[GUEST_CONF_MAX] = '\0';
	put("guest.conf", long_text);
	assert_int_equal(take("guest.conf", &fresh, &text), 0);
	assert_string_equal(text, long_text);
	assert_false(fresh.has_time || fresh.has_seed);
	assert_int_equal(fresh_use(&fresh), 0); /* nothing is done without either */
	assert_int_equal(take("guest.conf", &fresh, &text), -ENOENT);
	g_free(text);
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
	    TEST(only_what_was_read_of_a_disk_can_be_forgotten),
	    TEST(time_and_seed_are_taken_out_of_what_the_host_sent),
	    TEST(the_file_that_held_a_seed_is_overwritten),
	    TEST(what_the_host_sent_is_taken_once_and_only_when_it_is_right),
	    TEST(guest_conf_is_one_word_of_the_command_line),
	    TEST(the_program_asks_when_it_is_called_by_a_name_that_ends_machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
