/*
 * local_fd - a descriptor on our side of a call: read and written without blocking, watched by the
 * source of its owner exactly while there is something to wait for.
 *
 * A descriptor that somebody else has open as well (a terminal, the shell's pipe) must not be
 * switched to O_NONBLOCK: sockets are used with flags of the call, the rest is opened anew by
 * local_fd_own(), and where even that fails one small write or one read is done after each poll.
 */
#ifndef QREXEC_LOCAL_FD_H
#define QREXEC_LOCAL_FD_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

struct local_fd {
	int fd; /* owned; -1 when closed */
	bool is_socket, may_block;
	gpointer tag; /* in the owner's source; NULL when not watched */
	bool ready;   /* the last poll said so, and nothing since has said otherwise */
};

void local_fd_init(struct local_fd *local, int fd);
void local_fd_close(struct local_fd *local, GSource *source);

/* A hang-up shows even when nothing was asked for; so what is not wanted is not polled at all. */
void local_fd_watch(struct local_fd *local, GSource *source, bool wanted, GIOCondition condition);
/* In the source's check: takes the result of the poll. Returns ready. */
bool local_fd_check(struct local_fd *local, GSource *source);

/* 1..len; 0 at the end of the stream (read only); -EAGAIN; -errno. */
ssize_t local_fd_read(struct local_fd *local, void *buffer, size_t len);
ssize_t local_fd_write(struct local_fd *local, const void *bytes, size_t len);

/*
 * Takes over a descriptor that others share and returns one of our own for it. Numbers 0 to 2 stay
 * taken, by /dev/null, so that the stream ends when the result is closed.
 */
int local_fd_own(int fd);

#endif
