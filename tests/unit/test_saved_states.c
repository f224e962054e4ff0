#include "tests/unit/unit.h"

#include "qubesd/domain_xml.h"
#include "qubesd/saved_machine.h"
#include "qubesd/saved_states.h"
#include "qubesd/storage/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESCRIPTION                                                                                \
	"<domain><name>saved-state</name><uuid>11111111-1111-4111-8111-111111111111</uuid>"        \
	"<devices></devices></domain>"
#define STREAM "QEVM and what comes after it"

static char *dir;

static const struct saved_identity identity = {
    .name = "disp1",
    .uuid = "2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21",
    .klass = "DispVM",
    .xid = 7,
    .port_path = "/port",
    .console_path = "/console",
};

static char *
in_dir(const char *name)
{
	return g_build_filename(dir, name, NULL);
}

static void
write_file(const char *path, const char *bytes, size_t len)
{
	assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
}

static bool
is_there(const char *name)
{
	g_autofree char *path = in_dir(name);

	return access(path, F_OK) == 0;
}

static int
set_up(void **state)
{
	(void)state;
	dir = g_dir_make_tmp("bordure-test.XXXXXX", NULL);
	g_setenv("QUBES_STATE_DIR", dir, TRUE);
	return dir != NULL ? 0 : -1;
}

static void
remove_tree(const char *path)
{
	g_autoptr(GDir) entries = g_dir_open(path, 0, NULL);
	const char *name;

	while (entries != NULL && (name = g_dir_read_name(entries)) != NULL) {
		g_autofree char *child = g_build_filename(path, name, NULL);

		remove_tree(child);
	}
	remove(path);
}

static int
tear_down(void **state)
{
	(void)state;
	remove_tree(dir);
	g_clear_pointer(&dir, g_free);
	return 0;
}

/* --- the files ------------------------------------------------------------------------------ */

/* What libvirt would have written, into the folder that is being made. */
static void
write_state(const char *folder, const char *magic)
{
	g_autofree char *path = g_build_filename(folder, "state", NULL);
	GString *bytes = g_string_new(magic);
	uint32_t words[19] = {2, sizeof(DESCRIPTION)};

	g_string_append_len(bytes, (const char *)words, sizeof(words));
	g_string_append_len(bytes, DESCRIPTION, sizeof(DESCRIPTION));
	g_string_append(bytes, STREAM);
	write_file(path, bytes->str, bytes->len);
	g_string_free(bytes, TRUE);
}

static void
make_state(const char *key)
{
	g_autofree char *folder = saved_states_begin(4096);

	assert_non_null(folder);
	write_state(folder, "LibvirtQemudSave");
	assert_int_equal(saved_states_commit(key, DESCRIPTION), 0);
	saved_states_end();
	assert_true(saved_states_has(key));
}

static void
a_state_is_opened_as_a_copy_for_one_machine(void **state)
{
	g_autofree char *path = NULL;
	g_autofree char *bytes = NULL;
	struct saved_image image;
	struct stat status;
	gsize len;

	(void)state;
	make_state("k1");
	assert_false(is_there("saved/making"));
	assert_int_equal(saved_states_open("k1", &identity, &path), 0);
	assert_true(g_file_get_contents(path, &bytes, &len, NULL));
	assert_int_equal(saved_image_parse(bytes, len, &image), 0);
	assert_non_null(strstr(image.text, "<name>disp1</name>"));
	assert_int_equal(len - image.stream_at, strlen(STREAM));
	assert_memory_equal(bytes + image.stream_at, STREAM, strlen(STREAM));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_true(saved_states_has("k1"));
}

static void
what_is_not_there_is_not_opened(void **state)
{
	char *path = NULL;

	(void)state;
	assert_false(saved_states_has("k1"));
	assert_int_equal(saved_states_open("k1", &identity, &path), -ENOENT);
	make_state("k1");
	saved_states_drop("k1");
	assert_int_equal(saved_states_open("k1", &identity, &path), -ENOENT);
	assert_null(path);
}

static void
a_state_that_libvirt_has_not_finished_is_none(void **state)
{
	g_autofree char *folder = saved_states_begin(4096);

	(void)state;
	write_state(folder, "LibvirtQemudPart");
	assert_int_equal(saved_states_commit("k1", DESCRIPTION), -ENOTSUP);
	assert_false(saved_states_has("k1"));
	saved_states_end();
	assert_false(is_there("saved/making"));
}

