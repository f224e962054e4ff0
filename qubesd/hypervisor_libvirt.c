/*
 * Qubes as libvirt domains. Every call of libvirt happens in the worker (libvirt_work.h); the main
 * loop keeps what it last heard and never waits. Events only say "look again": what is reported is
 * the state that was read afterwards, so events that come late, twice or not in order do no harm.
 */
#include "qubesd/libvirt_work.h"
#include "qubesd/libvirt_worker.h"
#include "shared/log.h"

#include <errno.h>
#include <string.h>

#define CALL_TIMEOUT_S 60    /* after that, whoever waits is told; the call itself goes on */
#define CONNECT_TIMEOUT_S 15 /* for the first connection, which qubesd waits for */

/* --- jobs ----------------------------------------------------------------------------------- */

/* Keeps what was found; returns the state before. */
static enum hypervisor_state
remember(struct libvirt *libvirt, const struct libvirt_finding *finding, int64_t started_us)
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
learn(struct libvirt *libvirt, const struct libvirt_finding *finding)
{
	struct hypervisor *base = &libvirt->base;
	enum hypervisor_state before = remember(libvirt, finding, g_get_real_time());

	if (before != finding->qube.state)
		base->on_event(base, finding->uuid, finding->qube.state, base->data);
}

static gboolean
on_job_done(gpointer data)
{
	struct libvirt_job *job = data;

	g_clear_handle_id(&job->timeout, g_source_remove);
	for (guint i = 0; !job->libvirt->closed && i < job->findings->len; i++)
		learn(job->libvirt, &g_array_index(job->findings, struct libvirt_finding, i));
	if (job->done != NULL && !job->libvirt->closed)
		job->done(job->error, job->xid, job->data);
	else if (job->error != NULL)
		log_warn("%s", job->error);
	libvirt_job_free(job);
	return G_SOURCE_REMOVE;
}

static void
run_job(void *data)
{
	struct libvirt_job *job = data;

	if (job->work == libvirt_work_close || libvirt_work_connect(job))
		job->work(job);
	g_idle_add_full(G_PRIORITY_DEFAULT, on_job_done, job, NULL);
}

void
libvirt_job_post(struct libvirt_job *job)
{
	libvirt_worker_run(run_job, job);
}

static gboolean
on_call_timeout(gpointer data)
{
	struct libvirt_job *job = data;
	hypervisor_done done = g_steal_pointer(&job->done);

	job->timeout = 0;
	if (!job->libvirt->closed)
		done("libvirt does not answer", -1, job->data);
	return G_SOURCE_REMOVE;
}

/* --- on the main loop ----------------------------------------------------------------------- */

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
call(struct hypervisor *hypervisor, const char *uuid, void (*work)(struct libvirt_job *job),
    hypervisor_done done, void *data, struct libvirt_job **ret)
{
	struct libvirt_job *job = libvirt_job_new(libvirt_of(hypervisor), work);

	job->uuid = g_strdup(uuid);
	job->done = done;
	job->data = data;
	if (done != NULL)
		job->timeout = g_timeout_add_seconds(CALL_TIMEOUT_S, on_call_timeout, job);
	if (ret != NULL)
		*ret = job;
	else
		libvirt_job_post(job);
}

static void
libvirt_start(struct hypervisor *hypervisor, const struct hypervisor_qube *qube,
    hypervisor_done done, void *data)
{
	struct libvirt *libvirt = libvirt_of(hypervisor);
	g_autofree char *error = NULL;
	struct libvirt_job *job;
	char *xml;

	if (find(hypervisor, qube->uuid) != NULL) {
		hypervisor_answer_later(done, "it runs already", -1, data);
		return;
	}
	if (domain_xml_new(qube, libvirt->driver, &xml, &error) < 0) {
		hypervisor_answer_later(done, error, -1, data);
		return;
	}
	call(hypervisor, qube->uuid, libvirt_work_start, done, data, &job);
	job->name = g_strdup(qube->name);
	job->xml = xml;
	libvirt_job_post(job);
}

static void
libvirt_shutdown(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	call(hypervisor, uuid, libvirt_work_shutdown, done, data, NULL);
}

static void
libvirt_kill(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	call(hypervisor, uuid, libvirt_work_kill, done, data, NULL);
}

static void
libvirt_pause(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	call(hypervisor, uuid, libvirt_work_pause, done, data, NULL);
}

static void
libvirt_unpause(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	call(hypervisor, uuid, libvirt_work_unpause, done, data, NULL);
}

static enum hypervisor_state
libvirt_state(const struct hypervisor *hypervisor, const char *uuid)
{
	const struct libvirt_qube *qube = find(hypervisor, uuid);

	return qube != NULL ? qube->state : HYPERVISOR_HALTED;
}

static bool
libvirt_has_xid(const struct hypervisor *hypervisor, uint32_t xid)
{
	GHashTableIter iter;
	struct libvirt_qube *qube;

	g_hash_table_iter_init(&iter, libvirt_of(hypervisor)->qubes);
	while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&qube))
		if (qube->xid == (int64_t)xid)
			return true;
	return false;
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
	call(hypervisor, uuid, libvirt_work_look, NULL, NULL, NULL);
}

static void
libvirt_free(struct hypervisor *hypervisor)
{
	struct libvirt *libvirt = libvirt_of(hypervisor);

	libvirt->closed = true;
	libvirt_job_post(libvirt_job_new(libvirt, libvirt_work_close));
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
    .has_xid = libvirt_has_xid,
    .xid = libvirt_xid,
    .started_us = libvirt_started_us,
    .adopt = libvirt_adopt,
    .usage = libvirt_usage,
};

/* --- the first connection: the only one that somebody waits for ----------------------------- */

struct first {
	GMutex mutex;
	GCond done;
	bool is_done;
	gint references;         /* atomic: who waits, and the worker */
	struct libvirt_job *job; /* owned */
};

static void
first_unref(struct first *first)
{
	if (!g_atomic_int_dec_and_test(&first->references))
		return;
	libvirt_job_free(first->job);
	g_mutex_clear(&first->mutex);
	g_cond_clear(&first->done);
	g_free(first);
}

static void
run_first(void *data)
{
	struct first *first = data;

	if (libvirt_work_connect(first->job))
		libvirt_work_look_all(first->job);
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
	first->job = libvirt_job_new(libvirt, libvirt_work_look_all);
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
		remember(
		    libvirt, &g_array_index(first->job->findings, struct libvirt_finding, i), 0);
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
