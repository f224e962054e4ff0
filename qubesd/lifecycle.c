#include "qubesd/lifecycle.h"
#include "qubesd/grammar.h"
#include "qubesd/lifecycle_run.h"
#include "qubesd/run_kind.h"
#include "shared/log.h"

#include <errno.h>
#include <string.h>

/* --- runs ----------------------------------------------------------------------------------- */

struct run *
run_find(const struct lifecycle *lifecycle, const struct domain *domain)
{
	return g_hash_table_lookup(lifecycle->runs, domain_uuid(domain));
}

struct run *
run_new(struct lifecycle *lifecycle, struct domain *domain)
{
	struct run *run = g_new0(struct run, 1);

	run->lifecycle = lifecycle;
	run->domain = domain_ref(domain);
	run->start_guid = g_uuid_string_random();
	run->start_waiters = g_ptr_array_new_with_free_func(g_free);
	run->shutdown_waiters = g_ptr_array_new_with_free_func(g_free);
	run->stop_waiters = g_ptr_array_new_with_free_func(g_free);
	run->restart_waiters = g_ptr_array_new_with_free_func(g_free);
	g_hash_table_insert(lifecycle->runs, (gpointer)domain_uuid(domain), run);
	return run;
}

void
run_free(struct run *run)
{
	g_clear_handle_id(&run->shutdown_timer, g_source_remove);
	g_clear_handle_id(&run->kill_timer, g_source_remove);
	qrexec_child_leave(run->qrexec);
	run_gui_free(run->gui);
	g_ptr_array_unref(run->start_waiters);
	g_ptr_array_unref(run->shutdown_waiters);
	g_ptr_array_unref(run->stop_waiters);
	g_ptr_array_unref(run->restart_waiters);
	boot_clear(&run->boot);
	g_free(run->transport_file);
	admin_error_clear(&run->error);
	domain_disks_free(run->disks);
	g_free(run->start_guid);
	domain_unref(run->domain);
	g_free(run);
}

void
run_waiter_add(GPtrArray *waiters, lifecycle_done done, void *data)
{
	struct run_waiter *waiter = g_new0(struct run_waiter, 1);

	waiter->done = done;
	waiter->data = data;
	g_ptr_array_add(waiters, waiter);
}

void
run_waiters_tell(GPtrArray *waiters, const struct admin_error *error)
{
	while (waiters->len > 0) {
		struct run_waiter *waiter = g_ptr_array_steal_index(waiters, 0);

		waiter->done(error, waiter->data);
		g_free(waiter);
	}
}

void
run_goes_on(struct run *run)
{
	run->shutting_down = false;
	if (run->phase == RUN_RUNNING)
		run_waiters_tell(run->restart_waiters, NULL);
}

/* --- the end of a run ----------------------------------------------------------------------- */

static void
fire_stop_events(struct run *run)
{
	struct qubes_app *app = run->lifecycle->app;
	struct domain *domain = run->domain;

	event_fire(app, domain, "property-reset:xid", "name", "xid", NULL);
	event_fire(app, domain, "property-reset:stubdom_xid", "name", "stubdom_xid", NULL);
	event_fire(app, domain, "property-reset:start_time", "name", "start_time", NULL);
	event_fire(app, domain, "domain-shutdown", NULL);
}

static bool
is_cleaned_up(const struct domain *domain)
{
	return domain_class(domain) == DOMAIN_DISP && domain_bool(domain, PROPERTY_AUTO_CLEANUP);
}

static void
remove_disposable(struct lifecycle *lifecycle, struct domain *domain)
{
	struct admin_error error = {0};

	if (domain_is_removed(domain) || !is_cleaned_up(domain))
		return;
	if (!qubes_app_remove_domain(lifecycle->app, domain, &error))
		log_warn("%s cannot be removed: %s", domain_name(domain), error.message);
	admin_error_clear(&error);
}

/* Starts that came during the stop. */
static void
start_again(struct lifecycle *lifecycle, struct domain *domain, GPtrArray *waiters)
{
	struct admin_error gone = {0};

	if (domain_is_removed(domain)) {
		admin_error_set(
		    &gone, "QubesVMNotFoundError", "%s has been removed", domain_name(domain));
		run_waiters_tell(waiters, &gone);
		admin_error_clear(&gone);
		return;
	}
	while (waiters->len > 0) {
		struct run_waiter *waiter = g_ptr_array_steal_index(waiters, 0);

		lifecycle_start(lifecycle, domain, waiter->done, waiter->data);
		g_free(waiter);
	}
}

