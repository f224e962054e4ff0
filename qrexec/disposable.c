#include "qrexec/disposable.h"

#include "qrexec/environment.h"
#include "qrexec/process.h"
#include "shared/paths.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 128 /* bytes: a name or a uuid, and a newline */

struct disposable {
	struct process *process;
	int fd; /* owned: its stdin and stdout; while it is open the qube lives */
	guint source;
	char answer[ANSWER_MAX];
	size_t answer_len;
	disposable_created created;
	void *data; /* borrowed from the caller */
};

/* Its end shows on the socket. */
static const struct process_events process_events = {NULL, NULL, NULL};

static gboolean
on_answer(gint fd, GIOCondition condition, gpointer data)
{
	struct disposable *disposable = data;
	ssize_t n = read(fd, disposable->answer + disposable->answer_len,
	    sizeof(disposable->answer) - disposable->answer_len);
	char *newline;

	(void)condition;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (n > 0) {
		disposable->answer_len += (size_t)n;
		newline = memchr(disposable->answer, '\n', disposable->answer_len);
		if (newline == NULL && disposable->answer_len < sizeof(disposable->answer))
			return G_SOURCE_CONTINUE;
	} else {
		newline = NULL;
	}
	disposable->source = 0;
	if (newline != NULL)
		*newline = '\0';
	disposable->created(newline != NULL ? disposable->answer : NULL, disposable->data);
	return G_SOURCE_REMOVE;
}

int
disposable_new(
    const char *base, bool by_uuid, disposable_created created, void *data, struct disposable **ret)
{
	g_autofree char *program = path_program("qrexec-disposable");
	char *argv[] = {program, by_uuid ? "--uuid" : "--name", "--", (char *)base, NULL};
	g_auto(GStrv) environment = environment_base();
	struct process_spec spec = {
	    .path = program, .argv = argv, .environment = environment, .err_fd = -1};
	struct disposable *disposable;
	struct process *process;
	int pair[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	spec.in_fd = pair[1];
	spec.out_fd = pair[1];
	r = process_start(&spec, &process_events, NULL, &process);
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		return r;
	}
	disposable = g_new0(struct disposable, 1);
	disposable->process = process;
	disposable->fd = pair[0];
	disposable->created = created;
	disposable->data = data;
	g_unix_set_fd_nonblocking(disposable->fd, TRUE, NULL);
	disposable->source = g_unix_fd_add(disposable->fd, G_IO_IN, on_answer, disposable);
	*ret = disposable;
	return 0;
}

void
disposable_free(struct disposable *disposable)
{
	if (disposable == NULL)
		return;
	if (disposable->source != 0)
		g_source_remove(disposable->source);
	close(disposable->fd);
	process_free(disposable->process);
	g_free(disposable);
}
