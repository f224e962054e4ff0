#include "qrexec/policy/gui_call.h"

#include "qrexec/policy/call_decode.h"
#include "shared/orphan.h"
#include "shared/paths.h"
#include "shared/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGENT_SOCKET "policy-agent.sock"

struct gui_call {
	int in;         /* to the service; -1 when everything is written */
	int out;        /* from the service; may be the same as in; -1 after its end */
	bool is_socket; /* in and out are one */
	GPid child;     /* qrexec-client; 0 when there is none, or it has ended */
	GString *text;  /* owned */
	size_t written; /* bytes of text */
	uint8_t answer[CALL_ANSWER_MAX + 1];
	size_t answer_len;
	int error; /* found before the loop ran */
	guint in_source, out_source, child_source, timer;
	gui_call_done done;
	void *data; /* borrowed from the caller */
};

/* --- ending --------------------------------------------------------------------------------- */

static void
clear_source(guint *source)
{
	if (*source != 0)
		g_source_remove(*source);
	*source = 0;
}

static void
clear_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
hang_up(struct gui_call *call)
{
	clear_source(&call->in_source);
	clear_source(&call->out_source);
	clear_source(&call->timer);
	if (call->is_socket)
		call->in = -1;
	clear_fd(&call->in);
	clear_fd(&call->out);
}

void
gui_call_free(struct gui_call *call)
{
	if (call == NULL)
		return;
	hang_up(call);
	clear_source(&call->child_source);
	if (call->child != 0)
		orphan_leave(call->child, SIGTERM);
	g_string_free(call->text, TRUE);
	g_free(call);
}

static void
finish(struct gui_call *call, int error)
{
	hang_up(call);
	call->done(
	    error, untrusted_bytes_of(call->answer, error == 0 ? call->answer_len : 0), call->data);
}

/* The answer counts when it has ended and, for a program, when that has ended well. */
static void
finish_if_ended(struct gui_call *call)
{
	if (call->out < 0 && call->child == 0)
		finish(call, 0);
}

static gboolean
on_failed_early(gpointer data)
{
	struct gui_call *call = data;

	call->timer = 0;
	finish(call, call->error);
	return G_SOURCE_REMOVE;
}

static gboolean
on_timeout(gpointer data)
{
	struct gui_call *call = data;

	call->timer = 0;
	finish(call, -ETIMEDOUT);
	return G_SOURCE_REMOVE;
}

static void
on_child_ended(GPid pid, gint status, gpointer data)
{
	struct gui_call *call = data;

	g_spawn_close_pid(pid);
	call->child = 0;
	call->child_source = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		finish(call, -EREMOTEIO);
	else
		finish_if_ended(call);
}

/* --- reading and writing -------------------------------------------------------------------- */

static gboolean
on_readable(gint fd, GIOCondition condition, gpointer data)
{
	struct gui_call *call = data;
	ssize_t n =
	    read(fd, call->answer + call->answer_len, sizeof(call->answer) - call->answer_len);

	(void)condition;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (n > 0) {
		if (call->answer_len == 0) {
			clear_source(&call->timer);
			call->timer = g_timeout_add(GUI_CALL_TAIL_MS, on_timeout, call);
		}
		call->answer_len += (size_t)n;
		if (call->answer_len <= CALL_ANSWER_MAX)
			return G_SOURCE_CONTINUE;
	}
	call->out_source = 0;
	if (n != 0) {
		finish(call, n < 0 ? -errno : -EMSGSIZE);
		return G_SOURCE_REMOVE;
	}
	clear_fd(&call->out);
	if (call->is_socket) {
		clear_source(&call->in_source);
		call->in = -1;
	}
	finish_if_ended(call);
	return G_SOURCE_REMOVE;
}

static gboolean
on_writable(gint fd, GIOCondition condition, gpointer data)
{
	struct gui_call *call = data;
	ssize_t n = write(fd, call->text->str + call->written, call->text->len - call->written);

	(void)condition;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (n > 0)
		call->written += (size_t)n;
	if (n > 0 && call->written < call->text->len)
		return G_SOURCE_CONTINUE;
	/* All written, or nobody reads: the answer, or its absence, says what came of it. */
	call->in_source = 0;
	if (call->is_socket)
		shutdown(fd, SHUT_WR);
	else
		close(fd);
	call->in = -1;
	return G_SOURCE_REMOVE;
}

/* --- starting ------------------------------------------------------------------------------- */

static int
start_in_dom0(struct gui_call *call, const char *service)
{
	g_autofree char *path = path_in_rpc_dir(service);
	g_autofree char *agent = path_in_runtime_dir(AGENT_SOCKET);
	int fd = unix_socket_dial(path, SOCK_STREAM | SOCK_NONBLOCK);

	if (fd == -ENOENT)
		fd = unix_socket_dial(agent, SOCK_STREAM | SOCK_NONBLOCK);
	if (fd < 0)
		return fd;
	call->is_socket = true;
	call->in = call->out = fd;
	return 0;
}

static int
start_in_qube(struct gui_call *call, const char *guivm, const char *service)
{
	g_autofree char *program = path_program("qrexec-client");
	g_autofree char *command = g_strdup_printf("DEFAULT:QUBESRPC %s dom0", service);
	const char *argv[] = {program, "-d", guivm, command, NULL};

	if (!g_spawn_async_with_pipes(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL,
		NULL, &call->child, &call->in, &call->out, NULL, NULL))
		return -ENOENT;
	fcntl(call->in, F_SETFL, O_NONBLOCK);
	fcntl(call->out, F_SETFL, O_NONBLOCK);
	call->child_source = g_child_watch_add(call->child, on_child_ended, call);
	return 0;
}

struct gui_call *
gui_call_new(
    const char *guivm, const char *service, const char *text, gui_call_done done, void *data)
{
	struct gui_call *call = g_new0(struct gui_call, 1);
	bool in_dom0 = strcmp(guivm, "dom0") == 0;

	call->in = call->out = -1;
	call->text = g_string_new(NULL);
	call->done = done;
	call->data = data;
	if (in_dom0) { /* what a socket service is told first */
		g_string_append_printf(call->text, "%s dom0 name dom0", service);
		g_string_append_c(call->text, '\0');
	}
	g_string_append(call->text, text);
	call->error = in_dom0 ? start_in_dom0(call, service) : start_in_qube(call, guivm, service);
	if (call->error < 0) {
		call->timer = g_idle_add(on_failed_early, call);
		return call;
	}
	call->timer = g_timeout_add(GUI_CALL_WAIT_MS, on_timeout, call);
	call->in_source = g_unix_fd_add(call->in, G_IO_OUT, on_writable, call);
	call->out_source = g_unix_fd_add(call->out, G_IO_IN | G_IO_HUP, on_readable, call);
	return call;
}