static void on_foreign_start(
    struct lifecycle *lifecycle, struct domain *domain, struct hypervisor *hypervisor);

static bool
is_up(enum hypervisor_state state)
{
	return state == HYPERVISOR_RUNNING || state == HYPERVISOR_PAUSED ||
	       state == HYPERVISOR_SUSPENDED;
}

/*
 * Its start has failed because it runs already: libvirtd was away when we began, and was found again by
 * this start, say. The hypervisor's word came during the start, and does not come again.
 */
static bool
has_run_all_the_time(const struct run *run)
{
	return run->failed && !run->spawned && run->hypervisor != NULL &&
	       !domain_is_removed(run->domain) &&
	       is_up(hypervisor_state(run->hypervisor, domain_uuid(run->domain)));
}

/* After its volumes: the world is told, then whoever waits; a disposable is gone before they are. */
static void
run_end(struct run *run)
{
	struct lifecycle *lifecycle = run->lifecycle;
	g_autoptr(GPtrArray) restarts = g_ptr_array_ref(run->restart_waiters);
	struct domain *domain = run->domain;
	bool is_found = has_run_all_the_time(run);

	g_hash_table_steal(lifecycle->runs, domain_uuid(domain));
	if (run->kind_noted)
		run_kind_remove(domain_uuid(domain));
	if (run->spawned)
		fire_stop_events(run);
	if (run->failed)
		event_fire(lifecycle->app, domain, "domain-start-failed", "reason",
		    run->error.message, NULL);
	if (is_found)
		on_foreign_start(lifecycle, domain, run->hypervisor);
	else
		remove_disposable(lifecycle, domain);
	run_waiters_tell(run->start_waiters, run->failed ? &run->error : NULL);
	run_waiters_tell(run->shutdown_waiters, NULL);
	run_waiters_tell(run->stop_waiters, NULL);
	start_again(lifecycle, domain, restarts);
	run_free(run);
}

/* What could not be put in order is in the log, and stays on the disk: the qube is halted. */
static void
on_storage_stopped(const struct admin_error *error, void *data)
{
	struct run *run = data;

	if (error != NULL)
		log_error("%s: its storage could not be stopped: %s", domain_name(run->domain),
		    error->message);
	run_end(run);
}

void
run_storage_settled(struct run *run)
{
	if (run->phase != RUN_STOPPING)
		return;
	if (run->storage == STORAGE_STARTED)
		domain_storage_stop(run->domain, on_storage_stopped, run);
	else
		run_end(run);
}

/*
 * Exactly once per run, whoever ended it. First everything that says "it runs" goes, then its volumes
 * are stopped; run_end() does the rest.
 */
void
run_halted(struct run *run)
{
	const char *name = domain_name(run->domain);

	if (run->phase == RUN_STOPPING)
		return;
	run->failed = run->phase != RUN_RUNNING;
	if (run->phase == RUN_STARTING) {
		admin_error_set(&run->error, "QubesVMError",
		    "%s ended during its start: see log/guest-%s.log in the runtime folder", name,
		    name);
		if (run->hypervisor != NULL && !run->shutting_down)
			hypervisor_distrust(run->hypervisor, domain_uuid(run->domain));
	}
	run->phase = RUN_STOPPING;
	g_clear_handle_id(&run->shutdown_timer, g_source_remove);
	g_clear_handle_id(&run->kill_timer, g_source_remove);
	qrexec_child_end(g_steal_pointer(&run->qrexec));
	run_remove_transport(run);
	if (run->spawned) {
		domain_set_start_time(run->domain, 0); /* before the event: handlers ask */
		event_fire(run->lifecycle->app, run->domain, "domain-stopped", NULL);
	}
	if (run->storage != STORAGE_STARTING)
		run_storage_settled(run);
}

/* --- what the hypervisors tell -------------------------------------------------------------- */

static void adopt(struct lifecycle *lifecycle, struct domain *domain, struct hypervisor *found);

