#include "qrexec/daemon_clients.h"

#include "qrexec/acceptor.h"
#include "qrexec/daemon.h"
#include "qrexec/trigger.h"
#include "shared/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_TIMEOUT_MS 30000
#define DEFAULT_USER "DEFAULT:"

struct daemon_clients {
	struct daemon *daemon; /* borrowed */
	struct acceptor *acceptor;
	char *base;                  /* owned: name of the socket in its folder */
	char *name_link, *uuid_link; /* owned: paths of links to it */
	GPtrArray *clients;          /* of struct client, owned */
};

struct client {
	struct daemon_clients *clients; /* borrowed */
	struct channel *channel;
	guint timer; /* until the command is there */
	bool shook_hands, running;
	struct qrexec_place place; /* as the agent calls it: port 0 when none is held */
};

static void
client_free(gpointer data)
{
	struct client *client = data;

	if (client->timer != 0)
		g_source_remove(client->timer);
	channel_free(client->channel);
	g_free(client);
}

static void
client_drop(struct client *client)
{
	g_ptr_array_remove_fast(client->clients->clients, client);
}

/* --- commands ------------------------------------------------------------------------------- */

/* The port that the command names, or a new one, told to the client. */
static int
client_take_port(struct client *client, uint32_t type, uint32_t domain, uint32_t *port)
{
	struct daemon *daemon = client->clients->daemon;
	struct qrexec_wire_exec answer = {daemon->domain, 0};
	int r;

	if (*port != 0)
		return 0;
	r = ports_take(&daemon->ports, domain, port);
	if (r < 0) {
		log_warn("%s: no free port", daemon->name);
		return r;
	}
	client->place.domain = domain;
	client->place.port = *port;
	answer.port = *port;
	channel_send(client->channel, type, &answer, sizeof(answer), NULL, 0);
	return 0;
}

static char *
with_default_user(const struct daemon *daemon, const char *command)
{
	if (!g_str_has_prefix(command, DEFAULT_USER))
		return g_strdup(command);
	return g_strconcat(daemon->default_user, ":", command + strlen(DEFAULT_USER), NULL);
}

static int
client_exec(struct client *client, const struct qrexec_message *message)
{
	struct daemon *daemon = client->clients->daemon;
	g_autofree char *command = NULL;
	struct qrexec_exec exec;
	int r;

	r = qrexec_decode_exec(message->untrusted_body, &exec);
	if (r < 0)
		return r;
	command = with_default_user(daemon, exec.command);
	if (strlen(command) + 1 + sizeof(struct qrexec_wire_exec) > QREXEC_COMMAND_BODY_MAX)
		return -EMSGSIZE;
	if (exec.port != 0)
		log_info("%s: a command with port %u of its own", daemon->name, exec.port);
	r = client_take_port(client, message->type, exec.domain, &exec.port);
	if (r < 0)
		return r;
	daemon_send_exec(daemon, message->type, exec.domain, exec.port, command);
	return 0;
}

/* Somebody else has found the answer to a request that is waiting. */
static int
client_connect(struct client *client, const struct qrexec_message *message)
{
	struct daemon *daemon = client->clients->daemon;
	struct qrexec_connect connect;
	struct qrexec_place place;
	int r;

	r = qrexec_decode_service_connect(message->untrusted_body, &connect);
	if (r < 0)
		return r;
	if (connect.port != 0 &&
	    (connect.port < QREXEC_DATA_PORT_FIRST || connect.port > QREXEC_DATA_PORT_LAST))
		return -ERANGE;
	if (!triggers_take(daemon->triggers, &connect.ident))
		return -ENOENT;
	place.domain = connect.domain;
	place.port = connect.port;
	r = client_take_port(client, message->type, place.domain, &place.port);
	if (r < 0) {
		daemon_send_refused(daemon, &connect.ident);
		return r;
	}
	daemon_send_connect(daemon, &place, &connect.ident);
	return 0;
}

/* --- clients -------------------------------------------------------------------------------- */

static int
on_hello(struct client *client, const struct qrexec_message *message)
{
	uint32_t version;
	int r;

	r = qrexec_decode_hello(
	    message->untrusted_body, QREXEC_LOCAL_VERSION, QREXEC_LOCAL_VERSION, &version);
	if (r < 0)
		return r;
	client->shook_hands = true;
	channel_set_rules(client->channel, qrexec_rules_client_to_daemon());
	return 0;
}

