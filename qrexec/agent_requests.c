#include "qrexec/agent_requests.h"

#include "qrexec/acceptor.h"
#include "qrexec/channel.h"
#include "shared/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REQUEST_TIMEOUT_MS 10000

struct agent_requests {
	struct acceptor *acceptor;
	guint64 last_serial;
	GPtrArray *programs; /* of struct program, owned */
	const struct agent_requests_events *events;
	void *data; /* borrowed from the caller */
};

/* One connection. */
struct program {
	struct agent_requests *requests; /* borrowed */
	struct channel *channel;
	guint timer; /* until the request is complete */
	/*
	 * A number of its own, never used again: a descriptor's number would be, and an answer that
	 * comes late would then reach somebody else.
	 */
	struct qrexec_ident ident;
	bool asked, connected;
	struct qrexec_place place; /* once connected */
};

static void
program_free(gpointer data)
{
	struct program *program = data;

	if (program->timer != 0)
		g_source_remove(program->timer);
	channel_free(program->channel);
	g_free(program);
}

static void
program_drop(struct program *program)
{
	struct agent_requests *requests = program->requests;
	struct qrexec_place place = program->place;
	bool connected = program->connected;

	g_ptr_array_remove_fast(requests->programs, program);
	if (connected)
		requests->events->ended(&place, requests->data);
}

static int
on_message(struct channel *channel, const struct qrexec_message *message, void *data)
{
	static const struct qrexec_rules nothing_more = {NULL, 0};
	struct program *program = data;
	struct agent_requests *requests = program->requests;
	struct qrexec_request request;
	int r;

	r = qrexec_decode_request(message->untrusted_body, &request);
	if (r == 0)
		r = requests->events->request(&request, &program->ident, requests->data);
	if (r < 0)
		return r;
	program->asked = true;
	g_source_remove(program->timer);
	program->timer = 0;
	channel_set_rules(channel, nothing_more);
	return 0;
}

static void
on_end(struct channel *channel, int error, void *data)
{
	(void)channel;
	if (error < 0)
		log_warn("a calling program: %s", channel_strerror(error));
	program_drop(data);
}

static const struct channel_events channel_events = {.message = on_message, .end = on_end};

static gboolean
on_request_timeout(gpointer data)
{
	struct program *program = data;

	program->timer = 0;
	log_warn("a calling program sent no request in time");
	program_drop(program);
	return G_SOURCE_REMOVE;
}

static void
on_connection(int fd, void *data)
{
	struct agent_requests *requests = data;
	struct program *program;

	if (requests->programs->len >= QREXEC_TABLE_MAX) {
		close(fd); /* that is how "refused" looks */
		return;
	}
	program = g_new0(struct program, 1);
	program->requests = requests;
	snprintf(program->ident.bytes, sizeof(program->ident.bytes), "SOCKET%" G_GUINT64_FORMAT,
	    ++requests->last_serial);
	program->channel =
	    channel_new_on_fd(fd, qrexec_rules_program_to_agent(), &channel_events, program);
	program->timer = g_timeout_add(REQUEST_TIMEOUT_MS, on_request_timeout, program);
	g_ptr_array_add(requests->programs, program);
}

int
agent_requests_new(const char *path, const struct agent_requests_events *events, void *data,
    struct agent_requests **ret)
{
	struct agent_requests *requests = g_new0(struct agent_requests, 1);
	int r;

	r = acceptor_new(path, 0777, on_connection, requests, &requests->acceptor);
	if (r < 0) {
		g_free(requests);
		return r;
	}
	requests->programs = g_ptr_array_new_with_free_func(program_free);
	requests->events = events;
	requests->data = data;
	*ret = requests;
	return 0;
}

void
agent_requests_free(struct agent_requests *requests)
{
	if (requests == NULL)
		return;
	acceptor_free(requests->acceptor);
	g_ptr_array_unref(requests->programs);
	g_free(requests);
}

void
agent_requests_pause(struct agent_requests *requests, bool pause)
{
	acceptor_pause(requests->acceptor, pause);
	for (guint i = 0; i < requests->programs->len; i++) {
		struct program *program = g_ptr_array_index(requests->programs, i);

		channel_set_reading(program->channel, !pause);
	}
}

static struct program *
find_waiting(struct agent_requests *requests, const struct qrexec_ident *ident)
{
	for (guint i = 0; i < requests->programs->len; i++) {
		struct program *program = g_ptr_array_index(requests->programs, i);

		if (program->asked && !program->connected &&
		    qrexec_ident_equal(&program->ident, ident))
			return program;
	}
	return NULL;
}

int
agent_requests_connect(struct agent_requests *requests, const struct qrexec_ident *ident,
    const struct qrexec_place *place)
{
	struct program *program = find_waiting(requests, ident);
	struct qrexec_wire_exec answer = {place->domain, place->port};

	if (program == NULL)
		return -ENOENT;
	program->connected = true;
	program->place = *place;
	channel_send_raw(program->channel, &answer, sizeof(answer));
	return 0;
}

int
agent_requests_refuse(struct agent_requests *requests, const struct qrexec_ident *ident)
{
	struct program *program = find_waiting(requests, ident);

	if (program == NULL)
		return -ENOENT;
	program_drop(program);
	return 0;
}
