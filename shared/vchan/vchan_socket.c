/*
 * The transport "socket": plain unix stream sockets in a folder,
 * vchan.<server>.<client>.<port>.sock.
 *
 * Talks to: any program that speaks a plain stream socket, so also to what was built for the
 *   existing socket transport. No header, no handshake, no credentials.
 * Trust: whoever can write to the folder can take any part; it is for tests, and for folders that
 *   only one side of the trust border can reach.
 */
#include "shared/unix_socket.h"
#include "shared/vchan/retry.h"
#include "shared/vchan/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 1

struct server {
	struct rendezvous rendezvous;
	char *path;         /* owned */
	struct stat socket; /* the file we made: another server may have replaced it since */
	int listen_fd;      /* owned; -1 once the one client has come */
};

struct client {
	struct rendezvous rendezvous;
	char *path; /* owned */
	struct retry retry;
	int fd; /* owned; -1 once handed over */
};

static char *
socket_path(const char *dir, uint32_t server, uint32_t client, uint32_t port)
{
	return g_strdup_printf("%s/vchan.%u.%u.%u.sock", dir, server, client, port);
}

/* Takes the one connection that there will be. */
static int
server_step(struct rendezvous *rendezvous)
{
	struct server *server = (struct server *)rendezvous;
	int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
		return rendezvous_wait_for(rendezvous, server->listen_fd);
	if (fd < 0)
		return -errno;
	close(server->listen_fd);
	server->listen_fd = -1;
	return fd;
}

/* Removes the file, unless it has become somebody else's. */
static void
unlink_own(const struct server *server)
{
	struct stat now;

	if (lstat(server->path, &now) == 0 && now.st_dev == server->socket.st_dev &&
	    now.st_ino == server->socket.st_ino)
		unlink(server->path);
}

static void
server_free(struct rendezvous *rendezvous)
{
	struct server *server = (struct server *)rendezvous;

	if (server->socket.st_ino != 0)
		unlink_own(server);
	if (server->listen_fd >= 0)
		close(server->listen_fd);
	g_free(server->path);
	g_free(server);
}

static int
server_bind(struct server *server)
{
	struct sockaddr_un address;
	int r;

	r = unix_socket_address(server->path, &address);
	if (r < 0)
		return r;
	if (unlink(server->path) < 0 && errno != ENOENT)
		return -errno;
	server->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->listen_fd < 0 ||
	    bind(server->listen_fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    lstat(server->path, &server->socket) < 0 || listen(server->listen_fd, BACKLOG) < 0)
		return -errno;
	return 0;
}

static int
open_server(const char *path, const struct vchan_endpoint *endpoint, struct vchan **ret)
{
	struct server *server = g_new0(struct server, 1);
	int r;

	server->rendezvous.step = server_step;
	server->rendezvous.free = server_free;
	server->path = g_strdup(path);
	server->listen_fd = -1;
	r = server_bind(server);
	if (r < 0) {
		server_free(&server->rendezvous);
		return r;
	}
	return stream_new(&server->rendezvous, endpoint, ret);
}

/* No server yet, or one whose backlog is full. */
static bool
is_worth_a_retry(int error)
{
	return error == -ENOENT || error == -ECONNREFUSED || error == -EAGAIN || error == -EINTR;
}

static int
client_retry_later(struct client *client)
{
	int r = retry_later(&client->retry);

	return r < 0 ? r : rendezvous_wait_for(&client->rendezvous, client->retry.timer_fd);
}

static int
client_step(struct rendezvous *rendezvous)
{
	struct client *client = (struct client *)rendezvous;
	int r, fd;

	r = unix_socket_connect(client->fd, client->path);
	if (r < 0)
		return is_worth_a_retry(r) ? client_retry_later(client) : r;
	retry_fini(&client->retry);
	fd = client->fd;
	client->fd = -1;
	return fd;
}

static void
client_free(struct rendezvous *rendezvous)
{
	struct client *client = (struct client *)rendezvous;

	retry_fini(&client->retry);
	if (client->fd >= 0)
		close(client->fd);
	g_free(client->path);
	g_free(client);
}

static int
open_client(const char *path, const struct vchan_endpoint *endpoint, struct vchan **ret)
{
	struct client *client;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	client = g_new0(struct client, 1);
	client->rendezvous.step = client_step;
	client->rendezvous.free = client_free;
	client->path = g_strdup(path);
	client->fd = fd;
	retry_init(&client->retry);
	return stream_new(&client->rendezvous, endpoint, ret);
}

int
vchan_socket_open(
    const struct vchan_spec *spec, const struct vchan_endpoint *endpoint, struct vchan **ret)
{
	g_autofree char *path = NULL;

	if (endpoint->role == VCHAN_LISTENING) {
		path = socket_path(spec->path, spec->own_domain, endpoint->domain, endpoint->port);
		return open_server(path, endpoint, ret);
	}
	path = socket_path(spec->path, endpoint->domain, spec->own_domain, endpoint->port);
	return open_client(path, endpoint, ret);
}