static int
on_message(struct channel *channel, const struct qrexec_message *message, void *data)
{
	static const struct qrexec_rules nothing_more = {NULL, 0};
	struct client *client = data;
	int r;

	if (!client->shook_hands)
		return on_hello(client, message);
	r = message->type == QREXEC_SERVICE_CONNECT ? client_connect(client, message)
						    : client_exec(client, message);
	if (r < 0)
		return r;
	client->running = true;
	g_source_remove(client->timer);
	client->timer = 0;
	channel_set_rules(channel, nothing_more);
	return 0;
}

/* A client that leaves keeps its port until the agent says that the call is over. */
static void
on_end(struct channel *channel, int error, void *data)
{
	struct client *client = data;

	(void)channel;
	if (error < 0)
		log_warn("%s: a client was dropped: %s", client->clients->daemon->name,
		    channel_strerror(error));
	client_drop(client);
}

static const struct channel_events channel_events = {.message = on_message, .end = on_end};

static gboolean
on_command_timeout(gpointer data)
{
	struct client *client = data;

	client->timer = 0;
	client_drop(client);
	return G_SOURCE_REMOVE;
}

static void
on_connection(int fd, void *data)
{
	struct daemon_clients *clients = data;
	struct client *client;

	if (clients->clients->len >= QREXEC_TABLE_MAX) {
		log_warn("%s: too many clients: one refused", clients->daemon->name);
		close(fd);
		return;
	}
	client = g_new0(struct client, 1);
	client->clients = clients;
	client->channel = channel_new_on_fd(fd, qrexec_rules_hello(), &channel_events, client);
	client->timer = g_timeout_add(COMMAND_TIMEOUT_MS, on_command_timeout, client);
	g_ptr_array_add(clients->clients, client);
	channel_send_hello(client->channel, QREXEC_LOCAL_VERSION);
}

/* --- the socket ----------------------------------------------------------------------------- */

static int
make_link(const char *target, const char *path)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	return symlink(target, path) < 0 ? -errno : 0;
}

/* A successor of ours may have made its own already. */
static void
remove_link(const char *target, const char *path)
{
	g_autofree char *present = g_file_read_link(path, NULL);

	if (g_strcmp0(present, target) == 0)
		unlink(path);
}

static char *
path_in(const struct daemon *daemon, const char *prefix, const char *name)
{
	return g_strdup_printf("%s/qrexec.%s%s", daemon->socket_dir, prefix, name);
}

int
daemon_clients_new(struct daemon *daemon, struct daemon_clients **ret)
{
	struct daemon_clients *clients = g_new0(struct daemon_clients, 1);
	g_autofree char *number = g_strdup_printf("%u", daemon->domain);
	g_autofree char *path = path_in(daemon, "", number);
	int r;

	clients->daemon = daemon;
	clients->base = g_path_get_basename(path);
	clients->clients = g_ptr_array_new_with_free_func(client_free);
	clients->name_link = path_in(daemon, "", daemon->name);
	clients->uuid_link = path_in(daemon, "uuid:", daemon->uuid);
	/* The folder says who may connect. */
	r = acceptor_new(path, 0777, on_connection, clients, &clients->acceptor);
	if (r == 0)
		r = make_link(clients->base, clients->name_link);
	if (r == 0)
		r = make_link(clients->base, clients->uuid_link);
	if (r < 0) {
		daemon_clients_free(clients);
		return r;
	}
	*ret = clients;
	return 0;
}

void
daemon_clients_free(struct daemon_clients *clients)
{
	if (clients == NULL)
		return;
	if (clients->acceptor != NULL) {
		remove_link(clients->base, clients->name_link);
		remove_link(clients->base, clients->uuid_link);
	}
	acceptor_free(clients->acceptor);
	g_ptr_array_unref(clients->clients);
	g_free(clients->base);
	g_free(clients->name_link);
	g_free(clients->uuid_link);
	g_free(clients);
}

void
daemon_clients_pause(struct daemon_clients *clients, bool pause)
{
	acceptor_pause(clients->acceptor, pause);
	for (guint i = 0; i < clients->clients->len; i++) {
		struct client *client = g_ptr_array_index(clients->clients, i);

		if (!client->running)
			channel_set_reading(client->channel, !pause);
	}
}

void
daemon_clients_terminated(struct daemon_clients *clients, const struct qrexec_place *place)
{
	for (guint i = 0; i < clients->clients->len; i++) {
		struct client *client = g_ptr_array_index(clients->clients, i);

		if (client->running && client->place.port == place->port &&
		    client->place.domain == place->domain) {
			client_drop(client);
			return;
		}
	}
}
