#include "gui-daemon/instance.h"
#include "shared/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct instance {
	char *path; /* owned */
	int fd;     /* locked */
};

int
instance_new(uint32_t domid, struct instance **ret)
{
	g_autofree char *name = g_strdup_printf("guid-running.%u", domid);
	g_autofree char *path = path_in_runtime_dir(name);
	struct instance *instance;
	int fd, r;

	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno == EWOULDBLOCK ? -EALREADY : -errno;
		close(fd);
		return r;
	}
	instance = g_new0(struct instance, 1);
	instance->path = g_steal_pointer(&path);
	instance->fd = fd;
	*ret = instance;
	return 0;
}

void
instance_write_pid(struct instance *instance)
{
	if (ftruncate(instance->fd, 0) == 0)
		dprintf(instance->fd, "%d\n", (int)getpid());
}

/* The lock goes with the last descriptor, so not with the parent's. */
void
instance_leave_to_child(struct instance *instance)
{
	if (instance == NULL)
		return;
	close(instance->fd);
	g_free(instance->path);
	g_free(instance);
}

void
instance_free(struct instance *instance)
{
	if (instance == NULL)
		return;
	unlink(instance->path);
	instance_leave_to_child(instance);
}

static int
wait_until_ready(int fd, unsigned timeout_s)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	int timeout_ms = timeout_s > 0 ? (int)MIN(timeout_s, 86400u) * 1000 : 1000;
	char byte;

	if (poll(&pfd, 1, timeout_ms) <= 0)
		return timeout_s > 0 ? 1 : 0;
	return read(fd, &byte, 1) == 1 ? 0 : 1; /* end of file: the child died */
}

static int
redirect_output(const char *log_path)
{
	g_autofree char *old = g_strconcat(log_path, ".old", NULL);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int log, r = 0;

	rename(log_path, old);
	log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (log < 0)
		log = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null < 0 || log < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
	    dup2(log, STDERR_FILENO) < 0)
		r = -errno;
	if (null >= 0)
		close(null);
	if (log >= 0)
		close(log);
	return r;
}

int
instance_background(const char *log_path, unsigned timeout_s, int *ret_ready, int *ret_status)
{
	int ready[2];
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int r = -errno;

		close(ready[0]);
		close(ready[1]);
		return r;
	}
	if (pid > 0) {
		close(ready[1]);
		*ret_status = wait_until_ready(ready[0], timeout_s);
		close(ready[0]);
		return 1;
	}
	close(ready[0]);
	setsid();
	*ret_ready = ready[1];
	return redirect_output(log_path);
}
