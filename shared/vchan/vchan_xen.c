/*
 * The transport "xen": libxenvchan, rings in granted memory and an event channel.
 *
 * A module of its own (vchan-xen.so): Debian's library is tied to the version of Xen, and nobody
 * but users of Xen should need it.
 *
 * Talks to: the peer domain, which shares the rings with us and may write anything into them at any
 *           time; and xenstore, which is trusted and may be waited for. libxenvchan reads an index
 *           once, masks it with a size that we keep to ourselves, and takes a fill level that cannot
 *           be for "nothing": a peer that writes nonsense makes its own stream nonsense or still.
 *           What it can wake us for is a look at the ring, as often as it sends events.
 *
 * Rings:    64 KiB each way in pages of their own (33 grants); smaller where grants are short.
 *
 * Waiting for a server: libxenvchan cannot; a watch on the server's place in xenstore can. A place
 *           whose owner was killed looks like a server and is none: the attempt fails and is made
 *           again, each second and whenever something changes there.
 *
 * One peer: the server takes its place in xenstore back as soon as the client is here, so that no
 *           second client disturbs the rings, and a dead server leaves no place behind.
 *
 * The end of the peer's process: its kernel clears a byte in the shared page and sends an event.
 *
 * The end of a whole domain: no event comes, and the channel still says that it is open. Domain 0
 *           watches "@releaseDomain". Another domain may set that watch but is never told, and may
 *           not ask xenstore for a domain either. So between two of those each end has a sign in
 *           its own domain's part of xenstore, for the peer to read; the toolstack removes it with
 *           the domain, and a watch tells the peer. An end of another make has no sign: of its
 *           domain's end nobody is told. Domain 0 does not end.
 *
 * The end:  what the peer has left in the ring is copied, and everything shared is given up at once.
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
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

#define SHARED_RING_BYTES 65536
#define SHARED_RING_BYTES_LEAST 1024 /* both fit into the one page that is needed anyway */
#define RETRY_INTERVAL_S 1

