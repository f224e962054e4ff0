/*
 * vchan-broker on both sides of a virtual machine's port, end to end.
 */
#include "shared/guest_conf.h"
#include "shared/vchan/broker.h"
#include "shared/vchan/broker_wire.h"
#include "shared/vchan/mux_decode.h"
#include "tests/unit/broker_fixture.h"
#include "tests/unit/machine_fixture.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* The host's broker, and the machine as its domain. */
struct both {
	struct fixture *host;
	struct machine *machine;
};

static int
add_machine(struct both *both)
{
	return broker_control_add_machine(both->host->control, MACHINE, both->machine->port_path,
	    both->machine->region_path, MACHINE_CONF);
}

static int
setup_both(void **state)
{
	struct both *both = g_new0(struct both, 1);
	void *host;

	setup(&host);
	both->host = host;
	both->machine = machine_new();
	machine_start_relay(both->machine);
	assert_int_equal(add_machine(both), 0);
	machine_start_broker(both->machine);
	*state = both;
	return 0;
}

static int
teardown_both(void **state)
{
	struct both *both = *state;
	void *host = both->host;

	machine_free(both->machine);
	g_free(both);
	return teardown(&host);
}

static struct vchan *
listen_in_guest(struct both *both, uint32_t peer, uint32_t port)
{
	struct vchan *vchan;
	int r = -ENOENT;

	for (unsigned i = 0; i < 500 && (r == -ENOENT || r == -ECONNREFUSED); i++) {
		r = vchan_listen(both->machine->spec, peer, port, 0, &vchan);
		if (r < 0)
			g_usleep(10 * 1000); /* its broker has just been started */
	}
	assert_int_equal(r, 0);
	return vchan;
}

static struct vchan *
connect_in_guest(struct both *both, uint32_t peer, uint32_t port)
{
	struct vchan *vchan;

	assert_int_equal(vchan_connect(both->machine->spec, peer, port, 0, &vchan), 0);
	return vchan;
}

/* ret[0] in the guest, ret[1] on the trusted side. */
static void
connect_both(struct both *both, struct vchan *ret[2])
{
	ret[0] = listen_in_guest(both, 0, PORT);
	ret[1] = connect_as(both->host, 0, MACHINE, PORT);
	wait_for_state(ret[1], VCHAN_CONNECTED);
	wait_for_state(ret[0], VCHAN_CONNECTED);
}

static void
assert_works(struct both *both)
{
	struct vchan *pair[2];

	connect_both(both, pair);
	write_text(pair[0], "from the guest");
	write_text(pair[1], "from the host");
	read_text(pair[1], "from the guest");
	read_text(pair[0], "from the host");
	close_pair(pair);
}

/* The host has heard what the guest said before: frames keep their order. */
static void
catch_up_with_guest(struct both *both)
{
	assert_int_equal(refusal(connect_in_guest(both, MACHINE, PORT)), -EINVAL);
}

/* What the first session of the guest's broker brought. */
static char *
read_conf(struct both *both)
{
	char *text = NULL;

	machine_wait_ready(both->machine);
	assert_true(g_file_get_contents(both->machine->conf_path, &text, NULL, NULL));
	return text;
}

static void
guest_is_told_its_conf_before_it_is_ready(void **state)
{
	struct both *both = *state;
	g_autofree char *text = read_conf(both);
	g_autofree char *own = guest_conf_without_fresh(text);

	assert_string_equal(own, MACHINE_CONF);
}

static void
each_session_brings_the_time_and_a_seed_of_its_own(void **state)
{
	struct both *both = *state;
	uint8_t before[GUEST_CONF_SEED_BYTES] = {0};

	for (int round = 0; round < 3; round++) {
		g_autofree char *text = NULL;
		struct guest_conf conf;
		time_t start;
		unsigned line;

		machine_end_broker(both->machine, SIGKILL);
		start = time(NULL);
		machine_start_broker(both->machine);
		text = read_conf(both);
		assert_int_equal(guest_conf_parse(text, strlen(text), &conf, &line), 0);
		assert_true(conf.fresh.has_time && conf.fresh.has_seed);
		assert_in_range(conf.fresh.time_s, start, time(NULL));
		assert_memory_not_equal(conf.fresh.seed, before, sizeof(before));
		memcpy(before, conf.fresh.seed, sizeof(before));
	}
}

