#include "qubesd/libvirt_work.h"

#include "qubesd/boot_disk.h"
#include "qubesd/kvm_trial.h"
#include "qubesd/libvirt_connection.h"
#include "qubesd/libvirt_saved.h"
#include "qubesd/machine.h"
#include "qubesd/saved_machine.h"
#include "shared/log.h"

#include <inttypes.h>
#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>

struct libvirt *
libvirt_ref(struct libvirt *libvirt)
{
	g_atomic_int_inc(&libvirt->references);
	return libvirt;
}

void
libvirt_unref(struct libvirt *libvirt)
{
	if (!g_atomic_int_dec_and_test(&libvirt->references))
		return;
	g_hash_table_unref(libvirt->qubes);
	g_hash_table_unref(libvirt->lanes);
	g_hash_table_unref(libvirt->unwanted);
	g_hash_table_unref(libvirt->asked);
	g_mutex_clear(&libvirt->mutex);
	g_mutex_clear(&libvirt->kvm_mutex);
	hypervisor_fini(&libvirt->base);
	g_free(libvirt);
}

struct libvirt_job *
libvirt_job_new(struct libvirt *libvirt, void (*work)(struct libvirt_job *job))
{
	struct libvirt_job *job = g_new0(struct libvirt_job, 1);

	job->libvirt = libvirt_ref(libvirt);
	job->work = work;
	job->xid = -1;
	job->findings = g_array_new(FALSE, FALSE, sizeof(struct libvirt_finding));
	return job;
}

static void
start_free(struct libvirt_start *start)
{
	if (start == NULL)
		return;
	g_free(start->xml);
	g_free(start->xml_kvm);
	g_free(start->conf);
	g_free(start->boot_disk);
	g_free(start->region_name);
	saved_machine_free(start->saved);
	g_free(start->saved_key);
	g_free(start);
}

void
libvirt_job_free(struct libvirt_job *job)
{
	start_free(job->start);
	g_array_unref(job->findings);
	g_clear_pointer(&job->machines, g_array_unref);
	g_free(job->uuid);
	g_free(job->name);
	g_free(job->error);
	libvirt_unref(job->libvirt);
	g_free(job);
}

/* The first reason counts. */
static void
fail(struct libvirt_job *job, const char *what)
{
	if (job->error == NULL)
		job->error = g_strdup_printf("libvirt: %s: %s", what, virGetLastErrorMessage());
}

static gint64
next_number(struct libvirt *libvirt)
{
	return g_atomic_int_add(&libvirt->number, 1) + 1;
}

/* --- the connection ------------------------------------------------------------------------- */

bool
libvirt_work_connect(struct libvirt_job *job)
{
	job->connection = libvirt_connection_take(job->libvirt, &job->error);
	return job->connection != NULL;
}

void
libvirt_work_disconnect(struct libvirt_job *job)
{
	if (job->connection != NULL)
		libvirt_connection_give_back(job->libvirt, job->connection);
	job->connection = NULL;
}

void
libvirt_work_close(struct libvirt_job *job)
{
	libvirt_connection_close_all(job->libvirt);
}

/* --- looking -------------------------------------------------------------------------------- */

/* The number in our mark: <bordure:qube class=".." xid="..">. 0: none. */
static uint32_t
id_of_mark(const char *mark)
{
	xmlDocPtr document = xmlReadMemory(mark, (int)strlen(mark), NULL, NULL,
	    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	xmlNodePtr root = document != NULL ? xmlDocGetRootElement(document) : NULL;
	xmlChar *text = root != NULL ? xmlGetProp(root, BAD_CAST "xid") : NULL;
	guint64 id = 0;

	if (text != NULL)
		(void)g_ascii_string_to_unsigned((const char *)text, 10, 1, INT32_MAX, &id, NULL);
	xmlFree(text);
	xmlFreeDoc(document);
	return (uint32_t)id;
}

/* 1: ours, with its number; 0: not ours; -1: that cannot be told. */
static int
read_mark(virDomainPtr domain, uint32_t *ret_id)
{
	char *mark =
	    virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, DOMAIN_XML_NAMESPACE, 0);

	if (mark == NULL)
		return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN_METADATA ? 0 : -1;
	*ret_id = id_of_mark(mark);
	free(mark);
	return 1;
}

