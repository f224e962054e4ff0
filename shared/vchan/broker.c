#include "shared/vchan/broker.h"

#include "shared/log.h"
#include "shared/vchan/broker_decode.h"
#include "shared/vchan/broker_region.h"
#include "shared/vchan/broker_wire.h"
#include "shared/vchan/unix_socket.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 64
#define EVENTS_PER_TURN 16 /* of one domain; then it is the others' turn */

/* Descriptors: what a domain costs by itself, and what is left for the rest of the program. */
#define FDS_PER_DOMAIN 4u
#define FDS_SPARE 64u

struct limits {
	unsigned unasked, listeners, connects, vchans;
};

static const struct limits domain_limits = {
    .unasked = BROKER_MAX_UNASKED,
    .listeners = BROKER_MAX_LISTENERS,
    .connects = BROKER_MAX_CONNECTS,
    .vchans = BROKER_MAX_VCHANS,
};
static const struct limits trusted_limits = {
    .unasked = BROKER_MAX_UNASKED * BROKER_TRUSTED_FACTOR,
    .listeners = BROKER_MAX_LISTENERS * BROKER_TRUSTED_FACTOR,
    .connects = BROKER_MAX_CONNECTS * BROKER_TRUSTED_FACTOR,
    .vchans = BROKER_MAX_VCHANS * BROKER_TRUSTED_FACTOR,
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
	struct link
	    *link; /* LINKED: owned by both ends together; NULL when the other end has gone */
};

/* A vchan that was handed out. */
struct link {
	int fd; /* owned: a duplicate of the server's end, kept to shut it down */
	struct client *ends[2];
};

/* --- descriptors ----------------------------------------------------------------------------- */

static unsigned
choose_fds_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < 2 * FDS_SPARE)
		return 0;
	return (unsigned)MIN(limit.rlim_cur, 1u << 20) - FDS_SPARE;
}

/* Whether the domain may make the broker hold one descriptor more. */
static bool
has_fd_left(const struct domain *domain)
{
	const struct broker *broker = domain->broker;

	return broker->fds_used < (domain->id == 0 ? broker->fds_max : broker->fds_max / 4 * 3);
}

/* --- domains and clients --------------------------------------------------------------------- */

static struct domain *
find_domain(const struct broker *broker, uint32_t id)
{
	return g_hash_table_lookup(broker->domains, GUINT_TO_POINTER(id));
}

/* The first misbehaviour of a domain is worth a line; a flood of them is not worth a flood. */
static void
warn_once(struct domain *domain, const char *what, int error)
{
	if (domain->warned)
		return;
	domain->warned = true;
	log_warn("domain %u: %s: %s (said once)", domain->id, what, g_strerror(-error));
}

