/* The Admin API from a whole request to the reply, without sockets. */
#include "tests/unit/admin_fixture.h"
#include "tests/unit/lifecycle_double.h"
#include "tests/unit/unit.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/statvfs.h>

static int
set_up(void **state)
{
	*state = admin_fixture_new();
	return 0;
}

static int
tear_down(void **state)
{
	admin_fixture_free(*state);
	return 0;
}

struct call {
	const char *source, *method, *arg, *dest, *payload;
	const char *reply; /* "OK content" or the class of an error */
};

static void
check_calls(struct admin_fixture *fixture, const struct call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct call *call = &calls[i];
		g_autofree char *reply = admin_fixture_call(
		    fixture, call->source, call->method, call->arg, call->dest, call->payload);

		if (strcmp(reply, call->reply) != 0)
			fail_msg("%s+%s %s -> %s %s: %s, not %s", call->method, call->arg,
			    call->source, call->dest, call->payload, reply, call->reply);
	}
}

#define CHECK(fixture, ...)                                                                        \
	do {                                                                                       \
		const struct call calls[] = {__VA_ARGS__};                                         \
		check_calls(fixture, calls, G_N_ELEMENTS(calls));                                  \
	} while (0)

/* --- the order of checks -------------------------------------------------------------------- */

static void
adm_03_the_source_is_judged_before_the_destination(void **state)
{
	CHECK(*state, {"nobody", "x", "", ".bad", "", "QubesVMNotFoundError"},
	    {".bad", "x", "", "nobody", "", "QubesValueError"},
	    {"dom0", "x", "", "nobody", "", "QubesVMNotFoundError"},
	    {"dom0", "x", "", "uuid:1", "", "QubesVMInvalidUUIDError"},
	    {"uuid:00000000-0000-0000-0000-000000000000", "admin.vm.tag.Get", "x",
		"uuid:00000000-0000-0000-0000-000000000000", "", "OK 0"});
}

static void
non_ascii_in_the_argument_drops_after_the_names(void **state)
{
	CHECK(*state, {"dom0", "admin.vm.List", "\x80", "nobody", "", "QubesVMNotFoundError"},
	    {"dom0", "admin.vm.List", "\x80", "dom0", "", "DROPPED"});
}

static void
adm_02_method_payload_argument_destination_in_this_order(void **state)
{
	CHECK(*state, {"dom0", "admin.vm.Lisp", "a", "dom0", "p", "ProtocolError"},
	    {"dom0", "internal.GetSystemInfo", "", "dom0", "", "ProtocolError"},
	    {"dom0", "admin.label.Get", "", "dom0", "p", "ProtocolError"},
	    {"dom0", "admin.label.Get", "", "dom0", "", "ProtocolError"},
	    {"dom0", "admin.label.Get", "red", "test-vm1", "", "ProtocolError"},
	    {"dom0", "admin.vm.notes.Get", "", "dom0", "", "ProtocolError"},
	    {"dom0", "admin.label.Get", "red", "dom0", "", "OK 0xcc0000"});
}

static void
a_rule_of_permission_comes_before_what_exists(void **state)
{
	CHECK(*state,
	    {"test-vm1", "admin.vm.tag.Set", "created-by-nobody", "test-vm1", "",
		"PermissionDenied"},
	    {"dom0", "admin.vm.tag.Set", "created-by-nobody", "test-vm1", "",
		"QubesVMNotFoundError"},
	    {"test-vm1", "admin.vm.tag.Set", "created-by-.x", "test-vm1", "",
		"QubesInvalidTagError"});
}

static void
a_frame_without_end_is_dropped(void **state)
{
	static const char frame[] = "admin.vm.List dom0 name dom0";

	assert_null(admin_fixture_call_bytes(*state, ADMIN_SOCKET_MAIN, frame, strlen(frame)));
}

static void
methods_belong_to_their_socket(void **state)
{
	static const char frame[] = "internal.GetSystemInfo dom0 name dom0";
	g_autoptr(GByteArray) reply =
	    admin_fixture_call_bytes(*state, ADMIN_SOCKET_INTERNAL, frame, sizeof(frame));
	g_autoptr(GByteArray) misc =
	    admin_fixture_call_bytes(*state, ADMIN_SOCKET_MISC, frame, sizeof(frame));

	assert_memory_equal(reply->data, "0", 2);
	assert_non_null(strstr((char *)reply->data + 2, "\"test-vm1\": {\"internal\": null"));
	assert_memory_equal(misc->data, "2\0ProtocolError", 15);
}

/* --- methods -------------------------------------------------------------------------------- */

static void
the_list_has_dom0_first_and_the_rest_by_name(void **state)
{
	struct admin_fixture *fixture = *state;
	g_autofree char *wanted = g_strdup_printf(
	    "OK dom0 class=AdminVM state=Running uuid=00000000-0000-0000-0000-000000000000\n"
	    "test-template class=TemplateVM state=Halted uuid=%s\n"
	    "test-vm1 class=AppVM state=Halted uuid=%s\n",
	    domain_uuid(qubes_app_find(fixture->app, "test-template")),
	    domain_uuid(qubes_app_find(fixture->app, "test-vm1")));
	g_autofree char *reply =
	    admin_fixture_call(fixture, "dom0", "admin.vm.List", "", "dom0", "");
	g_autofree char *one =
	    admin_fixture_call(fixture, "test-vm1", "admin.vm.List", "", "test-template", "");

	assert_string_equal(reply, wanted);
	assert_true(g_str_has_prefix(one, "OK test-template class=TemplateVM"));
	assert_null(strstr(one, "test-vm1"));
}

