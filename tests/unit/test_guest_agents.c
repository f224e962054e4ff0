#include "tests/unit/unit.h"

#include "qubesd/guest/agents.h"
#include "qubesd/guest/keeper.h"

#include <fcntl.h>
#include <glib.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const sleeper[] = {"/bin/sleep", "100", NULL};
static const struct account user = {"user", "/home/user", 1000, 1000, 98};

static void
the_gui_agent_runs_only_with_a_gui_domain(void **state)
{
	struct guest_conf conf = {.gui_domain = -1};
	struct agents agents = {0};

	(void)state;
	agents_add_all(&agents, &conf, &user, 0);
	assert_int_equal(agents.count, 1);
	memset(&agents, 0, sizeof(agents));
	conf.gui_domain = 0;
	agents_add_all(&agents, &conf, &user, 0);
	assert_int_equal(agents.count, 2);
	assert_string_equal(agents.list[1].argv[0], "/opt/bordure/bin/qubes-gui");
	assert_ptr_equal(agents.list[1].user, &user);
}

static void
the_qrexec_agent_is_root_only_where_there_is_one(void **state)
{
	struct guest_conf conf = {.gui_domain = -1};
	struct agents agents = {0};

	(void)state;
	agents_add_all(&agents, &conf, &user, 0);
	assert_ptr_equal(agents.list[0].user, &user);
	memset(&agents, 0, sizeof(agents));
	conf.privileged = true;
	agents_add_all(&agents, &conf, &user, 0);
	assert_int_equal(agents.list[0].user->uid, 0);
}

/* An agent "runs" under a number that no process has; time is an argument. */
static void
die_at(struct agents *agents, int64_t started_ms, int64_t now_ms)
{
	agents->list[0].pid = 1 << 30;
	agents->list[0].started_ms = started_ms;
	agents->list[0].due_ms = INT64_MAX;
	agents_on_exit(agents, 1 << 30, 0, now_ms);
}

static void
the_pause_doubles_up_to_its_limit(void **state)
{
	struct agents agents = {0};
	int64_t wanted = AGENT_PAUSE_FIRST_MS;

	(void)state;
	agents_add(&agents, sleeper, NULL, -1, 0);
	assert_int_equal(agents_timeout(&agents, 0), 0);
	for (int i = 0; i < 12; i++) {
		die_at(&agents, 0, 0);
		assert_int_equal(agents_timeout(&agents, 0), wanted);
		wanted = MIN(2 * wanted, AGENT_PAUSE_LAST_MS);
	}
}

static void
one_that_lived_long_enough_starts_from_the_first_pause(void **state)
{
	struct agents agents = {0};

	(void)state;
	agents_add(&agents, sleeper, NULL, -1, 0);
	die_at(&agents, 0, 0);
	die_at(&agents, 0, AGENT_STABLE_MS - 1);
	assert_int_equal(agents_timeout(&agents, AGENT_STABLE_MS - 1), 2 * AGENT_PAUSE_FIRST_MS);
	die_at(&agents, 0, AGENT_STABLE_MS);
	assert_int_equal(agents_timeout(&agents, AGENT_STABLE_MS), AGENT_PAUSE_FIRST_MS);
}

static void
the_death_of_a_stranger_changes_nothing(void **state)
{
	struct agents agents = {0};

	(void)state;
	agents_add(&agents, sleeper, NULL, -1, 0);
	agents.list[0].pid = 1 << 30;
	agents.list[0].due_ms = INT64_MAX;
	agents_on_exit(&agents, (1 << 30) - 1, 0, 0);
	assert_int_equal(agents.list[0].pid, 1 << 30);
	assert_int_equal(agents_timeout(&agents, 0), -1);
}

static void
an_agent_gets_the_descriptor_it_is_to_inherit_and_no_other(void **state)
{
	static const char *const argv[] = {"/bin/sh", "-c",
	    "for fd in $PASSED $KEPT; do [ -e /proc/self/fd/$fd ] && n=$n.$fd; done; "
	    "echo $n >&$PASSED",
	    NULL};
	g_autofree char *wanted = NULL;
	struct agents agents = {0};
	char got[64] = {0};
	int passed[2], kept[2];

	(void)state;
	assert_int_equal(pipe2(passed, O_CLOEXEC), 0);
	assert_int_equal(pipe2(kept, O_CLOEXEC), 0);
	wanted = g_strdup_printf(".%d\n", passed[1]);
	g_autofree char *passed_text = g_strdup_printf("%d", passed[1]);
	g_autofree char *kept_text = g_strdup_printf("%d", kept[1]);
	g_setenv("PASSED", passed_text, TRUE);
	g_setenv("KEPT", kept_text, TRUE);
	agents_add(&agents, argv, NULL, passed[1], 0);
	agents_start_due(&agents, 0);
	assert_true(read(passed[0], got, sizeof(got) - 1) > 0);
	assert_string_equal(got, wanted);
	assert_int_equal(waitpid(agents.list[0].pid, NULL, 0), agents.list[0].pid);
	for (int i = 0; i < 2; i++) {
		close(passed[i]);
		close(kept[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_gui_agent_runs_only_with_a_gui_domain),
	    cmocka_unit_test(the_qrexec_agent_is_root_only_where_there_is_one),
	    cmocka_unit_test(the_pause_doubles_up_to_its_limit),
	    cmocka_unit_test(one_that_lived_long_enough_starts_from_the_first_pause),
	    cmocka_unit_test(the_death_of_a_stranger_changes_nothing),
	    cmocka_unit_test(an_agent_gets_the_descriptor_it_is_to_inherit_and_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
