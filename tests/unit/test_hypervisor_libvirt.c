/* The libvirt hypervisor over libvirt's own test driver: real calls and events, no machine. */
#include "tests/unit/unit.h"

#include "qubesd/domain_xml.h"
#include "qubesd/hypervisor.h"
#include "qubesd/libvirt_making.h"
#include "qubesd/libvirt_work.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#define URI "test:///default"
#define UUID "2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21"
#define FOREIGN_UUID                                                                               \
	"6695eb01-f6a4-8304-79aa-97f2502e193f" /* of the domain "test" in that driver */

struct outcome {
	GMainLoop *loop;
	bool is_done;
	char *error;
	int64_t xid;
	GString *events; /* states as digits, in order */
};

static struct hypervisor *hypervisor;
static struct outcome outcome;

static void
on_event(struct hypervisor *from, const char *uuid, enum hypervisor_state state, void *data)
{
	(void)from;
	(void)data;
	assert_string_equal(uuid, UUID);
	g_string_append_printf(outcome.events, "%d", (int)state);
}

static void
on_done(const char *error, int64_t xid, void *data)
{
	(void)data;
	assert_false(outcome.is_done);
	outcome.is_done = true;
	outcome.error = g_strdup(error);
	outcome.xid = xid;
	g_main_loop_quit(outcome.loop);
}

static gboolean
on_too_late(gpointer data)
{
	(void)data;
	fail_msg("no answer in time");
	return G_SOURCE_REMOVE;
}

static void
wait_done(void)
{
	guint timeout = g_timeout_add_seconds(20, on_too_late, NULL);

	assert_false(outcome.is_done); /* never before the call has returned */
	g_main_loop_run(outcome.loop);
	g_source_remove(timeout);
}

/* Late events of what was done have come when this returns. */
static void
settle(void)
{
	for (int i = 0; i < 20; i++) {
		while (g_main_context_iteration(NULL, FALSE))
			;
		g_usleep(10000);
	}
}

static void
begin_call(void)
{
	g_clear_pointer(&outcome.error, g_free);
	outcome.is_done = false;
}

static int
set_up(void **state)
{
	g_autofree char *error = NULL;

	(void)state;
	outcome.loop = g_main_loop_new(NULL, FALSE);
	outcome.events = g_string_new(NULL);
	begin_call();
	return hypervisor_new(URI, on_event, NULL, &hypervisor, &error);
}

static int
tear_down(void **state)
{
	(void)state;
	hypervisor_free(hypervisor);
	settle();
	g_main_loop_unref(outcome.loop);
	g_string_free(outcome.events, TRUE);
	g_clear_pointer(&outcome.error, g_free);
	return 0;
}

static const struct hypervisor_qube sample = {
    .name = "work",
    .uuid = UUID,
    .klass = "AppVM",
    .qid = 3,
    .xid = 41,
    .virt_mode = "hvm",
    .memory_mib = 64,
    .maxmem_mib = 64,
    .vcpus = 1,
    .kernel = "",
    .initrd = "",
    .cmdline = "",
    .mac = "",
    .ip = "",
    .ip6 = "",
    .netvm = "",
    .default_user = "user",
    .keyboard_layout = "us++",
    .gui_domain = -1,
    .template_name = "",
};

static void
start(const struct hypervisor_qube *qube)
{
	begin_call();
	hypervisor_start(hypervisor, qube, on_done, NULL);
	wait_done();
}

static void
call(void (*func)(struct hypervisor *, const char *, hypervisor_done, void *), const char *uuid)
{
	begin_call();
	func(hypervisor, uuid, on_done, NULL);
	wait_done();
}

/* The number of domains that libvirt knows, running or not. */
static int
count_domains(void)
{
	virConnectPtr connection = virConnectOpen(URI);
	int count = virConnectNumOfDomains(connection) + virConnectNumOfDefinedDomains(connection);

	virConnectClose(connection);
	return count;
}

