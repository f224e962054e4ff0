/*
 * admin_server - the three sockets of the daemon, and one connection per request.
 *
 * Shape:  a connection is read to its end of file, answered and closed. One that has not sent its
 *         whole request within ADMIN_SERVER_REQUEST_S is dropped, and so is the oldest such one
 *         when more than ADMIN_SERVER_READING_MAX are there. Admitted requests are not.
 *         Beyond ADMIN_SERVER_CONNECTIONS_MAX, streams included, callers wait to be let in.
 * Access: the sockets have mode 0660; whoever can open one speaks for dom0 and its qrexec.
 * Queues: a request takes 64 KiB; a reader of events for whom more than ADMIN_SERVER_QUEUE_MAX
 *         bytes wait is disconnected, and neither he nor anybody else delays the daemon. On the
 *         internal socket the limit is ADMIN_SERVER_INTERNAL_QUEUE_MAX: its streams begin with
 *         everything at once, and no qube reaches it.
 */
#ifndef QUBESD_ADMIN_SERVER_H
#define QUBESD_ADMIN_SERVER_H

#include "qubesd/admin.h"

#define ADMIN_SERVER_REQUEST_S 30
#define ADMIN_SERVER_READING_MAX 256
#define ADMIN_SERVER_CONNECTIONS_MAX 4096
#define ADMIN_SERVER_QUEUE_MAX (4u << 20)            /* bytes, of a stream */
#define ADMIN_SERVER_INTERNAL_QUEUE_MAX (512u << 20) /* 9999 qubes with 256 tags each */

struct admin_server;

/*
 * Listens on the three sockets of shared/paths.h. A socket file that nobody listens on is replaced.
 * Returns 0, or a negative errno with a sentence in *ret_message: -EADDRINUSE when another daemon
 * is alive.
 */
int admin_server_new(struct admin *admin, struct admin_server **ret, char **ret_message);
/* No new connections; those that have not sent their request are dropped, streams end. */
void admin_server_stop(struct admin_server *server);
/* How many requests have been admitted and not yet answered, streams not counted. */
unsigned admin_server_busy(const struct admin_server *server);
void admin_server_free(struct admin_server *server);

#endif
