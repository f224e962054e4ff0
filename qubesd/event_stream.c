#include "qubesd/event_stream.h"

#include "qubesd/admin.h"
#include "qubesd/admin_methods.h"
#include "qubesd/policy_client.h"

#include <string.h>

#define PENDING_OVERHEAD 512 /* bytes of a question besides the event, roughly */

struct event_streams {
	struct qubes_app *app;        /* borrowed */
	struct policy_client *policy; /* borrowed from admin */
	GPtrArray *subscribers;       /* struct subscriber, owned by their calls */
};

/* An event that waits for the policy, or behind one that does. */
struct pending {
	struct subscriber *subscriber;
	GByteArray *bytes;
	struct policy_question *question; /* NULL: answered */
	bool allowed;
};

struct subscriber {
	struct event_streams *streams;
	struct admin_call *call;
	struct domain *only; /* borrowed from the call; NULL: every subject */
	bool trusted;        /* dom0: no questions */
	GQueue *pending;     /* struct pending, oldest first */
	size_t pending_bytes;
};

/* What belongs to the daemon itself. */
static const char *const inner_events[] = {
    "admin-permission:",
    "device-get:",
    "device-list:",
    "device-list-attached:",
    "domain-is-fully-usable",
};

static bool
is_inner(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(inner_events); i++) {
		if (g_str_has_prefix(name, inner_events[i]))
			return true;
	}
	return false;
}

static void
pending_free(void *data)
{
	struct pending *pending = data;

	if (pending->question != NULL)
		policy_question_cancel(pending->question);
	g_byte_array_unref(pending->bytes);
	g_free(pending);
}

static void
on_stream_end(void *data)
{
	struct subscriber *subscriber = data;

	g_ptr_array_remove(subscriber->streams->subscribers, subscriber);
	g_queue_free_full(subscriber->pending, pending_free);
	g_free(subscriber);
}

/* Sends what has been answered, up to the first event that has not. */
static void
flush(struct subscriber *subscriber)
{
	struct pending *pending;

	while ((pending = g_queue_peek_head(subscriber->pending)) != NULL &&
	       pending->question == NULL) {
		bool alive = true;

		g_queue_pop_head(subscriber->pending);
		subscriber->pending_bytes -= pending->bytes->len + PENDING_OVERHEAD;
		if (pending->allowed)
			alive = admin_call_send(
			    subscriber->call, pending->bytes->data, pending->bytes->len);
		pending_free(pending);
		if (!alive)
			return; /* the subscriber is no more */
	}
}

static void
on_answer(bool allowed, void *data)
{
	struct pending *pending = data;

	pending->question = NULL;
	pending->allowed = allowed;
	flush(pending->subscriber);
}

/* The name of the event as an argument of a service: ':' is not one of its characters. */
static char *
service_of(const char *event)
{
	char *service = g_strconcat("admin.Events+", event, NULL);

	return g_strdelimit(service, ":/", '_');
}

static void
ask(struct subscriber *subscriber, const struct event *event, GByteArray *bytes)
{
	const struct domain *about = event->subject != NULL ? event->subject : event->about;
	struct pending *pending;
	g_autofree char *service = NULL;

	if (subscriber->pending_bytes + bytes->len + PENDING_OVERHEAD > EVENT_STREAM_PENDING_MAX) {
		admin_call_end_stream(subscriber->call);
		return;
	}
	service = service_of(event->name);
	pending = g_new0(struct pending, 1);
	pending->subscriber = subscriber;
	pending->bytes = g_byte_array_ref(bytes);
	pending->question = policy_client_ask(subscriber->streams->policy,
	    domain_name(admin_call_source(subscriber->call)),
	    about != NULL ? domain_name(about) : "@adminvm", service, on_answer, pending);
	subscriber->pending_bytes += bytes->len + PENDING_OVERHEAD;
	g_queue_push_tail(subscriber->pending, pending);
}

static bool
on_event(const struct event *event, struct admin_error *error, void *data)
{
	struct event_streams *streams = data;
	const char *subject = event->subject != NULL ? domain_name(event->subject) : "";
	g_autoptr(GByteArray) bytes = NULL;

	(void)error;
	if (streams->subscribers->len == 0 || is_inner(event->name))
		return true;
	bytes = admin_event_encode(subject, event->name, event->args);
	/* Backwards: a subscriber that falls behind leaves the array. */
	for (guint i = streams->subscribers->len; i > 0; i--) {
		struct subscriber *subscriber = streams->subscribers->pdata[i - 1];

		if (subscriber->only != NULL && subscriber->only != event->subject)
			continue;
		if (subscriber->trusted)
			admin_call_send(subscriber->call, bytes->data, bytes->len);
		else
			ask(subscriber, event, bytes);
	}
	return true;
}

static bool
may_subscribe(const struct event_streams *streams, const struct domain *source)
{
	unsigned count = 0;

	for (guint i = 0; i < streams->subscribers->len; i++) {
		const struct subscriber *subscriber = streams->subscribers->pdata[i];

		count += admin_call_source(subscriber->call) == source;
	}
	return domain_is_dom0(source) || count < EVENT_STREAM_PER_QUBE;
}

void
admin_events(struct admin_call *call)
{
	static const char *const no_args[] = {NULL};
	struct event_streams *streams = admin_event_streams(admin_call_admin(call));
	struct domain *dest = admin_call_dest(call);
	g_autoptr(GByteArray) hello = NULL;
	struct subscriber *subscriber;

	if (!may_subscribe(streams, admin_call_source(call))) {
		admin_call_fail_with(call, "QubesException", "Too many subscriptions of this qube");
		return;
	}
	subscriber = g_new0(struct subscriber, 1);
	subscriber->streams = streams;
	subscriber->call = call;
	subscriber->only = domain_is_dom0(dest) ? NULL : dest;
	subscriber->trusted = domain_is_dom0(admin_call_source(call));
	subscriber->pending = g_queue_new();
	g_ptr_array_add(streams->subscribers, subscriber);
	admin_call_stream(call, on_stream_end, subscriber);
	hello = admin_event_encode("", "connection-established", no_args);
	admin_call_send(call, hello->data, hello->len);
}

struct event_streams *
event_streams_new(struct qubes_app *app, struct policy_client *policy)
{
	struct event_streams *streams = g_new0(struct event_streams, 1);

	streams->app = app;
	streams->policy = policy;
	streams->subscribers = g_ptr_array_new();
	event_add_handler(app, EVENT_ORDER_SUBSCRIBERS, on_event, streams);
	return streams;
}

void
event_streams_free(struct event_streams *streams)
{
	if (streams == NULL)
		return;
	event_remove_handlers(streams->app, EVENT_ORDER_SUBSCRIBERS, streams);
	g_ptr_array_unref(streams->subscribers);
	g_free(streams);
}
