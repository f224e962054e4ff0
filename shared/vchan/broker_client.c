#include "shared/vchan/broker_client.h"

#include "shared/log.h"
#include "shared/unix_socket.h"
#include "shared/vchan/broker_domain.h"
#include "shared/vchan/broker_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* A vchan that was handed out. */
struct link {
	int fd; /* owned: a duplicate of the server's end, kept to shut it down */
	struct client *ends[2];
};

/* --- domains and clients --------------------------------------------------------------------- */

bool
domain_has_fd_left(const struct domain *domain)
{
	const struct broker *broker = domain->broker;

	return broker->fds_used < (domain->id == 0 ? broker->fds_max : broker->fds_max / 4 * 3);
}

void
domain_warn_once(struct domain *domain, const char *what, int error)
{
	if (domain->warned)
		return;
	domain->warned = true;
	if (domain->id == BROKER_OURSELVES) {
		log_warn("%s: %s (said once)", what, g_strerror(-error));
		return;
	}
	log_warn("domain %u: %s: %s (said once)", domain->id, what, g_strerror(-error));
}

void
client_enter(struct client *client, enum client_state state)
{
	struct domain *domain = client->domain;

	g_queue_unlink(&domain->clients[client->state], &client->node);
	client->state = state;
	g_queue_push_tail_link(&domain->clients[state], &client->node);
	domain_update_accepting(domain);
}

void
client_init(struct client *client, struct domain *domain, const struct client_calls *calls)
{
	client->calls = calls;
	client->domain = domain;
	client->node.data = client;
	client->state = CLIENT_UNASKED;
	domain->broker->fds_used++;
	g_queue_push_tail_link(&domain->clients[CLIENT_UNASKED], &client->node);
	domain_update_accepting(domain);
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
	domain->broker->fds_used--;
	client->calls->free(client);
	domain_update_accepting(domain);
}

void
client_refuse(struct client *client, int error)
{
	client->calls->answer(client, error, -1);
	client_free(client);
}

/* --- limits ---------------------------------------------------------------------------------- */

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
		struct client *client = node->data;

		next = node->next;
		if (client->calls->has_left(client))
			client_free(client);
	}
}

int
domain_check_limits(struct domain *domain, enum client_state state)
{
	if (has_room(domain, state))
		return 0;
	for (unsigned any = CLIENT_LISTENING; any <= CLIENT_LINKED; any++)
		drop_who_left(domain, any);
	return has_room(domain, state) ? 0 : -EMFILE;
}

/* --- pairing --------------------------------------------------------------------------------- */

struct client *
domain_find_waiting(struct domain *domain, enum client_state state, uint32_t peer, uint32_t port)
{
	GList *next;

	for (GList *node = domain->clients[state].head; node != NULL; node = next) {
		struct client *client = node->data;

		next = node->next;
		if (client->peer != peer || client->port != port)
			continue;
		if (!client->calls->has_left(client))
			return client;
		client_free(client);
	}
	return NULL;
}

/* Three descriptors: an end for each, and a duplicate of the first. Returns 0 or a negative errno. */
static int
make_pair(int ret[3])
{
	int fds[3];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	fds[2] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
	if (fds[2] < 0) {
		int r = -errno;

		close(fds[0]);
		close(fds[1]);
		return r;
	}
	unix_socket_refuse_descriptors(fds[0]);
	unix_socket_refuse_descriptors(fds[1]);
	memcpy(ret, fds, sizeof(fds));
	return 0;
}

/* Hands both ends their descriptor. Either may have left in this moment; its peer will see it. */
static int
link_clients(struct client *server, struct client *client)
{
	struct link *link;
	int fds[3] = {-1, -1, -1}, r;

	if (!domain_has_fd_left(client->domain) && !domain_has_fd_left(server->domain))
		return -ENFILE;
	r = make_pair(fds);
	if (r < 0)
		return r;
	link = g_new0(struct link, 1);
	link->fd = fds[2];
	link->ends[0] = server;
	link->ends[1] = client;
	server->link = client->link = link;
	server->domain->broker->fds_used++;
	client_enter(server, CLIENT_LINKED);
	client_enter(client, CLIENT_LINKED);
	server->calls->answer(server, 0, fds[0]);
	client->calls->answer(client, 0, fds[1]);
	return 0;
}

int
client_meet(struct client *client, const struct broker_request *request)
{
	struct domain *domain = client->domain;
	struct domain *peer_domain = broker_find(domain->broker, request->domain);
	enum client_state state = client_state_for(request);
	bool listens = state == CLIENT_LISTENING;
	struct client *peer;
	int r;

	if (request->domain == domain->id)
		return -EINVAL;
	if (peer_domain == NULL)
		return -ENOENT;
	if (listens && domain_find_waiting(domain, state, request->domain, request->port) != NULL)
		return -EADDRINUSE;
	r = domain_check_limits(domain, state);
	if (r < 0)
		return r;

	client->peer = request->domain;
	client->port = request->port;
	peer = domain_find_waiting(
	    peer_domain, listens ? CLIENT_CONNECTING : CLIENT_LISTENING, domain->id, request->port);
	if (peer == NULL) {
		client_enter(client, state);
		return 0;
	}
	return listens ? link_clients(client, peer) : link_clients(peer, client);
}
