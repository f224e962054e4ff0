/* Who hears of what, in which order. */
#include "qubesd/event_stream.h"
#include "qubesd/policy_client.h"
#include "shared/admin_client.h"
#include "tests/unit/admin_fixture.h"
#include "tests/unit/unit.h"

#include <glib-unix.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

static void
call(struct admin_fixture *fixture, const char *method, const char *arg, const char *dest,
    const char *payload)
{
	g_autofree char *reply = admin_fixture_call(fixture, "dom0", method, arg, dest, payload);

	assert_true(g_str_has_prefix(reply, "OK "));
}

static struct admin_listener *
listen_as(struct admin_fixture *fixture, const char *source, const char *dest)
{
	struct admin_listener *listener =
	    admin_fixture_listen(fixture, ADMIN_SOCKET_MAIN, source, "admin.Events", dest);

	assert_string_equal(admin_listener_take(listener), " connection-established\n");
	return listener;
}

static void
a_creation_is_told_in_order(void **state)
{
	struct admin_fixture *fixture = *state;
	struct admin_listener *listener = listen_as(fixture, "dom0", "dom0");

	call(fixture, "admin.vm.Create.AppVM", "", "dom0", "name=new label=red");
	assert_string_equal(admin_listener_take(listener),
	    " domain-add vm=new\n"
	    "new domain-tag-add:created-by-dom0 tag=created-by-dom0\n"
	    "new domain-tag-add:audiovm-dom0 tag=audiovm-dom0\n"
	    "new domain-tag-add:guivm-dom0 tag=guivm-dom0\n"
	    "new domain-create-on-disk\n");
	admin_listener_free(listener);
}

static void
a_removal_is_told_in_order(void **state)
{
	struct admin_fixture *fixture = *state;
	struct admin_listener *listener = listen_as(fixture, "dom0", "dom0");

	call(fixture, "admin.vm.Remove", "", "test-vm1", "");
	assert_string_equal(admin_listener_take(listener), " domain-pre-delete vm=test-vm1\n"
							   " domain-delete vm=test-vm1\n"
							   "test-vm1 domain-remove-from-disk\n");
	admin_listener_free(listener);
}

static void
set_and_reset_tell_old_and_new(void **state)
{
	struct admin_fixture *fixture = *state;
	struct admin_listener *listener = listen_as(fixture, "dom0", "test-vm1");

	call(fixture, "admin.vm.property.Set", "memory", "test-vm1", "500");
	call(fixture, "admin.vm.property.Set", "memory", "test-vm1", "600");
	call(fixture, "admin.vm.property.Reset", "memory", "test-vm1", "");
	assert_string_equal(admin_listener_take(listener),
	    "test-vm1 property-pre-set:memory name=memory newvalue=500\n"
	    "test-vm1 property-set:memory name=memory newvalue=500\n"
	    "test-vm1 property-pre-set:memory name=memory newvalue=600 oldvalue=500\n"
	    "test-vm1 property-set:memory name=memory newvalue=600 oldvalue=500\n"
	    "test-vm1 property-pre-reset:memory name=memory oldvalue=600\n"
	    "test-vm1 property-pre-del:memory name=memory oldvalue=600\n"
	    "test-vm1 property-reset:memory name=memory oldvalue=600\n"
	    "test-vm1 property-del:memory name=memory oldvalue=600\n");
	admin_listener_free(listener);
}

static void
what_follows_from_a_change_is_told_before_it(void **state)
{
	struct admin_fixture *fixture = *state;
	struct admin_listener *listener = listen_as(fixture, "dom0", "test-vm1");

	call(fixture, "admin.vm.property.Set", "label", "test-vm1", "green");
	call(fixture, "admin.vm.property.Set", "memory", "test-template", "700");
	call(fixture, "admin.property.Set", "default_shutdown_timeout", "dom0", "9");
	assert_string_equal(admin_listener_take(listener),
	    "test-vm1 property-pre-set:label name=label newvalue=green oldvalue=red\n"
	    "test-vm1 property-reset:icon name=icon\n"
	    "test-vm1 property-set:label name=label newvalue=green oldvalue=red\n"
	    "test-vm1 property-reset:memory name=memory\n"
	    "test-vm1 property-reset:shutdown_timeout name=shutdown_timeout\n");
	admin_listener_free(listener);
}

