/*
 * qrexec_fake_policy SOCKET RULES LOG - answers policy questions from a file, for scenario scripts.
 *
 * RULES is read anew for each question: lines "PATTERN ANSWER", the first whose PATTERN (a glob)
 * matches the service wins. In ANSWER "\n" is a newline, "%t" the target asked for. The answer
 * "silence" closes the connection without a word, "hang" keeps it open. LOG gets one line a
 * question, the lines of the question joined by blanks.
 */
#include "shared/unix_socket.h"

#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char *
read_question(int fd)
{
	GString *text = g_string_new(NULL);
	char bytes[4096];
	ssize_t n;

	while (strstr(text->str, "\n\n") == NULL && (n = read(fd, bytes, sizeof(bytes))) > 0)
		g_string_append_len(text, bytes, n);
	return g_string_free(text, FALSE);
}

static char *
value_of(const char *question, const char *key)
{
	g_auto(GStrv) lines = g_strsplit(question, "\n", -1);

	for (size_t i = 0; lines[i] != NULL; i++) {
		if (g_str_has_prefix(lines[i], key) && lines[i][strlen(key)] == '=')
			return g_strdup(lines[i] + strlen(key) + 1);
	}
	return g_strdup("");
}

static char *
replace(const char *text, const char *what, const char *by)
{
	g_auto(GStrv) parts = g_strsplit(text, what, -1);

	return g_strjoinv(by, parts);
}

static char *
find_answer(const char *rules_path, const char *service, const char *target)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(rules_path, &text, NULL, NULL))
		return g_strdup("silence");
	lines = g_strsplit(text, "\n", -1);
	for (size_t i = 0; lines[i] != NULL; i++) {
		g_auto(GStrv) words = g_strsplit(lines[i], " ", 2);
		g_autofree char *broken = NULL;

		if (words[0] == NULL || words[1] == NULL ||
		    !g_pattern_match_simple(words[0], service))
			continue;
		broken = replace(words[1], "\\n", "\n");
		return replace(broken, "%t", target);
	}
	return g_strdup("result=deny");
}

static void
note(const char *log_path, const char *question)
{
	g_autofree char *line = g_strdelimit(g_strchomp(g_strdup(question)), "\n", ' ');
	FILE *log = fopen(log_path, "a");

	fprintf(log, "%s\n", line);
	fclose(log);
}

int
main(int argc, char **argv)
{
	int listener;

	if (argc != 4)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	unlink(argv[1]);
	listener = unix_socket_listen(argv[1], SOCK_STREAM, 512, 0600);
	if (listener < 0 || fcntl(listener, F_SETFL, 0) < 0)
		return 1;
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		g_autofree char *question = read_question(fd);
		g_autofree char *service = value_of(question, "service_and_arg");
		g_autofree char *target = value_of(question, "intended_target");
		g_autofree char *answer = find_answer(argv[2], service, target);

		note(argv[3], question);
		if (strcmp(answer, "hang") == 0)
			continue;
		if (strcmp(answer, "silence") != 0 && write(fd, answer, strlen(answer)) < 0)
			perror("answer");
		close(fd);
	}
}
