/*
 * Jobs for libvirt on the main loop: their lanes, their time limits, what they found out, and what
 * is done when libvirtd has gone. Events only say "look again": what is reported is the state that
 * was read afterwards, so events that come late, twice or not in order do no harm; one that is lost
 * is made up for by the next look, and there is one whenever libvirtd is found again.
 */
#include "qubesd/libvirt_maker.h"
#include "qubesd/libvirt_work.h"
#include "qubesd/libvirt_worker.h"
#include "shared/log.h"

#include <string.h>

#define CALL_TIMEOUT_S 60 /* after that, whoever waits is told; the call itself goes on */
#define RETRY_FIRST_S 1
#define RETRY_LAST_S 30

/*
 * The jobs about one qube. A start is alone; else one runs at a time, and a kill beside it: a machine
 * that does not answer keeps one thread, not all, and can be ended.
 */
struct lane {
	bool is_busy;    /* a job that is no kill runs */
	bool is_killing; /* a kill runs */
	bool alone;      /* a start runs */
	GQueue waiting;  /* struct libvirt_job */
};

static void dispatch(struct libvirt *libvirt, const char *uuid);

/* --- what was found out --------------------------------------------------------------------- */

/*
 * Keeps a finding. False when a newer one is known already. A halted qube is remembered until no
 * job runs that may have looked at it before.
 */
static bool
remember(struct libvirt *libvirt, const struct libvirt_finding *finding,
    enum hypervisor_state *ret_before)
{
	struct libvirt_qube *known = g_hash_table_lookup(libvirt->qubes, finding->uuid);
	struct libvirt_qube *now;

	if (known != NULL && known->number > finding->qube.number)
		return false;
	*ret_before = known != NULL ? known->state : HYPERVISOR_HALTED;
	now = g_memdup2(&finding->qube, sizeof(finding->qube));
	if (known != NULL && known->state != HYPERVISOR_HALTED)
		now->started_us = known->started_us;
	else if (now->started_us == 0)
		now->started_us = g_get_real_time();
	g_hash_table_insert(libvirt->qubes, g_strdup(finding->uuid), now);
	return true;
}

void
libvirt_remember(struct libvirt *libvirt, const struct libvirt_finding *finding)
{
	enum hypervisor_state before;

	(void)remember(libvirt, finding, &before);
}

static gboolean
is_over(gpointer uuid, gpointer qube, gpointer libvirt)
{
	return ((struct libvirt_qube *)qube)->state == HYPERVISOR_HALTED &&
	       !g_hash_table_contains(((struct libvirt *)libvirt)->lanes, uuid);
}

/* Nobody who has seen one of them run can come late any more. */
static void
forget_halted(struct libvirt *libvirt)
{
	if (libvirt->laneless == 0)
		g_hash_table_foreach_remove(libvirt->qubes, is_over, libvirt);
}

/* Its start was reported as a failure: it is ended, and nobody hears of it. */
static bool
is_unwanted(struct libvirt *libvirt, const struct libvirt_finding *finding)
{
	struct libvirt_job *job;

	if (finding->our_id == 0 || finding->qube.state == HYPERVISOR_HALTED ||
	    !g_hash_table_contains(libvirt->unwanted, GUINT_TO_POINTER(finding->our_id)))
		return false;
	log_warn("libvirt has started %s after all: it is ended", finding->uuid);
	job = libvirt_job_new(libvirt, libvirt_work_kill);
	job->uuid = g_strdup(finding->uuid);
	libvirt_job_post(job);
	return true;
}

static void
learn(struct libvirt *libvirt, const struct libvirt_finding *finding)
{
	struct hypervisor *base = &libvirt->base;
	enum hypervisor_state before;

	if (is_unwanted(libvirt, finding) || !remember(libvirt, finding, &before))
		return;
	if (before == finding->qube.state)
		return;
	base->on_event(base, finding->uuid, finding->qube.state, base->data);
	if (finding->qube.state == HYPERVISOR_HALTED && libvirt->maker != NULL)
		libvirt_maker_on_end(libvirt->maker, finding->uuid);
}

/* A list of all has come: whoever is not on it has halted, unless he was seen later than that. */
static void
learn_missing(const struct libvirt_job *job)
{
	struct libvirt *libvirt = job->libvirt;
	g_autoptr(GPtrArray) missing = g_ptr_array_new_with_free_func(g_free);
	GHashTableIter iter;
	const struct libvirt_qube *qube;
	const char *uuid;

	g_hash_table_iter_init(&iter, libvirt->qubes);
	while (g_hash_table_iter_next(&iter, (gpointer *)&uuid, (gpointer *)&qube)) {
		bool listed = false;

		for (guint i = 0; !listed && i < job->findings->len; i++)
			listed =
			    strcmp(uuid,
				g_array_index(job->findings, struct libvirt_finding, i).uuid) == 0;
		if (!listed && qube->state != HYPERVISOR_HALTED && qube->number < job->number)
			g_ptr_array_add(missing, g_strdup(uuid));
	}
	for (guint i = 0; i < missing->len; i++) /* each is looked at once more, and tidied up */
		libvirt_tell_changed(libvirt, missing->pdata[i]);
}

