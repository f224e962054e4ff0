/*
 * broker_guest - the broker inside a virtual machine: what its programs ask for is asked of the
 * host's broker, over the machine's port.
 *
 * Talks to: the programs of this qube on its socket, all of them alike; the host, whom the qube has
 *           to trust anyway.
 * Shape:    one domain, which is the qube itself; whoever it asks for is on the other side of the
 *           port. A request waits while there is no session, and is asked anew in the next one when
 *           a session ends before it was answered: a server that waits for its client outlives a
 *           restart of the host's broker and a saved state. A vchan ends with its session.
 * Source:   docs/vchan.md, "The port of a virtual machine".
 */
#ifndef SHARED_VCHAN_BROKER_GUEST_H
#define SHARED_VCHAN_BROKER_GUEST_H

#include "shared/vchan/broker.h"

struct broker_guest;

struct broker_guest_options {
	const char *socket_path; /* for the programs of this qube */
	gid_t group;             /* who may use it besides our user; (gid_t)-1: everybody */
	const char *port_path;
	const char
	    *region_path;      /* what OWN_REGION is answered with; may come later; NULL: nothing */
	const char *conf_path; /* written anew by each session */
	int ready_fd;          /* gets a line each time that was done; owned; -1: none */
};

/* Runs on the default main context. Returns 0 or a negative errno. */
int broker_guest_new(const struct broker_guest_options *options, struct broker_guest **ret);
void broker_guest_free(struct broker_guest *guest);

#endif