/* NULL when there is none, or it is somebody else's; NULL with job->error when nobody can tell. */
static virDomainPtr
find_marked(struct libvirt_job *job, uint32_t *ret_id, bool *ret_is_foreign)
{
	virDomainPtr domain = virDomainLookupByUUIDString(job->connection, job->uuid);
	int r;

	if (domain == NULL) {
		if (virGetLastErrorCode() != VIR_ERR_NO_DOMAIN)
			fail(job, "look-up");
		return NULL;
	}
	r = read_mark(domain, ret_id);
	if (r == 1)
		return domain;
	if (r < 0)
		fail(job, "look-up");
	*ret_is_foreign = r == 0;
	virDomainFree(domain);
	return NULL;
}

/* The same for who wants to do something to it: somebody else's is an error. */
static virDomainPtr
find_ours(struct libvirt_job *job, uint32_t *ret_id)
{
	bool is_foreign = false;
	virDomainPtr domain = find_marked(job, ret_id, &is_foreign);

	if (is_foreign)
		job->error = g_strdup(
		    "libvirt has a domain of this UUID that is not ours: it is left alone");
	return domain;
}

/* False when it cannot be read. A domain that has gone is halted. */
static bool
read_state(virDomainPtr domain, enum hypervisor_state *ret)
{
	static const enum hypervisor_state states[] = {
	    [VIR_DOMAIN_RUNNING] = HYPERVISOR_RUNNING,
	    [VIR_DOMAIN_BLOCKED] = HYPERVISOR_RUNNING,
	    [VIR_DOMAIN_PAUSED] = HYPERVISOR_PAUSED,
	    [VIR_DOMAIN_PMSUSPENDED] = HYPERVISOR_SUSPENDED,
	    [VIR_DOMAIN_SHUTDOWN] = HYPERVISOR_HALTING,
	    [VIR_DOMAIN_SHUTOFF] = HYPERVISOR_DYING, /* both as long as it is active */
	    [VIR_DOMAIN_CRASHED] = HYPERVISOR_CRASHED,
	};
	int state, reason, active;

	if (virDomainGetState(domain, &state, &reason, 0) < 0) {
		*ret = HYPERVISOR_HALTED;
		return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
	}
	if (state != VIR_DOMAIN_SHUTOFF && state != VIR_DOMAIN_CRASHED) {
		*ret = state > 0 && (size_t)state < G_N_ELEMENTS(states) ? states[state]
									 : HYPERVISOR_RUNNING;
		return true;
	}
	active = virDomainIsActive(domain);
	if (active < 0 && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN)
		return false;
	*ret = active == 1 ? states[state] : HYPERVISOR_HALTED;
	return true;
}

static void
note_halted(struct libvirt_job *job, const char *uuid, gint64 number)
{
	struct libvirt_finding finding = {
	    .qube = {.state = HYPERVISOR_HALTED, .xid = -1, .number = number}};

	g_strlcpy(finding.uuid, uuid, sizeof(finding.uuid));
	g_array_append_val(job->findings, finding);
	job->xid = -1;
}

static void
note_active(struct libvirt_job *job, virDomainPtr domain, const char *uuid,
    const struct libvirt_finding *so_far)
{
	bool is_xen = job->libvirt->driver == DOMAIN_XML_XEN;
	struct libvirt_finding finding = *so_far;
	virDomainInfo info;
	unsigned id = virDomainGetID(domain);

	g_strlcpy(finding.uuid, uuid, sizeof(finding.uuid));
	finding.qube.xid = is_xen ? (id != (unsigned)-1 ? (int64_t)id : -1) : finding.our_id;
	if (virDomainGetInfo(domain, &info) == 0) {
		finding.qube.usage.memory_kib = info.memory;
		finding.qube.usage.memory_max_kib = info.maxMem;
		finding.qube.usage.cputime_ns = info.cpuTime;
	}
	g_array_append_val(job->findings, finding);
	job->xid = finding.qube.xid;
}

