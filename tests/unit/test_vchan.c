/*
 * The vchan over the transport "socket", with vchans or plain sockets at the other end.
 */
#include "shared/vchan/ring.h"
#include "shared/vchan/vchan.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PORT 7
#define WAIT_MS 2000

/* Both ends live in domain 0, so the path is vchan.0.0.PORT.sock. */
struct ends {
	char *dir;
	struct vchan *server, *client;
};

static int
setup(void **state)
{
	struct ends *ends = g_new0(struct ends, 1);

	ends->dir = g_dir_make_tmp("vchan-XXXXXX", NULL);
	g_setenv("VCHAN_SOCKET_DIR", ends->dir, TRUE);
	g_unsetenv("VCHAN_DOMAIN");
	g_unsetenv("QUBES_VCHAN");
	*state = ends;
	return 0;
}

static int
teardown(void **state)
{
	struct ends *ends = *state;

	vchan_close(ends->client);
	vchan_close(ends->server);
	g_assert_cmpint(g_rmdir(ends->dir), ==, 0); /* every socket was unlinked */
	g_free(ends->dir);
	g_free(ends);
	return 0;
}

/* Waits for news and takes it in. False when none came. */
static bool
turn(struct vchan *vchan, int timeout_ms)
{
	struct pollfd pollfd = {.fd = vchan_fd(vchan), .events = POLLIN};

	if (poll(&pollfd, 1, timeout_ms) != 1)
		return false;
	vchan_dispatch(vchan);
	return true;
}

static void
wait_for_state(struct vchan *vchan, enum vchan_state state)
{
	while (vchan_state(vchan) != state)
		assert_true(turn(vchan, WAIT_MS));
}

static void
connect_ends(struct ends *ends)
{
	assert_int_equal(vchan_listen("socket", 0, PORT, 0, &ends->server), 0);
	assert_int_equal(vchan_connect("socket", 0, PORT, 0, &ends->client), 0);
	wait_for_state(ends->server, VCHAN_CONNECTED);
	wait_for_state(ends->client, VCHAN_CONNECTED);
}

/* Reads exactly len bytes, waiting where need be. */
static void
read_exactly(struct vchan *vchan, void *buffer, size_t len)
{
	for (size_t have = 0; have < len;) {
		ssize_t n = vchan_read(vchan, (char *)buffer + have, len - have);

		if (n == -EAGAIN) {
			assert_true(turn(vchan, WAIT_MS));
			continue;
		}
		assert_true(n > 0);
		have += (size_t)n;
	}
}

static void
read_end(struct vchan *vchan)
{
	char byte;
	ssize_t n;

	while ((n = vchan_read(vchan, &byte, 1)) == -EAGAIN)
		assert_true(turn(vchan, WAIT_MS));
	assert_int_equal(n, 0);
}

/* Writes until both the kernel and the ring are full. Returns the count. */
static size_t
fill(struct vchan *vchan)
{
	static const char block[5000];
	size_t total = 0;
	ssize_t n;

	while ((n = vchan_write(vchan, block, sizeof(block))) != -EAGAIN) {
		assert_true(n > 0);
		total += (size_t)n;
	}
	return total;
}

static void
discard(struct vchan *vchan, size_t len)
{
	g_autofree char *buffer = g_malloc(len);

	read_exactly(vchan, buffer, len);
}

/* A plain stream socket as the peer. */
static int
plain_socket(const struct ends *ends, struct sockaddr_un *ret_address)
{
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	g_snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "%s/vchan.0.0.%d.sock",
	    ends->dir, PORT);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int
