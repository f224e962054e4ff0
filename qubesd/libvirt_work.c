#include "qubesd/libvirt_work.h"

#include <libvirt/virterror.h>
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

void
libvirt_job_free(struct libvirt_job *job)
{
	g_array_unref(job->findings);
	g_free(job->uuid);
	g_free(job->name);
	g_free(job->xml);
	g_free(job->error);
	libvirt_unref(job->libvirt);
	g_free(job);
}

static void
libvirt_job_fail(struct libvirt_job *job, const char *what)
{
	if (job->error == NULL)
		job->error = g_strdup_printf("libvirt: %s: %s", what, virGetLastErrorMessage());
}

static int
on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail, void *opaque)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	struct libvirt_job *job;

	(void)connection;
	(void)event;
	(void)detail;
	if (virDomainGetUUIDString(domain, uuid) < 0)
		return 0;
	job = libvirt_job_new(opaque, libvirt_work_look);
	job->uuid = g_strdup(uuid);
	libvirt_job_post(job);
	return 0;
}

static void
on_opaque_free(void *opaque)
{
	libvirt_unref(opaque);
}

/* False, with job->error, when there is no connection and none can be made. */
bool
libvirt_work_connect(struct libvirt_job *job)
{
	struct libvirt *libvirt = job->libvirt;

	if (libvirt->connection != NULL && virConnectIsAlive(libvirt->connection) == 1)
		return true;
	g_clear_pointer(&libvirt->connection, virConnectClose);
	libvirt->connection = virConnectOpen(libvirt->base.kind);
	if (libvirt->connection == NULL) {
		g_autofree char *what = g_strdup_printf("%s cannot be reached", libvirt->base.kind);

		libvirt_job_fail(job, what);
		return false;
	}
	(void)virConnectSetKeepAlive(libvirt->connection, 5, 3);
	if (virConnectDomainEventRegisterAny(libvirt->connection, NULL,
		VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle),
		libvirt_ref(libvirt), on_opaque_free) < 0) {
		libvirt_job_fail(job, "events");
		libvirt_unref(libvirt);
		g_clear_pointer(&libvirt->connection, virConnectClose);
		return false;
	}
	return true;
}

static bool
is_ours(virDomainPtr domain)
{
	char *mark =
	    virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, DOMAIN_XML_NAMESPACE, 0);

	free(mark);
	return mark != NULL;
}

/* NULL when there is none; NULL with job->error when it is somebody else's. */
static virDomainPtr
find_ours(struct libvirt_job *job)
{
	virDomainPtr domain = virDomainLookupByUUIDString(job->libvirt->connection, job->uuid);

	if (domain == NULL || is_ours(domain))
		return domain;
	virDomainFree(domain);
	job->error =
	    g_strdup("libvirt has a domain of this UUID that is not ours: it is left alone");
	return NULL;
}

static enum hypervisor_state
state_of(virDomainPtr domain)
{
	int state, reason;

	if (virDomainGetState(domain, &state, &reason, 0) < 0)
		return HYPERVISOR_HALTED;
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
		return HYPERVISOR_RUNNING;
	case VIR_DOMAIN_PAUSED:
		return HYPERVISOR_PAUSED;
	case VIR_DOMAIN_PMSUSPENDED:
		return HYPERVISOR_SUSPENDED;
	case VIR_DOMAIN_SHUTDOWN:
		return HYPERVISOR_HALTING;
	case VIR_DOMAIN_SHUTOFF:
		return virDomainIsActive(domain) == 1 ? HYPERVISOR_DYING : HYPERVISOR_HALTED;
	case VIR_DOMAIN_CRASHED:
		return virDomainIsActive(domain) == 1 ? HYPERVISOR_CRASHED : HYPERVISOR_HALTED;
	default:
		return HYPERVISOR_HALTED;
	}
}