/* --- libvirtd gone and back ----------------------------------------------------------------- */

static void retry_later(struct libvirt *libvirt);

static gboolean
on_retry(gpointer data)
{
	struct libvirt *libvirt = data;

	libvirt->retry = 0;
	libvirt_job_post(libvirt_job_new(libvirt, libvirt_work_look_all));
	return G_SOURCE_REMOVE;
}

static void
retry_later(struct libvirt *libvirt)
{
	if (libvirt->retry != 0 || libvirt->closed)
		return;
	libvirt->retry = g_timeout_add_seconds(libvirt->retry_pause_s, on_retry, libvirt);
	libvirt->retry_pause_s = MIN(libvirt->retry_pause_s * 2, RETRY_LAST_S);
}

static void
on_lost(struct libvirt *libvirt)
{
	if (libvirt->lost || libvirt->closed)
		return;
	libvirt->lost = true;
	libvirt->retry_pause_s = RETRY_FIRST_S;
	log_warn("%s does not answer any more: until it does, qubes are reported as they were last "
		 "seen",
	    libvirt->base.kind);
	retry_later(libvirt);
}

/* The look at all that follows the loss has an answer. */
static void
on_looked_at_all(struct libvirt_job *job)
{
	struct libvirt *libvirt = job->libvirt;

	if (job->error != NULL) {
		log_debug("%s", job->error);
		g_clear_pointer(&job->error, g_free);
		if (libvirt->lost)
			retry_later(libvirt);
		on_lost(libvirt);
		return;
	}
	if (libvirt->lost)
		log_info("%s answers again", libvirt->base.kind);
	libvirt->lost = false;
	learn_missing(job);
}

/* Whether it was done or not, nobody knows that it runs; if it turns up, it is ended. */
static void
disown(struct libvirt_job *job)
{
	g_hash_table_add(job->libvirt->unwanted, GUINT_TO_POINTER(job->our_id));
}

/* Whoever waits is told now. The call itself may be made all the same. */
static void
give_up(struct libvirt_job *job)
{
	hypervisor_done done = g_steal_pointer(&job->done);

	g_clear_handle_id(&job->timeout, g_source_remove);
	g_hash_table_remove(job->libvirt->asked, job);
	g_atomic_int_set(&job->abandoned, TRUE);
	if (job->start != NULL)
		disown(job);
	if (!job->libvirt->closed)
		done("libvirt does not answer", -1, job->data);
}

/* Calls have no keepalive of their own, and would stay as long as libvirtd is silent. */
static void
give_up_all(struct libvirt *libvirt)
{
	g_autoptr(GList) asked = g_hash_table_get_keys(libvirt->asked);

	for (GList *link = asked; link != NULL; link = link->next)
		give_up(link->data);
}

static gboolean
on_lost_told(gpointer data)
{
	struct libvirt *libvirt = data;

	give_up_all(libvirt);
	on_lost(libvirt);
	libvirt_unref(libvirt);
	return G_SOURCE_REMOVE;
}

void
libvirt_tell_lost(struct libvirt *libvirt)
{
	g_idle_add_full(G_PRIORITY_DEFAULT, on_lost_told, libvirt_ref(libvirt), NULL);
}

static gboolean
on_changed_told(gpointer data)
{
	struct libvirt_job *job = data;

	if (job->libvirt->closed)
		libvirt_job_free(job);
	else
		libvirt_job_post(job);
	return G_SOURCE_REMOVE;
}

void
libvirt_tell_changed(struct libvirt *libvirt, const char *uuid)
{
	struct libvirt_job *job = libvirt_job_new(libvirt, libvirt_work_look);

	job->uuid = g_strdup(uuid);
	g_idle_add_full(G_PRIORITY_DEFAULT, on_changed_told, job, NULL);
}

/* --- jobs ----------------------------------------------------------------------------------- */

static void
answer(struct libvirt_job *job)
{
	struct libvirt *libvirt = job->libvirt;

	if (job->start != NULL && libvirt->maker != NULL)
		libvirt_maker_on_start(libvirt->maker, job);
	if (job->work == libvirt_work_look_all || job->work == libvirt_work_look_first)
		on_looked_at_all(job);
	for (guint i = 0; i < job->findings->len; i++)
		learn(libvirt, &g_array_index(job->findings, struct libvirt_finding, i));
	if (job->done != NULL)
		job->done(job->error, job->xid, job->data);
	else if (job->error != NULL)
		log_warn("%s", job->error);
}