plain_client(const struct ends *ends)
{
	struct sockaddr_un address;
	int fd = plain_socket(ends, &address);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int
connect_plain_client(struct ends *ends)
{
	int fd;

	assert_int_equal(vchan_listen("socket", 0, PORT, 0, &ends->server), 0);
	fd = plain_client(ends);
	wait_for_state(ends->server, VCHAN_CONNECTED);
	return fd;
}

static void
ring_takes_its_size_and_no_byte_more(void **state)
{
	struct ring ring;
	struct iovec segments[2];

	(void)state;
	ring_init(&ring, 8);
	assert_int_equal(ring_segments(&ring, segments), 0);
	assert_int_equal(ring_put(&ring, "1234567", 7), 7);
	assert_int_equal(ring_room(&ring), 1);
	assert_int_equal(ring_put(&ring, "89", 2), 1);
	assert_int_equal(ring_put(&ring, "9", 1), 0);
	assert_int_equal(ring_segments(&ring, segments), 1);
	assert_memory_equal(segments[0].iov_base, "12345678", 8);
	ring_fini(&ring);
}

static void
ring_that_wraps_keeps_the_order(void **state)
{
	struct ring ring;
	struct iovec segments[2];

	(void)state;
	ring_init(&ring, 8);
	ring_put(&ring, "123456", 6);
	ring_drop(&ring, 5);
	assert_int_equal(ring_put(&ring, "789abcdef", 9), 7);
	assert_int_equal(ring_segments(&ring, segments), 2);
	assert_int_equal(segments[0].iov_len, 3);
	assert_memory_equal(segments[0].iov_base, "678", 3);
	assert_int_equal(segments[1].iov_len, 5);
	assert_memory_equal(segments[1].iov_base, "9abcd", 5);
	ring_drop(&ring, 3);
	assert_int_equal(ring_segments(&ring, segments), 1);
	ring_drop(&ring, 5);
	assert_int_equal(ring_segments(&ring, segments), 0);
	assert_int_equal(ring_room(&ring), 8);
	ring_fini(&ring);
}

static void
spec_that_names_no_transport_is_refused(void **state)
{
	static const char *const specs[] = {"", "sockets", "broker", "broker:", "xenx", "Socket"};
	struct ends *ends = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(specs); i++)
		assert_int_equal(vchan_connect(specs[i], 1, PORT, 0, &ends->client), -EINVAL);
	g_setenv("QUBES_VCHAN", "nothing", TRUE);
	assert_int_equal(vchan_connect(NULL, 1, PORT, 0, &ends->client), -EINVAL);
}

static void
surroundings_choose_the_transport_when_nobody_says(void **state)
{
	struct ends *ends = *state;
	g_autofree char *broker = g_build_filename(ends->dir, "vchan.sock", NULL);

	assert_int_equal(vchan_listen(NULL, 0, PORT, 0, &ends->server), 0);
	assert_int_equal(vchan_state(ends->server), VCHAN_LISTENING);

	g_unsetenv("VCHAN_SOCKET_DIR");
	g_setenv("QUBES_RUNTIME_DIR", ends->dir, TRUE);
	g_file_set_contents(broker, "", 0, NULL);
	/* a file that nobody listens on: it was the broker's socket that was tried */
	assert_int_equal(vchan_connect(NULL, 1, PORT, 0, &ends->client), -ECONNREFUSED);
	g_unlink(broker);
	if (access("/dev/xen/evtchn", F_OK) < 0)
		assert_int_equal(vchan_connect(NULL, 1, PORT, 0, &ends->client), -ENOTCONN);
	g_unsetenv("QUBES_RUNTIME_DIR");
}

static void
what_is_written_down_for_a_domain_is_its_transport_and_no_others(void **state)
{
	struct ends *ends = *state;
	g_autofree char *written = g_build_filename(ends->dir, "vchan-7", NULL);

	g_setenv("QUBES_RUNTIME_DIR", ends->dir, TRUE);
	g_file_set_contents(written, "broker:/nowhere/vchan.sock\n", -1, NULL);
	assert_int_equal(vchan_connect(NULL, 7, PORT, 0, &ends->client), -ENOENT);
	assert_int_equal(vchan_listen(NULL, 7, PORT, 0, &ends->client), -ENOENT);
	assert_int_equal(vchan_listen(NULL, 8, PORT, 0, &ends->server), 0);
	/* who says it himself is not asked */
	assert_int_equal(vchan_connect("socket", 7, PORT, 0, &ends->client), 0);
	vchan_close(ends->client);
	g_setenv("QUBES_VCHAN", "socket", TRUE);
	assert_int_equal(vchan_connect(NULL, 7, PORT, 0, &ends->client), 0);
	g_unsetenv("QUBES_VCHAN");
	vchan_close(ends->client);
	ends->client = NULL;
	g_file_set_contents(written, "nonsense\n", -1, NULL);
	assert_int_equal(vchan_connect(NULL, 7, PORT, 0, &ends->client), -EINVAL);
	g_unlink(written);
	g_unsetenv("QUBES_RUNTIME_DIR");
}

