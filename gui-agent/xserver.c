#include "gui-agent/xserver.h"

#include "gui-agent/child.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

#define DISPLAY_BYTES 16 /* a number and a newline */

struct xserver {
	const struct xserver_handler *handler; /* borrowed */
	void *data;
	GPid pid;            /* 0: it has ended */
	guint watch;         /* of pid; 0: none */
	int display_fd;      /* where it tells its number; -1 after that */
	guint display_watch; /* 0: none */
	char number[DISPLAY_BYTES + 1];
	size_t number_len;
};

static void
stop_reading_number(struct xserver *server)
{
	if (server->display_watch != 0)
		g_source_remove(server->display_watch);
	server->display_watch = 0;
	if (server->display_fd >= 0)
		close(server->display_fd);
	server->display_fd = -1;
}

/* "7\n" -> ":7" */
static void
on_number_complete(struct xserver *server)
{
	g_autofree char *display = NULL;

	*strchr(server->number, '\n') = '\0';
	display = g_strconcat(":", server->number, NULL);
	stop_reading_number(server);
	server->handler->on_ready(display, server->data);
}

static gboolean
on_number(gint fd, GIOCondition condition, gpointer data)
{
	struct xserver *server = data;
	ssize_t n =
	    read(fd, server->number + server->number_len, DISPLAY_BYTES - server->number_len);

	(void)condition;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (n > 0) {
		server->number_len += (size_t)n;
		if (strchr(server->number, '\n') == NULL)
			return G_SOURCE_CONTINUE;
		on_number_complete(server);
		return G_SOURCE_CONTINUE; /* of a source that is gone already */
	}
	stop_reading_number(server); /* its end is told by on_exit() */
	return G_SOURCE_CONTINUE;
}

static void
on_exit_of_server(GPid pid, gint status, gpointer data)
{
	struct xserver *server = data;

	(void)pid;
	log_error("the X server ended with wait status %d", status);
	server->pid = 0;
	server->watch = 0;
	server->handler->on_end(server->data);
}

static int
spawn(struct xserver *server, unsigned width, unsigned height, int number_fd)
{
	g_autofree char *fd = g_strdup_printf("%d", number_fd);
	g_autofree char *screen = g_strdup_printf("%ux%ux24", width, height);
	const char *const argv[] = {"Xvfb", "-displayfd", fd, "-noreset", "-nolisten", "tcp",
	    "-extension", "GLX", "-screen", "0", screen, NULL};

	return child_start(argv, NULL, number_fd, &server->pid);
}

int
xserver_start(unsigned width, unsigned height, const struct xserver_handler *handler, void *data,
    struct xserver **ret)
{
	struct xserver *server;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	server = g_new0(struct xserver, 1);
	server->handler = handler;
	server->data = data;
	r = spawn(server, width, height, fds[1]);
	close(fds[1]);
	if (r < 0) {
		close(fds[0]);
		g_free(server);
		return r;
	}
	g_unix_set_fd_nonblocking(fds[0], TRUE, NULL);
	server->display_fd = fds[0];
	server->display_watch = g_unix_fd_add(fds[0], G_IO_IN | G_IO_HUP, on_number, server);
	server->watch = g_child_watch_add(server->pid, on_exit_of_server, server);
	*ret = server;
	return 0;
}

void
xserver_free(struct xserver *server)
{
	if (server == NULL)
		return;
	stop_reading_number(server);
	if (server->watch != 0)
		g_source_remove(server->watch);
	if (server->pid != 0)
		child_end(server->pid);
	g_free(server);
}