static void
on_paused(struct run *run, bool paused)
{
	if (run->paused == paused)
		return;
	run->paused = paused;
	if (paused && !run->pause_asked)
		log_warn(
		    "%s was paused, and not by us: QEMU does so when a disk cannot be written; is "
		    "the file system of its pool full? qvm-unpause lets it go on",
		    domain_name(run->domain));
	run->pause_asked = false;
	event_fire(
	    run->lifecycle->app, run->domain, paused ? "domain-paused" : "domain-unpaused", NULL);
}

/* Started by somebody else, or by a daemon before us: from here on it is a run like others. */
static void
on_foreign_start(struct lifecycle *lifecycle, struct domain *domain, struct hypervisor *hypervisor)
{
	struct qubes_app *app = lifecycle->app;

	log_info("%s runs, and was not started now: it is adopted", domain_name(domain));
	adopt(lifecycle, domain, hypervisor);
	event_fire(app, domain, "property-reset:xid", "name", "xid", NULL);
	event_fire(app, domain, "property-reset:start_time", "name", "start_time", NULL);
	event_fire(app, domain, "domain-start", "start_guid", "", NULL);
}

static void
on_hypervisor_event(
    struct hypervisor *hypervisor, const char *uuid, enum hypervisor_state state, void *data)
{
	struct lifecycle *lifecycle = data;
	struct domain *domain = qubes_app_find_uuid(lifecycle->app, uuid);
	struct run *run = g_hash_table_lookup(lifecycle->runs, uuid);

	if (run == NULL && domain != NULL && is_up(state)) {
		on_foreign_start(lifecycle, domain, hypervisor);
		return;
	}
	if (run == NULL || run->hypervisor != hypervisor || run->phase == RUN_STOPPING)
		return;
	switch (state) {
	case HYPERVISOR_HALTED:
	case HYPERVISOR_CRASHED:
		if (run->spawned) /* before that the start itself reports it */
			run_halted(run);
		break;
	case HYPERVISOR_PAUSED:
		on_paused(run, true);
		break;
	case HYPERVISOR_RUNNING:
		on_paused(run, false);
		break;
	case HYPERVISOR_SUSPENDED:
	case HYPERVISOR_HALTING:
	case HYPERVISOR_DYING:
		break;
	}
}

/* --- hypervisors ---------------------------------------------------------------------------- */

static struct hypervisor *
hypervisor_of_kind(struct lifecycle *lifecycle, const char *kind, char **ret_error)
{
	struct hypervisor *hypervisor = g_hash_table_lookup(lifecycle->hypervisors, kind);

	if (hypervisor != NULL)
		return hypervisor;
	if (hypervisor_new(kind, on_hypervisor_event, lifecycle, &hypervisor, ret_error) < 0)
		return NULL;
	g_hash_table_insert(
	    lifecycle->hypervisors, (gpointer)hypervisor_kind(hypervisor), hypervisor);
	return hypervisor;
}

/* What its next start would be with. */
static const char *
wanted_kind(const struct lifecycle *lifecycle, const struct domain *domain)
{
	const char *feature = domain_feature(domain, FEATURE_TEMPLATE, "hypervisor");

	return feature != NULL && feature[0] != '\0' ? feature : lifecycle->default_kind;
}

/* What it runs under, else what it would. */
static const char *
kind_of(const struct lifecycle *lifecycle, const struct domain *domain)
{
	const struct run *run = run_find(lifecycle, domain);

	return run != NULL && run->hypervisor != NULL ? hypervisor_kind(run->hypervisor)
						      : wanted_kind(lifecycle, domain);
}

struct hypervisor *
lifecycle_hypervisor(
    struct lifecycle *lifecycle, const struct domain *domain, struct admin_error *error)
{
	g_autofree char *reason = NULL;
	const char *kind = wanted_kind(lifecycle, domain);
	struct hypervisor *hypervisor;

	/* Checked where it is set, too; but a store may come from elsewhere. */
	if (strcmp(kind, lifecycle->default_kind) != 0 && !grammar_is_hypervisor(kind)) {
		admin_error_set(error, "QubesException",
		    "%s: its feature hypervisor says nothing that a qube may choose",
		    domain_name(domain));
		return NULL;
	}
	hypervisor = hypervisor_of_kind(lifecycle, kind, &reason);
	if (hypervisor == NULL)
		admin_error_set(error, "QubesException", "%s", reason);
	return hypervisor;
}

