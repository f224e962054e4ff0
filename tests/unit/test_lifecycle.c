/* The lifecycle over a hypervisor that does what the test says, with real domains and events. */
#include "tests/unit/unit.h"

#include "qubesd/gui_access.h"
#include "qubesd/lifecycle.h"
#include "qubesd/qubes_app.h"
#include "tests/unit/hypervisor_double.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct answer {
	unsigned count;
	char *class; /* of the last one; NULL: success */
};

struct fixture {
	char *folder;
	struct qubes_app *app;
	struct lifecycle *lifecycle;
	struct domain *template, *work, *dvm;
	GString *events; /* names, one a line, of everything but properties being set */
	struct answer answer;
};

static struct fixture *f;

static bool
on_event(const struct event *event, struct admin_error *error, void *data)
{
	(void)error;
	(void)data;
	if (g_str_has_prefix(event->name, "domain-") ||
	    g_str_has_prefix(event->name, "property-reset"))
		g_string_append_printf(f->events, "%s\n", event->name);
	return true;
}

static bool
on_event_veto(const struct event *event, struct admin_error *error, void *data)
{
	const char *unwanted = data;

	if (error != NULL && strcmp(event->name, unwanted) == 0)
		return admin_error_set(error, "QubesVMError", "vetoed");
	return true;
}

static void
on_done(const struct admin_error *error, void *data)
{
	struct answer *answer = data;

	answer->count++;
	g_free(answer->class);
	answer->class = error != NULL ? g_strdup(error->name) : NULL;
}

static void
settle(void)
{
	while (g_main_context_iteration(NULL, FALSE))
		;
}

static struct domain *
create(enum domain_class klass, const char *name, struct domain *template)
{
	struct qubes_app_new_domain spec = {.klass = klass,
	    .name = name,
	    .label = qubes_app_label(f->app, "red"),
	    .template = template,
	    .auto_cleanup = klass == DOMAIN_DISP};
	struct admin_error error = {0};
	struct domain *domain = qubes_app_create_domain(f->app, &spec, &error);

	if (domain == NULL)
		fail_msg("%s: %s", name, error.message);
	return domain;
}

static int
set_up(void **state)
{
	g_autofree char *error = NULL;

	(void)state;
	f = g_new0(struct fixture, 1);
	f->folder = g_dir_make_tmp("test_lifecycle-XXXXXX", NULL);
	g_setenv("QUBES_STATE_DIR", f->folder, TRUE);
	g_setenv("QUBES_RUNTIME_DIR", f->folder, TRUE);
	hypervisor_double_reset();
	f->app = qubes_app_new_fresh();
	f->events = g_string_new(NULL);
	if (lifecycle_new(f->app, "double", &f->lifecycle, &error) < 0)
		return -1;
	qubes_app_set_lifecycle(f->app, f->lifecycle);
	f->template = create(DOMAIN_TEMPLATE, "debian", NULL);
	f->work = create(DOMAIN_APP, "work", f->template);
	f->dvm = create(DOMAIN_APP, "dvm", f->template);
	event_add_handler(f->app, EVENT_ORDER_SUBSCRIBERS, on_event, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	g_autofree char *command = g_strdup_printf("rm -rf %s", f->folder);

	(void)state;
	settle();
	lifecycle_free(f->lifecycle);
	qubes_app_set_lifecycle(f->app, NULL);
	qubes_app_free(f->app);
	g_string_free(f->events, TRUE);
	g_free(f->answer.class);
	g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL);
	g_free(f->folder);
	g_free(f);
	return 0;
}

static void
forget(void)
{
	g_string_truncate(f->events, 0);
	g_string_truncate(hypervisor_double.calls, 0);
	f->answer.count = 0;
	g_clear_pointer(&f->answer.class, g_free);
}

static void
assert_answered(unsigned count, const char *class)
{
	assert_int_equal(f->answer.count, count);
	if (class == NULL)
		assert_null(f->answer.class);
	else
		assert_string_equal(f->answer.class != NULL ? f->answer.class : "none", class);
}

static void
assert_power(const struct domain *domain, const char *power_state)
{
	assert_string_equal(lifecycle_power_state(f->lifecycle, domain), power_state);
}

static void
start(struct domain *domain)
{
	lifecycle_start(f->lifecycle, domain, on_done, &f->answer);
	settle();
}

/* Started, with nothing left to look at. */
static void
start_whole(struct domain *domain)
{
	start(domain);
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	settle();
	assert_answered(1, NULL);
	forget();
}

#define START_EVENTS                                                                               \
	"domain-pre-start\ndomain-verify-files\ndomain-pre-spawn\n"                                \
	"property-reset:xid\nproperty-reset:stubdom_xid\nproperty-reset:start_time\n"              \
	"domain-spawn\ndomain-qdb-create\ndomain-pre-unpaused\ndomain-unpaused\ndomain-start\n"
#define STOP_EVENTS                                                                                \
	"domain-stopped\nproperty-reset:xid\nproperty-reset:stubdom_xid\n"                         \
	"property-reset:start_time\ndomain-shutdown\n"

