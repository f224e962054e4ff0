/*
 * vchan-broker end to end: the real program, with domains played by this one.
 */
#include "shared/region.h"
#include "shared/unix_socket.h"
#include "shared/vchan/broker.h"
#include "shared/vchan/broker_control.h"
#include "shared/vchan/broker_region.h"
#include "shared/vchan/broker_wire.h"
#include "shared/vchan/vchan.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT 512
#define WAIT_MS 5000
#define REGION_BYTES (2u << 20)
#define NOBODY 65534

struct fixture {
	char *dir;
	char *control_path;
	GPid broker; /* 0: it has ended */
	rlim_t fds;  /* how many it may have; 0: as many as we */
	struct broker_control *control;
};

static char *
broker_program(void)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *dir = g_path_get_dirname(self);

	return g_build_filename(dir, "..", "bin", "vchan-broker", NULL);
}

static void
prepare_broker(gpointer data)
{
	const struct fixture *fixture = data;
	struct rlimit limit = {fixture->fds, fixture->fds};

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* it must not outlive a test that crashes */
	if (fixture->fds != 0)
		setrlimit(RLIMIT_NOFILE, &limit);
}

static GPid
spawn_broker(struct fixture *fixture)
{
	g_autofree char *program = broker_program();
	char *argv[] = {program, (char[]){"--control"}, fixture->control_path, NULL};
	GPid pid;

	assert_true(g_spawn_async(
	    NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, prepare_broker, fixture, &pid, NULL));
	return pid;
}

static void
start_broker(struct fixture *fixture)
{
	int r = -ENOENT;

	fixture->broker = spawn_broker(fixture);
	for (unsigned i = 0; i < 500 && r < 0; i++) {
		r = broker_control_new(fixture->control_path, &fixture->control);
		if (r < 0)
			g_usleep(10 * 1000);
	}
	assert_int_equal(r, 0);
}

static int
wait_for_broker(struct fixture *fixture)
{
	int status;

	assert_int_equal(waitpid(fixture->broker, &status, 0), fixture->broker);
	fixture->broker = 0;
	return status;
}

static void
kill_broker(struct fixture *fixture)
{
	kill(fixture->broker, SIGKILL);
	wait_for_broker(fixture);
}

static char *
socket_of(const struct fixture *fixture, uint32_t domain)
{
	return domain == 0 ? g_build_filename(fixture->dir, "vchan.sock", NULL)
			   : g_strdup_printf("%s/%u.sock", fixture->dir, domain);
}

static int
add(struct fixture *fixture, uint32_t domain)
{
	g_autofree char *path = socket_of(fixture, domain);

	return broker_control_add(fixture->control, domain, path, getuid(), getgid(), REGION_BYTES);
}

/* Every test has domains 1, 2 and 3. */
static int
setup_with(void **state, rlim_t fds)
{
	struct fixture *fixture = g_new0(struct fixture, 1);

	fixture->fds = fds;
	fixture->dir = g_dir_make_tmp("broker-XXXXXX", NULL);
	fixture->control_path = g_build_filename(fixture->dir, "control.sock", NULL);
	start_broker(fixture);
	for (uint32_t domain = 1; domain <= 3; domain++)
		assert_int_equal(add(fixture, domain), 0);
	*state = fixture;
	return 0;
}

static int
setup(void **state)
{
	return setup_with(state, 0);
}

static int
setup_with_few_fds(void **state)
{
	return setup_with(state, 240);
}

static int
teardown(void **state)
{
	struct fixture *fixture = *state;
	bool tidy = true;

	broker_control_free(fixture->control);
	if (fixture->broker != 0) {
		kill(fixture->broker, SIGTERM);
		tidy = wait_for_broker(fixture) == 0 && g_rmdir(fixture->dir) == 0;
	}
	g_free(fixture->control_path);
	g_free(fixture->dir);
	g_free(fixture);
	return tidy ? 0 : -1;
}

