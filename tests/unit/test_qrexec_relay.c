/*
 * The relay with a data vchan of the socket transport whose other end is a plain socket in this
 * process: every byte that crosses is looked at.
 */
#include "qrexec/relay.h"
#include "shared/qrexec_wire.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct scene {
	char *folder;
	struct relay *relay;
	int peer;  /* the other end of the vchan */
	int local; /* the process's end: what it reads and writes */
	int err;   /* the writing end of its stderr; -1 */
	bool ready, done;
	int exit_code, error;
	struct relay_local attach; /* what ready hands over */
	bool answer, finish;
};

static void
on_ready(struct relay *relay, void *data)
{
	struct scene *scene = data;

	scene->ready = true;
	if (scene->answer)
		relay_answer(relay, 9);
	else if (scene->finish)
		relay_finish(relay, 125);
	else
		relay_attach(relay, &scene->attach);
}

static void
on_done(struct relay *relay, int exit_code, int error, void *data)
{
	struct scene *scene = data;

	(void)relay;
	scene->done = true;
	scene->exit_code = exit_code;
	scene->error = error;
}

static const struct relay_events events = {.ready = on_ready, .done = on_done};

/* Runs the loop until nothing happens any more. */
static void
run(void)
{
	for (int idle = 0; idle < 8;) {
		if (g_main_context_iteration(NULL, FALSE)) {
			idle = 0;
			continue;
		}
		g_usleep(1000);
		idle++;
	}
}

