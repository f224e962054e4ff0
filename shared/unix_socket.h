/*
 * unix_socket - how every program of ours opens, finds and uses an AF_UNIX socket.
 *
 * Every descriptor is close-on-exec. A path that does not fit an address (107 bytes) is
 * -ENAMETOOLONG, never cut; an empty one is -ENOENT, never an unnamed socket.
 */
#ifndef SHARED_UNIX_SOCKET_H
#define SHARED_UNIX_SOCKET_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#define UNIX_SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

int unix_socket_address(const char *path, struct sockaddr_un *ret);

/*
 * A listening, non-blocking socket at path; mode is the file's, whatever the umask. The file is
 * there when the socket listens, not before: who waits for it can connect. A socket there that
 * nobody listens on is replaced. Returns the descriptor; -EADDRINUSE when somebody listens, -EEXIST
 * when the file is no socket, or another negative errno. Needs /proc.
 */
int unix_socket_listen(const char *path, int type, int backlog, mode_t mode);

/*
 * A new socket, connected to path. type is SOCK_STREAM or SOCK_SEQPACKET; with SOCK_NONBLOCK it
 * never waits: -EAGAIN when the listener's backlog is full. Returns the descriptor or a negative
 * errno: -ENOENT or -ECONNREFUSED when nobody is there.
 */
int unix_socket_dial(const char *path, int type);

/*
 * From now on nobody can send a descriptor to fd, nor to what is accepted from it: -EPERM for the
 * sender. Only newer kernels (6.16) can do that; with others a reader still gets none, but it is
 * the reader who closes them.
 */
void unix_socket_refuse_descriptors(int fd);

/* connect() of a socket that the caller has prepared; 0 or a negative errno. */
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