static void
note(struct libvirt_job *job, virDomainPtr domain)
{
	struct libvirt_finding finding = {0};
	virDomainInfo info;
	unsigned id;

	if (virDomainGetUUIDString(domain, finding.uuid) < 0)
		return;
	finding.qube.state = state_of(domain);
	id = virDomainGetID(domain);
	finding.qube.xid = id != (unsigned)-1 ? (int64_t)id : -1;
	if (virDomainGetInfo(domain, &info) == 0) {
		finding.qube.usage.memory_kib = info.memory;
		finding.qube.usage.memory_max_kib = info.maxMem;
		finding.qube.usage.cputime_ns = info.cpuTime;
	}
	g_array_append_val(job->findings, finding);
	job->xid = finding.qube.xid;
}

static void
note_halted(struct libvirt_job *job)
{
	struct libvirt_finding finding = {.qube = {.state = HYPERVISOR_HALTED, .xid = -1}};

	g_strlcpy(finding.uuid, job->uuid, sizeof(finding.uuid));
	g_array_append_val(job->findings, finding);
	job->xid = -1;
}

/* Reads how one qube is. A description that nobody runs any more is removed. */
void
libvirt_work_look(struct libvirt_job *job)
{
	virDomainPtr domain = find_ours(job);

	if (domain == NULL) {
		if (job->error == NULL)
			note_halted(job);
		return;
	}
	if (state_of(domain) == HYPERVISOR_HALTED) {
		(void)virDomainUndefine(domain);
		note_halted(job);
	} else {
		note(job, domain);
	}
	virDomainFree(domain);
}

/* Reads how all of ours are: at the beginning. */
void
libvirt_work_look_all(struct libvirt_job *job)
{
	virDomainPtr *domains = NULL;
	int count = virConnectListAllDomains(
	    job->libvirt->connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);

	if (count < 0) {
		libvirt_job_fail(job, "list of domains");
		return;
	}
	for (int i = 0; i < count; i++) {
		if (is_ours(domains[i]))
			note(job, domains[i]);
		virDomainFree(domains[i]);
	}
	free(domains);
}

/* The name may be taken by a domain of another UUID: libvirt would refuse, with less clear words. */
static bool
check_foreign(struct libvirt_job *job)
{
	char uuid[VIR_UUID_STRING_BUFLEN] = "";
	virDomainPtr domain = virDomainLookupByName(job->libvirt->connection, job->name);

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

/*
 * Begun paused and then let go: what must happen before the first instruction comes between. The
 * test driver has no such start.
 */
static void
create(struct libvirt_job *job, virDomainPtr domain)
{
	bool paused = job->libvirt->driver != DOMAIN_XML_TEST;

	if (virDomainCreateWithFlags(domain, paused ? VIR_DOMAIN_START_PAUSED : 0) < 0) {
		libvirt_job_fail(job, "start");
	} else if (paused && virDomainResume(domain) < 0) {
		libvirt_job_fail(job, "resume");
		(void)virDomainDestroy(domain);
	}
}

void
libvirt_work_start(struct libvirt_job *job)
{
	virDomainPtr domain = find_ours(job);

	if (domain != NULL)
		virDomainFree(domain);
	if (job->error != NULL || !check_foreign(job))
		return;
	domain = virDomainDefineXML(job->libvirt->connection, job->xml);
	if (domain == NULL) {
		libvirt_job_fail(job, "define");
		return;
	}
	create(job, domain);
	if (job->error == NULL)
		note(job, domain);
	else
		(void)virDomainUndefine(domain);
	virDomainFree(domain);
}

/* Does one thing to a domain of ours that runs, and reads how it is then. */
static void
change(struct libvirt_job *job, int (*func)(virDomainPtr domain), const char *what)
{
	virDomainPtr domain = find_ours(job);

	if (domain == NULL) {
		if (job->error == NULL)
			job->error = g_strdup("libvirt does not run it");
		return;
	}
	if (func(domain) < 0)
		libvirt_job_fail(job, what);
	virDomainFree(domain);
	if (job->error == NULL)
		libvirt_work_look(job);
}

void
libvirt_work_shutdown(struct libvirt_job *job)
{
	change(job, virDomainShutdown, "shutdown");
}

void
libvirt_work_kill(struct libvirt_job *job)
{
	change(job, virDomainDestroy, "destroy");
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

void
libvirt_work_close(struct libvirt_job *job)
{
	g_clear_pointer(&job->libvirt->connection, virConnectClose);
}
