/*
 * broker_domain - how the kinds of domains come into being: broker.c knows the number, a socket
 * (broker_socket.h), the port of a virtual machine (broker_machine.h), or both (broker_guest.h)
 * are given to it.
 */
#ifndef SHARED_VCHAN_BROKER_DOMAIN_H
#define SHARED_VCHAN_BROKER_DOMAIN_H

#include "shared/vchan/broker_client.h"

/* The number of the only domain in a guest's broker: what the host calls it does not matter there. */
#define BROKER_OURSELVES UINT32_MAX

/* A broker without any domain, not even 0. Returns 0 or a negative errno. */
int broker_new_empty(struct broker **ret);

/* A domain that nobody can reach yet; socket_path may be NULL. */
struct domain *domain_new(struct broker *broker, uint32_t id, const char *socket_path);
/* Ends its clients and removes its socket. */
void domain_free(struct domain *domain);

#endif
