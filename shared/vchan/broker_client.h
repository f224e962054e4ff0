/*
 * broker_client - who asks a broker for one end of a vchan, and how two of them are paired.
 *
 * Trust:  a client is the untrusted one of broker.h. Its request was decoded before; who it is was
 *         settled by the socket or the port that it came through.
 * Shape:  a client is a program on its domain's socket (broker_socket.c), or a channel of a virtual
 *         machine's port (broker_machine.c). They differ in how they are answered and how they
 *         leave; what they may have and who meets whom is the same for both.
 *         The structs stand here because these files fill them; nobody else includes this.
 */
#ifndef SHARED_VCHAN_BROKER_CLIENT_H
#define SHARED_VCHAN_BROKER_CLIENT_H

#include "shared/vchan/broker.h"
#include "shared/vchan/broker_decode.h"
#include "shared/vchan/broker_region.h"
#include "shared/vchan/mux.h"

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

struct client;

struct domain {
	struct broker *broker; /* borrowed */
	uint32_t id;
	const struct limits *limits;
	char *socket_path;           /* owned; NULL: its programs come through a port */
	int listen_fd;               /* owned */
	int epoll_fd;                /* owned; holds listen_fd and the clients' descriptors */
	guint source_id;             /* of epoll_fd */
	bool accepting;              /* listen_fd is watched */
	bool warned;                 /* its misbehaviour is in the log */
	struct mux *mux;             /* owned: its port, or, in a guest, the way to the host */
	char *conf;                  /* owned; what a machine is told; NULL: it is none */
	struct broker_region region; /* members are -1 when there is none */
	char *region_path;   /* owned; in a guest: opened when it is asked for; NULL: none */
	uint32_t gui_domain; /* who may read the region, besides domain 0; 0: nobody */
	GQueue clients[CLIENT_STATES]; /* struct client, owned, oldest first */
	/* LISTEN or CONNECT: pairs the client or has it wait. 0, or the error to answer with. */
	int (*open_vchan)(struct client *client, const struct broker_request *request);
};

struct client_calls {
	/* Whether it has left without our having heard of it yet. */
	bool (*has_left)(const struct client *client);
	/*
	 * Answers it: 0 and its end of the vchan, taken over, or an error and -1. It may have left
	 * in this moment; after a 0 that cannot be said it may be freed.
	 */
	void (*answer)(struct client *client, int status, int fd);
	void (*free)(struct client *client);
};

struct client {
	const struct client_calls *calls; /* borrowed */
	struct domain *domain;            /* borrowed */
	GList node;                       /* in the domain's queue of its state */
	enum client_state state;
	uint32_t peer, port;
	struct link *link;           /* LINKED: owned by both ends; NULL when the other has gone */
	struct mux_channel *channel; /* borrowed; NULL: it has none */
};

/* NULL when there is none. */
struct domain *broker_find(const struct broker *broker, uint32_t id);

/* Whether the domain may make the broker hold one descriptor more. */
bool domain_has_fd_left(const struct domain *domain);
/* The first misbehaviour of a domain is worth a line; a flood of them is not worth a flood. */
void domain_warn_once(struct domain *domain, const char *what, int error);

/* A new client that has not asked yet; the object is its maker's, freed by calls->free. */
void client_init(struct client *client, struct domain *domain, const struct client_calls *calls);
/* Ends its vchan, if it has one, for both ends. */
void client_free(struct client *client);
/* Ends what it waits for with an error. */
void client_refuse(struct client *client, int error);
void client_enter(struct client *client, enum client_state state);

/*
 * Whether the domain may have one more client in that state; who left is dropped for it if need
 * be. 0 or -EMFILE.
 */
int domain_check_limits(struct domain *domain, enum client_state state);
/* The oldest client of domain that waits, in that state, for this peer and port; or NULL. */
struct client *domain_find_waiting(
    struct domain *domain, enum client_state state, uint32_t peer, uint32_t port);

/*
 * A client asks for its end of a vchan: it gets it now when the other end is waiting already, else
 * it waits. Returns 0, or the error that is the answer.
 */
int client_meet(struct client *client, const struct broker_request *request);

/* The state in which a client that asks for this waits. */
static inline enum client_state
client_state_for(const struct broker_request *request)
{
	return request->type == BROKER_LISTEN ? CLIENT_LISTENING : CLIENT_CONNECTING;
}

#endif
