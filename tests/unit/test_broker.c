/*
 * vchan-broker end to end: who meets whom, domains that come and go, their regions.
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
forgetting_is_no_error_where_nothing_is(void **state)
{
	struct fixture *fixture = *state;
	g_autofree char *path = g_build_filename(fixture->dir, "vchan-broker.sock", NULL);
	g_autofree char *kept = g_strdup(g_getenv("QUBES_RUNTIME_DIR"));

	g_setenv("QUBES_RUNTIME_DIR", fixture->dir, TRUE);
	assert_int_equal(broker_control_forget(2), 0); /* no broker */
	assert_int_equal(symlink(fixture->control_path, path), 0);
	assert_int_equal(broker_control_forget(0), -EINVAL);
	assert_int_equal(broker_control_forget(2), 0);
	assert_int_equal(broker_control_remove(fixture->control, 2), -ENOENT);
	assert_int_equal(broker_control_forget(2), 0); /* no domain */
	unlink(path);
	if (kept != NULL)
		g_setenv("QUBES_RUNTIME_DIR", kept, TRUE);
	else
		g_unsetenv("QUBES_RUNTIME_DIR");
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
	    WITH_BROKER(forgetting_is_no_error_where_nothing_is),
	    WITH_BROKER(domains_are_listed_ascending_and_without_the_trusted_one),
	    WITH_BROKER(domain_that_cannot_be_added_leaves_nothing_behind),
	    WITH_BROKER(sockets_are_for_their_owner_alone),
	    WITH_BROKER(another_user_controls_nothing_even_when_the_mode_lets_him),
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
