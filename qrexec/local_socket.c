#include "qrexec/local_socket.h"

#include "shared/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TYPE (SOCK_STREAM | SOCK_NONBLOCK)

/* A path that is longer than an address, by its folder. */
static int
connect_in_folder(const char *path)
{
	g_autofree char *folder = g_path_get_dirname(path);
	g_autofree char *base = g_path_get_basename(path);
	g_autofree char *by_folder = NULL;
	int folder_fd, fd;

	folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder_fd < 0)
		return -errno;
	by_folder = g_strdup_printf("/proc/self/fd/%d/%s", folder_fd, base);
	fd = unix_socket_dial(by_folder, TYPE);
	close(folder_fd);
	return fd;
}

int
local_socket_connect(const char *path)
{
	int fd = unix_socket_dial(path, TYPE);

	return fd == -ENAMETOOLONG ? connect_in_folder(path) : fd;
}

/* Also of somebody who still listens, whose successor we are; of anything else nothing is removed. */
static int
remove_socket(const char *path)
{
	struct stat info;

	if (lstat(path, &info) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(info.st_mode))
		return -EEXIST;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int
local_socket_listen(const char *path, mode_t mode)
{
	struct sockaddr_un address;
	int r;

	r = unix_socket_address(path, &address);
	if (r == 0)
		r = remove_socket(path);
	return r < 0 ? r : unix_socket_listen(path, SOCK_STREAM, SOMAXCONN, mode);
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