static void
xen_without_xen_is_an_error(void **state)
{
	struct ends *ends = *state;

	if (access("/dev/xen/evtchn", F_OK) == 0)
		return;
	assert_true(vchan_listen("xen", 1, PORT, 0, &ends->server) < 0);
	assert_true(vchan_connect("xen", 1, PORT, 0, &ends->client) < 0);
	assert_null(ends->server);
	assert_null(ends->client);
}

static void
port_and_ring_have_limits(void **state)
{
	struct ends *ends = *state;

	assert_int_equal(vchan_connect("socket", 1, 0x80000000u, 0, &ends->client), -EINVAL);
	assert_int_equal(vchan_connect("socket", 1, PORT, (64u << 20) + 1, &ends->client), -EINVAL);
	assert_int_equal(vchan_connect("socket", 1, 0x7fffffff, 64u << 20, &ends->client), 0);
	assert_int_equal(vchan_room(ends->client), 64u << 20);
	vchan_close(ends->client);
	assert_int_equal(vchan_connect("socket", 1, PORT, 1, &ends->client), 0);
	assert_int_equal(vchan_room(ends->client), VCHAN_RING_BYTES);
	vchan_close(ends->client);
	assert_int_equal(vchan_connect("socket", 1, PORT, 65537, &ends->client), 0);
	assert_int_equal(vchan_room(ends->client), 131072);
}

static void
path_names_server_client_and_port_in_decimal(void **state)
{
	struct ends *ends = *state;
	g_autofree char *as_server = g_build_filename(ends->dir, "vchan.9.12.512.sock", NULL);
	g_autofree char *as_client = g_build_filename(ends->dir, "vchan.12.9.512.sock", NULL);

	g_setenv("VCHAN_DOMAIN", "9x", TRUE); /* read as atoi() does */
	assert_int_equal(vchan_listen("socket", 12, 512, 0, &ends->server), 0);
	assert_true(g_file_test(as_server, G_FILE_TEST_EXISTS));

	g_file_set_contents(as_client, "", 0, NULL);
	assert_int_equal(vchan_connect("socket", 12, 512, 0, &ends->client), 0);
	assert_int_equal(vchan_state(ends->client), VCHAN_CONNECTING);
	vchan_close(ends->client);
	ends->client = NULL;
	g_unlink(as_client);
	g_setenv("VCHAN_DOMAIN", "12", TRUE);
	assert_int_equal(vchan_connect("socket", 9, 512, 0, &ends->client), 0);
	wait_for_state(ends->client, VCHAN_CONNECTED);
}

static void
path_too_long_for_a_socket_is_refused(void **state)
{
	struct ends *ends = *state;
	g_autofree char *dir = g_strnfill(100, 'd');

	g_setenv("VCHAN_SOCKET_DIR", dir, TRUE);
	assert_int_equal(vchan_listen("socket", 1, PORT, 0, &ends->server), -ENAMETOOLONG);
	assert_int_equal(vchan_connect("socket", 1, PORT, 0, &ends->client), -ENAMETOOLONG);
}

static void
client_waits_for_a_server_that_comes_later(void **state)
{
	struct ends *ends = *state;

	assert_int_equal(vchan_connect("socket", 0, PORT, 0, &ends->client), 0);
	assert_int_equal(vchan_state(ends->client), VCHAN_CONNECTING);
	for (int i = 0; i < 8; i++)
		assert_true(turn(ends->client, WAIT_MS)); /* the timer, more and more slowly */
	assert_int_equal(vchan_state(ends->client), VCHAN_CONNECTING);
	assert_int_equal(vchan_read(ends->client, (char[1]){0}, 1), -EAGAIN);
	assert_int_equal(vchan_listen("socket", 0, PORT, 0, &ends->server), 0);
	wait_for_state(ends->client, VCHAN_CONNECTED);
	wait_for_state(ends->server, VCHAN_CONNECTED);
}

static void
waiting_client_wakes_at_most_every_fifty_milliseconds(void **state)
{
	struct ends *ends = *state;
	gint64 end;
	unsigned turns = 0;

	assert_int_equal(vchan_connect("socket", 0, PORT, 0, &ends->client), 0);
	for (int i = 0; i < 8; i++)
		turn(ends->client, WAIT_MS);
	end = g_get_monotonic_time() + 300 * 1000;
	while (g_get_monotonic_time() < end)
		turns += turn(ends->client, 100);
	assert_in_range(turns, 1, 7);
}

