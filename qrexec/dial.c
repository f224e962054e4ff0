#include "qrexec/dial.h"

#include "qrexec/local_socket.h"
#include "qrexec/service_lookup.h"

#include <errno.h>
#include <glib-unix.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_MS 10000
#define RETRY_MS 20

struct dial {
	char *path; /* owned: of a socket; NULL for TCP */
	int fd;     /* owned: of TCP, while it is being connected; -1 */
	int error;  /* known at once, told from the loop */
	guint fd_source, timer;
	gint64 deadline_us;
	dial_done done;
	void *data; /* borrowed from the caller */
};

static struct dial *
dial_alloc(dial_done done, void *data)
{
	struct dial *dial = g_new0(struct dial, 1);

	dial->fd = -1;
	dial->deadline_us = g_get_monotonic_time() + (gint64)TIMEOUT_MS * 1000;
	dial->done = done;
	dial->data = data;
	return dial;
}

void
dial_free(struct dial *dial)
{
	if (dial == NULL)
		return;
	if (dial->fd_source != 0)
		g_source_remove(dial->fd_source);
	if (dial->timer != 0)
		g_source_remove(dial->timer);
	if (dial->fd >= 0)
		close(dial->fd);
	g_free(dial->path);
	g_free(dial);
}

static gboolean
on_try_socket(gpointer data)
{
	struct dial *dial = data;
	int fd = local_socket_connect(dial->path);

	dial->timer = 0;
	if (fd == -EAGAIN && g_get_monotonic_time() < dial->deadline_us)
		dial->timer = g_timeout_add(RETRY_MS, on_try_socket, dial);
	else
		dial->done(fd, dial->data);
	return G_SOURCE_REMOVE;
}

struct dial *
dial_socket(const char *path, dial_done done, void *data)
{
	struct dial *dial = dial_alloc(done, data);

	dial->path = g_strdup(path);
	dial->timer = g_idle_add(on_try_socket, dial);
	return dial;
}

static gboolean
on_tcp_connected(gint fd, GIOCondition condition, gpointer data)
{
	struct dial *dial = data;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)condition;
	dial->fd_source = 0;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error == 0)
		dial->fd = -1; /* the callee's from here */
	dial->done(error == 0 ? fd : -error, dial->data);
	return G_SOURCE_REMOVE;
}

static gboolean
on_tcp_failed(gpointer data)
{
	struct dial *dial = data;

	dial->timer = 0;
	dial->done(dial->error, dial->data);
	return G_SOURCE_REMOVE;
}

static int
tcp_start(const char *host, const char *port, int *ret)
{
	struct addrinfo hints = {
	    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct addrinfo *address;
	int fd, r = 0;

	if (getaddrinfo(host, port, &hints, &address) != 0)
		return -EINVAL;
	fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
	    (connect(fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS))
		r = -errno;
	freeaddrinfo(address);
	if (r < 0 && fd >= 0)
		close(fd);
	if (r == 0)
		*ret = fd;
	return r;
}

struct dial *
dial_tcp(const char *link, const char *argument, dial_done done, void *data)
{
	struct dial *dial = dial_alloc(done, data);
	g_autofree char *host = NULL;
	g_autofree char *port = NULL;
	int r;

	r = service_tcp_parse(link, argument, &host, &port);
	if (r == 0)
		r = tcp_start(host, port, &dial->fd);
	if (r < 0) {
		dial->error = r;
		dial->timer = g_idle_add(on_tcp_failed, dial);
		return dial;
	}
	dial->error = -ETIMEDOUT;
	dial->fd_source = g_unix_fd_add(dial->fd, G_IO_OUT, on_tcp_connected, dial);
	dial->timer = g_timeout_add(TIMEOUT_MS, on_tcp_failed, dial);
	return dial;
}
