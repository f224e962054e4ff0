#include "qrexec/relay.h"

#include "qrexec/local_fd.h"
#include "shared/log.h"
#include "shared/qrexec_decode.h"
#include "shared/qrexec_text_decode.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEPS_A_TURN 32
#define DRAIN_POLL_FIRST_MS 1
#define DRAIN_POLL_LAST_MS 500
#define CLIENT_DRAIN_MAX_MS 1000 /* for a service end that has sent its exit code already */

enum state {
	CONNECTING,
	HANDSHAKE,
	READY,
	STREAMING,
	DRAINING, /* the last message is on its way out */
	DONE,
};

/* One of the streams that we send. */
struct input {
	struct local_fd local;
	uint32_t type; /* of its messages */
	bool asked;    /* input_ending() was called and has not been answered */
	bool ended;    /* nothing more to read */
	bool sent_end; /* the empty message has gone out */
};

struct relay {
	enum relay_end end;
	enum state state;
	uint32_t version; /* negotiated */
	const struct relay_events *events;
	void *data;  /* borrowed from the caller */
	bool *freed; /* set when freed while a callback runs */

	struct vchan *vchan;   /* owned */
	GSource *vchan_source; /* owned */
	GSource *local_source; /* owned: polls the local descriptors, and runs us when kicked */
	guint timer;           /* the limit of connecting; later the next look at draining */
	unsigned drain_ms, drained_ms;

	/* Going out. */
	struct input in, err;
	bool err_turn;      /* which of them is read first next time */
	const char *prefix; /* borrowed: what is left of it */
	uint8_t *chunk;     /* owned: the one message on its way */
	size_t chunk_len, chunk_sent;

	/* Coming in. */
	struct qrexec_reader reader;
	bool holds_message; /* the reader's message is still in use */
	struct local_fd out, err_out;
	bool out_is_pair;
	bool out_ended;         /* the peer's stream is over, or nobody takes it */
	const uint8_t *pending; /* borrowed from the reader: not yet taken locally */
	size_t pending_len;
	struct local_fd *pending_to; /* borrowed: out or err_out */
	bool filter_stdout, filter_stderr;
	bool noted_foreign; /* a message that this end ignores has been logged */

	bool has_process, exit_on_client_eof, exit_on_service_eof;
	bool one_socket_due, one_socket;
	bool have_code, sent_code;
	int exit_code;
};

/* --- the source of the local descriptors ---------------------------------------------------- */

struct local_source {
	GSource source;      /* first: GLib allocates it */
	struct relay *relay; /* borrowed: the relay destroys the source */
};

static gboolean
local_source_check(GSource *source)
{
	struct relay *relay = ((struct local_source *)source)->relay;
	bool in = local_fd_check(&relay->in.local, source);
	bool err = local_fd_check(&relay->err.local, source);
	bool out = local_fd_check(&relay->out, source);
	bool err_out = local_fd_check(&relay->err_out, source);

	return in || err || out || err_out;
}

static gboolean
local_source_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	g_source_set_ready_time(source, -1);
	return callback(data);
}

static GSourceFuncs local_source_funcs = {
    .check = local_source_check,
    .dispatch = local_source_dispatch,
};

/* Something changed that no poll will tell: look again in the next turn. */
static void
kick(struct relay *relay)
{
	if (relay->local_source != NULL)
		g_source_set_ready_time(relay->local_source, 0);
}

/* --- going out ------------------------------------------------------------------------------ */

static uint8_t *
chunk_body(struct relay *relay)
{
	return relay->chunk + sizeof(struct qrexec_wire_header);
}

/* Fills the header in front of len bytes that are there already. */
static void
chunk_set(struct relay *relay, uint32_t type, size_t len)
{
	struct qrexec_wire_header header = {type, (uint32_t)len};

	memcpy(relay->chunk, &header, sizeof(header));
	relay->chunk_len = sizeof(header) + len;
	relay->chunk_sent = 0;
}

