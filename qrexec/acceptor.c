#include "qrexec/acceptor.h"

#include "qrexec/local_socket.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXHAUSTED_MS 100

struct acceptor {
	char *path;   /* owned */
	int fd;       /* owned */
	dev_t device; /* of the socket in the file system */
	ino_t inode;
	guint source, timer;
	bool paused;
	acceptor_func on_connection;
	void *data; /* borrowed from the caller */
};

static void watch(struct acceptor *acceptor);

static gboolean
on_timer(gpointer data)
{
	struct acceptor *acceptor = data;

	acceptor->timer = 0;
	watch(acceptor);
	return G_SOURCE_REMOVE;
}

static gboolean
on_readable(gint listener, GIOCondition condition, gpointer data)
{
	struct acceptor *acceptor = data;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)condition;
	if (fd >= 0) {
		acceptor->on_connection(fd, acceptor->data);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		acceptor->source = 0;
		acceptor->timer = g_timeout_add(EXHAUSTED_MS, on_timer, acceptor);
		return G_SOURCE_REMOVE;
	}
	return G_SOURCE_CONTINUE;
}

static void
watch(struct acceptor *acceptor)
{
	if (acceptor->source == 0 && acceptor->timer == 0 && !acceptor->paused)
		acceptor->source = g_unix_fd_add(acceptor->fd, G_IO_IN, on_readable, acceptor);
}

static void
unwatch(struct acceptor *acceptor)
{
	if (acceptor->source != 0)
		g_source_remove(acceptor->source);
	if (acceptor->timer != 0)
		g_source_remove(acceptor->timer);
	acceptor->source = 0;
	acceptor->timer = 0;
}

static void
remember_place(struct acceptor *acceptor)
{
	struct stat info;

	if (lstat(acceptor->path, &info) < 0)
		return;
	acceptor->device = info.st_dev;
	acceptor->inode = info.st_ino;
}

/* A successor of ours may have put its own socket there already. */
static void
remove_place(const struct acceptor *acceptor)
{
	struct stat info;

	if (lstat(acceptor->path, &info) == 0 && info.st_dev == acceptor->device &&
	    info.st_ino == acceptor->inode)
		unlink(acceptor->path);
}

int
acceptor_new(
    const char *path, mode_t mode, acceptor_func on_connection, void *data, struct acceptor **ret)
{
	struct acceptor *acceptor;
	int fd = local_socket_listen(path, mode);

	if (fd < 0)
		return fd;
	acceptor = g_new0(struct acceptor, 1);
	acceptor->path = g_strdup(path);
	acceptor->fd = fd;
	acceptor->on_connection = on_connection;
	acceptor->data = data;
	remember_place(acceptor);
	watch(acceptor);
	*ret = acceptor;
	return 0;
}

void
acceptor_free(struct acceptor *acceptor)
{
	if (acceptor == NULL)
		return;
	unwatch(acceptor);
	remove_place(acceptor);
	close(acceptor->fd);
	g_free(acceptor->path);
	g_free(acceptor);
}

void
acceptor_pause(struct acceptor *acceptor, bool pause)
{
	acceptor->paused = pause;
	if (pause)
		unwatch(acceptor);
	else
		watch(acceptor);
}
