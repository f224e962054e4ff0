/*
 * local_socket - stream sockets in the file system, non-blocking and close-on-exec.
 */
#ifndef QREXEC_LOCAL_SOCKET_H
#define QREXEC_LOCAL_SOCKET_H

#include <sys/types.h>

/*
 * A connected descriptor, or a negative errno; -EAGAIN when the other side has too many waiting. A
 * path longer than an address is reached through its folder.
 */
int local_socket_connect(const char *path);

/*
 * A listening descriptor, or a negative errno. A socket of that name is replaced, stale or not:
 * who starts last is the one that is asked. -EEXIST when the file is no socket. mode is set before
 * anybody can connect; -ENAMETOOLONG for a path that is no address.
 */
int local_socket_listen(const char *path, mode_t mode);

/* The uid at the other end, (uid_t)-1 when it cannot be told. */
uid_t local_socket_peer_uid(int fd);

#endif
