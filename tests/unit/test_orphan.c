/* Children that nobody waits for. */
#include "shared/orphan.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <unistd.h>

#define PATIENCE_S 20

/* One that ends by itself as soon as the descriptor is closed here, or by a signal. */
static pid_t
spawn(int *ret_fd)
{
	int fds[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[1]);
		_exit(read(fds[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(fds[0]);
	*ret_fd = fds[1];
	return pid;
}

static gboolean
on_tick(void *data)
{
	(void)data;
	return G_SOURCE_CONTINUE;
}

/* A process that has ended and is not reaped still has its number. */
static void
assert_is_reaped(pid_t pid)
{
	gint64 late = g_get_monotonic_time() + PATIENCE_S * G_USEC_PER_SEC;
	guint tick = g_timeout_add(10, on_tick, NULL);

	while (kill(pid, 0) == 0) {
		if (g_get_monotonic_time() > late)
			fail_msg("it is there for ever");
		g_main_context_iteration(NULL, TRUE);
	}
	assert_int_equal(errno, ESRCH);
	g_source_remove(tick);
}

static void
an_orphan_is_ended_and_reaped(void **state)
{
	int fd;
	pid_t pid = spawn(&fd);

	(void)state;
	orphan_leave(pid, SIGTERM);
	assert_is_reaped(pid);
	close(fd);
}

static void
an_orphan_may_end_by_itself(void **state)
{
	int fd;
	pid_t pid = spawn(&fd);

	(void)state;
	orphan_leave(pid, 0);
	while (g_main_context_iteration(NULL, FALSE))
		;
	assert_int_equal(kill(pid, 0), 0);
	close(fd);
	assert_is_reaped(pid);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_orphan_is_ended_and_reaped),
	    cmocka_unit_test(an_orphan_may_end_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