static void
start_fires_its_events_in_order(void **state)
{
	(void)state;
	start(f->work);
	assert_answered(0, NULL);
	assert_power(f->work, "Halted");
	assert_true(lifecycle_is_active(f->lifecycle, f->work));
	assert_string_equal(hypervisor_double.name, "work");
	assert_string_equal(hypervisor_double.template_name, "debian");
	assert_null(hypervisor_double.private_source);
	assert_true(hypervisor_double.private_keep);
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	settle();
	assert_answered(1, NULL);
	assert_string_equal(f->events->str, START_EVENTS);
	assert_power(f->work, "Running");
	assert_int_equal(lifecycle_xid(f->lifecycle, f->work), 7);
}

static void
two_starts_share_one(void **state)
{
	(void)state;
	start(f->work);
	start(f->work);
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	settle();
	assert_answered(2, NULL);
	assert_string_equal(hypervisor_double.calls->str, "start ");
	start(f->work); /* and a third finds it running */
	assert_answered(3, NULL);
	assert_string_equal(hypervisor_double.calls->str, "start ");
}

static void
prohibited_start_says_why_and_asks_no_hypervisor(void **state)
{
	(void)state;
	domain_feature_set(f->work, "prohibit-start", "evidence");
	forget();
	start(f->work);
	assert_answered(1, "QubesException");
	assert_string_equal(hypervisor_double.calls->str, "");
	assert_string_equal(f->events->str, "domain-start-failed\n");
	assert_false(lifecycle_is_active(f->lifecycle, f->work));
}

static void
vetoed_start_fails_with_the_vetos_class(void **state)
{
	(void)state;
	event_add_handler(f->app, EVENT_ORDER_CORE, on_event_veto, (void *)"domain-pre-start");
	start(f->work);
	assert_answered(1, "QubesVMError");
	assert_string_equal(hypervisor_double.calls->str, "");
	assert_power(f->work, "Halted");
}

static void
failed_spawn_leaves_it_halted(void **state)
{
	(void)state;
	start(f->work);
	hypervisor_double_answer("no memory", HYPERVISOR_HALTED);
	settle();
	assert_answered(1, "QubesException");
	assert_string_equal(f->events->str, "domain-pre-start\ndomain-verify-files\n"
					    "domain-pre-spawn\ndomain-start-failed\n");
	assert_false(lifecycle_is_active(f->lifecycle, f->work));
}

static void
hypervisor_of_a_feature_that_is_not_there_fails_the_start(void **state)
{
	(void)state;
	domain_feature_set(f->work, "hypervisor", "xen:///");
	start(f->work);
	assert_answered(1, "QubesException");
}

/* libvirt would run the program to get at its daemon. */
static void
lvt_01_hypervisor_of_a_feature_is_no_uri_of_ones_own(void **state)
{
	static const char *const uris[] = {"qemu+ext:///system?command=/bin/true",
	    "qemu+ssh://host/system", "qemu:///system?socket=/run/x", "qemu:///system ",
	    "test:///etc/passwd", "xen://host/"};

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(uris); i++) {
		domain_feature_set(f->work, "hypervisor", uris[i]);
		start(f->work);
		assert_answered(i + 1, "QubesException");
		assert_string_equal(hypervisor_double.calls->str, "");
	}
	domain_feature_set(f->work, "hypervisor", "sandbox");
	start(f->work);
	assert_string_equal(hypervisor_double.calls->str, "start ");
}

static void
qube_that_has_ended_before_its_start_is_answered_fails_it(void **state)
{
	(void)state;
	start(f->work);
	hypervisor_double_answer(NULL, HYPERVISOR_HALTED);
	settle();
	assert_answered(1, "QubesVMError");
	assert_false(lifecycle_is_active(f->lifecycle, f->work));
	assert_int_equal(hypervisor_double.distrusted, 1);
}

static void
qube_that_has_run_is_not_distrusted(void **state)
{
	(void)state;
	start_whole(f->work);
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	settle();
	assert_int_equal(hypervisor_double.distrusted, 0);
}

static void
stop_is_processed_once_however_often_it_is_told(void **state)
{
	(void)state;
	start_whole(f->work);
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_DYING);
	assert_power(f->work, "Dying");
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	settle();
	assert_string_equal(f->events->str, STOP_EVENTS);
	assert_power(f->work, "Halted");
	assert_int_equal(lifecycle_xid(f->lifecycle, f->work), -1);
}

static void
shutdown_without_wait_is_answered_when_the_guest_was_asked(void **state)
{
	(void)state;
	start_whole(f->work);
	lifecycle_shutdown(f->lifecycle, f->work, false, false, on_done, &f->answer);
	settle();
	assert_answered(0, NULL);
	hypervisor_double_answer(NULL, HYPERVISOR_HALTING);
	assert_answered(1, NULL);
	assert_power(f->work, "Halting");
	assert_string_equal(f->events->str, "domain-pre-shutdown\n");
}