/* --- vchans of domains ----------------------------------------------------------------------- */

static struct vchan *
listen_as(struct fixture *fixture, uint32_t domain, uint32_t peer, uint32_t port)
{
	g_autofree char *path = socket_of(fixture, domain);
	g_autofree char *spec = g_strconcat("broker:", path, NULL);
	struct vchan *vchan;

	assert_int_equal(vchan_listen(spec, peer, port, 0, &vchan), 0);
	return vchan;
}

static struct vchan *
connect_as(struct fixture *fixture, uint32_t domain, uint32_t peer, uint32_t port)
{
	g_autofree char *path = socket_of(fixture, domain);
	g_autofree char *spec = g_strconcat("broker:", path, NULL);
	struct vchan *vchan;

	assert_int_equal(vchan_connect(spec, peer, port, 0, &vchan), 0);
	return vchan;
}

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

/* Waits for the refusal and returns it. */
static int
refusal(struct vchan *vchan)
{
	int error;

	wait_for_state(vchan, VCHAN_CLOSED);
	error = vchan_error(vchan);
	assert_int_equal(vchan_read(vchan, (char[1]){0}, 1), error);
	vchan_close(vchan);
	return error;
}

/* It goes on waiting, though the broker has had the time to do something about it. */
static void
assert_waits(struct vchan *vchan)
{
	enum vchan_state before = vchan_state(vchan);

	while (turn(vchan, 50))
		assert_int_equal(vchan_state(vchan), before);
}

static void
read_text(struct vchan *vchan, const char *expected)
{
	char buffer[64];
	size_t have = 0, len = strlen(expected);

	while (have < len) {
		ssize_t n = vchan_read(vchan, buffer + have, len - have);

		if (n == -EAGAIN)
			assert_true(turn(vchan, WAIT_MS));
		else
			assert_true(n > 0);
		have += n > 0 ? (size_t)n : 0;
	}
	assert_memory_equal(buffer, expected, len);
}

static void
write_text(struct vchan *vchan, const char *text)
{
	assert_int_equal(vchan_write(vchan, text, strlen(text)), strlen(text));
}

static void
read_end(struct vchan *vchan)
{
	ssize_t n;

	while ((n = vchan_read(vchan, (char[1]){0}, 1)) == -EAGAIN)
		assert_true(turn(vchan, WAIT_MS));
	assert_int_equal(n, 0);
	assert_int_equal(vchan_state(vchan), VCHAN_CLOSED);
}

/* Both ends, connected: the server in domain a, the client in domain b. */
static void
connect_pair(struct fixture *fixture, uint32_t a, uint32_t b, struct vchan *ret[2])
{
	ret[0] = listen_as(fixture, a, b, PORT);
	ret[1] = connect_as(fixture, b, a, PORT);
	wait_for_state(ret[0], VCHAN_CONNECTED);
	wait_for_state(ret[1], VCHAN_CONNECTED);
}

static void
close_pair(struct vchan *pair[2])
{
	vchan_close(pair[0]);
	vchan_close(pair[1]);
}

static void
server_and_client_meet_whoever_comes_first(void **state)
{
	struct fixture *fixture = *state;
	struct vchan *server, *client;

	server = listen_as(fixture, 1, 2, PORT);
	assert_waits(server);
	client = connect_as(fixture, 2, 1, PORT);
	wait_for_state(server, VCHAN_CONNECTED);
	vchan_close(client);
	vchan_close(server);

	client = connect_as(fixture, 2, 0, PORT);
	assert_waits(client);
	server = listen_as(fixture, 0, 2, PORT);
	wait_for_state(client, VCHAN_CONNECTED);
	wait_for_state(server, VCHAN_CONNECTED);
	vchan_close(server);
	vchan_close(client);
}

