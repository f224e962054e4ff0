#include "shared/vchan/broker_client.h"

#include "shared/log.h"
#include "shared/unix_socket.h"
#include "shared/vchan/broker_decode.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

/* A vchan that was handed out. */
struct link {
	int fd; /* owned: a duplicate of the server's end, kept to shut it down */
	struct client *ends[2];
};

/* --- domains and clients --------------------------------------------------------------------- */

/* Whether the domain may make the broker hold one descriptor more. */
static bool
has_fd_left(const struct domain *domain)
{
	const struct broker *broker = domain->broker;

	return broker->fds_used < (domain->id == 0 ? broker->fds_max : broker->fds_max / 4 * 3);
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

void
domain_update_accepting(struct domain *domain)
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
	domain_update_accepting(domain);
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
	domain_update_accepting(domain);
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

void
client_free(struct client *client)
{
	struct domain *domain = client->domain;

	if (client->link != NULL)
		link_break(client->link, domain->broker);
	g_queue_unlink(&domain->clients[client->state], &client->node);
	close(client->fd);
	domain->broker->fds_used--;
	g_free(client);
	domain_update_accepting(domain);
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
give_and_free(struct client *client, int fd)
{
	reply(client, 0, fd);
	client_free(client);
}

void
client_refuse(struct client *client, int error)
{
	reply(client, error, -1);
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
	unix_socket_refuse_descriptors(fds[0]);
	unix_socket_refuse_descriptors(fds[1]);
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
	struct domain *peer_domain = broker_find(domain->broker, request->domain);
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
	const struct domain *domain = broker_find(client->domain->broker, request->domain);

	/* Who has no right to a region does not learn whether it is there. */
	if (!may_read_region(client->domain, domain))
		return -EACCES;
	if (domain == NULL || domain->region.read_only_fd < 0)
		return -ENOENT;
	give_and_free(client, domain->region.read_only_fd);
	return 0;
}

static int
on_own_region(struct client *client, const struct broker_request *request)
{
	(void)request;
	if (client->domain->region.writable_fd < 0)
		return -ENOENT;
	give_and_free(client, client->domain->region.writable_fd);
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
		client_refuse(client, r);
}

void
client_dispatch(struct client *client)
{
	if (client->state == CLIENT_UNASKED)
		on_request(client);
	else
		client_free(client); /* it has left, or says what it may not say any more */
}

void
domain_accept(struct domain *domain)
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
