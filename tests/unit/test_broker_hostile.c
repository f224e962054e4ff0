/*
 * vchan-broker end to end: the limits of a domain, and domains that want to be a nuisance.
 */
#include "shared/unix_socket.h"
#include "shared/vchan/broker.h"
#include "shared/vchan/broker_region.h"
#include "shared/vchan/broker_wire.h"
#include "tests/unit/broker_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- limits ---------------------------------------------------------------------------------- */

/* The broker has heard what this domain asked before. */
static void
catch_up(struct fixture *fixture, uint32_t domain)
{
	assert_int_equal(refusal(connect_as(fixture, domain, domain, PORT)), -EINVAL);
}

static void
listeners_end_at_their_limit(void **state)
{
	struct fixture *fixture = *state;
	struct vchan *listeners[BROKER_MAX_LISTENERS];

	for (uint32_t i = 0; i < BROKER_MAX_LISTENERS; i++) {
		listeners[i] = listen_as(fixture, 1, 2, i);
		catch_up(fixture, 1);
	}
	assert_int_equal(refusal(listen_as(fixture, 1, 2, BROKER_MAX_LISTENERS)), -EMFILE);
	assert_waits(listeners[BROKER_MAX_LISTENERS - 1]);
	vchan_close(listeners[0]);
	catch_up(fixture, 1);
	listeners[0] = listen_as(fixture, 1, 2, 0);
	assert_waits(listeners[0]);
	for (uint32_t i = 0; i < BROKER_MAX_LISTENERS; i++)
		vchan_close(listeners[i]);
}

static void
pending_connects_end_at_their_limit(void **state)
{
	struct fixture *fixture = *state;
	struct vchan *clients[BROKER_MAX_CONNECTS];

	for (uint32_t i = 0; i < BROKER_MAX_CONNECTS; i++) {
		clients[i] = connect_as(fixture, 1, 2, PORT);
		catch_up(fixture, 1);
	}
	assert_int_equal(refusal(connect_as(fixture, 1, 2, PORT)), -EMFILE);
	assert_waits(clients[BROKER_MAX_CONNECTS - 1]);
	for (uint32_t i = 0; i < BROKER_MAX_CONNECTS; i++)
		vchan_close(clients[i]);
}

static void
connections_of_one_domain_end_at_their_limit(void **state)
{
	struct fixture *fixture = *state;
	struct vchan *pairs[BROKER_MAX_VCHANS][2], *other[2];

	for (uint32_t i = 0; i < BROKER_MAX_VCHANS; i++)
		connect_pair(fixture, 0, 1, pairs[i]);
	assert_int_equal(refusal(connect_as(fixture, 1, 2, PORT)), -EMFILE);
	assert_int_equal(refusal(listen_as(fixture, 1, 0, PORT)), -EMFILE);
	connect_pair(fixture, 0, 2, other); /* which is nobody else's trouble */
	close_pair(other);
	close_pair(pairs[0]);
	connect_pair(fixture, 0, 1, pairs[0]);
	for (uint32_t i = 0; i < BROKER_MAX_VCHANS; i++)
		close_pair(pairs[i]);
}

static void
programs_that_left_do_not_count(void **state)
{
	struct fixture *fixture = *state;
	struct vchan *clients[BROKER_MAX_CONNECTS];

	for (int round = 0; round < 5; round++) {
		for (uint32_t i = 0; i < BROKER_MAX_CONNECTS; i++) {
			clients[i] = connect_as(fixture, 1, 2, PORT);
			catch_up(fixture, 1);
		}
		for (uint32_t i = 0; i < BROKER_MAX_CONNECTS; i++)
			vchan_close(clients[i]);
	}
	clients[0] = connect_as(fixture, 1, 2, PORT);
	assert_waits(clients[0]);
	vchan_close(clients[0]);
}

static void
unasked_connections_wait_at_their_limit_for_one_to_go(void **state)
{
	struct fixture *fixture = *state;
	int silent[BROKER_MAX_UNASKED];
	struct vchan *waiting, *pair[2];
	unsigned before = settled_broker_fds(fixture);

	for (unsigned i = 0; i < BROKER_MAX_UNASKED; i++)
		silent[i] = raw_client(fixture, 1);
	wait_for_broker_fds(fixture, before + BROKER_MAX_UNASKED);
	waiting = listen_as(fixture, 1, 4, PORT); /* would be refused at once */
	assert_waits(waiting);
	connect_pair(fixture, 2, 3, pair);
	close_pair(pair);
	close(silent[0]);
	assert_int_equal(refusal(waiting), -ENOENT);
	for (unsigned i = 1; i < BROKER_MAX_UNASKED; i++)
		close(silent[i]);
}

