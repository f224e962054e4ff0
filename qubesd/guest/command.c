#include "qubesd/guest/command.h"
#include "shared/log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void child_run(const char *const *argv) __attribute__((noreturn));

static void
child_run(const char *const *argv)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], (char *const *)argv);
	log_error("%s: %s", argv[0], strerror(errno));
	_exit(127);
}

int
command_run(const char *const *argv)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		child_run(argv);
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}