static void
shutdown_with_wait_is_answered_when_the_stop_was_processed(void **state)
{
	(void)state;
	start_whole(f->work);
	lifecycle_shutdown(f->lifecycle, f->work, false, true, on_done, &f->answer);
	hypervisor_double_answer(NULL, HYPERVISOR_HALTING);
	settle();
	assert_answered(0, NULL);
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	assert_answered(1, NULL);
}

static void
set_int(struct domain *domain, enum property_id id, int64_t number)
{
	struct property_owner owner = {f->app, domain};
	struct property_value value = {.number = number};
	struct admin_error error = {0};

	assert_true(property_set(&owner, &property_domain_table[id], &value, &error));
}

static void
shutdown_that_takes_too_long_has_a_class_of_its_own(void **state)
{
	gint64 end = g_get_monotonic_time() + 4 * G_TIME_SPAN_SECOND;

	(void)state;
	set_int(f->work, PROPERTY_SHUTDOWN_TIMEOUT, 1);
	start_whole(f->work);
	lifecycle_shutdown(f->lifecycle, f->work, false, true, on_done, &f->answer);
	hypervisor_double_answer(NULL, HYPERVISOR_HALTING);
	while (f->answer.count == 0 && g_get_monotonic_time() < end)
		g_main_context_iteration(NULL, TRUE);
	assert_answered(1, "QubesVMShutdownTimeoutError");
	assert_true(lifecycle_is_active(f->lifecycle, f->work));
}

static void
shutdown_that_cannot_be_asked_for_is_answered_at_once(void **state)
{
	(void)state;
	start_whole(f->work);
	lifecycle_shutdown(f->lifecycle, f->work, false, true, on_done, &f->answer);
	hypervisor_double_answer("libvirtd is away", HYPERVISOR_RUNNING);
	assert_answered(1, "QubesException");
	assert_true(lifecycle_is_active(f->lifecycle, f->work));
	lifecycle_shutdown(f->lifecycle, f->work, false, false, on_done, &f->answer);
	hypervisor_double_answer("libvirtd is away", HYPERVISOR_RUNNING);
	assert_answered(2, "QubesException");
	start(f->work); /* it runs on: nobody waits for its end */
	assert_answered(3, NULL);
}

/* Its end is told later; until then nothing else may be answered. */
static void
shutdown_of_what_ends_meanwhile_waits_for_that(void **state)
{
	(void)state;
	start_whole(f->work);
	lifecycle_shutdown(f->lifecycle, f->work, false, true, on_done, &f->answer);
	hypervisor_double.state = HYPERVISOR_HALTED;
	hypervisor_double_answer("it does not run", HYPERVISOR_HALTED);
	assert_answered(0, NULL);
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	assert_answered(1, NULL);
}

static void
start_during_a_shutdown_waits_for_its_end(void **state)
{
	(void)state;
	start_whole(f->work);
	lifecycle_shutdown(f->lifecycle, f->work, false, false, on_done, &f->answer);
	hypervisor_double_answer(NULL, HYPERVISOR_HALTING);
	forget();
	start(f->work);
	assert_answered(0, NULL);
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	settle();
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	settle();
	assert_answered(1, NULL);
	assert_string_equal(hypervisor_double.calls->str, "start ");
	assert_string_equal(f->events->str, STOP_EVENTS START_EVENTS);
}

static void
calls_on_a_halted_qube_have_the_right_classes(void **state)
{
	(void)state;
	lifecycle_shutdown(f->lifecycle, f->work, false, false, on_done, &f->answer);
	assert_answered(0, NULL); /* never before the call has returned */
	settle();
	assert_answered(1, "QubesVMNotStartedError");
	lifecycle_kill(f->lifecycle, f->work, on_done, &f->answer);
	settle();
	assert_answered(2, "QubesVMNotStartedError");
	lifecycle_pause(f->lifecycle, f->work, on_done, &f->answer);
	settle();
	assert_answered(3, "QubesVMNotRunningError");
	lifecycle_unpause(f->lifecycle, f->work, on_done, &f->answer);
	settle();
	assert_answered(4, "QubesVMNotPausedError");
}

static void
dom0_is_not_started_or_stopped(void **state)
{
	struct domain *dom0 = qubes_app_dom0(f->app);

	(void)state;
	start(dom0);
	assert_answered(1, "QubesVMNotHaltedError");
	lifecycle_kill(f->lifecycle, dom0, on_done, &f->answer);
	settle();
	assert_answered(2, "QubesVMError");
	lifecycle_shutdown(f->lifecycle, dom0, true, false, on_done, &f->answer);
	settle();
	assert_answered(3, "QubesVMError");
}

static void
pause_and_unpause_fire_their_events(void **state)
{
	(void)state;
	start_whole(f->work);
	lifecycle_pause(f->lifecycle, f->work, on_done, &f->answer);
	hypervisor_double_answer(NULL, HYPERVISOR_PAUSED);
	assert_answered(1, NULL);
	assert_power(f->work, "Paused");
	lifecycle_pause(f->lifecycle, f->work, on_done, &f->answer);
	settle();
	assert_answered(2, "QubesVMNotRunningError");
	lifecycle_shutdown(f->lifecycle, f->work, false, false, on_done, &f->answer);
	settle();
	assert_answered(3, "QubesVMNotRunningError");
	lifecycle_unpause(f->lifecycle, f->work, on_done, &f->answer);
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	assert_answered(4, NULL);
	assert_power(f->work, "Running");
	assert_string_equal(f->events->str,
	    "domain-pre-paused\ndomain-paused\ndomain-pre-unpaused\ndomain-unpaused\n");
}

