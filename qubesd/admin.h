/*
 * admin - the Admin API: from a whole request to a reply.
 *
 * Shape:  one call per request. Its method is a row of the table in admin.c, which says what the
 *         argument, the payload and the destination must be; a handler does the rest and answers
 *         exactly once, at once or later.
 * Order:  frame, source, destination, method, payload, argument, destination's kind, syntax,
 *         permission, existence of what is named inside, action, store, reply. Observable, so the
 *         same for every method. Source: docs/admin-api.md, "Order of checks".
 * Trust:  who may make a call at all was decided by the qrexec policy before; built-in checks and
 *         what a caller may see of others are in permission.h.
 */
#ifndef QUBESD_ADMIN_H
#define QUBESD_ADMIN_H

#include "qubesd/admin_error.h"
#include "qubesd/qubes_app.h"
#include "qubesd/store.h"
#include "shared/untrusted.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

enum admin_socket {
	ADMIN_SOCKET_MAIN,
	ADMIN_SOCKET_INTERNAL,
	ADMIN_SOCKET_MISC,
};

struct admin;
struct admin_call;

/* Everything is borrowed for the object's life. policy_socket: where the policy daemon listens. */
struct admin *admin_new(struct store *store, const char *policy_socket);
void admin_free(struct admin *admin); /* after every call has ended */

/* --- for who brings requests ---------------------------------------------------------------- */

/* Where the answer goes. Either reply() or drop() is called last, and once. */
struct admin_output {
	/* The whole answer. */
	void (*reply)(void *data, const void *bytes, size_t len);
	/*
	 * Part of an answer that goes on until admin_call_abandon(); false when the reader is too far
	 * behind: the call is over then, as after drop().
	 */
	bool (*stream)(void *data, const void *bytes, size_t len);
	/* No answer at all. */
	void (*drop)(void *data);
};

/*
 * Runs a request. The call is over when reply() or drop() is called, which may be before this
 * returns; the result is NULL then, else the call, to be abandoned if its reader goes away first.
 */
struct admin_call *admin_call_start(struct admin *admin, enum admin_socket socket, GBytes *request,
    const struct admin_output *output, void *data);
/* Nobody waits for the answer any more. What was begun goes on; a stream ends. */
void admin_call_abandon(struct admin_call *call);

/* The names of every method of a socket, in the order of the table. NULL-terminated; g_free(). */
const char **admin_method_names(enum admin_socket socket);

/* --- for the handlers ----------------------------------------------------------------------- */

enum admin_need {
	ADMIN_NONE, /* must be empty */
	ADMIN_SOME, /* must not be empty */
	ADMIN_OPTIONAL,
};
enum admin_dest {
	ADMIN_DEST_DOM0,
	ADMIN_DEST_QUBE, /* not dom0 */
	ADMIN_DEST_ANY,
};
enum admin_right {
	ADMIN_READ,
	ADMIN_WRITE,
	ADMIN_EXECUTE,
};

struct admin_method {
	const char *name;
	enum admin_need arg, payload;
	enum admin_dest dest;
	bool global; /* scope, for the default policy: else local */
	enum admin_right right;
	void (*handle)(struct admin_call *call);
	int variant; /* tells apart the rows of one handler */
};

/* Who calls whom. Borrowed for the life of the call. */
struct admin *admin_call_admin(const struct admin_call *call);
struct qubes_app *admin_call_app(const struct admin_call *call);
struct domain *admin_call_source(const struct admin_call *call);
struct domain *admin_call_dest(const struct admin_call *call);
/* The application's owner for admin.property, the destination's for admin.vm.property. */
const struct admin_method *admin_call_method(const struct admin_call *call);
const char *admin_call_arg(const struct admin_call *call); /* ASCII, otherwise as it came */
struct untrusted_bytes admin_call_payload(const struct admin_call *call);

/* Each of these ends the call. */
void admin_call_reply(struct admin_call *call, const char *content); /* NULL: empty */
void admin_call_reply_bytes(struct admin_call *call, const void *content, size_t len);
void admin_call_fail(struct admin_call *call, struct admin_error *error); /* clears error */
void admin_call_fail_with(struct admin_call *call, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Answers when everything changed so far is on disk; when it cannot be written, with the error. */
void admin_call_commit(struct admin_call *call, const char *content);

/*
 * Makes the call a stream of events: it goes on until its reader goes away or falls behind; then
 * on_end is called once, after which the call is no more.
 */
void admin_call_stream(struct admin_call *call, void (*on_end)(void *data), void *data);
/* False: the call is over, and on_end has been called. */
bool admin_call_send(struct admin_call *call, const void *bytes, size_t len);
/* Ends the stream from this side; calls on_end. */
void admin_call_end_stream(struct admin_call *call);

/* One event as it stands in a stream. */
GByteArray *admin_event_encode(const char *subject, const char *name, const char *const *args);

/* Parts of admin that handlers need. Borrowed. */
struct store *admin_store(const struct admin *admin);
struct policy_client *admin_policy(const struct admin *admin);
struct event_streams *admin_event_streams(const struct admin *admin);
struct system_info *admin_system_info(const struct admin *admin);

#endif
