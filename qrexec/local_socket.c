#include "qrexec/local_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int
new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

static int
set_address(struct sockaddr_un *address, const char *path)
{
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	strcpy(address->sun_path, path);
	return 0;
}

static int
connect_address(const struct sockaddr_un *address)
{
	int fd = new_socket();

	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

int
local_socket_connect(const char *path)
{
	g_autofree char *folder = NULL;
	g_autofree char *base = NULL;
	g_autofree char *by_folder = NULL;
	struct sockaddr_un address;
	int folder_fd, r;

	if (set_address(&address, path) == 0)
		return connect_address(&address);
	folder = g_path_get_dirname(path);
	base = g_path_get_basename(path);
	folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder_fd < 0)
		return -errno;
	by_folder = g_strdup_printf("/proc/self/fd/%d/%s", folder_fd, base);
	r = set_address(&address, by_folder);
	if (r == 0)
		r = connect_address(&address);
	close(folder_fd);
	return r;
}

int
local_socket_listen(const char *path, mode_t mode)
{
	struct sockaddr_un address;
	mode_t old;
	int fd, r;

	r = set_address(&address, path);
	if (r < 0)
		return r;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	fd = new_socket();
	if (fd < 0)
		return fd;
	old = umask(0777 & ~mode);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(old);
	if (r == 0 && listen(fd, SOMAXCONN) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

uid_t
local_socket_peer_uid(int fd)
{
	struct ucred credentials;
	socklen_t len = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) < 0)
		return (uid_t)-1;
	return credentials.uid;
}
