/*
 * admin_client - calls to qubesd over its sockets, for everything that is not qubesd.
 *
 * Shape:  one connection a call: "METHOD+ARG SOURCE name DEST" NUL PAYLOAD, end of the write side,
 *         reply to end of file. Events arrive as a stream of their own (struct admin_events).
 * Trust:  qubesd is trusted; replies are still bounded and checked.
 * Source: docs/admin-api.md.
 */
#ifndef SHARED_ADMIN_CLIENT_H
#define SHARED_ADMIN_CLIENT_H

#include <glib.h>
#include <stdbool.h>

#define ADMIN_REPLY_MAX (64u << 20) /* bytes; more is not a reply */

/* What came back: either content, or the error's class and message. */
struct admin_reply {
	bool ok;
	char *content;      /* owned; NUL-terminated for convenience, may hold NUL bytes */
	size_t content_len; /* bytes, without that NUL */
	char *error_class;  /* owned; NULL when ok */
	char *error_message;
};

void admin_reply_clear(struct admin_reply *reply);

/*
 * One blocking call as dom0. socket is a path (path_qubesd_socket()); dest is a qube's name or
 * "dom0"; arg and payload may be NULL. timeout_ms bounds each wait for progress, -1 waits for ever.
 * Returns 0 when a well-formed reply came (also an error reply), -ECONNREFUSED or -ENOENT when
 * qubesd is not there, -ETIMEDOUT, -EPROTO; *ret is untouched then.
 */
int admin_call(const char *socket, const char *method, const char *arg, const char *dest,
    const void *payload, size_t payload_len, int timeout_ms, struct admin_reply *ret);

/* The bytes of a request, as written before the write side is closed. To be freed. */
GByteArray *admin_request_encode(const char *method, const char *arg, const char *source,
    const char *dest, const void *payload, size_t payload_len);

/* Takes apart a whole reply. Returns 0 or -EPROTO. */
int admin_reply_decode(const void *bytes, size_t len, struct admin_reply *ret);

/* One event. Every pointer is borrowed for the time of the callback. */
struct admin_event {
	const char *subject; /* a qube's name, or "" for the application */
	const char *name;
	GHashTable *args; /* const char * -> const char * */
};

typedef void (*admin_event_func)(const struct admin_event *event, void *data);
/* The stream ended or broke; error is a negative errno or 0. The object is still to be freed. */
typedef void (*admin_events_end_func)(int error, void *data);

/*
 * A subscription on the GLib main loop: method is "admin.Events" or another method that replies
 * with events. Never waits: returns 0 or a negative errno, -EAGAIN when too many others wait to be
 * let in.
 */
struct admin_events;
int admin_events_new(const char *socket, const char *method, const char *dest,
    admin_event_func on_event, admin_events_end_func on_end, void *data, struct admin_events **ret);
/*
 * Over a stream socket that somebody else connected, such as one to a program that makes the call;
 * fd is taken over, and what is written to it ends here.
 */
struct admin_events *admin_events_new_on(
    int fd, admin_event_func on_event, admin_events_end_func on_end, void *data);
void admin_events_free(struct admin_events *events); /* NULL is fine; also inside a callback */

#endif
