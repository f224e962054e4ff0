#include "shared/vchan/stream.h"

#include "shared/vchan/ring.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_INPUT ((uint32_t)(EPOLLIN | EPOLLRDHUP | EPOLLET))
#define SOCKET_GONE ((uint32_t)(EPOLLRDHUP | EPOLLHUP | EPOLLERR))

struct stream {
	struct vchan vchan;            /* first: a stream is a vchan */
	struct rendezvous *rendezvous; /* owned */
	struct ring ring;              /* output */
	int epoll_fd;                  /* owned */
	int socket_fd;                 /* owned; -1 until connected */
	uint32_t interest;             /* what epoll watches the socket for */
	bool starved;                  /* a write was refused for want of room */
};

static struct stream *
stream_of(struct vchan *vchan)
{
	return (struct stream *)vchan;
}

static const struct stream *
stream_of_const(const struct vchan *vchan)
{
	return (const struct stream *)vchan;
}

int
rendezvous_wait_for(struct rendezvous *rendezvous, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	if (epoll_ctl(rendezvous->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 && errno != EEXIST)
		return -errno;
	return -EAGAIN;
}

void
rendezvous_unwatch(struct rendezvous *rendezvous, int fd)
{
	epoll_ctl(rendezvous->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* The end. The peer learns it too; what it sent before is still there to be read. */
static void
disconnect(struct stream *stream, int error)
{
	if (stream->socket_fd >= 0) {
		shutdown(stream->socket_fd, SHUT_WR);
		epoll_ctl(stream->epoll_fd, EPOLL_CTL_DEL, stream->socket_fd, NULL);
	}
	stream->vchan.events |= VCHAN_EVENT_INPUT; /* the rest, or the end of file */
	vchan_enter(&stream->vchan, VCHAN_CLOSED, error);
}

/* A reset is the peer's end as well: it left without reading everything. */
static int
meaning_of(int error)
{
	return error == -ECONNRESET || error == -EPIPE ? 0 : error;
}

static ssize_t
send_segments(struct stream *stream, struct iovec *segments, int count)
{
	struct msghdr message = {.msg_iov = segments, .msg_iovlen = (size_t)count};
	ssize_t sent;

	do
		sent = sendmsg(stream->socket_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

/* Watches the socket for room exactly while something waits for it. */
static void
update_interest(struct stream *stream)
{
	struct epoll_event event = {.events = SOCKET_INPUT};

	if (stream->ring.used > 0)
		event.events |= EPOLLOUT;
	if (stream->vchan.state != VCHAN_CONNECTED || event.events == stream->interest)
		return;
	if (epoll_ctl(stream->epoll_fd, EPOLL_CTL_MOD, stream->socket_fd, &event) < 0)
		disconnect(stream, -errno);
	else
		stream->interest = event.events;
}

static void
flush(struct stream *stream)
{
	struct iovec segments[2];
	int count;

	while ((count = ring_segments(&stream->ring, segments)) > 0) {
		ssize_t sent = send_segments(stream, segments, count);

		if (sent == -EAGAIN)
			break;
		if (sent < 0) {
			disconnect(stream, meaning_of((int)sent));
			return;
		}
		ring_drop(&stream->ring, (size_t)sent);
	}
	if (stream->starved && ring_room(&stream->ring) > 0) {
		stream->starved = false;
		stream->vchan.events |= VCHAN_EVENT_ROOM;
	}
	update_interest(stream);
}

/*
 * Takes over the connected socket. It is watched for output at first, so that the descriptor tells
 * of the new state even when the peer says nothing.
 */
static void
adopt(struct stream *stream, int socket_fd)
{
	struct epoll_event event = {.events = SOCKET_INPUT | EPOLLOUT};

	stream->socket_fd = socket_fd;
	stream->interest = event.events;
	if (epoll_ctl(stream->epoll_fd, EPOLL_CTL_ADD, socket_fd, &event) < 0)
		disconnect(stream, -errno);
	else
		vchan_enter(&stream->vchan, VCHAN_CONNECTED, 0);
}

static int
step(struct stream *stream)
{
	int fd = stream->rendezvous->step(stream->rendezvous);

	if (fd == -EAGAIN)
		return 0;
	if (fd < 0) {
		disconnect(stream, fd);
		return fd;
	}
	adopt(stream, fd);
	return 0;
}

static void
dispatch_connected(struct stream *stream, uint32_t happened)
{
	if (happened & (EPOLLIN | SOCKET_GONE))
		stream->vchan.events |= VCHAN_EVENT_INPUT;
	if (happened & SOCKET_GONE)
		disconnect(stream, 0);
	else if (happened & EPOLLOUT)
		flush(stream);
}

static void
stream_dispatch(struct vchan *vchan)
{
	struct stream *stream = stream_of(vchan);
	struct epoll_event event;

	/* Before the connection several descriptors may be watched: step() looks at them all. */
	if (vchan->state == VCHAN_LISTENING || vchan->state == VCHAN_CONNECTING)
		step(stream);
	else if (vchan->state == VCHAN_CONNECTED && epoll_wait(stream->epoll_fd, &event, 1, 0) == 1)
		dispatch_connected(stream, event.events);
}

static ssize_t
stream_read(struct vchan *vchan, void *buffer, size_t len)
{
	struct stream *stream = stream_of(vchan);
	ssize_t n;

	if (stream->socket_fd < 0) {
		vchan->events &= ~VCHAN_EVENT_INPUT;
		return vchan->state == VCHAN_CLOSED ? vchan->error : -EAGAIN;
	}
	do
		n = recv(stream->socket_fd, buffer, len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return n;

	n = n < 0 ? -errno : 0;
	if (n == -EAGAIN && vchan->state == VCHAN_CLOSED)
		n = 0; /* we have ended it ourselves: nothing more can come */
	if (n != -EAGAIN && vchan->state != VCHAN_CLOSED)
		disconnect(stream, meaning_of((int)n));
	vchan->events &= ~VCHAN_EVENT_INPUT;
	return meaning_of((int)n);
}

static ssize_t
stream_write(struct vchan *vchan, const void *bytes, size_t len)
{
	struct stream *stream = stream_of(vchan);
	ssize_t sent = 0;

	len = MIN(len, ring_room(&stream->ring));
	if (len == 0) {
		stream->starved = true;
		return -EAGAIN;
	}
	/* With nothing queued the bytes go out from where they are. */
	if (vchan->state == VCHAN_CONNECTED && stream->ring.used == 0) {
		struct iovec segment = {(void *)bytes, len};

		sent = send_segments(stream, &segment, 1);
		if (sent == -EAGAIN) {
			sent = 0;
		} else if (sent < 0) {
			disconnect(stream, meaning_of((int)sent));
			return -EPIPE;
		}
	}
	if (ring_put(&stream->ring, (const uint8_t *)bytes + sent, len - (size_t)sent) > 0)
		update_interest(stream);
	return (ssize_t)len;
}

static size_t
stream_room(const struct vchan *vchan)
{
	return ring_room(&stream_of_const(vchan)->ring);
}

static size_t
stream_queued(const struct vchan *vchan)
{
	return stream_of_const(vchan)->ring.used;
}

static int
stream_fd(const struct vchan *vchan)
{
	return stream_of_const(vchan)->epoll_fd;
}

static void
stream_close(struct vchan *vchan)
{
	struct stream *stream = stream_of(vchan);

	if (stream->socket_fd >= 0) {
		/* Not only close(): the broker holds a duplicate. */
		shutdown(stream->socket_fd, SHUT_RDWR);
		close(stream->socket_fd);
	}
	stream->rendezvous->free(stream->rendezvous);
	if (stream->epoll_fd >= 0)
		close(stream->epoll_fd);
	ring_fini(&stream->ring);
	g_free(stream);
}

static const struct vchan_calls stream_calls = {
    .close = stream_close,
    .read = stream_read,
    .write = stream_write,
    .room = stream_room,
    .queued = stream_queued,
    .fd = stream_fd,
    .dispatch = stream_dispatch,
};

int
stream_new(struct rendezvous *rendezvous, const struct vchan_endpoint *endpoint, struct vchan **ret)
{
	struct stream *stream = g_new0(struct stream, 1);
	int r;

	stream->vchan.calls = &stream_calls;
	stream->vchan.state = endpoint->role;
	stream->rendezvous = rendezvous;
	stream->socket_fd = -1;
	ring_init(&stream->ring, endpoint->ring_bytes);
	stream->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	rendezvous->epoll_fd = stream->epoll_fd;

	r = stream->epoll_fd < 0 ? -errno : step(stream);
	if (r < 0) {
		stream_close(&stream->vchan);
		return r;
	}
	*ret = &stream->vchan;
	return 0;
}
