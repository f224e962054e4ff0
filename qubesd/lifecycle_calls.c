/*
 * What clients of the Admin API ask of a qube: checks first, each with the class of error that
 * docs/lifecycle.md names, then one call of the hypervisor, and the answer when it is time.
 */
#include "qubesd/lifecycle_run.h"

#include <string.h>

struct answer {
	lifecycle_done done;
	void *data;
	struct admin_error error; /* name NULL: success */
};

static gboolean
on_answer(gpointer data)
{
	struct answer *answer = data;

	answer->done(answer->error.name != NULL ? &answer->error : NULL, answer->data);
	admin_error_clear(&answer->error);
	g_free(answer);
	return G_SOURCE_REMOVE;
}

/* In the next turn of the loop; error is taken over. */
static void
answer_later(lifecycle_done done, void *data, struct admin_error error)
{
	struct answer *answer = g_new0(struct answer, 1);

	answer->done = done;
	answer->data = data;
	answer->error = error;
	g_idle_add(on_answer, answer);
}

/* The message is the qube's name and what. */
static void
refuse(const struct domain *domain, lifecycle_done done, void *data, const char *class,
    const char *what)
{
	struct admin_error error = {0};

	error.name = class;
	error.message = g_strdup_printf("%s %s", domain_name(domain), what);
	answer_later(done, data, error);
}

/* dom0, qubes elsewhere, and entries that cannot be used have no machine. */
static bool
check_machine(
    const struct domain *domain, lifecycle_done done, void *data, const char *class_for_dom0)
{
	if (lifecycle_has_machine(domain))
		return true;
	if (domain_is_broken(domain))
		refuse(domain, done, data, "QubesVMError",
		    "cannot be used: its entry in the store is broken");
	else
		refuse(domain, done, data, class_for_dom0,
		    "is no qube that this machine can start or stop");
	return false;
}

static gboolean
on_begin(gpointer data)
{
	struct run *run = data;

	run_continue(run);
	return G_SOURCE_REMOVE;
}

void
lifecycle_start(struct lifecycle *lifecycle, struct domain *domain, lifecycle_done done, void *data)
{
	struct admin_error none = {0};
	struct run *run;

	if (!check_machine(domain, done, data, "QubesVMNotHaltedError"))
		return;
	run = run_find(lifecycle, domain);
	if (run == NULL) {
		run = run_new(lifecycle, domain);
		run_waiter_add(run->start_waiters, done, data);
		g_idle_add(on_begin, run);
	} else if (run->phase == RUN_STARTING) {
		run_waiter_add(run->start_waiters, done, data);
	} else if (run->phase != RUN_RUNNING || run->shutting_down) {
		run_waiter_add(run->restart_waiters, done, data);
	} else {
		answer_later(done, data, none);
	}
}

/* A running qube that needs this one for something. */
static const struct domain *
user_of(const struct lifecycle *lifecycle, const struct domain *domain, enum property_id id)
{
	const GPtrArray *domains = qubes_app_domains(lifecycle->app);

	for (guint i = 0; i < domains->len; i++) {
		const struct domain *user = domains->pdata[i];

		if (user != domain && !domain_is_dom0(user) &&
		    lifecycle_is_active(lifecycle, user) && domain_reference(user, id) == domain)
			return user;
	}
	return NULL;
}