static void
no_state_is_made_that_would_fill_the_disk(void **state)
{
	(void)state;
	assert_null(saved_states_begin(UINT64_MAX / 4));
	assert_int_equal(errno, ENOSPC);
	saved_states_end();
	assert_false(is_there("saved/making"));
}

/* QEMU writes into the file, and what it describes is what libvirt would run. */
static void
a_state_of_another_description_is_none(void **state)
{
	g_autofree char *folder = saved_states_begin(4096);

	(void)state;
	write_state(folder, "LibvirtQemudSave");
	assert_int_equal(saved_states_commit("k1", "<domain/>"), -EBADMSG);
	assert_false(saved_states_has("k1"));
	assert_int_equal(saved_states_commit("k1", DESCRIPTION "\n"), 0);
}

static void
a_state_that_was_cut_short_is_not_opened_and_leaves_no_copy(void **state)
{
	g_autofree char *path = in_dir("saved/k1.state");
	char *copy = NULL;

	(void)state;
	make_state("k1");
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(saved_states_open("k1", &identity, &copy), -ENOTSUP);
	assert_null(copy);
	assert_false(is_there("saved/2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21.start"));
}

/* As if it had been used that long ago. */
static void
set_age(const char *key, time_t seconds)
{
	g_autofree char *file = g_strdup_printf("saved/%s.state", key);
	g_autofree char *path = in_dir(file);
	struct timespec times[2];

	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= seconds;
	times[1] = times[0];
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void
states_that_nobody_used_lately_make_room(void **state)
{
	static const char *const keys[SAVED_STATES_MAX] = {"k0", "k1", "k2", "k3"};
	g_autofree char *path = NULL;

	(void)state;
	for (int i = 0; i < SAVED_STATES_MAX; i++) {
		make_state(keys[i]);
		set_age(keys[i], 100 - i);
	}
	for (int i = 0; i < SAVED_STATES_MAX; i++)
		assert_true(saved_states_has(keys[i]));
	assert_int_equal(saved_states_open("k0", &identity, &path), 0);
	make_state("k4");
	assert_true(saved_states_has("k0"));
	assert_false(saved_states_has("k1"));
	assert_true(saved_states_has("k2"));
	assert_true(saved_states_has("k4"));
}

static void
what_a_killed_daemon_left_is_removed(void **state)
{
	g_autofree char *folder = NULL;
	g_autofree char *copy = NULL;

	(void)state;
	make_state("k1");
	assert_int_equal(saved_states_open("k1", &identity, &copy), 0);
	folder = saved_states_begin(4096);
	write_state(folder, "LibvirtQemudPart");
	saved_states_tidy();
	assert_false(is_there("saved/making"));
	assert_int_equal(access(copy, F_OK), -1);
	assert_true(saved_states_has("k1"));
}

/* --- what a state depends on ----------------------------------------------------------------- */

struct sample {
	char *kernel, *initrd, *root, *origin, *private;
	struct hypervisor_volume volumes[2];
	struct hypervisor_qube qube;
	uint64_t region_bytes;
};

static char *
new_file(const char *name, const char *content)
{
	char *path = in_dir(name);

	write_file(path, content, strlen(content));
	return path;
}

static void
sample_init(struct sample *sample)
{
	sample->kernel = new_file("vmlinuz", "kernel");
	sample->initrd = new_file("initramfs", "initrd");
	sample->root = new_file("root-dirty.img", "content of the root");
	sample->origin = new_file("root.img", "content of the root");
	sample->private = new_file("private-dirty.img", "home");
	sample->region_bytes = 4096;
	sample->volumes[0] = (struct hypervisor_volume){
	    .name = "root",
	    .path = sample->root,
	    .origin = sample->origin,
	    .rw = true,
	};
	sample->volumes[1] = (struct hypervisor_volume){
	    .name = "private",
	    .path = sample->private,
	    .rw = true,
	};
	sample->qube = (struct hypervisor_qube){
	    .name = "disp1",
	    .uuid = identity.uuid,
	    .klass = "DispVM",
	    .virt_mode = "pvh",
	    .memory_mib = 400,
	    .maxmem_mib = 400,
	    .vcpus = 2,
	    .kernel = sample->kernel,
	    .initrd = sample->initrd,
	    .cmdline = "quiet",
	    .volumes = sample->volumes,
	    .volume_count = 2,
	    .may_restore = true,
	};
}

static void
sample_fini(struct sample *sample)
{
	g_free(sample->kernel);
	g_free(sample->initrd);
	g_free(sample->root);
	g_free(sample->origin);
	g_free(sample->private);
}

static char *
key_of(const struct sample *sample, bool kvm, const char *host)
{
	struct saved_machine *machine = saved_machine_new(&sample->qube);
	char *key;

	assert_non_null(machine);
	key = saved_machine_key(machine, kvm, sample->region_bytes, host);
	saved_machine_free(machine);
	return key;
}

static void
assert_other_key(const struct sample *sample, const char *key)
{
	g_autofree char *other = key_of(sample, false, "host");

	assert_non_null(other);
	assert_string_not_equal(other, key);
}

static void
who_a_disposable_is_does_not_change_its_key(void **state)
{
	struct sample sample;
	g_autofree char *key = NULL;
	g_autofree char *other = NULL;
	g_autofree char *copy = in_dir("another-root.img");

	(void)state;
	sample_init(&sample);
	key = key_of(&sample, false, "host");
	assert_int_equal(strlen(key), 64);
	sample.qube.name = "disp2";
	sample.qube.uuid = "6695eb01-f6a4-8304-79aa-97f2502e193f";
	sample.qube.xid = 9;
	write_file(copy, "written by a qube: ", 19); /* of the same size */
	sample.volumes[0].path = copy;
	other = key_of(&sample, false, "host");
	assert_string_equal(key, other);
	sample_fini(&sample);
}

static void
whatever_a_state_is_made_of_changes_its_key(void **state)
{
	struct sample sample;
	g_autofree char *key = NULL;
	g_autofree char *kvm = NULL;
	g_autofree char *host = NULL;

	(void)state;
	sample_init(&sample);
	key = key_of(&sample, false, "host");
	kvm = key_of(&sample, true, "host");
	host = key_of(&sample, false, "a newer host");
	assert_string_not_equal(key, kvm);
	assert_string_not_equal(key, host);

	sample.qube.memory_mib++;
	assert_other_key(&sample, key);
	sample.qube.memory_mib--;
	sample.qube.vcpus++;
	assert_other_key(&sample, key);
	sample.qube.vcpus--;
	sample.region_bytes = 8192;
	assert_other_key(&sample, key);
	sample.region_bytes = 4096;
	sample.qube.cmdline = "loud";
	assert_other_key(&sample, key);
	sample.qube.cmdline = "quiet";
	sample.qube.volume_count = 1;
	assert_other_key(&sample, key);
	sample.qube.volume_count = 2;
	write_file(sample.private, "larger home", 11);
	assert_other_key(&sample, key);
	write_file(sample.private, "home", 4);
	g_free(key);
	key = key_of(&sample, false, "host");
	write_file(sample.origin, "another of the root", 19); /* as long, in a new file */
	assert_other_key(&sample, key);
	g_free(key);
	key = key_of(&sample, false, "host");
	write_file(sample.kernel, "lernek", 6);
	assert_other_key(&sample, key);
	g_free(key);
	key = key_of(&sample, false, "host");
	write_file(sample.initrd, "dritni", 6);
	assert_other_key(&sample, key);
	sample_fini(&sample);
}

static void
a_qube_that_must_boot_has_no_machine_to_be_saved(void **state)
{
	struct sample sample;

	(void)state;
	sample_init(&sample);
	sample.qube.may_restore = false;
	assert_null(saved_machine_new(&sample.qube));
	sample.qube.may_restore = true;
	sample.qube.klass = "AppVM";
	assert_null(saved_machine_new(&sample.qube));
	sample.qube.klass = "DispVM";
	sample.qube.kernel = "";
	assert_null(saved_machine_new(&sample.qube));
	sample.qube.kernel = sample.kernel;
	sample.volumes[0].origin = NULL;
	assert_null(saved_machine_new(&sample.qube));
	sample.volumes[0].origin = sample.origin;
	sample.volumes[1].path = "/dev/qubes/private";
	assert_null(saved_machine_new(&sample.qube));
	sample.volumes[1].path = sample.private;
	assert_int_equal(unlink(sample.kernel), 0);
	assert_null(key_of(&sample, false, "host")); /* a file is missing */
	sample_fini(&sample);
}

static void
the_disks_are_the_roots_content_and_nothing(void **state)
{
	g_autofree char *folder = in_dir("making");
	g_autofree char *root = in_dir("making/root.img");
	g_autofree char *private = in_dir("making/private.img");
	g_autofree char *content = NULL;
	g_autofree char *home = NULL;
	struct saved_machine *machine;
	struct sample sample;
	gsize len;
	FILE *file;

	(void)state;
	sample_init(&sample);
	assert_int_equal(mkdir(folder, 0700), 0);
	machine = saved_machine_new(&sample.qube);
	g_free(saved_machine_key(machine, false, 4096, "host"));
	assert_int_equal(unlink(sample.origin), 0); /* the qube has ended meanwhile */
	assert_int_equal(saved_machine_make_disks(machine, folder), 0);
	assert_true(g_file_get_contents(root, &content, NULL, NULL));
	assert_string_equal(content, "content of the root");
	assert_true(g_file_get_contents(private, &home, &len, NULL));
	assert_int_equal(len, 4);
	assert_memory_equal(home, "\0\0\0\0", 4);
	assert_true(saved_machine_disks_are_clean(machine, folder));
	file = fopen(private, "r+");
	assert_int_equal(fputc('\0', file), 0); /* the same byte is a write as well */
	fclose(file);
	assert_false(saved_machine_disks_are_clean(machine, folder));
	saved_machine_free(machine);
	sample_fini(&sample);
}

static void
a_content_that_somebody_writes_is_not_saved(void **state)
{
	g_autofree char *folder = in_dir("making");
	struct saved_machine *machine;
	struct sample sample;
	FILE *file;

	(void)state;
	sample_init(&sample);
	assert_int_equal(mkdir(folder, 0700), 0);
	machine = saved_machine_new(&sample.qube);
	g_free(saved_machine_key(machine, false, 4096, "host"));
	file = fopen(sample.origin, "a");
	fputs("more", file);
	fclose(file);
	assert_int_equal(saved_machine_make_disks(machine, folder), -EAGAIN);
	saved_machine_free(machine);
	sample_fini(&sample);
}

/* --- copying a tail --------------------------------------------------------------------------- */

static void
a_tail_is_copied_from_any_place_to_any_other(void **state)
{
	static const off_t places[] = {0, 1, 4095, 4096, 4097, 8192, 10000};
	g_autofree char *from_path = in_dir("from");
	g_autofree char *to_path = in_dir("to");
	char bytes[10000];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + i / 256);
	write_file(from_path, bytes, sizeof(bytes));
	for (size_t i = 0; i < G_N_ELEMENTS(places) * G_N_ELEMENTS(places); i++) {
		off_t from_at = places[i / G_N_ELEMENTS(places)];
		off_t to_at = places[i % G_N_ELEMENTS(places)];
		size_t len = sizeof(bytes) - (size_t)from_at;
		int from = open(from_path, O_RDONLY), to;
		g_autofree char *copy = NULL;
		gsize copied;

		to = open(to_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
		assert_int_equal(copy_tail(from, from_at, to, to_at), 0);
		close(from);
		close(to);
		assert_true(g_file_get_contents(to_path, &copy, &copied, NULL));
		assert_int_equal(copied, len > 0 ? (size_t)to_at + len : 0);
		if (len > 0)
			assert_memory_equal(copy + to_at, bytes + from_at, len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		a_state_is_opened_as_a_copy_for_one_machine, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_is_not_there_is_not_opened, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		a_state_that_libvirt_has_not_finished_is_none, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		no_state_is_made_that_would_fill_the_disk, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		a_state_of_another_description_is_none, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		a_state_that_was_cut_short_is_not_opened_and_leaves_no_copy, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		states_that_nobody_used_lately_make_room, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		what_a_killed_daemon_left_is_removed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		who_a_disposable_is_does_not_change_its_key, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		whatever_a_state_is_made_of_changes_its_key, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		a_qube_that_must_boot_has_no_machine_to_be_saved, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		the_disks_are_the_roots_content_and_nothing, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		a_content_that_somebody_writes_is_not_saved, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		a_tail_is_copied_from_any_place_to_any_other, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
