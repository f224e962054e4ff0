/*
 * Killing what a run has in its hypervisor: because somebody asked, or because its start has failed.
 * The good answer is the halt itself, which comes as an event. A bad one may mean that it had halted
 * before; else whoever asked is told, and a failed start is killed again until it has gone.
 */
#include "qubesd/lifecycle_run.h"
#include "shared/log.h"

#include <string.h>

#define KILL_AGAIN_FIRST_S 1
#define KILL_AGAIN_LAST_S 30

/* A kill that is under way, by name: its run may be over when the answer comes, and another one there. */
struct killing {
	struct lifecycle *lifecycle; /* borrowed */
	char *uuid, *start_guid;     /* owned */
	void (*on_failure)(struct run *run, const char *error);
};

static void
on_killed(const char *error, int64_t xid, void *data)
{
	struct killing *killing = data;
	struct run *run = g_hash_table_lookup(killing->lifecycle->runs, killing->uuid);

	(void)xid;
	if (error != NULL && run != NULL && strcmp(run->start_guid, killing->start_guid) == 0) {
		if (hypervisor_state(run->hypervisor, killing->uuid) == HYPERVISOR_HALTED)
			run_halted(run);
		else
			killing->on_failure(run, error);
	}
	g_free(killing->uuid);
	g_free(killing->start_guid);
	g_free(killing);
}

static void
kill_run(struct run *run, void (*on_failure)(struct run *run, const char *error))
{
	struct killing *killing = g_new0(struct killing, 1);

	killing->lifecycle = run->lifecycle;
	killing->uuid = g_strdup(domain_uuid(run->domain));
	killing->start_guid = g_strdup(run->start_guid);
	killing->on_failure = on_failure;
	hypervisor_kill(run->hypervisor, killing->uuid, on_killed, killing);
}

/* --- somebody asked ------------------------------------------------------------------------- */

/* Unless it was asked to shut down, too. */
static void
on_asked_failure(struct run *run, const char *message)
{
	struct admin_error error = {0};

	admin_error_set(&error, "QubesException", "%s", message);
	if (run->shutdown_timer == 0)
		run_goes_on(run);
	run_waiters_tell(run->stop_waiters, &error);
	admin_error_clear(&error);
}

void
run_kill(struct run *run)
{
	run->shutting_down = true;
	if (run->spawned && run->phase != RUN_STOPPING)
		kill_run(run, on_asked_failure);
}

/* --- its start has failed ------------------------------------------------------------------- */

static gboolean
on_kill_again(gpointer data)
{
	struct run *run = data;

	run->kill_timer = 0;
	run_kill_failed(run);
	return G_SOURCE_REMOVE;
}

/* It got lost with libvirtd, say. Nobody else would end what runs: it is tried until it has gone. */
static void
on_failed_failure(struct run *run, const char *error)
{
	if (run->phase != RUN_FAILING)
		return;
	if (run->kill_pause_s == 0)
		log_error("%s: its failed start cannot be ended: %s; it is tried again",
		    domain_name(run->domain), error);
	run->kill_pause_s = run->kill_pause_s == 0 ? KILL_AGAIN_FIRST_S
						   : MIN(run->kill_pause_s * 2, KILL_AGAIN_LAST_S);
	run->kill_timer = g_timeout_add_seconds(run->kill_pause_s, on_kill_again, run);
}

void
run_kill_failed(struct run *run)
{
	kill_run(run, on_failed_failure);
}
