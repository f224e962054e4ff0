#include "gui-agent/child.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define END_TRIES 200
#define END_STEP_NS (10 * 1000 * 1000)

/* In the child, between fork and exec. */
static void
die_with_parent(gpointer parent)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != (pid_t)GPOINTER_TO_INT(parent))
		_exit(1); /* it died just now */
}

static int
errno_of(const GError *error)
{
	return g_error_matches(error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT) ? -ENOENT : -EIO;
}

int
child_start(const char *const *argv, const char *const *environment, int passed_fd, GPid *ret)
{
	g_autoptr(GError) error = NULL;

	if (!g_spawn_async_with_pipes_and_fds(NULL, argv, environment,
		G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH, die_with_parent,
		GINT_TO_POINTER((int)getpid()), -1, -1, -1, &passed_fd, &passed_fd,
		passed_fd >= 0 ? 1 : 0, ret, NULL, NULL, NULL, &error))
		return errno_of(error);
	return 0;
}

void
child_end(GPid pid)
{
	const struct timespec step = {.tv_nsec = END_STEP_NS};

	kill(pid, SIGTERM);
	for (int i = 0; i < END_TRIES; i++) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return;
		nanosleep(&step, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
