#include "qubesd/libvirt_making.h"

#include "qubesd/region_file.h"
#include "qubesd/saved_states.h"
#include "shared/paths.h"
#include "shared/unix_socket.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNTIME_FOLDER "saved"
#define WAITING "bordure: waiting" /* docs/guest-image.md */
#define BOOT_LIMIT_S 180
#define UNPLUG_LIMIT_S 20
#define QUIET_MS 1000 /* after that line, until what it announced has settled */
#define SLICE_MS 200  /* how long until a stop is seen */

static char *
runtime_path(const char *name)
{
	g_autofree char *file = g_build_filename(RUNTIME_FOLDER, name, NULL);

	return path_in_runtime_dir(file);
}

/*
 * Who the machine is that is saved: one a state folder, so that of two instances none ends the other's,
 * and always the same, so that what a killed daemon has left is found.
 */
struct maker_name {
	char name[sizeof("_saved-") + 12]; /* which no qube can have */
	char uuid[VIR_UUID_STRING_BUFLEN];
};

static void
maker_name_init(struct maker_name *maker)
{
	g_autofree char *folder = path_in_state_dir("");
	g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, folder, -1);

	g_snprintf(maker->name, sizeof(maker->name), "_saved-%.12s", sum);
	g_snprintf(maker->uuid, sizeof(maker->uuid), "%.8s-%.4s-8%.3s-8%.3s-%.12s", sum, sum + 8,
	    sum + 12, sum + 15, sum + 18);
}

/* The name of its region is drawn; one that a killed daemon has left is found by this file. */
static void
remove_region(void)
{
	g_autofree char *path = runtime_path("region");
	g_autofree char *name = NULL;

	if (g_file_get_contents(path, &name, NULL, NULL) && region_file_is_name(name))
		region_file_remove(REGION_FILE_DIR, name);
	(void)unlink(path);
}

/* 0, or a negative errno with making->error. */
static int
make_region(struct making *making, const struct maker_name *maker)
{
	const struct libvirt *libvirt = making->job->libvirt;
	g_autofree char *path = runtime_path("region");
	int r;

	remove_region();
	making->region_name = region_file_draw_name(maker->uuid);
	if (!g_file_set_contents(path, making->region_name, -1, NULL)) {
		making->error = g_strdup("the name of its region cannot be written down");
		return -EIO;
	}
	r = region_file_make(REGION_FILE_DIR, making->region_name, making->region_bytes,
	    libvirt->qemu_uid, libvirt->qemu_gid, &making->error);
	making->is_by_chance = r == -ENOSPC; /* other qubes have it now */
	return r;
}

void
libvirt_making_tidy(void)
{
	remove_region();
	saved_states_tidy();
}

/* libvirt ends it with our connection; but libvirtd itself may have been killed. */
static void
end_left_over(virConnectPtr connection, const char *uuid)
{
	virDomainPtr domain = virDomainLookupByUUIDString(connection, uuid);

	if (domain == NULL)
		return;
	(void)virDomainDestroy(domain);
	virDomainFree(domain);
}

/* The end of what was written so far; other lines may get between. */
struct tail {
	char text[sizeof(WAITING) - 1];
};

static bool
find_waiting(struct tail *tail, const char *bytes, size_t len)
{
	bool found = false;

	for (size_t i = 0; i < len; i++) {
		memmove(tail->text, tail->text + 1, sizeof(tail->text) - 1);
		tail->text[sizeof(tail->text) - 1] = bytes[i];
		found = found || memcmp(tail->text, WAITING, sizeof(tail->text)) == 0;
	}
	return found;
}

/* Reads the console until the machine waits and is quiet. A guest may write what it likes there. */
static const char *
wait_until_waiting(const struct making *making, int console)
{
	gint64 end = g_get_monotonic_time() + BOOT_LIMIT_S * G_TIME_SPAN_SECOND;
	gint64 quiet = G_MAXINT64;
	struct tail tail = {{0}};

	for (;;) {
		struct pollfd fd = {.fd = console, .events = POLLIN};
		gint64 now = g_get_monotonic_time();
		char bytes[4096];
		ssize_t n;

		if (g_atomic_int_get(&making->stop))
			return "it is not wanted any more";
		if (now >= quiet)
			return NULL;
		if (now >= end)
			return "it does not say that it waits";
		if (poll(&fd, 1, SLICE_MS) <= 0)
			continue;
		n = read(console, bytes, sizeof(bytes));
		if (n <= 0)
			return "it has ended";
		if (find_waiting(&tail, bytes, (size_t)n) || quiet != G_MAXINT64)
			quiet = g_get_monotonic_time() + QUIET_MS * G_TIME_SPAN_MILLISECOND;
	}
}

static const char *
boot(const struct making *making, virDomainPtr domain, const char *console_path)
{
	const char *error;
	int console = unix_socket_dial(console_path, SOCK_STREAM);

	if (console < 0)
		return "its console cannot be reached";
	error = virDomainResume(domain) < 0 ? virGetLastErrorMessage()
					    : wait_until_waiting(making, console);
	close(console);
	return error;
}

