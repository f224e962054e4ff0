#include "qrexec/stderr_log.h"

#include "shared/log.h"

#include <errno.h>
#include <glib-unix.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LOG_SOCKET "/dev/log"
#define LINE_MAX_BYTES 1000
#define USER_INFO 14 /* facility user, priority info, as syslog counts them */

struct stderr_log {
	char *tag;     /* owned */
	int fd;        /* owned: the system's log; -1 when there is none */
	GString *line; /* owned: what came since the last newline */
	bool detached;
};

static int
connect_system_log(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = LOG_SOCKET};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

struct stderr_log *
stderr_log_new(const char *tag)
{
	struct stderr_log *log = g_new0(struct stderr_log, 1);

	log->tag = g_strdup(tag);
	log->fd = connect_system_log();
	log->line = g_string_new(NULL);
	return log;
}

static void
write_line(struct stderr_log *log)
{
	if (log->line->len > 0 && log->fd >= 0) {
		g_autofree char *text =
		    g_strdup_printf("<%d>%s: %s", USER_INFO, log->tag, log->line->str);

		if (send(log->fd, text, strlen(text), MSG_NOSIGNAL) < 0)
			log_debug("system log: %s", strerror(errno));
	} else if (log->line->len > 0 && log->detached) {
		log_info("%s: %s", log->tag, log->line->str);
	}
	g_string_truncate(log->line, 0);
}

void
stderr_log_write(struct stderr_log *log, const void *bytes, size_t len)
{
	const char *p = bytes;

	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\n')
			write_line(log);
		else
			g_string_append_c(log->line, p[i] != '\0' ? p[i] : '_');
		if (log->line->len >= LINE_MAX_BYTES)
			write_line(log);
	}
}

void
stderr_log_free(struct stderr_log *log)
{
	if (log == NULL)
		return;
	write_line(log);
	if (log->fd >= 0)
		close(log->fd);
	g_string_free(log->line, TRUE);
	g_free(log->tag);
	g_free(log);
}

static gboolean
on_detached_stderr(gint fd, GIOCondition condition, gpointer data)
{
	struct stderr_log *log = data;
	char bytes[4096];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)condition;
	if (n > 0) {
		stderr_log_write(log, bytes, (size_t)n);
		return G_SOURCE_CONTINUE;
	}
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return G_SOURCE_CONTINUE;
	close(fd);
	stderr_log_free(log);
	return G_SOURCE_REMOVE;
}

void
stderr_log_detach(struct stderr_log *log, int fd)
{
	log->detached = true;
	g_unix_fd_add(fd, G_IO_IN, on_detached_stderr, log);
}
