#include "shared/vchan/mux.h"

#include "shared/vchan/mux_buffer.h"
#include "shared/vchan/mux_channel.h"
#include "shared/vchan/mux_port.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_BYTES (2 * MUX_FRAME_MAX)
#define OUTPUT_BYTES (4 * MUX_FRAME_MAX)
#define EVENTS_PER_TURN 32
#define FRAMES_PER_TURN 32
#define WRITES_PER_TURN 4

#define OPEN_RETRY_MIN_MS 10 /* to open the port: nobody is there yet, or any more */
#define OPEN_RETRY_MAX_MS 500
#define OPEN_RETRY_GUEST_MS 50 /* in a machine that was restored somebody waits for it */
#define REQUEST_INTERVAL_MS 250
#define REQUESTS_MAX 8 /* unanswered; then it is tried from the beginning */

enum mux_state {
	STATE_CLOSED,  /* no port; the timer opens it */
	STATE_PAUSED,  /* a session ended; nothing is read until the timer ends this */
	STATE_HUNTING, /* looking for a greeting; the guest's timer asks for one again */
	STATE_RUNNING,
};

struct mux {
	const struct mux_calls *calls; /* borrowed */
	void *user;                    /* borrowed */
	enum mux_side side;
	char *path; /* owned */
	enum mux_state state;
	int port_fd; /* owned; -1 when it is not open; watched unless CLOSED */
	uint32_t interest;
	int epoll_fd; /* owned; holds port_fd and the local ends of channels */
	guint source_id;
	guint timer_id; /* 0: none */
	guint again_id; /* 0: nothing is left over from the last turn */
	struct mux_buffer input, output;
	bool has_input;  /* there may be a whole frame in the buffer */
	int write_error; /* the port takes nothing any more; what it has is still read */
	uint64_t nonce;
	uint32_t session;
	bool is_first; /* nothing has come in this session */
	unsigned requests;
	unsigned open_delay_ms, pause_ms;
	gint64 session_start_us;
	struct mux_channel *channels[MUX_CHANNELS]; /* owned */
	GQueue ready;                               /* those with something to send */
	GQueue left;                                /* owned; of sessions that are over */
};

static void take_turn(struct mux *mux, uint32_t port_events);
static gboolean on_timer(gpointer data);

/* --- turns and timers ------------------------------------------------------------------------ */

static gboolean
on_again(gpointer data)
{
	struct mux *mux = data;

	mux->again_id = 0;
	take_turn(mux, 0);
	return G_SOURCE_REMOVE;
}

/* There is more to do, after everybody else had a turn. */
static void
do_more(struct mux *mux)
{
	if (mux->again_id == 0)
		mux->again_id = g_idle_add_full(G_PRIORITY_DEFAULT, on_again, mux, NULL);
}

static void
set_timer(struct mux *mux, unsigned delay_ms)
{
	if (mux->timer_id != 0)
		g_source_remove(mux->timer_id);
	mux->timer_id = delay_ms != 0 ? g_timeout_add(delay_ms, on_timer, mux) : 0;
}

/* --- output ---------------------------------------------------------------------------------- */

/* Takes back a frame that was begun, and whatever the other side may still think it is in. */
static void
put_break(struct mux *mux)
{
	mux_buffer_set_zeros(&mux->output, MUX_FRAME_MAX);
}

/* As much as the port takes. */
static void
write_output(struct mux *mux)
{
	int r = mux_buffer_write(&mux->output, mux->port_fd);

	if (r == 0)
		return;
	mux->write_error = r;
	mux_buffer_clear(&mux->output);
}

/* --- channels -------------------------------------------------------------------------------- */

static void
tell_owner_closed(struct mux_channel *channel)
{
	void *owner = g_steal_pointer(&channel->owner);

	if (owner != NULL)
		channel->mux->calls->on_closed(owner);
}

static void
dequeue(struct mux_channel *channel)
{
	if (channel->queued)
		g_queue_unlink(&channel->mux->ready, &channel->node);
	channel->queued = false;
}