static void
adm_03_without_a_policy_daemon_another_caller_sees_nothing_in_the_list(void **state)
{
	CHECK(*state, {"test-vm1", "admin.vm.List", "", "dom0", "", "OK "});
}

static void
create_checks_what_is_named_inside_in_order(void **state)
{
	CHECK(*state,
	    {"dom0", "admin.vm.Create.AppVM", "nobody", "dom0", "name=test-vm1 label=mauve",
		"QubesVMAlreadyExistsError"},
	    {"dom0", "admin.vm.Create.AppVM", "nobody", "dom0", "name=n label=mauve",
		"QubesVMNotFoundError"},
	    {"dom0", "admin.vm.Create.AppVM", "", "dom0", "name=n label=mauve",
		"QubesLabelNotFoundError"},
	    {"dom0", "admin.vm.CreateInPool.AppVM", "", "dom0", "name=n label=red pool=none",
		"QubesException"},
	    {"dom0", "admin.vm.CreateInPool.AppVM", "", "dom0", "name=n label=red pool:root=test",
		"QubesException"},
	    {"dom0", "admin.vm.Create.AppVM", "test-vm1", "dom0", "name=n label=red",
		"QubesValueError"},
	    {"dom0", "admin.vm.Create.StandaloneVM", "test-template", "dom0", "name=n label=red",
		"ProtocolError"},
	    {"dom0", "admin.vm.Create.AdminVM", "", "dom0", "name=n label=red", "QubesException"},
	    {"dom0", "admin.vm.Create.DispVM", "test-vm1", "dom0", "name=n label=red",
		"QubesException"},
	    {"dom0", "admin.vm.Create.AppVM", "", "dom0", "name=dom0 label=red",
		"QubesVMAlreadyExistsError"},
	    {"dom0", "admin.vm.CreateInPool.AppVM", "", "dom0", "name=n label=red pool=test",
		"OK "},
	    {"dom0", "admin.vm.Create.RemoteVM", "", "dom0", "name=far label=red", "OK "},
	    {"dom0", "admin.vm.Start", "", "far", "", "QubesVMError"});
}

static void
a_new_qube_has_the_tags_of_its_creator(void **state)
{
	CHECK(*state,
	    {"dom0", "admin.vm.feature.Set", "tag-created-vm-with", "test-vm1", "one two", "OK "},
	    {"test-vm1", "admin.vm.Create.AppVM", "", "dom0", "name=made label=red", "OK "},
	    {"dom0", "admin.vm.tag.List", "", "made", "",
		"OK audiovm-dom0\ncreated-by-test-vm1\nguivm-dom0\none\ntwo\n"});
}

static void
the_name_of_a_creator_is_not_reused_without_dom0(void **state)
{
	CHECK(*state, {"dom0", "admin.vm.Create.AppVM", "", "dom0", "name=maker label=red", "OK "},
	    {"maker", "admin.vm.Create.AppVM", "", "dom0", "name=made label=red", "OK "},
	    {"dom0", "admin.vm.Remove", "", "maker", "", "OK "},
	    {"test-vm1", "admin.vm.Create.AppVM", "", "dom0", "name=maker label=red",
		"QubesException"},
	    {"dom0", "admin.vm.Create.AppVM", "", "dom0", "name=maker label=red", "OK "});
}