struct xen_vchan {
	struct vchan vchan;          /* first: it is a vchan */
	struct libxenvchan *channel; /* owned; NULL while connecting, and when CLOSED */
	struct xs_handle *store;     /* owned; NULL when CLOSED */
	struct ring ring;            /* output that the shared ring has no room for */
	GByteArray *rest;            /* owned; what was unread at the end, NULL before */
	size_t rest_read;            /* bytes of it */
	char *path;                  /* owned; the server's place in xenstore */
	int epoll_fd, timer_fd;      /* owned */
	uint32_t domain, own_domain; /* the peer; we */
	char *own_sign, *peer_sign;  /* owned; NULL where domain 0 is an end */
	bool peer_sign_seen;
	bool waits;     /* an attempt failed: the next one comes with the timer */
	bool announced; /* path is there, and ours to take away */
	bool starved;   /* a write was refused for want of room */
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

/* --- the server's place in xenstore ---------------------------------------------------------- */

static char *
place_of(uint32_t server, uint32_t client, uint32_t port)
{
	return g_strdup_printf("/local/domain/%u/data/vchan/%u/%u", server, client, port);
}

/* Removes the folder of all places for one client, when it was the last of them. */
static void
remove_empty_parent(struct xs_handle *store, const char *path)
{
	g_autofree char *parent = g_path_get_dirname(path);
	bool again = true;

	while (again) {
		xs_transaction_t transaction = xs_transaction_start(store);
		unsigned count = 0;
		char **places = xs_directory(store, transaction, parent, &count);

		if (places != NULL && count == 0)
			xs_rm(store, transaction, parent);
		free(places);
		again = !xs_transaction_end(store, transaction, false) && errno == EAGAIN;
	}
}

/* Nobody connects to us any more. The library must not do this later, to a successor's place. */
static void
withdraw(struct xen_vchan *xen)
{
	if (!xen->announced)
		return;
	xen->announced = false;
	free(xen->channel->xs_path);
	xen->channel->xs_path = NULL;
	xs_rm(xen->store, XBT_NULL, xen->path);
	remove_empty_parent(xen->store, xen->path);
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

/* --- is the other domain there? -------------------------------------------------------------- */

static char *
sign_of(uint32_t domain, uint32_t peer, enum vchan_state role, uint32_t port)
{
	return g_strdup_printf("/local/domain/%u/data/vchan-end/%u/%s-%u", domain, peer,
	    role == VCHAN_LISTENING ? "server" : "client", port);
}

static int
put_up_signs(struct xen_vchan *xen, const struct vchan_endpoint *endpoint)
{
	struct xs_permissions permissions[] = {
	    {.id = xen->own_domain, .perms = XS_PERM_NONE},
	    {.id = xen->domain, .perms = XS_PERM_READ},
	};
	enum vchan_state other =
	    endpoint->role == VCHAN_LISTENING ? VCHAN_CONNECTING : VCHAN_LISTENING;

	if (xen->own_domain == 0 || xen->domain == 0)
		return 0;
	xen->own_sign = sign_of(xen->own_domain, xen->domain, endpoint->role, endpoint->port);
	xen->peer_sign = sign_of(xen->domain, xen->own_domain, other, endpoint->port);
	if (!xs_write(xen->store, XBT_NULL, xen->own_sign, "1", 1) ||
	    !xs_set_permissions(
		xen->store, XBT_NULL, xen->own_sign, permissions, G_N_ELEMENTS(permissions)) ||
	    !xs_watch(xen->store, xen->peer_sign, "sign"))
		return -errno;
	return 0;
}

static void
take_down_sign(struct xen_vchan *xen)
{
	if (xen->own_sign == NULL)
		return;
	xs_rm(xen->store, XBT_NULL, xen->own_sign);
	remove_empty_parent(xen->store, xen->own_sign);
}

static bool
sign_has_gone(struct xen_vchan *xen)
{
	void *value;

	if (xen->vchan.state != VCHAN_CONNECTED)
		return false; /* who has only waited for us may have gone, and another may come */
	value = xs_read(xen->store, XBT_NULL, xen->peer_sign, NULL);
	if (value != NULL) {
		free(value);
		xen->peer_sign_seen = true;
		return false;
	}
	return xen->peer_sign_seen;
}

static bool
domain_has_gone(struct xen_vchan *xen)
{
	if (xen->peer_sign != NULL)
		return sign_has_gone(xen);
	return xen->domain != 0 && !xs_is_domain_introduced(xen->store, xen->domain);
}

/* --- the end --------------------------------------------------------------------------------- */

/* Copies what the peer has left, at most a ring full: what it writes meanwhile is not waited for. */
static void
keep_rest(struct xen_vchan *xen)
{
	size_t most = (size_t)1 << xen->channel->read.order;

	xen->rest = g_byte_array_sized_new((guint)most);
	g_byte_array_set_size(xen->rest, (guint)most);
	for (size_t have = 0;;) {
		int n = have < most
			    ? libxenvchan_read(xen->channel, xen->rest->data + have, most - have)
			    : 0;

		if (n <= 0) {
			g_byte_array_set_size(xen->rest, (guint)have);
			return;
		}
		have += (size_t)n;
	}
}

/* By name: while a forked child has it open too, closing a descriptor does not do that. */
static void
unwatch_fd(struct xen_vchan *xen, int fd)
{
	epoll_ctl(xen->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static void
release(struct xen_vchan *xen)
{
	if (xen->channel != NULL) {
		withdraw(xen);
		unwatch_fd(xen, libxenvchan_fd_for_select(xen->channel));
		g_clear_pointer(&xen->channel, libxenvchan_close);
	}
	if (xen->store != NULL) {
		take_down_sign(xen);
		unwatch_fd(xen, xs_fileno(xen->store));
		g_clear_pointer(&xen->store, xs_close);
	}
	if (xen->timer_fd >= 0) {
		unwatch_fd(xen, xen->timer_fd);
		close(xen->timer_fd);
		xen->timer_fd = -1;
	}
}

static void
disconnect(struct xen_vchan *xen, int error)
{
	if (xen->vchan.state == VCHAN_CLOSED)
		return;
	if (xen->channel != NULL)
		keep_rest(xen);
	release(xen);
	xen->vchan.events |= VCHAN_EVENT_INPUT; /* the rest, or the end */
	vchan_enter(&xen->vchan, VCHAN_CLOSED, error);
}

/* --- output ---------------------------------------------------------------------------------- */

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

/* --- news ------------------------------------------------------------------------------------ */

/* Has a watch fired, no matter which? All that they could mean is looked at. */
static bool
take_watches(struct xen_vchan *xen)
{
	char **fired;
	bool any = false;

	while ((fired = xs_check_watch(xen->store)) != NULL) {
		free(fired);
		any = true;
	}
	return any;
}

static bool
take_timer(struct xen_vchan *xen)
{
	uint64_t ticks;

	return read(xen->timer_fd, &ticks, sizeof(ticks)) == (ssize_t)sizeof(ticks);
}

static void
set_timer(struct xen_vchan *xen, bool on)
{
	time_t interval_s = on ? RETRY_INTERVAL_S : 0;
	struct itimerspec every = {{interval_s, 0}, {interval_s, 0}};

	timerfd_settime(xen->timer_fd, 0, &every, NULL);
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

static void
enter_connected(struct xen_vchan *xen)
{
	vchan_enter(&xen->vchan, VCHAN_CONNECTED, 0);
	if (xen->peer_sign != NULL)
		(void)sign_has_gone(xen); /* sees it: the watch may have fired before */
}

static void
try_to_connect(struct xen_vchan *xen)
{
	struct libxenvchan *channel;
	int r;

	if (!server_is_there(xen))
		return;
	channel = libxenvchan_client_init(NULL, (int)xen->domain, xen->path);
	if (channel == NULL) {
		set_timer(xen, true); /* what is there may be a dead server's */
		xen->waits = true;    /* or its peer writes there in a loop */
		return;
	}
	r = adopt(xen, channel);
	if (r < 0) {
		disconnect(xen, r);
		return;
	}
	xs_unwatch(xen->store, xen->path, "server"); /* it counts against our domain's quota */
	set_timer(xen, false);
	enter_connected(xen);
}

static void
look_at_channel(struct xen_vchan *xen)
{
	if (xen->vchan.state == VCHAN_LISTENING && libxenvchan_is_open(xen->channel) == 1) {
		withdraw(xen);
		enter_connected(xen);
	}
	if (libxenvchan_data_ready(xen->channel) > 0)
		xen->vchan.events |= VCHAN_EVENT_INPUT;
	flush(xen);
	if (xen->vchan.state != VCHAN_CLOSED && libxenvchan_is_open(xen->channel) == 0)
		disconnect(xen, 0);
}

static void
xen_dispatch(struct vchan *vchan)
{
	struct xen_vchan *xen = xen_of(vchan);
	bool was_told, timed_out, has_gone;

	if (vchan->state == VCHAN_CLOSED)
		return;
	was_told = take_watches(xen);
	timed_out = take_timer(xen);
	was_told |= timed_out;
	has_gone = was_told && domain_has_gone(xen);
	if (timed_out)
		xen->waits = false;
	if (xen->channel == NULL && was_told && !xen->waits && !has_gone)
		try_to_connect(xen);
	if (xen->channel != NULL) {
		take_event(xen);
		look_at_channel(xen);
	}
	if (has_gone)
		disconnect(xen, vchan->state == VCHAN_CONNECTED ? 0 : -ENOENT);
}

/* --- the calls ------------------------------------------------------------------------------- */

static ssize_t
read_rest(struct xen_vchan *xen, void *buffer, size_t len)
{
	if (xen->rest == NULL)
		return 0;
	len = MIN(len, xen->rest->len - xen->rest_read);
	if (len == 0)
		return 0;
	memcpy(buffer, xen->rest->data + xen->rest_read, len);
	xen->rest_read += len;
	return (ssize_t)len;
}

static ssize_t
xen_read(struct vchan *vchan, void *buffer, size_t len)
{
	struct xen_vchan *xen = xen_of(vchan);
	ssize_t n = 0;

	if (xen->channel != NULL) {
		n = libxenvchan_read(xen->channel, buffer, MIN(len, (size_t)INT_MAX));
		if (n < 0)
			disconnect(xen, 0);
	}
	if (vchan->state == VCHAN_CLOSED)
		n = read_rest(xen, buffer, len);
	if (n > 0)
		return n;
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

	release(xen);
	if (xen->epoll_fd >= 0)
		close(xen->epoll_fd);
	if (xen->rest != NULL)
		g_byte_array_unref(xen->rest);
	ring_fini(&xen->ring);
	g_free(xen->own_sign);
	g_free(xen->peer_sign);
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

/* --- opening --------------------------------------------------------------------------------- */

static int
open_server(struct xen_vchan *xen, uint32_t port)
{
	struct libxenvchan *channel = NULL;

	xen->path = place_of(xen->own_domain, xen->domain, port);
	errno = 0;
	for (size_t bytes = SHARED_RING_BYTES; channel == NULL && bytes >= SHARED_RING_BYTES_LEAST;
	     bytes /= 4)
		channel = libxenvchan_server_init(NULL, (int)xen->domain, xen->path, bytes, bytes);
	if (channel == NULL)
		return errno != 0 ? -errno : -EIO;
	xen->announced = true;
	return adopt(xen, channel);
}

/* A watch fires at once when it is set: the first dispatch looks whether the server is there. */
static int
open_client(struct xen_vchan *xen, uint32_t port)
{
	xen->path = place_of(xen->domain, xen->own_domain, port);
	return xs_watch(xen->store, xen->path, "server") ? 0 : -errno;
}

static int
read_own_domain(struct xen_vchan *xen)
{
	char *text = xs_read(xen->store, XBT_NULL, "domid", NULL);

	if (text == NULL)
		return -errno;
	xen->own_domain = (uint32_t)strtoul(text, NULL, 10);
	free(text);
	return 0;
}

static int
open_store(struct xen_vchan *xen)
{
	int r;

	xen->store = xs_open(0);
	if (xen->store == NULL)
		return -errno;
	r = read_own_domain(xen);
	if (r < 0)
		return r;
	if (xen->own_domain == 0 && !xs_watch(xen->store, "@releaseDomain", "domain"))
		return -errno;
	return watch_fd(xen, xs_fileno(xen->store));
}

static int
open_xen(struct xen_vchan *xen, const struct vchan_endpoint *endpoint)
{
	int r;

	xen->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	xen->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (xen->epoll_fd < 0 || xen->timer_fd < 0)
		return -errno;
	r = watch_fd(xen, xen->timer_fd);
	if (r == 0)
		r = open_store(xen);
	if (r == 0)
		r = put_up_signs(xen, endpoint);
	if (r < 0)
		return r;
	return endpoint->role == VCHAN_LISTENING ? open_server(xen, endpoint->port)
						 : open_client(xen, endpoint->port);
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
	xen->epoll_fd = xen->timer_fd = -1;
	ring_init(&xen->ring, endpoint->ring_bytes);
	r = open_xen(xen, endpoint);
	if (r < 0) {
		xen_close(&xen->vchan);
		return r;
	}
	*ret = &xen->vchan;
	return 0;
}