static void
features_and_tags_are_told(void **state)
{
	struct admin_fixture *fixture = *state;
	struct admin_listener *listener = listen_as(fixture, "dom0", "test-vm1");

	call(fixture, "admin.vm.feature.Set", "f", "test-vm1", "1");
	call(fixture, "admin.vm.feature.Set", "f", "test-vm1", "");
	call(fixture, "admin.vm.feature.Remove", "f", "test-vm1", "");
	call(fixture, "admin.vm.tag.Set", "t", "test-vm1", "");
	call(fixture, "admin.vm.tag.Set", "t", "test-vm1", "");
	call(fixture, "admin.vm.tag.Remove", "t", "test-vm1", "");
	assert_string_equal(admin_listener_take(listener),
	    "test-vm1 domain-feature-pre-set:f feature=f value=1\n"
	    "test-vm1 domain-feature-set:f feature=f value=1\n"
	    "test-vm1 domain-feature-pre-set:f feature=f value= oldvalue=1\n"
	    "test-vm1 domain-feature-set:f feature=f value= oldvalue=1\n"
	    "test-vm1 domain-feature-pre-delete:f feature=f\n"
	    "test-vm1 domain-feature-delete:f feature=f\n"
	    "test-vm1 domain-tag-add:t tag=t\n"
	    "test-vm1 domain-tag-delete:t tag=t\n");
	admin_listener_free(listener);
}

static void
a_subscriber_of_one_qube_hears_of_no_other(void **state)
{
	struct admin_fixture *fixture = *state;
	struct admin_listener *listener = listen_as(fixture, "dom0", "test-vm1");

	call(fixture, "admin.vm.tag.Set", "t", "test-template", "");
	call(fixture, "admin.vm.Create.AppVM", "", "dom0", "name=new label=red");
	assert_string_equal(admin_listener_take(listener), "");
	admin_listener_free(listener);
}

static void
what_belongs_to_the_daemon_is_not_told(void **state)
{
	struct admin_fixture *fixture = *state;
	struct admin_listener *listener = listen_as(fixture, "dom0", "dom0");
	struct domain *domain = qubes_app_find(fixture->app, "test-vm1");

	event_fire(fixture->app, domain, "admin-permission:admin.vm.List", NULL);
	event_fire(fixture->app, domain, "domain-is-fully-usable", NULL);
	event_fire(fixture->app, domain, "device-list:block", NULL);
	event_fire(fixture->app, domain, "device-list-change:block", NULL);
	assert_string_equal(admin_listener_take(listener), "test-vm1 device-list-change:block\n");
	admin_listener_free(listener);
}

static bool
on_veto(const struct event *event, struct admin_error *error, void *data)
{
	(void)data;
	if (strcmp(event->name, "property-pre-set:memory") == 0)
		return admin_error_set(error, "PermissionDenied", "no");
	return true;
}

static void
a_handler_may_refuse_what_is_about_to_happen(void **state)
{
	struct admin_fixture *fixture = *state;
	g_autofree char *reply = NULL;

	event_add_handler(fixture->app, EVENT_ORDER_CORE, on_veto, NULL);
	reply = admin_fixture_call(
	    fixture, "dom0", "admin.vm.property.Set", "memory", "test-vm1", "500");
	assert_string_equal(reply, "PermissionDenied");
	assert_int_equal(
	    domain_int(qubes_app_find(fixture->app, "test-vm1"), PROPERTY_MEMORY), 400);
}

/* --- callers who are not dom0: a policy daemon of our own ------------------------------------ */

struct policy {
	int fd;
	guint source;
	const char *allow; /* the line that a question must hold to be allowed; NULL: none */
	GString *questions;
};

static gboolean
on_question(int listen_fd, GIOCondition condition, void *data)
{
	struct policy *policy = data;
	char request[1024];
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	ssize_t len = read(fd, request, sizeof(request) - 1);
	const char *answer;

	(void)condition;
	request[MAX(len, 0)] = '\0';
	g_string_append(policy->questions, request);
	answer = policy->allow != NULL && strstr(request, policy->allow) != NULL
		     ? "result=allow\ntarget=x\n"
		     : "result=deny\n";
	assert_int_equal(write(fd, answer, strlen(answer)), strlen(answer));
	close(fd);
	return G_SOURCE_CONTINUE;
}

