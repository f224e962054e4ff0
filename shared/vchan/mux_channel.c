#include "shared/vchan/mux_channel.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Giving credit for every few bytes would cost a frame each; for half a window nobody waits. */
#define CREDIT_STEP (MUX_WINDOW / 2)

struct mux_channel *
mux_channel_new(struct mux *mux, int epoll_fd, uint32_t number)
{
	struct mux_channel *channel = g_new0(struct mux_channel, 1);

	channel->mux = mux;
	channel->node.data = channel;
	channel->number = number;
	channel->epoll_fd = epoll_fd;
	channel->fd = -1;
	channel->window = channel->credit = MUX_WINDOW;
	ring_init(&channel->ring, MUX_WINDOW);
	return channel;
}

void
mux_channel_free(struct mux_channel *channel)
{
	mux_channel_stop(channel);
	g_free(channel);
}

/* --- the local end --------------------------------------------------------------------------- */

/* Watched for its news, each told once, and for room exactly while something waits for it. */
static int
watch(struct mux_channel *channel, int operation)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = channel};

	if (channel->ring.used > 0)
		event.events |= EPOLLOUT;
	if (operation == EPOLL_CTL_MOD && event.events == channel->interest)
		return 0;
	if (epoll_ctl(channel->epoll_fd, operation, channel->fd, &event) < 0)
		return -errno;
	channel->interest = event.events;
	return 0;
}

int
mux_channel_start(struct mux_channel *channel, int fd)
{
	int r;

	channel->fd = fd;
	r = watch(channel, EPOLL_CTL_ADD);
	if (r < 0) {
		close(fd);
		channel->fd = -1;
		return r;
	}
	channel->is_open = true;
	return 0;
}

void
mux_channel_stop(struct mux_channel *channel)
{
	ring_fini(&channel->ring);
	channel->exhausted = true;
	if (channel->fd < 0)
		return;
	shutdown(channel->fd, SHUT_RDWR); /* not only close(): there are duplicates */
	close(channel->fd);
	channel->fd = -1;
	channel->readable = false;
}

/* The local end takes nothing more; what it wrote before it left is still to be sent. */
static void
stop_hearing(struct mux_channel *channel)
{
	channel->deaf = true;
	channel->owed += (uint32_t)channel->ring.used;
	ring_fini(&channel->ring);
	channel->readable = true;
}

/* Returns how many bytes the local end took now. */
static size_t
give(struct mux_channel *channel, struct iovec *segments, int count)
{
	struct msghdr message = {.msg_iov = segments, .msg_iovlen = (size_t)count};
	ssize_t n;

	do
		n = sendmsg(channel->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		stop_hearing(channel);
	return n > 0 ? (size_t)n : 0;
}

static void
flush(struct mux_channel *channel)
{
	struct iovec segments[2];
	int count = ring_segments(&channel->ring, segments);
	size_t taken;

	if (count == 0)
		return;
	taken = give(channel, segments, count);
	if (!channel->deaf) {
		ring_drop(&channel->ring, taken);
		channel->owed += (uint32_t)taken;
		if (channel->ring.used == 0)
			ring_fini(&channel->ring); /* most channels are idle most of the time */
	}
	if (watch(channel, EPOLL_CTL_MOD) < 0)
		stop_hearing(channel);
}

void
mux_channel_dispatch(struct mux_channel *channel, uint32_t events)
{
	if (channel->fd < 0)
		return;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		channel->readable = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		flush(channel);
}

bool
mux_channel_is_drained(const struct mux_channel *channel)
{
	return channel->close_received && channel->ring.used == 0;
}

/* --- what comes ------------------------------------------------------------------------------ */

int
mux_channel_receive_data(struct mux_channel *channel, const uint8_t *data, size_t len)
{
	struct iovec segment = {(void *)data, len};
	size_t taken = 0;

	if (!channel->is_open || channel->close_received || len > channel->window)
		return -EPROTO;
	channel->window -= (uint32_t)len;
	if (channel->fd >= 0 && !channel->deaf && channel->ring.used == 0)
		taken = give(channel, &segment, 1);
	if (channel->fd < 0 || channel->deaf) {
		channel->owed += (uint32_t)len;
		return 0;
	}
	channel->owed += (uint32_t)taken;
	ring_put(&channel->ring, data + taken, len - taken);
	if (watch(channel, EPOLL_CTL_MOD) < 0)
		stop_hearing(channel);
	return 0;
}

int
mux_channel_receive_credit(struct mux_channel *channel, uint32_t credit)
{
	if (!channel->is_open || channel->close_received || credit > MUX_WINDOW - channel->credit)
		return -EPROTO;
	channel->credit += credit;
	return 0;
}

int
mux_channel_receive_close(struct mux_channel *channel)
{
	if (channel->close_received)
		return -EPROTO;
	channel->close_received = true;
	return 0;
}

/* --- what goes ------------------------------------------------------------------------------- */

static bool
has_data(const struct mux_channel *channel)
{
	return channel->readable && channel->credit > 0 && !channel->exhausted &&
	       !channel->close_received;
}

static bool
has_credit(const struct mux_channel *channel)
{
	return channel->owed >= CREDIT_STEP && !channel->close_received;
}

bool
mux_channel_has_frame(const struct mux_channel *channel)
{
	return !channel->close_sent && (channel->opening.type != 0 || channel->exhausted ||
					   has_credit(channel) || has_data(channel));
}

/* Bytes of the local end, read to where they stand in the frame. */
static size_t
next_data(struct mux_channel *channel, uint32_t tag, uint8_t *buffer)
{
	size_t max = MIN(MUX_DATA_MAX, channel->credit);
	ssize_t n;

	do
		n = recv(channel->fd, mux_data_at(buffer), max, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		channel->readable = false;
		channel->exhausted = n == 0 || errno != EAGAIN;
		return 0;
	}
	channel->credit -= (uint32_t)n;
	return mux_encode_data(channel->number, (size_t)n, tag, buffer);
}

size_t
mux_channel_next_frame(struct mux_channel *channel, uint32_t tag, uint8_t *buffer)
{
	struct mux_frame frame = {.channel = channel->number};

	if (channel->opening.type != 0) {
		frame = channel->opening;
		channel->opening = (struct mux_frame){0};
		channel->close_sent = frame.type == MUX_REFUSED; /* it stands for both */
	} else if (has_credit(channel)) {
		frame.type = MUX_CREDIT;
		frame.credit = channel->owed;
		channel->window += channel->owed;
		channel->owed = 0;
	} else if (has_data(channel)) {
		return next_data(channel, tag, buffer);
	} else if (channel->exhausted) {
		frame.type = MUX_CLOSE;
		channel->close_sent = true;
	} else {
		return 0;
	}
	return mux_encode(&frame, tag, buffer);
}