/* What a machine had on the host goes with it; for all who report it halted, before they do. */
static void
remove_machine(const struct libvirt_job *job, uint32_t id, const char *uuid)
{
	if (job->libvirt->driver == DOMAIN_XML_QEMU && id != 0)
		machine_remove(id, uuid, job->libvirt->base.kind);
}

/* A description that nobody runs any more is removed, and all that belonged to it. */
static void
note(struct libvirt_job *job, virDomainPtr domain, uint32_t id)
{
	struct libvirt_finding finding = {.our_id = id};
	char uuid[VIR_UUID_STRING_BUFLEN];

	finding.qube.number = next_number(job->libvirt);
	if (virDomainGetUUIDString(domain, uuid) < 0 || !read_state(domain, &finding.qube.state)) {
		fail(job, "state");
		return;
	}
	if (finding.qube.state != HYPERVISOR_HALTED) {
		note_active(job, domain, uuid, &finding);
		return;
	}
	remove_machine(job, id, uuid);
	(void)virDomainUndefine(domain);
	note_halted(job, uuid, finding.qube.number);
}

/* As one of all: what is not active may just be on the way to be started, so its lane has to look. */
static void
note_listed(struct libvirt_job *job, virDomainPtr domain, uint32_t id)
{
	char uuid[VIR_UUID_STRING_BUFLEN];

	if (virDomainIsActive(domain) == 0 && virDomainGetUUIDString(domain, uuid) == 0)
		libvirt_tell_changed(job->libvirt, uuid);
	else
		note(job, domain, id);
}

void
libvirt_work_look(struct libvirt_job *job)
{
	gint64 number = next_number(job->libvirt);
	bool is_foreign = false; /* libvirt tells of all domains that change */
	uint32_t id = 0;
	virDomainPtr domain = find_marked(job, &id, &is_foreign);

	if (domain != NULL) {
		note(job, domain, id);
		virDomainFree(domain);
	} else if (job->error == NULL && !is_foreign) {
		remove_machine(job, job->our_id, job->uuid);
		note_halted(job, job->uuid, number);
	}
}

/*
 * Machines that were running when nobody looked. Those of which libvirt knows nothing any more are
 * removed; of the others the broker is told, which may have begun anew as well.
 */
static void
sort_machines(struct libvirt_job *job)
{
	for (guint i = 0; i < job->machines->len; i++) {
		uint32_t xid = g_array_index(job->machines, uint32_t, i);
		bool runs = false;

		for (guint j = 0; !runs && j < job->findings->len; j++) {
			const struct libvirt_finding *finding =
			    &g_array_index(job->findings, struct libvirt_finding, j);

			runs = finding->our_id == xid && finding->qube.state != HYPERVISOR_HALTED;
		}
		if (runs)
			machine_tell_broker_again(xid);
		else
			machine_remove(xid, NULL, job->libvirt->base.kind);
	}
}

void
libvirt_work_look_all(struct libvirt_job *job)
{
	virDomainPtr *domains = NULL;
	int count;

	job->number = next_number(job->libvirt);
	count = virConnectListAllDomains(job->connection, &domains, 0);
	if (count < 0) {
		fail(job, "list of domains");
		return;
	}
	for (int i = 0; i < count; i++) {
		uint32_t id = 0;
		int r = read_mark(domains[i], &id);

		if (r == 1)
			note_listed(job, domains[i], id);
		else if (r < 0 && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN)
			fail(job, "list of domains");
		virDomainFree(domains[i]);
	}
	free(domains);
}