static void
bytes_written_before_the_connection_go_out_first(void **state)
{
	struct ends *ends = *state;
	char buffer[11];

	assert_int_equal(vchan_listen("socket", 0, PORT, 0, &ends->server), 0);
	assert_int_equal(vchan_write(ends->server, "hello ", 6), 6);
	assert_int_equal(vchan_queued(ends->server), 6);
	assert_int_equal(vchan_connect("socket", 0, PORT, 0, &ends->client), 0);
	wait_for_state(ends->server, VCHAN_CONNECTED);
	assert_int_equal(vchan_write(ends->server, "world", 5), 5);
	assert_int_equal(vchan_drain(ends->server, WAIT_MS), 0);
	read_exactly(ends->client, buffer, 11);
	assert_memory_equal(buffer, "hello world", 11);
}

static void
client_too_may_write_before_its_server_is_there(void **state)
{
	struct ends *ends = *state;
	char buffer[5];

	assert_int_equal(vchan_connect("socket", 0, PORT, 0, &ends->client), 0);
	assert_int_equal(vchan_write(ends->client, "early", 5), 5);
	assert_int_equal(vchan_drain(ends->client, 20), -ETIMEDOUT);
	assert_int_equal(vchan_listen("socket", 0, PORT, 0, &ends->server), 0);
	assert_int_equal(vchan_drain(ends->client, WAIT_MS), 0);
	wait_for_state(ends->server, VCHAN_CONNECTED);
	read_exactly(ends->server, buffer, 5);
	assert_memory_equal(buffer, "early", 5);
}

static void
ring_takes_exactly_its_room_while_nobody_is_there(void **state)
{
	g_autofree char *block = g_malloc0(VCHAN_RING_BYTES + 1);
	struct ends *ends = *state;

	assert_int_equal(vchan_listen("socket", 0, PORT, 0, &ends->server), 0);
	assert_int_equal(
	    vchan_write(ends->server, block, VCHAN_RING_BYTES - 1), VCHAN_RING_BYTES - 1);
	assert_int_equal(vchan_room(ends->server), 1);
	assert_int_equal(vchan_write(ends->server, block, 2), 1);
	assert_int_equal(vchan_room(ends->server), 0);
	assert_int_equal(vchan_write(ends->server, block, 1), -EAGAIN);
	assert_int_equal(vchan_queued(ends->server), VCHAN_RING_BYTES);
	assert_int_equal(vchan_write(ends->server, block, 0), 0);
}

static void
one_write_never_takes_more_than_the_room(void **state)
{
	g_autofree char *block = g_malloc0(4 * VCHAN_RING_BYTES);
	struct ends *ends = *state;

	connect_ends(ends);
	assert_int_equal(vchan_write(ends->server, block, 4 * VCHAN_RING_BYTES), VCHAN_RING_BYTES);
}

static void
read_of_no_bytes_is_an_error_and_no_end(void **state)
{
	struct ends *ends = *state;

	connect_ends(ends);
	assert_int_equal(vchan_read(ends->client, (char[1]){0}, 0), -EINVAL);
	assert_int_equal(vchan_state(ends->client), VCHAN_CONNECTED);
}

static void
full_ring_tells_when_room_has_come(void **state)
{
	struct ends *ends = *state;
	size_t total;

	connect_ends(ends);
	total = fill(ends->server);
	assert_int_equal(vchan_room(ends->server), 0);
	while (turn(ends->server, 0))
		;
	assert_int_equal(vchan_room(ends->server), 0);
	discard(ends->client, total - VCHAN_RING_BYTES);
	assert_true(turn(ends->server, WAIT_MS));
	assert_true(vchan_room(ends->server) > 0);
	discard(ends->client, VCHAN_RING_BYTES);
}