static void
trusted_side_has_descriptors_left_when_the_domains_have_none(void **state)
{
	struct fixture *fixture = *state;
	struct vchan *clients[BROKER_MAX_CONNECTS], *last = NULL;
	struct region *region;
	unsigned count = 0, before = settled_broker_fds(fixture);

	while (count < BROKER_MAX_CONNECTS) {
		last = connect_as(fixture, 1, 2, PORT);
		if (turn(last, 3) && vchan_state(last) == VCHAN_CLOSED)
			break;
		clients[count++] = last;
	}
	assert_in_range(count, 64, BROKER_MAX_CONNECTS - 1); /* three quarters, and no more */
	assert_int_equal(refusal(last), -ENFILE);
	/* Whether the refusal comes before the request or after it. */
	for (unsigned i = 0; i < 300; i++) {
		assert_int_equal(refusal(connect_as(fixture, 1, 2, PORT)), -ENFILE);
		assert_int_equal(open_region_as(fixture, 1, 1, &region), -ENFILE);
	}
	last = listen_as(fixture, 0, 1, PORT);
	assert_waits(last);
	vchan_close(last);
	assert_int_equal(add(fixture, 9), 0);
	assert_int_equal(right_to_region(fixture, 0, 9), 0);
	assert_int_equal(broker_control_remove(fixture->control, 9), 0);
	while (count > 0)
		vchan_close(clients[--count]);
	wait_for_broker_fds(fixture, before);
}

/* --- hostile domains ------------------------------------------------------------------------- */

static int32_t
status_of_reply(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	struct broker_wire_reply reply = {.status = 1};

	if (poll(&pollfd, 1, WAIT_MS) != 1)
		return 2;
	return recv(fd, &reply, sizeof(reply), 0) == sizeof(reply) ? reply.status : 3;
}

static void
assert_dropped(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
	assert_true(recv(fd, (char[1]){0}, 1, 0) <= 0);
}

static void
garbage_is_answered_and_dropped(void **state)
{
	struct fixture *fixture = *state;
	const struct broker_wire_request good = {BROKER_VERSION, BROKER_LISTEN, 2, PORT};
	unsigned before = settled_broker_fds(fixture);
	char message[4096];

	for (size_t len = 1; len < sizeof(message); len = len < 20 ? len + 1 : 2 * len) {
		int fd = raw_client(fixture, 1);

		memset(message, 0xff, sizeof(message));
		memcpy(message, &good, MIN(len, sizeof(good)));
		if (len == sizeof(good))
			message[4] = 99;
		send(fd, message, len, MSG_NOSIGNAL);
		assert_int_equal(status_of_reply(fd), -EPROTO);
		assert_dropped(fd);
		close(fd);
	}
	wait_for_broker_fds(fixture, before);
}

/* What comes of sending a descriptor to a socket that wants none: it depends on the kernel. */
static int
outcome_of_a_descriptor(void)
{
	int ends[2], r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	unix_socket_refuse_descriptors(ends[1]);
	r = unix_socket_send(ends[0], "x", 1, ends[0]);
	close(ends[0]);
	close(ends[1]);
	return r;
}

static void
request_with_a_descriptor_is_refused_and_the_descriptor_closed(void **state)
{
	struct fixture *fixture = *state;
	const struct broker_wire_request good = {BROKER_VERSION, BROKER_LISTEN, 2, PORT};
	int expected = outcome_of_a_descriptor();
	int fd = raw_client(fixture, 1);
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(unix_socket_send(fd, &good, sizeof(good), ends[1]), expected);
	close(ends[1]);
	if (expected == 0)
		assert_int_equal(status_of_reply(fd), -EPROTO);
	assert_int_equal(read(ends[0], (char[1]){0}, 1), 0);
	close(ends[0]);
	close(fd);
}

/* Who throws a descriptor away closes it, and that may take long: none may come to a peer. */
static void
vch_04_no_descriptor_is_sent_over_a_vchan(void **state)
{
	struct fixture *fixture = *state;
	const struct broker_wire_request request = {BROKER_VERSION, BROKER_CONNECT, 2, PORT};
	struct vchan *server = listen_as(fixture, 2, 1, PORT);
	int expected = outcome_of_a_descriptor();
	int fd = raw_client(fixture, 1), end;
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	int32_t status;

	assert_int_equal(unix_socket_send(fd, &request, sizeof(request), -1), 0);
	assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
	assert_int_equal(unix_socket_receive(fd, &status, sizeof(status), &end), sizeof(status));
	assert_int_equal(status, 0);
	assert_int_equal(unix_socket_send(end, "with", 4, fd), expected);
	assert_int_equal(unix_socket_send(end, "without", 7, -1), 0);
	read_text(server, expected == 0 ? "withwithout" : "without");
	close(end);
	close(fd);
	vchan_close(server);
}

