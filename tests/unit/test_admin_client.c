/* Calls to a qubesd that does not take them: nobody may be kept waiting. */
#include "shared/admin_client.h"
#include "shared/admin_exchange.h"
#include "shared/unix_socket.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define TIMEOUT_MS 50
#define ENDLESS_S 20 /* then the test is killed by SIGALRM */

struct deaf {
	char *dir, *path; /* owned */
	int fd;
};

static int
set_up(void **state)
{
	struct deaf *deaf = g_new0(struct deaf, 1);

	deaf->dir = g_dir_make_tmp("admin-client-XXXXXX", NULL);
	deaf->path = g_build_filename(deaf->dir, "socket", NULL);
	deaf->fd = unix_socket_listen(deaf->path, SOCK_STREAM, 0, 0600);
	assert_true(deaf->fd >= 0);
	alarm(ENDLESS_S);
	*state = deaf;
	return 0;
}

static int
tear_down(void **state)
{
	struct deaf *deaf = *state;

	alarm(0);
	close(deaf->fd);
	g_unlink(deaf->path);
	g_rmdir(deaf->dir);
	g_free(deaf->path);
	g_free(deaf->dir);
	g_free(deaf);
	return 0;
}

/* Connects until nobody else can. */
static void
crowd(const struct deaf *deaf, GArray *callers)
{
	int fd;

	while ((fd = unix_socket_dial(deaf->path, SOCK_STREAM | SOCK_NONBLOCK)) >= 0)
		g_array_append_val(callers, fd);
	assert_int_equal(fd, -EAGAIN);
}

static void
leave(GArray *callers)
{
	for (guint i = 0; i < callers->len; i++)
		close(g_array_index(callers, int, i));
	g_array_unref(callers);
}

static void
on_event(const struct admin_event *event, void *data)
{
	(void)event;
	(void)data;
}

static void
on_end(int error, void *data)
{
	(void)error;
	(void)data;
}

static void
on_done(int error, struct admin_reply *reply, void *data)
{
	(void)error;
	(void)reply;
	(void)data;
}

static void
a_call_in_a_crowd_is_over_in_time(void **state)
{
	const struct deaf *deaf = *state;
	GArray *callers = g_array_new(FALSE, FALSE, sizeof(int));
	struct admin_reply reply = {0};

	crowd(deaf, callers);
	assert_int_equal(
	    admin_call(deaf->path, "m", NULL, "dom0", NULL, 0, TIMEOUT_MS, &reply), -ETIMEDOUT);
	leave(callers);
}

static void
a_call_whose_request_nobody_reads_is_over_in_time(void **state)
{
	const struct deaf *deaf = *state;
	size_t len = 8u << 20;
	g_autofree char *payload = g_malloc0(len);
	struct admin_reply reply = {0};

	assert_int_equal(
	    admin_call(deaf->path, "m", NULL, "dom0", payload, len, TIMEOUT_MS, &reply),
	    -ETIMEDOUT);
	assert_int_equal(
	    admin_call(deaf->path, "m", NULL, "dom0", NULL, 0, TIMEOUT_MS, &reply), -ETIMEDOUT);
}

static void
a_loop_is_never_kept_waiting_by_a_crowd(void **state)
{
	const struct deaf *deaf = *state;
	GArray *callers = g_array_new(FALSE, FALSE, sizeof(int));
	struct admin_exchange *exchange;
	struct admin_events *events;

	crowd(deaf, callers);
	assert_int_equal(
	    admin_events_new(deaf->path, "m", "dom0", on_event, on_end, NULL, &events), -EAGAIN);
	assert_int_equal(
	    admin_exchange_new(deaf->path, "m", NULL, "dom0", NULL, 0, on_done, NULL, &exchange),
	    -EAGAIN);
	leave(callers);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_call_in_a_crowd_is_over_in_time),
	    TEST(a_call_whose_request_nobody_reads_is_over_in_time),
	    TEST(a_loop_is_never_kept_waiting_by_a_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
