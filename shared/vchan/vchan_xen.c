/*
 * The transport "xen": libxenvchan, rings in granted memory and an event channel.
 *
 * A module of its own (vchan-xen.so): Debian's library is tied to the version of Xen, and nobody
 * but users of Xen should need it.
 *
 * Talks to: the peer domain, which shares the rings with us and may write anything into them at any
 *           time (libxenvchan reads an index once and checks it); and xenstore, which is trusted.
 *
 * Waiting for a server: libxenvchan cannot; a watch on the server's place in xenstore can.
 *
 * The end of a whole domain: no event comes, and the channel still says that it is open. A watch on
 * "@releaseDomain" tells, where we may have it; an unprivileged domain may not.
 *
 * Wakes: the event channel tells of news only once. Every dispatch looks at everything.
 */
#include "shared/vchan/ring.h"
#include "shared/vchan/transport.h"

#include <errno.h>
#include <libxenvchan.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <xenstore.h>

struct xen_vchan {
	struct vchan vchan;          /* first: it is a vchan */
	struct libxenvchan *channel; /* owned; NULL while connecting */
	struct xs_handle *store;     /* owned */
	struct ring ring;            /* output that the shared ring has no room for */
	char *path;                  /* owned; the server's place in xenstore */
	int epoll_fd;                /* owned */
	uint32_t domain;             /* the peer */
	bool starved;                /* a write was refused for want of room */
};

/* Found by its name, VCHAN_XEN_SYMBOL. */
int vchan_xen_open(
    const struct vchan_spec *spec, const struct vchan_endpoint *endpoint, struct vchan **ret);

static struct xen_vchan *
xen_of(struct vchan *vchan)
{
	return (struct xen_vchan *)vchan;
}

static const struct xen_vchan *
xen_of_const(const struct vchan *vchan)
{
	return (const struct xen_vchan *)vchan;
}