static bool
check_unused(
    const struct lifecycle *lifecycle, const struct domain *domain, struct admin_error *error)
{
	static const struct {
		enum property_id id;
		const char *class, *what;
	} uses[] = {
	    {PROPERTY_NETVM, "QubesVMInUseError", "network"},
	    {PROPERTY_AUDIOVM, "QubesVMInUseError", "audio"},
	    {PROPERTY_GUIVM, "QubesVMError", "GUI"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(uses); i++) {
		const struct domain *user = user_of(lifecycle, domain, uses[i].id);

		if (user != NULL)
			return admin_error_set(error, uses[i].class,
			    "%s is the %s qube of %s, which runs", domain_name(domain),
			    uses[i].what, domain_name(user));
	}
	return true;
}

/* The hypervisor's answer to a call that needs no more than that. */
struct request {
	lifecycle_done done;
	void *data;
};

static void
on_request_done(const char *message, int64_t xid, void *data)
{
	struct request *request = data;
	struct admin_error error = {0};

	(void)xid;
	if (message != NULL)
		admin_error_set(&error, "QubesException", "%s", message);
	request->done(message != NULL ? &error : NULL, request->data);
	admin_error_clear(&error);
	g_free(request);
}

static struct request *
request_new(lifecycle_done done, void *data)
{
	struct request *request = g_new0(struct request, 1);

	request->done = done;
	request->data = data;
	return request;
}

/* It may have decided not to follow: whoever waited for the end, or to start it again, is told. */
static gboolean
on_shutdown_timeout(gpointer data)
{
	struct run *run = data;
	struct admin_error error = {0};

	run->shutdown_timer = 0;
	admin_error_set(&error, "QubesVMShutdownTimeoutError", "%s did not shut down in time",
	    domain_name(run->domain));
	run_waiters_tell(run->shutdown_waiters, &error);
	run_goes_on(run);
	admin_error_clear(&error);
	return G_SOURCE_REMOVE;
}

static void
begin_shutdown(struct run *run)
{
	int64_t timeout_s = domain_int(run->domain, PROPERTY_SHUTDOWN_TIMEOUT);

	run->shutting_down = true;
	g_clear_handle_id(&run->shutdown_timer, g_source_remove);
	run->shutdown_timer =
	    g_timeout_add_seconds((guint)MAX(timeout_s, 1), on_shutdown_timeout, run);
}

/* A shutdown that is under way, by name: its run may be over when the answer comes. */
struct asking {
	struct lifecycle *lifecycle; /* borrowed */
	char *uuid, *start_guid;     /* owned */
	lifecycle_done done;         /* NULL: who asked waits for the end itself */
	void *data;
};

/* The one that is still to end; NULL when it has, or when another one is there. */
static struct run *
run_of(const struct asking *asking)
{
	struct run *run = g_hash_table_lookup(asking->lifecycle->runs, asking->uuid);

	if (run == NULL || run->phase == RUN_STOPPING ||
	    strcmp(run->start_guid, asking->start_guid) != 0 ||
	    hypervisor_state(run->hypervisor, asking->uuid) == HYPERVISOR_HALTED)
		return NULL;
	return run;
}

/* A bad answer may mean that it has ended meanwhile: then whoever waits for that hears of it soon. */
static void
on_shutdown_asked(const char *message, int64_t xid, void *data)
{
	struct asking *asking = data;
	struct run *run = message != NULL ? run_of(asking) : NULL;
	struct admin_error error = {0};

	(void)xid;
	if (message != NULL)
		admin_error_set(&error, "QubesException", "%s", message);
	if (run != NULL) {
		g_clear_handle_id(&run->shutdown_timer, g_source_remove);
		run_waiters_tell(run->shutdown_waiters, &error);
		run_goes_on(run);
	}
	if (asking->done != NULL)
		asking->done(message != NULL ? &error : NULL, asking->data);
	admin_error_clear(&error);
	g_free(asking->uuid);
	g_free(asking->start_guid);
	g_free(asking);
}

static void
ask_to_shut_down(struct run *run, lifecycle_done done, void *data)
{
	struct asking *asking = g_new0(struct asking, 1);

	asking->lifecycle = run->lifecycle;
	asking->uuid = g_strdup(domain_uuid(run->domain));
	asking->start_guid = g_strdup(run->start_guid);
	asking->done = done;
	asking->data = data;
	hypervisor_shutdown(run->hypervisor, asking->uuid, on_shutdown_asked, asking);
}

void
lifecycle_shutdown(struct lifecycle *lifecycle, struct domain *domain, bool force, bool wait,
    lifecycle_done done, void *data)
{
	struct run *run = run_find(lifecycle, domain);
	struct admin_error error = {0};

	if (!check_machine(domain, done, data, "QubesVMError"))
		return;
	if (run == NULL || !run->spawned || run->phase == RUN_STOPPING) {
		refuse(domain, done, data, "QubesVMNotStartedError", "is not running");
		return;
	}
	if (run->paused && !force) {
		refuse(domain, done, data, "QubesVMNotRunningError", "is paused");
		return;
	}
	if ((!force && !check_unused(lifecycle, domain, &error)) ||
	    !event_ask(lifecycle->app, domain, &error, "domain-pre-shutdown", "force",
		force ? "True" : "False", NULL)) {
		event_fire(lifecycle->app, domain, "domain-shutdown-failed", "reason",
		    error.message, NULL);
		answer_later(done, data, error);
		return;
	}
	if (run->paused) { /* it cannot hear */
		lifecycle_kill(lifecycle, domain, done, data);
		return;
	}
	begin_shutdown(run);
	if (wait)
		run_waiter_add(run->shutdown_waiters, done, data);
	ask_to_shut_down(run, wait ? NULL : done, data);
}

void
lifecycle_kill(struct lifecycle *lifecycle, struct domain *domain, lifecycle_done done, void *data)
{
	struct run *run = run_find(lifecycle, domain);

	if (!check_machine(domain, done, data, "QubesVMError"))
		return;
	if (run == NULL || run->hypervisor == NULL) {
		refuse(domain, done, data, "QubesVMNotStartedError", "is not running");
		return;
	}
	run_waiter_add(run->stop_waiters, done, data);
	run_kill(run);
}

void
lifecycle_pause(struct lifecycle *lifecycle, struct domain *domain, lifecycle_done done, void *data)
{
	struct run *run = run_find(lifecycle, domain);

	if (!check_machine(domain, done, data, "QubesVMError"))
		return;
	if (run == NULL || !run->spawned || run->paused || run->phase == RUN_STOPPING) {
		refuse(domain, done, data, "QubesVMNotRunningError", "is not running");
		return;
	}
	event_fire(lifecycle->app, domain, "domain-pre-paused", NULL);
	run->pause_asked = true;
	hypervisor_pause(
	    run->hypervisor, domain_uuid(domain), on_request_done, request_new(done, data));
}

void
lifecycle_unpause(
    struct lifecycle *lifecycle, struct domain *domain, lifecycle_done done, void *data)
{
	struct run *run = run_find(lifecycle, domain);

	if (!check_machine(domain, done, data, "QubesVMError"))
		return;
	if (run == NULL || !run->paused || run->phase == RUN_STOPPING) {
		refuse(domain, done, data, "QubesVMNotPausedError", "is not paused");
		return;
	}
	event_fire(lifecycle->app, domain, "domain-pre-unpaused", NULL);
	hypervisor_unpause(
	    run->hypervisor, domain_uuid(domain), on_request_done, request_new(done, data));
}