static void
bytes_cross_the_port_both_ways(void **state)
{
	struct both *both = *state;

	assert_works(both);
}

static void
server_and_client_may_be_on_either_side(void **state)
{
	struct both *both = *state;
	struct vchan *server, *client;

	machine_wait_ready(both->machine);
	client = connect_in_guest(both, 2, PORT);
	server = listen_as(both->host, 2, MACHINE, PORT);
	wait_for_state(client, VCHAN_CONNECTED);
	write_text(client, "to another qube");
	read_text(server, "to another qube");
	vchan_close(server);
	read_end(client);
	vchan_close(client);
}

/* Reads, and forgets, all that is left. */
static void
read_end_of_stream(struct vchan *vchan)
{
	static char buffer[65536];
	ssize_t n;

	while ((n = vchan_read(vchan, buffer, sizeof(buffer))) != 0) {
		assert_true(n > 0 || n == -EAGAIN);
		if (n == -EAGAIN)
			assert_true(turn(vchan, WAIT_MS));
	}
}

static void
refusals_come_from_the_host(void **state)
{
	struct both *both = *state;
	struct vchan *first;

	machine_wait_ready(both->machine);
	assert_int_equal(refusal(connect_in_guest(both, 99, PORT)), -ENOENT);
	catch_up_with_guest(both);
	first = listen_in_guest(both, 0, PORT);
	assert_waits(first);
	assert_int_equal(refusal(listen_in_guest(both, 0, PORT)), -EADDRINUSE);
	vchan_close(first);
	catch_up_with_guest(both);
	assert_works(both);
}

static void
last_words_can_be_read_on_both_sides(void **state)
{
	struct both *both = *state;
	struct vchan *pair[2];

	for (int who = 0; who < 2; who++) {
		connect_both(both, pair);
		write_text(pair[who], "last words");
		vchan_close(pair[who]);
		read_text(pair[1 - who], "last words");
		read_end(pair[1 - who]);
		vchan_close(pair[1 - who]);
	}
}

/* --- streams --------------------------------------------------------------------------------- */

#define STREAM_BYTES (8u << 20)

static uint8_t
byte_at(size_t position)
{
	return (uint8_t)(position * 7 + position / 251);
}

/* Writes the stream at one end, reads and checks it at the other, in whatever steps come. */
static void
pass_stream(struct vchan *from, struct vchan *to)
{
	static uint8_t buffer[100000];
	size_t sent = 0, received = 0;

	while (received < STREAM_BYTES) {
		size_t len = MIN(sizeof(buffer), STREAM_BYTES - sent);
		ssize_t n;

		for (size_t i = 0; i < len; i++)
			buffer[i] = byte_at(sent + i);
		n = len > 0 ? vchan_write(from, buffer, len) : 0;
		assert_true(n >= 0 || n == -EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		n = vchan_read(to, buffer, sizeof(buffer));
		assert_true(n > 0 || n == -EAGAIN);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buffer[i], byte_at(received + (size_t)i));
		received += n > 0 ? (size_t)n : 0;
		if (n == -EAGAIN) {
			turn(from, 0);
			turn(to, 1);
		}
	}
}

static void
streams_arrive_whole_in_both_directions(void **state)
{
	struct both *both = *state;
	struct vchan *pair[2];

	connect_both(both, pair);
	pass_stream(pair[0], pair[1]);
	pass_stream(pair[1], pair[0]);
	close_pair(pair);
}

/* Writes until nothing more goes for a while; returns how much went. */
static size_t
stuff(struct vchan *vchan)
{
	static const char zeros[65536];
	size_t total = 0;

	for (;;) {
		ssize_t n = vchan_write(vchan, zeros, sizeof(zeros));

		assert_true(n > 0 || n == -EAGAIN);
		total += n > 0 ? (size_t)n : 0;
		if (n == -EAGAIN && !turn(vchan, 200))
			return total;
	}
}

