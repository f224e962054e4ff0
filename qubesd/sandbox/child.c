#include "qubesd/sandbox/child.h"
#include "qubesd/sandbox/bwrap_args.h"
#include "qubesd/sandbox/cgroup.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* The parent's two pipes to the child: it says "mapped?" and is told "go". */
struct child_pipes {
	int mapped[2], go[2];
};

static void die(const char *what, int r) __attribute__((noreturn));

static void
die(const char *what, int r)
{
	log_error("%s: %s", what, g_strerror(-r));
	_exit(1);
}

/* Refused mount namespaces leave the real paths. */
static void
enter_stage(struct stage *stage)
{
	enum stage_part part = STAGE_PART_COUNT;
	int r = stage_enter(stage, &part);

	if (r < 0 && !(r == -EPERM && part == STAGE_PART_COUNT))
		die(part < STAGE_PART_COUNT ? stage->paths[part] : "mount namespace", r);
}

/*
 * No core dumps: the program that takes them runs outside, with rights, and would be fed by the
 * qube. (The value 1 also stops those that go to a pipe.) And when memory is short, qubes go first.
 */
static void
set_limits(void)
{
	static const char score[] = "500";
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1}) < 0)
		log_warn("core dumps are not off: %s", g_strerror(errno));
	if (fd < 0 || write(fd, score, sizeof(score) - 1) < 0)
		log_debug("the score for a lack of memory stays");
	if (fd >= 0)
		close(fd);
}

static void
set_output(int fd)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
	    dup2(fd, STDERR_FILENO) < 0)
		_exit(1);
}

static void run(const struct child_setup *setup, const struct child_pipes *pipes, pid_t parent)
    __attribute__((noreturn));

static void
run(const struct child_setup *setup, const struct child_pipes *pipes, pid_t parent)
{
	struct stage stage = *setup->stage; /* the paths change; the old ones are the parent's */
	struct bwrap_args args;
	char byte;
	int r;

	if (read(pipes->go[0], &byte, 1) != 1) /* we are in our control groups now */
		_exit(1);
	set_output(setup->output_fd);
	set_limits();
	if (geteuid() == 0)
		enter_stage(&stage);
	r = bwrap_args_new(setup->bwrap, setup->options, setup->identity, &stage, setup->info_fd,
	    setup->ready_fd, &args);
	if (r < 0)
		die("seccomp filter", r);
	r = identity_enter(setup->identity, pipes->mapped[1], pipes->go[0]);
	if (r < 0)
		die("user namespace", r);
	/* Our end is the qube's end. Asked here, because the kernel forgets it with the old ids. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	if (fcntl(setup->info_fd, F_SETFD, 0) < 0 || fcntl(setup->ready_fd, F_SETFD, 0) < 0)
		die("descriptors", -errno);
	execv(setup->bwrap, (char *const *)args.argv->pdata);
	die(setup->bwrap, -errno);
}

static int
open_pipes(struct child_pipes *ret)
{
	int r;

	if (pipe2(ret->mapped, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(ret->go, O_CLOEXEC) == 0)
		return 0;
	r = -errno;
	close(ret->mapped[0]);
	close(ret->mapped[1]);
	return r;
}

int
child_fork(const struct child_setup *setup, pid_t *ret_child)
{
	struct child_pipes pipes;
	pid_t parent = getpid(), child;
	int r;

	r = open_pipes(&pipes);
	if (r < 0)
		return r;
	child = fork();
	if (child == 0)
		run(setup, &pipes, parent);
	if (child < 0)
		r = -errno;
	close(pipes.mapped[1]);
	close(pipes.go[0]);
	if (child > 0) {
		*ret_child = child;
		(void)cgroup_add(setup->cgroups, child);
		r = write(pipes.go[1], "+", 1) == 1 ? 0 : -EPIPE;
	}
	if (r == 0)
		r = identity_map(setup->identity, child, pipes.mapped[0], pipes.go[1]);
	close(pipes.mapped[0]);
	close(pipes.go[1]);
	return r;
}
