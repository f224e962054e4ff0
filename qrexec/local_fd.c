#include "qrexec/local_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCKING_WRITE_MAX 4096 /* bytes that a writable pipe always takes */

void
local_fd_init(struct local_fd *local, int fd)
{
	struct stat info = {0};

	memset(local, 0, sizeof(*local));
	local->fd = fd;
	if (fd < 0 || fstat(fd, &info) < 0)
		return;
	local->is_socket = S_ISSOCK(info.st_mode);
	local->may_block =
	    !local->is_socket && !S_ISREG(info.st_mode) && (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
}

static void
unwatch(struct local_fd *local, GSource *source)
{
	if (local->tag != NULL)
		g_source_remove_unix_fd(source, local->tag);
	local->tag = NULL;
	local->ready = false;
}

void
local_fd_close(struct local_fd *local, GSource *source)
{
	unwatch(local, source);
	if (local->fd >= 0)
		close(local->fd);
	local->fd = -1;
}

void
local_fd_watch(struct local_fd *local, GSource *source, bool wanted, GIOCondition condition)
{
	if (!wanted || local->fd < 0)
		unwatch(local, source);
	else if (local->tag == NULL)
		local->tag = g_source_add_unix_fd(source, local->fd, condition);
}

bool
local_fd_check(struct local_fd *local, GSource *source)
{
	if (local->tag != NULL && g_source_query_unix_fd(source, local->tag) != 0)
		local->ready = true;
	return local->ready;
}

/* What one call has shown about the next. */
static ssize_t
note_result(struct local_fd *local, ssize_t n)
{
	if (n < 0)
		n = -errno;
	if (n == -EAGAIN || local->may_block)
		local->ready = false;
	return n;
}

ssize_t
local_fd_read(struct local_fd *local, void *buffer, size_t len)
{
	ssize_t n;

	if (local->may_block && !local->ready)
		return -EAGAIN;
	do
		n = local->is_socket ? recv(local->fd, buffer, len, MSG_DONTWAIT)
				     : read(local->fd, buffer, len);
	while (n < 0 && errno == EINTR);
	return note_result(local, n);
}

ssize_t
local_fd_write(struct local_fd *local, const void *bytes, size_t len)
{
	ssize_t n;

	if (local->may_block && !local->ready)
		return -EAGAIN;
	if (local->may_block)
		len = MIN(len, BLOCKING_WRITE_MAX);
	do
		n = local->is_socket ? send(local->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL)
				     : write(local->fd, bytes, len);
	while (n < 0 && errno == EINTR);
	return note_result(local, n);
}

/* The same file behind another open file description, whose O_NONBLOCK is ours alone. */
static int
open_anew(int fd)
{
	struct stat info;
	char path[32];
	int flags;

	if (fstat(fd, &info) < 0 || (!S_ISFIFO(info.st_mode) && !S_ISCHR(info.st_mode)))
		return -1;
	flags = fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND);
	g_snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int
local_fd_own(int fd)
{
	int own = open_anew(fd);
	int null;

	if (fd > STDERR_FILENO && own < 0)
		return fd;
	if (fd > STDERR_FILENO) {
		close(fd);
		return own;
	}
	if (own < 0)
		own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		return -errno;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, fd);
		close(null);
	}
	return own;
}