/* True when the chunk has gone out and the next may be made. */
static bool
chunk_flush(struct relay *relay)
{
	while (relay->chunk_sent < relay->chunk_len) {
		ssize_t n = vchan_write(relay->vchan, relay->chunk + relay->chunk_sent,
		    relay->chunk_len - relay->chunk_sent);

		if (n <= 0)
			return false; /* full; or gone, which the reading side notices */
		relay->chunk_sent += (size_t)n;
	}
	relay->chunk_len = 0;
	relay->chunk_sent = 0;
	return true;
}

/* What is in the old stdout has been read: go on with the socket that serves both ways. */
static void
switch_to_one_socket(struct relay *relay)
{
	int fd = relay->out.fd >= 0 ? fcntl(relay->out.fd, F_DUPFD_CLOEXEC, 3) : -1;

	relay->one_socket_due = false;
	relay->one_socket = true;
	relay->in.asked = false;
	local_fd_close(&relay->in.local, relay->local_source);
	local_fd_init(&relay->in.local, fd);
	relay->in.ended = fd < 0;
}

/* Reading found nothing, or no more. */
static void
input_paused(struct relay *relay, struct input *input, bool at_end)
{
	if (input == &relay->in && relay->one_socket_due) {
		switch_to_one_socket(relay);
	} else if (!at_end) {
		return;
	} else if (input == &relay->in && relay->events->input_ending != NULL &&
		   !relay->one_socket) {
		input->asked = true;
		relay->events->input_ending(relay, relay->data);
	} else {
		input->ended = true;
	}
}

/* Reads one chunk. True when there is one to send. */
static bool
input_read(struct relay *relay, struct input *input)
{
	/* Not more than goes out at once, if there is any sense in that. */
	size_t max = MIN(qrexec_chunk_max(relay->version),
	    MAX(vchan_room(relay->vchan), 1024) - sizeof(struct qrexec_wire_header));
	ssize_t n;

	if (input->ended || input->asked || !input->local.ready)
		return false;
	n = local_fd_read(&input->local, chunk_body(relay), max);
	if (n <= 0) { /* an error is an end, too: a reset, a terminal that was closed */
		input_paused(relay, input, n != -EAGAIN);
		return false;
	}
	if (input == &relay->err && relay->events->stderr_passed != NULL)
		relay->events->stderr_passed(relay, chunk_body(relay), (size_t)n, relay->data);
	chunk_set(relay, input->type, (size_t)n);
	return true;
}

/* Tells the end of a stream, once all of it is out. */
static bool
input_end(struct relay *relay, struct input *input)
{
	if (!input->ended || input->sent_end)
		return false;
	input->sent_end = true;
	local_fd_close(&input->local, relay->local_source);
	chunk_set(relay, input->type, 0);
	return true;
}

static bool
prefix_next(struct relay *relay)
{
	size_t len = relay->prefix != NULL ? strlen(relay->prefix) : 0;

	if (len == 0)
		return false;
	len = MIN(len, qrexec_chunk_max(relay->version));
	memcpy(chunk_body(relay), relay->prefix, len);
	relay->prefix += len;
	chunk_set(relay, QREXEC_DATA_STDIN, len);
	return true;
}

/* The service end's last word: when everything of the service has been passed on. */
static bool
code_next(struct relay *relay)
{
	int32_t code = relay->exit_code;

	if (relay->end != RELAY_SERVICE_END || !relay->have_code || relay->sent_code ||
	    !relay->in.sent_end || !relay->err.sent_end)
		return false;
	memcpy(chunk_body(relay), &code, sizeof(code));
	chunk_set(relay, QREXEC_DATA_EXIT_CODE, sizeof(code));
	relay->sent_code = true;
	return true;
}

/* Makes the next message, when there is anything to say. Reading may find the end of a stream. */
static bool
chunk_next(struct relay *relay)
{
	struct input *first = relay->err_turn ? &relay->err : &relay->in;
	struct input *second = relay->err_turn ? &relay->in : &relay->err;

	relay->err_turn = !relay->err_turn;
	return prefix_next(relay) || input_end(relay, &relay->err) ||
	       input_end(relay, &relay->in) || input_read(relay, first) ||
	       input_read(relay, second) || input_end(relay, &relay->err) ||
	       input_end(relay, &relay->in) || code_next(relay);
}