static void
forced_shutdown_of_a_paused_qube_kills_it(void **state)
{
	(void)state;
	start_whole(f->work);
	lifecycle_pause(f->lifecycle, f->work, on_done, &f->answer);
	hypervisor_double_answer(NULL, HYPERVISOR_PAUSED);
	forget();
	lifecycle_shutdown(f->lifecycle, f->work, true, false, on_done, &f->answer);
	assert_string_equal(hypervisor_double.calls->str, "kill ");
	hypervisor_double_answer(NULL, HYPERVISOR_HALTED);
	assert_answered(1, NULL);
	assert_power(f->work, "Halted");
}

static void
kill_is_answered_when_the_stop_was_processed(void **state)
{
	(void)state;
	start_whole(f->work);
	lifecycle_kill(f->lifecycle, f->work, on_done, &f->answer);
	settle();
	assert_answered(0, NULL);
	hypervisor_double_answer(NULL, HYPERVISOR_HALTED);
	assert_answered(1, NULL);
	assert_string_equal(f->events->str, STOP_EVENTS);
}

static void
kill_of_what_has_gone_without_a_word_still_ends_the_run(void **state)
{
	(void)state;
	start_whole(f->work);
	lifecycle_kill(f->lifecycle, f->work, on_done, &f->answer);
	hypervisor_double.state = HYPERVISOR_HALTED;
	hypervisor_double_answer("no such process", HYPERVISOR_HALTED);
	assert_answered(1, NULL);
	assert_string_equal(f->events->str, STOP_EVENTS);
}

/* Until the hypervisor has said that it runs there is nothing to end, and whoever starts it is needed. */
static void
kill_during_the_spawn_comes_after_it(void **state)
{
	(void)state;
	start(f->work);
	lifecycle_kill(f->lifecycle, f->work, on_done, &f->answer);
	settle();
	assert_string_equal(hypervisor_double.calls->str, "start ");
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	settle();
	assert_string_equal(hypervisor_double.calls->str, "start kill ");
	hypervisor_double_answer(NULL, HYPERVISOR_HALTED);
	settle();
	assert_answered(2, NULL);
	assert_power(f->work, "Halted");
}

static void
kill_that_is_answered_late_leaves_the_next_run_alone(void **state)
{
	hypervisor_done late;
	void *data;

	(void)state;
	start_whole(f->work);
	lifecycle_kill(f->lifecycle, f->work, on_done, &f->answer);
	late = hypervisor_double.done;
	data = hypervisor_double.data;
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	forget();
	start(f->work);
	late("no such process", -1, data);
	settle();
	assert_true(lifecycle_is_active(f->lifecycle, f->work));
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	settle();
	assert_answered(1, NULL);
	assert_power(f->work, "Running");
}

static void
kill_that_fails_keeps_nobody_from_starting_it(void **state)
{
	(void)state;
	start_whole(f->work);
	lifecycle_kill(f->lifecycle, f->work, on_done, &f->answer);
	start(f->work); /* waits for the kill */
	assert_answered(0, NULL);
	hypervisor_double_answer("no", HYPERVISOR_RUNNING);
	settle();
	assert_int_equal(f->answer.count, 2);
	forget();
	start(f->work);
	assert_answered(1, NULL);
	assert_power(f->work, "Running");
}

/* As when libvirtd comes back with the first start: what ran all the time is found during that. */
static void
failed_start_of_a_qube_that_runs_already_adopts_it(void **state)
{
	struct domain *disp;

	(void)state;
	set_int(f->dvm, PROPERTY_TEMPLATE_FOR_DISPVMS, 1);
	disp = create(DOMAIN_DISP, NULL, f->dvm);
	start(disp);
	hypervisor_double_tell(domain_uuid(disp), HYPERVISOR_RUNNING);
	hypervisor_double_answer("it runs already", HYPERVISOR_RUNNING);
	settle();
	assert_answered(1, "QubesException");
	assert_false(domain_is_removed(disp));
	assert_power(disp, "Running");
	forget();
	lifecycle_kill(f->lifecycle, disp, on_done, &f->answer);
	hypervisor_double_answer(NULL, HYPERVISOR_HALTED);
	assert_answered(1, NULL);
}

static void
paused_qube_that_turns_up_is_adopted(void **state)
{
	(void)state;
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_PAUSED);
	assert_power(f->work, "Paused");
	forget();
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_RUNNING);
	assert_string_equal(f->events->str, "domain-unpaused\n");
	assert_power(f->work, "Running");
}

