#include "qubesd/policy_client.h"

#include "shared/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 4096 /* bytes; more is no answer */

struct policy_question {
	struct policy_client *client; /* borrowed */
	char *request;                /* owned */
	policy_answer answer;
	void *data; /* borrowed from who asks */
	int fd;     /* negative while it waits for its turn */
	GString *reply;
	guint readable, timeout; /* sources */
};

struct policy_client {
	char *path;      /* owned */
	GQueue *waiting; /* struct policy_question, oldest first */
	GQueue *running;
	guint idle; /* source that starts the next ones */
};

static gboolean on_turn(void *data);

static void
schedule(struct policy_client *client)
{
	if (client->idle == 0)
		client->idle = g_idle_add_full(G_PRIORITY_DEFAULT, on_turn, client, NULL);
}

static void
question_free(struct policy_question *question)
{
	if (question->readable != 0)
		g_source_remove(question->readable);
	if (question->timeout != 0)
		g_source_remove(question->timeout);
	if (question->fd >= 0)
		close(question->fd);
	if (question->reply != NULL)
		g_string_free(question->reply, TRUE);
	g_free(question->request);
	g_free(question);
}

void
policy_question_cancel(struct policy_question *question)
{
	struct policy_client *client = question->client;

	if (!g_queue_remove(client->running, question))
		g_queue_remove(client->waiting, question);
	question_free(question);
	schedule(client);
}

static void
finish(struct policy_question *question, bool allowed)
{
	policy_answer answer = question->answer;
	void *data = question->data;

	policy_question_cancel(question);
	answer(allowed, data);
}

/* Exactly one line may say the result, and it must say yes. */
static bool
reply_allows(const char *reply)
{
	g_auto(GStrv) lines = g_strsplit(reply, "\n", -1);
	bool allowed = false;

	for (char **line = lines; *line != NULL; line++) {
		if (!g_str_has_prefix(*line, "result="))
			continue;
		if (allowed || strcmp(*line, "result=allow") != 0)
			return false;
		allowed = true;
	}
	return allowed;
}

static gboolean
on_readable(int fd, GIOCondition condition, void *data)
{
	struct policy_question *question = data;
	char block[1024];
	ssize_t n = read(fd, block, sizeof(block));

	(void)condition;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (n > 0 && question->reply->len + (size_t)n <= ANSWER_MAX &&
	    memchr(block, '\0', (size_t)n) == NULL) {
		g_string_append_len(question->reply, block, n);
		return G_SOURCE_CONTINUE;
	}
	question->readable = 0;
	finish(question, n == 0 && reply_allows(question->reply->str));
	return G_SOURCE_REMOVE;
}

static gboolean
on_timeout(void *data)
{
	struct policy_question *question = data;

	question->timeout = 0;
	finish(question, false);
	return G_SOURCE_REMOVE;
}

/* A question is smaller than any socket's buffer: what does not go out at once is an error. */
static bool
send_question(struct policy_question *question)
{
	size_t len = strlen(question->request);

	question->fd = unix_socket_dial(question->client->path, SOCK_STREAM | SOCK_NONBLOCK);
	return question->fd >= 0 &&
	       send(question->fd, question->request, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static gboolean
on_turn(void *data)
{
	struct policy_client *client = data;
	struct policy_question *question;

	client->idle = 0;
	if (client->running->length >= POLICY_CLIENT_PARALLEL)
		return G_SOURCE_REMOVE;
	question = g_queue_pop_head(client->waiting);
	if (question == NULL)
		return G_SOURCE_REMOVE;
	g_queue_push_tail(client->running, question);
	if (!send_question(question)) {
		finish(question, false); /* also brings on the next one */
		return G_SOURCE_REMOVE;
	}
	question->reply = g_string_new(NULL);
	question->readable =
	    g_unix_fd_add(question->fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, question);
	question->timeout = g_timeout_add(POLICY_CLIENT_TIMEOUT_MS, on_timeout, question);
	schedule(client);
	return G_SOURCE_REMOVE;
}

struct policy_client *
policy_client_new(const char *socket_path)
{
	struct policy_client *client = g_new0(struct policy_client, 1);

	client->path = g_strdup(socket_path);
	client->waiting = g_queue_new();
	client->running = g_queue_new();
	return client;
}

static void
free_question(void *question)
{
	question_free(question);
}

void
policy_client_free(struct policy_client *client)
{
	if (client == NULL)
		return;
	if (client->idle != 0)
		g_source_remove(client->idle);
	g_queue_free_full(client->running, free_question);
	g_queue_free_full(client->waiting, free_question);
	g_free(client->path);
	g_free(client);
}

bool
policy_client_has_room(const struct policy_client *client)
{
	return client->waiting->length < POLICY_CLIENT_WAITING_MAX;
}

struct policy_question *
policy_client_ask(struct policy_client *client, const char *source, const char *target,
    const char *service_and_arg, policy_answer answer, void *data)
{
	struct policy_question *question = g_new0(struct policy_question, 1);

	question->client = client;
	question->answer = answer;
	question->data = data;
	question->fd = -1;
	question->request = g_strdup_printf("source=%s\nintended_target=%s\nservice_and_arg=%s\n"
					    "just_evaluate=yes\n\n",
	    source, target, service_and_arg);
	g_queue_push_tail(client->waiting, question);
	schedule(client);
	return question;
}