static struct policy *
policy_new(const struct admin_fixture *fixture, const char *allow)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct policy *policy = g_new0(struct policy, 1);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/policy.sock", fixture->dir);
	policy->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(policy->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(policy->fd, 64), 0);
	policy->source = g_unix_fd_add(policy->fd, G_IO_IN, on_question, policy);
	policy->allow = allow;
	policy->questions = g_string_new(NULL);
	return policy;
}

static void
policy_free(struct policy *policy)
{
	g_source_remove(policy->source);
	close(policy->fd);
	g_string_free(policy->questions, TRUE);
	g_free(policy);
}

static void
spin(void)
{
	for (unsigned i = 0; i < 200; i++) {
		g_main_context_iteration(NULL, FALSE);
		if (!g_main_context_pending(NULL))
			g_usleep(200);
	}
}

static void
adm_12_a_qube_hears_only_of_what_the_policy_allows(void **state)
{
	struct admin_fixture *fixture = *state;
	struct policy *policy = policy_new(fixture, "intended_target=test-vm1\n");
	struct admin_listener *listener = listen_as(fixture, "test-vm1", "dom0");

	for (unsigned i = 0; i < 20; i++) {
		g_autofree char *payload = g_strdup_printf("name=hidden%u label=red", i);
		g_autofree char *name = g_strdup_printf("hidden%u", i);

		call(fixture, "admin.vm.Create.AppVM", "", "dom0", payload);
		call(fixture, "admin.vm.property.Set", "memory", name, "500");
		call(fixture, "admin.vm.Remove", "", name, "");
	}
	call(fixture, "admin.vm.tag.Set", "t", "test-vm1", "");
	call(fixture, "admin.property.Set", "stats_interval", "dom0", "5");
	spin();
	assert_string_equal(admin_listener_take(listener), "test-vm1 domain-tag-add:t tag=t\n");
	assert_non_null(strstr(policy->questions->str,
	    "source=test-vm1\nintended_target=hidden7\nservice_and_arg=admin.Events+"
	    "property-set_memory\njust_evaluate=yes\n\n"));
	assert_non_null(strstr(policy->questions->str, "intended_target=@adminvm\n"));
	admin_listener_free(listener);
	policy_free(policy);
}

static void
adm_13_a_right_taken_back_acts_at_once(void **state)
{
	struct admin_fixture *fixture = *state;
	struct policy *policy = policy_new(fixture, "admin.Events+domain-tag-add_one\n");
	struct admin_listener *listener = listen_as(fixture, "test-vm1", "test-vm1");

	call(fixture, "admin.vm.tag.Set", "one", "test-vm1", "");
	spin();
	policy->allow = NULL;
	call(fixture, "admin.vm.tag.Remove", "one", "test-vm1", "");
	call(fixture, "admin.vm.tag.Set", "one", "test-vm1", "");
	spin();
	assert_string_equal(admin_listener_take(listener), "test-vm1 domain-tag-add:one tag=one\n");
	admin_listener_free(listener);
	policy_free(policy);
}

static void
events_stay_in_order_while_answers_are_awaited(void **state)
{
	struct admin_fixture *fixture = *state;
	struct policy *policy = policy_new(fixture, "just_evaluate=yes");
	struct admin_listener *listener = listen_as(fixture, "test-vm1", "test-vm1");
	GString *wanted = g_string_new(NULL);

	for (unsigned i = 0; i < 50; i++) {
		g_autofree char *tag = g_strdup_printf("t%u", i);

		domain_tag_add(qubes_app_find(fixture->app, "test-vm1"), tag);
		g_string_append_printf(wanted, "test-vm1 domain-tag-add:%s tag=%s\n", tag, tag);
	}
	spin();
	assert_string_equal(admin_listener_take(listener), wanted->str);
	g_string_free(wanted, TRUE);
	admin_listener_free(listener);
	policy_free(policy);
}