static void
disposable_starts_from_its_templates_home_and_goes_at_its_stop(void **state)
{
	struct domain *disp;

	(void)state;
	{
		struct property_owner owner = {f->app, f->dvm};
		struct property_value yes = {.number = 1};
		struct admin_error error = {0};

		assert_true(property_set(
		    &owner, &property_domain_table[PROPERTY_TEMPLATE_FOR_DISPVMS], &yes, &error));
	}
	disp = create(DOMAIN_DISP, NULL, f->dvm);
	domain_ref(disp);
	forget();
	start(disp);
	assert_string_equal(hypervisor_double.template_name, "debian");
	assert_non_null(strstr(hypervisor_double.private_source, "/dvm/private"));
	assert_false(hypervisor_double.private_keep);
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	forget();
	hypervisor_double_tell(domain_uuid(disp), HYPERVISOR_HALTED);
	settle();
	assert_string_equal(f->events->str,
	    STOP_EVENTS "domain-pre-delete\ndomain-remove-from-disk\ndomain-delete\n");
	assert_true(domain_is_removed(disp));
	domain_unref(disp);
}

static void
disposable_whose_start_fails_goes_as_well(void **state)
{
	struct domain *disp;

	(void)state;
	set_int(f->dvm, PROPERTY_TEMPLATE_FOR_DISPVMS, 1);
	disp = domain_ref(create(DOMAIN_DISP, NULL, f->dvm));
	forget();
	start(disp);
	hypervisor_double_answer("no", HYPERVISOR_HALTED);
	settle();
	assert_answered(1, "QubesException");
	assert_true(domain_is_removed(disp));
	domain_unref(disp);
}

static void
adoption_keeps_running_qubes_and_removes_dead_disposables(void **state)
{
	struct domain *disp;

	(void)state;
	set_int(f->dvm, PROPERTY_TEMPLATE_FOR_DISPVMS, 1);
	disp = domain_ref(create(DOMAIN_DISP, NULL, f->dvm));
	lifecycle_adopt_all(f->lifecycle);
	assert_true(domain_is_removed(disp));
	assert_false(lifecycle_is_active(f->lifecycle, f->work));
	domain_unref(disp);

	hypervisor_double.adopts = true;
	hypervisor_double.state = HYPERVISOR_RUNNING;
	forget();
	lifecycle_adopt_all(f->lifecycle);
	assert_power(f->work, "Running");
	assert_string_equal(f->events->str, "");
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	assert_string_equal(f->events->str, STOP_EVENTS);
}

/* The daemon starts anew with that default; work runs on under that kind alone. */
static void
restart_while_it_runs_under(const char *kind, const char *default_kind)
{
	g_autofree char *error = NULL;

	lifecycle_free(f->lifecycle);
	hypervisor_double.adopts = true;
	hypervisor_double.adopts_kind = kind;
	assert_int_equal(lifecycle_new(f->app, default_kind, &f->lifecycle, &error), 0);
	qubes_app_set_lifecycle(f->app, f->lifecycle);
	lifecycle_adopt_all(f->lifecycle);
}

static bool
kind_is_noted(const struct domain *domain)
{
	g_autofree char *name = g_strconcat("kind-", domain_uuid(domain), NULL);
	g_autofree char *path = g_build_filename(f->folder, name, NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void
a_running_qube_is_looked_for_where_it_was_started(void **state)
{
	(void)state;
	start_whole(f->work);
	assert_true(kind_is_noted(f->work));
	domain_feature_set(f->template, "hypervisor", "test:///default");
	assert_false(lifecycle_has_disks(f->lifecycle, f->work));
	restart_while_it_runs_under("double", "double");
	assert_power(f->work, "Running");
	assert_true(kind_is_noted(f->work));
	assert_false(kind_is_noted(f->dvm));
	start(f->work); /* it runs: nothing is started */
	assert_string_equal(hypervisor_double.calls->str, "");
	lifecycle_kill(f->lifecycle, f->work, on_done, &f->answer);
	hypervisor_double_answer(NULL, HYPERVISOR_HALTED);
	assert_false(kind_is_noted(f->work));
}

static void
a_qube_found_halted_is_forgotten(void **state)
{
	(void)state;
	start_whole(f->work);
	restart_while_it_runs_under("nothing", "double");
	assert_power(f->work, "Halted");
	assert_false(kind_is_noted(f->work));
}

static void
a_qube_whose_hypervisor_is_missing_is_not_started_under_another(void **state)
{
	(void)state;
	start_whole(f->work);
	hypervisor_double.missing_kind = "double";
	restart_while_it_runs_under("double", "sandbox");
	assert_power(f->work, "Halted");
	assert_true(kind_is_noted(f->work));
	forget();
	start(f->work);
	assert_answered(1, "QubesException");
	assert_string_equal(hypervisor_double.calls->str, "");
	assert_true(kind_is_noted(f->work));

	hypervisor_double.missing_kind = NULL; /* it is back, and runs the qube */
	forget();
	start(f->work);
	assert_answered(1, "QubesException");
	assert_string_equal(hypervisor_double.calls->str, "");
	hypervisor_double.adopts = false; /* or it does not */
	hypervisor_double.state = HYPERVISOR_HALTED;
	forget();
	start(f->work);
	assert_string_equal(hypervisor_double.calls->str, "start ");
	hypervisor_double_answer("no", HYPERVISOR_HALTED);
	settle();
	assert_answered(1, "QubesException");
	assert_false(kind_is_noted(f->work));
}

/* ---- with a qrexec-daemon: a script in its place ------------------------------------------- */

static char *
beside_us(const char *name)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *folder = g_path_get_dirname(self);

	return g_build_filename(folder, name, NULL);
}

static void
use_daemon(const char *script)
{
	g_autofree char *path = beside_us("qrexec-daemon");

	hypervisor_double.has_vchan = true;
	assert_true(g_file_set_contents(path, script, -1, NULL));
	assert_int_equal(chmod(path, 0755), 0);
}

static void
remove_daemon(void)
{
	g_autofree char *path = beside_us("qrexec-daemon");

	unlink(path);
}

static void
wait_for_answer(void)
{
	gint64 end = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;

	while (f->answer.count == 0 && g_get_monotonic_time() < end)
		g_main_context_iteration(NULL, TRUE);
}

/* Listens as the real one does, after a while, and writes down its arguments. */
#define LISTENING                                                                                  \
	"#!/bin/sh\n"                                                                              \
	"echo \"$@ $QUBES_VCHAN $QREXEC_STARTUP_TIMEOUT\" >\"$QUBES_RUNTIME_DIR/arguments\"\n"     \
	"sleep 0.3\n"                                                                              \
	"exec \"$(dirname \"$0\")/test_lifecycle\" --listen \"$QUBES_RUNTIME_DIR/qrexec.7\"\n"

static int
listen_for_ever(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 5) < 0)
		return 1;
	sleep(60);
	return 0;
}