/* The same. Starts may be under way already: their machines came after the list. */
void
libvirt_work_look_first(struct libvirt_job *job)
{
	libvirt_work_look_all(job);
	if (job->error == NULL && job->machines != NULL)
		sort_machines(job);
}

/* --- starting ------------------------------------------------------------------------------- */

static bool
has_kvm(struct libvirt *libvirt)
{
	bool works;

	if (libvirt->driver != DOMAIN_XML_QEMU)
		return false;
	g_mutex_lock(&libvirt->kvm_mutex);
	if (libvirt->kvm == KVM_UNKNOWN)
		libvirt->kvm = kvm_trial() ? KVM_WORKS : KVM_FAILS;
	works = libvirt->kvm == KVM_WORKS;
	g_mutex_unlock(&libvirt->kvm_mutex);
	return works;
}

void
libvirt_work_try_kvm(struct libvirt_job *job)
{
	(void)has_kvm(job->libvirt);
}

/* The name may be taken by a domain of another UUID: libvirt would refuse, with less clear words. */
static bool
check_foreign(struct libvirt_job *job)
{
	char uuid[VIR_UUID_STRING_BUFLEN] = "";
	virDomainPtr domain = virDomainLookupByName(job->connection, job->name);

	if (domain == NULL)
		return true;
	(void)virDomainGetUUIDString(domain, uuid);
	virDomainFree(domain);
	if (strcmp(uuid, job->uuid) == 0)
		return true;
	job->error = g_strdup_printf(
	    "libvirt has another domain of the name %s (UUID %s): rename or remove that one",
	    job->name, uuid);
	return false;
}

/* Nothing of that UUID may run; what is left of an earlier run goes. */
static bool
check_halted(struct libvirt_job *job)
{
	enum hypervisor_state state;
	uint32_t id = 0;
	virDomainPtr domain = find_ours(job, &id);

	if (domain == NULL)
		return job->error == NULL;
	if (!read_state(domain, &state))
		fail(job, "state");
	else if (state != HYPERVISOR_HALTED)
		job->error = g_strdup("libvirt runs it already");
	else
		remove_machine(job, id, job->uuid);
	virDomainFree(domain);
	return job->error == NULL;
}

/* Firmware that finds nothing waits in silence, and nobody would see more than a missing agent. */
static bool
check_bootable(struct libvirt_job *job)
{
	if (job->start->boot_disk == NULL || boot_disk_can_start(job->start->boot_disk))
		return true;
	job->error = g_strdup("it has no kernel, and its root volume none that firmware could "
			      "start: set its property kernel (with virt_mode hvm it has none by "
			      "itself)");
	return false;
}

static bool
make_machine(struct libvirt_job *job)
{
	const struct libvirt *libvirt = job->libvirt;
	struct machine_spec spec = {
	    .xid = job->our_id,
	    .uuid = job->uuid,
	    .kind = libvirt->base.kind,
	    .conf = job->start->conf,
	    .region = job->start->region_name,
	    .region_bytes = job->start->region_bytes,
	    .uid = libvirt->qemu_uid,
	    .gid = libvirt->qemu_gid,
	};

	return libvirt->driver != DOMAIN_XML_QEMU || machine_make(&spec, &job->error) == 0;
}

/*
 * Begun paused and then let go: what must happen before the first instruction comes between. The
 * test driver has no such start.
 */
static void
create(struct libvirt_job *job, virDomainPtr domain)
{
	bool paused = job->libvirt->driver != DOMAIN_XML_TEST;

	if (!libvirt_saved_restore(job, domain) && job->error == NULL &&
	    virDomainCreateWithFlags(domain, paused ? VIR_DOMAIN_START_PAUSED : 0) < 0)
		fail(job, "start");
	if (job->error != NULL)
		return;
	if (job->libvirt->driver == DOMAIN_XML_QEMU)
		machine_watch_console(job->our_id, job->name);
	if (g_atomic_int_get(&job->abandoned))
		job->error = g_strdup("libvirt answered too late: nobody waits for it any more");
	else if (paused && virDomainResume(domain) < 0)
		fail(job, "resume");
}