/* Its number, if it still has one, can be used for another. */
static void
forget(struct mux_channel *channel)
{
	struct mux *mux = channel->mux;
	bool is_left = mux->channels[channel->number] != channel;

	dequeue(channel);
	if (is_left)
		g_queue_unlink(&mux->left, &channel->node);
	else
		mux->channels[channel->number] = NULL;
	mux_channel_free(channel);
	if (!is_left && mux->state == STATE_RUNNING && mux->calls->on_number_free != NULL)
		mux->calls->on_number_free(mux->user);
}

/* After whatever happened to it: it ends, or takes its place in the queue. May free it. */
static void
settle(struct mux_channel *channel)
{
	struct mux *mux = channel->mux;

	if (mux_channel_is_drained(channel)) {
		mux_channel_stop(channel);
		tell_owner_closed(channel);
	}
	if (channel->close_sent && channel->close_received && channel->fd < 0) {
		forget(channel);
	} else if (!channel->queued && mux_channel_has_frame(channel)) {
		g_queue_push_tail_link(&mux->ready, &channel->node);
		channel->queued = true;
		do_more(mux);
	}
}

/* Writes what is ready, a frame of each in turn, as far as the port takes it. */
static void
pump(struct mux *mux)
{
	for (unsigned i = 0; i < WRITES_PER_TURN; i++) {
		while (mux->ready.head != NULL && mux_buffer_room(&mux->output) >= MUX_FRAME_MAX) {
			struct mux_channel *channel = mux->ready.head->data;

			dequeue(channel);
			mux_buffer_add(&mux->output, mux_channel_next_frame(channel, mux->session,
							 mux_buffer_end(&mux->output)));
			settle(channel);
		}
		write_output(mux);
		if (mux->output.used > 0 || mux->ready.head == NULL)
			return;
	}
	do_more(mux);
}

/* The session is over: what came is given out, nothing more comes or goes. */
static void
leave_behind(struct mux_channel *channel)
{
	struct mux *mux = channel->mux;

	dequeue(channel);
	mux->channels[channel->number] = NULL;
	g_queue_push_tail_link(&mux->left, &channel->node);
	channel->close_sent = channel->close_received = true;
	settle(channel);
}

/* --- sessions -------------------------------------------------------------------------------- */

static void
start_session(struct mux *mux, uint32_t session, const char *conf, size_t conf_len)
{
	mux->state = STATE_RUNNING;
	mux->session = session;
	mux->is_first = true;
	mux->session_start_us = g_get_monotonic_time();
	mux->open_delay_ms = OPEN_RETRY_MIN_MS;
	set_timer(mux, 0);
	mux->calls->on_session(mux->user, conf, conf_len);
}

/* Everything that a session has, but for the port. The state is set before. */
static void
end_channels(struct mux *mux, int error)
{
	gint64 length_us = g_get_monotonic_time() - mux->session_start_us;

	if (length_us >= MUX_SESSION_GOOD_MS * 1000)
		mux->pause_ms = MUX_PAUSE_MIN_MS;
	for (unsigned i = 0; i < MUX_CHANNELS; i++) {
		if (mux->channels[i] != NULL)
			leave_behind(mux->channels[i]);
	}
	mux->calls->on_session_end(mux->user, error);
}

/* The port is still there; after a pause there may be another session. */
static void
end_session(struct mux *mux, int error)
{
	mux->state = STATE_PAUSED;
	put_break(mux);
	mux->has_input = mux->input.used > 0; /* perhaps a greeting */
	end_channels(mux, error);
	set_timer(mux, mux->pause_ms);
	mux->pause_ms = MIN(2 * mux->pause_ms, MUX_PAUSE_MAX_MS);
}

static uint64_t
choose_number(void)
{
	uint64_t number;

	do {
		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			number = 0;
	} while ((uint32_t)number == 0);
	return number;
}

