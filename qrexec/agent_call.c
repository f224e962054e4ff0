#include "qrexec/agent_call.h"

#include "qrexec/execution.h"
#include "qrexec/local_socket.h"
#include "qrexec/process.h"
#include "qrexec/relay.h"
#include "shared/log.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATA_VCHAN_TIMEOUT_MS 120000

struct agent_call {
	const struct agent_call_context *context; /* borrowed */
	uint32_t type;
	struct qrexec_place place;
	struct call call;
	bool waiting;                /* for the session */
	struct execution *execution; /* runs here; or: */
	int fork_fd;                 /* owned: the fork server runs it; -1 */
	guint source;                /* its end; or failure to start, reported from the loop */
	agent_call_done done;
	void *data; /* borrowed from the caller */
};

static gboolean
on_failed(gpointer data)
{
	struct agent_call *call = data;

	call->source = 0;
	call->done(call, call->data);
	return G_SOURCE_REMOVE;
}

static void
on_execution_done(struct execution *execution, int exit_code, int error, void *data)
{
	struct agent_call *call = data;

	(void)execution;
	(void)exit_code;
	if (error < 0)
		log_warn("call at %u:%u: %s", call->place.domain, call->place.port,
		    relay_strerror(error));
	call->done(call, call->data);
}

static void
run_here(struct agent_call *call)
{
	struct execution_spec spec = {
	    .place = EXECUTION_AGENT,
	    .just_start = call->type == QREXEC_JUST_EXEC,
	    .domain = call->place.domain,
	    .port = call->place.port,
	    .timeout_ms = DATA_VCHAN_TIMEOUT_MS,
	};
	int r = execution_new(&call->call, &spec, on_execution_done, call, &call->execution);

	if (r < 0) {
		log_warn(
		    "data vchan %u:%u: %s", call->place.domain, call->place.port, strerror(-r));
		call->source = g_idle_add(on_failed, call);
	}
}

/* --- the fork server ------------------------------------------------------------------------ */

static const char *
user_of(const struct agent_call *call)
{
	return call->call.config.force_user != NULL ? call->call.config.force_user
						    : call->call.command.user;
}

static bool
may_use_fork_server(const struct agent_call *call)
{
	return call->context->fork_server != NULL && call->call.fail_code == 0 &&
	       !call->call.command.no_gui && user_of(call) != NULL &&
	       strchr(user_of(call), '/') == NULL &&
	       !service_config_is_for_sockets(&call->call.config);
}

/* The %s in the path, taken literally. */
static char *
fork_server_path(const char *pattern, const char *user)
{
	g_auto(GStrv) parts = g_strsplit(pattern, "%s", -1);

	return g_strjoinv(user, parts);
}

/* Only the user's own process may run things as that user. */
static bool
belongs_to(int fd, const char *user)
{
	uid_t uid = local_socket_peer_uid(fd);
	struct process_user entry;
	bool own;

	if (process_user_lookup(user, &entry) < 0)
		return false;
	own = uid == entry.uid;
	process_user_clear(&entry);
	if (!own)
		log_warn("the fork server of %s belongs to uid %u", user, uid);
	return own;
}

static int
send_request(const struct agent_call *call, int fd)
{
	const char *text = call->call.command.text;
	size_t len = strlen(text) + 1;
	struct qrexec_wire_fork head = {
	    call->type, call->place.domain, call->place.port, (uint32_t)len};
	g_autofree char *bytes = g_malloc(sizeof(head) + len);

	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), text, len);
	len += sizeof(head);
	/* All at once into a new socket: it has room for that, or there is something wrong. */
	return send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -EPIPE;
}

static gboolean
on_fork_server_ended(gint fd, GIOCondition condition, gpointer data)
{
	struct agent_call *call = data;

	(void)fd;
	(void)condition;
	call->source = 0;
	call->done(call, call->data);
	return G_SOURCE_REMOVE;
}

/* Returns 0 when the fork server has taken the call. */
static int
hand_to_fork_server(struct agent_call *call)
{
	const char *user = user_of(call);
	g_autofree char *path = fork_server_path(call->context->fork_server, user);
	int fd = local_socket_connect(path);
	int r;

	if (fd < 0) {
		if (fd != -ENOENT) /* a session that was there: display and bus will be missed */
			log_warn("the session of %s does not answer: %s", user, g_strerror(-fd));
		return fd;
	}
	r = belongs_to(fd, user) ? send_request(call, fd) : -EPERM;
	if (r < 0) {
		close(fd);
		return r;
	}
	call->fork_fd = fd;
	call->source = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, on_fork_server_ended, call);
	log_info("handed to the session of %s: %s", user, call->call.command.text);
	return 0;
}

/* --- the call ------------------------------------------------------------------------------- */

static void
run(struct agent_call *call)
{
	int r = -ENOENT;

	if (may_use_fork_server(call))
		r = hand_to_fork_server(call);
	if (r < 0)
		run_here(call);
}

static void
on_session(void *data)
{
	struct agent_call *call = data;

	call->waiting = false;
	run(call);
}

struct agent_call *
agent_call_new(const struct agent_call_context *context, uint32_t type,
    const struct qrexec_exec *exec, agent_call_done done, void *data)
{
	struct agent_call *call = g_new0(struct agent_call, 1);

	call->context = context;
	call->type = type;
	call->place.domain = exec->domain;
	call->place.port = exec->port;
	call->fork_fd = -1;
	call->done = done;
	call->data = data;
	call_init(&call->call, exec->command, true);
	if (call->call.config.wait_for_session && !call->call.command.no_gui) {
		call->waiting = true;
		session_wait_add(
		    context->wait, user_of(call), call->call.command.source, on_session, call);
	} else {
		run(call);
	}
	return call;
}

void
agent_call_free(struct agent_call *call)
{
	if (call == NULL)
		return;
	if (call->waiting)
		session_wait_cancel(call->context->wait, call);
	if (call->source != 0)
		g_source_remove(call->source);
	if (call->fork_fd >= 0)
		close(call->fork_fd);
	execution_free(call->execution);
	call_clear(&call->call);
	g_free(call);
}

struct qrexec_place
agent_call_place(const struct agent_call *call)
{
	return call->place;
}