static void
send_side(struct relay *relay)
{
	for (int i = 0; i < STEPS_A_TURN; i++) {
		if (!chunk_flush(relay) || relay->state != STREAMING)
			return;
		if (!chunk_next(relay))
			return;
	}
	kick(relay);
}

/* --- coming in ------------------------------------------------------------------------------ */

/*
 * Nothing more goes to the local side, which learns that the stream is over. The socket to a
 * process stays open: it may become the input yet.
 */
static void
out_end(struct relay *relay)
{
	if (relay->out_ended)
		return;
	relay->out_ended = true;
	if (relay->out_is_pair)
		shutdown(relay->out.fd, SHUT_WR);
	else
		local_fd_close(&relay->out, relay->local_source);
}

/* Hands over what is pending. True when nothing is left. */
static bool
pending_flush(struct relay *relay)
{
	while (relay->pending_len > 0) {
		struct local_fd *to = relay->pending_to;
		ssize_t n = local_fd_write(to, relay->pending, relay->pending_len);

		if (n == -EAGAIN)
			return false;
		if (n < 0) { /* nobody takes it: the rest is thrown away, the call goes on */
			relay->pending_len = 0;
			if (to == &relay->out)
				out_end(relay);
			else
				local_fd_close(to, relay->local_source);
			break;
		}
		relay->pending += n;
		relay->pending_len -= (size_t)n;
	}
	return true;
}

static void
deliver(struct relay *relay, struct local_fd *to, const struct qrexec_message *message, bool filter)
{
	if (to->fd < 0 || (to == &relay->out && relay->out_ended))
		return;
	relay->pending = qrexec_data(message->untrusted_body);
	relay->pending_len = message->untrusted_body.len;
	relay->pending_to = to;
	if (filter)
		qrexec_filter_escapes(relay->reader.body, relay->pending_len);
}

/* Logged once a call, without a byte of what came. */
static void
ignore_foreign(struct relay *relay, const struct qrexec_message *message)
{
	if (!relay->noted_foreign)
		log_warn("message of type 0x%x from a client end ignored", message->type);
	relay->noted_foreign = true;
}

static void
on_data_message(struct relay *relay, const struct qrexec_message *message)
{
	bool client = relay->end == RELAY_CLIENT_END;

	switch (message->type) {
	case QREXEC_DATA_STDIN: /* deployed peers take either of the two for the other */
	case QREXEC_DATA_STDOUT:
		if (message->untrusted_body.len == 0)
			out_end(relay);
		else
			deliver(relay, &relay->out, message, relay->filter_stdout);
		break;
	case QREXEC_DATA_STDERR:
		if (client)
			deliver(relay, &relay->err_out, message, relay->filter_stderr);
		else
			ignore_foreign(relay, message);
		break;
	case QREXEC_DATA_EXIT_CODE:
		if (client) {
			relay->exit_code = qrexec_decode_exit_code(message->untrusted_body);
			relay->have_code = true;
		} else {
			ignore_foreign(relay, message);
		}
		break;
	}
}

static int
on_message(struct relay *relay, const struct qrexec_message *message)
{
	int r;

	relay->holds_message = true;
	if (relay->state != HANDSHAKE) {
		on_data_message(relay, message);
		return 0;
	}
	r = qrexec_decode_hello(
	    message->untrusted_body, QREXEC_VERSION, QREXEC_VERSION_OLDEST, &relay->version);
	if (r < 0)
		return r;
	relay->state = READY;
	return 0;
}

static bool
wants_vchan(const struct relay *relay)
{
	if (relay->end == RELAY_CLIENT_END && relay->have_code)
		return false;
	return relay->pending_len == 0 && relay->state != READY && relay->state < DRAINING;
}

static void
release_message(struct relay *relay)
{
	if (!relay->holds_message)
		return;
	relay->holds_message = false;
	qrexec_reader_next(&relay->reader);
	if (relay->state == STREAMING)
		qrexec_reader_set_rules(&relay->reader, qrexec_rules_data(relay->version));
}

