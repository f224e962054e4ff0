#include "shared/vchan/mux_port.h"

#include "shared/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* A terminal would change bytes. */
static int
make_raw(int fd)
{
	struct termios settings;

	if (tcgetattr(fd, &settings) < 0)
		return errno == ENOTTY || errno == EINVAL ? 0 : -errno;
	cfmakeraw(&settings);
	return tcsetattr(fd, TCSANOW, &settings) < 0 ? -errno : 0;
}

static int
open_device(const char *path)
{
	int fd, r;

	fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = mux_port_is_device(fd) ? make_raw(fd) : -EINVAL;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int
mux_port_open(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return -errno;
	if (S_ISSOCK(status.st_mode))
		return unix_socket_dial(path, SOCK_STREAM | SOCK_NONBLOCK);
	return S_ISCHR(status.st_mode) ? open_device(path) : -EINVAL;
}

bool
mux_port_is_connected(int fd)
{
	struct pollfd pollfd = {.fd = fd};

	return poll(&pollfd, 1, 0) == 0;
}

bool
mux_port_is_device(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode);
}
