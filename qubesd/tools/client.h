/*
 * client - calls of one tool to qubesd: straight to its socket on the trusted side, through
 * qrexec-client-vm (one program a call) inside a qube.
 *
 * Shape:  an array of calls is made at once, CLIENT_PARALLEL at a time; each call's fields tell
 *         afterwards what came of it.
 * Blocks: client_run() runs the GLib main loop until every call has ended; a program with a loop of
 *         its own makes a batch instead. No time limit.
 */
#ifndef QUBESD_TOOLS_CLIENT_H
#define QUBESD_TOOLS_CLIENT_H

#include "shared/admin_client.h"

#include <glib.h>
#include <stdbool.h>

#define CLIENT_PARALLEL 32 /* connections, or programs, at a time */

struct client;

struct client_call {
	const char *method, *arg, *dest; /* borrowed; arg may be NULL */
	const void *payload;             /* borrowed; may be NULL */
	size_t payload_len;

	bool ok;   /* content came */
	int error; /* negative errno: no reply came (-EACCES: policy refused the call); else 0 */
	char *content; /* owned; NUL-terminated; NULL unless ok */
	char *klass;   /* owned; the error's class, "" when there was no reply, NULL when ok */
	char *message; /* owned; for people; NULL when ok */
};

/*
 * socket forces the trusted side's way with that path, and so does QUBESD_SOCKET. Else role.h
 * decides; without qrexec-client-vm it can only be the trusted side.
 */
struct client *client_new(const char *socket);
void client_free(struct client *client);

/* True when calls go to qubesd's socket, so that this is the trusted side. */
bool client_is_local(const struct client *client);

/* Makes all calls. They are to be cleared with client_clear(). */
void client_run(struct client *client, struct client_call *calls, size_t count);

/* From a source on the main loop: the calls of the present client_run() end with -EINTR. */
void client_interrupt(struct client *client);

/*
 * The same without waiting: done is called once, from the main loop, after the last call has ended;
 * the batch is gone when it returns. calls stays the caller's and must outlive the batch.
 */
struct client_batch;
typedef void (*client_batch_done)(void *data);
struct client_batch *client_batch_new(struct client *client, struct client_call *calls,
    size_t count, client_batch_done done, void *data);
/* Gives up; done is not called. NULL is fine. */
void client_batch_free(struct client_batch *batch);

/*
 * A subscription to admin.Events, for whoever has a loop of its own: what the caller may see of all
 * qubes. on_end as in admin_client.h; a policy that refuses the call is an end without an event.
 * Returns 0 or a negative errno.
 */
struct client_events;
int client_events_new(struct client *client, admin_event_func on_event,
    admin_events_end_func on_end, void *data, struct client_events **ret);
void client_events_free(struct client_events *events); /* NULL is fine; also inside a callback */

/* True when no call can succeed, because qubesd is not there. */
bool client_call_found_nobody(const struct client_call *call);

/* True when the call failed with that class of error. */
bool client_call_failed_with(const struct client_call *call, const char *klass);

void client_clear(struct client_call *calls, size_t count);

/* The lines of a reply, without the last line feed; to be freed with g_strfreev(). */
char **client_lines(const char *content);

#endif
