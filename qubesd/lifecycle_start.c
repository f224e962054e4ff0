/*
 * The start of a qube: a table of steps, walked until one waits. Each step that fails leaves its
 * reason, and run_fail() undoes what was done. Order of steps and events: docs/lifecycle.md, "Start".
 */
#include "qubesd/boot.h"
#include "qubesd/domain_ids.h"
#include "qubesd/lifecycle_run.h"
#include "shared/guest_conf.h"
#include "shared/log.h"

#include <inttypes.h>
#include <string.h>

#define SERVICES_MAX 1000 /* bytes of all their names; guest_conf.h */

enum step_result {
	STEP_DONE,
	STEP_WAITS, /* somebody calls run_continue() or run_fail() later */
	STEP_FAILED,
};

/* --- the steps ------------------------------------------------------------------------------ */

static enum step_result
step_check_prohibited(struct run *run)
{
	const char *reason = domain_feature(run->domain, FEATURE_OWN, "prohibit-start");

	if (reason == NULL || reason[0] == '\0')
		return STEP_DONE;
	admin_error_set(&run->error, "QubesException",
	    "%s must not be started, because its feature prohibit-start says: %s",
	    domain_name(run->domain), reason);
	return STEP_FAILED;
}

static enum step_result
step_choose_hypervisor(struct run *run)
{
	if (lifecycle_runs_elsewhere(run->lifecycle, run->domain, &run->error))
		return STEP_FAILED;
	run->hypervisor = lifecycle_hypervisor(run->lifecycle, run->domain, &run->error);
	return run->hypervisor != NULL ? STEP_DONE : STEP_FAILED;
}

static enum step_result
step_pre_start(struct run *run)
{
	bool ok = event_ask(run->lifecycle->app, run->domain, &run->error, "domain-pre-start",
	    "start_guid", run->start_guid, "mem_required", "0", NULL);

	return ok ? STEP_DONE : STEP_FAILED;
}

static enum step_result
step_verify_files(struct run *run)
{
	bool ok =
	    event_ask(run->lifecycle->app, run->domain, &run->error, "domain-verify-files", NULL);

	return ok ? STEP_DONE : STEP_FAILED;
}

/* Whoever waited for its storage goes on, or fails, or was ended meanwhile. */
static void
go_on_after_storage(struct run *run, const struct admin_error *error)
{
	if (run->phase != RUN_STARTING)
		run_storage_settled(run);
	else if (error != NULL)
		run_fail(run, error->name, error->message);
	else
		run_continue(run);
}

/* The next two take no time for a qube that has no disks. */
static void
on_storage_verified(const struct admin_error *error, void *data)
{
	struct run *run = data;

	run->storage = STORAGE_NONE;
	go_on_after_storage(run, error);
}

static enum step_result
step_storage_verify(struct run *run)
{
	if (!domain_storage_wanted(run->domain))
		return STEP_DONE;
	run->storage = STORAGE_STARTING;
	domain_storage_verify(run->domain, on_storage_verified, run);
	return STEP_WAITS;
}

static void
on_storage_started(struct domain_disks *disks, const struct admin_error *error, void *data)
{
	struct run *run = data;

	run->storage = disks != NULL ? STORAGE_STARTED : STORAGE_NONE;
	run->disks = disks;
	go_on_after_storage(run, error);
}

static enum step_result
step_storage_start(struct run *run)
{
	if (!domain_storage_wanted(run->domain))
		return STEP_DONE;
	run->storage = STORAGE_STARTING;
	domain_storage_start(run->domain, on_storage_started, run);
	return STEP_WAITS;
}

static enum step_result
step_pre_spawn(struct run *run)
{
	event_fire(run->lifecycle->app, run->domain, "domain-pre-spawn", "start_guid",
	    run->start_guid, NULL);
	return STEP_DONE;
}

static void
on_spawned(const char *error, int64_t xid, void *data)
{
	struct run *run = data;

	(void)xid;
	if (error != NULL) {
		run_fail(run, "QubesException", error);
		return;
	}
	/* Its end has been told already, or never will be. */
	if (hypervisor_state(run->hypervisor, domain_uuid(run->domain)) == HYPERVISOR_HALTED) {
		run_fail(run, "QubesVMError", "It ended as soon as it was started");
		return;
	}
	run->spawned = true;
	if (run->shutting_down)
		run_kill(run); /* that came too early */
	run_continue(run);
}

static void
add_service(const char *name, const char *value, void *data)
{
	GString *services = data;
	const char *service = name + strlen("service.");

	if (!g_str_has_prefix(name, "service.") || value[0] == '\0')
		return;
	if (!guest_conf_is_service(service) || services->len + strlen(service) > SERVICES_MAX)
		log_warn(
		    "service %s cannot be told to the qube: no such name, or too many", service);
	else
		g_string_append_printf(services, "%s%s", services->len > 0 ? " " : "", service);
}

/* The services that are switched on for the qube (features service.NAME), a blank between them. */
static char *
services_of(const struct domain *domain)
{
	GString *services = g_string_new(NULL);

	domain_each_feature(domain, add_service, services);
	return g_string_free(services, FALSE);
}