static bool
has_region(virDomainPtr domain)
{
	char *xml = virDomainGetXMLDesc(domain, 0);
	bool has = xml == NULL || strstr(xml, "<shmem") != NULL;

	free(xml);
	return has;
}

/* The guest has to let go of it. */
static const char *
unplug_region(const struct making *making, virDomainPtr domain)
{
	g_autofree char *xml = domain_xml_region_new(making->region_name, making->region_bytes);
	gint64 end = g_get_monotonic_time() + UNPLUG_LIMIT_S * G_TIME_SPAN_SECOND;

	if (virDomainDetachDeviceFlags(domain, xml, VIR_DOMAIN_AFFECT_LIVE) < 0)
		return virGetLastErrorMessage();
	while (has_region(domain)) {
		if (g_get_monotonic_time() >= end || g_atomic_int_get(&making->stop))
			return "its region cannot be unplugged";
		g_usleep(SLICE_MS * 1000);
	}
	return NULL;
}

static const char *
save_described(
    const struct making *making, virDomainPtr domain, const char *folder, const char *description)
{
	g_autofree char *path = g_build_filename(folder, "state", NULL);
	int r;

	if (virDomainSaveFlags(domain, path, NULL, VIR_DOMAIN_SAVE_PAUSED) < 0)
		return virGetLastErrorMessage();
	if (!saved_machine_disks_are_clean(making->machine, folder))
		return "it has written to its disks before it knew who it is";
	r = saved_states_commit(making->key, description);
	return r < 0 ? g_strerror(-r) : NULL;
}

static const char *
save(const struct making *making, virDomainPtr domain, const char *folder)
{
	const char *error = unplug_region(making, domain);
	char *description;

	if (error != NULL)
		return error;
	/* In the form in which libvirt saves it. */
	description =
	    virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_MIGRATABLE | VIR_DOMAIN_XML_SECURE);
	if (description == NULL)
		return virGetLastErrorMessage();
	error = save_described(making, domain, folder, description);
	free(description);
	return error;
}

/* The description of the machine; NULL with *ret_error. */
static char *
describe(struct making *making, const struct maker_name *maker, const char *folder,
    const char *console_path, char **ret_error)
{
	g_autofree char *port_path = runtime_path("port.sock");
	const struct domain_xml_machine host = {
	    .kvm = making->kvm,
	    .port_path = port_path,
	    .console_path = console_path,
	    .region_name = making->region_name,
	    .region_bytes = making->region_bytes,
	    .to_be_saved = true,
	};
	char *xml = NULL;
	int r = saved_machine_make_disks(making->machine, folder);

	making->is_by_chance = r == -EAGAIN || r == -ENOSPC;
	if (r < 0)
		*ret_error = g_strdup_printf("its disks: %s", g_strerror(-r));
	else
		(void)saved_machine_xml(
		    making->machine, maker->name, maker->uuid, folder, &host, &xml, ret_error);
	return xml;
}

static void
make_machine(struct making *making, const struct maker_name *maker, const char *folder)
{
	g_autofree char *console_path = runtime_path("console.sock");
	g_autofree char *xml = describe(making, maker, folder, console_path, &making->error);
	virDomainPtr domain;
	const char *error;

	if (xml == NULL)
		return;
	domain = virDomainCreateXML(
	    making->job->connection, xml, VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_AUTODESTROY);
	if (domain == NULL) {
		making->error = g_strdup(virGetLastErrorMessage());
		return;
	}
	error = boot(making, domain, console_path);
	if (error == NULL)
		error = save(making, domain, folder);
	making->error = g_strdup(error);
	making->is_by_chance = error != NULL && virConnectIsAlive(making->job->connection) != 1;
	if (virDomainIsActive(domain) == 1)
		(void)virDomainDestroy(domain);
	virDomainFree(domain);
}

static void
make_in(struct making *making, const struct maker_name *maker, const char *folder)
{
	if (make_region(making, maker) == 0)
		make_machine(making, maker, folder);
	remove_region();
}

static void
make(struct making *making)
{
	g_autofree char *sockets = path_in_runtime_dir(RUNTIME_FOLDER);
	g_autofree char *folder = saved_states_begin(saved_machine_memory_bytes(making->machine));
	struct maker_name maker;

	if (folder == NULL || g_mkdir_with_parents(sockets, 0711) < 0) {
		making->is_by_chance = errno == ENOSPC;
		making->error = g_strdup_printf("its folders: %s", g_strerror(errno));
		saved_states_end();
		return;
	}
	maker_name_init(&maker);
	if (libvirt_work_connect(making->job)) {
		end_left_over(making->job->connection, maker.uuid);
		make_in(making, &maker, folder);
	} else {
		making->error = g_strdup(making->job->error);
		making->is_by_chance = true;
	}
	/* Closed, not given back: with it libvirt ends whatever we could not. */
	g_clear_pointer(&making->job->connection, virConnectClose);
	saved_states_end();
}

void
libvirt_making_run(struct making *making)
{
	static GMutex one; /* of all connections: there is one folder */

	g_mutex_lock(&one);
	if (!saved_states_has(making->key)) /* two may have lacked it */
		make(making);
	g_mutex_unlock(&one);
}
