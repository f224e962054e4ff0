/*
 * policy_fake_agent SOCKET - answers what the policy daemon asks the user, for scenario scripts.
 *
 * Prints each request on stdout: "SERVICE JSON", the service being the first word of its
 * descriptor. The answer to policy.Ask is whatever the file SOCKET.answer holds; while there is
 * none the request stays open, and "closed" is printed if the other side hangs up meanwhile.
 * policy.Notify gets an empty answer. Ends when stdin ends.
 */
#include "shared/unix_socket.h"

#include <glib-unix.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static GMainLoop *loop;
static char *answer_path;

struct client {
	int fd;
	GByteArray *request;      /* owned */
	guint hung_up, answering; /* sources, once the request is whole */
};

static void
client_end(struct client *client)
{
	if (client->hung_up != 0)
		g_source_remove(client->hung_up);
	if (client->answering != 0)
		g_source_remove(client->answering);
	close(client->fd);
	g_byte_array_unref(client->request);
	g_free(client);
}

static gboolean
on_hung_up(gint fd, GIOCondition condition, gpointer data)
{
	struct client *client = data;

	(void)fd;
	(void)condition;
	puts("closed");
	fflush(stdout);
	client->hung_up = 0;
	client_end(client);
	return G_SOURCE_REMOVE;
}

static gboolean
on_perhaps_answer(gpointer data)
{
	struct client *client = data;
	g_autofree char *text = NULL;
	gsize len = 0;

	if (!g_file_get_contents(answer_path, &text, &len, NULL))
		return G_SOURCE_CONTINUE;
	if (len > 0 && send(client->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		perror("send");
	client->answering = 0;
	client_end(client);
	return G_SOURCE_REMOVE;
}

static gboolean
on_bytes(gint fd, GIOCondition condition, gpointer data)
{
	struct client *client = data;
	guint8 chunk[4096];
	ssize_t n = read(fd, chunk, sizeof(chunk));
	const char *service;

	(void)condition;
	if (n > 0) {
		g_byte_array_append(client->request, chunk, (guint)n);
		return G_SOURCE_CONTINUE;
	}
	g_byte_array_append(client->request, (const guint8 *)"", 1);
	service = (const char *)client->request->data;
	printf("%.*s %s\n", (int)strcspn(service, " "), service,
	    strlen(service) + 1 < client->request->len ? service + strlen(service) + 1 : "");
	fflush(stdout);
	if (!g_str_has_prefix(service, "policy.Ask ")) {
		client_end(client);
		return G_SOURCE_REMOVE;
	}
	client->hung_up = g_unix_fd_add(fd, G_IO_HUP, on_hung_up, client);
	client->answering = g_timeout_add(20, on_perhaps_answer, client);
	return G_SOURCE_REMOVE;
}

static gboolean
on_client(gint listening, GIOCondition condition, gpointer data)
{
	struct client *client = g_new0(struct client, 1);

	(void)condition;
	(void)data;
	client->fd = accept(listening, NULL, NULL);
	client->request = g_byte_array_new();
	g_unix_fd_add(client->fd, G_IO_IN | G_IO_HUP, on_bytes, client);
	return G_SOURCE_CONTINUE;
}

static gboolean
on_stdin(gint fd, GIOCondition condition, gpointer data)
{
	char chunk[64];

	(void)condition;
	(void)data;
	if (read(fd, chunk, sizeof(chunk)) > 0)
		return G_SOURCE_CONTINUE;
	g_main_loop_quit(loop);
	return G_SOURCE_REMOVE;
}

int
main(int argc, char **argv)
{
	int fd;

	if (argc != 2)
		return 2;
	answer_path = g_strconcat(argv[1], ".answer", NULL);
	unlink(argv[1]);
	fd = unix_socket_listen(argv[1], SOCK_STREAM, 1024, 0600);
	if (fd < 0)
		return 1;
	loop = g_main_loop_new(NULL, FALSE);
	g_unix_fd_add(fd, G_IO_IN, on_client, NULL);
	g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, on_stdin, NULL);
	g_main_loop_run(loop);
	unlink(argv[1]);
	return 0;
}
