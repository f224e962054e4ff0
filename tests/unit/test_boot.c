/* Which kernel a qube starts with, and the words it is told. */
#include "tests/unit/unit.h"

#include "qubesd/boot.h"
#include "qubesd/domain.h"
#include "qubesd/property.h"
#include "qubesd/qubes_app.h"
#include "tests/unit/admin_fixture.h"

#include <glib/gstdio.h>
#include <string.h>

static struct admin_fixture *f;
static struct domain *domain;

static void
make_file(const char *version, const char *name, const char *text)
{
	g_autofree char *dir = g_build_filename(f->dir, "vm-kernels", version, NULL);
	g_autofree char *path = g_build_filename(dir, name, NULL);

	assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
	assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void
call(const char *method, const char *arg, const char *payload)
{
	g_autofree char *reply = admin_fixture_call(f, "dom0", method, arg, "test-vm1", payload);

	assert_true(g_str_has_prefix(reply, "OK"));
}

static void
set(const char *property, const char *value)
{
	call("admin.vm.property.Set", property, value);
}

static void
feature(const char *name, const char *value)
{
	call("admin.vm.feature.Set", name, value);
}

static int
set_up(void **state)
{
	(void)state;
	f = admin_fixture_new();
	domain = qubes_app_find(f->app, "test-vm1");
	set("virt_mode", "pvh");
	set("kernel", "1.0");
	set("kernelopts", "quiet");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	admin_fixture_free(f);
	return 0;
}

static void
assert_line(const char *kind, const char *expected)
{
	struct admin_error error = {0};
	struct boot boot;

	assert_true(boot_of(domain, kind, &boot, &error));
	assert_string_equal(boot.cmdline, expected);
	boot_clear(&boot);
}

static void
boot_finds_kernel_and_initramfs_of_the_version(void **state)
{
	g_autofree char *kernel = g_build_filename(f->dir, "vm-kernels", "1.0", "vmlinuz", NULL);
	g_autofree char *initrd = g_build_filename(f->dir, "vm-kernels", "1.0", "initramfs", NULL);
	struct admin_error error = {0};
	struct boot boot;

	(void)state;
	g_unlink(initrd);
	assert_true(boot_of(domain, "qemu:///system", &boot, &error));
	assert_string_equal(boot.kernel, kernel);
	assert_string_equal(boot.initrd, "");
	boot_clear(&boot);
	make_file("1.0", "initramfs", "x");
	assert_true(boot_of(domain, "qemu:///system", &boot, &error));
	assert_string_equal(boot.initrd, initrd);
	boot_clear(&boot);
}

static void
boot_line_is_the_drivers_own_without_a_common_file(void **state)
{
	(void)state;
	assert_line("qemu:///system", "root=/dev/vda ro nomodeset console=ttyS0 quiet");
	assert_line("xen:///",
	    "root=/dev/mapper/dmroot ro nomodeset console=hvc0 rd_NO_PLYMOUTH "
	    "rd.plymouth.enable=0 plymouth.enable=0 xen_privcmd.unrestricted quiet");
}

static void
boot_line_takes_the_common_file_and_adds_the_console(void **state)
{
	(void)state;
	make_file("1.0", "default-kernelopts-common.txt", "  ro  init=/x nomodeset \n");
	assert_line("qemu:///system", "ro init=/x nomodeset console=ttyS0 quiet");
	assert_line("xen:///", "ro init=/x nomodeset console=hvc0 quiet");
	make_file("1.0", "default-kernelopts-common.txt", "console=ttyS0,115200 ro");
	assert_line("qemu:///system", "console=ttyS0,115200 ro quiet");
	assert_line("xen:///", "console=ttyS0,115200 ro console=hvc0 quiet");
}

static void
boot_line_follows_the_features(void **state)
{
	(void)state;
	make_file("1.0", "default-kernelopts-common.txt", "ro nomodeset");
	feature("no-nomodeset", "1");
	assert_line("qemu:///system", "ro console=ttyS0 quiet");
	feature("no-nomodeset", "");
	assert_line("qemu:///system", "ro nomodeset console=ttyS0 quiet");
	feature("selinux", "1");
	assert_line(
	    "qemu:///system", "ro nomodeset console=ttyS0 quiet selinux=1 security=selinux");
	feature("apparmor", "1");
	assert_line(
	    "qemu:///system", "ro nomodeset console=ttyS0 quiet apparmor=1 security=apparmor");
	feature("no-default-kernelopts", "1");
	assert_line("qemu:///system", "quiet");
	set("kernelopts", "");
	assert_line("qemu:///system", "");
}

static void
boot_line_names_the_machine_to_a_linux(void **state)
{
	g_auto(GStrv) parts = g_strsplit(domain_uuid(domain), "-", -1);
	g_autofree char *id = g_strjoinv("", parts);
	g_autofree char *expected =
	    g_strdup_printf("systemd.machine_id=%s ro console=hvc0 quiet", id);

	(void)state;
	make_file("1.0", "default-kernelopts-common.txt", "ro");
	feature("os", "Linux");
	assert_line("xen:///", expected);
}

static void
boot_without_a_kernel_is_from_the_image(void **state)
{
	struct admin_error error = {0};
	struct boot boot;

	(void)state;
	set("kernel", "");
	assert_true(boot_of(domain, "qemu:///system", &boot, &error));
	assert_string_equal(boot.kernel, "");
	assert_string_equal(boot.initrd, "");
	assert_string_equal(boot.cmdline, "");
	boot_clear(&boot);
}

static void
boot_on_xen_without_a_kernel_needs_the_loader_of_its_mode(void **state)
{
	struct admin_error error = {0};
	struct boot boot;

	(void)state;
	set("kernel", "");
	assert_false(boot_of(domain, "xen:///", &boot, &error));
	assert_non_null(strstr(error.message, "pvgrub2-pvh"));
	admin_error_clear(&error);
	make_file("pvgrub2-pvh", "vmlinuz", "x");
	assert_true(boot_of(domain, "xen:///", &boot, &error));
	assert_true(g_str_has_suffix(boot.kernel, "/pvgrub2-pvh/vmlinuz"));
	boot_clear(&boot);
	set("virt_mode", "pv");
	assert_false(boot_of(domain, "xen:///", &boot, &error));
	admin_error_clear(&error);
	set("virt_mode", "hvm");
	assert_true(boot_of(domain, "xen:///", &boot, &error));
	assert_string_equal(boot.kernel, "");
	boot_clear(&boot);
}

static void
boot_with_a_kernel_that_has_gone_is_an_error_but_not_for_a_sandbox(void **state)
{
	g_autofree char *kernel = g_build_filename(f->dir, "vm-kernels", "1.0", "vmlinuz", NULL);
	struct admin_error error = {0};
	struct boot boot;

	(void)state;
	assert_int_equal(g_unlink(kernel), 0);
	assert_false(boot_of(domain, "qemu:///system", &boot, &error));
	assert_string_equal(error.name, "QubesException");
	assert_non_null(strstr(error.message, "test-vm1"));
	assert_non_null(strstr(error.message, "1.0"));
	admin_error_clear(&error);
	assert_true(boot_of(domain, "sandbox", &boot, &error));
	assert_string_equal(boot.kernel, "");
	boot_clear(&boot);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(boot_finds_kernel_and_initramfs_of_the_version),
	    TEST(boot_line_is_the_drivers_own_without_a_common_file),
	    TEST(boot_line_takes_the_common_file_and_adds_the_console),
	    TEST(boot_line_follows_the_features),
	    TEST(boot_line_names_the_machine_to_a_linux),
	    TEST(boot_without_a_kernel_is_from_the_image),
	    TEST(boot_on_xen_without_a_kernel_needs_the_loader_of_its_mode),
	    TEST(boot_with_a_kernel_that_has_gone_is_an_error_but_not_for_a_sandbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
