/*
 * Qubes as libvirt domains. Every call of libvirt happens in the worker (libvirt_worker.h); the
 * main loop keeps what it last heard and never waits. Events only say "look again": what is
 * reported is the state that was read afterwards, so events that come late, twice or not in order
 * do no harm.
 *
 * Only domains that carry our mark (domain_xml.h) are ever seen, changed or ended.
 */
#include "qubesd/domain_xml.h"
#include "qubesd/hypervisor_ops.h"
#include "qubesd/libvirt_worker.h"
#include "shared/log.h"
#include "shared/text.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#define CALL_TIMEOUT_S 60    /* after that, whoever waits is told; the call itself goes on */
#define CONNECT_TIMEOUT_S 15 /* for the first connection, which qubesd waits for */

/* What the main loop knows of a qube. */
struct libvirt_qube {
	enum hypervisor_state state;
	int64_t xid, started_us;
	struct hypervisor_usage usage;
};

struct libvirt {
	struct hypervisor base;
	gint references;   /* atomic: the owner, and every job */
	bool closed;       /* main loop: the owner has gone, nobody is told any more */
	GHashTable *qubes; /* main loop: owned uuid -> owned struct libvirt_qube */
	enum domain_xml_driver driver;
	virConnectPtr connection; /* worker */
};

/* What a job found out about one domain, on its way to the main loop. */
struct finding {
	char uuid[VIR_UUID_STRING_BUFLEN];
	struct libvirt_qube qube;
};

/* One piece of work: run in the worker, then answered on the main loop. */
struct job {
	struct libvirt *libvirt; /* reference */
	void (*work)(struct job *job);
	char *uuid, *name, *xml; /* owned; NULL where the work needs none */
	hypervisor_done done;    /* NULL: nobody waits, or he has been told */
	void *data;
	guint timeout;    /* main loop */
	char *error;      /* owned; result */
	int64_t xid;      /* result */
	GArray *findings; /* owned: struct finding; result */
};

/* ---- in the worker ---------------------------------------------------------------------------- */

static struct libvirt *
libvirt_ref(struct libvirt *libvirt)
{
	g_atomic_int_inc(&libvirt->references);
	return libvirt;
}

static void
libvirt_unref(struct libvirt *libvirt)
{
	if (!g_atomic_int_dec_and_test(&libvirt->references))
		return;
	g_hash_table_unref(libvirt->qubes);
	hypervisor_fini(&libvirt->base);
	g_free(libvirt);
}

static void
job_fail(struct job *job, const char *what)
{
	if (job->error == NULL)
		job->error = g_strdup_printf("libvirt: %s: %s", what, virGetLastErrorMessage());
}

static struct job *job_new(struct libvirt *libvirt, void (*work)(struct job *job));
static void job_post(struct job *job);
static void work_look(struct job *job);

static int
on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail, void *opaque)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	struct job *job;

	(void)connection;
	(void)event;
	(void)detail;
	if (virDomainGetUUIDString(domain, uuid) < 0)
		return 0;
	job = job_new(opaque, work_look);
	job->uuid = g_strdup(uuid);
	job_post(job);
	return 0;
}

static void
on_opaque_free(void *opaque)
{
	libvirt_unref(opaque);
}