static void
request_session(struct mux *mux)
{
	if (mux->requests++ % REQUESTS_MAX == 0) {
		mux->nonce = choose_number();
		put_break(mux);
	}
	if (mux_buffer_room(&mux->output) >= MUX_SMALL_MAX)
		mux_buffer_add(
		    &mux->output, mux_encode_request(mux->nonce, mux_buffer_end(&mux->output)));
	set_timer(mux, REQUEST_INTERVAL_MS);
}

static void
start_hunting(struct mux *mux)
{
	mux->state = STATE_HUNTING;
	set_timer(mux, 0);
	mux->requests = 0;
	if (mux->side == MUX_GUEST)
		request_session(mux);
	do_more(mux);
}

/* A request of the guest; there is always room for the answer behind a break. */
static void
greet(struct mux *mux, uint64_t nonce)
{
	uint32_t session = (uint32_t)choose_number();
	char *conf;
	size_t len;

	if (mux_buffer_room(&mux->output) < MUX_SMALL_MAX + MUX_CONF_MAX)
		return;
	conf = mux->calls->make_conf(mux->user);
	len = strlen(conf);
	mux->nonce = nonce;
	mux_buffer_add(&mux->output,
	    mux_encode_hello(session, nonce, conf, len, mux_buffer_end(&mux->output)));
	explicit_bzero(conf, len);
	g_free(conf);
	start_session(mux, session, "", 0);
}

/* --- the port -------------------------------------------------------------------------------- */

/* The other end has gone, or the port itself. */
static void
lose_port(struct mux *mux, int error)
{
	bool was_running = mux->state == STATE_RUNNING;

	mux->state = STATE_CLOSED;
	epoll_ctl(mux->epoll_fd, EPOLL_CTL_DEL, mux->port_fd, NULL);
	if (error < 0 || !mux_port_is_device(mux->port_fd)) {
		close(mux->port_fd);
		mux->port_fd = -1;
	}
	mux_buffer_clear(&mux->input);
	mux_buffer_clear(&mux->output);
	mux->has_input = false;
	mux->write_error = 0;
	if (was_running)
		end_channels(mux, error);
	set_timer(mux, mux->open_delay_ms);
}

static int
open_port(struct mux *mux)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

	if (mux->port_fd < 0)
		mux->port_fd = mux_port_open(mux->path);
	if (mux->port_fd < 0)
		return mux->port_fd;
	if (!mux_port_is_connected(mux->port_fd))
		return -ENOTCONN;
	if (epoll_ctl(mux->epoll_fd, EPOLL_CTL_ADD, mux->port_fd, &event) < 0)
		return -errno;
	mux->interest = event.events;
	return 0;
}

static void
try_to_open(struct mux *mux)
{
	int r = open_port(mux);

	if (r == 0) {
		put_break(mux);
		start_hunting(mux);
		return;
	}
	if (r != -ENOTCONN && mux->port_fd >= 0) {
		close(mux->port_fd);
		mux->port_fd = -1;
	}
	set_timer(mux, mux->open_delay_ms);
	mux->open_delay_ms = MIN(2 * mux->open_delay_ms,
	    mux->side == MUX_GUEST ? OPEN_RETRY_GUEST_MS : OPEN_RETRY_MAX_MS);
}

static gboolean
on_timer(gpointer data)
{
	struct mux *mux = data;

	mux->timer_id = 0;
	if (mux->state == STATE_CLOSED)
		try_to_open(mux);
	else if (mux->state == STATE_PAUSED)
		start_hunting(mux);
	else
		request_session(mux);
	do_more(mux);
	return G_SOURCE_REMOVE;
}

/* Watches the port for what can be used. Its end is told in any case. */
static void
update_interest(struct mux *mux)
{
	struct epoll_event event = {.data.ptr = NULL};

	if (mux->state == STATE_CLOSED)
		return;
	if (mux->state != STATE_PAUSED)
		event.events |= EPOLLIN;
	if (mux->output.used > 0)
		event.events |= EPOLLOUT;
	if (event.events == mux->interest)
		return;
	if (epoll_ctl(mux->epoll_fd, EPOLL_CTL_MOD, mux->port_fd, &event) < 0)
		lose_port(mux, -errno);
	else
		mux->interest = event.events;
}

