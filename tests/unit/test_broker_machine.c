/*
 * vchan-broker on both sides of a virtual machine's port, end to end.
 */
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

static void
guest_is_told_its_conf_before_it_is_ready(void **state)
{
	struct both *both = *state;
	g_autofree char *text = NULL;

	machine_wait_ready(both->machine);
	assert_true(g_file_get_contents(both->machine->conf_path, &text, NULL, NULL));
	assert_string_equal(text, MACHINE_CONF);
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

#define WITH_BOTH(test) cmocka_unit_test_setup_teardown(test, setup_both, teardown_both)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_BOTH(guest_is_told_its_conf_before_it_is_ready),
	    WITH_BOTH(bytes_cross_the_port_both_ways),
	    WITH_BOTH(server_and_client_may_be_on_either_side),
	    WITH_BOTH(refusals_come_from_the_host),
	    WITH_BOTH(last_words_can_be_read_on_both_sides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