static void
channel_that_nobody_reads_keeps_no_other_waiting(void **state)
{
	struct both *both = *state;
	struct vchan *stuck[2], *pair[2];

	for (int from = 0; from < 2; from++) {
		connect_both(both, stuck);
		assert_in_range(stuff(stuck[from]), 2 * MUX_WINDOW / 2, 4 << 20);
		connect_both(both, pair);
		pass_stream(pair[0], pair[1]);
		pass_stream(pair[1], pair[0]);
		close_pair(pair);
		vchan_close(stuck[from]);
		read_end_of_stream(stuck[1 - from]); /* all that was sent, and the end */
		vchan_close(stuck[1 - from]);
	}
}

static void
vch_04_thousand_connects_leave_nothing_behind(void **state)
{
	struct both *both = *state;
	struct vchan *pair[2];
	unsigned before;

	assert_works(both);
	before = settled_broker_fds(both->host);
	for (int i = 0; i < 1000; i++) {
		connect_both(both, pair);
		close_pair(pair);
		catch_up_with_guest(both);
	}
	wait_for_broker_fds(both->host, before);
	assert_works(both);
}

static void
machine_has_the_limits_of_any_domain(void **state)
{
	struct both *both = *state;
	struct vchan *servers[BROKER_MAX_LISTENERS], *other[2];

	machine_wait_ready(both->machine);
	for (uint32_t i = 0; i < BROKER_MAX_LISTENERS; i++) {
		servers[i] = listen_in_guest(both, 2, i);
		catch_up_with_guest(both);
	}
	assert_int_equal(refusal(listen_in_guest(both, 2, BROKER_MAX_LISTENERS)), -EMFILE);
	connect_pair(both->host, 2, 3, other);
	close_pair(other);
	for (uint32_t i = 0; i < BROKER_MAX_LISTENERS; i++)
		vchan_close(servers[i]);
	assert_works(both);
}

/* --- loss ------------------------------------------------------------------------------------ */

static void
killed_machine_ends_its_vchans(void **state)
{
	struct both *both = *state;
	struct vchan *pair[2];

	connect_both(both, pair);
	write_text(pair[0], "last words");
	read_text(pair[1], "last words");
	machine_stop_relay(both->machine);
	read_end(pair[1]);
	read_end(pair[0]);
	close_pair(pair);
	machine_start_relay(both->machine);
	assert_works(both); /* and both find each other again */
}

static void
guest_broker_that_was_killed_is_replaced_by_the_next(void **state)
{
	struct both *both = *state;
	struct vchan *pair[2];

	for (int round = 0; round < 5; round++) {
		connect_both(both, pair);
		stuff(pair[0]); /* so that it dies in the middle of a frame */
		machine_end_broker(both->machine, SIGKILL);
		machine_start_broker(both->machine);
		machine_wait_ready(both->machine);
		read_end_of_stream(pair[1]);
		close_pair(pair);
		assert_works(both);
	}
}

static void
guest_broker_that_ends_in_order_says_so(void **state)
{
	struct both *both = *state;
	struct vchan *pair[2];

	connect_both(both, pair);
	machine_end_broker(both->machine, SIGTERM);
	read_end(pair[1]); /* though the port tells nothing of it */
	close_pair(pair);
	machine_start_broker(both->machine);
	assert_works(both);
}

static void
restart_host(struct both *both)
{
	kill_broker(both->host);
	broker_control_free(both->host->control);
	start_broker(both->host);
	assert_int_equal(add_machine(both), 0);
	for (uint32_t domain = 1; domain <= 3; domain++)
		assert_int_equal(add(both->host, domain), 0);
}

static void
host_broker_that_was_killed_is_replaced_by_the_next(void **state)
{
	struct both *both = *state;
	struct vchan *pair[2];

	for (int round = 0; round < 5; round++) {
		connect_both(both, pair);
		stuff(pair[1]);
		restart_host(both);
		read_end_of_stream(pair[0]);
		close_pair(pair);
		assert_works(both);
	}
}

