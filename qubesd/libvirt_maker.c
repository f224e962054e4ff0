#include "qubesd/libvirt_maker.h"

#include "qubesd/libvirt_making.h"
#include "qubesd/saved_states.h"
#include "shared/log.h"

#include <string.h>

#define TRIES_MAX 20 /* of one that is disturbed each time: then somebody has to lack it again */
#define QUIET_S 10   /* after the last start: by then its agents run, too */

struct libvirt_maker {
	struct libvirt *libvirt; /* borrowed */
	struct making *wanted;   /* owned; the latest that somebody lacked; NULL */
	struct making *running;  /* the thread's, but for stop; NULL: none */
	guint timer;
	GHashTable *failed;   /* set of owned keys: not tried again */
	GHashTable *dropped;  /* set of owned keys: states that did not work, once */
	GHashTable *restored; /* owned uuid -> owned key: machines that began as a state */
};

static void
making_free(struct making *making)
{
	if (making == NULL)
		return;
	libvirt_job_free(making->job);
	saved_machine_free(making->machine);
	g_free(making->key);
	g_free(making->region_name);
	g_free(making->error);
	g_free(making);
}

struct libvirt_maker *
libvirt_maker_new(struct libvirt *libvirt)
{
	struct libvirt_maker *maker = g_new0(struct libvirt_maker, 1);

	maker->libvirt = libvirt;
	maker->failed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	maker->dropped = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	maker->restored = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return maker;
}

/* The thread, if there is one, frees what it has. */
void
libvirt_maker_free(struct libvirt_maker *maker)
{
	if (maker == NULL)
		return;
	if (maker->running != NULL)
		g_atomic_int_set(&maker->running->stop, TRUE);
	g_clear_handle_id(&maker->timer, g_source_remove);
	making_free(maker->wanted);
	g_hash_table_unref(maker->failed);
	g_hash_table_unref(maker->dropped);
	g_hash_table_unref(maker->restored);
	g_free(maker);
}

/* --- making --------------------------------------------------------------------------------- */

static void make_later(struct libvirt_maker *maker);

/* Unless something else is wanted since. */
static void
try_again(struct libvirt_maker *maker, struct making *making)
{
	if (maker->wanted != NULL || making->tries >= TRIES_MAX) {
		making_free(making);
		return;
	}
	making->stop = FALSE;
	making->is_by_chance = false;
	g_clear_pointer(&making->error, g_free);
	g_clear_pointer(&making->region_name, g_free);
	g_clear_pointer(&making->job->error, g_free);
	maker->wanted = making;
}

static gboolean
on_made(gpointer data)
{
	struct making *making = data;
	struct libvirt *libvirt = making->job->libvirt;
	struct libvirt_maker *maker = libvirt->maker;

	if (libvirt->closed) {
		making_free(making);
		return G_SOURCE_REMOVE;
	}
	maker->running = NULL;
	if (making->error == NULL) {
		log_info("a machine is saved: disposables like it need not boot");
		making_free(making);
	} else if (making->stop || making->is_by_chance) {
		log_debug("no machine is saved for now: %s", making->error);
		try_again(maker, making);
	} else {
		log_warn("no machine can be saved, so its disposables boot: %s", making->error);
		g_hash_table_add(maker->failed, g_steal_pointer(&making->key));
		making_free(making);
	}
	make_later(maker);
	return G_SOURCE_REMOVE;
}

static gpointer
making_thread(gpointer data)
{
	libvirt_making_run(data);
	g_idle_add_full(G_PRIORITY_DEFAULT, on_made, data, NULL);
	return NULL;
}

static gboolean
on_quiet(gpointer data)
{
	struct libvirt_maker *maker = data;

	maker->timer = 0;
	maker->running = g_steal_pointer(&maker->wanted);
	maker->running->tries++;
	g_thread_unref(g_thread_new("saved-state", making_thread, maker->running));
	return G_SOURCE_REMOVE;
}

/* Anew from each start on: nobody shall wait for it. */
static void
make_later(struct libvirt_maker *maker)
{
	g_clear_handle_id(&maker->timer, g_source_remove);
	if (maker->wanted != NULL && maker->running == NULL)
		maker->timer = g_timeout_add_seconds(QUIET_S, on_quiet, maker);
}

static bool
is_in_hand(const struct libvirt_maker *maker, const char *key)
{
	return g_hash_table_contains(maker->failed, key) ||
	       (maker->wanted != NULL && strcmp(maker->wanted->key, key) == 0) ||
	       (maker->running != NULL && strcmp(maker->running->key, key) == 0);
}

static void
want(struct libvirt_maker *maker, struct libvirt_start *start)
{
	struct making *making;

	if (is_in_hand(maker, start->saved_key))
		return;
	making = g_new0(struct making, 1);
	making->job = libvirt_job_new(maker->libvirt, NULL);
	making->machine = g_steal_pointer(&start->saved);
	making->key = g_strdup(start->saved_key);
	making->kvm = start->kvm;
	making->region_bytes = start->region_bytes;
	making_free(maker->wanted);
	maker->wanted = making;
}

/* A file may have been damaged; one that does not work a second time is not made a third time. */
static bool
may_fail_once(struct libvirt_maker *maker, const char *key)
{
	if (g_hash_table_add(maker->dropped, g_strdup(key)))
		return true;
	g_hash_table_add(maker->failed, g_strdup(key));
	return false;
}

void
libvirt_maker_make_way(struct libvirt_maker *maker)
{
	if (maker->running != NULL)
		g_atomic_int_set(&maker->running->stop, TRUE);
	make_later(maker);
}

void
libvirt_maker_on_start(struct libvirt_maker *maker, struct libvirt_job *job)
{
	struct libvirt_start *start = job->start;

	if (start->restored && job->error == NULL) {
		log_info("%s goes on from a saved machine", job->name);
		g_hash_table_insert(
		    maker->restored, g_strdup(job->uuid), g_strdup(start->saved_key));
	} else if (start->restore_failed && !may_fail_once(maker, start->saved_key)) {
		log_warn("no such machine is saved again");
	} else if (job->error == NULL && start->saved_key != NULL) {
		want(maker, start);
	}
	make_later(maker);
}

/* --- states that do not work ---------------------------------------------------------------- */

void
libvirt_maker_on_failure(struct libvirt_maker *maker, const char *uuid)
{
	const char *key = g_hash_table_lookup(maker->restored, uuid);

	if (key == NULL)
		return;
	log_warn("a machine that was restored did not come up: its saved state is given up");
	saved_states_drop(key);
	(void)may_fail_once(maker, key);
	g_hash_table_remove(maker->restored, uuid);
}

void
libvirt_maker_on_end(struct libvirt_maker *maker, const char *uuid)
{
	g_hash_table_remove(maker->restored, uuid);
}