/* False, with job->error, when there is no connection and none can be made. */
static bool
ensure_connection(struct job *job)
{
	struct libvirt *libvirt = job->libvirt;

	if (libvirt->connection != NULL && virConnectIsAlive(libvirt->connection) == 1)
		return true;
	g_clear_pointer(&libvirt->connection, virConnectClose);
	libvirt->connection = virConnectOpen(libvirt->base.kind);
	if (libvirt->connection == NULL) {
		g_autofree char *what = g_strdup_printf("%s cannot be reached", libvirt->base.kind);

		job_fail(job, what);
		return false;
	}
	(void)virConnectSetKeepAlive(libvirt->connection, 5, 3);
	if (virConnectDomainEventRegisterAny(libvirt->connection, NULL,
		VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle),
		libvirt_ref(libvirt), on_opaque_free) < 0) {
		job_fail(job, "events");
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
find_ours(struct job *job)
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
note(struct job *job, virDomainPtr domain)
{
	struct finding finding = {0};
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
note_halted(struct job *job)
{
	struct finding finding = {.qube = {.state = HYPERVISOR_HALTED, .xid = -1}};

	g_strlcpy(finding.uuid, job->uuid, sizeof(finding.uuid));
	g_array_append_val(job->findings, finding);
	job->xid = -1;
}

/* Reads how one qube is. A description that nobody runs any more is removed. */
static void
work_look(struct job *job)
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
static void
work_look_all(struct job *job)
{
	virDomainPtr *domains = NULL;
	int count = virConnectListAllDomains(
	    job->libvirt->connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);

	if (count < 0) {
		job_fail(job, "list of domains");
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
check_foreign(struct job *job)
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
create(struct job *job, virDomainPtr domain)
{
	bool paused = job->libvirt->driver != DOMAIN_XML_TEST;

	if (virDomainCreateWithFlags(domain, paused ? VIR_DOMAIN_START_PAUSED : 0) < 0) {
		job_fail(job, "start");
	} else if (paused && virDomainResume(domain) < 0) {
		job_fail(job, "resume");
		(void)virDomainDestroy(domain);
	}
}

static void
work_start(struct job *job)
{
	virDomainPtr domain = find_ours(job);

	if (domain != NULL)
		virDomainFree(domain);
	if (job->error != NULL || !check_foreign(job))
		return;
	domain = virDomainDefineXML(job->libvirt->connection, job->xml);
	if (domain == NULL) {
		job_fail(job, "define");
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
change(struct job *job, int (*func)(virDomainPtr domain), const char *what)
{
	virDomainPtr domain = find_ours(job);

	if (domain == NULL) {
		if (job->error == NULL)
			job->error = g_strdup("libvirt does not run it");
		return;
	}
	if (func(domain) < 0)
		job_fail(job, what);
	virDomainFree(domain);
	if (job->error == NULL)
		work_look(job);
}

static void
work_shutdown(struct job *job)
{
	change(job, virDomainShutdown, "shutdown");
}

static void
work_kill(struct job *job)
{
	change(job, virDomainDestroy, "destroy");
}

static void
work_pause(struct job *job)
{
	change(job, virDomainSuspend, "suspend");
}

static void
work_unpause(struct job *job)
{
	change(job, virDomainResume, "resume");
}

static void
work_close(struct job *job)
{
	g_clear_pointer(&job->libvirt->connection, virConnectClose);
}

/* ---- jobs ------------------------------------------------------------------------------------- */

static struct job *
job_new(struct libvirt *libvirt, void (*work)(struct job *job))
{
	struct job *job = g_new0(struct job, 1);

	job->libvirt = libvirt_ref(libvirt);
	job->work = work;
	job->xid = -1;
	job->findings = g_array_new(FALSE, FALSE, sizeof(struct finding));
	return job;
}

static void
job_free(struct job *job)
{
	g_array_unref(job->findings);
	g_free(job->uuid);
	g_free(job->name);
	g_free(job->xml);
	g_free(job->error);
	libvirt_unref(job->libvirt);
	g_free(job);
}

/* Keeps what was found; returns the state before. */
static enum hypervisor_state
remember(struct libvirt *libvirt, const struct finding *finding, int64_t started_us)
{
	struct libvirt_qube *known = g_hash_table_lookup(libvirt->qubes, finding->uuid);
	enum hypervisor_state before = known != NULL ? known->state : HYPERVISOR_HALTED;

	if (known != NULL)
		started_us = known->started_us;
	if (finding->qube.state == HYPERVISOR_HALTED) {
		g_hash_table_remove(libvirt->qubes, finding->uuid);
		return before;
	}
	known = g_memdup2(&finding->qube, sizeof(finding->qube));
	known->started_us = started_us;
	g_hash_table_insert(libvirt->qubes, g_strdup(finding->uuid), known);
	return before;
}

static void
learn(struct libvirt *libvirt, const struct finding *finding)
{
	struct hypervisor *base = &libvirt->base;
	enum hypervisor_state before = remember(libvirt, finding, g_get_real_time());

	if (before != finding->qube.state)
		base->on_event(base, finding->uuid, finding->qube.state, base->data);
}

static gboolean
on_job_done(gpointer data)
{
	struct job *job = data;

	g_clear_handle_id(&job->timeout, g_source_remove);
	for (guint i = 0; !job->libvirt->closed && i < job->findings->len; i++)
		learn(job->libvirt, &g_array_index(job->findings, struct finding, i));
	if (job->done != NULL && !job->libvirt->closed)
		job->done(job->error, job->xid, job->data);
	else if (job->error != NULL)
		log_warn("%s", job->error);
	job_free(job);
	return G_SOURCE_REMOVE;
}

static void
run_job(void *data)
{
	struct job *job = data;

	if (job->work == work_close || ensure_connection(job))
		job->work(job);
	g_idle_add_full(G_PRIORITY_DEFAULT, on_job_done, job, NULL);
}

static void
job_post(struct job *job)
{
	libvirt_worker_run(run_job, job);
}

static gboolean
on_call_timeout(gpointer data)
{
	struct job *job = data;
	hypervisor_done done = g_steal_pointer(&job->done);

	job->timeout = 0;
	if (!job->libvirt->closed)
		done("libvirt does not answer", -1, job->data);
	return G_SOURCE_REMOVE;
}

/* ---- on the main loop ------------------------------------------------------------------------- */

static struct libvirt *
libvirt_of(const struct hypervisor *hypervisor)
{
	return (struct libvirt *)hypervisor;
}

static struct libvirt_qube *
find(const struct hypervisor *hypervisor, const char *uuid)
{
	return g_hash_table_lookup(libvirt_of(hypervisor)->qubes, uuid);
}

static void
call(struct hypervisor *hypervisor, const char *uuid, void (*work)(struct job *job),
    hypervisor_done done, void *data, struct job **ret)
{
	struct job *job = job_new(libvirt_of(hypervisor), work);

	job->uuid = g_strdup(uuid);
	job->done = done;
	job->data = data;
	if (done != NULL)
		job->timeout = g_timeout_add_seconds(CALL_TIMEOUT_S, on_call_timeout, job);
	if (ret != NULL)
		*ret = job;
	else
		job_post(job);
}

static void
libvirt_start(struct hypervisor *hypervisor, const struct hypervisor_qube *qube,
    hypervisor_done done, void *data)
{
	struct libvirt *libvirt = libvirt_of(hypervisor);
	g_autofree char *error = NULL;
	struct job *job;
	char *xml;

	if (find(hypervisor, qube->uuid) != NULL) {
		hypervisor_answer_later(done, "it runs already", -1, data);
		return;
	}
	if (domain_xml_new(qube, libvirt->driver, &xml, &error) < 0) {
		hypervisor_answer_later(done, error, -1, data);
		return;
	}
	call(hypervisor, qube->uuid, work_start, done, data, &job);
	job->name = g_strdup(qube->name);
	job->xml = xml;
	job_post(job);
}

static void
libvirt_shutdown(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	call(hypervisor, uuid, work_shutdown, done, data, NULL);
}

static void
libvirt_kill(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	call(hypervisor, uuid, work_kill, done, data, NULL);
}

static void
libvirt_pause(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	call(hypervisor, uuid, work_pause, done, data, NULL);
}

static void
libvirt_unpause(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	call(hypervisor, uuid, work_unpause, done, data, NULL);
}

static enum hypervisor_state
libvirt_state(const struct hypervisor *hypervisor, const char *uuid)
{
	const struct libvirt_qube *qube = find(hypervisor, uuid);

	return qube != NULL ? qube->state : HYPERVISOR_HALTED;
}

static int64_t
libvirt_xid(const struct hypervisor *hypervisor, const char *uuid)
{
	const struct libvirt_qube *qube = find(hypervisor, uuid);

	return qube != NULL ? qube->xid : -1;
}

static int64_t
libvirt_started_us(const struct hypervisor *hypervisor, const char *uuid)
{
	const struct libvirt_qube *qube = find(hypervisor, uuid);

	return qube != NULL ? qube->started_us : 0;
}

static bool
libvirt_adopt(struct hypervisor *hypervisor, const char *uuid, const char *name)
{
	(void)name;
	return find(hypervisor, uuid) != NULL;
}

/* What was heard last; and the next answer is newer. */
static void
libvirt_usage(struct hypervisor *hypervisor, const char *uuid, struct hypervisor_usage *ret)
{
	const struct libvirt_qube *qube = find(hypervisor, uuid);

	if (qube == NULL)
		return;
	*ret = qube->usage;
	call(hypervisor, uuid, work_look, NULL, NULL, NULL);
}

static void
libvirt_free(struct hypervisor *hypervisor)
{
	struct libvirt *libvirt = libvirt_of(hypervisor);

	libvirt->closed = true;
	job_post(job_new(libvirt, work_close));
	libvirt_unref(libvirt);
}

static const struct hypervisor_ops ops = {
    .free = libvirt_free,
    .start = libvirt_start,
    .shutdown = libvirt_shutdown,
    .kill = libvirt_kill,
    .pause = libvirt_pause,
    .unpause = libvirt_unpause,
    .state = libvirt_state,
    .xid = libvirt_xid,
    .started_us = libvirt_started_us,
    .adopt = libvirt_adopt,
    .usage = libvirt_usage,
};

/* ---- the first connection: the only one that somebody waits for ------------------------------- */

struct first {
	GMutex mutex;
	GCond done;
	bool is_done;
	gint references; /* atomic: who waits, and the worker */
	struct job *job; /* owned */
};

static void
first_unref(struct first *first)
{
	if (!g_atomic_int_dec_and_test(&first->references))
		return;
	job_free(first->job);
	g_mutex_clear(&first->mutex);
	g_cond_clear(&first->done);
	g_free(first);
}

static void
run_first(void *data)
{
	struct first *first = data;

	if (ensure_connection(first->job))
		work_look_all(first->job);
	g_mutex_lock(&first->mutex);
	first->is_done = true;
	g_cond_signal(&first->done);
	g_mutex_unlock(&first->mutex);
	first_unref(first);
}

/* 0, or -ENOTCONN with *ret_error. */
static int
connect_first(struct libvirt *libvirt, char **ret_error)
{
	gint64 end = g_get_monotonic_time() + CONNECT_TIMEOUT_S * G_TIME_SPAN_SECOND;
	struct first *first = g_new0(struct first, 1);
	bool in_time = true;
	int r = 0;

	g_mutex_init(&first->mutex);
	g_cond_init(&first->done);
	first->references = 2;
	first->job = job_new(libvirt, work_look_all);
	libvirt_worker_run(run_first, first);
	g_mutex_lock(&first->mutex);
	while (in_time && !first->is_done)
		in_time = g_cond_wait_until(&first->done, &first->mutex, end);
	g_mutex_unlock(&first->mutex);
	if (!first->is_done)
		*ret_error =
		    g_strdup_printf("%s does not answer: is libvirtd running?", libvirt->base.kind);
	else if (first->job->error != NULL)
		*ret_error = g_steal_pointer(&first->job->error);
	if (*ret_error != NULL)
		r = -ENOTCONN;
	for (guint i = 0; r == 0 && i < first->job->findings->len; i++)
		remember(libvirt, &g_array_index(first->job->findings, struct finding, i), 0);
	first_unref(first);
	return r;
}

int
hypervisor_libvirt_new(const char *kind, hypervisor_event on_event, void *data,
    struct hypervisor **ret, char **ret_error)
{
	enum domain_xml_driver driver = domain_xml_driver_of(kind);
	struct libvirt *libvirt;
	int r;

	if (driver == 0) {
		*ret_error = g_strdup_printf(
		    "no description of a qube is known for %s: use xen, qemu or test", kind);
		return -EINVAL;
	}
	libvirt = g_new0(struct libvirt, 1);
	libvirt->references = 1;
	libvirt->driver = driver;
	libvirt->qubes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	hypervisor_init(&libvirt->base, &ops, kind, on_event, data);
	if (driver == DOMAIN_XML_XEN) {
		libvirt->base.has_vchan = true;
		libvirt->base.vchan = g_strdup("xen");
	}
	*ret_error = NULL;
	r = connect_first(libvirt, ret_error);
	if (r < 0) {
		libvirt_free(&libvirt->base);
		return r;
	}
	*ret = &libvirt->base;
	return 0;
}
