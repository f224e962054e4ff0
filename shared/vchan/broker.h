/*
 * broker - the domains of vchan-broker, what they ask for and what connects them.
 *
 * Talks to: the programs of each domain, over the one socket that this domain has, or, when it is a
 *           virtual machine, over its port. Whoever speaks there is that domain; nothing in a
 *           message can say otherwise. Domain 0 is the trusted side.
 * They choose: when and how often to connect, what to send, whether to read, when to leave.
 *
 * Promises: a vchan has the two ends that named each other. A region goes to its own domain
 *           writable and to domain 0 and its GUI domain read-only. Nothing a domain does blocks
 *           this program, makes it grow beyond the limits below, or keeps another domain waiting
 *           for more than a bounded batch.
 *
 * Shape:    a program on a socket that has a vchan keeps its connection to the broker as long. When that ends,
 *           or its domain is removed, the broker shuts the pair of sockets down: it holds a
 *           duplicate. A virtual machine's end of the pair is held here and served by its mux.
 *
 * Source:   docs/vchan.md, "The broker".
 */
#ifndef SHARED_VCHAN_BROKER_H
#define SHARED_VCHAN_BROKER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Limits of one domain; beyond them a request is answered -EMFILE. */
#define BROKER_MAX_LISTENERS 128 /* LISTEN without its client yet */
#define BROKER_MAX_CONNECTS 128  /* CONNECT without its server yet */
#define BROKER_MAX_VCHANS 256    /* both of these and the connected ends */
/* Connections that have not asked yet; beyond it no more are accepted for a while. */
#define BROKER_MAX_UNASKED 32
/* Domain 0 serves all the others: its limits are these times as high. */
#define BROKER_TRUSTED_FACTOR 64

struct broker;

/*
 * Makes domain 0 with its socket; group is who else may speak as domain 0, or (gid_t)-1. Runs on
 * the default main context. Returns 0 or a negative errno, as unix_socket_listen().
 */
int broker_new(const char *trusted_socket_path, gid_t group, struct broker **ret);
/* Ends every connection and removes every socket. NULL is fine. */
void broker_free(struct broker *broker);

/* The calls of broker_control.h, with the same errors. */
int broker_add(struct broker *broker, uint32_t domain, const char *socket_path, uid_t uid,
    gid_t gid, uint64_t region_bytes);
int broker_add_machine(struct broker *broker, uint32_t domain, const char *port_path,
    const char *region_path, const char *conf);
int broker_remove(struct broker *broker, uint32_t domain);
int broker_set_gui_domain(struct broker *broker, uint32_t domain, uint32_t gui_domain);
/* Fills ret, which has room for BROKER_MAX_DOMAINS, ascending; returns how many. */
size_t broker_list(const struct broker *broker, uint32_t *ret);

#endif