static void
guest_is_told_anew_in_each_session(void **state)
{
	struct both *both = *state;
	g_autofree char *first = read_conf(both);
	g_autofree char *second = NULL;
	g_autofree char *third = NULL;

	assert_int_equal(g_unlink(both->machine->conf_path), 0);
	restart_host(both);
	second = read_conf(both); /* which waits for another line */
	assert_string_not_equal(first, second);
	restart_host(both);
	third = read_conf(both);
	assert_string_not_equal(second, third);
}

static void
server_in_the_guest_waits_on_over_a_restart_of_the_host(void **state)
{
	struct both *both = *state;
	struct vchan *server, *client;

	machine_wait_ready(both->machine);
	server = listen_in_guest(both, 0, PORT);
	catch_up_with_guest(both);
	restart_host(both);
	client = connect_as(both->host, 0, MACHINE, PORT);
	wait_for_state(server, VCHAN_CONNECTED);
	write_text(server, "still here");
	read_text(client, "still here");
	vchan_close(server);
	vchan_close(client);
}

static void
guest_may_ask_before_there_is_a_host(void **state)
{
	struct both *both = *state;
	struct vchan *server, *client;

	machine_wait_ready(both->machine);
	assert_int_equal(broker_control_remove(both->host->control, MACHINE), 0);
	server = listen_in_guest(both, 0, PORT);
	assert_waits(server);
	assert_int_equal(add_machine(both), 0);
	client = connect_as(both->host, 0, MACHINE, PORT);
	wait_for_state(server, VCHAN_CONNECTED);
	vchan_close(server);
	vchan_close(client);
}

static void
removed_machine_loses_everything_at_once(void **state)
{
	struct both *both = *state;
	struct vchan *pair[2], *waiting;

	connect_both(both, pair);
	waiting = connect_as(both->host, 2, MACHINE, PORT);
	assert_waits(waiting);
	assert_int_equal(broker_control_remove(both->host->control, MACHINE), 0);
	read_end(pair[1]);
	read_end(pair[0]); /* the guest is told */
	close_pair(pair);
	assert_int_equal(refusal(waiting), -ENOENT);
	assert_int_equal(broker_control_remove(both->host->control, MACHINE), -ENOENT);
	assert_int_equal(add_machine(both), 0);
	assert_works(both);
}

static void
both_brokers_sleep_when_there_is_nothing_to_do(void **state)
{
	struct both *both = *state;
	struct fixture guest = {.broker = both->machine->broker};
	struct vchan *pair[2], *waiting;
	unsigned long host_before, guest_before;

	connect_both(both, pair);
	stuff(pair[0]);
	stuff(pair[1]);
	waiting = listen_in_guest(both, 0, PORT + 1);
	assert_waits(waiting);
	host_before = broker_cpu_ticks(both->host);
	guest_before = broker_cpu_ticks(&guest);
	g_usleep(500 * 1000);
	assert_in_range(broker_cpu_ticks(both->host) - host_before, 0, 2);
	assert_in_range(broker_cpu_ticks(&guest) - guest_before, 0, 2);
	vchan_close(waiting);
	close_pair(pair);
}

/* --- adding, and the region ------------------------------------------------------------------ */

static void
machine_that_cannot_be_added_leaves_nothing_behind(void **state)
{
	struct both *both = *state;
	struct broker_control *control = both->host->control;
	g_autofree char *big = g_strnfill(BROKER_CONF_MAX, 'x');
	g_autofree char *too_big = g_strnfill(BROKER_CONF_MAX + 1, 'x');
	unsigned before = settled_broker_fds(both->host);

	assert_int_equal(add_machine(both), -EEXIST);
	assert_int_equal(broker_control_add_machine(control, 0, "/x", "", ""), -EINVAL);
	assert_int_equal(broker_control_add_machine(control, 9, "x", "", ""), -EINVAL);
	assert_int_equal(broker_control_add_machine(control, 9, "/x", "x", ""), -EINVAL);
	assert_int_equal(broker_control_add_machine(control, 9, "/x", "/nowhere", ""), -ENOENT);
	assert_int_equal(broker_control_add_machine(control, 9, "/x", "/dev/null", ""), -EINVAL);
	assert_int_equal(broker_control_add_machine(control, 9, "/x", "", too_big), -ENAMETOOLONG);
	wait_for_broker_fds(both->host, before);
	assert_int_equal(broker_control_add_machine(control, 9, "/x", "", big), 0);
	assert_int_equal(right_to_region(both->host, 0, 9), -ENOENT);
}

