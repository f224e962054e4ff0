#include "qrexec/background.h"

#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Waits until the daemon says that it is ready, or ends. */
static int
wait_for_daemon(const struct background *background, pid_t daemon, int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	int status = 0;
	bool ready;
	char byte;

	while (poll(&pollfd, 1, 1000) <= 0) {
		if (!background->quiet)
			fputc('.', stderr);
	}
	ready = read(fd, &byte, 1) == 1;
	if (!background->quiet)
		fputs(ready ? "connected\n" : "failed\n", stderr);
	if (ready)
		return 0;
	waitpid(daemon, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == background->passed_on)
		return background->passed_on;
	return background->failed;
}

static void
open_log(const char *path)
{
	int fd;

	umask(0007);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0660);
	if (fd < 0) {
		log_warn("%s: %s", path, strerror(errno));
		return;
	}
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

int
background_enter(const struct background *background)
{
	int ends[2];
	pid_t daemon;

	if (pipe2(ends, O_CLOEXEC) < 0 || (daemon = fork()) < 0) {
		log_error("cannot go to the background: %s", strerror(errno));
		exit(background->failed);
	}
	if (daemon > 0) {
		close(ends[1]);
		exit(background->nowait ? 0 : wait_for_daemon(background, daemon, ends[0]));
	}
	close(ends[0]);
	if (chdir(background->folder) < 0)
		log_warn("%s: %s", background->folder, strerror(errno));
	open_log(background->log);
	setsid();
	return ends[1];
}
