/*
 * broker_client - the programs that speak on the domains' sockets: one connection each, one request,
 * and then a vchan for as long as the connection lasts.
 *
 * Trust:  the other end is the untrusted one of broker.h. Its request is decoded in
 *         broker_decode.c; who it is was settled by the socket that it came through.
 * Shape:  the structs stand here because broker.c adds and removes domains while broker_client.c
 *         fills them; nobody else includes this.
 */
#ifndef SHARED_VCHAN_BROKER_CLIENT_H
#define SHARED_VCHAN_BROKER_CLIENT_H

#include "shared/vchan/broker.h"
#include "shared/vchan/broker_region.h"

#include <glib.h>
#include <stdbool.h>

struct limits {
	unsigned unasked, listeners, connects, vchans;
};

struct broker {
	GHashTable *domains; /* owned; number -> struct domain */
	unsigned fds_used;
	unsigned fds_max; /* for everybody; only domain 0 may go beyond three quarters */
};

enum client_state {
	CLIENT_UNASKED,
	CLIENT_LISTENING,
	CLIENT_CONNECTING,
	CLIENT_LINKED,
	CLIENT_STATES,
};

struct domain {
	struct broker *broker; /* borrowed */
	uint32_t id;
	const struct limits *limits;
	char *socket_path;             /* owned */
	int listen_fd;                 /* owned */
	int epoll_fd;                  /* owned; holds listen_fd and the clients' descriptors */
	guint source_id;               /* of epoll_fd */
	bool accepting;                /* listen_fd is watched */
	bool warned;                   /* its misbehaviour is in the log */
	struct broker_region region;   /* members are -1 when there is none */
	uint32_t gui_domain;           /* who may read the region, besides domain 0; 0: nobody */
	GQueue clients[CLIENT_STATES]; /* struct client, owned, oldest first */
};

/* One program's connection to the broker. */
struct client {
	struct domain *domain; /* borrowed */
	GList node;            /* in the domain's queue of its state */
	enum client_state state;
	int fd; /* owned */
	uint32_t peer, port;
	struct link *link; /* LINKED: owned by both ends; NULL when the other has gone */
};

/* NULL when there is none. */
struct domain *broker_find(const struct broker *broker, uint32_t id);

/* Accepts new clients exactly while fewer than the limit have not asked yet. */
void domain_update_accepting(struct domain *domain);
/* Somebody waits at listen_fd. */
void domain_accept(struct domain *domain);

/* Its descriptor polls readable. client may be gone afterwards, and others of any domain too. */
void client_dispatch(struct client *client);
/* Ends what it waits for with an error. */
void client_refuse(struct client *client, int error);
/* Ends its vchan, if it has one, for both ends. */
void client_free(struct client *client);

#endif
