/*
 * unix_socket - the few calls around AF_UNIX sockets that transports and broker share.
 *
 * Every descriptor is close-on-exec. A path that does not fit an address (107 bytes) is
 * -ENAMETOOLONG, never cut.
 */
#ifndef SHARED_UNIX_SOCKET_H
#define SHARED_UNIX_SOCKET_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define UNIX_SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

int unix_socket_address(const char *path, struct sockaddr_un *ret);

/*
 * A listening, non-blocking socket at path, mode 0600. A socket there that nobody listens on is
 * replaced. Returns the descriptor; -EADDRINUSE when somebody listens, -EEXIST when the file is no
 * socket, or another negative errno.
 */
int unix_socket_listen(const char *path, int type, int backlog);

/*
 * From now on nobody can send a descriptor to fd, nor to what is accepted from it: -EPERM for the
 * sender. Only newer kernels (6.16) can do that; with others a reader still gets none, but it is
 * the reader who closes them.
 */
void unix_socket_refuse_descriptors(int fd);

/* connect() of fd to path; 0 or a negative errno. */
int unix_socket_connect(int fd, const char *path);

/* Sends one message, with a descriptor unless attached is -1. Returns 0 or a negative errno. */
int unix_socket_send(int fd, const void *bytes, size_t len, int attached);

/*
 * Receives one message of at most len bytes and at most one descriptor, none when ret_fd is NULL.
 * Returns its length, 0 at the end, or a negative errno; -EPROTO when it was longer or brought
 * more. *ret_fd is -1 or the caller's.
 */
ssize_t unix_socket_receive(int fd, void *buffer, size_t len, int *ret_fd);

#endif