static int
connect_to(const char *folder)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/vchan.1.2.513.sock", folder);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* A relay whose local side is one end of a socket pair; it does not shake hands yet. */
static struct scene *
begin(enum relay_end end, unsigned timeout_ms)
{
	struct scene *scene = g_new0(struct scene, 1);
	struct vchan *vchan;
	int pair[2];

	scene->folder = g_dir_make_tmp("relay-XXXXXX", NULL);
	g_setenv("VCHAN_SOCKET_DIR", scene->folder, TRUE);
	g_setenv("VCHAN_DOMAIN", "1", TRUE);
	assert_int_equal(vchan_listen("socket", 2, 513, RELAY_RING_BYTES, &vchan), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	scene->local = pair[0];
	scene->err = -1;
	scene->attach = (struct relay_local){.in_fd = pair[1],
	    .out_fd = fcntl(pair[1], F_DUPFD_CLOEXEC, 3),
	    .err_fd = -1,
	    .out_is_pair = true,
	    .has_process = true};
	scene->relay = relay_new(vchan, end, timeout_ms, &events, scene);
	scene->peer = connect_to(scene->folder);
	return scene;
}

static void
end_scene(struct scene *scene)
{
	g_autofree char *path = g_build_filename(scene->folder, "vchan.1.2.513.sock", NULL);

	relay_free(scene->relay);
	close(scene->peer);
	close(scene->local);
	if (scene->err >= 0)
		close(scene->err);
	unlink(path);
	rmdir(scene->folder);
	g_free(scene->folder);
	g_free(scene);
}

static void
say(struct scene *scene, uint32_t type, const void *body, size_t len)
{
	uint32_t header[] = {type, (uint32_t)len};

	assert_int_equal(send(scene->peer, header, sizeof(header), MSG_NOSIGNAL), sizeof(header));
	if (len > 0)
		assert_int_equal(send(scene->peer, body, len, MSG_NOSIGNAL), len);
	run();
}

static void
say_hello(struct scene *scene, uint32_t version)
{
	say(scene, QREXEC_HELLO, &version, sizeof(version));
}

/* What the peer got, as text: "type:length " for each message. */
static char *
heard(struct scene *scene)
{
	GString *text = g_string_new(NULL);
	g_autofree char *body = g_malloc(QREXEC_CHUNK_MAX);
	uint32_t header[2];

	run();
	while (recv(scene->peer, header, sizeof(header), MSG_DONTWAIT) == sizeof(header)) {
		size_t have = 0;

		while (have < header[1]) {
			ssize_t n = recv(scene->peer, body + have, header[1] - have, MSG_DONTWAIT);

			if (n <= 0)
				run();
			else
				have += (size_t)n;
		}
		g_string_append_printf(text, "%x:%u ", header[0], header[1]);
	}
	return g_string_free(text, FALSE);
}

#define HEARD(scene, expected)                                                                     \
	do {                                                                                       \
		g_autofree char *heard_text = heard(scene);                                        \
		assert_string_equal(heard_text, expected);                                         \
	} while (0)

static void
qrx_12_hello_goes_first_and_nothing_before_the_peers_hello(void **state)
{
	struct scene *scene = begin(RELAY_SERVICE_END, 1000);

	(void)state;
	HEARD(scene, "300:4 ");
	assert_false(scene->ready);
	say_hello(scene, 4);
	assert_true(scene->ready);
	HEARD(scene, "192:0 "); /* there is no stderr of its own */
	end_scene(scene);
}

static void
qrx_07_a_peer_without_a_hello_loses_the_call_in_time(void **state)
{
	struct scene *scene = begin(RELAY_SERVICE_END, 50);

	(void)state;
	assert_int_equal(send(scene->peer, "\0\3", 2, 0), 2);
	for (int i = 0; i < 100 && !scene->done; i++)
		run();
	assert_true(scene->done && !scene->ready);
	assert_int_equal(scene->error, -ETIMEDOUT);
	assert_int_equal(scene->exit_code, 125);
	end_scene(scene);
}

static void
qrx_01_a_wrong_first_message_ends_the_call(void **state)
{
	static const struct {
		uint32_t type, version;
		size_t len;
		int error;
	} rows[] = {
	    {QREXEC_HELLO, 1, 4, -EPROTONOSUPPORT},
	    {QREXEC_HELLO, 4, 3, -EPROTO},
	    {QREXEC_DATA_STDIN, 4, 4, -EPROTO},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct scene *scene = begin(RELAY_SERVICE_END, 1000);

		say(scene, rows[i].type, &rows[i].version, rows[i].len);
		assert_true(scene->done);
		assert_int_equal(scene->error, rows[i].error);
		end_scene(scene);
	}
}

static void
the_service_end_tells_its_streams_then_its_code(void **state)
{
	struct scene *scene = begin(RELAY_SERVICE_END, 1000);
	char got[16] = "";

	(void)state;
	say_hello(scene, 4);
	HEARD(scene, "300:4 192:0 ");
	say(scene, QREXEC_DATA_STDIN, "hello", 5);
	assert_int_equal(read(scene->local, got, sizeof(got)), 5);
	assert_memory_equal(got, "hello", 5);
	assert_int_equal(write(scene->local, "out", 3), 3);
	HEARD(scene, "191:3 ");
	relay_set_exit_code(scene->relay, 7);
	HEARD(scene, ""); /* its output has not ended */
	assert_int_equal(write(scene->local, "late", 4), 4);
	shutdown(scene->local, SHUT_WR);
	HEARD(scene, "191:4 191:0 193:4 ");
	assert_true(scene->done);
	assert_int_equal(scene->exit_code, 7);
	assert_int_equal(scene->error, 0);
	end_scene(scene);
}

static void
an_answer_is_one_message_and_a_finish_three(void **state)
{
	struct scene *answered = begin(RELAY_SERVICE_END, 1000);
	struct scene *finished;

	(void)state;
	answered->answer = true;
	say_hello(answered, 4);
	HEARD(answered, "300:4 193:4 ");
	assert_true(answered->done);
	close(answered->attach.in_fd);
	close(answered->attach.out_fd);
	end_scene(answered);

	finished = begin(RELAY_SERVICE_END, 1000);
	finished->finish = true;
	say_hello(finished, 4);
	HEARD(finished, "300:4 192:0 191:0 193:4 ");
	close(finished->attach.in_fd);
	close(finished->attach.out_fd);
	end_scene(finished);
}

static void
qrx_21_stderr_and_code_from_a_client_end_change_nothing(void **state)
{
	struct scene *scene = begin(RELAY_SERVICE_END, 1000);
	const int32_t code = 0;
	char got[16];

	(void)state;
	say_hello(scene, 4);
	say(scene, QREXEC_DATA_STDERR, "\33[31m", 5);
	say(scene, QREXEC_DATA_EXIT_CODE, &code, sizeof(code));
	assert_false(scene->done);
	assert_int_equal(read(scene->local, got, sizeof(got)), -1);
	say(scene, QREXEC_DATA_STDOUT, "x", 1); /* taken for stdin, as deployed ends do */
	assert_int_equal(read(scene->local, got, sizeof(got)), 1);
	end_scene(scene);
}

static void
qrx_12_eof_twice_and_data_behind_it_are_thrown_away(void **state)
{
	struct scene *scene = begin(RELAY_SERVICE_END, 1000);
	char got[16];

	(void)state;
	say_hello(scene, 4);
	say(scene, QREXEC_DATA_STDIN, "a", 1);
	say(scene, QREXEC_DATA_STDIN, "", 0);
	say(scene, QREXEC_DATA_STDIN, "b", 1);
	say(scene, QREXEC_DATA_STDIN, "", 0);
	assert_int_equal(read(scene->local, got, sizeof(got)), 1);
	assert_int_equal(read(scene->local, got, sizeof(got)), 0);
	assert_false(scene->done);
	assert_int_equal(write(scene->local, "still", 5), 5);
	HEARD(scene, "300:4 192:0 191:5 ");
	end_scene(scene);
}

static void
a_process_that_reads_nothing_more_is_no_failure(void **state)
{
	struct scene *scene = begin(RELAY_SERVICE_END, 1000);
	g_autofree char *bulk = g_malloc0(QREXEC_CHUNK_MAX);

	(void)state;
	say_hello(scene, 4);
	shutdown(scene->local, SHUT_RD);
	for (int i = 0; i < 5; i++)
		say(scene, QREXEC_DATA_STDIN, bulk, QREXEC_CHUNK_MAX);
	assert_false(scene->done);
	assert_int_equal(write(scene->local, "x", 1), 1);
	HEARD(scene, "300:4 192:0 191:1 ");
	end_scene(scene);
}

static void
qrx_13_what_nobody_takes_stays_with_its_sender(void **state)
{
	struct scene *scene = begin(RELAY_SERVICE_END, 1000);
	g_autofree char *bulk = g_malloc0(sizeof(uint32_t) * 2 + QREXEC_CHUNK_MAX);
	uint32_t *header = (uint32_t *)bulk;
	size_t taken = 0, delivered = 0;
	ssize_t n;

	(void)state;
	say_hello(scene, 4);
	header[0] = QREXEC_DATA_STDIN;
	header[1] = QREXEC_CHUNK_MAX;
	/* Nobody reads the process's end: after a few buffers nothing more is taken. */
	for (int i = 0; i < 200; i++) {
		n = send(scene->peer, bulk, 8 + QREXEC_CHUNK_MAX, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 8 + QREXEC_CHUNK_MAX)
			break;
		taken += QREXEC_CHUNK_MAX;
		run();
	}
	assert_true(taken < 2u << 20);
	assert_false(scene->done);
	while (delivered < taken) {
		n = recv(scene->local, bulk, QREXEC_CHUNK_MAX, MSG_DONTWAIT);
		if (n > 0)
			delivered += (size_t)n;
		else
			run();
	}
	end_scene(scene);
}

static void
qrx_13_a_peer_that_does_not_read_stops_the_process(void **state)
{
	struct scene *scene = begin(RELAY_SERVICE_END, 1000);
	g_autofree char *bulk = g_malloc0(QREXEC_CHUNK_MAX);
	size_t written = 0;

	(void)state;
	say_hello(scene, 4);
	for (int i = 0; i < 400; i++) {
		ssize_t n = send(scene->local, bulk, QREXEC_CHUNK_MAX, MSG_DONTWAIT);

		if (n > 0)
			written += (size_t)n;
		run();
	}
	assert_true(written < 2u << 20);
	assert_false(scene->done);
	end_scene(scene);
}

static void
chunks_have_the_size_of_the_version(void **state)
{
	static const struct {
		uint32_t version;
		const char *heard;
	} rows[] = {{2, "300:4 192:0 191:4096 191:4096 191:1808 "}, {3, "300:4 192:0 191:10000 "},
	    {4, "300:4 192:0 191:10000 "}};
	g_autofree char *bulk = g_malloc0(10000);

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct scene *scene = begin(RELAY_SERVICE_END, 1000);

		assert_int_equal(write(scene->local, bulk, 10000), 10000);
		say_hello(scene, rows[i].version);
		HEARD(scene, rows[i].heard);
		end_scene(scene);
	}
}

