/*
 * broker_socket - the programs that speak on a domain's socket: one connection each, one request,
 * and then a vchan for as long as the connection lasts.
 *
 * Trust:  the other end is the untrusted one of broker.h. Its request is decoded in
 *         broker_decode.c; who it is was settled by the socket that it came through.
 */
#ifndef SHARED_VCHAN_BROKER_SOCKET_H
#define SHARED_VCHAN_BROKER_SOCKET_H

#include "shared/vchan/broker_client.h"

#include <sys/stat.h>

/* Listens at the path of the domain. Returns 0 or a negative errno; closing is domain_free()'s. */
int domain_listen(struct domain *domain, mode_t mode);
/* Accepts new clients exactly while fewer than the limit have not asked yet. */
void domain_update_accepting(struct domain *domain);

#endif