static void
second_request_on_a_connection_ends_it(void **state)
{
	struct fixture *fixture = *state;
	const struct broker_wire_request good = {BROKER_VERSION, BROKER_LISTEN, 2, PORT};
	unsigned before = settled_broker_fds(fixture);
	int fd = raw_client(fixture, 1);

	assert_int_equal(send(fd, &good, sizeof(good), 0), sizeof(good));
	assert_int_equal(send(fd, &good, sizeof(good), 0), sizeof(good));
	wait_for_broker_fds(fixture, before);
	close(fd);
}

/* One flood: connections without end, requests that nobody waits for, replies that nobody reads. */
static void
flood(struct fixture *fixture)
{
	g_autofree char *path = socket_of(fixture, 1);
	struct broker_wire_request request = {BROKER_VERSION, BROKER_CONNECT, 2, 0};
	int fds[900];

	for (;;) {
		for (size_t i = 0; i < G_N_ELEMENTS(fds); i++) {
			fds[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
			unix_socket_connect(fds[i], path);
			request.port = (uint32_t)i;
			request.type = i % 6; /* also types that there are not */
			if (i % 4 != 0)
				send(fds[i], &request, sizeof(request), MSG_NOSIGNAL);
		}
		for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
			close(fds[i]);
	}
}

static void
flood_by_one_domain_does_not_keep_the_others_waiting(void **state)
{
	struct fixture *fixture = *state;
	unsigned fds_before = settled_broker_fds(fixture);
	long rss_before = broker_rss_kib(fixture);
	gint64 worst_us = 0;
	pid_t pid = fork();

	if (pid == 0)
		flood(fixture);
	g_usleep(100 * 1000);
	for (int i = 0; i < 100; i++) {
		gint64 start_us = g_get_monotonic_time();
		struct vchan *pair[2];

		connect_pair(fixture, 2, 3, pair);
		worst_us = MAX(worst_us, g_get_monotonic_time() - start_us);
		close_pair(pair);
		assert_true(broker_fds(fixture) <
			    fds_before + 2 * BROKER_MAX_VCHANS + BROKER_MAX_UNASKED + 8);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_in_range(worst_us, 0, 1000 * 1000);
	assert_in_range(broker_rss_kib(fixture), 0, rss_before + 4096);
	wait_for_broker_fds(fixture, fds_before);
}

static void
vch_02_broker_sleeps_over_clients_that_only_wait(void **state)
{
	struct fixture *fixture = *state;
	int silent[BROKER_MAX_UNASKED + 10];
	struct vchan *waiting = listen_as(fixture, 2, 3, PORT);
	unsigned long before;

	for (size_t i = 0; i < G_N_ELEMENTS(silent); i++)
		silent[i] = raw_client(fixture, 1);
	assert_waits(waiting);
	before = broker_cpu_ticks(fixture);
	g_usleep(400 * 1000);
	assert_in_range(broker_cpu_ticks(fixture) - before, 0, 2);
	for (size_t i = 0; i < G_N_ELEMENTS(silent); i++)
		close(silent[i]);
	vchan_close(waiting);
}

#define WITH_BROKER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_BROKER(listeners_end_at_their_limit),
	    WITH_BROKER(pending_connects_end_at_their_limit),
	    WITH_BROKER(connections_of_one_domain_end_at_their_limit),
	    WITH_BROKER(programs_that_left_do_not_count),
	    WITH_BROKER(unasked_connections_wait_at_their_limit_for_one_to_go),
	    cmocka_unit_test_setup_teardown(
		trusted_side_has_descriptors_left_when_the_domains_have_none, setup_with_few_fds,
		teardown),
	    WITH_BROKER(garbage_is_answered_and_dropped),
	    WITH_BROKER(request_with_a_descriptor_is_refused_and_the_descriptor_closed),
	    WITH_BROKER(vch_04_no_descriptor_is_sent_over_a_vchan),
	    WITH_BROKER(second_request_on_a_connection_ends_it),
	    WITH_BROKER(flood_by_one_domain_does_not_keep_the_others_waiting),
	    WITH_BROKER(vch_02_broker_sleeps_over_clients_that_only_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