static void
bytes_cross_both_ways_also_those_written_early(void **state)
{
	struct fixture *fixture = *state;
	struct vchan *pair[2];

	pair[0] = listen_as(fixture, 1, 2, PORT);
	write_text(pair[0], "hello ");
	pair[1] = connect_as(fixture, 2, 1, PORT);
	write_text(pair[1], "early");
	wait_for_state(pair[0], VCHAN_CONNECTED);
	write_text(pair[0], "world");
	assert_int_equal(vchan_drain(pair[0], WAIT_MS), 0);
	assert_int_equal(vchan_drain(pair[1], WAIT_MS), 0);
	read_text(pair[1], "hello world");
	read_text(pair[0], "early");
	close_pair(pair);
}

static void
vch_03_only_ends_that_name_each_other_are_paired(void **state)
{
	struct fixture *fixture = *state;
	struct vchan *server = listen_as(fixture, 1, 2, PORT);
	struct vchan *wrong[] = {
	    connect_as(fixture, 3, 1, PORT),     /* another domain */
	    connect_as(fixture, 0, 1, PORT),     /* not even the trusted side */
	    connect_as(fixture, 2, 1, PORT + 1), /* another port */
	    connect_as(fixture, 2, 3, PORT),     /* another server */
	    listen_as(fixture, 2, 1, PORT),      /* two servers */
	};
	struct vchan *client;

	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
		assert_waits(wrong[i]);
	assert_waits(server);
	client = connect_as(fixture, 2, 1, PORT);
	wait_for_state(server, VCHAN_CONNECTED);
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
		vchan_close(wrong[i]);
	vchan_close(client);
	vchan_close(server);
}

static void
second_client_waits_for_a_second_server(void **state)
{
	struct fixture *fixture = *state;
	struct vchan *pair[2], *late[2];

	connect_pair(fixture, 1, 2, pair);
	late[1] = connect_as(fixture, 2, 1, PORT);
	assert_waits(late[1]);
	late[0] = listen_as(fixture, 1, 2, PORT);
	wait_for_state(late[1], VCHAN_CONNECTED);
	wait_for_state(late[0], VCHAN_CONNECTED);
	write_text(late[1], "second");
	read_text(late[0], "second");
	write_text(pair[1], "first");
	read_text(pair[0], "first");
	close_pair(pair);
	close_pair(late);
}

static void
place_is_taken_until_its_server_leaves(void **state)
{
	struct fixture *fixture = *state;
	struct vchan *first = listen_as(fixture, 1, 2, PORT);

	assert_int_equal(refusal(listen_as(fixture, 1, 2, PORT)), -EADDRINUSE);
	for (int i = 0; i < 200; i++) { /* closing and listening again never race */
		vchan_close(first);
		first = listen_as(fixture, 1, 2, PORT);
	}
	assert_waits(first);
	vchan_close(first);
}

static void
client_that_gave_up_is_not_paired(void **state)
{
	struct fixture *fixture = *state;
	struct vchan *server;

	for (int i = 0; i < 50; i++) {
		vchan_close(connect_as(fixture, 2, 1, PORT));
		server = listen_as(fixture, 1, 2, PORT);
		turn(server, 1);
		assert_int_equal(vchan_state(server), VCHAN_LISTENING);
		vchan_close(server);
	}
}

static void
peer_must_exist_and_be_somebody_else(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(refusal(connect_as(fixture, 1, 4, PORT)), -ENOENT);
	assert_int_equal(refusal(listen_as(fixture, 0, 4, PORT)), -ENOENT);
	assert_int_equal(refusal(connect_as(fixture, 1, 1, PORT)), -EINVAL);
	assert_int_equal(refusal(listen_as(fixture, 0, 0, PORT)), -EINVAL);
}

static void
bytes_stay_readable_after_the_peer_has_gone(void **state)
{
	struct fixture *fixture = *state;
	struct vchan *pair[2];

	connect_pair(fixture, 1, 2, pair);
	write_text(pair[1], "last words");
	vchan_close(pair[1]);
	wait_for_state(pair[0], VCHAN_CLOSED);
	read_text(pair[0], "last words");
	read_end(pair[0]);
	vchan_close(pair[0]);
}