/*
 * One read from the vchan. 1: there may be more; 0: not now; a negative errno: it is over, with
 * -ENODATA when the peer left.
 */
static int
receive_step(struct relay *relay)
{
	struct qrexec_message message;
	size_t len;
	void *space;
	ssize_t n;
	int r;

	release_message(relay);
	space = qrexec_reader_space(&relay->reader, &len);
	n = vchan_read(relay->vchan, space, len);
	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		return n == 0 || n == -ECONNRESET ? -ENODATA : (int)n;
	r = qrexec_reader_advance(&relay->reader, (size_t)n, &message);
	if (r > 0)
		r = on_message(relay, &message);
	return r < 0 ? r : 1;
}

static int
receive_side(struct relay *relay)
{
	for (int i = 0; i < STEPS_A_TURN; i++) {
		int r;

		if (!pending_flush(relay) || !wants_vchan(relay))
			return 0;
		r = receive_step(relay);
		if (r <= 0)
			return r;
	}
	kick(relay);
	return 0;
}

/* --- the ends ------------------------------------------------------------------------------- */

static void
stop_timer(struct relay *relay)
{
	if (relay->timer != 0)
		g_source_remove(relay->timer);
	relay->timer = 0;
}

static void
drop_source(GSource **source)
{
	if (*source == NULL)
		return;
	g_source_destroy(*source);
	g_clear_pointer(source, g_source_unref);
}

static void
close_everything(struct relay *relay)
{
	if (relay->vchan == NULL)
		return;
	stop_timer(relay);
	local_fd_close(&relay->in.local, relay->local_source);
	local_fd_close(&relay->err.local, relay->local_source);
	local_fd_close(&relay->out, relay->local_source);
	local_fd_close(&relay->err_out, relay->local_source);
	drop_source(&relay->local_source);
	drop_source(&relay->vchan_source);
	g_clear_pointer(&relay->vchan, vchan_close);
}

/* May free the relay. */
static void
end(struct relay *relay, int exit_code, int error)
{
	relay->state = DONE;
	close_everything(relay);
	relay->events->done(relay, exit_code, error, relay->data);
}

static gboolean
on_drain_timer(gpointer data)
{
	struct relay *relay = data;

	relay->timer = 0;
	relay->drained_ms += relay->drain_ms;
	relay->drain_ms = MIN(relay->drain_ms * 2, DRAIN_POLL_LAST_MS);
	kick(relay);
	return G_SOURCE_REMOVE;
}

/* The vchan hands over what it holds in its own time, and has no event for "all is gone". */
static bool
is_drained(struct relay *relay)
{
	if (vchan_state(relay->vchan) == VCHAN_CLOSED)
		return true;
	if (relay->chunk_len == 0 && vchan_queued(relay->vchan) == 0)
		return true;
	if (relay->end == RELAY_CLIENT_END && relay->drained_ms >= CLIENT_DRAIN_MAX_MS)
		return true;
	if (relay->timer == 0)
		relay->timer = g_timeout_add(relay->drain_ms, on_drain_timer, relay);
	return false;
}

static void
start_draining(struct relay *relay)
{
	relay->state = DRAINING;
	relay->drain_ms = DRAIN_POLL_FIRST_MS;
	chunk_flush(relay);
}

/* A service without a process has no exit code: the ends of its streams are its end. */
static void
check_socket_service(struct relay *relay)
{
	bool service_ended = relay->in.ended;
	bool client_ended = relay->out_ended;

	if (relay->has_process || relay->have_code)
		return;
	if ((service_ended && client_ended) || (service_ended && relay->exit_on_service_eof) ||
	    (client_ended && relay->exit_on_client_eof)) {
		relay->in.ended = true;
		relay->have_code = true;
		relay->exit_code = 0;
		kick(relay);
	}
}

static void
check_service_end(struct relay *relay)
{
	check_socket_service(relay);
	if (relay->sent_code && relay->chunk_len == 0)
		start_draining(relay);
}

