#include "shared/vchan/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

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
	    .msg_control = &control,
	    .msg_controllen = CMSG_LEN(sizeof(int)),
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
	*ret_fd = attached;
	return n;
}