static void
libvirt_qube_starts_pauses_and_dies(void **state)
{
	int before = count_domains();

	(void)state;
	assert_false(hypervisor_has_vchan(hypervisor));
	assert_int_equal(hypervisor_xid(hypervisor, UUID), -1);
	start(&sample);
	assert_null(outcome.error);
	assert_int_equal(outcome.xid, 41); /* ours, not the one that libvirt gave it */
	assert_int_equal(hypervisor_xid(hypervisor, UUID), outcome.xid);
	assert_int_equal(hypervisor_state(hypervisor, UUID), HYPERVISOR_RUNNING);
	settle();
	assert_string_equal(outcome.events->str, "1");

	call(hypervisor_pause, UUID);
	assert_null(outcome.error);
	assert_int_equal(hypervisor_state(hypervisor, UUID), HYPERVISOR_PAUSED);
	call(hypervisor_unpause, UUID);
	assert_null(outcome.error);
	settle();
	assert_string_equal(outcome.events->str, "121");

	call(hypervisor_kill, UUID);
	assert_null(outcome.error);
	settle();
	assert_string_equal(outcome.events->str, "1210");
	assert_int_equal(hypervisor_xid(hypervisor, UUID), -1);
	assert_int_equal(count_domains(), before);
}

static void
libvirt_qube_shuts_down(void **state)
{
	(void)state;
	start(&sample);
	assert_null(outcome.error);
	call(hypervisor_shutdown, UUID);
	assert_null(outcome.error);
	settle();
	assert_int_equal(hypervisor_state(hypervisor, UUID), HYPERVISOR_HALTED);
	assert_string_equal(outcome.events->str, "10");
}

static void
libvirt_second_start_is_refused(void **state)
{
	(void)state;
	start(&sample);
	start(&sample);
	assert_non_null(outcome.error);
	assert_int_equal(hypervisor_state(hypervisor, UUID), HYPERVISOR_RUNNING);
	call(hypervisor_kill, UUID);
}

static void
libvirt_calls_on_a_halted_qube_fail(void **state)
{
	(void)state;
	call(hypervisor_kill, UUID);
	assert_non_null(outcome.error);
	call(hypervisor_shutdown, UUID);
	assert_non_null(outcome.error);
	call(hypervisor_pause, UUID);
	assert_non_null(outcome.error);
	assert_string_equal(outcome.events->str, "");
}

static void
lvt_02_a_foreign_domain_is_never_adopted_ended_or_replaced(void **state)
{
	struct hypervisor_qube same_uuid = sample, same_name = sample;
	virConnectPtr connection;
	virDomainPtr domain;

	(void)state;
	same_uuid.uuid = FOREIGN_UUID;
	same_name.name = "test";
	assert_false(hypervisor_adopt(hypervisor, FOREIGN_UUID, "test"));
	start(&same_uuid);
	assert_non_null(strstr(outcome.error, "not ours"));
	start(&same_name);
	assert_non_null(strstr(outcome.error, "another domain"));
	call(hypervisor_kill, FOREIGN_UUID);
	assert_non_null(strstr(outcome.error, "not ours"));

	connection = virConnectOpen(URI);
	domain = virDomainLookupByName(connection, "test");
	assert_non_null(domain);
	assert_int_equal(virDomainIsActive(domain), 1);
	virDomainFree(domain);
	virConnectClose(connection);
}

static void
lvt_03_a_domain_that_was_ended_outside_is_noticed(void **state)
{
	virConnectPtr connection;
	virDomainPtr domain;

	(void)state;
	start(&sample);
	connection = virConnectOpen(URI);
	domain = virDomainLookupByUUIDString(connection, UUID);
	assert_non_null(domain);
	assert_int_equal(virDomainDestroy(domain), 0);
	virDomainFree(domain);
	virConnectClose(connection);
	settle();
	assert_int_equal(hypervisor_state(hypervisor, UUID), HYPERVISOR_HALTED);
	assert_string_equal(outcome.events->str, "10");
}

static void
libvirt_qube_is_adopted_by_the_next_hypervisor(void **state)
{
	g_autofree char *error = NULL;

	(void)state;
	start(&sample);
	hypervisor_free(hypervisor);
	assert_int_equal(hypervisor_new(URI, on_event, NULL, &hypervisor, &error), 0);
	assert_true(hypervisor_adopt(hypervisor, UUID, "work"));
	assert_int_equal(hypervisor_state(hypervisor, UUID), HYPERVISOR_RUNNING);
	assert_string_equal(outcome.events->str, "1");
	call(hypervisor_kill, UUID);
	assert_null(outcome.error);
}

