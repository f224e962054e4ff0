/*
 * Throughput and latency of the transports beside a bare socket pair, in one run.
 *
 *   bench_vchan [ROUNDS]
 *
 * Two processes. Throughput: MiB/s of blocks of 4 KiB and 64 KiB one way. Latency: microseconds of
 * a round trip of 64 bytes. Connection: microseconds from asking for both ends to both connected.
 * "to/from guest": the broker of a guest and the host's, with a relay between that is QEMU.
 * Median and 95th percentile (of throughput the slow end) over the rounds.
 */
#include "shared/unix_socket.h"
#include "shared/vchan/broker_control.h"
#include "shared/vchan/vchan.h"

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_DEFAULT 31
#define STREAM_BYTES (16u << 20)
#define ROUND_TRIPS 200
#define MESSAGE_BYTES 64
#define PORT 1

/* One end of whatever is measured: a bare descriptor, or a vchan. */
struct end {
	int fd;
	struct vchan *vchan;
};

struct setup {
	const char *name;
	const char *server_spec, *client_spec; /* NULL: the bare socket pair */
	uint32_t server_domain, client_domain;
};

static void
die(const char *what, int error)
{
	fprintf(stderr, "bench_vchan: %s: %s\n", what, strerror(-error));
	exit(1);
}

static void
wait_for_news(struct end *end, short events)
{
	struct pollfd pollfd = {.fd = end->fd, .events = events};

	if (poll(&pollfd, 1, 10000) != 1)
		die("poll", -ETIMEDOUT);
	if (end->vchan != NULL)
		vchan_dispatch(end->vchan);
}

static ssize_t
end_read(struct end *end, void *buffer, size_t len)
{
	ssize_t n;

	for (;;) {
		if (end->vchan != NULL)
			n = vchan_read(end->vchan, buffer, len);
		else if ((n = recv(end->fd, buffer, len, MSG_DONTWAIT)) < 0)
			n = -errno;
		if (n != -EAGAIN)
			return n;
		wait_for_news(end, POLLIN);
	}
}

static void
end_write(struct end *end, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n;

		if (end->vchan != NULL)
			n = vchan_write(end->vchan, bytes, len);
		else if ((n = send(end->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL)) < 0)
			n = -errno;
		if (n == -EAGAIN) {
			wait_for_news(end, end->vchan != NULL ? POLLIN : POLLOUT);
			continue;
		}
		if (n < 0)
			die("write", (int)n);
		bytes += n;
		len -= (size_t)n;
	}
}

static void
end_read_exactly(struct end *end, char *buffer, size_t len)
{
	for (size_t have = 0; have < len;) {
		ssize_t n = end_read(end, buffer + have, len - have);

		if (n <= 0)
			die("read", (int)n);
		have += (size_t)n;
	}
}

static void
end_close(struct end *end)
{
	if (end->vchan != NULL)
		vchan_close(end->vchan);
	else
		close(end->fd);
}

static struct end
end_of(struct vchan *vchan)
{
	return (struct end){vchan_fd(vchan), vchan};
}

/* "socket" takes its own domain from the environment. */
static void
act_as(uint32_t domain)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", domain);
	g_setenv("VCHAN_DOMAIN", text, TRUE);
}

static void
open_ends(const struct setup *setup, struct end ret[2])
{
	struct vchan *server, *client;
	int fds[2], r;

	if (setup->server_spec == NULL) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
			die("socketpair", -errno);
		ret[0] = (struct end){fds[0], NULL};
		ret[1] = (struct end){fds[1], NULL};
		return;
	}
	act_as(setup->server_domain);
	r = vchan_listen(setup->server_spec, setup->client_domain, PORT, 0, &server);
	if (r < 0)
		die("listen", r);
	act_as(setup->client_domain);
	r = vchan_connect(setup->client_spec, setup->server_domain, PORT, 0, &client);
	if (r < 0)
		die("connect", r);
	ret[0] = end_of(server);
	ret[1] = end_of(client);
	while (vchan_state(server) != VCHAN_CONNECTED)
		wait_for_news(&ret[0], POLLIN);
	while (vchan_state(client) != VCHAN_CONNECTED)
		wait_for_news(&ret[1], POLLIN);
}

/* The other process: takes a stream and says so with one byte, or sends every message back. */
static void
serve(struct end *end, bool echo)
{
	static char buffer[65536];
	size_t total = 0;

	for (;;) {
		ssize_t n = end_read(end, buffer, sizeof(buffer));

		if (n <= 0)
			return;
		total += (size_t)n;
		if (echo)
			end_write(end, buffer, (size_t)n);
		else if (total % STREAM_BYTES == 0)
			end_write(end, "k", 1);
	}
}

