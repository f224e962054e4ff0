#include "shared/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

int
unix_socket_address(const char *path, struct sockaddr_un *ret)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (path[0] == '\0' || strlen(path) > UNIX_SOCKET_PATH_MAX)
		return path[0] == '\0' ? -ENOENT : -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	*ret = address;
	return 0;
}

int
unix_socket_connect(int fd, const char *path)
{
	struct sockaddr_un address;
	int r;

	r = unix_socket_address(path, &address);
	if (r < 0)
		return r;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return 0;
}

int
unix_socket_dial(const char *path, int type)
{
	int fd, r;

	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = unix_socket_connect(fd, path);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

void
unix_socket_refuse_descriptors(int fd)
{
	const int off = 0;

	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
}

/* Makes room at the address of a listener that has died. */
static int
remove_stale(const char *path, int type)
{
	struct stat status;
	int fd;

	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	fd = unix_socket_dial(path, type | SOCK_NONBLOCK);
	if (fd >= 0)
		close(fd);
	if (fd != -ECONNREFUSED && fd != -ENOENT)
		return -EADDRINUSE;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* The folder of path, open to name things in it; *ret_name is the rest. */
static int
open_folder(const char *path, const char **ret_name)
{
	char folder[UNIX_SOCKET_PATH_MAX + 1];
	const char *slash = strrchr(path, '/');
	int fd;

	snprintf(folder, sizeof(folder), "%.*s/", slash != NULL ? (int)(slash - path) : 1,
	    slash != NULL ? path : ".");
	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*ret_name = slash != NULL ? slash + 1 : path;
	return fd < 0 ? -errno : fd;
}

/*
 * The socket gets its name when it listens: who sees the file can connect. Until then it has
 * another beside it, reached through the folder's descriptor, as an address holds little.
 */
static int
listen_as(int fd, int folder, const char *name, int backlog, mode_t mode)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char beside[48];
	int r = 0;

	snprintf(beside, sizeof(beside), ".%.16s~%d-%d", name, (int)getpid(), fd);
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", folder, beside);
	(void)unlinkat(folder, beside, 0); /* of one with our number, who was killed just here */
	/* The mode of an unbound socket is the mode of its file, less the umask. */
	if (fchmod(fd, mode) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (fchmodat(folder, beside, mode, 0) < 0 || listen(fd, backlog) < 0 ||
	    linkat(folder, beside, folder, name, 0) < 0)
		r = errno == EEXIST ? -EADDRINUSE : -errno;
	(void)unlinkat(folder, beside, 0);
	return r;
}

int
unix_socket_listen(const char *path, int type, int backlog, mode_t mode)
{
	struct sockaddr_un address;
	const char *name;
	int folder, fd, r;

	r = unix_socket_address(path, &address);
	if (r < 0)
		return r;
	r = remove_stale(path, type);
	if (r < 0)
		return r;
	folder = open_folder(path, &name);
	if (folder < 0)
		return folder;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = fd < 0 ? -errno : listen_as(fd, folder, name, backlog, mode);
	close(folder);
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}
int
unix_socket_send(int fd, const void *bytes, size_t len, int attached)
{
	struct iovec segment = {(void *)bytes, len};
	struct msghdr message = {.msg_iov = &segment, .msg_iovlen = 1};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	ssize_t sent;

	if (attached >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &attached, sizeof(int));
	}
	do
		sent = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* The one descriptor a message brought, or -1. The kernel drops what has no space. */
static int
attached_fd(struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	int fd = -1;

	if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(header), sizeof(int));
	return fd;
}

ssize_t
unix_socket_receive(int fd, void *buffer, size_t len, int *ret_fd)
{
	struct iovec segment = {buffer, len};
	union {
		struct cmsghdr header;
		char space[CMSG_LEN(
		    sizeof(int))]; /* not CMSG_SPACE: its padding fits a second one */
	} control;
	struct msghdr message = {
	    .msg_iov = &segment,
	    .msg_iovlen = 1,
	    .msg_control = ret_fd != NULL ? &control : NULL,
	    .msg_controllen = ret_fd != NULL ? CMSG_LEN(sizeof(int)) : 0,
	};
	ssize_t n;
	int attached;

	do
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	attached = attached_fd(&message);
	if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		if (attached >= 0)
			close(attached);
		return -EPROTO;
	}
	if (ret_fd != NULL)
		*ret_fd = attached;
	return n;
}