/* The broker's duplicate must not keep a dead program's vchan alive. */
static void
peer_that_was_killed_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	struct vchan *server = listen_as(fixture, 1, 2, PORT);
	pid_t pid = fork();

	if (pid == 0) {
		struct vchan *client = connect_as(fixture, 2, 1, PORT);

		while (vchan_state(client) != VCHAN_CONNECTED)
			turn(client, WAIT_MS);
		vchan_write(client, "alive", 5);
		pause();
		_exit(0);
	}
	read_text(server, "alive");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	read_end(server);
	vchan_close(server);
}

static void
vchans_outlive_the_broker(void **state)
{
	struct fixture *fixture = *state;
	struct vchan *pair[2], *waiting;
	uint32_t *domains;
	size_t count;

	connect_pair(fixture, 1, 2, pair);
	waiting = listen_as(fixture, 1, 3, PORT);
	assert_waits(waiting);
	kill_broker(fixture);
	write_text(pair[1], "still here");
	read_text(pair[0], "still here");
	assert_int_equal(refusal(waiting), -ECONNRESET);
	close_pair(pair);

	assert_int_equal(broker_control_list(fixture->control, &domains, &count), -ECONNREFUSED);
	broker_control_free(fixture->control);
	start_broker(fixture); /* the sockets that the killed one left are in nobody's way */
	assert_int_equal(add(fixture, 1), 0);
	assert_int_equal(add(fixture, 2), 0);
	assert_int_equal(add(fixture, 3), 0);
	connect_pair(fixture, 1, 2, pair);
	close_pair(pair);
}

static void
second_broker_in_one_folder_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct vchan *pair[2];
	GPid second = spawn_broker(fixture);
	int status;

	assert_int_equal(waitpid(second, &status, 0), second);
	assert_int_equal(WEXITSTATUS(status), 1);
	connect_pair(fixture, 0, 2, pair); /* and the first one has lost nothing */
	close_pair(pair);
}

static unsigned
broker_fds(const struct fixture *fixture)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)fixture->broker);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	unsigned count = 0;

	while (g_dir_read_name(dir) != NULL)
		count++;
	return count;
}

/* As many as it holds when it has seen that everybody left who has left. */
static unsigned
settled_broker_fds(const struct fixture *fixture)
{
	unsigned last = 0, now = broker_fds(fixture);

	while (now != last) {
		g_usleep(30 * 1000);
		last = now;
		now = broker_fds(fixture);
	}
	return now;
}

/* Waits until the broker holds that many descriptors. */
static void
wait_for_broker_fds(const struct fixture *fixture, unsigned expected)
{
	for (unsigned i = 0; i < 500 && broker_fds(fixture) != expected; i++)
		g_usleep(10 * 1000);
	assert_int_equal(broker_fds(fixture), expected);
}

static void
vch_04_reconnecting_a_thousand_times_leaks_no_descriptor(void **state)
{
	struct fixture *fixture = *state;
	unsigned before = settled_broker_fds(fixture);
	struct vchan *pair[2];

	for (int i = 0; i < 1000; i++) {
		connect_pair(fixture, 1, 2, pair);
		close_pair(pair);
	}
	wait_for_broker_fds(fixture, before);
}

/* --- adding and removing --------------------------------------------------------------------- */

