/*
 * vchan-broker and a guest that lies: the test is QEMU and the guest in one, at the other end of
 * the port. Whatever it does costs itself its session and nothing else.
 */
#include "shared/guest_conf.h"
#include "shared/unix_socket.h"
#include "shared/vchan/broker.h"
#include "shared/vchan/broker_wire.h"
#include "shared/vchan/mux.h"
#include "tests/unit/broker_fixture.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUEST 7
#define CONF "name=liar\n"
/* How much the broker may grow; the address sanitizer keeps what was freed. */
#ifdef __SANITIZE_ADDRESS__
#define GROWTH_KIB (256 * 1024)
#else
#define GROWTH_KIB 2048
#endif
#define NONCE UINT64_C(0x1122334455667788)

struct port {
	struct fixture *host;
	char *path;
	int listen_fd, fd; /* fd: the broker's connection, -1: none */
	uint32_t session;
	const char *conf; /* what each session must bring */
	uint8_t input[2 * MUX_FRAME_MAX];
	size_t used;
};

static int
setup_port(void **state)
{
	struct port *port = g_new0(struct port, 1);
	void *host;

	setup(&host);
	port->host = host;
	port->path = g_build_filename(port->host->dir, "port.sock", NULL);
	port->listen_fd = unix_socket_listen(port->path, SOCK_STREAM, 4, 0600);
	assert_true(port->listen_fd >= 0);
	port->fd = -1;
	port->conf = CONF;
	assert_int_equal(
	    broker_control_add_machine(port->host->control, GUEST, port->path, "", CONF), 0);
	*state = port;
	return 0;
}

static int
teardown_port(void **state)
{
	struct port *port = *state;
	void *host = port->host;

	if (port->fd >= 0)
		close(port->fd);
	close(port->listen_fd);
	g_unlink(port->path);
	g_free(port->path);
	g_free(port);
	return teardown(&host);
}

/* --- the port -------------------------------------------------------------------------------- */

static void
wait_readable(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
}

