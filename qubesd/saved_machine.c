#include "qubesd/saved_machine.h"

#include "qubesd/domain_xml.h"
#include "qubesd/storage/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define NO_UUID "00000000-0000-0000-0000-000000000000"
#define CLEAN_S 1 /* the time that disks get: what is written to gets another one */

/* Of each volume: where the qube has it, and what of it counts. */
struct disk {
	char *name, *path, *origin; /* owned; origin: of the root alone */
	bool rw;
	int origin_fd;      /* owned; -1: there is none, or not yet */
	struct stat before; /* of origin_fd */
	uint64_t size;
};

struct saved_machine {
	char *virt_mode, *kernel, *initrd, *cmdline; /* owned */
	uint32_t memory_mib, vcpus;
	GArray *disks;                     /* owned; struct disk */
	struct hypervisor_volume *volumes; /* owned; of the same strings */
};

/* --- making --------------------------------------------------------------------------------- */

static void
disk_clear(void *data)
{
	struct disk *disk = data;

	g_free(disk->name);
	g_free(disk->path);
	g_free(disk->origin);
	if (disk->origin_fd >= 0)
		close(disk->origin_fd);
}

/* Files only: a device would be another kind of disk. */
static bool
has_origin(const struct hypervisor_qube *qube)
{
	bool found = false;

	for (size_t i = 0; i < qube->volume_count; i++) {
		const struct hypervisor_volume *volume = &qube->volumes[i];

		if (g_str_has_prefix(volume->path, "/dev/"))
			return false;
		if (strcmp(volume->name, "root") == 0)
			found = volume->origin != NULL;
	}
	return found;
}

struct saved_machine *
saved_machine_new(const struct hypervisor_qube *qube)
{
	struct saved_machine *machine;

	if (!qube->may_restore || strcmp(qube->klass, "DispVM") != 0 || qube->kernel[0] == '\0' ||
	    !has_origin(qube))
		return NULL;
	machine = g_new0(struct saved_machine, 1);
	machine->virt_mode = g_strdup(qube->virt_mode);
	machine->kernel = g_strdup(qube->kernel);
	machine->initrd = g_strdup(qube->initrd);
	machine->cmdline = g_strdup(qube->cmdline);
	machine->memory_mib = qube->memory_mib;
	machine->vcpus = qube->vcpus;
	machine->disks = g_array_new(FALSE, FALSE, sizeof(struct disk));
	g_array_set_clear_func(machine->disks, disk_clear);
	machine->volumes = g_new0(struct hypervisor_volume, qube->volume_count);
	for (size_t i = 0; i < qube->volume_count; i++) {
		const struct hypervisor_volume *volume = &qube->volumes[i];
		bool is_root = strcmp(volume->name, "root") == 0;
		struct disk disk = {
		    .name = g_strdup(volume->name),
		    .path = g_strdup(volume->path),
		    .origin = is_root ? g_strdup(volume->origin) : NULL,
		    .rw = volume->rw,
		    .origin_fd = -1,
		};

		g_array_append_val(machine->disks, disk);
		machine->volumes[i] = (struct hypervisor_volume){
		    .name = disk.name,
		    .path = disk.path,
		    .rw = disk.rw,
		};
	}
	return machine;
}

uint64_t
saved_machine_memory_bytes(const struct saved_machine *machine)
{
	return (uint64_t)machine->memory_mib << 20;
}

const struct hypervisor_volume *
saved_machine_volumes(const struct saved_machine *machine, size_t *ret_count)
{
	*ret_count = machine->disks->len;
	return machine->volumes;
}

void
saved_machine_free(struct saved_machine *machine)
{
	if (machine == NULL)
		return;
	g_array_unref(machine->disks);
	g_free(machine->volumes);
	g_free(machine->virt_mode);
	g_free(machine->kernel);
	g_free(machine->initrd);
	g_free(machine->cmdline);
	g_free(machine);
}

