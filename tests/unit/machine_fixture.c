#include "tests/unit/machine_fixture.h"

#include "shared/unix_socket.h"
#include "tests/unit/broker_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the relay ------------------------------------------------------------------------------- */

struct side {
	int listen_fd, fd;
	char buffer[65536]; /* for this side */
	size_t used;
};

static void
fill(struct side *from, struct side *to)
{
	ssize_t n = read(from->fd, to->buffer + to->used, sizeof(to->buffer) - to->used);

	if (n > 0) {
		to->used += (size_t)n;
	} else if (n == 0 || errno != EAGAIN) {
		close(from->fd);
		from->fd = -1;
	}
}

static void
drain(struct side *side)
{
	ssize_t n = send(side->fd, side->buffer, side->used, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n <= 0)
		return; /* a reader that has gone is noticed by reading */
	side->used -= (size_t)n;
	memmove(side->buffer, side->buffer + n, side->used);
}

static short
interest(const struct side *side, const struct side *other)
{
	short events = 0;

	if (other->used < sizeof(other->buffer))
		events |= POLLIN;
	if (side->used > 0)
		events |= POLLOUT;
	return events;
}

static void
relay(struct side sides[2])
{
	for (;;) {
		struct pollfd fds[4];

		for (int i = 0; i < 2; i++) {
			fds[i] =
			    (struct pollfd){sides[i].fd < 0 ? sides[i].listen_fd : -1, POLLIN, 0};
			fds[2 + i] =
			    (struct pollfd){sides[i].fd, interest(&sides[i], &sides[1 - i]), 0};
		}
		if (poll(fds, 4, -1) < 0)
			_exit(1);
		for (int i = 0; i < 2; i++) {
			if (fds[i].revents != 0)
				sides[i].fd = accept4(
				    sides[i].listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
			if (fds[2 + i].revents & POLLOUT)
				drain(&sides[i]);
			if (fds[2 + i].revents & (POLLIN | POLLHUP | POLLERR))
				fill(&sides[i], &sides[1 - i]);
		}
	}
}

void
machine_start_relay(struct machine *machine)
{
	static struct side sides[2]; /* the child's */
	const char *paths[] = {machine->port_path, machine->device_path};

	for (int i = 0; i < 2; i++) {
		sides[i].fd = -1;
		sides[i].listen_fd = unix_socket_listen(paths[i], SOCK_STREAM, 1, 0600);
		assert_true(sides[i].listen_fd >= 0);
	}
	machine->relay = fork();
	if (machine->relay == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		relay(sides);
	}
	for (int i = 0; i < 2; i++)
		close(sides[i].listen_fd);
}

void
machine_stop_relay(struct machine *machine)
{
	kill(machine->relay, SIGKILL);
	waitpid(machine->relay, NULL, 0);
	machine->relay = 0;
	g_unlink(machine->port_path);
	g_unlink(machine->device_path);
}

/* --- the guest's broker ---------------------------------------------------------------------- */

void
machine_start_broker(struct machine *machine)
{
	g_autofree char *program = broker_program();
	g_autofree char *ready = NULL;
	g_auto(GStrv) environment = g_get_environ();
	char *argv[] = {program, (char[]){"--machine-port"}, machine->device_path,
	    (char[]){"--region"}, machine->region_path, (char[]){"--conf"}, machine->conf_path,
	    (char[]){"--ready-fd"}, NULL, NULL};
	int pipe_fds[2];

	if (machine->ready_fd >= 0)
		close(machine->ready_fd);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	fcntl(pipe_fds[1], F_SETFD, 0);
	ready = g_strdup_printf("%d", pipe_fds[1]);
	argv[8] = ready;
	environment = g_environ_setenv(environment, "QUBES_RUNTIME_DIR", machine->dir, TRUE);
	assert_true(g_spawn_async(NULL, argv, environment,
	    G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_LEAVE_DESCRIPTORS_OPEN, prepare_broker, NULL,
	    &machine->broker, NULL));
	close(pipe_fds[1]);
	machine->ready_fd = pipe_fds[0];
}

void
machine_end_broker(struct machine *machine, int signal)
{
	kill(machine->broker, signal);
	waitpid(machine->broker, NULL, 0);
	machine->broker = 0;
}

void
machine_wait_ready(struct machine *machine)
{
	struct pollfd pollfd = {.fd = machine->ready_fd, .events = POLLIN};
	char line[sizeof("ready\n") - 1];

	assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
	assert_int_equal(read(machine->ready_fd, line, sizeof(line)), sizeof(line));
	assert_memory_equal(line, "ready\n", sizeof(line));
}

/* --- the whole ------------------------------------------------------------------------------- */

struct machine *
machine_new(void)
{
	struct machine *machine = g_new0(struct machine, 1);
	int fd;

	machine->dir = g_dir_make_tmp("machine-XXXXXX", NULL);
	machine->port_path = g_build_filename(machine->dir, "port.sock", NULL);
	machine->device_path = g_build_filename(machine->dir, "device.sock", NULL);
	machine->conf_path = g_build_filename(machine->dir, "guest.conf", NULL);
	machine->region_path = g_build_filename(machine->dir, "region", NULL);
	machine->spec = g_strdup_printf("broker:%s/vchan.sock", machine->dir);
	machine->ready_fd = -1;
	fd = open(machine->region_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	close(fd);
	return machine;
}

void
machine_free(struct machine *machine)
{
	g_autofree char *socket_path = g_build_filename(machine->dir, "vchan.sock", NULL);

	if (machine->broker != 0)
		machine_end_broker(machine, SIGTERM);
	if (machine->relay != 0)
		machine_stop_relay(machine);
	if (machine->ready_fd >= 0)
		close(machine->ready_fd);
	g_unlink(socket_path);
	g_unlink(machine->conf_path);
	g_unlink(machine->region_path);
	assert_int_equal(g_rmdir(machine->dir), 0);
	g_free(machine->dir);
	g_free(machine->port_path);
	g_free(machine->device_path);
	g_free(machine->conf_path);
	g_free(machine->region_path);
	g_free(machine->spec);
	g_free(machine);
}
