#include "qubesd/tools/client.h"

#include "shared/admin_exchange.h"
#include "shared/orphan.h"
#include "shared/paths.h"
#include "shared/role.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_REFUSED 126         /* qrexec-client-vm: the policy said no */
#define PROGRAM_PATIENCE_MS 5000 /* from the end of its output to its own */

struct client {
	char *socket;                  /* owned; NULL inside a qube */
	char *program;                 /* owned: qrexec-client-vm; NULL on the trusted side */
	struct client_batch *blocking; /* borrowed: of the present client_run() */
};

struct client_batch {
	struct client *client;     /* borrowed */
	struct client_call *calls; /* borrowed */
	size_t count, started;
	GPtrArray *pending; /* of struct running, owned: calls in flight */
	bool interrupted;   /* nothing more is started */
	guint end_source;   /* idle: calls done; 0 while calls are in flight */
	client_batch_done done;
	void *data; /* borrowed */
};

/* A call in flight: it is over when the reply has ended and, inside a qube, the program has. */
struct running {
	struct client_batch *batch;      /* borrowed */
	struct client_call *call;        /* borrowed from the caller of client_run() */
	struct admin_exchange *exchange; /* owned until it is done, then NULL */
	int error;                       /* of the exchange */
	struct admin_reply reply;        /* owned; of the exchange */
	GPid pid;                        /* of qrexec-client-vm; 0: none, or it has ended */
	guint watch;                     /* source: the end of pid */
	guint patience;                  /* source: the program should have ended by now */
	int result;                      /* of the program, as a negative errno; 0: well */
};

struct client_events {
	struct admin_events *events; /* owned */
	GPid pid;                    /* of qrexec-client-vm; 0: none */
};

struct client *
client_new(const char *socket)
{
	struct client *client = g_new0(struct client, 1);
	g_autofree char *program = path_program("qrexec-client-vm");

	client->socket = socket != NULL ? g_strdup(socket) : path_qubesd_socket("qubesd.sock");
	if (socket != NULL || g_getenv("QUBESD_SOCKET") != NULL ||
	    !g_file_test(program, G_FILE_TEST_IS_EXECUTABLE) || role_is_trusted_side())
		return client;
	client->program = g_steal_pointer(&program);
	g_clear_pointer(&client->socket, g_free);
	return client;
}

void
client_free(struct client *client)
{
	if (client == NULL)
		return;
	g_free(client->program);
	g_free(client->socket);
	g_free(client);
}

bool
client_is_local(const struct client *client)
{
	return client->socket != NULL;
}

/* What a failure without a reply means, for people. */
static char *
message_of(const struct client *client, int error)
{
	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:
		return g_strdup_printf("cannot connect to qubesd (%s)",
		    client->socket != NULL ? client->socket : client->program);
	case -EACCES:
		return g_strdup("Request refused");
	case -ENODATA:
		return g_strdup("qubesd ended the call without a reply; its log may tell why");
	case -EPROTO:
		return g_strdup("qubesd sent a reply that makes no sense");
	case -EINTR:
		return g_strdup("interrupted");
	default:
		return g_strdup_printf("call to qubesd failed: %s", strerror(-error));
	}
}

static void
call_fail(const struct client *client, struct client_call *call, int error)
{
	call->error = error;
	call->klass = g_strdup("");
	call->message = message_of(client, error);
}

/* --- qrexec-client-vm ----------------------------------------------------------------------- */

/* The child gets its end of the socket as stdin and stdout. */
static void
before_exec(gpointer data)
{
	int fd = GPOINTER_TO_INT(data);

	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
}

/* Returns our end of the program's socket, or a negative errno. */
static int
spawn_program(const struct client *client, const char *dest, const char *service, GPid *ret)
{
	char *argv[] = {client->program, (char *)"--", (char *)dest, (char *)service, NULL};
	int fds[2];
	gboolean ok;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	ok = g_spawn_async(NULL, argv, NULL,
	    G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CHILD_INHERITS_STDIN | G_SPAWN_STDERR_TO_DEV_NULL,
	    before_exec, GINT_TO_POINTER(fds[1]), ret, NULL);
	close(fds[1]);
	if (ok)
		return fds[0];
	close(fds[0]);
	return -EIO;
}

/* --- one call ------------------------------------------------------------------------------- */

static void batch_pump(struct client_batch *batch);

static void
running_free(struct running *running)
{
	if (running->watch != 0)
		g_source_remove(running->watch);
	if (running->patience != 0)
		g_source_remove(running->patience);
	admin_exchange_free(running->exchange);
	admin_reply_clear(&running->reply);
	if (running->pid != 0)
		orphan_leave(running->pid, SIGTERM);
	g_free(running);
}

static void
finish_if_over(struct running *running)
{
	struct client_batch *batch = running->batch;
	struct client_call *call = running->call;

	if (running->exchange != NULL || running->pid != 0)
		return;
	if (running->error != 0) {
		call_fail(
		    batch->client, call, running->result != 0 ? running->result : running->error);
	} else if (running->reply.ok) {
		call->ok = true;
		call->content = g_steal_pointer(&running->reply.content);
	} else {
		call->klass = g_steal_pointer(&running->reply.error_class);
		call->message = g_steal_pointer(&running->reply.error_message);
	}
	g_ptr_array_remove_fast(batch->pending, running);
	running_free(running);
	batch_pump(batch);
}

static void
on_program_ended(GPid pid, gint status, gpointer data)
{
	struct running *running = data;
	bool refused = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_REFUSED;

	g_spawn_close_pid(pid);
	running->pid = 0;
	running->watch = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		running->result = refused ? -EACCES : -EIO;
	finish_if_over(running);
}

