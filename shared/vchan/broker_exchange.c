#include "shared/vchan/broker_exchange.h"

#include "shared/unix_socket.h"

#include <errno.h>
#include <sys/time.h>
#include <unistd.h>

int
broker_exchange_connect(const char *path)
{
	const struct timeval limit = {.tv_sec = BROKER_EXCHANGE_TIMEOUT_S};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int r = 0;

	if (fd < 0)
		return -errno;
	/* The limit for sending is the one for connecting as well. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		r = -errno;
	if (r == 0)
		r = unix_socket_connect(fd, path);
	if (r < 0) {
		close(fd);
		return r == -EAGAIN ? -ETIMEDOUT : r;
	}
	return fd;
}

static ssize_t
ask(int fd, const void *request, size_t request_len, void *reply, size_t min_reply_len,
    size_t max_reply_len, int *ret_fd)
{
	int reply_fd;
	ssize_t n;

	n = unix_socket_send(fd, request, request_len, -1);
	if (n < 0 && n != -EPIPE) /* EPIPE: refused before it was asked; the reply is there */
		return n;
	n = unix_socket_receive(fd, reply, max_reply_len, &reply_fd);
	if (n < 0)
		return n;
	if ((size_t)n < min_reply_len) {
		if (reply_fd >= 0)
			close(reply_fd);
		return n == 0 ? -ECONNRESET : -EPROTO;
	}
	*ret_fd = reply_fd;
	return n;
}

ssize_t
broker_exchange(const char *path, const void *request, size_t request_len, void *reply,
    size_t min_reply_len, size_t max_reply_len, int *ret_fd)
{
	int fd = broker_exchange_connect(path);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = ask(fd, request, request_len, reply, min_reply_len, max_reply_len, ret_fd);
	close(fd);
	return n == -EAGAIN ? -ETIMEDOUT : n;
}