/* --- the description ------------------------------------------------------------------------ */

static char *
disk_path(const char *folder, const struct disk *disk)
{
	g_autofree char *file = g_strconcat(disk->name, ".img", NULL);

	return g_build_filename(folder, file, NULL);
}

/* Those that are written get files of their own; the others are shared by all. */
static GArray *
volumes_in(const struct saved_machine *machine, const char *folder)
{
	GArray *volumes = g_array_new(FALSE, FALSE, sizeof(struct hypervisor_volume));

	for (guint i = 0; i < machine->disks->len; i++) {
		const struct disk *disk = &g_array_index(machine->disks, struct disk, i);
		struct hypervisor_volume volume = {
		    .name = disk->name,
		    .path = disk->rw ? disk_path(folder, disk) : g_strdup(disk->path),
		    .rw = disk->rw,
		};

		g_array_append_val(volumes, volume);
	}
	return volumes;
}

static void
free_volumes(GArray *volumes)
{
	for (guint i = 0; i < volumes->len; i++)
		g_free((char *)g_array_index(volumes, struct hypervisor_volume, i).path);
	g_array_unref(volumes);
}

int
saved_machine_xml(const struct saved_machine *machine, const char *name, const char *uuid,
    const char *folder, const struct domain_xml_machine *host, char **ret, char **ret_error)
{
	GArray *volumes = volumes_in(machine, folder);
	struct hypervisor_qube qube = {
	    .name = name,
	    .uuid = uuid,
	    .klass = "DispVM",
	    .virt_mode = machine->virt_mode,
	    .memory_mib = machine->memory_mib,
	    .maxmem_mib = machine->memory_mib,
	    .vcpus = machine->vcpus,
	    .kernel = machine->kernel,
	    .initrd = machine->initrd,
	    .cmdline = machine->cmdline,
	    .mac = "",
	    .ip = "",
	    .ip6 = "",
	    .netvm = "",
	    .volumes = (const struct hypervisor_volume *)(void *)volumes->data,
	    .volume_count = volumes->len,
	};
	int r = domain_xml_new(&qube, DOMAIN_XML_QEMU, host, ret, ret_error);

	free_volumes(volumes);
	return r;
}

/* --- the key -------------------------------------------------------------------------------- */

/* What tells a file apart that is replaced and never written, or written and so of another time. */
static void
add_stat(GString *facts, const char *what, const struct stat *status)
{
	g_string_append_printf(facts, "%s %ju:%ju %jd bytes of %jd.%09ld\n", what,
	    (uintmax_t)status->st_dev, (uintmax_t)status->st_ino, (intmax_t)status->st_size,
	    (intmax_t)status->st_mtim.tv_sec, status->st_mtim.tv_nsec);
}

static bool
add_file(GString *facts, const char *what, const char *path)
{
	struct stat status;

	if (path[0] == '\0')
		return true;
	if (stat(path, &status) < 0)
		return false;
	add_stat(facts, what, &status);
	return true;
}

