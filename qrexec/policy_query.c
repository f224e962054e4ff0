#include "qrexec/policy_query.h"

#include "qrexec/environment.h"
#include "qrexec/local_socket.h"
#include "qrexec/process.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_MAX 4095 /* bytes */

struct policy_query {
	/* For the program; owned. */
	char *program, *source, *target, *descriptor;
	bool has_source;

	int fd;          /* owned: to the daemon or the program; -1 */
	guint source_id; /* of the loop */
	GByteArray *reply;
	struct process *process; /* the program; NULL when it is not asked, or has ended */
	int exit_code;
	policy_query_done done;
	void *data; /* borrowed from the caller */
};

static void
close_stream(struct policy_query *query)
{
	if (query->source_id != 0)
		g_source_remove(query->source_id);
	query->source_id = 0;
	if (query->fd >= 0)
		close(query->fd);
	query->fd = -1;
}

static void
answer(struct policy_query *query, struct qrexec_verdict *verdict)
{
	query->done(verdict, query->data);
}

static int
decode(const struct policy_query *query, struct qrexec_verdict *ret)
{
	return qrexec_decode_verdict(
	    untrusted_bytes_of(query->reply->data, query->reply->len), ret);
}

/* Reads what has come. 1 at the end of the stream, 0 before it, -EMSGSIZE when it is too long. */
static int
read_reply(struct policy_query *query)
{
	guint8 bytes[REPLY_MAX + 1];
	ssize_t n = read(query->fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return 1;
	if (query->reply->len + (size_t)n > REPLY_MAX)
		return -EMSGSIZE;
	g_byte_array_append(query->reply, bytes, (guint)n);
	return 0;
}

/* --- the program ---------------------------------------------------------------------------- */

static gboolean
on_no_answer(gpointer data)
{
	struct policy_query *query = data;

	query->source_id = 0;
	answer(query, NULL);
	return G_SOURCE_REMOVE;
}

/* Both its output and its end are there. */
static void
judge_program(struct policy_query *query)
{
	struct qrexec_verdict verdict;

	if (query->fd >= 0 || query->process != NULL)
		return;
	if (query->exit_code != 0 || decode(query, &verdict) < 0) {
		log_warn("the policy program ended with %d", query->exit_code);
		answer(query, NULL);
		return;
	}
	answer(query, &verdict);
}

static void
on_program_exit(struct process *process, int code, void *data)
{
	struct policy_query *query = data;

	process_free(process);
	query->process = NULL;
	query->exit_code = code;
	judge_program(query);
}

static const struct process_events program_events = {.on_exit = on_program_exit};

static gboolean
on_program_output(gint fd, GIOCondition condition, gpointer data)
{
	struct policy_query *query = data;
	int r = read_reply(query);

	(void)fd;
	(void)condition;
	if (r == 0)
		return G_SOURCE_CONTINUE;
	if (r < 0)
		g_byte_array_set_size(query->reply, 0); /* not an answer */
	query->source_id = 0;
	close_stream(query);
	judge_program(query);
	return G_SOURCE_REMOVE;
}

static int
start_program(struct policy_query *query)
{
	char *argv[] = {
	    query->program, "--", query->source, query->target, query->descriptor, NULL};
	g_auto(GStrv) environment = environment_base();
	struct process_spec spec = {
	    .path = query->program, .argv = argv, .environment = environment, .err_fd = -1};
	int pair[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	spec.in_fd = pair[1];
	spec.out_fd = pair[1];
	r = process_start(&spec, &program_events, query, &query->process);
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		return r;
	}
	query->fd = pair[0];
	g_unix_set_fd_nonblocking(query->fd, TRUE, NULL);
	query->source_id = g_unix_fd_add(query->fd, G_IO_IN, on_program_output, query);
	return 0;
}

/*
 * The program cannot be told of a requested source, and would judge another call than the one that
 * was made.
 */
static void
ask_program(struct policy_query *query)
{
	int r = query->has_source ? -ENOTSUP : 0;

	g_byte_array_set_size(query->reply, 0);
	if (r == 0)
		r = start_program(query);
	if (r < 0) {
		log_error("no policy to ask: %s", strerror(-r));
		query->source_id = g_idle_add(on_no_answer, query);
	}
}

/* --- the daemon ----------------------------------------------------------------------------- */

static gboolean
on_daemon_output(gint fd, GIOCondition condition, gpointer data)
{
	struct policy_query *query = data;
	struct qrexec_verdict verdict;
	int r = read_reply(query);

	(void)fd;
	(void)condition;
	if (r == 0)
		return G_SOURCE_CONTINUE;
	query->source_id = 0;
	close_stream(query);
	if (r < 0 || decode(query, &verdict) < 0) {
		log_warn("the policy daemon gave no proper answer; asking the policy program");
		ask_program(query);
	} else {
		answer(query, &verdict);
	}
	return G_SOURCE_REMOVE;
}

static char *
daemon_path(void)
{
	const char *forced = g_getenv("QREXEC_POLICY_SOCKET");

	return forced != NULL ? g_strdup(forced) : path_in_runtime_dir("policy.sock");
}

static int
ask_daemon(struct policy_query *query, const char *requested_source)
{
	g_autofree char *path = daemon_path();
	g_autoptr(GString) text = g_string_new(NULL);
	int fd = local_socket_connect(path);

	if (fd < 0)
		return fd;
	g_string_append_printf(text, "source=%s\n", query->source);
	if (requested_source != NULL)
		g_string_append_printf(text, "requested_source=%s\n", requested_source);
	g_string_append_printf(
	    text, "intended_target=%s\nservice_and_arg=%s\n\n", query->target, query->descriptor);
	/* At most 65 KiB into a new socket: it has room for that, or there is something wrong. */
	if (send(fd, text->str, text->len, MSG_NOSIGNAL) != (ssize_t)text->len) {
		close(fd);
		return -EPIPE;
	}
	query->fd = fd;
	query->source_id = g_unix_fd_add(fd, G_IO_IN, on_daemon_output, query);
	return 0;
}

struct policy_query *
policy_query_new(const char *program, const char *source, const struct qrexec_trigger *trigger,
    policy_query_done done, void *data)
{
	struct policy_query *query = g_new0(struct policy_query, 1);
	int r;

	query->program = g_strdup(program);
	query->source = g_strdup(source);
	query->target = g_strdup(trigger->target);
	query->descriptor = g_strdup(trigger->descriptor);
	query->has_source = trigger->source != NULL;
	query->fd = -1;
	query->reply = g_byte_array_new();
	query->done = done;
	query->data = data;
	r = ask_daemon(query, trigger->source);
	if (r < 0) {
		log_warn("policy daemon: %s; asking the policy program", strerror(-r));
		ask_program(query);
	}
	return query;
}

void
policy_query_free(struct policy_query *query)
{
	if (query == NULL)
		return;
	close_stream(query);
	process_free(query->process);
	g_byte_array_unref(query->reply);
	g_free(query->program);
	g_free(query->source);
	g_free(query->target);
	g_free(query->descriptor);
	g_free(query);
}
