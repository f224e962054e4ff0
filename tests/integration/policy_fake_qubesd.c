/*
 * policy_fake_qubesd SOCKET - as much of qubesd as the policy daemon sees, for scenario scripts.
 *
 * Serves internal.GetSystemInfo and the stream internal.SystemInfoEvents. What there is to tell
 * comes on stdin, a command a line:
 *   set NAME JSON   a qube is there, or has changed
 *   remove NAME     it is gone
 *   drop            ends all streams
 * Answers each command with "done" on stdout, after the streams have been written. Ends with
 * stdin.
 */
#include "shared/unix_socket.h"

#include <glib-unix.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static GMainLoop *loop;
static GHashTable *qubes; /* name -> JSON, both owned */
static GArray *streams;   /* descriptors */
static GString *commands; /* what came on stdin and is no whole line yet */

static void
write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		bytes += n;
		len -= (size_t)n;
	}
}

static void
add_field(GString *event, const char *text)
{
	g_string_append_len(event, text, (gssize)strlen(text) + 1);
}

/* "1" NUL subject NUL name NUL [key NUL value NUL] NUL */
static void
send_event(int fd, const char *subject, const char *name, const char *json)
{
	GString *event = g_string_new(NULL);

	add_field(event, "1");
	add_field(event, subject);
	add_field(event, name);
	if (json != NULL) {
		add_field(event, "info");
		add_field(event, json);
	}
	add_field(event, "");
	write_all(fd, event->str, event->len);
	g_string_free(event, TRUE);
}

static void
tell_all(const char *subject, const char *name, const char *json)
{
	for (guint i = 0; i < streams->len; i++)
		send_event(g_array_index(streams, int, i), subject, name, json);
}

static void
begin_stream(int fd)
{
	GHashTableIter iter;
	gpointer name, json;

	g_hash_table_iter_init(&iter, qubes);
	while (g_hash_table_iter_next(&iter, &name, &json))
		send_event(fd, name, "system-info-set", json);
	send_event(fd, "", "system-info-complete", NULL);
	g_array_append_val(streams, fd);
}

static void
send_system_info(int fd)
{
	GString *reply = g_string_new(NULL);
	GHashTableIter iter;
	gpointer name, json;
	const char *comma = "";

	add_field(reply, "0");
	g_string_append(reply, "{\"domains\": {");
	g_hash_table_iter_init(&iter, qubes);
	while (g_hash_table_iter_next(&iter, &name, &json)) {
		g_string_append_printf(
		    reply, "%s\"%s\": %s", comma, (const char *)name, (const char *)json);
		comma = ", ";
	}
	g_string_append(reply, "}}");
	write_all(fd, reply->str, reply->len);
	g_string_free(reply, TRUE);
}

static gboolean
on_client(gint listening, GIOCondition condition, gpointer data)
{
	int fd = accept(listening, NULL, NULL);
	char request[4096] = "";
	size_t len = 0;
	ssize_t n;

	(void)condition;
	(void)data;
	while (len < sizeof(request) - 1 &&
	       (n = read(fd, request + len, sizeof(request) - 1 - len)) > 0)
		len += (size_t)n;
	if (g_str_has_prefix(request, "internal.SystemInfoEvents+")) {
		begin_stream(fd);
		return G_SOURCE_CONTINUE;
	}
	if (g_str_has_prefix(request, "internal.GetSystemInfo+"))
		send_system_info(fd);
	close(fd);
	return G_SOURCE_CONTINUE;
}

static void
drop_streams(void)
{
	for (guint i = 0; i < streams->len; i++)
		close(g_array_index(streams, int, i));
	g_array_set_size(streams, 0);
}

static void
take_command(const char *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", 3);

	if (g_strcmp0(words[0], "set") == 0) {
		g_hash_table_replace(qubes, g_strdup(words[1]), g_strdup(words[2]));
		tell_all(words[1], "system-info-set", words[2]);
	} else if (g_strcmp0(words[0], "remove") == 0) {
		g_hash_table_remove(qubes, words[1]);
		tell_all(words[1], "system-info-remove", NULL);
	} else if (g_strcmp0(words[0], "drop") == 0) {
		drop_streams();
	}
	puts("done");
	fflush(stdout);
}

static gboolean
on_stdin(gint fd, GIOCondition condition, gpointer data)
{
	char chunk[4096];
	ssize_t n = read(fd, chunk, sizeof(chunk));
	char *end;

	(void)condition;
	(void)data;
	if (n <= 0) {
		g_main_loop_quit(loop);
		return G_SOURCE_REMOVE;
	}
	g_string_append_len(commands, chunk, n);
	while ((end = strchr(commands->str, '\n')) != NULL) {
		*end = '\0';
		take_command(commands->str);
		g_string_erase(commands, 0, end - commands->str + 1);
	}
	return G_SOURCE_CONTINUE;
}

int
main(int argc, char **argv)
{
	int fd;

	if (argc != 2)
		return 2;
	unlink(argv[1]);
	fd = unix_socket_listen(argv[1], SOCK_STREAM, 64, 0600);
	if (fd < 0)
		return 1;
	loop = g_main_loop_new(NULL, FALSE);
	qubes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	streams = g_array_new(FALSE, FALSE, sizeof(int));
	commands = g_string_new(NULL);
	g_unix_fd_add(fd, G_IO_IN, on_client, NULL);
	g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, on_stdin, NULL);
	g_main_loop_run(loop);
	unlink(argv[1]);
	return 0;
}