/* Nothing is removed of what may still run. */
static void
undo(struct libvirt_job *job, virDomainPtr domain)
{
	enum hypervisor_state state;

	(void)virDomainDestroy(domain);
	job->undone = read_state(domain, &state) && state == HYPERVISOR_HALTED;
	if (!job->undone)
		return;
	remove_machine(job, job->our_id, job->uuid);
	(void)virDomainUndefine(domain);
}

void
libvirt_work_start(struct libvirt_job *job)
{
	const char *xml;
	virDomainPtr domain;

	job->start->kvm = has_kvm(job->libvirt);
	xml = job->start->kvm ? job->start->xml_kvm : job->start->xml;
	job->undone = true;
	if (!check_bootable(job) || !check_foreign(job) || !check_halted(job) || !make_machine(job))
		return;
	domain = virDomainDefineXML(job->connection, xml);
	if (domain == NULL) {
		fail(job, "define");
		remove_machine(job, job->our_id, job->uuid);
		return;
	}
	create(job, domain);
	if (job->error == NULL)
		note(job, domain, job->our_id);
	if (job->error != NULL) /* also when nobody can tell how it is now: it may run */
		undo(job, domain);
	virDomainFree(domain);
}

/* --- while it runs -------------------------------------------------------------------------- */

/* Does one thing to a domain of ours, and reads how it is then. */
static void
do_to(struct libvirt_job *job, virDomainPtr domain, uint32_t id, int (*func)(virDomainPtr domain),
    const char *what)
{
	if (func(domain) < 0)
		fail(job, what);
	else
		note(job, domain, id);
	virDomainFree(domain);
}

static const char not_there[] = "libvirt does not run it";

/* To one that runs. */
static void
change(struct libvirt_job *job, int (*func)(virDomainPtr domain), const char *what)
{
	uint32_t id = 0;
	virDomainPtr domain = find_ours(job, &id);

	if (domain != NULL)
		do_to(job, domain, id, func, what);
	else if (job->error == NULL)
		job->error = g_strdup(not_there);
}

/* The same to end it: one of which libvirt knows nothing any more has ended, and its run is told so. */
static void
end(struct libvirt_job *job, int (*func)(virDomainPtr domain), const char *what)
{
	gint64 number = next_number(job->libvirt);
	uint32_t id = 0;
	virDomainPtr domain = find_ours(job, &id);

	if (domain != NULL) {
		do_to(job, domain, id, func, what);
	} else if (job->error == NULL) {
		job->error = g_strdup(not_there);
		remove_machine(job, job->our_id, job->uuid);
		note_halted(job, job->uuid, number);
	}
}

/* To end one that has ended meanwhile is done. */
static int
end_by(virDomainPtr domain, int (*func)(virDomainPtr domain))
{
	enum hypervisor_state state;

	if (func(domain) == 0)
		return 0;
	if (virGetLastErrorCode() != VIR_ERR_OPERATION_INVALID)
		return -1;
	return read_state(domain, &state) && state == HYPERVISOR_HALTED ? 0 : -1;
}

static int
ask_to_end(virDomainPtr domain)
{
	return end_by(domain, virDomainShutdown);
}

static int
destroy(virDomainPtr domain)
{
	return end_by(domain, virDomainDestroy);
}

void
libvirt_work_shutdown(struct libvirt_job *job)
{
	end(job, ask_to_end, "shutdown");
}

void
libvirt_work_kill(struct libvirt_job *job)
{
	end(job, destroy, "destroy");
}

void
libvirt_work_pause(struct libvirt_job *job)
{
	change(job, virDomainSuspend, "suspend");
}

void
libvirt_work_unpause(struct libvirt_job *job)
{
	change(job, virDomainResume, "resume");
}
