/* Runs of qubes that have volumes, over a hypervisor that does what the test says. */
#include "tests/unit/unit.h"

#include "qubesd/domain_storage.h"
#include "qubesd/gui_access.h"
#include "qubesd/lifecycle.h"
#include "qubesd/qubes_app.h"
#include "qubesd/storage/claims.h"
#include "qubesd/storage/volume.h"
#include "tests/unit/hypervisor_double.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_S 20

struct answer {
	unsigned count;
	char *class; /* of the last one; NULL: success */
};

struct fixture {
	char *folder;
	struct qubes_app *app;
	struct lifecycle *lifecycle;
	struct domain *template, *work;
	GString *events;
	struct answer answer;
};

static struct fixture *f;

static bool
on_event(const struct event *event, struct admin_error *error, void *data)
{
	(void)error, (void)data;
	if (g_str_has_prefix(event->name, "domain-"))
		g_string_append_printf(f->events, "%s ", event->name);
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

/* In place of gui_access.c: there is no broker, and nobody waits for it. */
struct gui_access *
gui_access_new(void)
{
	return NULL;
}

void
gui_access_free(struct gui_access *access)
{
	(void)access;
}

void
gui_access_tell(struct gui_access *access, const struct gui_access_pair *pairs, size_t count,
    gui_access_done done, void *data)
{
	(void)access, (void)pairs, (void)count;
	if (done != NULL)
		g_idle_add_once(done, data);
}

/* Turns the loop until the condition holds; fails when it never does. */
#define UNTIL(condition)                                                                           \
	do {                                                                                       \
		gint64 late_ = g_get_monotonic_time() + PATIENCE_S * G_USEC_PER_SEC;               \
		guint tick_ = g_timeout_add(10, on_tick, NULL);                                    \
		while (!(condition)) {                                                             \
			if (g_get_monotonic_time() > late_)                                        \
				fail_msg("never: %s", #condition);                                 \
			g_main_context_iteration(NULL, TRUE);                                      \
		}                                                                                  \
		g_source_remove(tick_);                                                            \
	} while (0)

static gboolean
on_tick(void *data)
{
	(void)data;
	return G_SOURCE_CONTINUE;
}

static struct domain *
create(enum domain_class klass, const char *name, struct domain *template)
{
	struct qubes_app_new_domain spec = {.klass = klass,
	    .name = name,
	    .label = qubes_app_label(f->app, "red"),
	    .template = template};
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
	if (lifecycle_new(f->app, "double:///", &f->lifecycle, &error) < 0)
		return -1;
	qubes_app_set_lifecycle(f->app, f->lifecycle);
	domain_storage_init(f->app);
	f->template = create(DOMAIN_TEMPLATE, "debian", NULL);
	f->work = create(DOMAIN_APP, "work", f->template);
	event_add_handler(f->app, EVENT_ORDER_SUBSCRIBERS, on_event, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	const char *argv[] = {"rm", "-rf", f->folder, NULL};

	(void)state;
	while (g_main_context_iteration(NULL, FALSE))
		;
	lifecycle_free(f->lifecycle);
	qubes_app_set_lifecycle(f->app, NULL);
	qubes_app_free(f->app);
	g_spawn_sync(
	    NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
	g_string_free(f->events, TRUE);
	g_free(f->answer.class);
	g_free(f->folder);
	g_free(f);
	return 0;
}

static bool
is_there(const char *name)
{
	g_autofree char *path = g_build_filename(f->folder, name, NULL);

	return access(path, F_OK) == 0;
}

static bool
was_called(const char *what)
{
	return strstr(hypervisor_double.calls->str, what) != NULL;
}

static bool
happened(const char *event)
{
	return strstr(f->events->str, event) != NULL;
}

static void
start_whole(void)
{
	lifecycle_start(f->lifecycle, f->work, on_done, &f->answer);
	UNTIL(was_called("start"));
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	UNTIL(f->answer.count == 1);
	assert_null(f->answer.class);
	f->answer.count = 0;
	g_string_truncate(f->events, 0);
	g_string_truncate(hypervisor_double.calls, 0);
}

static void
the_hypervisor_gets_the_disks_of_a_first_start(void **state)
{
	g_autofree char *wanted = g_strdup_printf(
	    "root rw %s/appvms/work/root-dirty.img\nprivate rw %s/appvms/work/private-dirty.img\n"
	    "volatile rw %s/appvms/work/volatile-dirty.img\n",
	    f->folder, f->folder, f->folder);

	(void)state;
	start_whole();
	assert_string_equal(hypervisor_double.disks, wanted);
	assert_true(is_there("appvms/work/root-dirty.img"));
	assert_true(is_there("volume-running-varlibqubes:appvms-work-private"));
	assert_int_equal(domain_volumes(f->template)->len, 4);
}

static void
volumes_are_stopped_before_the_qube_is_halted(void **state)
{
	(void)state;
	start_whole();
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	assert_string_equal(f->events->str, "domain-stopped ");
	assert_string_equal(lifecycle_power_state(f->lifecycle, f->work), "Dying");
	assert_int_equal(lifecycle_xid(f->lifecycle, f->work), -1);
	assert_false(domain_is_halted(f->work));
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_CRASHED);
	UNTIL(domain_is_halted(f->work));
	assert_string_equal(f->events->str, "domain-stopped domain-shutdown ");
	assert_false(is_there("appvms/work/root-dirty.img"));
	assert_false(is_there("appvms/work/private-dirty.img"));
	assert_false(is_there("volume-running-varlibqubes:appvms-work-private"));
}

static void
a_start_during_the_stop_of_volumes_waits_for_it(void **state)
{
	(void)state;
	start_whole();
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	lifecycle_start(f->lifecycle, f->work, on_done, &f->answer);
	assert_false(was_called("start"));
	UNTIL(was_called("start"));
	assert_true(happened("domain-shutdown"));
	hypervisor_double_answer(NULL, HYPERVISOR_RUNNING);
	UNTIL(f->answer.count == 1);
	assert_null(f->answer.class);
}

static void
calls_during_the_stop_of_volumes_find_nothing_that_runs(void **state)
{
	struct answer killed = {0};

	(void)state;
	start_whole();
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	lifecycle_shutdown(f->lifecycle, f->work, true, false, on_done, &f->answer);
	UNTIL(f->answer.count == 1);
	assert_string_equal(f->answer.class, "QubesVMNotStartedError");
	UNTIL(domain_is_halted(f->work));
	f->answer.count = 0;
	start_whole();
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	lifecycle_pause(f->lifecycle, f->work, on_done, &f->answer);
	lifecycle_kill(f->lifecycle, f->work, on_done, &killed);
	UNTIL(killed.count == 1);
	assert_null(killed.class);
	assert_true(domain_is_halted(f->work));
	UNTIL(f->answer.count == 1);
	assert_string_equal(f->answer.class, "QubesVMNotRunningError");
	assert_false(was_called("kill"));
	assert_false(was_called("pause"));
}

static void
a_failed_spawn_stops_the_volumes(void **state)
{
	(void)state;
	lifecycle_start(f->lifecycle, f->work, on_done, &f->answer);
	UNTIL(was_called("start"));
	assert_true(is_there("appvms/work/root-dirty.img"));
	hypervisor_double_answer("no memory", HYPERVISOR_HALTED);
	UNTIL(f->answer.count == 1);
	assert_string_equal(f->answer.class, "QubesException");
	assert_false(is_there("appvms/work/root-dirty.img"));
	assert_false(is_there("appvms/work/private-dirty.img"));
	assert_false(happened("domain-shutdown"));
	assert_true(happened("domain-start-failed"));
}

static void
without_its_source_a_qube_does_not_start(void **state)
{
	g_autofree char *root = g_build_filename(f->folder, "vm-templates/debian/root.img", NULL);

	(void)state;
	start_whole();
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	UNTIL(domain_is_halted(f->work));
	assert_int_equal(g_unlink(root), 0);
	lifecycle_start(f->lifecycle, f->work, on_done, &f->answer);
	UNTIL(f->answer.count == 1);
	assert_string_equal(f->answer.class, "StoragePoolException");
	assert_false(was_called("start"));
	assert_true(domain_is_halted(f->work));
	assert_false(is_there("appvms/work/private-dirty.img"));
}

static void
a_kill_while_volumes_are_started_ends_the_start(void **state)
{
	struct answer killed = {0};

	(void)state;
	lifecycle_start(f->lifecycle, f->work, on_done, &f->answer);
	UNTIL(happened("domain-verify-files"));
	lifecycle_kill(f->lifecycle, f->work, on_done, &killed);
	UNTIL(killed.count == 1 && f->answer.count == 1);
	assert_string_equal(f->answer.class, "QubesVMError");
	assert_true(domain_is_halted(f->work));
	assert_false(is_there("appvms/work/root-dirty.img"));
	assert_false(is_there("appvms/work/private-dirty.img"));
	assert_false(was_called("start"));
}

static void
an_import_keeps_a_qube_from_starting(void **state)
{
	struct claims *claims = storage_claims(qubes_app_storage(f->app));
	gint64 now = g_get_monotonic_time();
	uint64_t size;

	(void)state;
	assert_int_equal(
	    claims_begin_import(claims, "varlibqubes", "appvms/work/private", 1, NULL, now), 0);
	lifecycle_start(f->lifecycle, f->work, on_done, &f->answer);
	UNTIL(f->answer.count == 1);
	assert_string_equal(f->answer.class, "QubesException");
	assert_true(claims_end_import(claims, "varlibqubes", "appvms/work/private", now, &size));
	f->answer.count = 0;
	start_whole();
}

/* The daemon starts anew, with the same store, while work runs or does not. */
static void
restart_daemon(bool running)
{
	g_autofree char *error = NULL;

	lifecycle_free(f->lifecycle);
	hypervisor_double.adopts = running;
	hypervisor_double.state = running ? HYPERVISOR_RUNNING : HYPERVISOR_HALTED;
	assert_int_equal(lifecycle_new(f->app, "double:///", &f->lifecycle, &error), 0);
	qubes_app_set_lifecycle(f->app, f->lifecycle);
	lifecycle_adopt_all(f->lifecycle);
}

static void
after_a_restart_the_volumes_of_running_qubes_stay_and_end_with_them(void **state)
{
	(void)state;
	start_whole();
	restart_daemon(true);
	for (int i = 0; i < 20; i++) {
		g_usleep(2000);
		while (g_main_context_iteration(NULL, FALSE))
			;
	}
	assert_true(is_there("appvms/work/root-dirty.img"));
	assert_true(is_there("appvms/work/private-dirty.img"));
	assert_true(is_there("volume-running-varlibqubes:appvms-work-private"));
	assert_string_equal(hypervisor_double.calls->str, "");
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	UNTIL(domain_is_halted(f->work));
	assert_false(is_there("appvms/work/root-dirty.img"));
	assert_false(is_there("appvms/work/private-dirty.img"));
}

static void
after_a_restart_the_volumes_of_halted_qubes_are_put_in_order(void **state)
{
	(void)state;
	start_whole();
	restart_daemon(false);
	UNTIL(!is_there("appvms/work/private-dirty.img") &&
	      !is_there("appvms/work/root-dirty.img") &&
	      !is_there("volume-running-varlibqubes:appvms-work-private"));
	assert_true(is_there("appvms/work/private.img"));
}

static void
a_snapshot_follows_a_template_that_changes(void **state)
{
	struct domain *other = create(DOMAIN_TEMPLATE, "fedora", NULL);
	struct property_owner owner = domain_owner(f->work);
	struct property_value value = {.domain = other};
	struct answer made = {0};

	(void)state;
	start_whole();
	hypervisor_double_tell(domain_uuid(f->work), HYPERVISOR_HALTED);
	UNTIL(domain_is_halted(f->work));
	domain_storage_ensure(other, on_done, &made);
	UNTIL(made.count == 1);
	assert_string_equal(domain_volume(f->work, "root")->source, "vm-templates/debian/root");
	property_assign(&owner, &property_domain_table[PROPERTY_TEMPLATE], &value);
	event_fire(f->app, f->work, "property-set:template", "name", "template", NULL);
	assert_string_equal(domain_volume(f->work, "root")->source, "vm-templates/fedora/root");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_hypervisor_gets_the_disks_of_a_first_start),
	    TEST(volumes_are_stopped_before_the_qube_is_halted),
	    TEST(a_start_during_the_stop_of_volumes_waits_for_it),
	    TEST(calls_during_the_stop_of_volumes_find_nothing_that_runs),
	    TEST(a_failed_spawn_stops_the_volumes),
	    TEST(without_its_source_a_qube_does_not_start),
	    TEST(a_kill_while_volumes_are_started_ends_the_start),
	    TEST(an_import_keeps_a_qube_from_starting),
	    TEST(after_a_restart_the_volumes_of_running_qubes_stay_and_end_with_them),
	    TEST(after_a_restart_the_volumes_of_halted_qubes_are_put_in_order),
	    TEST(a_snapshot_follows_a_template_that_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