/* Not by the look at all, which may see one that is just being started, but soon after it. */
static void
libvirt_description_that_was_left_behind_is_removed(void **state)
{
	g_autofree char *xml = NULL, *error = NULL;
	int before = count_domains();
	virConnectPtr connection = virConnectOpen(URI);
	virDomainPtr domain;

	(void)state;
	assert_int_equal(domain_xml_new(&sample, DOMAIN_XML_TEST, NULL, &xml, &error), 0);
	domain = virDomainDefineXML(connection, xml);
	assert_non_null(domain);
	virDomainFree(domain);
	virConnectClose(connection);
	hypervisor_free(hypervisor);
	settle();
	assert_int_equal(count_domains(), before + 1);
	assert_int_equal(hypervisor_new(URI, on_event, NULL, &hypervisor, &error), 0);
	assert_int_equal(count_domains(), before + 1);
	settle();
	assert_int_equal(count_domains(), before);
	assert_string_equal(outcome.events->str, "");
}

#define HANGING_CALLS 8

/* A call that libvirt does not answer until the test says so. */
static struct {
	GMutex mutex;
	GCond changed;
	bool may_end;
	int running, most, ended;
} hanging;

static void
work_hanging(struct libvirt_job *job)
{
	(void)job;
	g_mutex_lock(&hanging.mutex);
	hanging.running++;
	hanging.most = MAX(hanging.most, hanging.running);
	while (!hanging.may_end)
		g_cond_wait(&hanging.changed, &hanging.mutex);
	hanging.running--;
	hanging.ended++;
	g_mutex_unlock(&hanging.mutex);
}

static void
let_end(void)
{
	g_mutex_lock(&hanging.mutex);
	hanging.may_end = true;
	g_cond_broadcast(&hanging.changed);
	g_mutex_unlock(&hanging.mutex);
}

static void
libvirt_calls_that_hang_keep_one_thread_and_no_kill_out(void **state)
{
	(void)state;
	start(&sample);
	for (int i = 0; i < HANGING_CALLS; i++) {
		struct libvirt_job *job =
		    libvirt_job_new((struct libvirt *)hypervisor, work_hanging);

		job->uuid = g_strdup(UUID);
		libvirt_job_post(job);
	}
	call(hypervisor_kill, UUID);
	assert_null(outcome.error);
	assert_int_equal(hypervisor_state(hypervisor, UUID), HYPERVISOR_HALTED);
	let_end();
	settle();
	assert_int_equal(hanging.most, 1);
	assert_int_equal(hanging.ended, HANGING_CALLS);
}

static void
libvirt_calls_are_answered_when_libvirtd_is_lost(void **state)
{
	struct libvirt *libvirt = (struct libvirt *)hypervisor;
	struct libvirt_job *job = libvirt_job_new(libvirt, work_hanging);

	(void)state;
	begin_call();
	hanging.may_end = false;
	hanging.ended = 0;
	job->done = on_done;
	libvirt_job_post(job);
	settle(); /* it has begun */
	libvirt_tell_lost(libvirt);
	wait_done();
	assert_string_equal(outcome.error, "libvirt does not answer");
	assert_int_equal(hanging.ended, 0);
	let_end();
	settle(); /* and not answered once more */
	assert_int_equal(hanging.ended, 1);
}

/* A look at all that sees the qube before it ends, and is told after. */
static void
work_slow_look(struct libvirt_job *job)
{
	struct libvirt_finding finding = {.uuid = UUID, .our_id = 41};

	finding.qube.state = HYPERVISOR_RUNNING;
	finding.qube.xid = 41;
	finding.qube.number = g_atomic_int_add(&job->libvirt->number, 1) + 1;
	g_array_append_val(job->findings, finding);
	work_hanging(job);
}

static void
libvirt_look_at_all_that_comes_late_brings_nobody_back(void **state)
{
	struct libvirt *libvirt = (struct libvirt *)hypervisor;

	(void)state;
	hanging.may_end = false;
	start(&sample);
	libvirt_job_post(libvirt_job_new(libvirt, work_slow_look));
	settle(); /* it has begun */
	call(hypervisor_kill, UUID);
	settle();
	g_string_truncate(outcome.events, 0);
	let_end();
	settle();
	assert_string_equal(outcome.events->str, "");
	assert_int_equal(hypervisor_state(hypervisor, UUID), HYPERVISOR_HALTED);
	assert_int_equal(g_hash_table_size(libvirt->qubes), 0);
}