static void
large_stream_arrives_unchanged_both_ways(void **state)
{
	enum { TOTAL = 3 << 20 };
	struct ends *ends = *state;
	uint32_t sent[2] = {0}, received[2] = {0}; /* counted in words */
	uint32_t block[1000];

	connect_ends(ends);
	while (received[0] < TOTAL / 4 || received[1] < TOTAL / 4) {
		for (int i = 0; i < 2; i++) {
			struct vchan *vchan = i == 0 ? ends->server : ends->client;
			ssize_t n;

			turn(vchan, 0);
			while (sent[i] < TOTAL / 4 && vchan_room(vchan) >= 4) {
				assert_int_equal(vchan_write(vchan, &sent[i], 4), 4);
				sent[i]++;
			}
			while ((n = vchan_read(vchan, block, sizeof(block))) > 0) {
				if (n % 4 != 0)
					read_exactly(vchan, (char *)block + n, 4 - (size_t)n % 4);
				for (ssize_t word = 0; word < (n + 3) / 4; word++)
					assert_int_equal(block[word], received[i]++);
			}
			assert_int_equal(n, -EAGAIN);
		}
	}
	assert_int_equal(received[0], TOTAL / 4);
	assert_int_equal(received[1], TOTAL / 4);
}

static void
bytes_stay_readable_after_the_peer_has_gone(void **state)
{
	struct ends *ends = *state;
	char buffer[5];

	connect_ends(ends);
	assert_int_equal(vchan_write(ends->client, "last", 5), 5);
	vchan_close(ends->client);
	ends->client = NULL;
	wait_for_state(ends->server, VCHAN_CLOSED);
	assert_int_equal(vchan_error(ends->server), 0);
	assert_int_equal(vchan_write(ends->server, "x", 1), -EPIPE);
	assert_int_equal(vchan_room(ends->server), 0);
	assert_int_equal(vchan_read(ends->server, buffer, 2), 2);
	assert_int_equal(vchan_read(ends->server, buffer + 2, 3), 3);
	assert_string_equal(buffer, "last");
	assert_int_equal(vchan_read(ends->server, buffer, 1), 0);
	assert_int_equal(vchan_read(ends->server, buffer, 1), 0);
}

static void
peer_that_left_without_reading_is_an_end_and_no_error(void **state)
{
	struct ends *ends = *state;

	connect_ends(ends);
	assert_int_equal(vchan_write(ends->server, "unread", 6), 6);
	vchan_close(ends->client);
	ends->client = NULL;
	read_end(ends->server);
	assert_int_equal(vchan_state(ends->server), VCHAN_CLOSED);
	assert_int_equal(vchan_error(ends->server), 0);
}

static void
write_to_a_peer_that_has_gone_is_epipe_and_no_signal(void **state)
{
	struct ends *ends = *state;

	connect_ends(ends);
	vchan_close(ends->client);
	ends->client = NULL;
	assert_int_equal(vchan_write(ends->server, "x", 1), -EPIPE); /* unnoticed until now */
	assert_int_equal(vchan_state(ends->server), VCHAN_CLOSED);
	read_end(ends->server);
}

static void
half_close_is_a_disconnect(void **state)
{
	struct ends *ends = *state;
	int fd = connect_plain_client(ends);
	char buffer[4];

	assert_int_equal(write(fd, "end", 4), 4);
	shutdown(fd, SHUT_WR);
	wait_for_state(ends->server, VCHAN_CLOSED);
	assert_int_equal(vchan_read(ends->server, buffer, 4), 4);
	assert_string_equal(buffer, "end");
	assert_int_equal(vchan_read(ends->server, buffer, 1), 0);
	assert_int_equal(read(fd, buffer, 1), 0); /* and for the peer too */
	close(fd);
}

static void
plain_server_gets_the_bytes_and_nothing_else(void **state)
{
	struct ends *ends = *state;
	struct sockaddr_un address;
	int listener = plain_socket(ends, &address);
	char buffer[16];
	int fd;

	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(vchan_connect("socket", 0, PORT, 0, &ends->client), 0);
	fd = accept(listener, NULL, NULL);
	wait_for_state(ends->client, VCHAN_CONNECTED);
	assert_int_equal(vchan_write(ends->client, "abc", 3), 3);
	assert_int_equal(recv(fd, buffer, sizeof(buffer), 0), 3);
	assert_memory_equal(buffer, "abc", 3);
	vchan_close(ends->client);
	ends->client = NULL;
	assert_int_equal(recv(fd, buffer, sizeof(buffer), 0), 0);
	close(fd);
	close(listener);
	g_unlink(address.sun_path);
}

