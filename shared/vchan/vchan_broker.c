/*
 * The transport "broker": both ends ask vchan-broker over their domain's socket, and each is handed
 * one end of a socket pair.
 *
 * Talks to: the broker, which this side trusts to name the peer; and to the peer, whose bytes are
 *   the stream's and are not looked at here.
 * The connection to the broker is kept as long as the vchan: it tells the broker that this end is
 * still there. If the broker goes away an established vchan goes on.
 */
#include "shared/unix_socket.h"
#include "shared/vchan/broker_wire.h"
#include "shared/vchan/retry.h"
#include "shared/vchan/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

struct asking {
	struct rendezvous rendezvous;
	struct broker_wire_request request;
	char *path; /* owned; the domain's socket of the broker */
	struct retry retry;
	int fd;     /* owned */
	bool asked; /* the request is on its way: a reply will come */
};

/* The socket's backlog is full: somebody else of this domain is asking a lot. */
static int
ask_later(struct asking *asking)
{
	int r = retry_later(&asking->retry);

	return r < 0 ? r : rendezvous_wait_for(&asking->rendezvous, asking->retry.timer_fd);
}

static int
ask(struct asking *asking)
{
	int r;

	r = unix_socket_connect(asking->fd, asking->path);
	if (r == -EAGAIN || r == -EINTR)
		return ask_later(asking);
	if (r < 0)
		return r;
	retry_fini(&asking->retry);
	r = unix_socket_send(asking->fd, &asking->request, sizeof(asking->request), -1);
	/* -EPIPE: it was refused before it was asked; the reply is there. */
	if (r < 0 && r != -EPIPE)
		return r;
	asking->asked = true;
	return rendezvous_wait_for(&asking->rendezvous, asking->fd);
}

static int
hear(struct asking *asking)
{
	struct broker_wire_reply reply;
	int fd = -1;
	ssize_t n;

	n = unix_socket_receive(asking->fd, &reply, sizeof(reply), &fd);
	if (n == -EAGAIN)
		return -EAGAIN;
	rendezvous_unwatch(&asking->rendezvous, asking->fd);
	if (n < 0)
		return (int)n;
	if (n == 0)
		return -ECONNRESET;
	if (n == sizeof(reply) && reply.status == 0 && fd >= 0)
		return fd;
	if (fd >= 0)
		close(fd);
	/* -EAGAIN would mean "not yet" to the caller. */
	return n == sizeof(reply) && reply.status < 0 && reply.status != -EAGAIN ? reply.status
										 : -EPROTO;
}

static int
asking_step(struct rendezvous *rendezvous)
{
	struct asking *asking = (struct asking *)rendezvous;

	return asking->asked ? hear(asking) : ask(asking);
}

static void
asking_free(struct rendezvous *rendezvous)
{
	struct asking *asking = (struct asking *)rendezvous;

	retry_fini(&asking->retry);
	close(asking->fd);
	g_free(asking->path);
	g_free(asking);
}

int
vchan_broker_open(
    const struct vchan_spec *spec, const struct vchan_endpoint *endpoint, struct vchan **ret)
{
	struct asking *asking;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	asking = g_new0(struct asking, 1);
	asking->rendezvous.step = asking_step;
	asking->rendezvous.free = asking_free;
	asking->path = g_strdup(spec->path);
	asking->fd = fd;
	asking->request = (struct broker_wire_request){
	    .version = BROKER_VERSION,
	    .type = endpoint->role == VCHAN_LISTENING ? BROKER_LISTEN : BROKER_CONNECT,
	    .domain = endpoint->domain,
	    .port = endpoint->port,
	};
	retry_init(&asking->retry);
	return stream_new(&asking->rendezvous, endpoint, ret);
}
