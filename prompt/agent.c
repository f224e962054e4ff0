#include "prompt/agent.h"

#include "prompt/ask_dialog.h"
#include "prompt/notifier.h"
#include "prompt/queue.h"
#include "prompt/request_decode.h"
#include "shared/log.h"
#include "shared/unix_socket.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024
#define ACCEPT_PAUSE_MS 100

struct agent {
	int fd;
	char *path; /* owned */
	guint source, gap;
	GQueue clients;       /* owned struct client */
	struct queue *queue;  /* of clients that wait */
	struct client *shown; /* borrowed; whose dialog is on the screen */
};

struct client {
	struct agent *agent; /* borrowed */
	int fd;
	GByteArray *bytes; /* owned */
	guint source, timer;
	bool asks; /* request is filled */
	struct request request;
	struct ask_dialog *dialog; /* owned; NULL while it waits */
};

static void show_next(struct agent *agent);

static void
clear_source(guint *source)
{
	if (*source != 0)
		g_source_remove(*source);
	*source = 0;
}

/* --- clients -------------------------------------------------------------------------------- */

static gboolean
on_gap_over(gpointer data)
{
	struct agent *agent = data;

	agent->gap = 0;
	show_next(agent);
	return G_SOURCE_REMOVE;
}

static void
tell_how_many_wait(struct agent *agent)
{
	if (agent->shown != NULL)
		ask_dialog_set_waiting(agent->shown->dialog, queue_length(agent->queue));
}

static void
client_free(struct client *client)
{
	struct agent *agent = client->agent;

	g_queue_remove(&agent->clients, client);
	queue_remove(agent->queue, client);
	if (agent->shown == client) {
		agent->shown = NULL;
		agent->gap = g_timeout_add(AGENT_GAP_MS, on_gap_over, agent);
	}
	clear_source(&client->source);
	clear_source(&client->timer);
	ask_dialog_free(client->dialog);
	if (client->asks)
		request_clear(&client->request);
	close(client->fd);
	g_byte_array_unref(client->bytes);
	g_free(client);
	tell_how_many_wait(agent);
}

static void
answer(struct client *client, const char *text)
{
	ssize_t n = send(client->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n != (ssize_t)strlen(text))
		log_warn("an answer could not be given: %s", g_strerror(errno));
	client_free(client);
}

static void
on_answered(const char *target, void *data)
{
	g_autofree char *text =
	    target != NULL ? g_strconcat("allow:", target, NULL) : g_strdup("deny");

	answer(data, text);
}

static gboolean
on_hung_up(gint fd, GIOCondition condition, gpointer data)
{
	struct client *client = data;

	(void)fd;
	(void)condition;
	log_info("a question was withdrawn");
	client->source = 0;
	client_free(client);
	return G_SOURCE_REMOVE;
}

static void
show_next(struct agent *agent)
{
	struct client *client;

	if (agent->shown != NULL || agent->gap != 0)
		return;
	client = queue_pop(agent->queue);
	if (client == NULL)
		return;
	agent->shown = client;
	client->dialog = ask_dialog_new(&client->request.ask, on_answered, client);
	tell_how_many_wait(agent);
}

/* --- requests ------------------------------------------------------------------------------- */

static void
take_request(struct client *client)
{
	struct agent *agent = client->agent;
	struct request request;

	if (request_decode(untrusted_bytes_of(client->bytes->data, client->bytes->len), &request) <
	    0) {
		log_warn("a request makes no sense: denied");
		answer(client, "deny");
		return;
	}
	if (request.kind == REQUEST_NOTIFY) {
		notifier_show(&request.notify);
		request_clear(&request);
		client_free(client);
		return;
	}
	client->asks = true;
	client->request = request;
	client->source = g_unix_fd_add(client->fd, G_IO_HUP | G_IO_ERR, on_hung_up, client);
	queue_push(agent->queue, request.ask.source, client);
	show_next(agent);
	tell_how_many_wait(agent);
}

static gboolean
on_bytes(gint fd, GIOCondition condition, gpointer data)
{
	struct client *client = data;
	guint8 chunk[16384];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	(void)condition;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (n > 0 && client->bytes->len + (size_t)n <= REQUEST_MAX) {
		g_byte_array_append(client->bytes, chunk, (guint)n);
		return G_SOURCE_CONTINUE;
	}
	client->source = 0;
	clear_source(&client->timer);
	if (n == 0)
		take_request(client);
	else
		client_free(client);
	return G_SOURCE_REMOVE;
}

static gboolean
on_late(gpointer data)
{
	struct client *client = data;

	client->timer = 0;
	client_free(client);
	return G_SOURCE_REMOVE;
}

/* --- the socket ----------------------------------------------------------------------------- */

static gboolean on_incoming(gint fd, GIOCondition condition, gpointer data);

static gboolean
on_pause_over(gpointer data)
{
	struct agent *agent = data;

	agent->source = g_unix_fd_add(agent->fd, G_IO_IN, on_incoming, agent);
	return G_SOURCE_REMOVE;
}

static void
client_new(struct agent *agent, int fd)
{
	struct client *client;

	if (g_queue_get_length(&agent->clients) >= AGENT_CLIENTS_MAX) {
		log_warn("too many questions at once");
		close(fd);
		return;
	}
	client = g_new0(struct client, 1);
	client->agent = agent;
	client->fd = fd;
	client->bytes = g_byte_array_new();
	client->source = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, on_bytes, client);
	client->timer = g_timeout_add(AGENT_REQUEST_MS, on_late, client);
	g_queue_push_tail(&agent->clients, client);
}

static gboolean
on_incoming(gint fd, GIOCondition condition, gpointer data)
{
	struct agent *agent = data;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)condition;
	if (client >= 0) {
		client_new(agent, client);
		return G_SOURCE_CONTINUE;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return G_SOURCE_CONTINUE;
	log_error("accept: %s", g_strerror(errno)); /* no descriptors: wait for some */
	agent->source = g_timeout_add(ACCEPT_PAUSE_MS, on_pause_over, agent);
	return G_SOURCE_REMOVE;
}

int
agent_new(const char *path, struct agent **ret)
{
	struct agent *agent;
	/* The policy daemon may run as another user of our group. */
	int fd = unix_socket_listen(path, SOCK_STREAM, BACKLOG, 0660);

	if (fd < 0)
		return fd;
	agent = g_new0(struct agent, 1);
	agent->fd = fd;
	agent->path = g_strdup(path);
	agent->queue = queue_new();
	g_queue_init(&agent->clients);
	agent->source = g_unix_fd_add(fd, G_IO_IN, on_incoming, agent);
	*ret = agent;
	return 0;
}

void
agent_free(struct agent *agent)
{
	if (agent == NULL)
		return;
	clear_source(&agent->source);
	unlink(agent->path);
	close(agent->fd);
	while (!g_queue_is_empty(&agent->clients))
		client_free(g_queue_peek_head(&agent->clients));
	clear_source(&agent->gap);
	queue_free(agent->queue);
	g_free(agent->path);
	g_free(agent);
}