static void
qrx_12_a_chunk_over_the_limit_or_of_no_type_ends_the_call(void **state)
{
	static const uint32_t bad[][2] = {
	    {QREXEC_DATA_STDIN, 65537}, {0x194, 0}, {0x18f, 0}, {QREXEC_HELLO, 4}};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		struct scene *scene = begin(RELAY_SERVICE_END, 1000);

		say_hello(scene, 4);
		assert_int_equal(send(scene->peer, bad[i], 8, MSG_NOSIGNAL), 8);
		run();
		assert_true(scene->done);
		assert_int_equal(scene->error, -EPROTO);
		assert_int_equal(scene->exit_code, 125);
		end_scene(scene);
	}
}

static void
the_client_end_delivers_everything_and_then_the_code(void **state)
{
	struct scene *scene = begin(RELAY_CLIENT_END, 1000);
	const int32_t code = 3;
	char got[16];

	(void)state;
	scene->attach.prefix = "first";
	say_hello(scene, 4);
	HEARD(scene, "300:4 190:5 ");
	assert_int_equal(write(scene->local, "in", 2), 2);
	HEARD(scene, "190:2 ");
	say(scene, QREXEC_DATA_STDOUT, "out", 3);
	say(scene, QREXEC_DATA_EXIT_CODE, &code, sizeof(code));
	HEARD(scene, "190:0 "); /* its input had not ended */
	assert_true(scene->done);
	assert_int_equal(scene->exit_code, 3);
	assert_int_equal(read(scene->local, got, sizeof(got)), 3);
	assert_int_equal(read(scene->local, got, sizeof(got)), 0);
	end_scene(scene);
}