static void
a_subscriber_may_leave_while_answers_are_awaited(void **state)
{
	struct admin_fixture *fixture = *state;
	struct admin_listener *listener = listen_as(fixture, "test-vm1", "test-vm1");

	domain_tag_add(qubes_app_find(fixture->app, "test-vm1"), "t");
	admin_listener_free(listener);
	spin();
}

static void
on_list_reply(void *data, const void *bytes, size_t len)
{
	g_string_assign(data, "");
	g_string_append_len(data, bytes, (gssize)len);
}

static void
on_list_drop(void *data)
{
	g_string_assign(data, "dropped");
}

/* Callers who leave at once, faster than the policy answers. */
static void
lists_that_nobody_waits_for_are_not_queued_without_end(void **state)
{
	static const char text[] = "admin.vm.List test-vm1 name dom0";
	static const struct admin_output output = {on_list_reply, NULL, on_list_drop};
	struct admin_fixture *fixture = *state;
	g_autoptr(GBytes) request = g_bytes_new_static(text, sizeof(text));
	g_autoptr(GString) reply = g_string_new(NULL);
	unsigned begun = 0;
	g_autofree char *later = NULL;

	for (;; begun++) {
		struct admin_call *call =
		    admin_call_start(fixture->admin, ADMIN_SOCKET_MAIN, request, &output, reply);

		if (call == NULL)
			break;
		admin_call_abandon(call);
		assert_true(begun <= POLICY_CLIENT_WAITING_MAX);
	}
	assert_true(begun > POLICY_CLIENT_WAITING_MAX / 4);
	assert_memory_equal(reply->str, "2\0QubesException\0", sizeof("2\0QubesException"));
	/* Nobody answers, so each of the questions means no; then there is room again. */
	later = admin_fixture_call(fixture, "dom0", "admin.vm.List", "", "test-vm1", "");
	assert_true(g_str_has_prefix(later, "OK "));
	while (g_main_context_pending(NULL))
		g_main_context_iteration(NULL, FALSE);
	g_free(later);
	later = admin_fixture_call(fixture, "test-vm1", "admin.vm.List", "", "dom0", "");
	assert_string_equal(later, "OK ");
}

/* Changes that cannot be stored are taken back at the very end, with events. */
static void
nobody_hears_of_what_happens_after_the_api_has_ended(void **state)
{
	struct admin_fixture *fixture = *state;

	admin_free(g_steal_pointer(&fixture->admin));
	assert_true(domain_tag_add(qubes_app_find(fixture->app, "test-vm1"), "late"));
}

static void
one_qube_has_64_subscriptions_at_most_and_dom0_as_many_as_it_likes(void **state)
{
	struct admin_fixture *fixture = *state;
	struct admin_listener *listeners[EVENT_STREAM_PER_QUBE];
	struct admin_listener *dom0;
	g_autofree char *refused = NULL;

	assert_int_equal(EVENT_STREAM_PER_QUBE, 64);
	for (size_t i = 0; i < G_N_ELEMENTS(listeners); i++)
		listeners[i] = listen_as(fixture, "test-vm1", "dom0");
	refused = admin_fixture_call(fixture, "test-vm1", "admin.Events", "", "dom0", "");
	assert_string_equal(refused, "QubesException");
	dom0 = listen_as(fixture, "dom0", "dom0");
	assert_false(admin_listener_is_over(dom0));
	admin_listener_free(listeners[0]);
	listeners[0] = listen_as(fixture, "test-vm1", "test-vm1");
	assert_false(admin_listener_is_over(listeners[0]));
	admin_listener_free(dom0);
	for (size_t i = 0; i < G_N_ELEMENTS(listeners); i++)
		admin_listener_free(listeners[i]);
}

static void
adm_03_the_list_shows_what_the_policy_allows(void **state)
{
	struct admin_fixture *fixture = *state;
	struct policy *policy = policy_new(fixture, "intended_target=test-vm1\n");
	g_autofree char *reply =
	    admin_fixture_call(fixture, "test-vm1", "admin.vm.List", "", "dom0", "");

	assert_true(g_str_has_prefix(reply, "OK test-vm1 class=AppVM state=Halted uuid="));
	assert_null(strstr(reply, "test-template"));
	assert_null(strstr(reply, "dom0"));
	assert_non_null(strstr(policy->questions->str, "service_and_arg=admin.vm.List+\n"));
	policy_free(policy);
}