/* --- input ----------------------------------------------------------------------------------- */

/* Looks for a greeting. Like take_frame(), but nothing that comes is an error. */
static ssize_t
hunt(struct mux *mux)
{
	struct mux_hello hello;
	uint64_t nonce;
	ssize_t n;

	mux_buffer_take(&mux->input, mux_hunt(mux_buffer_content(&mux->input),
					 mux->side == MUX_HOST ? MUX_GUEST : MUX_HOST));
	if (mux->side == MUX_HOST)
		n = mux_decode_request(mux_buffer_content(&mux->input), &nonce);
	else
		n = mux_decode_hello(mux_buffer_content(&mux->input), mux->nonce, &hello);
	if (n == 0)
		return 0;
	mux_buffer_take(&mux->input, n > 0 ? (size_t)n : 1);
	if (n > 0 && mux->side == MUX_HOST)
		greet(mux, nonce);
	else if (n > 0)
		start_session(mux, hello.session, hello.conf, hello.conf_len);
	/* The host's greeting holds secrets; pieces of it may lie in front of what is to be read, and behind. */
	if (n > 0 && mux->side == MUX_GUEST)
		mux_buffer_wipe_rest(&mux->input);
	return 1;
}

static int
on_open(struct mux *mux, const struct mux_frame *frame)
{
	struct mux_channel *channel;

	if (mux->channels[frame->channel] != NULL)
		return -EPROTO;
	channel = mux_channel_new(mux, mux->epoll_fd, frame->channel);
	mux->channels[frame->channel] = channel;
	mux->calls->on_open(mux->user, channel, frame);
	return 0;
}

static int
on_opened(struct mux_channel *channel, const struct mux_frame *frame)
{
	(void)frame;
	if (channel->is_open || channel->close_received)
		return -EPROTO;
	if (channel->owner != NULL)
		channel->mux->calls->on_opened(channel->owner, channel);
	else
		channel->is_open = true; /* we have left; CLOSE is on its way */
	return 0;
}

static int
on_refused(struct mux_channel *channel, const struct mux_frame *frame)
{
	void *owner = g_steal_pointer(&channel->owner);

	if (channel->is_open || channel->close_received)
		return -EPROTO;
	channel->close_received = channel->exhausted = true;
	if (owner != NULL)
		channel->mux->calls->on_refused(owner, frame->error);
	return 0;
}

static int
on_data(struct mux_channel *channel, const struct mux_frame *frame)
{
	return mux_channel_receive_data(channel, frame->data, frame->data_len);
}

static int
on_credit(struct mux_channel *channel, const struct mux_frame *frame)
{
	return mux_channel_receive_credit(channel, frame->credit);
}

static int
on_close(struct mux_channel *channel, const struct mux_frame *frame)
{
	(void)frame;
	return mux_channel_receive_close(channel);
}

static int (*const channel_handlers[])(
    struct mux_channel *channel, const struct mux_frame *frame) = {
    [MUX_OPENED] = on_opened,
    [MUX_REFUSED] = on_refused,
    [MUX_DATA] = on_data,
    [MUX_CREDIT] = on_credit,
    [MUX_CLOSE] = on_close,
};

/* 0, -ECONNRESET after BYE, or -EPROTO. */
static int
handle(struct mux *mux, const struct mux_frame *frame)
{
	struct mux_channel *channel = mux->channels[frame->channel];
	int r;

	if (frame->type == MUX_BYE)
		return -ECONNRESET;
	if (frame->type == MUX_OPEN)
		return on_open(mux, frame);
	if (channel == NULL)
		return -EPROTO;
	r = channel_handlers[frame->type](channel, frame);
	if (r == 0)
		settle(channel);
	return r;
}

/* The guest asks once more when our answer takes long. Returns as take_frame(). */
static ssize_t
take_repeated_request(struct mux *mux)
{
	uint64_t nonce;
	ssize_t n;

	if (mux->side != MUX_HOST || !mux->is_first)
		return -EPROTO;
	n = mux_decode_request(mux_buffer_content(&mux->input), &nonce);
	return n > 0 && nonce != mux->nonce ? -EPROTO : n;
}