static int
watch(struct domain *domain, int fd, void *client)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

	return epoll_ctl(domain->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Accepts new clients exactly while fewer than the limit have not asked yet. */
static void
update_accepting(struct domain *domain)
{
	bool accepting =
	    g_queue_get_length(&domain->clients[CLIENT_UNASKED]) < domain->limits->unasked;

	if (accepting == domain->accepting)
		return;
	if (!accepting)
		epoll_ctl(domain->epoll_fd, EPOLL_CTL_DEL, domain->listen_fd, NULL);
	else if (watch(domain, domain->listen_fd, NULL) < 0)
		return;
	domain->accepting = accepting;
}

static void
client_enter(struct client *client, enum client_state state)
{
	struct domain *domain = client->domain;

	g_queue_unlink(&domain->clients[client->state], &client->node);
	client->state = state;
	g_queue_push_tail_link(&domain->clients[state], &client->node);
	update_accepting(domain);
}

static struct client *
client_new(struct domain *domain, int fd)
{
	struct client *client = g_new0(struct client, 1);

	client->domain = domain;
	client->node.data = client;
	client->state = CLIENT_UNASKED;
	client->fd = fd;
	domain->broker->fds_used++;
	g_queue_push_tail_link(&domain->clients[CLIENT_UNASKED], &client->node);
	update_accepting(domain);
	return client;
}

/* Ends the vchan for both. What was sent before can still be read. */
static void
link_break(struct link *link, struct broker *broker)
{
	shutdown(link->fd, SHUT_RDWR);
	close(link->fd);
	broker->fds_used--;
	link->ends[0]->link = link->ends[1]->link = NULL;
	g_free(link);
}

static void
client_free(struct client *client)
{
	struct domain *domain = client->domain;

	if (client->link != NULL)
		link_break(client->link, domain->broker);
	g_queue_unlink(&domain->clients[client->state], &client->node);
	close(client->fd);
	domain->broker->fds_used--;
	g_free(client);
	update_accepting(domain);
}

/* Whether the program has left without our having heard of it yet. */
static bool
has_left(const struct client *client)
{
	struct pollfd pollfd = {.fd = client->fd, .events = POLLIN};

	return poll(&pollfd, 1, 0) != 0;
}

/* Sends the one reply of a client. Its socket is empty: when this fails the client has gone. */
static int
reply(struct client *client, int status, int attached)
{
	struct broker_wire_reply wire = {.status = status};

	return unix_socket_send(client->fd, &wire, sizeof(wire), attached);
}

static void
reply_and_free(struct client *client, int status, int attached)
{
	reply(client, status, attached);
	client_free(client);
}

/* --- vchans ---------------------------------------------------------------------------------- */

/* The oldest client of domain that waits, in that state, for this peer and port. */
static struct client *
find_waiting(struct domain *domain, enum client_state state, uint32_t peer, uint32_t port)
{
	GList *next;

	for (GList *node = domain->clients[state].head; node != NULL; node = next) {
		struct client *client = node->data;

		next = node->next;
		if (client->peer != peer || client->port != port)
			continue;
		if (!has_left(client))
			return client;
		client_free(client);
	}
	return NULL;
}

/* Hands both ends their descriptor. Either may have left in this moment; its peer will see it. */
static int
link_clients(struct client *server, struct client *client)
{
	struct link *link;
	int fds[2];

	if (!has_fd_left(client->domain) && !has_fd_left(server->domain))
		return -ENFILE;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	reply(server, 0, fds[0]);
	reply(client, 0, fds[1]);
	close(fds[1]);

	link = g_new0(struct link, 1);
	link->fd = fds[0];
	link->ends[0] = server;
	link->ends[1] = client;
	server->link = client->link = link;
	server->domain->broker->fds_used++;
	client_enter(server, CLIENT_LINKED);
	client_enter(client, CLIENT_LINKED);
	return 0;
}

static unsigned
count_vchans(const struct domain *domain)
{
	return g_queue_get_length((GQueue *)&domain->clients[CLIENT_LISTENING]) +
	       g_queue_get_length((GQueue *)&domain->clients[CLIENT_CONNECTING]) +
	       g_queue_get_length((GQueue *)&domain->clients[CLIENT_LINKED]);
}

static bool
has_room(const struct domain *domain, enum client_state state)
{
	unsigned max =
	    state == CLIENT_LISTENING ? domain->limits->listeners : domain->limits->connects;

	return g_queue_get_length((GQueue *)&domain->clients[state]) < max &&
	       count_vchans(domain) < domain->limits->vchans;
}

static void
drop_who_left(struct domain *domain, enum client_state state)
{
	GList *next;

	for (GList *node = domain->clients[state].head; node != NULL; node = next) {
		next = node->next;
		if (has_left(node->data))
			client_free(node->data);
	}
}

/* Whether the domain may have one more client in that state. */
static int
check_limits(struct domain *domain, enum client_state state)
{
	if (has_room(domain, state))
		return 0;
	for (unsigned any = CLIENT_LISTENING; any <= CLIENT_LINKED; any++)
		drop_who_left(domain, any);
	return has_room(domain, state) ? 0 : -EMFILE;
}

/*
 * A client asks for its end of a vchan: it gets it now when the other end is waiting already, else
 * it waits. Returns 0, or the error that is the reply.
 */
static int
open_vchan(struct client *client, const struct broker_request *request, enum client_state state,
    enum client_state counterpart)
{
	struct domain *domain = client->domain;
	struct domain *peer_domain = find_domain(domain->broker, request->domain);
	struct client *peer;
	int r;

	if (request->domain == domain->id)
		return -EINVAL;
	if (peer_domain == NULL)
		return -ENOENT;
	if (state == CLIENT_LISTENING &&
	    find_waiting(domain, state, request->domain, request->port) != NULL)
		return -EADDRINUSE;
	r = check_limits(domain, state);
	if (r < 0)
		return r;

	client->peer = request->domain;
	client->port = request->port;
	peer = find_waiting(peer_domain, counterpart, domain->id, request->port);
	if (peer == NULL) {
		client_enter(client, state);
		return 0;
	}
	return state == CLIENT_LISTENING ? link_clients(client, peer) : link_clients(peer, client);
}

static int
on_listen(struct client *client, const struct broker_request *request)
{
	return open_vchan(client, request, CLIENT_LISTENING, CLIENT_CONNECTING);
}

static int
on_connect(struct client *client, const struct broker_request *request)
{
	return open_vchan(client, request, CLIENT_CONNECTING, CLIENT_LISTENING);
}

/* --- regions --------------------------------------------------------------------------------- */

static bool
may_read_region(const struct domain *reader, const struct domain *domain)
{
	return reader->id == 0 || reader == domain ||
	       (domain != NULL && domain->gui_domain == reader->id);
}

static int
on_region(struct client *client, const struct broker_request *request)
{
	const struct domain *domain = find_domain(client->domain->broker, request->domain);

	/* Who has no right to a region does not learn whether it is there. */
	if (!may_read_region(client->domain, domain))
		return -EACCES;
	if (domain == NULL || domain->region.read_only_fd < 0)
		return -ENOENT;
	reply_and_free(client, 0, domain->region.read_only_fd);
	return 0;
}

static int
on_own_region(struct client *client, const struct broker_request *request)
{
	(void)request;
	if (client->domain->region.writable_fd < 0)
		return -ENOENT;
	reply_and_free(client, 0, client->domain->region.writable_fd);
	return 0;
}

/* --- what clients send ----------------------------------------------------------------------- */

/* Return 0 when the client is provided for, or the error to answer with. */
typedef int (*request_handler)(struct client *client, const struct broker_request *request);

static const request_handler request_handlers[] = {
    [BROKER_LISTEN] = on_listen,
    [BROKER_CONNECT] = on_connect,
    [BROKER_REGION] = on_region,
    [BROKER_OWN_REGION] = on_own_region,
};

static int
receive_request(struct client *client, struct broker_request *ret)
{
	uint8_t message[sizeof(struct broker_wire_request)];
	ssize_t n;

	n = unix_socket_receive(client->fd, message, sizeof(message), NULL);
	if (n < 0)
		return (int)n;
	if (n == 0 || has_left(client))
		return -ECONNRESET;
	return broker_decode_request(untrusted_bytes_of(message, (size_t)n), ret);
}

static void
on_request(struct client *client)
{
	struct broker_request request;
	int r;

	r = receive_request(client, &request);
	if (r == -EAGAIN)
		return;
	if (r == 0)
		r = request_handlers[request.type](client, &request);
	if (r == -EPROTO || r == -EMFILE)
		warn_once(client->domain, "request refused", r);
	if (r < 0)
		reply_and_free(client, r, -1);
}

static void
on_client(struct client *client)
{
	if (client->state == CLIENT_UNASKED)
		on_request(client);
	else
		client_free(client); /* it has left, or says what it may not say any more */
}

static void
on_new_client(struct domain *domain)
{
	int fd = accept4(domain->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *client;

	if (fd < 0)
		return;
	if (!has_fd_left(domain)) {
		warn_once(domain, "connection refused", -ENFILE);
		close(fd);
		return;
	}
	client = client_new(domain, fd);
	if (watch(domain, fd, client) < 0)
		client_free(client);
}

/* One event at a time: what it leads to may free the client of another. */
static gboolean
on_domain(gint fd, GIOCondition condition, gpointer data)
{
	struct domain *domain = data;
	struct epoll_event event;

	(void)condition;
	for (unsigned i = 0; i < EVENTS_PER_TURN && epoll_wait(fd, &event, 1, 0) == 1; i++) {
		if (event.data.ptr == NULL)
			on_new_client(domain);
		else
			on_client(event.data.ptr);
	}
	return G_SOURCE_CONTINUE;
}

/* --- adding and removing --------------------------------------------------------------------- */

static void
domain_free(struct domain *domain)
{
	for (unsigned state = 0; state < CLIENT_STATES; state++) {
		while (domain->clients[state].head != NULL)
			client_free(domain->clients[state].head->data);
	}
	if (domain->source_id != 0)
		g_source_remove(domain->source_id);
	if (domain->epoll_fd >= 0)
		close(domain->epoll_fd);
	if (domain->listen_fd >= 0) {
		unlink(domain->socket_path);
		close(domain->listen_fd);
	}
	broker_region_fini(&domain->region);
	domain->broker->fds_used -= FDS_PER_DOMAIN;
	g_free(domain->socket_path);
	g_free(domain);
}

static int
domain_open(struct domain *domain, uint64_t region_bytes)
{
	int r;

	r = region_bytes != 0 ? broker_region_init(&domain->region, region_bytes) : 0;
	if (r < 0)
		return r;
	domain->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (domain->epoll_fd < 0)
		return -errno;
	r = unix_socket_listen(domain->socket_path, SOCK_SEQPACKET, BACKLOG);
	if (r < 0)
		return r;
	domain->listen_fd = r;
	update_accepting(domain);
	domain->source_id = g_unix_fd_add(domain->epoll_fd, G_IO_IN, on_domain, domain);
	return 0;
}

static int
domain_new(struct broker *broker, uint32_t id, const char *socket_path, uint64_t region_bytes,
    struct domain **ret)
{
	struct domain *domain = g_new0(struct domain, 1);
	int r;

	domain->broker = broker;
	domain->id = id;
	domain->limits = id == 0 ? &trusted_limits : &domain_limits;
	domain->socket_path = g_strdup(socket_path);
	domain->listen_fd = domain->epoll_fd = -1;
	domain->region.writable_fd = domain->region.read_only_fd = -1;
	broker->fds_used += FDS_PER_DOMAIN;
	r = domain_open(domain, region_bytes);
	if (r < 0) {
		domain_free(domain);
		return r;
	}
	*ret = domain;
	return 0;
}

/* Who is no superuser can give the socket to nobody else, and then all domains are one user. */
static int
give_socket(const char *path, uid_t uid, gid_t gid)
{
	if (lchown(path, uid, gid) < 0 && (errno != EPERM || geteuid() == 0))
		return -errno;
	return 0;
}

int
broker_add(struct broker *broker, uint32_t id, const char *socket_path, uid_t uid, gid_t gid,
    uint64_t region_bytes)
{
	struct domain *domain;
	int r;

	if (id == 0)
		return -EINVAL;
	if (find_domain(broker, id) != NULL)
		return -EEXIST;
	if (g_hash_table_size(broker->domains) > BROKER_MAX_DOMAINS)
		return -ENOSPC;
	if (broker->fds_used + FDS_PER_DOMAIN > broker->fds_max)
		return -ENFILE;
	r = domain_new(broker, id, socket_path, region_bytes, &domain);
	if (r < 0)
		return r;
	r = give_socket(socket_path, uid, gid);
	if (r < 0) {
		domain_free(domain);
		return r;
	}
	g_hash_table_insert(broker->domains, GUINT_TO_POINTER(id), domain);
	return 0;
}

/* Ends what one domain waits for, or may do, with another that is no more. */
static void
forget_peer(struct domain *domain, uint32_t peer)
{
	if (domain->gui_domain == peer)
		domain->gui_domain = 0;
	for (unsigned state = CLIENT_LISTENING; state <= CLIENT_CONNECTING; state++) {
		GList *next;

		for (GList *node = domain->clients[state].head; node != NULL; node = next) {
			struct client *client = node->data;

			next = node->next;
			if (client->peer == peer)
				reply_and_free(client, -ENOENT, -1);
		}
	}
}

int
broker_remove(struct broker *broker, uint32_t id)
{
	struct domain *domain = find_domain(broker, id);
	GHashTableIter iter;
	gpointer other;

	if (id == 0)
		return -EINVAL;
	if (domain == NULL)
		return -ENOENT;
	g_hash_table_remove(broker->domains, GUINT_TO_POINTER(id));
	domain_free(domain);
	g_hash_table_iter_init(&iter, broker->domains);
	while (g_hash_table_iter_next(&iter, NULL, &other))
		forget_peer(other, id);
	return 0;
}

int
broker_set_gui_domain(struct broker *broker, uint32_t id, uint32_t gui_domain)
{
	struct domain *domain = find_domain(broker, id);

	if (id == 0 || id == gui_domain)
		return -EINVAL;
	if (domain == NULL || find_domain(broker, gui_domain) == NULL)
		return -ENOENT;
	domain->gui_domain = gui_domain;
	return 0;
}

static int
compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

size_t
broker_list(const struct broker *broker, uint32_t *ret)
{
	GHashTableIter iter;
	gpointer key;
	size_t count = 0;

	g_hash_table_iter_init(&iter, broker->domains);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		if (key != GUINT_TO_POINTER(0))
			ret[count++] = GPOINTER_TO_UINT(key);
	}
	qsort(ret, count, sizeof(*ret), compare_ids);
	return count;
}

static int
share_socket(const char *path, gid_t group)
{
	if (group == (gid_t)-1)
		return 0;
	if (lchown(path, (uid_t)-1, group) < 0 || chmod(path, 0660) < 0)
		return -errno;
	return 0;
}

int
broker_new(const char *trusted_socket_path, gid_t group, struct broker **ret)
{
	struct broker *broker = g_new0(struct broker, 1);
	struct domain *trusted;
	int r;

	broker->domains = g_hash_table_new(NULL, NULL);
	broker->fds_max = choose_fds_max();
	r = broker->fds_max == 0 ? -EMFILE
				 : domain_new(broker, 0, trusted_socket_path, 0, &trusted);
	if (r == 0) {
		g_hash_table_insert(broker->domains, GUINT_TO_POINTER(0), trusted);
		r = share_socket(trusted_socket_path, group);
	}
	if (r < 0) {
		broker_free(broker);
		return r;
	}
	*ret = broker;
	return 0;
}

void
broker_free(struct broker *broker)
{
	GHashTableIter iter;
	gpointer domain;

	g_hash_table_iter_init(&iter, broker->domains);
	while (g_hash_table_iter_next(&iter, NULL, &domain)) {
		g_hash_table_iter_remove(&iter);
		domain_free(domain);
	}
	g_hash_table_destroy(broker->domains);
	g_free(broker);
}