static void
server_takes_one_client_and_no_second(void **state)
{
	struct ends *ends = *state;
	struct sockaddr_un address;
	int fd, second;

	fd = connect_plain_client(ends);
	second = plain_socket(ends, &address);
	assert_int_equal(connect(second, (struct sockaddr *)&address, sizeof(address)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(second);
	close(fd);
}

static void
server_replaces_a_stale_socket(void **state)
{
	struct ends *ends = *state;
	struct sockaddr_un address;
	int stale = plain_socket(ends, &address);

	assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof(address)), 0);
	close(stale);
	connect_ends(ends);
}

static void
server_leaves_the_socket_of_its_successor_alone(void **state)
{
	struct ends *ends = *state;
	struct vchan *successor;

	assert_int_equal(vchan_listen("socket", 0, PORT, 0, &ends->server), 0);
	assert_int_equal(vchan_listen("socket", 0, PORT, 0, &successor), 0);
	vchan_close(ends->server);
	ends->server = successor;
	assert_int_equal(vchan_connect("socket", 0, PORT, 0, &ends->client), 0);
	wait_for_state(ends->client, VCHAN_CONNECTED);
}

static void
drain_waits_for_the_peer_to_read(void **state)
{
	struct ends *ends = *state;
	size_t total;

	connect_ends(ends);
	total = fill(ends->server);
	assert_int_equal(vchan_drain(ends->server, 0), -ETIMEDOUT);
	assert_int_equal(vchan_drain(ends->server, 20), -ETIMEDOUT);
	discard(ends->client, total - VCHAN_RING_BYTES);
	assert_int_equal(vchan_drain(ends->server, WAIT_MS), 0);
	assert_int_equal(vchan_drain(ends->server, 0), 0);
	discard(ends->client, VCHAN_RING_BYTES);
}

static void
drain_says_that_the_peer_left_bytes_behind(void **state)
{
	struct ends *ends = *state;

	connect_ends(ends);
	fill(ends->server);
	vchan_close(ends->client);
	ends->client = NULL;
	assert_int_equal(vchan_drain(ends->server, -1), -EPIPE);
	assert_true(vchan_queued(ends->server) > 0);
}

