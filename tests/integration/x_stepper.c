#include "tests/integration/x_stepper.h"

#include <X11/Xproto.h>
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_FDS 16
#define CHUNK 65536

struct x_stepper {
	char path[108];
	int listen_fd, client_fd, server_fd; /* -1: none */
	int server_number;
	bool is_set_up;      /* the connection's first message has gone through */
	GByteArray *pending; /* from the client, not yet handed on */
	int fds[MAX_FDS];    /* came with it */
	unsigned fd_count;
	x_stepper_func on_step;
	void *data;
};

static int
make_socket(const char *path, struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

struct x_stepper *
x_stepper_new(int number, int server_number, x_stepper_func on_step, void *data)
{
	struct x_stepper *stepper = g_new0(struct x_stepper, 1);
	struct sockaddr_un address;

	snprintf(stepper->path, sizeof(stepper->path), "/tmp/.X11-unix/X%d", number);
	stepper->client_fd = stepper->server_fd = -1;
	stepper->server_number = server_number;
	stepper->pending = g_byte_array_new();
	stepper->on_step = on_step;
	stepper->data = data;
	stepper->listen_fd = make_socket(stepper->path, &address);
	if (stepper->listen_fd < 0 ||
	    bind(stepper->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(stepper->listen_fd, 1) < 0) {
		stepper->path[0] = '\0'; /* not ours to remove */
		x_stepper_free(stepper);
		return NULL;
	}
	return stepper;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
disconnect(struct x_stepper *stepper)
{
	close_fd(&stepper->client_fd);
	close_fd(&stepper->server_fd);
	while (stepper->fd_count > 0)
		close(stepper->fds[--stepper->fd_count]);
	g_byte_array_set_size(stepper->pending, 0);
	stepper->is_set_up = false;
}

void
x_stepper_free(struct x_stepper *stepper)
{
	if (stepper == NULL)
		return;
	disconnect(stepper);
	close_fd(&stepper->listen_fd);
	if (stepper->path[0] != '\0')
		unlink(stepper->path);
	g_byte_array_unref(stepper->pending);
	g_free(stepper);
}

static void
accept_client(struct x_stepper *stepper)
{
	struct sockaddr_un address;
	char path[108];

	stepper->client_fd = accept4(stepper->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	snprintf(path, sizeof(path), "/tmp/.X11-unix/X%d", stepper->server_number);
	stepper->server_fd = make_socket(path, &address);
	if (stepper->client_fd < 0 || stepper->server_fd < 0 ||
	    connect(stepper->server_fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		disconnect(stepper);
}

/* --- requests ----------------------------------------------------------------------------- */

/* Bytes of the first message in pending, 0 when not even that is known. */
static size_t
message_length(const struct x_stepper *stepper)
{
	const guint8 *p = stepper->pending->data;
	guint16 name, value, units;
	guint32 big;

	if (!stepper->is_set_up) {
		if (stepper->pending->len < sz_xConnClientPrefix)
			return 0;
		memcpy(&name, p + 6, sizeof(name));
		memcpy(&value, p + 8, sizeof(value));
		return sz_xConnClientPrefix + ((size_t)name + 3) / 4 * 4 +
		       ((size_t)value + 3) / 4 * 4;
	}
	if (stepper->pending->len < 4)
		return 0;
	memcpy(&units, p + 2, sizeof(units));
	if (units != 0)
		return (size_t)units * 4;
	if (stepper->pending->len < 8)
		return 0;
	memcpy(&big, p + 4, sizeof(big));
	return (size_t)big * 4;
}

/* Whether a request can change what is on the screen; those of extensions may. */
static bool
is_visible(guint8 opcode)
{
	switch (opcode) {
	case X_CreateWindow:
	case X_ChangeWindowAttributes:
	case X_DestroyWindow:
	case X_DestroySubwindows:
	case X_ReparentWindow:
	case X_MapWindow:
	case X_MapSubwindows:
	case X_UnmapWindow:
	case X_ConfigureWindow:
	case X_ClearArea:
	case X_CopyArea:
	case X_PutImage:
	case X_PolyFillRectangle:
		return true;
	default:
		return opcode >= 128;
	}
}

static bool
send_with_fds(struct x_stepper *stepper, const guint8 *bytes, size_t len)
{
	char control[CMSG_SPACE(MAX_FDS * sizeof(int))] = {0};
	struct iovec iov = {(void *)bytes, len};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (stepper->fd_count > 0) {
		struct cmsghdr *header;

		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(stepper->fd_count * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(stepper->fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), stepper->fds, stepper->fd_count * sizeof(int));
	}
	n = sendmsg(stepper->server_fd, &message, MSG_NOSIGNAL);
	while (n > 0 && stepper->fd_count > 0)
		close(stepper->fds[--stepper->fd_count]);
	while (n > 0 && (size_t)n < len) {
		bytes += n;
		len -= (size_t)n;
		n = send(stepper->server_fd, bytes, len, MSG_NOSIGNAL);
	}
	return n > 0;
}

/* Hands on the first message, if it is whole, and lets the callback look. */
static bool
step(struct x_stepper *stepper)
{
	size_t len = message_length(stepper);
	bool visible;

	if (len == 0 || stepper->pending->len < len)
		return false;
	visible = stepper->is_set_up && is_visible(stepper->pending->data[0]);
	stepper->is_set_up = true;
	if (!send_with_fds(stepper, stepper->pending->data, len)) {
		disconnect(stepper);
		return false;
	}
	g_byte_array_remove_range(stepper->pending, 0, (guint)len);
	if (visible)
		stepper->on_step(stepper->data);
	return true;
}

static void
take_fds(struct x_stepper *stepper, struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	size_t count;

	if (header == NULL || header->cmsg_type != SCM_RIGHTS)
		return;
	count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	if (stepper->fd_count + count > MAX_FDS)
		return;
	memcpy(stepper->fds + stepper->fd_count, CMSG_DATA(header), count * sizeof(int));
	stepper->fd_count += (unsigned)count;
}

static void
read_client(struct x_stepper *stepper)
{
	static guint8 chunk[CHUNK];
	char control[CMSG_SPACE(MAX_FDS * sizeof(int))];
	struct iovec iov = {chunk, sizeof(chunk)};
	struct msghdr message = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(stepper->client_fd, &message, MSG_CMSG_CLOEXEC);

	if (n <= 0) {
		disconnect(stepper);
		return;
	}
	take_fds(stepper, &message);
	g_byte_array_append(stepper->pending, chunk, (guint)n);
	while (step(stepper))
		;
}

static void
read_server(struct x_stepper *stepper)
{
	static guint8 chunk[CHUNK];
	ssize_t n = recv(stepper->server_fd, chunk, sizeof(chunk), 0);

	for (ssize_t at = 0; at < n;) {
		ssize_t sent = send(stepper->client_fd, chunk + at, (size_t)(n - at), MSG_NOSIGNAL);

		if (sent <= 0) {
			n = 0;
			break;
		}
		at += sent;
	}
	if (n <= 0)
		disconnect(stepper);
}

void
x_stepper_prepare(const struct x_stepper *stepper, struct pollfd *fds)
{
	fds[0] = (struct pollfd){
	    .fd = stepper->client_fd < 0 ? stepper->listen_fd : -1, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = stepper->server_fd, .events = POLLIN};
	fds[2] = (struct pollfd){.fd = stepper->client_fd, .events = POLLIN};
}

void
x_stepper_dispatch(struct x_stepper *stepper, const struct pollfd *fds)
{
	if (fds[0].revents != 0)
		accept_client(stepper);
	if (fds[1].revents != 0 && stepper->server_fd >= 0)
		read_server(stepper);
	if (fds[2].revents != 0 && stepper->client_fd >= 0)
		read_client(stepper);
}
