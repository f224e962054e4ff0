/*
 * libvirt_connection - the connections to one libvirt: one that is watched, and some for calls.
 *
 * Shape:  the watched one tells events, is asked whether it lives (keepalive), and says when it has
 *         gone; no call about a domain is made on it. A call takes another one, for itself, and gives
 *         it back for the next: there are as many as there ever were calls at once, six at most.
 *         Those have no keepalive: a call to a silent libvirtd waits until that goes on or ends, and
 *         the watched one tells the main loop long before, so that nobody waits with it.
 * Why:    two threads on one connection are not safe with a libvirt older than 10.4: CVE-2024-4418.
 *         One of them waits at the socket for both, and what it waits with lies on its stack. When
 *         the connection is given up meanwhile, by keepalive for one, the next thread wakes up with
 *         the stack of the first. The keepalive is such a second user; so who calls has none.
 * Order:  never on the main loop: all of it may block.
 */
#ifndef QUBESD_LIBVIRT_CONNECTION_H
#define QUBESD_LIBVIRT_CONNECTION_H

#include <libvirt/libvirt.h>

struct libvirt;

/*
 * One for the caller alone, to be given back, while events come. NULL with *ret_error when libvirtd
 * cannot be reached.
 */
virConnectPtr libvirt_connection_take(struct libvirt *libvirt, char **ret_error);
void libvirt_connection_give_back(struct libvirt *libvirt, virConnectPtr connection);

/* The end: closes all, those that are out when they come back. Nothing is told any more. */
void libvirt_connection_close_all(struct libvirt *libvirt);

#endif