/* Handles one frame. 1; 0 when there is none yet; a negative errno when the session is over. */
static ssize_t
take_frame(struct mux *mux)
{
	struct mux_frame frame;
	ssize_t n;
	int r;

	if (mux->input.used == 0)
		return 0;
	n = take_repeated_request(mux);
	if (n >= 0) {
		mux_buffer_take(&mux->input, (size_t)n);
		return n > 0;
	}
	n = mux_decode(mux_buffer_content(&mux->input),
	    mux->side == MUX_HOST ? MUX_GUEST : MUX_HOST, mux->session, &frame);
	if (n <= 0)
		return n;
	mux->is_first = false;
	r = handle(mux, &frame);
	mux_buffer_take(&mux->input, (size_t)n);
	return r < 0 ? r : 1;
}

/* A bounded number of frames. True when there may be more in the buffer. */
static bool
handle_input(struct mux *mux)
{
	for (unsigned i = 0; i < FRAMES_PER_TURN; i++) {
		ssize_t r = 0;

		if (mux->state == STATE_HUNTING)
			r = hunt(mux);
		else if (mux->state == STATE_RUNNING)
			r = take_frame(mux);
		if (r < 0)
			end_session(mux, r == -ECONNRESET ? 0 : (int)r);
		if (r <= 0)
			return false;
	}
	return true;
}

/* Once, as much as there is room for. 0, or a negative errno: the port has ended. */
static int
read_input(struct mux *mux)
{
	int r = mux_buffer_read(&mux->input, mux->port_fd);

	if (r == -EAGAIN)
		return mux->write_error; /* all is read that was there */
	mux->has_input = mux->has_input || r == 0;
	return r;
}

/* --- the loop -------------------------------------------------------------------------------- */

/* What was read is handled before more is read: who leaves is heard to the end. */
static int
serve_port(struct mux *mux, uint32_t events)
{
	bool reads = mux->state != STATE_PAUSED && !mux->has_input;
	int r = 0;

	if (mux->state == STATE_PAUSED && events & (EPOLLHUP | EPOLLERR))
		return -ENOTCONN;
	if (reads && (events != 0 || mux->write_error != 0))
		r = read_input(mux);
	if (r < 0)
		return r;
	if (mux->state != STATE_PAUSED)
		mux->has_input =
		    handle_input(mux) || (mux->state == STATE_PAUSED && mux->has_input);
	pump(mux);
	if (mux->write_error != 0 || (mux->has_input && mux->state != STATE_PAUSED))
		do_more(mux);
	return 0;
}

/* port_events: what epoll says of the port. */
static void
take_turn(struct mux *mux, uint32_t port_events)
{
	int r;

	if (mux->state == STATE_CLOSED)
		return;
	r = serve_port(mux, port_events);
	if (r < 0)
		lose_port(mux, r == -ENOTCONN ? 0 : r);
	update_interest(mux);
}

/* Local ends first; whom it concerns settles only when no event holds a pointer any more. */
static gboolean
on_events(gint fd, GIOCondition condition, gpointer data)
{
	struct epoll_event events[EVENTS_PER_TURN];
	struct mux *mux = data;
	uint32_t port_events = 0;
	int count = epoll_wait(fd, events, EVENTS_PER_TURN, 0);

	(void)condition;
	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr != NULL)
			mux_channel_dispatch(events[i].data.ptr, events[i].events);
		else
			port_events = events[i].events & ~(uint32_t)EPOLLOUT;
	}
	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr != NULL)
			settle(events[i].data.ptr);
	}
	take_turn(mux, port_events);
	return G_SOURCE_CONTINUE;
}

/* --- calls ----------------------------------------------------------------------------------- */

