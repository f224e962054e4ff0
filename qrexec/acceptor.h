/*
 * acceptor - a listening socket in the file system, on the main loop.
 *
 * When descriptors run out it waits a moment instead of spinning; callers wait in the backlog.
 */
#ifndef QREXEC_ACCEPTOR_H
#define QREXEC_ACCEPTOR_H

#include <stdbool.h>
#include <sys/types.h>

struct acceptor;

/* fd is non-blocking, close-on-exec and the callee's. */
typedef void (*acceptor_func)(int fd, void *data);

/* As local_socket_listen(); returns 0 or a negative errno. */
int acceptor_new(
    const char *path, mode_t mode, acceptor_func on_connection, void *data, struct acceptor **ret);
/* Also removes the socket from the file system, if it is still ours. NULL is fine. */
void acceptor_free(struct acceptor *acceptor);

void acceptor_pause(struct acceptor *acceptor, bool pause);

#endif