static void
start_is_transient_until_the_agent_has_connected(void **state)
{
	g_autofree char *arguments = g_build_filename(f->folder, "arguments", NULL);
	g_autofree char *socket_path = g_build_filename(f->folder, "qrexec.7", NULL);
	g_autofree char *text = NULL, *expected = NULL;

	(void)state;
	use_daemon(LISTENING);
	set_int(f->work, PROPERTY_QREXEC_TIMEOUT, 9);
	forget();
	start(f->work);
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	assert_power(f->work, "Transient");
	assert_answered(0, NULL);
	wait_for_answer();
	remove_daemon();
	assert_answered(1, NULL);
	assert_power(f->work, "Running");
	assert_string_equal(f->events->str, START_EVENTS);
	assert_true(g_file_get_contents(arguments, &text, NULL, NULL));
	expected = g_strdup_printf("--direct -q --socket-dir=%s -u %s -- 7 work user socket 9\n",
	    f->folder, domain_uuid(f->work));
	assert_string_equal(text, expected);

	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	assert_int_equal(access(socket_path, F_OK), -1); /* the daemon and its socket go with it */
}

/* Up to where it runs, and its agent is awaited. */
static void
start_and_wait(void)
{
	use_daemon(LISTENING);
	start(f->work);
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	assert_power(f->work, "Transient");
}

/* What it began from, a saved machine for one, is not used again. */
static void
qube_that_ends_in_its_start_is_distrusted(void **state)
{
	(void)state;
	start_and_wait();
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	remove_daemon();
	settle();
	assert_answered(1, "QubesVMError");
	assert_int_equal(hypervisor_double.distrusted, 1);
}

static void
qube_that_is_killed_in_its_start_is_not_distrusted(void **state)
{
	(void)state;
	start_and_wait();
	lifecycle_kill(f->lifecycle, f->work, on_done, &f->answer);
	hypervisor_double_answer(NULL, HYPERVISOR_HALTED);
	remove_daemon();
	settle();
	assert_power(f->work, "Halted");
	assert_int_equal(hypervisor_double.distrusted, 0);
}

static void
wait_for_kill(void)
{
	while (strstr(hypervisor_double.calls->str, "kill") == NULL)
		g_main_context_iteration(NULL, TRUE);
	g_string_truncate(hypervisor_double.calls, 0);
}

static void
daemon_that_ends_early_fails_the_start(void **state)
{
	(void)state;
	use_daemon("#!/bin/sh\nexit 3\n");
	start(f->work);
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	wait_for_kill();
	hypervisor_double_answer(NULL, HYPERVISOR_HALTED);
	remove_daemon();
	assert_answered(1, "QubesVMError");
	assert_power(f->work, "Halted");
	assert_true(g_str_has_suffix(f->events->str, STOP_EVENTS "domain-start-failed\n"));
}

/* The hypervisor has nobody to kill, and no end to tell: nothing may wait for one. */
static void
failed_start_of_a_qube_that_has_gone_is_over(void **state)
{
	(void)state;
	use_daemon("#!/bin/sh\nexit 3\n");
	start(f->work);
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	wait_for_kill();
	hypervisor_double.state = HYPERVISOR_HALTED;
	hypervisor_double_answer("it does not run", HYPERVISOR_HALTED);
	remove_daemon();
	assert_answered(1, "QubesVMError");
	assert_false(lifecycle_is_active(f->lifecycle, f->work));
}