bool
lifecycle_runs_elsewhere(
    struct lifecycle *lifecycle, const struct domain *domain, struct admin_error *error)
{
	g_autofree char *noted = run_kind_read(domain_uuid(domain));
	g_autofree char *reason = NULL;
	struct hypervisor *hypervisor;

	if (noted == NULL || strcmp(noted, wanted_kind(lifecycle, domain)) == 0)
		return false; /* this one says so itself */
	hypervisor = hypervisor_of_kind(lifecycle, noted, &reason);
	if (hypervisor != NULL &&
	    !hypervisor_adopt(hypervisor, domain_uuid(domain), domain_name(domain)))
		return false;
	admin_error_set(error, "QubesException", "%s %s under %s%s%s", domain_name(domain),
	    hypervisor != NULL ? "runs" : "may run", noted, hypervisor != NULL ? "" : ": ",
	    hypervisor != NULL ? "" : reason);
	return true;
}

bool
run_note_kind(struct run *run)
{
	int r = run_kind_write(domain_uuid(run->domain), hypervisor_kind(run->hypervisor));

	if (r < 0)
		log_error("%s: what it runs under cannot be noted in the runtime folder: %s",
		    domain_name(run->domain), g_strerror(-r));
	run->kind_noted = r == 0;
	return run->kind_noted;
}

static void
on_hypervisor_free(gpointer data)
{
	hypervisor_free(data);
}

static void
on_run_free(gpointer data)
{
	run_free(data);
}

int
lifecycle_new(
    struct qubes_app *app, const char *default_kind, struct lifecycle **ret, char **ret_error)
{
	struct lifecycle *lifecycle = g_new0(struct lifecycle, 1);

	lifecycle->app = app;
	lifecycle->default_kind = g_strdup(default_kind);
	lifecycle->hypervisors =
	    g_hash_table_new_full(g_str_hash, g_str_equal, NULL, on_hypervisor_free);
	lifecycle->runs = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, on_run_free);
	lifecycle->gui_access = gui_access_new();
	event_add_handler(app, EVENT_ORDER_LIFECYCLE, lifecycle_on_property, lifecycle);
	lifecycle_gui_follow(lifecycle);
	if (hypervisor_of_kind(lifecycle, default_kind, ret_error) == NULL) {
		lifecycle_free(lifecycle);
		return -ENOTSUP;
	}
	*ret = lifecycle;
	return 0;
}

void
lifecycle_free(struct lifecycle *lifecycle)
{
	if (lifecycle == NULL)
		return;
	event_remove_handlers(lifecycle->app, EVENT_ORDER_LIFECYCLE, lifecycle);
	gui_access_free(lifecycle->gui_access);
	g_hash_table_unref(lifecycle->runs);
	g_hash_table_unref(lifecycle->hypervisors);
	g_free(lifecycle->default_kind);
	g_free(lifecycle);
}

/* --- after a restart ------------------------------------------------------------------------ */

static void
adopt(struct lifecycle *lifecycle, struct domain *domain, struct hypervisor *found)
{
	struct run *run = run_new(lifecycle, domain);

	run->hypervisor = found;
	(void)run_note_kind(run);
	run->phase = RUN_RUNNING;
	run->storage = domain_storage_wanted(domain) ? STORAGE_STARTED : STORAGE_NONE;
	run->spawned = true;
	run->paused = hypervisor_state(found, domain_uuid(domain)) == HYPERVISOR_PAUSED;
	domain_set_start_time(domain, hypervisor_started_us(found, domain_uuid(domain)));
	run_write_transport(run);
	run_qrexec_adopt(run);
}

bool
lifecycle_has_machine(const struct domain *domain)
{
	return !domain_is_dom0(domain) && domain_class(domain) != DOMAIN_REMOTE &&
	       !domain_is_broken(domain);
}

static bool
gives_disks(const char *kind)
{
	return strchr(kind, ':') != NULL; /* a libvirt URI: sandboxes have folders */
}

/* It may have been running when the last daemon, or the machine, went down. */
static void
on_found_halted(struct lifecycle *lifecycle, struct domain *domain, const char *kind)
{
	if (gives_disks(kind))
		domain_storage_recover(domain);
	run_kind_remove(domain_uuid(domain));
	remove_disposable(lifecycle, domain);
}