/* Two calls, each of which goes on when the other one is there. */
static struct {
	GMutex mutex;
	GCond changed;
	virConnectPtr connections[3];
	int count;
} meeting;

static void
work_meeting(struct libvirt_job *job)
{
	g_mutex_lock(&meeting.mutex);
	meeting.connections[meeting.count++] = job->connection;
	g_cond_broadcast(&meeting.changed);
	while (meeting.count < 2)
		g_cond_wait(&meeting.changed, &meeting.mutex);
	g_mutex_unlock(&meeting.mutex);
}

static void
libvirt_calls_do_not_share_a_connection(void **state)
{
	struct libvirt *libvirt = (struct libvirt *)hypervisor;

	(void)state;
	libvirt_job_post(libvirt_job_new(libvirt, work_meeting));
	libvirt_job_post(libvirt_job_new(libvirt, work_meeting));
	settle();
	libvirt_job_post(libvirt_job_new(libvirt, work_meeting));
	settle();
	assert_int_equal(meeting.count, 3);
	assert_non_null(meeting.connections[0]);
	assert_non_null(meeting.connections[1]);
	assert_ptr_not_equal(meeting.connections[0], meeting.connections[1]);
	assert_ptr_not_equal(meeting.connections[0], libvirt->watched);
	assert_ptr_not_equal(meeting.connections[1], libvirt->watched);
	assert_true(meeting.connections[2] == meeting.connections[0] ||
		    meeting.connections[2] == meeting.connections[1]);
}

/* No room for its window memory: other qubes have it now, and give it back. */
static void
libvirt_machine_without_room_is_saved_another_time(void **state)
{
	static const struct hypervisor_volume root = {
	    "root", "/nowhere/root-dirty.img", true, "/nowhere/root.img"};
	struct hypervisor_qube qube = sample;
	struct making making = {.key = (char *)"key", .region_bytes = UINT64_C(1) << 60};
	g_autofree char *folder = g_dir_make_tmp("test_hypervisor-XXXXXX", NULL);
	g_autofree char *saved = g_build_filename(folder, "saved", NULL);

	(void)state;
	g_setenv("QUBES_STATE_DIR", folder, TRUE);
	g_setenv("QUBES_RUNTIME_DIR", folder, TRUE);
	qube.klass = "DispVM";
	qube.kernel = "/nowhere/vmlinuz";
	qube.may_restore = true;
	qube.volumes = &root;
	qube.volume_count = 1;
	making.job = libvirt_job_new((struct libvirt *)hypervisor, NULL);
	making.machine = saved_machine_new(&qube);
	libvirt_making_run(&making);
	assert_non_null(making.error);
	assert_non_null(strstr(making.error, "no room"));
	assert_true(making.is_by_chance);
	saved_machine_free(making.machine);
	libvirt_job_free(making.job);
	g_free(making.region_name);
	g_free(making.error);
	g_rmdir(saved);
	g_rmdir(folder);
}

static void
hypervisor_kinds_that_are_not_there_are_refused_with_advice(void **state)
{
	static const char *const kinds[] = {"", "sandboxes", "lxc:///", "test:///no/such/file"};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autofree char *error = NULL;
		struct hypervisor *none = NULL;

		assert_true(hypervisor_new(kinds[i], on_event, NULL, &none, &error) < 0);
		assert_non_null(error);
		assert_null(none);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(libvirt_qube_starts_pauses_and_dies, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(libvirt_qube_shuts_down, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(libvirt_second_start_is_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(libvirt_calls_on_a_halted_qube_fail, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		lvt_02_a_foreign_domain_is_never_adopted_ended_or_replaced, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		lvt_03_a_domain_that_was_ended_outside_is_noticed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		libvirt_qube_is_adopted_by_the_next_hypervisor, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		libvirt_description_that_was_left_behind_is_removed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		libvirt_calls_that_hang_keep_one_thread_and_no_kill_out, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		libvirt_calls_are_answered_when_libvirtd_is_lost, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		libvirt_look_at_all_that_comes_late_brings_nobody_back, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		libvirt_calls_do_not_share_a_connection, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		libvirt_machine_without_room_is_saved_another_time, set_up, tear_down),
	    cmocka_unit_test(hypervisor_kinds_that_are_not_there_are_refused_with_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
