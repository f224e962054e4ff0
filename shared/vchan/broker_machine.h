/*
 * broker_machine - a domain that is a virtual machine: its requests come as channels of its port.
 *
 * Trust:  mux.h: the guest may send anything. A channel that it opens is a client like those on the
 *         socket of a sandbox, with the same limits, paired by the same code.
 */
#ifndef SHARED_VCHAN_BROKER_MACHINE_H
#define SHARED_VCHAN_BROKER_MACHINE_H

#include "shared/vchan/broker_client.h"

/*
 * QEMU listens at port_path, or will. conf, at most BROKER_CONF_MAX bytes, is what the guest is told
 * in each session; the time and a seed of random numbers come with it (shared/guest_conf.h).
 * Returns 0 or a negative errno.
 */
int domain_add_port(struct domain *domain, const char *port_path, const char *conf);

#endif