static bool *
slot_of(struct lane *lane, const struct libvirt_job *job)
{
	return job->work == libvirt_work_kill ? &lane->is_killing : &lane->is_busy;
}

static gboolean
on_job_done(gpointer data)
{
	struct libvirt_job *job = data;
	struct libvirt *libvirt = job->libvirt;
	struct lane *lane =
	    job->uuid != NULL ? g_hash_table_lookup(libvirt->lanes, job->uuid) : NULL;

	g_clear_handle_id(&job->timeout, g_source_remove);
	g_hash_table_remove(libvirt->asked, job);
	if (job->start != NULL && job->error != NULL && !job->undone)
		disown(job);
	else if (job->start != NULL && job->error != NULL)
		g_hash_table_remove(libvirt->unwanted, GUINT_TO_POINTER(job->our_id));
	if (lane != NULL) {
		*slot_of(lane, job) = false;
		lane->alone = false;
	}
	if (!libvirt->closed)
		answer(job);
	if (job->uuid == NULL)
		libvirt->laneless--;
	if (lane != NULL)
		dispatch(libvirt, job->uuid);
	else
		forget_halted(libvirt);
	libvirt_job_free(job);
	return G_SOURCE_REMOVE;
}

/* Nobody waits for it any more, and it was never begun: who asked was told that it failed. */
static bool
is_given_up(struct libvirt_job *job)
{
	return g_atomic_int_get(&job->abandoned) && job->work != libvirt_work_kill;
}

static void
run_job(void *data)
{
	struct libvirt_job *job = data;

	if (is_given_up(job)) {
		job->undone = true;
		job->error = g_strdup("libvirt answered too late: a call was not made any more");
	} else if (job->work == libvirt_work_close || libvirt_work_connect(job))
		job->work(job);
	libvirt_work_disconnect(job);
	g_idle_add_full(G_PRIORITY_DEFAULT, on_job_done, job, NULL);
}

static void
on_lane_free(gpointer data)
{
	struct lane *lane = data;

	g_queue_clear_full(&lane->waiting, (GDestroyNotify)libvirt_job_free);
	g_free(lane);
}

GHashTable *
libvirt_lanes_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, on_lane_free);
}

/* A kill overtakes the others, but no start. NULL: whatever waits has to wait. */
static struct libvirt_job *
take_next(struct lane *lane)
{
	for (GList *link = lane->waiting.head; link != NULL && !lane->alone; link = link->next) {
		struct libvirt_job *job = link->data;

		if (job->start != NULL && (lane->is_busy || lane->is_killing))
			return NULL;
		if (!*slot_of(lane, job)) {
			g_queue_delete_link(&lane->waiting, link);
			return job;
		}
	}
	return NULL;
}

/* Runs what may run now. */
static void
dispatch(struct libvirt *libvirt, const char *uuid)
{
	struct lane *lane = g_hash_table_lookup(libvirt->lanes, uuid);
	struct libvirt_job *job;

	while ((job = take_next(lane)) != NULL) {
		*slot_of(lane, job) = true;
		lane->alone = job->start != NULL;
		libvirt_worker_run(run_job, job);
	}
	if (!lane->is_busy && !lane->is_killing) {
		g_hash_table_remove(libvirt->lanes, uuid);
		forget_halted(libvirt);
	}
}

static gboolean
on_call_timeout(gpointer data)
{
	struct libvirt_job *job = data;

	job->timeout = 0;
	give_up(job);
	return G_SOURCE_REMOVE;
}

void
libvirt_job_post(struct libvirt_job *job)
{
	struct libvirt *libvirt = job->libvirt;
	struct libvirt_qube *known;
	struct lane *lane;

	if (job->done != NULL) {
		job->timeout = g_timeout_add_seconds(CALL_TIMEOUT_S, on_call_timeout, job);
		g_hash_table_add(libvirt->asked, job);
	}
	if (job->uuid == NULL) {
		libvirt->laneless++;
		libvirt_worker_run(run_job, job);
		return;
	}
	known = g_hash_table_lookup(libvirt->qubes, job->uuid);
	if (job->our_id == 0 && known != NULL && known->xid > 0 &&
	    libvirt->driver != DOMAIN_XML_XEN)
		job->our_id = (uint32_t)known->xid;
	lane = g_hash_table_lookup(libvirt->lanes, job->uuid);
	if (lane == NULL) {
		lane = g_new0(struct lane, 1);
		g_queue_init(&lane->waiting);
		g_hash_table_insert(libvirt->lanes, g_strdup(job->uuid), lane);
	}
	g_queue_push_tail(&lane->waiting, job);
	dispatch(libvirt, job->uuid);
}