static void
qrx_14_a_stream_without_a_code_is_255_after_its_data(void **state)
{
	struct scene *scene = begin(RELAY_CLIENT_END, 1000);
	char got[16];

	(void)state;
	say_hello(scene, 4);
	say(scene, QREXEC_DATA_STDOUT, "out", 3);
	shutdown(scene->peer, SHUT_RDWR);
	run();
	assert_true(scene->done);
	assert_int_equal(scene->exit_code, 255);
	assert_int_equal(scene->error, 0);
	assert_int_equal(read(scene->local, got, sizeof(got)), 3);
	end_scene(scene);
}

static void
the_end_of_the_input_is_told_once(void **state)
{
	struct scene *scene = begin(RELAY_CLIENT_END, 1000);
	const int32_t code = 0;

	(void)state;
	say_hello(scene, 4);
	shutdown(scene->local, SHUT_WR);
	HEARD(scene, "300:4 190:0 ");
	say(scene, QREXEC_DATA_EXIT_CODE, &code, sizeof(code));
	HEARD(scene, "");
	assert_true(scene->done);
	end_scene(scene);
}

static void
one_socket_takes_over_what_was_left_and_both_directions(void **state)
{
	struct scene *scene = begin(RELAY_SERVICE_END, 1000);
	int second[2];
	char got[16];

	(void)state;
	/* Two sockets as for a process: the scene's own for its stdout, this one for its stdin. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, second), 0);
	close(scene->attach.out_fd);
	scene->attach.out_fd = second[0];
	say_hello(scene, 4);
	say(scene, QREXEC_DATA_STDIN, "", 0); /* also when nothing more goes in */
	assert_int_equal(write(scene->local, "old", 3), 3);
	relay_use_one_socket(scene->relay);
	HEARD(scene, "300:4 192:0 191:3 ");
	assert_int_equal(read(second[1], got, sizeof(got)), 0);
	assert_int_equal(write(second[1], "newer", 5), 5);
	HEARD(scene, "191:5 ");
	close(second[1]);
	HEARD(scene, "191:0 ");
	end_scene(scene);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(qrx_12_hello_goes_first_and_nothing_before_the_peers_hello),
	    cmocka_unit_test(qrx_07_a_peer_without_a_hello_loses_the_call_in_time),
	    cmocka_unit_test(qrx_01_a_wrong_first_message_ends_the_call),
	    cmocka_unit_test(the_service_end_tells_its_streams_then_its_code),
	    cmocka_unit_test(an_answer_is_one_message_and_a_finish_three),
	    cmocka_unit_test(qrx_21_stderr_and_code_from_a_client_end_change_nothing),
	    cmocka_unit_test(qrx_12_eof_twice_and_data_behind_it_are_thrown_away),
	    cmocka_unit_test(a_process_that_reads_nothing_more_is_no_failure),
	    cmocka_unit_test(qrx_13_what_nobody_takes_stays_with_its_sender),
	    cmocka_unit_test(qrx_13_a_peer_that_does_not_read_stops_the_process),
	    cmocka_unit_test(chunks_have_the_size_of_the_version),
	    cmocka_unit_test(qrx_12_a_chunk_over_the_limit_or_of_no_type_ends_the_call),
	    cmocka_unit_test(the_client_end_delivers_everything_and_then_the_code),
	    cmocka_unit_test(qrx_14_a_stream_without_a_code_is_255_after_its_data),
	    cmocka_unit_test(the_end_of_the_input_is_told_once),
	    cmocka_unit_test(one_socket_takes_over_what_was_left_and_both_directions),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