/* The origin of the root, which is held; the size alone of what is written; files that are shared. */
static bool
add_disk(GString *facts, struct disk *disk)
{
	struct stat status;

	if (!disk->rw)
		return add_file(facts, disk->name, disk->path);
	if (stat(disk->path, &status) < 0)
		return false;
	disk->size = (uint64_t)status.st_size;
	g_string_append_printf(facts, "%s %" PRIu64 " bytes\n", disk->name, disk->size);
	if (disk->origin == NULL)
		return true;
	if (disk->origin_fd < 0)
		disk->origin_fd = open(disk->origin, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (disk->origin_fd < 0 || fstat(disk->origin_fd, &disk->before) < 0)
		return false;
	add_stat(facts, "its origin", &disk->before);
	return true;
}

/* A state goes on in the middle of a kernel that has looked at its processor. */
static void
add_processor(GString *facts)
{
	static const char *const keys[] = {
	    "vendor_id", "model name", "stepping", "microcode", "flags", "bugs"};
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	struct utsname kernel;

	uname(&kernel);
	g_string_append_printf(
	    facts, "host %s %s %s\n", kernel.release, kernel.version, kernel.machine);
	if (!g_file_get_contents("/proc/cpuinfo", &text, NULL, NULL))
		return;
	lines = g_strsplit(text, "\n", -1);
	for (size_t i = 0; lines[i] != NULL && lines[i][0] != '\0'; i++) /* the first processor */
		for (size_t j = 0; j < G_N_ELEMENTS(keys); j++)
			if (g_str_has_prefix(lines[i], keys[j]))
				g_string_append_printf(facts, "%s\n", lines[i]);
}

char *
saved_machine_key(struct saved_machine *machine, bool kvm, uint64_t region_bytes, const char *host)
{
	const struct domain_xml_machine none = {
	    .kvm = kvm,
	    .port_path = "",
	    .console_path = "",
	    .region_name = "",
	    .region_bytes = region_bytes,
	    .to_be_saved = true,
	};
	GString *facts = g_string_new(host);
	g_autofree char *xml = NULL;
	g_autofree char *error = NULL;
	bool ok;
	char *key = NULL;

	g_string_append_c(facts, '\n');
	ok = add_file(facts, "kernel", machine->kernel) &&
	     add_file(facts, "initrd", machine->initrd) &&
	     saved_machine_xml(machine, "", NO_UUID, "", &none, &xml, &error) == 0;
	for (guint i = 0; ok && i < machine->disks->len; i++)
		ok = add_disk(facts, &g_array_index(machine->disks, struct disk, i));
	if (ok) {
		add_processor(facts);
		g_string_append(facts, xml);
		key = g_compute_checksum_for_string(G_CHECKSUM_SHA256, facts->str, -1);
	}
	g_string_free(facts, TRUE);
	return key;
}

/* --- its disks ------------------------------------------------------------------------------ */

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int
fill_disk(const struct disk *disk, int fd)
{
	const struct timespec times[2] = {{.tv_sec = CLEAN_S}, {.tv_sec = CLEAN_S}};
	struct stat now;
	int r = 0;

	if (disk->origin_fd >= 0) {
		if (lseek(disk->origin_fd, 0, SEEK_SET) < 0)
			return -errno;
		r = copy_content(disk->origin_fd, fd, COPY_AUTO);
		if (r == 0 && fstat(disk->origin_fd, &now) < 0)
			r = -errno;
		if (r == 0 && !is_same(&disk->before, &now))
			r = -EAGAIN; /* somebody writes to it after all */
	}
	if (r == 0 && ftruncate(fd, (off_t)disk->size) < 0)
		r = -errno;
	if (r == 0 && futimens(fd, times) < 0)
		r = -errno;
	return r;
}

static int
make_disk(const struct disk *disk, const char *folder)
{
	g_autofree char *path = disk_path(folder, disk);
	int fd, r;

	if (!disk->rw)
		return 0;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = fill_disk(disk, fd);
	close(fd);
	return r;
}

int
saved_machine_make_disks(const struct saved_machine *machine, const char *folder)
{
	for (guint i = 0; i < machine->disks->len; i++) {
		int r = make_disk(&g_array_index(machine->disks, struct disk, i), folder);

		if (r < 0)
			return r;
	}
	return 0;
}

bool
saved_machine_disks_are_clean(const struct saved_machine *machine, const char *folder)
{
	for (guint i = 0; i < machine->disks->len; i++) {
		const struct disk *disk = &g_array_index(machine->disks, struct disk, i);
		g_autofree char *path = disk_path(folder, disk);
		struct stat now;

		if (disk->rw && (stat(path, &now) < 0 || now.st_mtim.tv_sec != CLEAN_S ||
				    now.st_mtim.tv_nsec != 0))
			return false;
	}
	return true;
}