static void
disposables_come_from_templates_for_them_and_have_their_tags(void **state)
{
	struct admin_fixture *fixture = *state;
	g_autofree char *reply = NULL;
	g_autofree char *tags = NULL;
	g_autofree char *dispvm = NULL;

	CHECK(fixture, {"dom0", "admin.vm.CreateDisposable", "", "test-vm1", "", "QubesException"},
	    {"dom0", "admin.vm.CreateDisposable", "", "dom0", "", "QubesException"},
	    {"dom0", "admin.vm.CreateDisposable", "oops", "test-vm1", "", "PermissionDenied"},
	    {"dom0", "admin.vm.CreateDisposable", "", "test-vm1", "oops", "ProtocolError"},
	    {"dom0", "admin.vm.property.Set", "template_for_dispvms", "test-vm1", "1", "OK "},
	    {"dom0", "admin.vm.tag.Set", "mine", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.CreateDisposable", "preload", "dom0", "", "OK "});
	reply = admin_fixture_call(
	    fixture, "test-vm1", "admin.vm.CreateDisposable", "", "test-vm1", "");
	assert_true(g_str_has_prefix(reply, "OK disp"));
	tags = admin_fixture_call(fixture, "dom0", "admin.vm.tag.List", "", reply + 3, "");
	assert_string_equal(tags, "OK audiovm-dom0\ncreated-by-dom0\ncreated-by-test-vm1\n"
				  "disp-created-by-test-vm1\nguivm-dom0\nmine\n");
	dispvm = admin_fixture_call(
	    fixture, "dom0", "admin.vm.property.Get", "default_dispvm", reply + 3, "");
	assert_string_equal(dispvm, "OK default=True type=vm test-vm1");
}

static void
a_disposable_can_be_asked_for_by_uuid(void **state)
{
	struct admin_fixture *fixture = *state;
	g_autofree char *reply = NULL;
	g_autofree char *klass = NULL;

	CHECK(fixture,
	    {"dom0", "admin.vm.property.Set", "template_for_dispvms", "test-vm1", "True", "OK "},
	    {"dom0", "admin.property.Set", "default_dispvm", "dom0", "test-vm1", "OK "});
	reply =
	    admin_fixture_call(fixture, "dom0", "admin.vm.CreateDisposable", "", "dom0", "uuid");
	assert_true(g_str_has_prefix(reply, "OK uuid:"));
	klass =
	    admin_fixture_call(fixture, "dom0", "admin.vm.property.Get", "klass", reply + 3, "");
	assert_string_equal(klass, "OK default=True type=str DispVM");
}

static void
adm_07_what_is_referred_to_or_running_is_not_removed(void **state)
{
	struct admin_fixture *fixture = *state;

	CHECK(fixture, {"dom0", "admin.vm.Remove", "", "dom0", "", "QubesVMInUseError"},
	    {"dom0", "admin.vm.Remove", "", "test-template", "", "QubesVMInUseError"},
	    {"dom0", "admin.vm.property.Set", "installed_by_rpm", "test-vm1", "1", "OK "},
	    {"dom0", "admin.vm.Remove", "", "test-vm1", "", "QubesVMInUseError"},
	    {"dom0", "admin.vm.property.Reset", "installed_by_rpm", "test-vm1", "", "OK "});
	lifecycle_double_set(
	    fixture->lifecycle, qubes_app_find(fixture->app, "test-vm1"), "Running");
	CHECK(fixture, {"dom0", "admin.vm.Remove", "", "test-vm1", "", "QubesVMNotHaltedError"},
	    {"dom0", "admin.vm.Kill", "", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.Remove", "", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.Remove", "", "test-template", "", "QubesVMInUseError"},
	    {"dom0", "admin.property.Set", "default_template", "dom0", "", "OK "},
	    {"dom0", "admin.vm.Remove", "", "test-template", "", "OK "},
	    {"dom0", "admin.vm.Remove", "", "test-template", "", "QubesVMNotFoundError"});
}

static void
a_removed_qube_leaves_no_files_for_the_next_of_its_name(void **state)
{
	struct admin_fixture *fixture = *state;
	g_autofree char *private = domain_private_dir(qubes_app_find(fixture->app, "test-vm1"));
	g_autofree char *secret = g_build_filename(private, "secret", NULL);

	g_file_set_contents(secret, "s", 1, NULL);
	CHECK(fixture, {"dom0", "admin.vm.Remove", "", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.Create.AppVM", "", "dom0", "name=test-vm1 label=red", "OK "});
	assert_true(g_file_test(private, G_FILE_TEST_IS_DIR));
	assert_false(g_file_test(secret, G_FILE_TEST_EXISTS));
}

static void
files_of_nobody_keep_a_name_from_being_used(void **state)
{
	struct admin_fixture *fixture = *state;
	g_autofree char *dir = g_build_filename(fixture->dir, "appvms", "old", "private", NULL);
	g_autofree char *secret = g_build_filename(dir, "secret", NULL);

	g_mkdir_with_parents(dir, 0700);
	g_file_set_contents(secret, "s", 1, NULL);
	CHECK(fixture,
	    {"dom0", "admin.vm.Create.AppVM", "", "dom0", "name=old label=red", "QubesException"});
	g_unlink(secret);
	CHECK(fixture, {"dom0", "admin.vm.Create.AppVM", "", "dom0", "name=old label=red", "OK "});
}

static void
adm_08_of_many_creates_of_one_name_one_wins(void **state)
{
	unsigned won = 0;

	for (unsigned i = 0; i < 50; i++) {
		g_autofree char *reply = admin_fixture_call(
		    *state, "dom0", "admin.vm.Create.AppVM", "", "dom0", "name=same label=red");

		won += strcmp(reply, "OK ") == 0;
	}
	assert_int_equal(won, 1);
}

static void
a_qube_takes_256_tags_and_no_more(void **state)
{
	struct admin_fixture *fixture = *state;
	struct domain *domain = qubes_app_find(fixture->app, "test-vm1");

	while (domain_tag_count(domain) < 255) {
		g_autofree char *tag = g_strdup_printf("t%u", domain_tag_count(domain));

		assert_true(domain_tag_load(domain, tag));
	}
	CHECK(fixture, {"dom0", "admin.vm.tag.Set", "last", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.tag.Set", "more", "test-vm1", "", "QubesValueError"},
	    {"dom0", "admin.vm.tag.Set", "last", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.tag.Remove", "last", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.tag.Set", "more", "test-vm1", "", "OK "});
}

static void
adm_06_creator_tags_are_dom0s_alone(void **state)
{
	CHECK(*state,
	    {"test-vm1", "admin.vm.tag.Set", "created-by-test-vm1", "test-vm1", "",
		"PermissionDenied"},
	    {"test-vm1", "admin.vm.tag.Remove", "created-by-dom0", "test-vm1", "",
		"PermissionDenied"},
	    {"dom0", "admin.vm.tag.Set", "created-by-test-vm1", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.tag.Remove", "created-by-test-vm1", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.tag.Remove", "created-by-test-vm1", "test-vm1", "",
		"QubesTagNotFoundError"});
}

static void
adm_06_bookkeeping_features_are_nobodys(void **state)
{
	CHECK(*state,
	    {"dom0", "admin.vm.feature.Set", "preload-dispvm", "test-vm1", "x", "PermissionDenied"},
	    {"dom0", "admin.vm.feature.Set", "preload-dispvm-completed", "test-vm1", "x",
		"PermissionDenied"},
	    {"dom0", "admin.vm.feature.Remove", "deferred-netvm-original", "test-vm1", "",
		"PermissionDenied"},
	    {"dom0", "admin.vm.feature.Set", "preload-dispvm-max", "test-vm1", "3", "OK "});
}

static void
adm_06_the_hypervisor_is_dom0s_choice(void **state)
{
	CHECK(*state,
	    {"test-vm1", "admin.vm.feature.Set", "hypervisor", "test-vm1", "sandbox",
		"PermissionDenied"},
	    {"dom0", "admin.vm.feature.Set", "hypervisor", "test-vm1", "sandbox", "OK "},
	    {"test-vm1", "admin.vm.feature.Remove", "hypervisor", "test-vm1", "",
		"PermissionDenied"},
	    {"dom0", "admin.vm.feature.Get", "hypervisor", "test-vm1", "", "OK sandbox"},
	    {"test-vm1", "admin.vm.feature.Set", "hypervisors", "test-vm1", "x", "OK "},
	    {"dom0", "admin.vm.feature.Remove", "hypervisor", "test-vm1", "", "OK "});
}

static void
features_that_mean_something_have_their_rules(void **state)
{
	CHECK(*state,
	    {"dom0", "admin.vm.feature.Set", "service.", "test-vm1", "1", "QubesValueError"},
	    {"dom0", "admin.vm.feature.Set", "service...", "test-vm1", "1", "QubesValueError"},
	    {"dom0", "admin.vm.feature.Set",
		"service.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "test-vm1", "1",
		"QubesValueError"},
	    {"dom0", "admin.vm.feature.Set",
		"service.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "test-vm1", "1", "OK "},
	    {"dom0", "admin.vm.feature.Set", "vm-config.1a", "test-vm1", "1", "QubesValueError"},
	    {"dom0", "admin.vm.feature.Set", "vm-config.a1", "test-vm1", "1", "OK "},
	    {"dom0", "admin.vm.feature.Set", "custom-persist.x", "test-vm1", "etc",
		"QubesValueError"},
	    {"dom0", "admin.vm.feature.Set", "custom-persist.x", "test-vm1",
		"dir:user:user:0755:/home/x", "OK "},
	    {"dom0", "admin.vm.feature.Set", "net.fake-ip", "test-vm1", "1.2.3", "QubesValueError"},
	    {"dom0", "admin.vm.feature.Set", "net.fake-ip", "test-vm1", "1.2.3.4", "OK "},
	    {"dom0", "admin.vm.feature.Set", "hypervisor", "test-vm1",
		"qemu+ext:///system?command=/bin/true", "QubesValueError"},
	    {"dom0", "admin.vm.feature.Set", "hypervisor", "test-vm1", "qemu:///system?x=y",
		"QubesValueError"},
	    {"dom0", "admin.vm.feature.Set", "hypervisor", "test-vm1", "qemu:///system", "OK "},
	    {"dom0", "admin.vm.feature.Set", "hypervisor", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.feature.Remove", "hypervisor", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.feature.Set", "a/b", "test-vm1", "", "ProtocolError"},
	    {"dom0", "admin.vm.feature.Set", "x", "test-vm1", "a\nb", "ProtocolError"},
	    {"dom0", "admin.vm.feature.Set", "service.meminfo-writer", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.property.Get", "maxmem", "test-vm1", "",
		"OK default=False type=int 0"},
	    {"dom0", "admin.vm.feature.Set", "service.meminfo-writer", "test-vm1", "1", "OK "},
	    {"dom0", "admin.vm.property.Get", "maxmem", "test-vm1", "",
		"OK default=True type=int 0"},
	    {"dom0", "admin.vm.feature.Get", "service.meminfo-writer", "test-vm1", "",
		"QubesFeatureNotFoundError"});
}

static void
feature_chains_stop_at_the_first_that_has_it(void **state)
{
	CHECK(*state, {"dom0", "admin.vm.feature.Set", "f", "dom0", "admin", "OK "},
	    {"dom0", "admin.vm.feature.Get", "f", "test-vm1", "", "QubesFeatureNotFoundError"},
	    {"dom0", "admin.vm.feature.CheckWithTemplate", "f", "test-vm1", "",
		"QubesFeatureNotFoundError"},
	    {"dom0", "admin.vm.feature.CheckWithAdminVM", "f", "test-vm1", "", "OK admin"},
	    {"dom0", "admin.vm.feature.Set", "f", "test-template", "", "OK "},
	    {"dom0", "admin.vm.feature.CheckWithTemplate", "f", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.feature.CheckWithTemplateAndAdminVM", "f", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.feature.CheckWithNetvm", "f", "test-vm1", "",
		"QubesFeatureNotFoundError"},
	    {"dom0", "admin.vm.feature.List", "", "dom0", "", "OK f\n"});
}

static void
labels_are_made_used_and_removed(void **state)
{
	CHECK(*state,
	    {"dom0", "admin.label.Create", "red", "dom0", "0xff0000", "QubesLabelInUseError"},
	    {"dom0", "admin.label.Create", "01", "dom0", "0xff0000", "QubesInvalidLabelError"},
	    {"dom0", "admin.label.Create", "../x", "dom0", "0xff0000", "QubesInvalidLabelError"},
	    {"dom0", "admin.label.Create", "cyan", "dom0", "0x00fffg",
		"QubesInvalidLabelValueError"},
	    {"dom0", "admin.label.Create", "cyan", "dom0", "0x00FFFF", "OK "},
	    {"dom0", "admin.label.Get", "cyan", "dom0", "", "OK 0x00ffff"},
	    {"dom0", "admin.label.Index", "cyan", "dom0", "", "OK 9"},
	    {"dom0", "admin.vm.property.Set", "label", "test-vm1", "cyan", "OK "},
	    {"dom0", "admin.label.Remove", "cyan", "dom0", "", "QubesLabelInUseError"},
	    {"dom0", "admin.vm.property.Set", "label", "test-vm1", "red", "OK "},
	    {"dom0", "admin.label.Remove", "cyan", "dom0", "", "OK "},
	    {"dom0", "admin.label.Remove", "cyan", "dom0", "", "QubesLabelNotFoundError"},
	    {"dom0", "admin.label.Remove", "blue", "dom0", "", "ProtocolError"});
}

static void
power_methods_answer_by_state_and_class(void **state)
{
	CHECK(*state, {"dom0", "admin.vm.Start", "", "dom0", "", "QubesVMNotHaltedError"},
	    {"dom0", "admin.vm.Kill", "", "dom0", "", "QubesVMError"},
	    {"dom0", "admin.vm.Kill", "", "test-vm1", "", "QubesVMNotStartedError"},
	    {"dom0", "admin.vm.CurrentState", "", "test-vm1", "",
		"OK mem=0 mem_static_max=0 cputime=0 power_state=Halted"},
	    {"dom0", "admin.vm.Start", "", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.Start", "", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.CurrentState", "", "test-vm1", "",
		"OK mem=512 mem_static_max=1024 cputime=100 power_state=Running"},
	    {"dom0", "admin.vm.Unpause", "", "test-vm1", "", "QubesVMNotPausedError"},
	    {"dom0", "admin.vm.Pause", "", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.Unpause", "", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.Shutdown", "forcewait", "test-vm1", "", "ProtocolError"},
	    {"dom0", "admin.vm.Shutdown", "force+wait", "test-vm1", "", "OK "});
}

static void
notes_are_kept(void **state)
{
	CHECK(*state, {"dom0", "admin.vm.notes.Get", "", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.notes.Set", "", "test-vm1", "For\n\x1b eyes", "OK "},
	    {"dom0", "admin.vm.notes.Get", "", "test-vm1", "", "OK For\n_ eyes"});
}

static void
pools_are_listed_with_their_configuration(void **state)
{
	struct admin_fixture *fixture = *state;
	g_autofree char *info =
	    admin_fixture_call(fixture, "dom0", "admin.pool.Info", "linux-kernel", "dom0", "");
	g_autofree char *wanted = g_strdup_printf(
	    "OK dir_path=%s/vm-kernels\ndriver=linux-kernel\nname=linux-kernel\n", fixture->dir);

	CHECK(fixture,
	    {"dom0", "admin.pool.List", "", "dom0", "", "OK varlibqubes\nlinux-kernel\ntest\n"},
	    {"test-vm1", "admin.pool.Info", "linux-kernel", "dom0", "",
		"OK driver=linux-kernel\nname=linux-kernel\n"},
	    {"dom0", "admin.pool.Info", "none", "dom0", "", "PermissionDenied"});
	assert_string_equal(info, wanted);
}

/* A file system may take as long as it likes to answer: in a thread. */
static bool asked_on_main_loop;
static GThread *main_thread;

int __real_statvfs(const char *path, struct statvfs *ret);
int __wrap_statvfs(const char *path, struct statvfs *ret);
int
__wrap_statvfs(const char *path, struct statvfs *ret)
{
	(void)path;
	if (g_thread_self() == main_thread)
		asked_on_main_loop = true;
	*ret = (struct statvfs){.f_blocks = 1000, .f_bfree = 300, .f_frsize = 512};
	return 0;
}

static void
the_sizes_of_a_pool_are_asked_beside_the_main_loop(void **state)
{
	struct admin_fixture *fixture = *state;
	g_autofree char *info = NULL;

	main_thread = g_thread_self();
	asked_on_main_loop = false;
	info = admin_fixture_call(fixture, "dom0", "admin.pool.Info", "varlibqubes", "dom0", "");
	assert_true(g_str_has_suffix(info, "\nsize=512000\nusage=358400\n"));
	assert_false(asked_on_main_loop);
}

static void
adm_15_a_line_of_get_all_cannot_be_forged(void **state)
{
	struct admin_fixture *fixture = *state;
	g_autofree char *all = NULL;

	CHECK(fixture,
	    {"dom0", "admin.vm.property.Set", "kernelopts", "test-vm1", "a\\nb\\", "OK "},
	    {"dom0", "admin.vm.property.Set", "kernelopts", "test-vm1",
		"a\nxid default=True type=int 5", "QubesValueError"});
	all = admin_fixture_call(fixture, "dom0", "admin.vm.property.GetAll", "", "test-vm1", "");
	assert_non_null(strstr(all, "\nkernelopts default=False type=str a\\\\nb\\\\\n"));
}

static void
adm_11_no_reply_names_a_path_of_the_host_to_a_qube(void **state)
{
	struct admin_fixture *fixture = *state;
	static const char *const methods[] = {"admin.vm.List", "admin.vm.CurrentState",
	    "admin.vm.property.GetAll", "admin.vm.notes.Get", "admin.vm.Start", "admin.vm.Remove"};

	for (size_t i = 0; i < G_N_ELEMENTS(methods); i++) {
		g_autofree char *reply =
		    admin_fixture_call(fixture, "test-vm1", methods[i], "", "test-vm1", "");

		assert_null(strstr(reply, fixture->dir));
	}
}

static void
adm_16_an_error_names_no_qube_that_the_caller_did_not_name(void **state)
{
	struct admin_fixture *fixture = *state;
	static const char remove[] = "admin.vm.Remove other name test-template";
	static const char create[] =
	    "admin.vm.Create.AppVM+test-template other name dom0\0name=n label=test-vm1";
	static const struct {
		const char *bytes;
		size_t len;
	} requests[] = {{remove, sizeof(remove)}, {create, sizeof(create) - 1}};

	CHECK(
	    fixture, {"dom0", "admin.vm.Create.AppVM", "", "dom0", "name=other label=red", "OK "});
	for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
		g_autoptr(GByteArray) reply = admin_fixture_call_bytes(
		    fixture, ADMIN_SOCKET_MAIN, requests[i].bytes, requests[i].len);

		assert_int_equal(reply->data[0], '2');
		assert_null(memmem(reply->data, reply->len, "test-vm1", 8));
		assert_null(memmem(reply->data, reply->len, fixture->dir, strlen(fixture->dir)));
	}
}

static void
adm_18_a_change_that_cannot_be_stored_is_taken_back(void **state)
{
	struct admin_fixture *fixture = *state;
	g_autofree char *xml = g_build_filename(fixture->dir, "qubes.xml", NULL);
	g_autofree char *hidden = g_build_filename(fixture->dir, "hidden", NULL);

	assert_int_equal(g_rename(xml, hidden), 0); /* "changed by somebody else" */
	CHECK(fixture,
	    {"dom0", "admin.vm.property.Set", "memory", "test-vm1", "777", "QubesException"},
	    {"dom0", "admin.vm.property.Get", "memory", "test-vm1", "",
		"OK default=True type=int 400"},
	    {"dom0", "admin.vm.feature.Set", "f", "test-vm1", "1", "QubesException"},
	    {"dom0", "admin.vm.feature.Get", "f", "test-vm1", "", "QubesFeatureNotFoundError"},
	    {"dom0", "admin.vm.tag.Set", "t", "test-vm1", "", "QubesException"},
	    {"dom0", "admin.vm.tag.Get", "t", "test-vm1", "", "OK 0"},
	    {"dom0", "admin.label.Create", "cyan", "dom0", "0x00ffff", "QubesException"},
	    {"dom0", "admin.label.Get", "cyan", "dom0", "", "QubesLabelNotFoundError"},
	    {"dom0", "admin.vm.Create.AppVM", "", "dom0", "name=new label=red", "QubesException"},
	    {"dom0", "admin.vm.tag.List", "", "new", "", "QubesVMNotFoundError"},
	    {"dom0", "admin.vm.Remove", "", "test-vm1", "", "QubesException"},
	    {"dom0", "admin.vm.tag.Get", "t", "test-vm1", "", "OK 0"});
	assert_int_equal(g_rename(hidden, xml), 0);
	CHECK(fixture, {"dom0", "admin.vm.property.Set", "memory", "test-vm1", "777", "OK "},
	    {"dom0", "admin.vm.Create.AppVM", "", "dom0", "name=new label=red", "OK "},
	    {"dom0", "admin.vm.Remove", "", "test-vm1", "", "OK "});
}

/* One line of Info of a volume of test-vm1, as a caller gets it. */
static char *
volume_line(struct admin_fixture *fixture, const char *source, const char *volume, const char *key)
{
	g_autofree char *reply =
	    admin_fixture_call(fixture, source, "admin.vm.volume.Info", volume, "test-vm1", "");
	g_auto(GStrv) lines = g_strsplit(reply, "\n", -1);
	g_autofree char *prefix = g_strconcat(key, "=", NULL);

	for (char **line = lines; *line != NULL; line++) {
		if (g_str_has_prefix(*line, prefix))
			return g_strdup(*line + strlen(prefix));
	}
	return g_strdup(reply);
}

static void
adm_11_only_dom0_learns_where_a_volume_lies(void **state)
{
	struct admin_fixture *fixture = *state;
	g_autofree char *hidden = NULL;
	g_autofree char *told = NULL;
	g_autofree char *kept = NULL;

	CHECK(fixture, {"dom0", "admin.vm.volume.List", "", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.volume.Info", "root", "test-vm1", "", "PermissionDenied"},
	    {"dom0", "admin.vm.feature.Set", "hypervisor", "test-vm1", "test:///default", "OK "},
	    {"dom0", "admin.vm.volume.List", "", "test-vm1", "",
		"OK root\nprivate\nvolatile\nkernel\n"},
	    {"dom0", "admin.vm.volume.Info", "../root", "test-vm1", "", "PermissionDenied"},
	    {"dom0", "admin.vm.volume.List", "", "dom0", "", "OK "});
	hidden = volume_line(fixture, "test-template", "private", "path");
	told = volume_line(fixture, "dom0", "private", "path");
	kept = volume_line(fixture, "test-template", "private", "save_on_stop");
	assert_string_equal(hidden, "");
	assert_true(g_str_has_prefix(told, fixture->dir));
	assert_string_equal(kept, "True");
}

static void
adm_10_sizes_and_revisions_are_judged_before_anything_is_done(void **state)
{
	struct admin_fixture *fixture = *state;

	CHECK(fixture,
	    {"dom0", "admin.vm.feature.Set", "hypervisor", "test-vm1", "test:///default", "OK "},
	    {"dom0", "admin.vm.volume.Resize", "private", "test-vm1", "0", "ProtocolError"},
	    {"dom0", "admin.vm.volume.Resize", "private", "test-vm1", "9223372036854775808",
		"ProtocolError"},
	    {"dom0", "admin.vm.volume.Resize", "private", "test-vm1", "3221225472", "OK "},
	    {"dom0", "admin.vm.volume.Resize", "root", "test-vm1", "32212254720", "QubesException"},
	    {"dom0", "admin.vm.volume.Revert", "private", "test-vm1", "1/2", "ProtocolError"},
	    {"dom0", "admin.vm.volume.Revert", "private", "test-vm1", "1",
		"QubesVolumeRevisionNotFoundError"},
	    {"dom0", "admin.vm.volume.Set.rw", "private", "test-vm1", "perhaps", "ProtocolError"},
	    {"dom0", "admin.vm.volume.Set.rw", "private", "test-vm1", "False", "OK "},
	    {"dom0", "admin.vm.volume.Set.ephemeral", "volatile", "test-vm1", "True",
		"QubesValueError"},
	    {"dom0", "admin.vm.volume.Set.revisions_to_keep", "private", "test-vm1", "-2",
		"ProtocolError"},
	    {"dom0", "admin.vm.volume.Set.revisions_to_keep", "private", "test-vm1", "-1", "OK "},
	    {"dom0", "admin.vm.volume.CloneTo", "private", "test-vm1", "nosuchtoken",
		"QubesVolumeCopyTokenNotFoundError"},
	    {"dom0", "admin.vm.volume.Clear", "volatile", "test-vm1", "", "QubesException"});
	admin_fixture_restart(fixture);
	g_autofree char *size = volume_line(fixture, "dom0", "private", "size");
	g_autofree char *rw = volume_line(fixture, "dom0", "private", "rw");
	g_autofree char *revisions = volume_line(fixture, "dom0", "private", "revisions_to_keep");
	assert_string_equal(size, "3221225472");
	assert_string_equal(rw, "False");
	assert_string_equal(revisions, "-1");
}

static void
the_hypervisor_of_a_qube_that_runs_stays_the_same(void **state)
{
	struct admin_fixture *fixture = *state;

	CHECK(fixture, {"dom0", "admin.vm.feature.Set", "hypervisor", "test-vm1", "sandbox", "OK "},
	    {"dom0", "admin.vm.Start", "", "test-vm1", "", "OK "},
	    {"dom0", "admin.vm.feature.Set", "hypervisor", "test-vm1", "qemu:///system",
		"QubesVMNotHaltedError"},
	    {"dom0", "admin.vm.feature.Remove", "hypervisor", "test-vm1", "",
		"QubesVMNotHaltedError"},
	    {"dom0", "admin.vm.feature.Get", "hypervisor", "test-vm1", "", "OK sandbox"});
}

static gboolean
remove_qube(void *data)
{
	struct admin_fixture *fixture = data;
	struct admin_error error = {0};

	assert_true(qubes_app_remove_domain(
	    fixture->app, qubes_app_find(fixture->app, "test-vm1"), &error));
	return G_SOURCE_REMOVE;
}

/* Its files may belong to another qube of the same name by then. */
static void
adm_09_volumes_of_a_qube_that_goes_during_the_call_are_left_alone(void **state)
{
	static const char *const changes[][2] = {
	    {"admin.vm.volume.Resize", "3221225472"},
	    {"admin.vm.volume.Clear", ""},
	    {"admin.vm.volume.CloneFrom", ""},
	    {"admin.vm.volume.Revert", "1"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
		struct admin_fixture *fixture = i == 0 ? *state : admin_fixture_new();

		CHECK(fixture,
		    {"dom0", "admin.vm.feature.Set", "hypervisor", "test-vm1", "test:///default",
			"OK "},
		    {"dom0", "admin.vm.volume.List", "", "test-vm1", "",
			"OK root\nprivate\nvolatile\nkernel\n"});
		g_idle_add_full(G_PRIORITY_HIGH, remove_qube, fixture, NULL);
		CHECK(fixture, {"dom0", changes[i][0], "private", "test-vm1", changes[i][1],
				   "QubesVMNotFoundError"});
		if (i > 0)
			admin_fixture_free(fixture);
	}
}

static void
where_a_pool_lies_is_for_dom0_to_say(void **state)
{
	struct admin_fixture *fixture = *state;
	g_autofree char *config = g_strdup_printf("name=more\ndir_path=%s/more", fixture->dir);

	CHECK(fixture, {"test-vm1", "admin.pool.Add", "file", "dom0", config, "PermissionDenied"},
	    {"dom0", "admin.pool.Add", "zfs", "dom0", config, "PermissionDenied"},
	    {"dom0", "admin.pool.Add", "file", "dom0", "name=more", "QubesException"},
	    {"dom0", "admin.pool.Add", "file", "dom0", config, "OK "},
	    {"dom0", "admin.pool.Add", "file", "dom0", config, "QubesPoolInUseError"},
	    {"dom0", "admin.pool.Set.revisions_to_keep", "more", "dom0", "2", "QubesValueError"},
	    {"dom0", "admin.pool.Set.revisions_to_keep", "more", "dom0", "0", "OK "},
	    {"dom0", "admin.pool.Set.ephemeral_volatile", "more", "dom0", "True",
		"QubesValueError"},
	    {"dom0", "admin.pool.volume.List", "more", "dom0", "", "OK "},
	    {"dom0", "admin.pool.volume.List", "none", "dom0", "", "PermissionDenied"},
	    {"dom0", "admin.pool.Remove", "varlibqubes", "dom0", "", "QubesPoolInUseError"},
	    {"dom0", "admin.pool.Remove", "more", "dom0", "", "OK "},
	    {"dom0", "admin.pool.Remove", "more", "dom0", "", "PermissionDenied"});
}

static void
what_was_answered_is_there_after_a_restart(void **state)
{
	struct admin_fixture *fixture = *state;

	CHECK(fixture, {"dom0", "admin.vm.property.Set", "memory", "test-vm1", "777", "OK "},
	    {"dom0", "admin.vm.feature.Set", "f", "test-vm1", "<\"&'>", "OK "},
	    {"dom0", "admin.vm.tag.Set", "t", "test-vm1", "", "OK "},
	    {"dom0", "admin.property.Set", "stats_interval", "dom0", "9", "OK "});
	admin_fixture_restart(fixture);
	CHECK(fixture,
	    {"dom0", "admin.vm.property.Get", "memory", "test-vm1", "",
		"OK default=False type=int 777"},
	    {"dom0", "admin.vm.feature.Get", "f", "test-vm1", "", "OK <\"&'>"},
	    {"dom0", "admin.vm.tag.Get", "t", "test-vm1", "", "OK 1"},
	    {"dom0", "admin.property.Get", "stats_interval", "dom0", "",
		"OK default=False type=int 9"},
	    {"dom0", "admin.vm.property.Get", "label", "dom0", "",
		"OK default=False type=label black"});
}

static void
adm_02_every_method_judges_argument_payload_and_destination(void **state)
{
	g_autofree const char **names = admin_method_names(ADMIN_SOCKET_MAIN);

	for (const char **name = names; *name != NULL; name++) {
		g_autofree char *nobody =
		    admin_fixture_call(*state, "dom0", *name, "x", "nobody", "x");
		g_autofree char *no_source =
		    admin_fixture_call(*state, "nobody", *name, "x", "dom0", "x");

		assert_string_equal(nobody, "QubesVMNotFoundError");
		assert_string_equal(no_source, "QubesVMNotFoundError");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(adm_03_the_source_is_judged_before_the_destination),
	    TEST(non_ascii_in_the_argument_drops_after_the_names),
	    TEST(adm_02_method_payload_argument_destination_in_this_order),
	    TEST(a_rule_of_permission_comes_before_what_exists),
	    TEST(a_frame_without_end_is_dropped),
	    TEST(methods_belong_to_their_socket),
	    TEST(the_list_has_dom0_first_and_the_rest_by_name),
	    TEST(adm_03_without_a_policy_daemon_another_caller_sees_nothing_in_the_list),
	    TEST(create_checks_what_is_named_inside_in_order),
	    TEST(a_new_qube_has_the_tags_of_its_creator),
	    TEST(the_name_of_a_creator_is_not_reused_without_dom0),
	    TEST(disposables_come_from_templates_for_them_and_have_their_tags),
	    TEST(a_disposable_can_be_asked_for_by_uuid),
	    TEST(adm_07_what_is_referred_to_or_running_is_not_removed),
	    TEST(a_removed_qube_leaves_no_files_for_the_next_of_its_name),
	    TEST(files_of_nobody_keep_a_name_from_being_used),
	    TEST(adm_08_of_many_creates_of_one_name_one_wins),
	    TEST(a_qube_takes_256_tags_and_no_more),
	    TEST(adm_06_creator_tags_are_dom0s_alone),
	    TEST(adm_06_bookkeeping_features_are_nobodys),
	    TEST(adm_06_the_hypervisor_is_dom0s_choice),
	    TEST(features_that_mean_something_have_their_rules),
	    TEST(feature_chains_stop_at_the_first_that_has_it),
	    TEST(labels_are_made_used_and_removed),
	    TEST(power_methods_answer_by_state_and_class),
	    TEST(notes_are_kept),
	    TEST(pools_are_listed_with_their_configuration),
	    TEST(the_sizes_of_a_pool_are_asked_beside_the_main_loop),
	    TEST(adm_11_only_dom0_learns_where_a_volume_lies),
	    TEST(adm_10_sizes_and_revisions_are_judged_before_anything_is_done),
	    TEST(the_hypervisor_of_a_qube_that_runs_stays_the_same),
	    TEST(adm_09_volumes_of_a_qube_that_goes_during_the_call_are_left_alone),
	    TEST(where_a_pool_lies_is_for_dom0_to_say),
	    TEST(adm_15_a_line_of_get_all_cannot_be_forged),
	    TEST(adm_11_no_reply_names_a_path_of_the_host_to_a_qube),
	    TEST(adm_16_an_error_names_no_qube_that_the_caller_did_not_name),
	    TEST(adm_18_a_change_that_cannot_be_stored_is_taken_back),
	    TEST(what_was_answered_is_there_after_a_restart),
	    TEST(adm_02_every_method_judges_argument_payload_and_destination),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
