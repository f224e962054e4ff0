#include "tests/unit/broker_fixture.h"

#include "shared/unix_socket.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

char *
broker_program(void)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *dir = g_path_get_dirname(self);

	return g_build_filename(dir, "..", "bin", "vchan-broker", NULL);
}

void
prepare_broker(gpointer data)
{
	const struct fixture *fixture = data;
	struct rlimit limit = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* it must not outlive a test that crashes */
	if (fixture == NULL)
		return;
	limit.rlim_cur = limit.rlim_max = fixture->fds;
	if (fixture->fds != 0)
		setrlimit(RLIMIT_NOFILE, &limit);
}

GPid
spawn_broker(struct fixture *fixture)
{
	g_autofree char *program = broker_program();
	char *argv[] = {program, (char[]){"--control"}, fixture->control_path, NULL};
	GPid pid;

	assert_true(g_spawn_async(
	    NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, prepare_broker, fixture, &pid, NULL));
	return pid;
}

void
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

int
wait_for_broker(struct fixture *fixture)
{
	int status;

	assert_int_equal(waitpid(fixture->broker, &status, 0), fixture->broker);
	fixture->broker = 0;
	return status;
}

void
kill_broker(struct fixture *fixture)
{
	kill(fixture->broker, SIGKILL);
	wait_for_broker(fixture);
}

char *
socket_of(const struct fixture *fixture, uint32_t domain)
{
	return domain == 0 ? g_build_filename(fixture->dir, "vchan.sock", NULL)
			   : g_strdup_printf("%s/%u.sock", fixture->dir, domain);
}

int
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

int
setup(void **state)
{
	return setup_with(state, 0);
}

int
setup_with_few_fds(void **state)
{
	return setup_with(state, 240);
}

int
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

struct vchan *
listen_as(struct fixture *fixture, uint32_t domain, uint32_t peer, uint32_t port)
{
	g_autofree char *path = socket_of(fixture, domain);
	g_autofree char *spec = g_strconcat("broker:", path, NULL);
	struct vchan *vchan;

	assert_int_equal(vchan_listen(spec, peer, port, 0, &vchan), 0);
	return vchan;
}

struct vchan *
connect_as(struct fixture *fixture, uint32_t domain, uint32_t peer, uint32_t port)
{
	g_autofree char *path = socket_of(fixture, domain);
	g_autofree char *spec = g_strconcat("broker:", path, NULL);
	struct vchan *vchan;

	assert_int_equal(vchan_connect(spec, peer, port, 0, &vchan), 0);
	return vchan;
}

bool
turn(struct vchan *vchan, int timeout_ms)
{
	struct pollfd pollfd = {.fd = vchan_fd(vchan), .events = POLLIN};

	if (poll(&pollfd, 1, timeout_ms) != 1)
		return false;
	vchan_dispatch(vchan);
	return true;
}

void
wait_for_state(struct vchan *vchan, enum vchan_state state)
{
	while (vchan_state(vchan) != state)
		assert_true(turn(vchan, WAIT_MS));
}

/* Waits for the refusal and returns it. */
int
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
void
assert_waits(struct vchan *vchan)
{
	enum vchan_state before = vchan_state(vchan);

	while (turn(vchan, 50))
		assert_int_equal(vchan_state(vchan), before);
}

void
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

void
write_text(struct vchan *vchan, const char *text)
{
	assert_int_equal(vchan_write(vchan, text, strlen(text)), strlen(text));
}

void
read_end(struct vchan *vchan)
{
	ssize_t n;

	while ((n = vchan_read(vchan, (char[1]){0}, 1)) == -EAGAIN)
		assert_true(turn(vchan, WAIT_MS));
	assert_int_equal(n, 0);
	assert_int_equal(vchan_state(vchan), VCHAN_CLOSED);
}

/* Both ends, connected: the server in domain a, the client in domain b. */
void
connect_pair(struct fixture *fixture, uint32_t a, uint32_t b, struct vchan *ret[2])
{
	ret[0] = listen_as(fixture, a, b, PORT);
	ret[1] = connect_as(fixture, b, a, PORT);
	wait_for_state(ret[0], VCHAN_CONNECTED);
	wait_for_state(ret[1], VCHAN_CONNECTED);
}

void
close_pair(struct vchan *pair[2])
{
	vchan_close(pair[0]);
	vchan_close(pair[1]);
}

unsigned
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
unsigned
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
void
wait_for_broker_fds(const struct fixture *fixture, unsigned expected)
{
	for (unsigned i = 0; i < 500 && broker_fds(fixture) != expected; i++)
		g_usleep(10 * 1000);
	assert_int_equal(broker_fds(fixture), expected);
}

long
broker_rss_kib(const struct fixture *fixture)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/statm", (int)fixture->broker);
	g_autofree char *text = NULL;
	long pages = 0;

	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	assert_int_equal(sscanf(text, "%*d %ld", &pages), 1);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

unsigned long
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

/* The region of a domain as another (or the same, own) gets it. */
int
open_region_as(struct fixture *fixture, uint32_t reader, uint32_t domain, struct region **ret)
{
	g_autofree char *path = socket_of(fixture, reader);
	g_autofree char *spec = g_strconcat("broker:", path, NULL);

	return region_open(spec, domain, ret);
}

int
open_own_region_as(struct fixture *fixture, uint32_t domain, struct region **ret)
{
	g_autofree char *path = socket_of(fixture, domain);
	g_autofree char *spec = g_strconcat("broker:", path, NULL);

	return region_open_own(spec, ret);
}

int
right_to_region(struct fixture *fixture, uint32_t reader, uint32_t domain)
{
	struct region *region = NULL;
	int r = open_region_as(fixture, reader, domain, &region);

	region_free(region);
	return r;
}

int
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