/* The broker connects, again if need be. */
static void
accept_broker(struct port *port)
{
	if (port->fd >= 0)
		close(port->fd);
	wait_readable(port->listen_fd);
	port->fd = accept4(port->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(port->fd >= 0);
	port->used = 0;
}

/* As much as the broker takes at once; the length of that. */
static size_t
say_some(struct port *port, const void *bytes, size_t len)
{
	ssize_t n = send(port->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	assert_true(n >= 0 || errno == EAGAIN);
	return n > 0 ? (size_t)n : 0;
}

static void
say(struct port *port, const void *bytes, size_t len)
{
	while (len > 0) {
		struct pollfd pollfd = {.fd = port->fd, .events = POLLOUT};
		size_t n = say_some(port, bytes, len);

		bytes = (const uint8_t *)bytes + n;
		len -= n;
		if (n == 0)
			assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
	}
}

static void
say_frame(struct port *port, struct mux_frame frame)
{
	uint8_t buffer[MUX_SMALL_MAX];

	say(port, buffer, mux_encode(&frame, port->session, buffer));
}

static void
say_data(struct port *port, uint32_t channel, size_t len)
{
	static uint8_t buffer[MUX_FRAME_MAX];

	memset(mux_data_at(buffer), 'd', len);
	say(port, buffer, mux_encode_data(channel, len, port->session, buffer));
}

static void
say_request(struct port *port)
{
	uint8_t buffer[MUX_SMALL_MAX];

	say(port, buffer, mux_encode_request(NONCE, buffer));
}

static struct untrusted_bytes
heard(const struct port *port)
{
	return untrusted_bytes_of(port->input, port->used);
}

static void
forget(struct port *port, size_t len)
{
	port->used -= len;
	memmove(port->input, port->input + len, port->used);
}

static void
hear_more(struct port *port)
{
	ssize_t n;

	wait_readable(port->fd);
	n = recv(port->fd, port->input + port->used, sizeof(port->input) - port->used, 0);
	assert_true(n > 0);
	port->used += (size_t)n;
}

/* The text of whoever added the machine, and behind it a time and a seed. */
static void
check_conf(const struct mux_hello *hello, const char *wanted)
{
	g_autofree char *text = g_strndup(hello->conf, hello->conf_len);
	g_autofree char *own = guest_conf_without_fresh(text);

	assert_int_equal(strlen(text), hello->conf_len);
	assert_string_equal(own, wanted);
	assert_non_null(strstr(text, "\ntime="));
	assert_non_null(strstr(text, "\nrandom-seed="));
}

static void
start_session(struct port *port)
{
	struct mux_hello hello;
	ssize_t n = 0;

	if (port->fd < 0)
		accept_broker(port);
	say_request(port);
	for (;;) {
		forget(port, mux_hunt(heard(port), MUX_HOST));
		n = mux_decode_hello(heard(port), NONCE, &hello);
		if (n > 0 && hello.session != port->session)
			break;
		if (n != 0)
			forget(port, n > 0 ? (size_t)n : 1); /* one of before */
		else
			hear_more(port);
	}
	check_conf(&hello, port->conf);
	port->session = hello.session;
	forget(port, (size_t)n);
}

static struct mux_frame
hear_frame(struct port *port)
{
	struct mux_frame frame;
	ssize_t n;

	while ((n = mux_decode(heard(port), MUX_HOST, port->session, &frame)) == 0)
		hear_more(port);
	assert_true(n > 0);
	forget(port, (size_t)n);
	return frame;
}

/* The session ended: the broker says so with a break, whatever it was to say before. */
static void
hear_break(struct port *port)
{
	struct mux_frame frame;
	ssize_t n;

	while ((n = mux_decode(heard(port), MUX_HOST, port->session, &frame)) >= 0) {
		if (n == 0)
			hear_more(port);
		forget(port, (size_t)n);
	}
}

static struct mux_frame
frame_of(enum mux_type type, uint32_t channel)
{
	return (struct mux_frame){.type = type, .channel = channel};
}

static void
say_open(struct port *port, uint32_t channel, enum mux_role role, uint32_t peer, uint32_t number)
{
	say_frame(port,
	    (struct mux_frame){
		.type = MUX_OPEN, .channel = channel, .role = role, .peer = peer, .port = number});
}

/* The guest's end is channel 0. */
static struct vchan *
open_channel(struct port *port)
{
	struct vchan *vchan = connect_as(port->host, 0, GUEST, PORT);

	say_open(port, 0, MUX_LISTEN, 0, PORT);
	assert_int_equal(hear_frame(port).type, MUX_OPENED);
	wait_for_state(vchan, VCHAN_CONNECTED);
	return vchan;
}

/* QEMU hangs up; the broker comes again. */
static void
accept_broker_anew(struct port *port)
{
	if (port->fd >= 0)
		close(port->fd);
	port->fd = -1;
	accept_broker(port);
}

/* Nobody else is worse off, and the guest may begin anew. */
static void
assert_only_the_guest_pays(struct port *port)
{
	struct vchan *pair[2], *vchan;

	connect_pair(port->host, 2, 3, pair);
	write_text(pair[0], "unharmed");
	read_text(pair[1], "unharmed");
	close_pair(pair);
	start_session(port);
	vchan = open_channel(port);
	say_data(port, 0, 3);
	read_text(vchan, "ddd");
	vchan_close(vchan);
}

/* --- what a guest may do --------------------------------------------------------------------- */

static void
request_repeated_before_the_answer_changes_nothing(void **state)
{
	struct port *port = *state;
	struct vchan *vchan;

	accept_broker(port);
	say_request(port);
	say_request(port);
	start_session(port);
	vchan = open_channel(port);
	say_data(port, 0, 2);
	read_text(vchan, "dd");
	vchan_close(vchan);
}

static void
longest_conf_arrives_whole(void **state)
{
	struct port *port = *state;
	char longest[BROKER_CONF_MAX + 1] = "";

	memset(longest, 'x', BROKER_CONF_MAX - 1);
	longest[BROKER_CONF_MAX - 1] = '\n';
	start_session(port);
	assert_int_equal(broker_control_remove(port->host->control, GUEST), 0);
	assert_int_equal(
	    broker_control_add_machine(port->host->control, GUEST, port->path, "", longest), 0);
	port->conf = longest;
	accept_broker_anew(port);
	start_session(port);
	port->conf = NULL;
}

static void
greeting_is_found_behind_bytes_of_another_time(void **state)
{
	struct port *port = *state;
	uint8_t old[5000], request[MUX_SMALL_MAX];

	for (size_t i = 0; i < sizeof(old); i++)
		old[i] = (uint8_t)(i * 31);
	mux_encode_request(NONCE + 1, request);
	memcpy(old + sizeof(old) - 20, request, 20); /* cut off by the next */
	accept_broker(port);
	say(port, old, sizeof(old));
	assert_only_the_guest_pays(port);
}

static void
close_before_the_answer_takes_the_request_back(void **state)
{
	struct port *port = *state;
	struct vchan *vchan;

	start_session(port);
	for (int i = 0; i < 300; i++) { /* more than there may be at once */
		say_open(port, 5, MUX_LISTEN, 0, PORT);
		say_frame(port, frame_of(MUX_CLOSE, 5));
		assert_int_equal(hear_frame(port).type, MUX_CLOSE);
	}
	vchan = open_channel(port);
	vchan_close(vchan);
}

static void
refused_number_is_free_when_both_have_closed_it(void **state)
{
	struct port *port = *state;

	start_session(port);
	for (int i = 0; i < 10; i++) {
		struct mux_frame answer;

		say_open(port, 511, MUX_CONNECT, 99, PORT);
		answer = hear_frame(port);
		assert_int_equal(answer.type, MUX_REFUSED);
		assert_int_equal(answer.error, -ENOENT);
		say_frame(port, frame_of(MUX_CLOSE, 511));
	}
	say_open(port, 511, MUX_CONNECT, 99, PORT);
	say_open(port, 511, MUX_CONNECT, 99, PORT);
	hear_break(port);
	assert_only_the_guest_pays(port);
}

static void
bye_ends_the_session_in_order(void **state)
{
	struct port *port = *state;
	struct vchan *vchan;

	start_session(port);
	vchan = open_channel(port);
	say_data(port, 0, 4);
	say_frame(port, frame_of(MUX_BYE, 0));
	read_text(vchan, "dddd");
	read_end(vchan);
	vchan_close(vchan);
	assert_only_the_guest_pays(port);
}

static void
what_came_before_the_port_was_lost_can_be_read(void **state)
{
	struct port *port = *state;
	struct vchan *vchan;

	start_session(port);
	vchan = open_channel(port);
	for (int i = 0; i < 4; i++)
		say_data(port, 0, MUX_WINDOW / 5);
	close(port->fd);
	port->fd = -1;
	for (size_t left = 4 * (MUX_WINDOW / 5); left > 0;) {
		char buffer[4096];
		ssize_t n = vchan_read(vchan, buffer, MIN(left, sizeof(buffer)));

		assert_true(n > 0 || n == -EAGAIN);
		if (n == -EAGAIN)
			assert_true(turn(vchan, WAIT_MS));
		left -= n > 0 ? (size_t)n : 0;
	}
	read_end(vchan);
	vchan_close(vchan);
	port->session = 0;
	assert_only_the_guest_pays(port);
}

/* --- what it may not ------------------------------------------------------------------------- */

/* Everything that ends a session; channel 0 is open, channel 1 is not there. */
static const struct mux_frame wrong_frames[] = {
    {.type = MUX_OPENED, .channel = 0},
    {.type = MUX_REFUSED, .channel = 0, .error = -ENOENT},
    {.type = MUX_OPENED, .channel = 1},
    {.type = MUX_CLOSE, .channel = 1},
    {.type = MUX_CREDIT, .channel = 1, .credit = 1},
    {.type = MUX_CREDIT, .channel = 0, .credit = 1}, /* nothing was sent yet */
    {.type = MUX_CREDIT, .channel = 0, .credit = MUX_WINDOW + 1},
    {.type = MUX_CREDIT, .channel = 0, .credit = 0},
    {.type = MUX_OPEN, .channel = 0, .role = MUX_LISTEN, .peer = 0, .port = 1},
    {.type = MUX_OPEN, .channel = MUX_CHANNELS, .role = MUX_LISTEN, .peer = 0, .port = 1},
    {.type = MUX_OPEN, .channel = 1, .role = 3, .peer = 0, .port = 1},
    {.type = MUX_OPEN, .channel = 1, .role = MUX_LISTEN, .peer = 0, .port = 0x80000000},
    {.type = MUX_BYE, .channel = 1},
};

static void
wrong_frame_ends_the_session(void **state)
{
	struct port *port = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(wrong_frames); i++) {
		struct vchan *vchan;

		start_session(port);
		vchan = open_channel(port);
		say_frame(port, wrong_frames[i]);
		hear_break(port);
		read_end(vchan);
		vchan_close(vchan);
		accept_broker_anew(port);
	}
	assert_only_the_guest_pays(port);
}

static void
data_beyond_credit_ends_the_session(void **state)
{
	struct port *port = *state;
	struct vchan *vchan;

	start_session(port);
	vchan = open_channel(port);
	for (unsigned i = 0; i < 64; i++) /* far more than the vchan, which nobody reads, takes */
		say_data(port, 0, MUX_DATA_MAX);
	hear_break(port);
	vchan_close(vchan);
	assert_only_the_guest_pays(port);
}

static void
frame_of_an_older_session_ends_the_new_one(void **state)
{
	struct port *port = *state;

	start_session(port);
	port->session ^= 1;
	say_open(port, 0, MUX_LISTEN, 0, PORT);
	port->session ^= 1;
	hear_break(port);
	assert_only_the_guest_pays(port);
}

static void
garbage_of_any_length_is_passed_over_or_ends_the_session(void **state)
{
	struct port *port = *state;
	g_autofree uint8_t *garbage = g_malloc(1 << 20);

	for (size_t len = 1; len <= 1 << 20; len *= 32) {
		for (size_t i = 0; i < len; i++)
			garbage[i] = (uint8_t)g_random_int();
		accept_broker_anew(port);
		say(port, garbage, len);
		start_session(port);
		garbage[0] = 0; /* no frame begins with it */
		say(port, garbage, MAX(len, sizeof(struct mux_wire_header)));
		hear_break(port);
	}
	accept_broker_anew(port);
	assert_only_the_guest_pays(port);
}

static void
guest_that_dies_in_mid_frame_loses_that_frame(void **state)
{
	struct port *port = *state;
	uint8_t buffer[MUX_FRAME_MAX], zeros[MUX_FRAME_MAX] = {0};
	struct vchan *vchan;
	size_t len;

	start_session(port);
	vchan = open_channel(port);
	say_data(port, 0, 5);
	memset(mux_data_at(buffer), 'x', MUX_DATA_MAX);
	len = mux_encode_data(0, MUX_DATA_MAX, port->session, buffer);
	say(port, buffer, len / 2);
	say(port, zeros, sizeof(zeros)); /* the next one begins with a break */
	read_text(vchan, "ddddd");
	read_end(vchan); /* and not a byte of the other */
	vchan_close(vchan);
	assert_only_the_guest_pays(port);
}

static void
sessions_that_end_badly_come_ever_slower(void **state)
{
	struct port *port = *state;
	unsigned long before = broker_cpu_ticks(port->host);
	gint64 start_us = g_get_monotonic_time();

	for (int i = 0; i < 9; i++) {
		start_session(port);
		say_frame(port, frame_of(MUX_CLOSE, 3));
		hear_break(port);
	}
	/* 10 + 20 + ... + 1280 ms between nine of them. */
	assert_true(g_get_monotonic_time() - start_us >= 2500 * 1000);
	assert_in_range(broker_cpu_ticks(port->host) - before, 0, 20);
}

static void
flood_of_opens_ends_at_the_limits_of_a_domain(void **state)
{
	struct port *port = *state;
	unsigned refused = 0, before;
	long rss_before;
	struct vchan *pair[2];

	start_session(port);
	before = settled_broker_fds(port->host);
	rss_before = broker_rss_kib(port->host);
	for (uint32_t i = 0; i < MUX_CHANNELS; i++)
		say_open(port, i, i % 2 == 0 ? MUX_LISTEN : MUX_CONNECT, 2, i);
	for (uint32_t i = 0; i < MUX_CHANNELS - BROKER_MAX_VCHANS; i++) {
		struct mux_frame frame = hear_frame(port);

		assert_int_equal(frame.type, MUX_REFUSED);
		assert_int_equal(frame.error, -EMFILE);
		refused++;
	}
	connect_pair(port->host, 2, 3, pair);
	close_pair(pair);
	assert_in_range(broker_rss_kib(port->host), 0, rss_before + GROWTH_KIB);
	say_open(port, 0, MUX_LISTEN, 2, 0); /* in use */
	hear_break(port);
	wait_for_broker_fds(port->host, before);
	assert_only_the_guest_pays(port);
}

/* Opens and closes without ever reading an answer. */
static void
flood(struct port *port)
{
	uint8_t buffer[128];
	uint32_t channel = 0;

	for (;;) {
		struct mux_frame frame = {
		    .type = MUX_OPEN, .role = MUX_CONNECT, .peer = 2, .port = channel};
		size_t len;

		frame.channel = channel;
		len = mux_encode(&frame, port->session, buffer);
		frame = frame_of(MUX_CLOSE, channel);
		len += mux_encode(&frame, port->session, buffer + len);
		channel = (channel + 1) % MUX_CHANNELS;
		if (send(port->fd, buffer, len, MSG_NOSIGNAL) < 0)
			_exit(0);
	}
}

static void
guest_that_floods_and_never_reads_keeps_nobody_waiting(void **state)
{
	struct port *port = *state;
	gint64 worst_us = 0;
	long rss_before;
	pid_t pid;

	start_session(port);
	rss_before = broker_rss_kib(port->host);
	pid = fork();
	if (pid == 0) {
		int flags = 0;

		assert_int_equal(ioctl(port->fd, FIONBIO, &flags), 0);
		flood(port);
	}
	for (int i = 0; i < 200; i++) {
		gint64 start_us = g_get_monotonic_time();
		struct vchan *pair[2];

		connect_pair(port->host, 2, 3, pair);
		worst_us = MAX(worst_us, g_get_monotonic_time() - start_us);
		close_pair(pair);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_in_range(worst_us, 0, 1000 * 1000);
	assert_in_range(broker_rss_kib(port->host), 0, rss_before + GROWTH_KIB);
	accept_broker_anew(port);
	assert_only_the_guest_pays(port);
}

static void
guest_that_never_reads_stops_only_its_own_vchans(void **state)
{
	static const char zeros[65536];
	struct port *port = *state;
	struct vchan *vchan;
	long rss_before;
	unsigned long ticks;
	size_t total = 0;

	start_session(port);
	rss_before = broker_rss_kib(port->host);
	vchan = open_channel(port);
	for (;;) {
		ssize_t n = vchan_write(vchan, zeros, sizeof(zeros));

		total += n > 0 ? (size_t)n : 0;
		if (n == -EAGAIN && !turn(vchan, 200))
			break;
	}
	assert_in_range(total, MUX_WINDOW, 4 << 20);
	assert_in_range(broker_rss_kib(port->host), 0, rss_before + GROWTH_KIB);
	ticks = broker_cpu_ticks(port->host);
	g_usleep(300 * 1000);
	assert_in_range(broker_cpu_ticks(port->host) - ticks, 0, 2);
	vchan_close(vchan);
	accept_broker_anew(port);
	assert_only_the_guest_pays(port);
}

static void
port_that_comes_and_goes_is_tried_again(void **state)
{
	struct port *port = *state;
	unsigned before = 0;

	for (int i = 0; i < 20; i++) {
		struct vchan *vchan;

		start_session(port);
		vchan = open_channel(port);
		accept_broker_anew(port);
		read_end(vchan);
		vchan_close(vchan);
		if (i == 0)
			before = settled_broker_fds(port->host);
	}
	wait_for_broker_fds(port->host, before);
	assert_only_the_guest_pays(port);
}

#define WITH_PORT(test) cmocka_unit_test_setup_teardown(test, setup_port, teardown_port)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_PORT(request_repeated_before_the_answer_changes_nothing),
	    WITH_PORT(longest_conf_arrives_whole),
	    WITH_PORT(greeting_is_found_behind_bytes_of_another_time),
	    WITH_PORT(close_before_the_answer_takes_the_request_back),
	    WITH_PORT(refused_number_is_free_when_both_have_closed_it),
	    WITH_PORT(bye_ends_the_session_in_order),
	    WITH_PORT(what_came_before_the_port_was_lost_can_be_read),
	    WITH_PORT(wrong_frame_ends_the_session),
	    WITH_PORT(data_beyond_credit_ends_the_session),
	    WITH_PORT(frame_of_an_older_session_ends_the_new_one),
	    WITH_PORT(garbage_of_any_length_is_passed_over_or_ends_the_session),
	    WITH_PORT(guest_that_dies_in_mid_frame_loses_that_frame),
	    WITH_PORT(sessions_that_end_badly_come_ever_slower),
	    WITH_PORT(flood_of_opens_ends_at_the_limits_of_a_domain),
	    WITH_PORT(guest_that_floods_and_never_reads_keeps_nobody_waiting),
	    WITH_PORT(guest_that_never_reads_stops_only_its_own_vchans),
	    WITH_PORT(port_that_comes_and_goes_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