/* --- system information --------------------------------------------------------------------- */

static struct admin_listener *
listen_to_system_info(struct admin_fixture *fixture)
{
	struct admin_listener *listener = admin_fixture_listen(
	    fixture, ADMIN_SOCKET_INTERNAL, "dom0", "internal.SystemInfoEvents", "dom0");
	g_auto(GStrv) lines = g_strsplit(admin_listener_take(listener), "\n", -1);

	assert_int_equal(g_strv_length(lines), 5);
	assert_true(g_str_has_prefix(lines[0], "dom0 system-info-set info={\"internal\": null"));
	assert_true(g_str_has_prefix(lines[2], "test-vm1 system-info-set info={"));
	assert_string_equal(lines[3], " system-info-complete");
	return listener;
}

static void
system_information_begins_with_everything_and_goes_on_with_changes(void **state)
{
	struct admin_fixture *fixture = *state;
	struct admin_listener *listener = listen_to_system_info(fixture);
	const char *heard;

	call(fixture, "admin.vm.property.Set", "memory", "test-vm1", "500");
	assert_string_equal(admin_listener_take(listener), "");
	call(fixture, "admin.vm.tag.Set", "t", "test-vm1", "");
	heard = admin_listener_take(listener);
	assert_true(g_str_has_prefix(heard, "test-vm1 system-info-set info={"));
	assert_non_null(strstr(heard, "\"guivm-dom0\", \"t\"]"));
	call(fixture, "admin.vm.Start", "", "test-vm1", "");
	assert_non_null(strstr(admin_listener_take(listener), "\"power_state\": \"Running\""));
	call(fixture, "admin.vm.Kill", "", "test-vm1", "");
	assert_non_null(strstr(admin_listener_take(listener), "\"power_state\": \"Halted\""));
	call(fixture, "admin.vm.feature.Set", "internal", "test-vm1", "a\"\\b");
	assert_non_null(strstr(admin_listener_take(listener), "\"internal\": \"a\\\"\\\\b\""));
	call(fixture, "admin.vm.Remove", "", "test-vm1", "");
	assert_string_equal(admin_listener_take(listener), "test-vm1 system-info-remove\n");
	admin_listener_free(listener);
}

static void
system_information_follows_defaults_of_others(void **state)
{
	struct admin_fixture *fixture = *state;
	struct admin_listener *listener = NULL;
	const char *heard;

	call(fixture, "admin.vm.property.Set", "template_for_dispvms", "test-vm1", "True");
	listener = listen_to_system_info(fixture);
	call(fixture, "admin.property.Set", "default_dispvm", "dom0", "test-vm1");
	heard = admin_listener_take(listener);
	assert_non_null(strstr(heard, "dom0 system-info-set"));
	assert_non_null(strstr(heard, "test-template system-info-set"));
	assert_non_null(strstr(heard, "\"default_dispvm\": \"test-vm1\""));
	admin_listener_free(listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_creation_is_told_in_order),
	    TEST(a_removal_is_told_in_order),
	    TEST(set_and_reset_tell_old_and_new),
	    TEST(what_follows_from_a_change_is_told_before_it),
	    TEST(features_and_tags_are_told),
	    TEST(a_subscriber_of_one_qube_hears_of_no_other),
	    TEST(what_belongs_to_the_daemon_is_not_told),
	    TEST(a_handler_may_refuse_what_is_about_to_happen),
	    TEST(adm_12_a_qube_hears_only_of_what_the_policy_allows),
	    TEST(adm_13_a_right_taken_back_acts_at_once),
	    TEST(events_stay_in_order_while_answers_are_awaited),
	    TEST(a_subscriber_may_leave_while_answers_are_awaited),
	    TEST(lists_that_nobody_waits_for_are_not_queued_without_end),
	    TEST(nobody_hears_of_what_happens_after_the_api_has_ended),
	    TEST(one_qube_has_64_subscriptions_at_most_and_dom0_as_many_as_it_likes),
	    TEST(adm_03_the_list_shows_what_the_policy_allows),
	    TEST(system_information_begins_with_everything_and_goes_on_with_changes),
	    TEST(system_information_follows_defaults_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