static void
descriptors_sent_along_do_not_reach_us(void **state)
{
	struct ends *ends = *state;
	int fd = connect_plain_client(ends);
	int canary[2];
	struct iovec segment = {(char[]){"x"}, 1};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct msghdr message = {.msg_iov = &segment,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	char byte;

	assert_int_equal(pipe(canary), 0);
	memcpy(CMSG_DATA(&control.header), &canary[1], sizeof(int));
	assert_int_equal(sendmsg(fd, &message, 0), 1);
	close(canary[1]);
	read_exactly(ends->server, &byte, 1);
	assert_int_equal(read(canary[0], &byte, 1), 0); /* no copy of the other end is left */
	close(canary[0]);
	close(fd);
}

static unsigned
count_fds(void)
{
	g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
	unsigned count = 0;

	while (g_dir_read_name(dir) != NULL)
		count++;
	return count;
}

static void
vch_04_reconnecting_two_thousand_times_leaks_no_descriptor(void **state)
{
	struct ends *ends = *state;
	unsigned before = count_fds();

	for (int i = 0; i < 2000; i++) {
		connect_ends(ends);
		vchan_close(ends->client);
		vchan_close(ends->server);
		ends->client = ends->server = NULL;
	}
	assert_int_equal(count_fds(), before);
}

/* --- the source ------------------------------------------------------------------------------ */

struct watcher {
	struct vchan *vchan;
	GSource *source;
	unsigned calls;
	size_t read_len; /* bytes to read in a call; 0: none */
	char last;
};

static gboolean
on_vchan(gpointer data)
{
	struct watcher *watcher = data;
	char buffer[64];

	watcher->calls++;
	if (watcher->read_len > 0) {
		ssize_t n = vchan_read(watcher->vchan, buffer, watcher->read_len);

		if (n > 0)
			watcher->last = buffer[n - 1];
	}
	return G_SOURCE_CONTINUE;
}

static void
watch(struct watcher *watcher, struct vchan *vchan)
{
	*watcher = (struct watcher){.vchan = vchan, .source = vchan_source_new(vchan)};
	g_source_set_callback(watcher->source, on_vchan, watcher, NULL);
	g_source_attach(watcher->source, NULL);
}

static void
unwatch(struct watcher *watcher)
{
	g_source_destroy(watcher->source);
	g_source_unref(watcher->source);
}

/* Runs the loop until it would sleep. Returns the turns, or the limit when it spins. */
static unsigned
run_until_idle(unsigned limit)
{
	unsigned turns = 0;

	while (turns < limit && g_main_context_iteration(NULL, FALSE))
		turns++;
	return turns;
}

static void
source_prepare_finds_bytes_that_the_descriptor_forgot(void **state)
{
	struct ends *ends = *state;
	struct watcher watcher;

	connect_ends(ends);
	watch(&watcher, ends->server);
	run_until_idle(100);
	watcher.read_len = 1;
	watcher.calls = 0;
	assert_int_equal(vchan_write(ends->client, "abcde", 5), 5);
	run_until_idle(100);
	assert_int_equal(watcher.last, 'e');
	assert_in_range(watcher.calls, 5, 6); /* the sixth finds that nothing is left */
	unwatch(&watcher);
}

static void
source_without_reading_sleeps_over_unread_bytes(void **state)
{
	struct ends *ends = *state;
	struct watcher watcher;

	connect_ends(ends);
	watch(&watcher, ends->server);
	vchan_source_set_reading(watcher.source, FALSE);
	run_until_idle(100);
	watcher.calls = 0;
	watcher.read_len = 1;
	assert_int_equal(vchan_write(ends->client, "abc", 3), 3);
	assert_true(run_until_idle(100) < 3);
	assert_int_equal(watcher.calls, 0);
	vchan_source_set_reading(watcher.source, TRUE);
	run_until_idle(100);
	assert_int_equal(watcher.last, 'c');
	unwatch(&watcher);
}

static void
source_without_reading_still_tells_that_the_peer_left(void **state)
{
	struct ends *ends = *state;
	struct watcher watcher;

	connect_ends(ends);
	watch(&watcher, ends->server);
	vchan_source_set_reading(watcher.source, FALSE);
	run_until_idle(100);
	watcher.calls = 0;
	assert_int_equal(vchan_write(ends->client, "abc", 3), 3);
	vchan_close(ends->client);
	ends->client = NULL;
	assert_true(run_until_idle(100) < 4);
	assert_int_equal(watcher.calls, 1);
	assert_int_equal(vchan_state(ends->server), VCHAN_CLOSED);
	unwatch(&watcher);
}

static void
source_tells_of_the_connection_once(void **state)
{
	struct ends *ends = *state;
	struct watcher server, client;

	assert_int_equal(vchan_listen("socket", 0, PORT, 0, &ends->server), 0);
	assert_int_equal(vchan_connect("socket", 0, PORT, 0, &ends->client), 0);
	watch(&server, ends->server);
	watch(&client, ends->client);
	assert_true(run_until_idle(100) < 10);
	assert_int_equal(vchan_state(ends->server), VCHAN_CONNECTED);
	assert_int_equal(server.calls, 1);
	assert_int_equal(client.calls, 1);
	unwatch(&server);
	unwatch(&client);
}

static void
source_tells_of_room_only_to_who_was_refused(void **state)
{
	struct ends *ends = *state;
	struct watcher watcher;
	size_t total;

	connect_ends(ends);
	watch(&watcher, ends->server);
	run_until_idle(100);
	watcher.calls = 0;
	total = fill(ends->server);
	assert_true(run_until_idle(100) < 4);
	assert_int_equal(watcher.calls, 0);
	discard(ends->client, total - VCHAN_RING_BYTES);
	run_until_idle(100);
	assert_int_equal(watcher.calls, 1);
	assert_true(vchan_room(ends->server) > 0);
	discard(ends->client, VCHAN_RING_BYTES);
	run_until_idle(100);
	assert_int_equal(watcher.calls, 1); /* nobody was refused since */
	unwatch(&watcher);
}

static gboolean
on_vchan_close_all(gpointer data)
{
	struct ends *ends = data;

	g_source_destroy(g_main_current_source());
	vchan_close(ends->server);
	ends->server = NULL;
	return G_SOURCE_REMOVE;
}

static void
source_and_vchan_may_end_inside_the_callback(void **state)
{
	struct ends *ends = *state;
	GSource *source;

	connect_ends(ends);
	source = vchan_source_new(ends->server);
	g_source_set_callback(source, on_vchan_close_all, ends, NULL);
	g_source_attach(source, NULL);
	g_source_unref(source);
	run_until_idle(10);
	assert_null(ends->server);
}

static gint64
cpu_time_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
	       usage.ru_stime.tv_usec;
}

