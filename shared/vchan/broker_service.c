#include "shared/vchan/broker_service.h"

#include "shared/log.h"
#include "shared/unix_socket.h"
#include "shared/vchan/broker_decode.h"

#include <errno.h>
#include <glib-unix.h>
#include <stdbool.h>
#include <unistd.h>

#define BACKLOG 16

struct broker_service {
	struct broker *broker; /* borrowed */
	char *path;            /* owned */
	int listen_fd;         /* owned */
	guint source_id;
	GQueue clients; /* struct service_client, owned */
};

struct service_client {
	struct broker_service *service; /* borrowed */
	int fd;                         /* owned */
	guint source_id;
};

struct answer {
	struct broker_wire_control_reply fixed;
	uint32_t domains[BROKER_MAX_DOMAINS];
};

static int
on_add(struct broker *broker, const struct broker_control_request *request, struct answer *answer)
{
	(void)answer;
	return broker_add(broker, request->domain, request->path, request->uid, request->gid,
	    request->region_bytes);
}

static int
on_remove(
    struct broker *broker, const struct broker_control_request *request, struct answer *answer)
{
	(void)answer;
	return broker_remove(broker, request->domain);
}

static int
on_set_gui_domain(
    struct broker *broker, const struct broker_control_request *request, struct answer *answer)
{
	(void)answer;
	return broker_set_gui_domain(broker, request->domain, request->gui_domain);
}

static int
on_list(struct broker *broker, const struct broker_control_request *request, struct answer *answer)
{
	(void)request;
	answer->fixed.count = (uint32_t)broker_list(broker, answer->domains);
	return 0;
}

static int
on_add_machine(
    struct broker *broker, const struct broker_control_request *request, struct answer *answer)
{
	(void)answer;
	return broker_add_machine(
	    broker, request->domain, request->path, request->region_path, request->conf);
}

/* clang-format off */
static const struct {
	const char *name;
	int (*handler)(struct broker *broker, const struct broker_control_request *request,
	    struct answer *answer);
} methods[] = {
	[BROKER_CONTROL_ADD]            = { "add",            on_add },
	[BROKER_CONTROL_REMOVE]         = { "remove",         on_remove },
	[BROKER_CONTROL_SET_GUI_DOMAIN] = { "set GUI domain", on_set_gui_domain },
	[BROKER_CONTROL_LIST]           = { "list",           on_list },
	[BROKER_CONTROL_ADD_MACHINE]    = { "add machine",    on_add_machine },
};
/* clang-format on */

/* Receives, acts and answers. False when the client is to be dropped. */
static bool
serve(struct service_client *client)
{
	uint8_t message[BROKER_CONTROL_MAX_BYTES];
	struct broker_control_request request;
	struct answer answer = {0};
	ssize_t n;
	int r;

	n = unix_socket_receive(client->fd, message, sizeof(message), NULL);
	if (n <= 0)
		return n == -EAGAIN;
	r = broker_decode_control(untrusted_bytes_of(message, (size_t)n), &request);
	if (r == 0) {
		r = methods[request.type].handler(client->service->broker, &request, &answer);
		log_debug("domain %u: %s: %s", request.domain, methods[request.type].name,
		    r == 0 ? "done" : g_strerror(-r));
	}
	answer.fixed.status = r;
	return unix_socket_send(client->fd, &answer,
		   sizeof(answer.fixed) + answer.fixed.count * sizeof(uint32_t), -1) == 0;
}

static void
client_free(struct service_client *client)
{
	g_queue_remove(&client->service->clients, client);
	g_source_remove(client->source_id);
	close(client->fd);
	g_free(client);
}

static gboolean
on_client(gint fd, GIOCondition condition, gpointer data)
{
	struct service_client *client = data;

	(void)fd;
	(void)condition;
	if (serve(client))
		return G_SOURCE_CONTINUE;
	client_free(client);
	return G_SOURCE_REMOVE;
}

static bool
is_trusted(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

static gboolean
on_new_client(gint listen_fd, GIOCondition condition, gpointer data)
{
	struct broker_service *service = data;
	struct service_client *client;
	int fd;

	(void)condition;
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return G_SOURCE_CONTINUE;
	if (!is_trusted(fd) ||
	    g_queue_get_length(&service->clients) >= BROKER_SERVICE_MAX_CLIENTS) {
		log_warn("a control connection was refused");
		close(fd);
		return G_SOURCE_CONTINUE;
	}
	client = g_new0(struct service_client, 1);
	client->service = service;
	client->fd = fd;
	client->source_id = g_unix_fd_add(fd, G_IO_IN, on_client, client);
	g_queue_push_tail(&service->clients, client);
	return G_SOURCE_CONTINUE;
}

int
broker_service_new(struct broker *broker, const char *control_path, struct broker_service **ret)
{
	struct broker_service *service;
	int fd;

	fd = unix_socket_listen(control_path, SOCK_SEQPACKET, BACKLOG, 0600);
	if (fd < 0)
		return fd;
	service = g_new0(struct broker_service, 1);
	service->broker = broker;
	service->path = g_strdup(control_path);
	service->listen_fd = fd;
	g_queue_init(&service->clients);
	service->source_id = g_unix_fd_add(fd, G_IO_IN, on_new_client, service);
	*ret = service;
	return 0;
}

void
broker_service_free(struct broker_service *service)
{
	if (service == NULL)
		return;
	while (service->clients.head != NULL)
		client_free(service->clients.head->data);
	g_source_remove(service->source_id);
	unlink(service->path);
	close(service->listen_fd);
	g_free(service->path);
	g_free(service);
}
