#include "shared/vchan/broker_socket.h"

#include "shared/unix_socket.h"
#include "shared/vchan/broker_decode.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BACKLOG 64
#define EVENTS_PER_TURN 16 /* of one domain; then it is the others' turn */

/* One program's connection to the broker. */
struct socket_client {
	struct client client; /* first: it is a client */
	int fd;               /* owned */
};

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

	if (domain->listen_fd < 0 || accepting == domain->accepting)
		return;
	if (!accepting)
		epoll_ctl(domain->epoll_fd, EPOLL_CTL_DEL, domain->listen_fd, NULL);
	else if (watch(domain, domain->listen_fd, NULL) < 0)
		return;
	domain->accepting = accepting;
}

/* --- a client -------------------------------------------------------------------------------- */

static int
fd_of(const struct client *client)
{
	return ((const struct socket_client *)client)->fd;
}

static bool
socket_client_has_left(const struct client *client)
{
	struct pollfd pollfd = {.fd = fd_of(client), .events = POLLIN};

	return poll(&pollfd, 1, 0) != 0;
}

/* Sends the one reply of a client. Its socket is empty: when this fails the client has gone. */
static void
reply(struct client *client, int status, int attached)
{
	struct broker_wire_reply wire = {.status = status};

	(void)unix_socket_send(fd_of(client), &wire, sizeof(wire), attached);
}

static void
socket_client_answer(struct client *client, int status, int fd)
{
	reply(client, status, fd);
	if (fd >= 0)
		close(fd);
}

static void
socket_client_free(struct client *client)
{
	if (client->channel != NULL)
		mux_leave(client->channel);
	close(fd_of(client));
	g_free(client);
}

static const struct client_calls socket_client_calls = {
    .has_left = socket_client_has_left,
    .answer = socket_client_answer,
    .free = socket_client_free,
};

/* --- requests -------------------------------------------------------------------------------- */

static int
on_open_vchan(struct client *client, const struct broker_request *request)
{
	return client->domain->open_vchan(client, request);
}

static void
give_and_free(struct client *client, int fd)
{
	reply(client, 0, fd);
	client_free(client);
}

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

/* The device of a virtual machine may come after its broker. */
static int
open_own_region(struct domain *domain)
{
	int r;

	if (domain->region_path == NULL)
		return -ENOENT;
	r = broker_region_open_own(&domain->region, domain->region_path);
	if (r < 0 && r != -ENOENT)
		domain_warn_once(domain, domain->region_path, r);
	return r;
}

static int
on_own_region(struct client *client, const struct broker_request *request)
{
	struct domain *domain = client->domain;
	int r;

	(void)request;
	if (domain->region.writable_fd < 0) {
		r = open_own_region(domain);
		if (r < 0)
			return r;
	}
	give_and_free(client, domain->region.writable_fd);
	return 0;
}

/* Return 0 when the client is provided for, or the error to answer with. */
typedef int (*request_handler)(struct client *client, const struct broker_request *request);

static const request_handler request_handlers[] = {
    [BROKER_LISTEN] = on_open_vchan,
    [BROKER_CONNECT] = on_open_vchan,
    [BROKER_REGION] = on_region,
    [BROKER_OWN_REGION] = on_own_region,
};

static int
receive_request(struct client *client, struct broker_request *ret)
{
	uint8_t message[sizeof(struct broker_wire_request)];
	ssize_t n;

	n = unix_socket_receive(fd_of(client), message, sizeof(message), NULL);
	if (n < 0)
		return (int)n;
	if (n == 0 || socket_client_has_left(client))
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
		domain_warn_once(client->domain, "request refused", r);
	if (r < 0)
		client_refuse(client, r);
}

/* Its descriptor polls readable. client may be gone afterwards, and others of any domain too. */
static void
dispatch(struct client *client)
{
	if (client->state == CLIENT_UNASKED)
		on_request(client);
	else
		client_free(client); /* it has left, or says what it may not say any more */
}

/* --- the socket ------------------------------------------------------------------------------ */

/*
 * Answers who may not even ask, and takes fd. What was asked already is read: a socket that is
 * closed with something unread takes the answer back.
 */
static void
refuse(int fd, int status)
{
	struct broker_wire_reply wire = {.status = status};
	uint8_t request[sizeof(struct broker_wire_request)];

	(void)unix_socket_send(fd, &wire, sizeof(wire), -1);
	shutdown(fd, SHUT_RDWR);
	while (unix_socket_receive(fd, request, sizeof(request), NULL) > 0)
		;
	close(fd);
}

/* Somebody waits at listen_fd. */
static void
accept_client(struct domain *domain)
{
	int fd = accept4(domain->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct socket_client *client;

	if (fd < 0)
		return;
	if (!domain_has_fd_left(domain)) {
		domain_warn_once(domain, "connection refused", -ENFILE);
		refuse(fd, -ENFILE);
		return;
	}
	client = g_new0(struct socket_client, 1);
	client->fd = fd;
	client_init(&client->client, domain, &socket_client_calls);
	if (watch(domain, fd, client) < 0)
		client_free(&client->client);
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
			accept_client(domain);
		else
			dispatch(event.data.ptr);
	}
	return G_SOURCE_CONTINUE;
}

int
domain_listen(struct domain *domain, mode_t mode)
{
	int r;

	domain->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (domain->epoll_fd < 0)
		return -errno;
	r = unix_socket_listen(domain->socket_path, SOCK_SEQPACKET, BACKLOG, mode);
	if (r < 0)
		return r;
	domain->listen_fd = r;
	unix_socket_refuse_descriptors(domain->listen_fd);
	domain_update_accepting(domain);
	domain->source_id = g_unix_fd_add(domain->epoll_fd, G_IO_IN, on_domain, domain);
	return 0;
}