static int
watch_fd(struct xen_vchan *xen, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(xen->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void
disconnect(struct xen_vchan *xen, int error)
{
	if (xen->vchan.state == VCHAN_CLOSED)
		return;
	epoll_ctl(xen->epoll_fd, EPOLL_CTL_DEL, xs_fileno(xen->store), NULL);
	if (xen->channel != NULL)
		epoll_ctl(
		    xen->epoll_fd, EPOLL_CTL_DEL, libxenvchan_fd_for_select(xen->channel), NULL);
	xen->vchan.events |= VCHAN_EVENT_INPUT; /* the rest, or the end */
	vchan_enter(&xen->vchan, VCHAN_CLOSED, error);
}

static void
flush(struct xen_vchan *xen)
{
	struct iovec segments[2];

	while (ring_segments(&xen->ring, segments) > 0) {
		int n = libxenvchan_write(xen->channel, segments[0].iov_base, segments[0].iov_len);

		if (n < 0) {
			disconnect(xen, 0);
			return;
		}
		if (n == 0)
			break;
		ring_drop(&xen->ring, (size_t)n);
	}
	if (xen->starved && ring_room(&xen->ring) > 0) {
		xen->starved = false;
		xen->vchan.events |= VCHAN_EVENT_ROOM;
	}
}

/* Forgets which watches have fired: all that they could mean is looked at. */
static void
take_watches(struct xen_vchan *xen)
{
	char **fired;

	while ((fired = xs_check_watch(xen->store)) != NULL)
		free(fired);
}

/* libxenvchan_wait() would block when nothing is pending. */
static void
take_event(struct xen_vchan *xen)
{
	struct pollfd pollfd = {
	    .fd = libxenvchan_fd_for_select(xen->channel),
	    .events = POLLIN,
	};

	if (poll(&pollfd, 1, 0) == 1)
		libxenvchan_wait(xen->channel);
}

static int
adopt(struct xen_vchan *xen, struct libxenvchan *channel)
{
	xen->channel = channel;
	channel->blocking = 0;
	return watch_fd(xen, libxenvchan_fd_for_select(channel));
}

/* Whether the server has finished announcing itself; asking first keeps the library quiet. */
static bool
server_is_there(struct xen_vchan *xen)
{
	g_autofree char *key = g_strconcat(xen->path, "/event-channel", NULL);
	void *value = xs_read(xen->store, XBT_NULL, key, NULL);

	free(value);
	return value != NULL;
}

static void
try_to_connect(struct xen_vchan *xen)
{
	struct libxenvchan *channel;
	int r;

	if (!server_is_there(xen))
		return;
	channel = libxenvchan_client_init(NULL, (int)xen->domain, xen->path);
	if (channel == NULL)
		return; /* it has gone again: the next one fires the watch */
	r = adopt(xen, channel);
	if (r < 0)
		disconnect(xen, r);
	else
		vchan_enter(&xen->vchan, VCHAN_CONNECTED, 0);
}

static bool
peer_has_gone(struct xen_vchan *xen)
{
	return libxenvchan_is_open(xen->channel) == 0 ||
	       (xen->domain != 0 && !xs_is_domain_introduced(xen->store, xen->domain));
}

static void
look_at_channel(struct xen_vchan *xen)
{
	if (xen->vchan.state == VCHAN_LISTENING && libxenvchan_is_open(xen->channel) == 1)
		vchan_enter(&xen->vchan, VCHAN_CONNECTED, 0);
	if (libxenvchan_data_ready(xen->channel) > 0)
		xen->vchan.events |= VCHAN_EVENT_INPUT;
	flush(xen);
	if (xen->vchan.state != VCHAN_CLOSED && peer_has_gone(xen))
		disconnect(xen, 0);
}

static void
xen_dispatch(struct vchan *vchan)
{
	struct xen_vchan *xen = xen_of(vchan);

	if (vchan->state == VCHAN_CLOSED)
		return;
	take_watches(xen);
	if (xen->channel == NULL)
		try_to_connect(xen);
	if (xen->channel == NULL)
		return;
	take_event(xen);
	look_at_channel(xen);
}

static ssize_t
xen_read(struct vchan *vchan, void *buffer, size_t len)
{
	struct xen_vchan *xen = xen_of(vchan);
	int n = 0;

	if (xen->channel != NULL)
		n = libxenvchan_read(xen->channel, buffer, MIN(len, (size_t)INT_MAX));
	if (n > 0)
		return n;
	if (n < 0)
		disconnect(xen, 0);
	vchan->events &= ~VCHAN_EVENT_INPUT;
	return vchan->state == VCHAN_CLOSED ? vchan->error : -EAGAIN;
}

static ssize_t
xen_write(struct vchan *vchan, const void *bytes, size_t len)
{
	struct xen_vchan *xen = xen_of(vchan);

	len = ring_put(&xen->ring, bytes, len);
	if (len == 0) {
		xen->starved = true;
		return -EAGAIN;
	}
	if (xen->channel != NULL)
		flush(xen);
	return vchan->state == VCHAN_CLOSED ? -EPIPE : (ssize_t)len;
}

static size_t
xen_room(const struct vchan *vchan)
{
	return ring_room(&xen_of_const(vchan)->ring);
}

static size_t
xen_queued(const struct vchan *vchan)
{
	return xen_of_const(vchan)->ring.used;
}

static int
xen_fd(const struct vchan *vchan)
{
	return xen_of_const(vchan)->epoll_fd;
}

static void
xen_close(struct vchan *vchan)
{
	struct xen_vchan *xen = xen_of(vchan);

	if (xen->channel != NULL)
		libxenvchan_close(xen->channel);
	if (xen->store != NULL)
		xs_close(xen->store);
	if (xen->epoll_fd >= 0)
		close(xen->epoll_fd);
	ring_fini(&xen->ring);
	g_free(xen->path);
	g_free(xen);
}

static const struct vchan_calls xen_calls = {
    .close = xen_close,
    .read = xen_read,
    .write = xen_write,
    .room = xen_room,
    .queued = xen_queued,
    .fd = xen_fd,
    .dispatch = xen_dispatch,
};

static int
open_server(struct xen_vchan *xen, const struct vchan_endpoint *endpoint)
{
	struct libxenvchan *channel;

	/* Relative to our own domain's place. */
	xen->path = g_strdup_printf("data/vchan/%u/%u", endpoint->domain, endpoint->port);
	errno = 0;
	channel = libxenvchan_server_init(
	    NULL, (int)endpoint->domain, xen->path, endpoint->ring_bytes, endpoint->ring_bytes);
	if (channel == NULL)
		return errno != 0 ? -errno : -EIO;
	return adopt(xen, channel);
}

/* A watch fires at once when it is set: the first dispatch looks whether the server is there. */
static int
open_client(struct xen_vchan *xen, const struct vchan_endpoint *endpoint)
{
	char *own_domain = xs_read(xen->store, XBT_NULL, "domid", NULL);

	if (own_domain == NULL)
		return -errno;
	xen->path = g_strdup_printf("/local/domain/%u/data/vchan/%lu/%u", endpoint->domain,
	    strtoul(own_domain, NULL, 10), endpoint->port);
	free(own_domain);
	return xs_watch(xen->store, xen->path, "server") ? 0 : -errno;
}

static int
open_xen(struct xen_vchan *xen, const struct vchan_endpoint *endpoint)
{
	int r;

	xen->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (xen->epoll_fd < 0)
		return -errno;
	xen->store = xs_open(0);
	if (xen->store == NULL)
		return -errno;
	r = watch_fd(xen, xs_fileno(xen->store));
	if (r < 0)
		return r;
	xs_watch(xen->store, "@releaseDomain", "domain"); /* refused where we have no right */
	return endpoint->role == VCHAN_LISTENING ? open_server(xen, endpoint)
						 : open_client(xen, endpoint);
}

int
vchan_xen_open(
    const struct vchan_spec *spec, const struct vchan_endpoint *endpoint, struct vchan **ret)
{
	struct xen_vchan *xen = g_new0(struct xen_vchan, 1);
	int r;

	(void)spec;
	xen->vchan.calls = &xen_calls;
	xen->vchan.state = endpoint->role;
	xen->domain = endpoint->domain;
	ring_init(&xen->ring, endpoint->ring_bytes);
	r = open_xen(xen, endpoint);
	if (r < 0) {
		xen_close(&xen->vchan);
		return r;
	}
	*ret = &xen->vchan;
	return 0;
}