/* The end of the template chain: whose system the qube runs; NULL: its own. */
static const struct domain *
system_of(const struct domain *domain)
{
	const struct domain *template = domain_template(domain);

	while (template != NULL && domain_template(template) != NULL)
		template = domain_template(template);
	return template;
}

/* A disposable's template may say that each is to boot (feature saved-state). */
static bool
may_restore(const struct domain *domain)
{
	const char *feature = domain_feature(domain, FEATURE_TEMPLATE, "saved-state");

	return feature == NULL || feature[0] != '\0';
}

static uint32_t
positive(int64_t number)
{
	return number > 0 && number <= G_MAXINT32 ? (uint32_t)number : 0;
}

static bool
is_xid_taken(uint32_t xid, void *data)
{
	GHashTableIter iter;
	gpointer hypervisor;

	g_hash_table_iter_init(&iter, data);
	while (g_hash_table_iter_next(&iter, NULL, &hypervisor))
		if (hypervisor_has_xid(hypervisor, xid))
			return true;
	return false;
}

static bool
has_xen(GHashTable *hypervisors)
{
	GHashTableIter iter;
	gpointer kind;

	g_hash_table_iter_init(&iter, hypervisors);
	while (g_hash_table_iter_next(&iter, &kind, NULL))
		if (g_str_has_prefix(kind, "xen"))
			return true;
	return false;
}

static enum step_result
step_number(struct run *run)
{
	GHashTable *hypervisors = run->lifecycle->hypervisors;
	int r = domain_ids_next(has_xen(hypervisors), is_xid_taken, hypervisors, &run->offered_xid);

	if (r == 0)
		return STEP_DONE;
	admin_error_set(&run->error, "QubesException",
	    "%s gets no domain id: the file last-xid in the runtime folder: %s",
	    domain_name(run->domain), g_strerror(-r));
	return STEP_FAILED;
}

static enum step_result
step_choose_kernel(struct run *run)
{
	if (boot_of(run->domain, hypervisor_kind(run->hypervisor), &run->boot, &run->error))
		return STEP_DONE;
	return STEP_FAILED;
}

/* Before there is anything that a later daemon would have to find. */
static enum step_result
step_note_kind(struct run *run)
{
	if (run_note_kind(run))
		return STEP_DONE;
	admin_error_set(&run->error, "QubesException",
	    "%s cannot start: the runtime folder cannot be written", domain_name(run->domain));
	return STEP_FAILED;
}

static enum step_result
step_spawn(struct run *run)
{
	const struct domain *domain = run->domain;
	const struct domain *system = system_of(domain);
	bool is_disposable = domain_class(domain) == DOMAIN_DISP;
	g_autofree char *virt_mode = domain_string(domain, PROPERTY_VIRT_MODE);
	g_autofree char *mac = domain_string(domain, PROPERTY_MAC);
	g_autofree char *ip = domain_string(domain, PROPERTY_IP);
	g_autofree char *ip6 = domain_string(domain, PROPERTY_IP6);
	const struct domain *netvm = domain_netvm(domain);
	g_autofree char *user = domain_string(domain, PROPERTY_DEFAULT_USER);
	g_autofree char *layout = domain_string(domain, PROPERTY_KEYBOARD_LAYOUT);
	g_autofree char *services = services_of(domain);
	g_autofree char *private_dir = domain_private_dir(domain);
	g_autofree char *source =
	    is_disposable && system != NULL ? domain_private_dir(domain_template(domain)) : NULL;
	struct hypervisor_qube qube = {
	    .name = domain_name(domain),
	    .uuid = domain_uuid(domain),
	    .klass = domain_klass(domain),
	    .qid = domain_qid(domain),
	    .xid = run->offered_xid,
	    .virt_mode = virt_mode,
	    .memory_mib = positive(domain_int(domain, PROPERTY_MEMORY)),
	    .maxmem_mib = positive(domain_int(domain, PROPERTY_MAXMEM)),
	    .vcpus = positive(domain_int(domain, PROPERTY_VCPUS)),
	    .kernel = run->boot.kernel,
	    .initrd = run->boot.initrd,
	    .cmdline = run->boot.cmdline,
	    .mac = mac,
	    .ip = ip,
	    .ip6 = ip6,
	    .netvm = netvm != NULL ? domain_name(netvm) : "",
	    .has_netvm = netvm != NULL,
	    .debug = domain_bool(domain, PROPERTY_DEBUG),
	    .default_user = user,
	    .keyboard_layout = layout,
	    .gui_domain = run_gui_for_guest(domain),
	    .services = services,
	    .template_name = system != NULL ? domain_name(system) : "",
	    .private_dir = private_dir,
	    .private_source = source,
	    .private_keep = !is_disposable,
	    .may_restore = may_restore(domain),
	};

	if (run->disks != NULL) {
		qube.volumes = run->disks->volumes;
		qube.volume_count = run->disks->count;
	}

	run_gui_told(run, qube.gui_domain);
	hypervisor_start(run->hypervisor, &qube, on_spawned, run);
	return STEP_WAITS;
}