/* libvirtd is lost at that moment, and found again; the qube runs on. */
static void
failed_start_that_cannot_be_ended_is_killed_again(void **state)
{
	(void)state;
	use_daemon("#!/bin/sh\nexit 3\n");
	start(f->work);
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	wait_for_kill();
	for (int i = 0; i < 2; i++) {
		hypervisor_double_answer("libvirt does not answer", HYPERVISOR_RUNNING);
		assert_true(lifecycle_is_active(f->lifecycle, f->work));
		assert_answered(0, NULL);
		wait_for_kill();
	}
	hypervisor_double_answer(NULL, HYPERVISOR_HALTED);
	remove_daemon();
	assert_answered(1, "QubesVMError");
	assert_power(f->work, "Halted");
}

/* It ended while the next attempt was waited for: that attempt must not come. */
static void
failed_start_that_ends_by_itself_is_not_killed_again(void **state)
{
	(void)state;
	use_daemon("#!/bin/sh\nexit 3\n");
	start(f->work);
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	wait_for_kill();
	hypervisor_double_answer("libvirt does not answer", HYPERVISOR_RUNNING);
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	assert_answered(1, "QubesVMError");
	for (gint64 end = g_get_monotonic_time() + 2 * G_TIME_SPAN_SECOND;
	     g_get_monotonic_time() < end; g_usleep(10000))
		settle();
	remove_daemon();
	assert_string_equal(hypervisor_double.calls->str, "");
}

static void
agent_that_does_not_come_in_time_fails_the_start(void **state)
{
	(void)state;
	use_daemon("#!/bin/sh\nexec sleep 100\n");
	set_int(f->work, PROPERTY_QREXEC_TIMEOUT, 1);
	start(f->work);
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	wait_for_kill();
	hypervisor_double_answer(NULL, HYPERVISOR_HALTED);
	remove_daemon();
	assert_answered(1, "QubesVMError");
}

