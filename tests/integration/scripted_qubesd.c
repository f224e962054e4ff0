/*
 * scripted_qubesd - stands in for qubesd and answers as its script says, also wrongly.
 *
 *   scripted_qubesd SOCKET SCRIPT LOG
 *
 * The script is read anew for every call; its first line whose two patterns match METHOD+ARG and
 * DEST decides. Lines: METHOD+ARG DEST ACTION [TEXT]; "#" begins a comment. In TEXT \n, \0 and \xHH
 * stand for bytes. Actions:
 *   ok TEXT             content
 *   error CLASS TEXT    an exception
 *   raw TEXT            these bytes
 *   close               end of the stream without a byte
 *   big COUNT           content of so many bytes
 *   hang                no reply, until the caller goes away
 *   follow FILE         the bytes of FILE and what is appended to it (escapes as in TEXT, a line
 *                       feed ends nothing), until the caller goes away
 * Nothing matches: QubesException. LOG gets a line a call: METHOD+ARG DEST PAYLOAD.
 */
#include "shared/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 131072

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
send_bytes(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			_exit(0); /* the caller has gone */
		bytes += n;
		len -= (size_t)n;
	}
}

/* The bytes that a text with escapes stands for. */
static GByteArray *
unescape(const char *text)
{
	GByteArray *bytes = g_byte_array_new();

	for (const char *p = text; *p != '\0'; p++) {
		guint8 byte = (guint8)*p;

		if (p[0] == '\\' && p[1] == 'n') {
			byte = '\n';
			p++;
		} else if (p[0] == '\\' && p[1] == '0') {
			byte = '\0';
			p++;
		} else if (p[0] == '\\' && p[1] == 'x' && p[2] != '\0' && p[3] != '\0') {
			byte =
			    (guint8)(g_ascii_xdigit_value(p[2]) * 16 + g_ascii_xdigit_value(p[3]));
			p += 3;
		}
		g_byte_array_append(bytes, &byte, 1);
	}
	return bytes;
}

static void
send_text(int fd, const char *text)
{
	g_autoptr(GByteArray) bytes = unescape(text);

	send_bytes(fd, (const char *)bytes->data, bytes->len);
}

/* Waits a moment; ends when the caller has gone. */
static void
wait_or_end(int fd, int milliseconds)
{
	struct pollfd pfd = {.fd = fd, .events = 0};

	if (poll(&pfd, 1, milliseconds) > 0 && (pfd.revents & (POLLHUP | POLLERR)) != 0)
		_exit(0);
}

static void
act_ok(int fd, const char *text)
{
	send_bytes(fd, "0", 2);
	send_text(fd, text);
}

static void
act_error(int fd, const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", 2);

	send_bytes(fd, "2", 2);
	send_bytes(fd, words[0], strlen(words[0]) + 1);
	send_bytes(fd, "", 1);
	send_text(fd, words[1] != NULL ? words[1] : "");
	send_bytes(fd, "", 1);
}

static void
act_close(int fd, const char *text)
{
	(void)fd;
	(void)text;
}

static void
act_big(int fd, const char *text)
{
	size_t count = strtoul(text, NULL, 10);
	g_autofree char *bytes = g_malloc(count);

	memset(bytes, 'x', count);
	send_bytes(fd, "0", 2);
	send_bytes(fd, bytes, count);
}

static void
act_hang(int fd, const char *text)
{
	(void)text;
	for (;;)
		wait_or_end(fd, 1000);
}

static void
act_follow(int fd, const char *file)
{
	size_t sent = 0;

	for (;;) {
		g_autofree char *text = NULL;
		size_t len = 0;

		if (g_file_get_contents(file, &text, &len, NULL) && len > sent) {
			g_auto(GStrv) lines = g_strsplit(text + sent, "\n", -1);

			for (size_t i = 0; lines[i] != NULL; i++)
				send_text(fd, lines[i]);
			sent = len;
		}
		wait_or_end(fd, 20);
	}
}

static const struct {
	const char *word;
	void (*act)(int fd, const char *text);
} actions[] = {
    {"ok", act_ok},
    {"error", act_error},
    {"raw", send_text},
    {"close", act_close},
    {"big", act_big},
    {"hang", act_hang},
    {"follow", act_follow},
};

static void
answer(int fd, const char *script, const char *call, const char *dest)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(script, &text, NULL, NULL))
		return;
	lines = g_strsplit(text, "\n", -1);
	for (size_t i = 0; lines[i] != NULL; i++) {
		g_auto(GStrv) words = g_strsplit(lines[i], " ", 4);

		if (g_strv_length(words) < 3 || words[0][0] == '#' ||
		    fnmatch(words[0], call, 0) != 0 || fnmatch(words[1], dest, 0) != 0)
			continue;
		for (size_t j = 0; j < G_N_ELEMENTS(actions); j++) {
			if (strcmp(words[2], actions[j].word) == 0) {
				actions[j].act(fd, words[3] != NULL ? words[3] : "");
				return;
			}
		}
	}
	act_error(fd, "QubesException the script has no answer");
}

static void
log_call(const char *path, const char *call, const char *dest, const char *payload, size_t len)
{
	g_autofree char *shown = g_strndup(payload, len);
	g_autofree char *line =
	    g_strdup_printf("%s %s %s\n", call, dest, g_strdelimit(shown, "\n", '|'));
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		die(path);
	close(fd);
}

/* One request: "METHOD+ARG SOURCE name DEST" NUL PAYLOAD. */
static void
serve(int fd, const char *script, const char *log)
{
	static char request[REQUEST_MAX + 1];
	g_auto(GStrv) words = NULL;
	size_t len = 0, head;
	ssize_t n;

	while (len < REQUEST_MAX && (n = read(fd, request + len, REQUEST_MAX - len)) > 0)
		len += (size_t)n;
	head = strlen(request);
	words = g_strsplit(request, " ", 4);
	if (head >= len || g_strv_length(words) != 4)
		return;
	log_call(log, words[0], words[3], request + head + 1, len - head - 1);
	answer(fd, script, words[0], words[3]);
}

int
main(int argc, char **argv)
{
	int listener;

	if (argc != 4) {
		fprintf(stderr, "usage: scripted_qubesd SOCKET SCRIPT LOG\n");
		return 2;
	}
	signal(SIGCHLD, SIG_IGN);
	unlink(argv[1]);
	listener = unix_socket_listen(argv[1], SOCK_STREAM, 128, 0600);
	if (listener < 0 || fcntl(listener, F_SETFL, 0) < 0)
		die(argv[1]);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0 && errno == EINTR)
			continue;
		if (fd < 0)
			die("accept");
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(listener);
			serve(fd, argv[2], argv[3]);
			_exit(0);
		}
		close(fd);
	}
}
