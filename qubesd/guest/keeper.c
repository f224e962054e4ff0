#include "qubesd/guest/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int64_t
keeper_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int
keeper_init(struct keeper *keeper)
{
	sigset_t set;

	memset(keeper, 0, sizeof(*keeper));
	for (int i = 0; i < KEEPER_WATCHES; i++)
		keeper->watches[i].fd = -1;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_SETMASK, &set, NULL);
	keeper->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return keeper->signals < 0 ? -errno : 0;
}

int
keeper_watch(struct keeper *keeper, int fd, keeper_watch_fn fn, void *data)
{
	for (int i = 0; i < KEEPER_WATCHES; i++) {
		if (keeper->watches[i].fd >= 0)
			continue;
		keeper->watches[i].fd = fd;
		keeper->watches[i].fn = fn;
		keeper->watches[i].data = data;
		return 0;
	}
	return -ENOSPC;
}

void
keeper_unwatch(struct keeper *keeper, int fd)
{
	for (int i = 0; i < KEEPER_WATCHES; i++)
		if (keeper->watches[i].fd == fd)
			keeper->watches[i].fd = -1;
}

void
keeper_end(struct keeper *keeper)
{
	if (keeper->ending)
		return;
	keeper->ending = true;
	keeper->kill_ms = keeper_now_ms() + KEEPER_END_MS;
	kill(-1, SIGTERM);
	kill(-1, SIGCONT); /* what was stopped must hear it too */
}

/* Returns false when there is no child any more. */
static bool
reap(struct keeper *keeper)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!keeper->ending)
			agents_on_exit(&keeper->agents, pid, status, keeper_now_ms());
	return pid == 0;
}

static void
read_signals(struct keeper *keeper)
{
	struct signalfd_siginfo info;

	while (read(keeper->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			keeper_end(keeper);
}

static int
next_timeout(const struct keeper *keeper)
{
	int64_t left;

	if (!keeper->ending)
		return agents_timeout(&keeper->agents, keeper_now_ms());
	left = keeper->kill_ms - keeper_now_ms();
	return left > 0 ? (int)left : 0;
}

/* Waits for what comes next, and tells the watchers. poll() skips descriptors below 0. */
static void
wait_once(struct keeper *keeper)
{
	struct pollfd fds[1 + KEEPER_WATCHES];

	fds[0] = (struct pollfd){.fd = keeper->signals, .events = POLLIN};
	for (int i = 0; i < KEEPER_WATCHES; i++)
		fds[1 + i] = (struct pollfd){.fd = keeper->watches[i].fd, .events = POLLIN};
	if (poll(fds, 1 + KEEPER_WATCHES, next_timeout(keeper)) < 0)
		return;
	for (int i = 0; i < KEEPER_WATCHES; i++)
		if (fds[1 + i].revents != 0 && keeper->watches[i].fd == fds[1 + i].fd)
			keeper->watches[i].fn(keeper, fds[1 + i].fd, keeper->watches[i].data);
}

void
keeper_run(struct keeper *keeper)
{
	for (;;) {
		bool children;

		if (!keeper->ending)
			agents_start_due(&keeper->agents, keeper_now_ms());
		wait_once(keeper);
		read_signals(keeper);
		children = reap(keeper);
		if (keeper->ending && !children)
			return;
		if (keeper->ending && keeper_now_ms() >= keeper->kill_ms) {
			kill(-1, SIGKILL);
			return; /* with us the kernel ends what is still there */
		}
	}
}