static gboolean
on_time_over(gpointer data)
{
	*(bool *)data = true;
	return G_SOURCE_REMOVE;
}

static void
vch_02_flooded_vchan_that_nobody_reads_uses_no_cpu(void **state)
{
	struct ends *ends = *state;
	struct watcher watcher;
	bool over = false;
	gint64 before;

	connect_ends(ends);
	watch(&watcher, ends->server);
	vchan_source_set_reading(watcher.source, FALSE);
	fill(ends->client);
	run_until_idle(100);
	before = cpu_time_us();
	g_timeout_add(400, on_time_over, &over);
	while (!over)
		g_main_context_iteration(NULL, TRUE);
	assert_in_range(cpu_time_us() - before, 0, 20 * 1000); /* 5 % */
	unwatch(&watcher);
}

#define WITH_ENDS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ring_takes_its_size_and_no_byte_more),
	    cmocka_unit_test(ring_that_wraps_keeps_the_order),
	    WITH_ENDS(spec_that_names_no_transport_is_refused),
	    WITH_ENDS(surroundings_choose_the_transport_when_nobody_says),
	    WITH_ENDS(what_is_written_down_for_a_domain_is_its_transport_and_no_others),
	    WITH_ENDS(xen_without_xen_is_an_error),
	    WITH_ENDS(port_and_ring_have_limits),
	    WITH_ENDS(path_names_server_client_and_port_in_decimal),
	    WITH_ENDS(path_too_long_for_a_socket_is_refused),
	    WITH_ENDS(client_waits_for_a_server_that_comes_later),
	    WITH_ENDS(waiting_client_wakes_at_most_every_fifty_milliseconds),
	    WITH_ENDS(bytes_written_before_the_connection_go_out_first),
	    WITH_ENDS(client_too_may_write_before_its_server_is_there),
	    WITH_ENDS(ring_takes_exactly_its_room_while_nobody_is_there),
	    WITH_ENDS(one_write_never_takes_more_than_the_room),
	    WITH_ENDS(read_of_no_bytes_is_an_error_and_no_end),
	    WITH_ENDS(full_ring_tells_when_room_has_come),
	    WITH_ENDS(large_stream_arrives_unchanged_both_ways),
	    WITH_ENDS(bytes_stay_readable_after_the_peer_has_gone),
	    WITH_ENDS(peer_that_left_without_reading_is_an_end_and_no_error),
	    WITH_ENDS(write_to_a_peer_that_has_gone_is_epipe_and_no_signal),
	    WITH_ENDS(half_close_is_a_disconnect),
	    WITH_ENDS(plain_server_gets_the_bytes_and_nothing_else),
	    WITH_ENDS(server_takes_one_client_and_no_second),
	    WITH_ENDS(server_replaces_a_stale_socket),
	    WITH_ENDS(server_leaves_the_socket_of_its_successor_alone),
	    WITH_ENDS(drain_waits_for_the_peer_to_read),
	    WITH_ENDS(drain_says_that_the_peer_left_bytes_behind),
	    WITH_ENDS(descriptors_sent_along_do_not_reach_us),
	    WITH_ENDS(vch_04_reconnecting_two_thousand_times_leaks_no_descriptor),
	    WITH_ENDS(source_prepare_finds_bytes_that_the_descriptor_forgot),
	    WITH_ENDS(source_without_reading_sleeps_over_unread_bytes),
	    WITH_ENDS(source_without_reading_still_tells_that_the_peer_left),
	    WITH_ENDS(source_tells_of_the_connection_once),
	    WITH_ENDS(source_tells_of_room_only_to_who_was_refused),
	    WITH_ENDS(source_and_vchan_may_end_inside_the_callback),
	    WITH_ENDS(vch_02_flooded_vchan_that_nobody_reads_uses_no_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