static void
region_of_a_machine_is_its_file(void **state)
{
	static const uint32_t pages[] = {3};
	struct both *both = *state;
	struct region *own, *seen;
	char buffer[6];

	machine_wait_ready(both->machine);
	assert_int_equal(region_open_own(both->machine->spec, &own), 0);
	assert_int_equal(open_region_as(both->host, 0, MACHINE, &seen), 0);
	assert_int_equal(region_size_bytes(own), 1 << 20);
	assert_int_equal(region_size_bytes(seen), 1 << 20);
	assert_int_equal(pwrite(region_fd(own), "pixels", 6, 3 * REGION_PAGE_BYTES), 6);
	assert_int_equal(
	    region_read_pages(seen, untrusted_bytes_of(pages, sizeof(pages)), 1, 0, buffer, 6), 0);
	assert_memory_equal(buffer, "pixels", 6);
	assert_int_equal(pwrite(region_fd(seen), "x", 1, 0), -1);
	region_free(own);
	region_free(seen);

	assert_int_equal(right_to_region(both->host, 2, MACHINE), -EACCES);
	assert_int_equal(broker_control_set_gui_domain(both->host->control, MACHINE, 2), 0);
	assert_int_equal(right_to_region(both->host, 2, MACHINE), 0);
	assert_int_equal(region_open(both->machine->spec, 2, &seen), -EACCES);
}

static void
region_device_may_come_after_the_broker_of_its_guest(void **state)
{
	struct both *both = *state;
	g_autofree char *device = g_strconcat(both->machine->region_path, ".device", NULL);
	const char *path = both->machine->region_path;
	struct region *own;

	machine_wait_ready(both->machine);
	assert_int_equal(g_rename(path, device), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(region_open_own(both->machine->spec, &own), -ENOENT);
	assert_int_equal(symlink(device, path), 0);
	assert_int_equal(region_open_own(both->machine->spec, &own), 0);
	assert_int_equal(region_size_bytes(own), 1 << 20);
	region_free(own);
	assert_int_equal(g_unlink(device), 0); /* it is open already */
	assert_int_equal(region_open_own(both->machine->spec, &own), 0);
	region_free(own);
}

#define WITH_BOTH(test) cmocka_unit_test_setup_teardown(test, setup_both, teardown_both)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_BOTH(guest_is_told_its_conf_before_it_is_ready),
	    WITH_BOTH(each_session_brings_the_time_and_a_seed_of_its_own),
	    WITH_BOTH(bytes_cross_the_port_both_ways),
	    WITH_BOTH(server_and_client_may_be_on_either_side),
	    WITH_BOTH(refusals_come_from_the_host),
	    WITH_BOTH(last_words_can_be_read_on_both_sides),
	    WITH_BOTH(streams_arrive_whole_in_both_directions),
	    WITH_BOTH(channel_that_nobody_reads_keeps_no_other_waiting),
	    WITH_BOTH(vch_04_thousand_connects_leave_nothing_behind),
	    WITH_BOTH(machine_has_the_limits_of_any_domain),
	    WITH_BOTH(killed_machine_ends_its_vchans),
	    WITH_BOTH(guest_broker_that_was_killed_is_replaced_by_the_next),
	    WITH_BOTH(guest_broker_that_ends_in_order_says_so),
	    WITH_BOTH(host_broker_that_was_killed_is_replaced_by_the_next),
	    WITH_BOTH(guest_is_told_anew_in_each_session),
	    WITH_BOTH(server_in_the_guest_waits_on_over_a_restart_of_the_host),
	    WITH_BOTH(guest_may_ask_before_there_is_a_host),
	    WITH_BOTH(removed_machine_loses_everything_at_once),
	    WITH_BOTH(both_brokers_sleep_when_there_is_nothing_to_do),
	    WITH_BOTH(machine_that_cannot_be_added_leaves_nothing_behind),
	    WITH_BOTH(region_of_a_machine_is_its_file),
	    WITH_BOTH(region_device_may_come_after_the_broker_of_its_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