static void
check_client_end(struct relay *relay)
{
	if (!relay->have_code || relay->pending_len > 0)
		return;
	if (relay->chunk_len == 0 && !relay->in.sent_end) {
		relay->in.sent_end = true;
		chunk_set(relay, QREXEC_DATA_STDIN, 0);
	}
	start_draining(relay);
}

/* May free the relay. */
static void
check_ends(struct relay *relay)
{
	if (relay->state == STREAMING && relay->end == RELAY_SERVICE_END)
		check_service_end(relay);
	else if (relay->state == STREAMING)
		check_client_end(relay);
	if (relay->state == DRAINING && is_drained(relay))
		end(relay, relay->exit_code, 0);
}

/* The stream broke off, and everything that came before has been delivered. May free the relay. */
static void
broke(struct relay *relay, int error)
{
	if (error == -ENODATA && relay->state >= STREAMING)
		end(relay, QREXEC_EXIT_CUT, 0);
	else
		end(relay, QREXEC_EXIT_PROBLEM, error);
}

static gboolean
on_timeout(gpointer data)
{
	struct relay *relay = data;

	relay->timer = 0;
	end(relay, QREXEC_EXIT_PROBLEM, -ETIMEDOUT);
	return G_SOURCE_REMOVE;
}

/* --- the loop ------------------------------------------------------------------------------- */

static void
update_watches(struct relay *relay)
{
	bool can_send = relay->state == STREAMING && relay->chunk_len == 0;
	bool pending = relay->pending_len > 0;

	local_fd_watch(&relay->in.local, relay->local_source,
	    can_send && !relay->in.ended && !relay->in.asked, G_IO_IN);
	local_fd_watch(
	    &relay->err.local, relay->local_source, can_send && !relay->err.ended, G_IO_IN);
	local_fd_watch(&relay->out, relay->local_source,
	    pending && relay->pending_to == &relay->out, G_IO_OUT);
	local_fd_watch(&relay->err_out, relay->local_source,
	    pending && relay->pending_to == &relay->err_out, G_IO_OUT);
	vchan_source_set_reading(relay->vchan_source, wants_vchan(relay));
}

/* One turn of the machine. May free the relay. */
static void
run(struct relay *relay, const bool *freed)
{
	int r;

	if (relay->state == CONNECTING && vchan_state(relay->vchan) == VCHAN_CONNECTED)
		relay->state = HANDSHAKE;
	r = receive_side(relay);
	if (r < 0) {
		broke(relay, r);
		return;
	}
	if (relay->state == READY && relay->timer != 0) { /* the limit is over: tell it once */
		stop_timer(relay);
		relay->events->ready(relay, relay->data);
		if (*freed)
			return;
	}
	send_side(relay);
	check_ends(relay);
	if (!*freed && relay->state != DONE)
		update_watches(relay);
}

/* The variable on the stack outlives the relay, which every callback may free. */
static gboolean
on_relay_ready(gpointer data)
{
	struct relay *relay = data;
	bool freed = false;

	if (relay->state == DONE)
		return G_SOURCE_REMOVE;
	relay->freed = &freed;
	run(relay, &freed);
	if (!freed)
		relay->freed = NULL;
	return G_SOURCE_CONTINUE;
}

static void
attach_source(GSource *source, struct relay *relay)
{
	g_source_set_callback(source, on_relay_ready, relay, NULL);
	g_source_attach(source, NULL);
}