static void
qube_that_ends_while_its_agent_is_awaited_fails_the_start(void **state)
{
	(void)state;
	use_daemon("#!/bin/sh\nexec sleep 100\n");
	start(f->work);
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	remove_daemon();
	assert_answered(1, "QubesVMError");
	assert_power(f->work, "Halted");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- how it is reached --------------------------------------------------------------------- */

/* In place of gui_access.c: what was told, and whoever waits until the test says so. */
static struct {
	GString *told; /* "DOMAIN:GUI " */
	gui_access_done done;
	void *data;
} broker;

struct gui_access *
gui_access_new(void)
{
	broker.told = g_string_new(NULL);
	return NULL;
}

void
gui_access_free(struct gui_access *access)
{
	(void)access;
	g_string_free(broker.told, TRUE);
	memset(&broker, 0, sizeof(broker));
}

void
gui_access_tell(struct gui_access *access, const struct gui_access_pair *pairs, size_t count,
    gui_access_done done, void *data)
{
	(void)access;
	for (size_t i = 0; i < count; i++)
		g_string_append_printf(broker.told, "%u:%u ", pairs[i].domain, pairs[i].gui_domain);
	if (done != NULL) {
		broker.done = done;
		broker.data = data;
	}
}

static void
broker_answers(void)
{
	gui_access_done done = g_steal_pointer(&broker.done);

	assert_non_null(done);
	done(broker.data);
}

static void
set_guivm(struct domain *domain, struct domain *guivm)
{
	struct property_owner owner = domain_owner(domain);
	struct property_value value = {.text = g_strdup(domain_name(guivm))};

	assert_true(property_set(&owner, &property_domain_table[PROPERTY_GUIVM], &value, NULL));
}

static void
assert_told(const struct domain *domain, const struct domain *gui)
{
	g_autofree char *pair =
	    g_strdup_printf("%ld:%ld ", domain_xid(domain), gui != NULL ? domain_xid(gui) : 0);

	if (strstr(broker.told->str, pair) == NULL)
		fail_msg("%s is not in %s", pair, broker.told->str);
}

/* Up to where the broker has been asked. */
static void
start_behind_broker(struct domain *domain)
{
	g_string_truncate(broker.told, 0);
	start(domain);
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
}

static void
gui_domain_is_told_before_anybody_hears_of_the_start(void **state)
{
	(void)state;
	hypervisor_double.vchan = "broker:/x";
	hypervisor_double.has_own_xids = true;
	set_guivm(f->work, f->dvm);
	start_behind_broker(f->dvm);
	broker_answers();
	forget();
	start_behind_broker(f->work);
	assert_told(f->work, f->dvm);
	assert_null(strstr(f->events->str, "domain-spawn"));
	broker_answers();
	assert_non_null(strstr(f->events->str, "domain-spawn"));
	assert_power(f->work, "Running");
}

static void
gui_domain_that_starts_later_or_again_is_told_for_all_it_serves(void **state)
{
	(void)state;
	hypervisor_double.vchan = "broker:/x";
	hypervisor_double.has_own_xids = true;
	set_guivm(f->work, f->dvm);
	start_behind_broker(f->work);
	assert_told(f->work, NULL);
	broker_answers();
	start_behind_broker(f->dvm);
	assert_told(f->work, f->dvm);
	assert_told(f->dvm, NULL);
	broker_answers();
}

static void
gui_domain_of_a_running_qube_follows_its_property(void **state)
{
	struct domain *dom0 = qubes_app_find(f->app, "dom0");

	(void)state;
	hypervisor_double.vchan = "broker:/x";
	hypervisor_double.has_own_xids = true;
	start_behind_broker(f->dvm);
	broker_answers();
	start_behind_broker(f->work);
	broker_answers();
	g_string_truncate(broker.told, 0);
	set_guivm(f->work, f->dvm);
	assert_told(f->work, f->dvm);
	g_string_truncate(broker.told, 0);
	set_guivm(f->work, dom0);
	assert_told(f->work, NULL);
}

static void
qube_that_ends_while_the_broker_is_asked_fails_its_start(void **state)
{
	(void)state;
	hypervisor_double.vchan = "broker:/x";
	start_behind_broker(f->work);
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	broker_answers();
	assert_answered(1, "QubesVMError");
	assert_power(f->work, "Halted");
}

static void
transport_is_written_down_as_long_as_the_qube_runs(void **state)
{
	g_autofree char *path = g_build_filename(f->folder, "vchan-7", NULL);
	g_autofree char *text = NULL;

	(void)state;
	hypervisor_double.vchan = "xen";
	use_daemon("#!/bin/sh\nexec sleep 100\n");
	start(f->work);
	assert_int_equal(access(path, F_OK), -1);
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	assert_string_equal(text, "xen\n");
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	remove_daemon();
	assert_int_equal(access(path, F_OK), -1);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    TEST(start_fires_its_events_in_order),
	    TEST(two_starts_share_one),
	    TEST(prohibited_start_says_why_and_asks_no_hypervisor),
	    TEST(vetoed_start_fails_with_the_vetos_class),
	    TEST(failed_spawn_leaves_it_halted),
	    TEST(hypervisor_of_a_feature_that_is_not_there_fails_the_start),
	    TEST(lvt_01_hypervisor_of_a_feature_is_no_uri_of_ones_own),
	    TEST(qube_that_has_ended_before_its_start_is_answered_fails_it),
	    TEST(qube_that_has_run_is_not_distrusted),
	    TEST(stop_is_processed_once_however_often_it_is_told),
	    TEST(shutdown_without_wait_is_answered_when_the_guest_was_asked),
	    TEST(shutdown_with_wait_is_answered_when_the_stop_was_processed),
	    TEST(shutdown_that_takes_too_long_has_a_class_of_its_own),
	    TEST(shutdown_that_cannot_be_asked_for_is_answered_at_once),
	    TEST(shutdown_of_what_ends_meanwhile_waits_for_that),
	    TEST(start_during_a_shutdown_waits_for_its_end),
	    TEST(calls_on_a_halted_qube_have_the_right_classes),
	    TEST(dom0_is_not_started_or_stopped),
	    TEST(pause_and_unpause_fire_their_events),
	    TEST(forced_shutdown_of_a_paused_qube_kills_it),
	    TEST(kill_is_answered_when_the_stop_was_processed),
	    TEST(kill_of_what_has_gone_without_a_word_still_ends_the_run),
	    TEST(kill_during_the_spawn_comes_after_it),
	    TEST(kill_that_is_answered_late_leaves_the_next_run_alone),
	    TEST(kill_that_fails_keeps_nobody_from_starting_it),
	    TEST(failed_start_of_a_qube_that_runs_already_adopts_it),
	    TEST(paused_qube_that_turns_up_is_adopted),
	    TEST(disposable_starts_from_its_templates_home_and_goes_at_its_stop),
	    TEST(disposable_whose_start_fails_goes_as_well),
	    TEST(adoption_keeps_running_qubes_and_removes_dead_disposables),
	    TEST(a_running_qube_is_looked_for_where_it_was_started),
	    TEST(a_qube_found_halted_is_forgotten),
	    TEST(a_qube_whose_hypervisor_is_missing_is_not_started_under_another),
	    TEST(start_is_transient_until_the_agent_has_connected),
	    TEST(qube_that_ends_in_its_start_is_distrusted),
	    TEST(qube_that_is_killed_in_its_start_is_not_distrusted),
	    TEST(daemon_that_ends_early_fails_the_start),
	    TEST(failed_start_of_a_qube_that_has_gone_is_over),
	    TEST(failed_start_that_cannot_be_ended_is_killed_again),
	    TEST(failed_start_that_ends_by_itself_is_not_killed_again),
	    TEST(agent_that_does_not_come_in_time_fails_the_start),
	    TEST(qube_that_ends_while_its_agent_is_awaited_fails_the_start),
	    TEST(gui_domain_is_told_before_anybody_hears_of_the_start),
	    TEST(gui_domain_that_starts_later_or_again_is_told_for_all_it_serves),
	    TEST(gui_domain_of_a_running_qube_follows_its_property),
	    TEST(qube_that_ends_while_the_broker_is_asked_fails_its_start),
	    TEST(transport_is_written_down_as_long_as_the_qube_runs),
	};

	if (argc == 3 && strcmp(argv[1], "--listen") == 0)
		return listen_for_ever(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