static gboolean
on_patience_over(gpointer data)
{
	struct running *running = data;

	running->patience = 0;
	kill(running->pid, SIGKILL);
	return G_SOURCE_REMOVE;
}

static void
on_exchange_done(int error, struct admin_reply *reply, void *data)
{
	struct running *running = data;

	running->exchange = NULL;
	running->error = error;
	if (error == 0) {
		running->reply = *reply;
		*reply = (struct admin_reply){0};
	}
	if (running->pid != 0)
		running->patience = g_timeout_add(PROGRAM_PATIENCE_MS, on_patience_over, running);
	finish_if_over(running);
}

static int
start_program(struct running *running)
{
	const struct client_call *call = running->call;
	g_autofree char *service =
	    g_strdup_printf("%s+%s", call->method, call->arg != NULL ? call->arg : "");
	int fd = spawn_program(running->batch->client, call->dest, service, &running->pid);

	if (fd < 0)
		return fd;
	running->watch = g_child_watch_add(running->pid, on_program_ended, running);
	running->exchange =
	    admin_exchange_new_on(fd, call->payload, call->payload_len, on_exchange_done, running);
	return 0;
}

static void
start_call(struct client_batch *batch, struct client_call *call)
{
	const struct client *client = batch->client;
	struct running *running = g_new0(struct running, 1);
	int r;

	running->batch = batch;
	running->call = call;
	if (batch->interrupted)
		r = -EINTR;
	else if (client->program != NULL)
		r = start_program(running);
	else
		r = admin_exchange_new(client->socket, call->method, call->arg, call->dest,
		    call->payload, call->payload_len, on_exchange_done, running,
		    &running->exchange);
	if (r < 0) {
		call_fail(client, call, r == -EACCES ? -ECONNREFUSED : r);
		running_free(running);
		return;
	}
	g_ptr_array_add(batch->pending, running);
}

static gboolean
on_batch_end(gpointer data)
{
	struct client_batch *batch = data;

	batch->end_source = 0;
	batch->done(batch->data);
	client_batch_free(batch);
	return G_SOURCE_REMOVE;
}

static void
batch_pump(struct client_batch *batch)
{
	while (batch->started < batch->count && batch->pending->len < CLIENT_PARALLEL)
		start_call(batch, &batch->calls[batch->started++]);
	if (batch->pending->len == 0 && batch->end_source == 0)
		batch->end_source = g_idle_add(on_batch_end, batch);
}

struct client_batch *
client_batch_new(struct client *client, struct client_call *calls, size_t count,
    client_batch_done done, void *data)
{
	struct client_batch *batch = g_new0(struct client_batch, 1);

	batch->client = client;
	batch->calls = calls;
	batch->count = count;
	batch->pending = g_ptr_array_new();
	batch->done = done;
	batch->data = data;
	batch_pump(batch);
	return batch;
}

void
client_batch_free(struct client_batch *batch)
{
	if (batch == NULL)
		return;
	for (guint i = 0; i < batch->pending->len; i++)
		running_free(batch->pending->pdata[i]);
	if (batch->end_source != 0)
		g_source_remove(batch->end_source);
	g_ptr_array_unref(batch->pending);
	g_free(batch);
}

static void
on_run_done(void *data)
{
	*(bool *)data = true;
}

void
client_run(struct client *client, struct client_call *calls, size_t count)
{
	bool done = false;

	client->blocking = client_batch_new(client, calls, count, on_run_done, &done);
	while (!done)
		g_main_context_iteration(NULL, TRUE);
	client->blocking = NULL;
}

void
client_interrupt(struct client *client)
{
	struct client_batch *batch = client->blocking;

	if (batch == NULL)
		return;
	batch->interrupted = true;
	while (batch->pending->len > 0) {
		struct running *running = g_ptr_array_steal_index_fast(batch->pending, 0);

		call_fail(client, running->call, -EINTR);
		running_free(running);
	}
	batch_pump(batch);
}

/* --- events --------------------------------------------------------------------------------- */

int
client_events_new(struct client *client, admin_event_func on_event, admin_events_end_func on_end,
    void *data, struct client_events **ret)
{
	struct admin_events *events = NULL;
	GPid pid = 0;
	int r = 0;

	if (client->program == NULL) {
		r = admin_events_new(
		    client->socket, "admin.Events", "dom0", on_event, on_end, data, &events);
	} else {
		int fd = spawn_program(client, "dom0", "admin.Events+", &pid);

		if (fd < 0)
			r = fd;
		else
			events = admin_events_new_on(fd, on_event, on_end, data);
	}
	if (r < 0)
		return r;
	*ret = g_new0(struct client_events, 1);
	(*ret)->events = events;
	(*ret)->pid = pid;
	return 0;
}

void
client_events_free(struct client_events *events)
{
	if (events == NULL)
		return;
	admin_events_free(events->events);
	if (events->pid != 0)
		orphan_leave(events->pid, SIGTERM);
	g_free(events);
}

/* --- replies -------------------------------------------------------------------------------- */

bool
client_call_found_nobody(const struct client_call *call)
{
	return call->error != 0 && call->error != -EACCES;
}

bool
client_call_failed_with(const struct client_call *call, const char *klass)
{
	return !call->ok && strcmp(call->klass, klass) == 0;
}

void
client_clear(struct client_call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		g_clear_pointer(&calls[i].content, g_free);
		g_clear_pointer(&calls[i].klass, g_free);
		g_clear_pointer(&calls[i].message, g_free);
	}
}

char **
client_lines(const char *content)
{
	size_t len = strlen(content);
	g_autofree char *text = NULL;

	if (len > 0 && content[len - 1] == '\n')
		len--;
	text = g_strndup(content, len);
	return len > 0 ? g_strsplit(text, "\n", -1) : g_new0(char *, 1);
}