struct relay *
relay_new(struct vchan *vchan, enum relay_end end_of_call, unsigned timeout_ms,
    const struct relay_events *events, void *data)
{
	struct qrexec_wire_hello hello = {QREXEC_VERSION};
	struct relay *relay = g_new0(struct relay, 1);

	relay->end = end_of_call;
	relay->events = events;
	relay->data = data;
	relay->version = QREXEC_VERSION_OLDEST;
	relay->vchan = vchan;
	relay->chunk = g_malloc(sizeof(struct qrexec_wire_header) + QREXEC_CHUNK_MAX);
	qrexec_reader_init(&relay->reader, qrexec_rules_hello());
	local_fd_init(&relay->in.local, -1);
	local_fd_init(&relay->err.local, -1);
	local_fd_init(&relay->out, -1);
	local_fd_init(&relay->err_out, -1);
	relay->in.type = end_of_call == RELAY_CLIENT_END ? QREXEC_DATA_STDIN : QREXEC_DATA_STDOUT;
	relay->err.type = QREXEC_DATA_STDERR;
	relay->local_source = g_source_new(&local_source_funcs, sizeof(struct local_source));
	((struct local_source *)relay->local_source)->relay = relay;
	relay->vchan_source = vchan_source_new(vchan);
	attach_source(relay->local_source, relay);
	attach_source(relay->vchan_source, relay);
	relay->timer = g_timeout_add(timeout_ms != 0 ? timeout_ms : G_MAXINT, on_timeout, relay);
	memcpy(chunk_body(relay), &hello, sizeof(hello));
	chunk_set(relay, QREXEC_HELLO, sizeof(hello));
	kick(relay);
	return relay;
}

void
relay_free(struct relay *relay)
{
	if (relay == NULL)
		return;
	if (relay->freed != NULL)
		*relay->freed = true;
	close_everything(relay);
	qrexec_reader_fini(&relay->reader);
	g_free(relay->chunk);
	g_free(relay);
}

void
relay_attach(struct relay *relay, const struct relay_local *local)
{
	bool client = relay->end == RELAY_CLIENT_END;
	bool same = local->in_fd >= 0 && local->in_fd == local->out_fd;

	local_fd_init(
	    &relay->in.local, same ? fcntl(local->in_fd, F_DUPFD_CLOEXEC, 3) : local->in_fd);
	local_fd_init(&relay->out, local->out_fd);
	local_fd_init(client ? &relay->err_out : &relay->err.local, local->err_fd);
	relay->in.ended = relay->in.local.fd < 0;
	relay->out_ended = relay->out.fd < 0;
	relay->err.ended = client || local->err_fd < 0;
	relay->err.sent_end = client; /* a client end has no such stream */
	relay->out_is_pair = same || local->out_is_pair;
	relay->has_process = local->has_process;
	relay->exit_on_client_eof = local->exit_on_client_eof;
	relay->exit_on_service_eof = local->exit_on_service_eof;
	relay->filter_stdout = local->filter_stdout;
	relay->filter_stderr = local->filter_stderr;
	relay->prefix = local->prefix;
	relay->state = STREAMING;
	kick(relay);
}

void
relay_finish(struct relay *relay, int exit_code)
{
	struct relay_local nothing = {-1, -1, -1, .has_process = true};

	relay_attach(relay, &nothing);
	relay_set_exit_code(relay, exit_code);
}

void
relay_answer(struct relay *relay, int exit_code)
{
	relay_finish(relay, exit_code);
	relay->in.sent_end = true;
	relay->err.sent_end = true;
}

void
relay_set_exit_code(struct relay *relay, int exit_code)
{
	relay->have_code = true;
	relay->exit_code = exit_code;
	kick(relay);
}

void
relay_use_one_socket(struct relay *relay)
{
	if (relay->one_socket || relay->in.ended || relay->state != STREAMING)
		return;
	relay->one_socket_due = true;
	if (relay->in.asked)
		switch_to_one_socket(relay);
	else
		relay->in.local.ready = true; /* read what is left in the old one */
	kick(relay);
}

void
relay_end_input(struct relay *relay)
{
	if (!relay->in.asked)
		return;
	relay->in.asked = false;
	relay->in.ended = true;
	kick(relay);
}

const char *
relay_strerror(int error)
{
	switch (error) {
	case -ETIMEDOUT:
		return "the other end did not come in time";
	case -ENODATA:
		return "the other end left before the handshake";
	case -EPROTO:
		return "the other end broke the protocol";
	case -EPROTONOSUPPORT:
		return "the other end speaks too old a protocol";
	default:
		return strerror(-error);
	}
}