/* Before anybody hears of it: who does may ask at once. */
static enum step_result
step_announce(struct run *run)
{
	run_write_transport(run);
	return run_tell_gui_domains(run) ? STEP_WAITS : STEP_DONE;
}

static enum step_result
step_spawned(struct run *run)
{
	struct qubes_app *app = run->lifecycle->app;
	struct domain *domain = run->domain;

	domain_set_start_time(domain, g_get_real_time());
	event_fire(app, domain, "property-reset:xid", "name", "xid", NULL);
	event_fire(app, domain, "property-reset:stubdom_xid", "name", "stubdom_xid", NULL);
	event_fire(app, domain, "property-reset:start_time", "name", "start_time", NULL);
	event_fire(app, domain, "domain-spawn", "start_guid", run->start_guid, NULL);
	event_fire(app, domain, "domain-qdb-create", NULL);
	event_fire(app, domain, "domain-pre-unpaused", NULL);
	event_fire(app, domain, "domain-unpaused", NULL);
	return STEP_DONE;
}

/* Does its start wait for the agent? The feature says; a sandbox has one unless it says no. */
static bool
waits_for_agent(const struct run *run)
{
	const char *feature = domain_feature(run->domain, FEATURE_TEMPLATE, "qrexec");

	if (feature == NULL)
		return hypervisor_has_vchan(run->hypervisor);
	return feature[0] != '\0' && hypervisor_has_vchan(run->hypervisor);
}

static void
on_agent(const char *error, void *data)
{
	struct run *run = data;

	if (error != NULL) {
		run_fail(run, "QubesVMError", error);
		return;
	}
	run->connected = true;
	run_continue(run);
}

static void
qrexec_start(struct run *run, bool adopt)
{
	bool waits = !adopt && waits_for_agent(run);
	g_autofree char *user = domain_string(run->domain, PROPERTY_DEFAULT_USER);
	struct qrexec_child_spec spec = {
	    .uuid = domain_uuid(run->domain),
	    .name = domain_name(run->domain),
	    .user = user,
	    .vchan = hypervisor_vchan(run->hypervisor),
	    .xid = hypervisor_xid(run->hypervisor, domain_uuid(run->domain)),
	    .timeout_s = waits ? MAX(1, domain_int(run->domain, PROPERTY_QREXEC_TIMEOUT)) : 0,
	};

	run->connected = !waits;
	if (!hypervisor_has_vchan(run->hypervisor))
		return;
	run->qrexec = adopt ? qrexec_child_adopt(&spec) : qrexec_child_new(&spec, on_agent, run);
}

void
run_qrexec_start(struct run *run)
{
	qrexec_start(run, false);
}

void
run_qrexec_adopt(struct run *run)
{
	qrexec_start(run, true);
}

static enum step_result
step_qrexec(struct run *run)
{
	run_qrexec_start(run);
	return run->connected ? STEP_DONE : STEP_WAITS;
}

static enum step_result
step_started(struct run *run)
{
	run->phase = RUN_RUNNING;
	event_fire(
	    run->lifecycle->app, run->domain, "domain-start", "start_guid", run->start_guid, NULL);
	return STEP_DONE;
}

/* Required devices, the netvm and memory come between verify_files and pre_spawn. */
static enum step_result (*const steps[])(struct run *) = {
    step_check_prohibited,
    step_choose_hypervisor,
    step_choose_kernel,
    step_pre_start,
    step_storage_verify,
    step_verify_files,
    step_storage_start,
    step_pre_spawn,
    step_number,
    step_note_kind,
    step_spawn,
    step_announce,
    step_spawned,
    step_qrexec,
    step_started,
};

/* --- walking them --------------------------------------------------------------------------- */

void
run_continue(struct run *run)
{
	while (run->phase == RUN_STARTING && run->step < G_N_ELEMENTS(steps)) {
		enum step_result result;

		if (run->shutting_down && !run->spawned) { /* killed: there is nothing to end */
			run_halted(run);
			return;
		}
		result = steps[run->step++](run);

		if (result == STEP_WAITS)
			return;
		if (result == STEP_FAILED) {
			run_fail(run, NULL, NULL);
			return;
		}
	}
	if (run->phase == RUN_RUNNING)
		run_waiters_tell(run->start_waiters, NULL);
}

/* class NULL: the step has filled run->error. */
void
run_fail(struct run *run, const char *class, const char *message)
{
	if (run->phase != RUN_STARTING)
		return;
	run->phase = RUN_FAILING;
	if (class != NULL)
		admin_error_set(&run->error, class, "%s", message);
	qrexec_child_end(g_steal_pointer(&run->qrexec));
	log_warn("%s: start failed: %s", domain_name(run->domain), run->error.message);
	if (run->hypervisor != NULL)
		hypervisor_distrust(run->hypervisor, domain_uuid(run->domain));
	if (!run->spawned) {
		run_halted(run);
		return;
	}
	run_kill_failed(run); /* run_halted() comes as an event */
}