static void
removed_domain_loses_everything_at_once(void **state)
{
	struct fixture *fixture = *state;
	g_autofree char *path = socket_of(fixture, 2);
	struct vchan *pair[2], *own, *others;
	int idle;

	connect_pair(fixture, 1, 2, pair);
	own = listen_as(fixture, 2, 3, PORT);
	others = connect_as(fixture, 3, 2, PORT + 1);
	assert_waits(own);
	assert_waits(others);
	idle = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(unix_socket_connect(idle, path), 0);

	assert_int_equal(broker_control_remove(fixture->control, 2), 0);
	read_end(pair[0]);
	read_end(pair[1]);
	assert_int_equal(refusal(own), -ECONNRESET);
	assert_int_equal(refusal(others), -ENOENT);
	assert_int_equal(recv(idle, (char[1]){0}, 1, 0), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(broker_control_remove(fixture->control, 2), -ENOENT);
	close(idle);
	close_pair(pair);

	assert_int_equal(add(fixture, 2), 0); /* the number is free again */
	connect_pair(fixture, 1, 2, pair);
	close_pair(pair);
}

static void
domains_are_listed_ascending_and_without_the_trusted_one(void **state)
{
	struct fixture *fixture = *state;
	uint32_t *domains;
	size_t count;

	assert_int_equal(add(fixture, UINT32_MAX), 0);
	assert_int_equal(broker_control_remove(fixture->control, 2), 0);
	assert_int_equal(broker_control_list(fixture->control, &domains, &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(domains[0], 1);
	assert_int_equal(domains[1], 3);
	assert_int_equal(domains[2], UINT32_MAX);
	g_free(domains);
}

static void
domain_that_cannot_be_added_leaves_nothing_behind(void **state)
{
	static const uint64_t bad_sizes[] = {1, BROKER_REGION_MIN_BYTES / 2,
	    BROKER_REGION_MIN_BYTES + 4096, 3 * BROKER_REGION_MIN_BYTES,
	    BROKER_REGION_MAX_BYTES * 2, UINT64_MAX};
	struct fixture *fixture = *state;
	g_autofree char *path = socket_of(fixture, 9);
	g_autofree char *taken = socket_of(fixture, 1);
	g_autofree char *long_name = g_strnfill(UNIX_SOCKET_PATH_MAX, 'x');
	g_autofree char *too_long = g_strconcat("/", long_name, NULL);
	unsigned before = settled_broker_fds(fixture);

	assert_int_equal(add(fixture, 1), -EEXIST);
	assert_int_equal(broker_control_add(fixture->control, 0, path, 0, 0, 0), -EINVAL);
	for (size_t i = 0; i < G_N_ELEMENTS(bad_sizes); i++)
		assert_int_equal(
		    broker_control_add(fixture->control, 9, path, 0, 0, bad_sizes[i]), -EINVAL);
	assert_int_equal(broker_control_add(fixture->control, 9, "here", 0, 0, 0), -EINVAL);
	assert_int_equal(broker_control_add(fixture->control, 9, "", 0, 0, 0), -EINVAL);
	assert_int_equal(broker_control_add(fixture->control, 9, too_long, 0, 0, 0), -ENAMETOOLONG);
	assert_int_equal(broker_control_add(fixture->control, 9, taken, 0, 0, 0), -EADDRINUSE);
	g_file_set_contents(path, "precious", -1, NULL);
	assert_int_equal(broker_control_add(fixture->control, 9, path, 0, 0, 0), -EEXIST);
	g_unlink(path);
	wait_for_broker_fds(fixture, before);
	assert_int_equal(broker_control_add(fixture->control, 9, path, getuid(), getgid(), 0), 0);
}

static void
sockets_are_for_their_owner_alone(void **state)
{
	struct fixture *fixture = *state;
	g_autofree char *trusted = socket_of(fixture, 0);
	g_autofree char *given = socket_of(fixture, 9);
	const char *paths[] = {fixture->control_path, trusted, given};
	struct stat status;

	assert_int_equal(broker_control_add(fixture->control, 9, given, NOBODY, NOBODY, 0), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
		assert_int_equal(lstat(paths[i], &status), 0);
		assert_int_equal(status.st_mode & 07777, 0600);
		assert_int_equal(
		    status.st_uid, paths[i] == given && getuid() == 0 ? NOBODY : getuid());
	}
}

static void
another_user_controls_nothing_even_when_the_mode_lets_him(void **state)
{
	struct fixture *fixture = *state;
	int status;
	pid_t pid;

	if (getuid() != 0)
		return; /* only root can act as another user */
	assert_int_equal(chmod(fixture->control_path, 0666), 0);
	assert_int_equal(chmod(fixture->dir, 0755), 0);
	pid = fork();
	if (pid == 0) {
		uint32_t *domains;
		size_t count;

		if (setresuid(NOBODY, NOBODY, NOBODY) < 0)
			_exit(1);
		_exit(broker_control_list(fixture->control, &domains, &count) == 0 ? 2 : 0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

/* The region of a domain as another (or the same, own) gets it. */
static int
open_region_as(struct fixture *fixture, uint32_t reader, uint32_t domain, struct region **ret)
{
	g_autofree char *path = socket_of(fixture, reader);
	g_autofree char *spec = g_strconcat("broker:", path, NULL);

	return region_open(spec, domain, ret);
}

static int
open_own_region_as(struct fixture *fixture, uint32_t domain, struct region **ret)
{
	g_autofree char *path = socket_of(fixture, domain);
	g_autofree char *spec = g_strconcat("broker:", path, NULL);

	return region_open_own(spec, ret);
}

static int
right_to_region(struct fixture *fixture, uint32_t reader, uint32_t domain)
{
	struct region *region = NULL;
	int r = open_region_as(fixture, reader, domain, &region);

	region_free(region);
	return r;
}

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

static int
raw_client(struct fixture *fixture, uint32_t domain)
{
	g_autofree char *path = socket_of(fixture, domain);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	assert_true(fd >= 0);
	for (unsigned i = 0; i < 1000; i++) {
		r = unix_socket_connect(fd, path);
		if (r != -EAGAIN)
			break;
		g_usleep(1000);
	}
	assert_int_equal(r, 0);
	return fd;
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
	unsigned count = 0, before = settled_broker_fds(fixture);

	while (count < BROKER_MAX_CONNECTS) {
		last = connect_as(fixture, 1, 2, PORT);
		if (turn(last, 3) && vchan_state(last) == VCHAN_CLOSED)
			break;
		clients[count++] = last;
	}
	assert_in_range(count, 64, BROKER_MAX_CONNECTS - 1); /* three quarters, and no more */
	vchan_close(last);
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

static long
broker_rss_kib(const struct fixture *fixture)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/statm", (int)fixture->broker);
	g_autofree char *text = NULL;
	long pages = 0;

	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	assert_int_equal(sscanf(text, "%*d %ld", &pages), 1);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

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

static unsigned long
broker_cpu_ticks(const struct fixture *fixture)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)fixture->broker);
	g_autofree char *text = NULL;
	unsigned long user = 0, system = 0;

	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	assert_int_equal(
	    sscanf(strrchr(text, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		&user, &system),
	    2);
	return user + system;
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

/* --- regions --------------------------------------------------------------------------------- */

static void
region_goes_to_the_trusted_side_and_the_gui_domain_only(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(right_to_region(fixture, 0, 1), 0);
	assert_int_equal(right_to_region(fixture, 1, 1), 0);
	assert_int_equal(right_to_region(fixture, 2, 1), -EACCES);
	assert_int_equal(
	    right_to_region(fixture, 2, 77), -EACCES); /* not even whether it is there */
	assert_int_equal(right_to_region(fixture, 2, 0), -EACCES);
	assert_int_equal(right_to_region(fixture, 0, 77), -ENOENT);
	assert_int_equal(right_to_region(fixture, 0, 0), -ENOENT);

	assert_int_equal(broker_control_set_gui_domain(fixture->control, 1, 2), 0);
	assert_int_equal(right_to_region(fixture, 2, 1), 0);
	assert_int_equal(right_to_region(fixture, 3, 1), -EACCES);
	assert_int_equal(right_to_region(fixture, 1, 2), -EACCES); /* one way */
	assert_int_equal(right_to_region(fixture, 2, 3), -EACCES);
	assert_int_equal(broker_control_set_gui_domain(fixture->control, 1, 0), 0);
	assert_int_equal(right_to_region(fixture, 2, 1), -EACCES);
	assert_int_equal(right_to_region(fixture, 0, 1), 0);

	assert_int_equal(broker_control_set_gui_domain(fixture->control, 1, 77), -ENOENT);
	assert_int_equal(broker_control_set_gui_domain(fixture->control, 77, 1), -ENOENT);
	assert_int_equal(broker_control_set_gui_domain(fixture->control, 1, 1), -EINVAL);
	assert_int_equal(broker_control_set_gui_domain(fixture->control, 0, 1), -EINVAL);
}

static void
right_of_a_gui_domain_ends_with_it(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(broker_control_set_gui_domain(fixture->control, 1, 2), 0);
	assert_int_equal(broker_control_remove(fixture->control, 2), 0);
	assert_int_equal(add(fixture, 2), 0);
	assert_int_equal(right_to_region(fixture, 2, 1), -EACCES);
}

static void
what_a_qube_writes_is_what_the_others_read(void **state)
{
	const uint32_t pages[] = {5};
	struct untrusted_bytes refs = untrusted_bytes_of(pages, sizeof(pages));
	struct fixture *fixture = *state;
	struct region *own, *seen;
	struct stat status;
	char buffer[6];

	assert_int_equal(open_own_region_as(fixture, 1, &own), 0);
	assert_int_equal(open_region_as(fixture, 0, 1, &seen), 0);
	assert_int_equal(region_size_bytes(own), REGION_BYTES);
	assert_int_equal(region_size_bytes(seen), REGION_BYTES);
	assert_int_equal(fstat(region_fd(own), &status), 0);
	assert_int_equal(status.st_blocks, 0); /* sparse */
	assert_int_equal(pwrite(region_fd(own), "pixels", 6, 5 * REGION_PAGE_BYTES), 6);
	assert_int_equal(region_read_pages(seen, refs, 1, 0, buffer, 6), 0);
	assert_memory_equal(buffer, "pixels", 6);
	region_free(own);
	region_free(seen);
}

static void
shm_01_qube_cannot_change_the_size_of_its_region(void **state)
{
	struct fixture *fixture = *state;
	struct region *own;
	int fd;

	assert_int_equal(open_own_region_as(fixture, 1, &own), 0);
	fd = region_fd(own);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, REGION_BYTES - 4096), -1);
	assert_int_equal(ftruncate(fd, REGION_BYTES + 4096), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	region_free(own);
}

static void
shm_06_region_of_another_domain_cannot_be_made_writable(void **state)
{
	struct fixture *fixture = *state;
	struct region *seen;
	void *memory;
	int fd;

	assert_int_equal(open_region_as(fixture, 0, 1, &seen), 0);
	fd = region_fd(seen);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_ptr_equal(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	memory = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(mprotect(memory, 4096, PROT_READ | PROT_WRITE), -1);
	munmap(memory, 4096);
	region_free(seen);
}

static void
read_only_region_cannot_be_reopened_writable(void **state)
{
	struct fixture *fixture = *state;
	g_autofree char *path = NULL;
	struct region *seen;
	int status;
	pid_t pid;

	assert_int_equal(open_region_as(fixture, 0, 1, &seen), 0);
	path = g_strdup_printf("/proc/self/fd/%d", region_fd(seen));
	pid = fork();
	if (pid == 0) {
		bool other = getuid() == 0;

		if (other && setresuid(NOBODY, NOBODY, NOBODY) < 0)
			_exit(1);
		if (open(path, O_RDWR) >=
		    0) /* not even by its owner, as long as he tries no more */
			_exit(2);
		_exit(other && fchmod(region_fd(seen), 0666) == 0 ? 3 : 0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	region_free(seen);
}

static void
domain_without_a_region_has_none(void **state)
{
	struct fixture *fixture = *state;
	g_autofree char *path = socket_of(fixture, 9);
	struct region *region;

	assert_int_equal(broker_control_add(fixture->control, 9, path, getuid(), getgid(), 0), 0);
	assert_int_equal(open_own_region_as(fixture, 9, &region), -ENOENT);
	assert_int_equal(open_region_as(fixture, 0, 9, &region), -ENOENT);
}

static void
regions_have_both_bounds_of_their_size(void **state)
{
	static const uint64_t sizes[] = {BROKER_REGION_MIN_BYTES, BROKER_REGION_MAX_BYTES};
	struct fixture *fixture = *state;

	for (uint32_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree char *path = socket_of(fixture, 10 + i);
		struct region *region;

		assert_int_equal(broker_control_add(
				     fixture->control, 10 + i, path, getuid(), getgid(), sizes[i]),
		    0);
		assert_int_equal(open_region_as(fixture, 0, 10 + i, &region), 0);
		assert_int_equal(region_size_bytes(region), sizes[i]);
		region_free(region);
	}
}

static void
regions_of_hundreds_of_domains_cost_only_descriptors(void **state)
{
	struct fixture *fixture = *state;
	unsigned before = settled_broker_fds(fixture);
	uint32_t *domains;
	size_t count;

	for (uint32_t domain = 100; domain < 400; domain++)
		assert_int_equal(add(fixture, domain), 0);
	assert_int_equal(broker_control_list(fixture->control, &domains, &count), 0);
	assert_int_equal(count, 303);
	g_free(domains);
	for (uint32_t domain = 100; domain < 400; domain++)
		assert_int_equal(broker_control_remove(fixture->control, domain), 0);
	wait_for_broker_fds(fixture, before);
}

#define WITH_BROKER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_BROKER(server_and_client_meet_whoever_comes_first),
	    WITH_BROKER(bytes_cross_both_ways_also_those_written_early),
	    WITH_BROKER(vch_03_only_ends_that_name_each_other_are_paired),
	    WITH_BROKER(second_client_waits_for_a_second_server),
	    WITH_BROKER(place_is_taken_until_its_server_leaves),
	    WITH_BROKER(client_that_gave_up_is_not_paired),
	    WITH_BROKER(peer_must_exist_and_be_somebody_else),
	    WITH_BROKER(bytes_stay_readable_after_the_peer_has_gone),
	    WITH_BROKER(peer_that_was_killed_is_noticed),
	    WITH_BROKER(vchans_outlive_the_broker),
	    WITH_BROKER(second_broker_in_one_folder_is_refused),
	    WITH_BROKER(vch_04_reconnecting_a_thousand_times_leaks_no_descriptor),
	    WITH_BROKER(removed_domain_loses_everything_at_once),
	    WITH_BROKER(domains_are_listed_ascending_and_without_the_trusted_one),
	    WITH_BROKER(domain_that_cannot_be_added_leaves_nothing_behind),
	    WITH_BROKER(sockets_are_for_their_owner_alone),
	    WITH_BROKER(another_user_controls_nothing_even_when_the_mode_lets_him),
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
	    WITH_BROKER(region_goes_to_the_trusted_side_and_the_gui_domain_only),
	    WITH_BROKER(right_of_a_gui_domain_ends_with_it),
	    WITH_BROKER(what_a_qube_writes_is_what_the_others_read),
	    WITH_BROKER(shm_01_qube_cannot_change_the_size_of_its_region),
	    WITH_BROKER(shm_06_region_of_another_domain_cannot_be_made_writable),
	    WITH_BROKER(read_only_region_cannot_be_reopened_writable),
	    WITH_BROKER(domain_without_a_region_has_none),
	    WITH_BROKER(regions_have_both_bounds_of_their_size),
	    WITH_BROKER(regions_of_hundreds_of_domains_cost_only_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