static pid_t
fork_server(struct end ends[2], bool echo)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork", -errno);
	if (pid == 0) {
		if (ends[1].vchan == NULL)
			close(ends[1].fd);
		serve(&ends[0], echo);
		_exit(0);
	}
	if (ends[0].vchan == NULL)
		close(ends[0].fd);
	return pid;
}

static void
end_server(struct end ends[2], pid_t pid)
{
	end_close(&ends[1]);
	waitpid(pid, NULL, 0);
	if (ends[0].vchan != NULL)
		vchan_close(ends[0].vchan);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* bad_is_low: the 95th percentile is taken from the low end. */
static void
report(const char *name, const char *what, const char *unit, double *values, size_t count,
    bool bad_is_low)
{
	size_t tail = count * 95 / 100;

	qsort(values, count, sizeof(*values), compare);
	printf("%-12s %-24s median %10.1f %s   p95 %10.1f %s\n", name, what, values[count / 2],
	    unit, values[bad_is_low ? count - 1 - tail : tail], unit);
}

static void
bench_stream(const struct setup *setup, size_t block_bytes, size_t rounds)
{
	g_autofree char *block = g_malloc0(block_bytes);
	g_autofree double *values = g_new(double, rounds);
	g_autofree char *what = g_strdup_printf("stream, %zu KiB blocks", block_bytes / 1024);
	struct end ends[2];
	char done;
	pid_t pid;

	open_ends(setup, ends);
	pid = fork_server(ends, false);
	for (size_t round = 0; round < rounds; round++) {
		gint64 start_us = g_get_monotonic_time();

		for (size_t sent = 0; sent < STREAM_BYTES; sent += block_bytes)
			end_write(&ends[1], block, block_bytes);
		if (ends[1].vchan != NULL)
			vchan_drain(ends[1].vchan, -1);
		end_read_exactly(&ends[1], &done, 1);
		values[round] =
		    (STREAM_BYTES >> 20) / ((double)(g_get_monotonic_time() - start_us) / 1e6);
	}
	end_server(ends, pid);
	report(setup->name, what, "MiB/s", values, rounds, true);
}

static void
bench_latency(const struct setup *setup, size_t rounds)
{
	size_t count = rounds * ROUND_TRIPS;
	g_autofree double *values = g_new(double, count);
	char message[MESSAGE_BYTES] = {0};
	struct end ends[2];
	pid_t pid;

	open_ends(setup, ends);
	pid = fork_server(ends, true);
	for (size_t i = 0; i < count; i++) {
		gint64 start_us = g_get_monotonic_time();

		end_write(&ends[1], message, sizeof(message));
		end_read_exactly(&ends[1], message, sizeof(message));
		values[i] = (double)(g_get_monotonic_time() - start_us);
	}
	end_server(ends, pid);
	report(setup->name, "round trip, 64 bytes", "us", values, count, false);
}

static void
bench_connection(const struct setup *setup, size_t rounds)
{
	size_t count = rounds * 10;
	g_autofree double *values = g_new(double, count);

	for (size_t i = 0; i < count; i++) {
		gint64 start_us = g_get_monotonic_time();
		struct end ends[2];

		open_ends(setup, ends);
		values[i] = (double)(g_get_monotonic_time() - start_us);
		end_close(&ends[0]);
		end_close(&ends[1]);
	}
	report(setup->name, "connection", "us", values, count, false);
}

/* It must not outlive us when somebody closes our standard output. */
static void
prepare_broker(gpointer data)
{
	(void)data;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static char *
broker_program(void)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *self_dir = g_path_get_dirname(self);

	return g_build_filename(self_dir, "..", "bin", "vchan-broker", NULL);
}

/* What one side of the port wrote goes to the other. False at the end. */
static bool
carry(int from, int to)
{
	static char buffer[65536];
	ssize_t n = read(from, buffer, sizeof(buffer));

	for (ssize_t sent = 0; sent < n;) {
		ssize_t m = write(to, buffer + sent, (size_t)(n - sent));

		if (m <= 0)
			return false;
		sent += m;
	}
	return n > 0;
}

/* One direction of the port, in a process of its own, so that neither waits for the other. */
static void
fork_carrier(int from, int to)
{
	if (fork() != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	while (carry(from, to))
		continue;
	_exit(0);
}

/* Plays QEMU: both brokers find a socket that one connects to as the port, one as the device. */
static pid_t
start_port(const char *port_path, const char *device_path)
{
	int listeners[2] = {
	    unix_socket_listen(port_path, SOCK_STREAM, 1, 0600),
	    unix_socket_listen(device_path, SOCK_STREAM, 1, 0600),
	};
	pid_t pid = fork();

	if (pid == 0) {
		int fds[2];

		prctl(PR_SET_PDEATHSIG, SIGTERM);
		for (int i = 0; i < 2; i++) {
			struct pollfd pollfd = {.fd = listeners[i], .events = POLLIN};

			poll(&pollfd, 1, -1);
			fds[i] = accept(listeners[i], NULL, NULL);
		}
		fork_carrier(fds[0], fds[1]);
		while (carry(fds[1], fds[0]))
			continue;
		_exit(0);
	}
	close(listeners[0]);
	close(listeners[1]);
	return pid;
}

/* The broker of a guest, connected. */
static GPid
start_guest_broker(const char *dir, char *device_path)
{
	g_autofree char *program = broker_program();
	g_autofree char *conf_path = g_build_filename(dir, "guest.conf", NULL);
	g_auto(GStrv) environment =
	    g_environ_setenv(g_get_environ(), "QUBES_RUNTIME_DIR", dir, TRUE);
	char *argv[] = {
	    program, (char[]){"--machine-port"}, device_path, (char[]){"--conf"}, conf_path, NULL};
	GPid pid;

	if (!g_spawn_async(NULL, argv, environment,
		G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, prepare_broker, NULL, &pid,
		NULL))
		die(program, -ENOENT);
	for (int i = 0; i < 500 && access(conf_path, F_OK) < 0; i++)
		g_usleep(10 * 1000);
	g_unlink(conf_path);
	return pid;
}

static GPid
start_broker(const char *dir, const char *port_path)
{
	g_autofree char *program = broker_program();
	g_autofree char *control_path = g_build_filename(dir, "control.sock", NULL);
	g_autofree char *socket_path = g_build_filename(dir, "1.sock", NULL);
	char *argv[] = {program, (char[]){"--control"}, control_path, NULL};
	struct broker_control *control;
	GPid pid;
	int r = -ENOENT;

	if (!g_spawn_async(
		NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, prepare_broker, NULL, &pid, NULL))
		die(program, -ENOENT);
	for (int i = 0; i < 200 && r < 0; i++) {
		g_usleep(10 * 1000);
		r = broker_control_new(control_path, &control);
	}
	if (r == 0)
		r = broker_control_add(control, 1, socket_path, getuid(), getgid(), 0);
	if (r == 0)
		r = broker_control_add_machine(control, 2, port_path, "", "bench\n");
	if (r < 0)
		die("broker", r);
	broker_control_free(control);
	return pid;
}

int
main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS_DEFAULT;
	g_autofree char *dir = g_dir_make_tmp("bench-XXXXXX", NULL);
	g_autofree char *trusted = g_strdup_printf("broker:%s/vchan.sock", dir);
	g_autofree char *domain = g_strdup_printf("broker:%s/1.sock", dir);
	g_autofree char *guest_dir = g_dir_make_tmp("bench-XXXXXX", NULL);
	g_autofree char *port_path = g_build_filename(guest_dir, "port.sock", NULL);
	g_autofree char *device_path = g_build_filename(guest_dir, "device.sock", NULL);
	g_autofree char *guest = g_strdup_printf("broker:%s/vchan.sock", guest_dir);
	const struct setup setups[] = {
	    {"socketpair", NULL, NULL, 0, 0},
	    {"socket", "socket", "socket", 1, 0},
	    {"broker", domain, trusted, 1, 0},
	    {"to guest", guest, trusted, 2, 0},
	    {"from guest", trusted, guest, 0, 2},
	};
	GPid broker, guest_broker;
	pid_t port;

	if (rounds == 0 || dir == NULL || guest_dir == NULL)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	g_setenv("VCHAN_SOCKET_DIR", dir, TRUE);
	port = start_port(port_path, device_path);
	broker = start_broker(dir, port_path);
	guest_broker = start_guest_broker(guest_dir, device_path);
	for (size_t i = 0; i < G_N_ELEMENTS(setups); i++) {
		bench_stream(&setups[i], 4096, rounds);
		bench_stream(&setups[i], 65536, rounds);
		bench_latency(&setups[i], rounds);
		bench_connection(&setups[i], rounds);
	}
	kill(guest_broker, SIGTERM);
	waitpid(guest_broker, NULL, 0);
	kill(broker, SIGTERM);
	waitpid(broker, NULL, 0);
	kill(port, SIGTERM);
	waitpid(port, NULL, 0);
	g_unlink(port_path);
	g_unlink(device_path);
	g_rmdir(dir);
	g_rmdir(guest_dir);
	return 0;
}
