/*
 * A channel over a socket pair, whose other end is a plain descriptor of this process.
 */
#include "qrexec/channel.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib.h>
#include <sys/socket.h>
#include <unistd.h>

struct scene {
	struct channel *channel;
	int peer;
	unsigned messages, ends;
	int error; /* of the last end */
};

static int
on_message(struct channel *channel, const struct qrexec_message *message, void *data)
{
	struct scene *scene = data;

	(void)channel;
	(void)message;
	scene->messages++;
	return 0;
}

static void
on_end(struct channel *channel, int error, void *data)
{
	struct scene *scene = data;

	(void)channel;
	scene->ends++;
	scene->error = error;
}

static const struct channel_events events = {.message = on_message, .end = on_end};

static void
set_up(struct scene *scene)
{
	int pair[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), errno);
	*scene = (struct scene){.peer = pair[0]};
	scene->channel = channel_new_on_fd(pair[1], qrexec_rules_hello(), &events, scene);
}

static void
tear_down(struct scene *scene)
{
	channel_free(scene->channel);
	if (scene->peer >= 0)
		close(scene->peer);
}

static void
close_peer(struct scene *scene)
{
	close(scene->peer);
	scene->peer = -1;
}

static void
turns(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		g_main_context_iteration(NULL, FALSE);
}

static void
send_bytes(struct scene *scene, size_t len)
{
	static const char bytes[65536];

	for (; len > 0; len -= MIN(len, sizeof(bytes)))
		channel_send_raw(scene->channel, bytes, MIN(len, sizeof(bytes)));
}

static gboolean
stay_ready(gpointer data)
{
	(void)data;
	return G_SOURCE_CONTINUE;
}

static void
a_peer_that_does_not_read_loses_the_channel(void **state)
{
	struct scene scene;

	(void)state;
	set_up(&scene);
	send_bytes(&scene, CHANNEL_QUEUE_BYTES);
	turns(10);
	assert_int_equal(scene.ends, 0);
	send_bytes(&scene, CHANNEL_QUEUE_BYTES);
	assert_int_equal(scene.ends, 0); /* never from inside a call */
	turns(10);
	assert_int_equal(scene.ends, 1);
	assert_int_equal(scene.error, -ENOBUFS);
	tear_down(&scene);
}

static void
a_busy_loop_does_not_put_the_end_off(void **state)
{
	guint busy = g_idle_add_full(G_PRIORITY_DEFAULT, stay_ready, NULL, NULL);
	struct scene scene;

	(void)state;
	set_up(&scene);
	channel_set_reading(scene.channel, false);
	send_bytes(&scene, 2 * CHANNEL_QUEUE_BYTES);
	turns(10);
	assert_int_equal(scene.ends, 1);
	g_source_remove(busy);
	tear_down(&scene);
}

static void
what_a_peer_said_before_it_went_is_heard(void **state)
{
	const uint32_t hello[] = {QREXEC_HELLO, 4, 4};
	struct scene scene;

	(void)state;
	set_up(&scene);
	for (int i = 0; i < 200; i++)
		assert_int_equal(write(scene.peer, hello, sizeof(hello)), sizeof(hello));
	close_peer(&scene);
	send_bytes(&scene, 1);
	turns(50);
	assert_int_equal(scene.messages, 200);
	assert_int_equal(scene.ends, 1);
	tear_down(&scene);
}

static void
nothing_is_kept_for_a_peer_that_is_lost(void **state)
{
	struct scene scene;

	(void)state;
	set_up(&scene);
	send_bytes(&scene, 2 * CHANNEL_QUEUE_BYTES);
	send_bytes(&scene, CHANNEL_FULL_BYTES + 1);
	assert_false(channel_is_full(scene.channel));
	tear_down(&scene);
}

static void
the_end_is_told_once_whatever_is_done_after_it(void **state)
{
	struct scene scene;

	(void)state;
	set_up(&scene);
	close_peer(&scene);
	turns(10);
	assert_int_equal(scene.ends, 1);
	assert_int_equal(scene.error, 0);
	send_bytes(&scene, 1);
	channel_set_reading(scene.channel, false);
	channel_set_reading(scene.channel, true);
	turns(10);
	assert_int_equal(scene.ends, 1);
	tear_down(&scene);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_peer_that_does_not_read_loses_the_channel),
	    cmocka_unit_test(a_busy_loop_does_not_put_the_end_off),
	    cmocka_unit_test(what_a_peer_said_before_it_went_is_heard),
	    cmocka_unit_test(nothing_is_kept_for_a_peer_that_is_lost),
	    cmocka_unit_test(the_end_is_told_once_whatever_is_done_after_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