/* Adds the kind to those that are missing when it is. */
static void
adopt_or_tidy_up(struct lifecycle *lifecycle, struct domain *domain, GHashTable *missing)
{
	g_autofree char *noted = run_kind_read(domain_uuid(domain));
	g_autofree char *kind = g_strdup(noted != NULL ? noted : wanted_kind(lifecycle, domain));
	g_autofree char *reason = NULL;
	struct admin_error error = {0};
	struct hypervisor *hypervisor;

	if (g_hash_table_contains(missing, kind))
		return;
	hypervisor = noted != NULL ? hypervisor_of_kind(lifecycle, noted, &reason)
				   : lifecycle_hypervisor(lifecycle, domain, &error);
	if (hypervisor == NULL) {
		log_warn("%s, and others of its kind: %s", domain_name(domain),
		    reason != NULL ? reason : error.message);
		g_hash_table_add(missing, g_steal_pointer(&kind));
	} else if (hypervisor_adopt(hypervisor, domain_uuid(domain), domain_name(domain))) {
		adopt(lifecycle, domain, hypervisor);
	} else {
		on_found_halted(lifecycle, domain, kind);
	}
	admin_error_clear(&error);
}

void
lifecycle_adopt_all(struct lifecycle *lifecycle)
{
	g_autoptr(GPtrArray) domains = qubes_app_snapshot(lifecycle->app);
	/* Kinds that are not there: asked once, not for each qube; theirs may run, so nothing is tidied up. */
	g_autoptr(GHashTable) missing =
	    g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (guint i = 0; i < domains->len; i++) {
		struct domain *domain = domains->pdata[i];

		if (lifecycle_has_machine(domain) && run_find(lifecycle, domain) == NULL)
			adopt_or_tidy_up(lifecycle, domain, missing);
	}
	if (g_hash_table_size(missing) == 0)
		lifecycle_remove_stale_transports(lifecycle);
	lifecycle_tell_gui_domains(lifecycle);
}

/* --- questions ------------------------------------------------------------------------------ */

const char *
lifecycle_power_state(const struct lifecycle *lifecycle, const struct domain *domain)
{
	static const char *const names[] = {
	    [HYPERVISOR_HALTED] = "Halted",
	    [HYPERVISOR_RUNNING] = "Running",
	    [HYPERVISOR_PAUSED] = "Paused",
	    [HYPERVISOR_SUSPENDED] = "Suspended",
	    [HYPERVISOR_HALTING] = "Halting",
	    [HYPERVISOR_DYING] = "Dying",
	    [HYPERVISOR_CRASHED] = "Crashed",
	};
	const struct run *run = run_find(lifecycle, domain);
	enum hypervisor_state state;

	if (domain_is_broken(domain))
		return "NA";
	if (run == NULL || !run->spawned)
		return "Halted";
	if (run->phase == RUN_STOPPING)
		return "Dying";
	state = hypervisor_state(run->hypervisor, domain_uuid(domain));
	if (state == HYPERVISOR_RUNNING && !run->connected)
		return "Transient";
	return names[state];
}

bool
lifecycle_is_active(const struct lifecycle *lifecycle, const struct domain *domain)
{
	return run_find(lifecycle, domain) != NULL;
}

long
lifecycle_xid(const struct lifecycle *lifecycle, const struct domain *domain)
{
	const struct run *run = run_find(lifecycle, domain);

	if (run == NULL || !run->spawned || run->phase == RUN_STOPPING)
		return -1;
	return (long)hypervisor_xid(run->hypervisor, domain_uuid(domain));
}

bool
lifecycle_has_disks(const struct lifecycle *lifecycle, const struct domain *domain)
{
	return lifecycle_has_machine(domain) && gives_disks(kind_of(lifecycle, domain));
}

void
lifecycle_usage(
    const struct lifecycle *lifecycle, const struct domain *domain, struct hypervisor_usage *ret)
{
	const struct run *run = run_find(lifecycle, domain);

	memset(ret, 0, sizeof(*ret));
	if (run != NULL && run->spawned)
		hypervisor_usage(run->hypervisor, domain_uuid(domain), ret);
}
