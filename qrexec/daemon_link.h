/*
 * daemon_link - a client's connection to a qrexec-daemon of the trusted side.
 *
 * Shape: hello both ways, one message out, at most one answer (where the call takes place). The
 *        daemon closes the connection when the call is over.
 */
#ifndef QREXEC_DAEMON_LINK_H
#define QREXEC_DAEMON_LINK_H

#include "shared/qrexec_decode.h"

#include <stddef.h>

#define DAEMON_LINK_TIMEOUT_MS 10000 /* for hello and answer */

struct daemon_link;

/* All from the loop; the link may be freed in each. The first two may be NULL. */
struct daemon_link_events {
	/* The message is on its way: it arrives, even if the link is freed now, if it is small. */
	void (*sent)(struct daemon_link *link, void *data);
	void (*placed)(struct daemon_link *link, const struct qrexec_place *place, void *data);
	/* Once, last. Without placed() before it, the daemon did not take the message. */
	void (*ended)(struct daemon_link *link, int error, void *data);
};

/* name: a qube's name, its number, or "uuid:...". Returns 0 or a negative errno of connecting. */
int daemon_link_new(const char *socket_dir, const char *name,
    const struct daemon_link_events *events, void *data, struct daemon_link **ret);
void daemon_link_free(struct daemon_link *link); /* NULL is fine */

/* Right after daemon_link_new(): the message goes out once the hellos are done. With a port of 0
 * an answer is expected. */
void daemon_link_send(struct daemon_link *link, uint32_t type, uint32_t domain, uint32_t port,
    const void *tail, size_t tail_len);

#endif