int
mux_new(const char *path, enum mux_side side, const struct mux_calls *calls, void *user,
    struct mux **ret)
{
	struct mux *mux;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	if (epoll_fd < 0)
		return -errno;
	mux = g_new0(struct mux, 1);
	mux->calls = calls;
	mux->user = user;
	mux->side = side;
	mux->path = g_strdup(path);
	mux->port_fd = -1;
	mux->epoll_fd = epoll_fd;
	mux->source_id = g_unix_fd_add(epoll_fd, G_IO_IN, on_events, mux);
	mux_buffer_init(&mux->input, INPUT_BYTES);
	mux_buffer_init(&mux->output, OUTPUT_BYTES);
	mux->open_delay_ms = OPEN_RETRY_MIN_MS;
	mux->pause_ms = MUX_PAUSE_MIN_MS;
	g_queue_init(&mux->ready);
	g_queue_init(&mux->left);
	set_timer(mux, 1); /* the port is opened by the loop, not by us */
	*ret = mux;
	return 0;
}

static void
say_bye(struct mux *mux)
{
	const struct mux_frame bye = {.type = MUX_BYE};

	if (mux->state != STATE_RUNNING || mux_buffer_room(&mux->output) < MUX_SMALL_MAX)
		return;
	mux_buffer_add(&mux->output, mux_encode(&bye, mux->session, mux_buffer_end(&mux->output)));
	write_output(mux);
}

void
mux_free(struct mux *mux)
{
	if (mux == NULL)
		return;
	say_bye(mux);
	for (unsigned i = 0; i < MUX_CHANNELS; i++) {
		if (mux->channels[i] != NULL)
			mux_channel_free(mux->channels[i]);
	}
	while (mux->left.head != NULL) {
		struct mux_channel *channel = g_queue_pop_head_link(&mux->left)->data;

		mux_channel_free(channel);
	}
	set_timer(mux, 0);
	if (mux->again_id != 0)
		g_source_remove(mux->again_id);
	g_source_remove(mux->source_id);
	if (mux->port_fd >= 0)
		close(mux->port_fd);
	close(mux->epoll_fd);
	mux_buffer_fini(&mux->input);
	mux_buffer_fini(&mux->output);
	g_free(mux->path);
	g_free(mux);
}

void
mux_set_owner(struct mux_channel *channel, void *owner)
{
	channel->owner = owner;
}

int
mux_accept(struct mux_channel *channel, void *owner, int fd)
{
	int r = mux_channel_start(channel, fd);

	if (r < 0) {
		mux_refuse(channel, r);
		return r;
	}
	channel->owner = owner;
	channel->opening = (struct mux_frame){.type = MUX_OPENED, .channel = channel->number};
	settle(channel);
	return 0;
}

void
mux_refuse(struct mux_channel *channel, int error)
{
	channel->owner = NULL;
	channel->exhausted = true;
	channel->opening =
	    (struct mux_frame){.type = MUX_REFUSED, .channel = channel->number, .error = error};
	settle(channel);
}

int
mux_open(struct mux *mux, enum mux_role role, uint32_t peer, uint32_t port, void *owner,
    struct mux_channel **ret)
{
	struct mux_channel *channel;
	uint32_t number = 0;

	if (mux->state != STATE_RUNNING)
		return -ENOTCONN;
	while (number < MUX_CHANNELS && mux->channels[number] != NULL)
		number++;
	if (number == MUX_CHANNELS)
		return -EAGAIN;
	channel = mux_channel_new(mux, mux->epoll_fd, number);
	mux->channels[number] = channel;
	channel->owner = owner;
	channel->opening = (struct mux_frame){
	    .type = MUX_OPEN, .channel = number, .role = role, .peer = peer, .port = port};
	*ret = channel;
	settle(channel);
	return 0;
}

int
mux_start(struct mux_channel *channel, int fd)
{
	int r = mux_channel_start(channel, fd);

	if (r < 0) {
		channel->owner = NULL;
		channel->is_open = channel->exhausted = true;
	}
	return r;
}

void
mux_leave(struct mux_channel *channel)
{
	channel->owner = NULL;
	if (channel->fd >= 0) {
		shutdown(channel->fd, SHUT_RDWR);
		channel->readable = true;
	} else {
		channel->exhausted = true;
	}
	settle(channel);
}
