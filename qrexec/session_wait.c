#include "qrexec/session_wait.h"

#include "qrexec/environment.h"
#include "qrexec/process.h"
#include "qrexec/service_lookup.h"
#include "shared/log.h"
#include "shared/paths.h"
#include "shared/qrexec_decode.h"
#include "shared/qrexec_text_decode.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

#define SERVICE "qubes.WaitForSession"

struct waiter {
	session_wait_func func;
	void *data; /* borrowed from the caller */
};

struct session_wait {
	GQueue waiters;          /* of struct waiter, owned */
	struct process *process; /* the service; NULL when it does not run */
	guint release_source;
};

static gboolean
on_release(gpointer data)
{
	struct session_wait *wait = data;
	struct waiter *waiter;

	wait->release_source = 0;
	/* Only those of now: who comes meanwhile waits for a service of its own. */
	for (guint n = g_queue_get_length(&wait->waiters); n > 0; n--) {
		waiter = g_queue_pop_head(&wait->waiters);
		if (waiter == NULL)
			break;
		waiter->func(waiter->data);
		g_free(waiter);
	}
	return G_SOURCE_REMOVE;
}

static void
release_soon(struct session_wait *wait)
{
	if (wait->release_source == 0)
		wait->release_source = g_idle_add(on_release, wait);
}

static void
on_service_exit(struct process *process, int code, void *data)
{
	struct session_wait *wait = data;

	if (code != 0)
		log_info(SERVICE " ended with %d", code);
	process_free(process);
	wait->process = NULL;
	release_soon(wait);
}

static const struct process_events process_events = {.on_exit = on_service_exit};

/* The user's name and a newline on its stdin; small enough for any pipe. */
static int
make_input(const char *user, int *ret)
{
	g_autofree char *line = g_strconcat(user != NULL ? user : "", "\n", NULL);
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	if (write(ends[1], line, strlen(line)) < 0)
		log_debug("%s", strerror(errno));
	close(ends[1]);
	*ret = ends[0];
	return 0;
}

static int
start_service(struct session_wait *wait, const char *user, const char *source)
{
	g_autofree char *text = g_strdup_printf("QUBESRPC " SERVICE " %s", source);
	g_autofree char *search = path_service_search();
	g_auto(GStrv) environment = NULL;
	struct qrexec_command command;
	struct service_found found;
	char *argv[] = {NULL, NULL};
	struct process_spec spec = {.argv = argv, .out_fd = -1, .err_fd = -1};
	int r;

	r = qrexec_command_parse(text, false, &command);
	if (r < 0)
		return r;
	r = service_lookup(search, &command, &found);
	environment = environment_for(&command, NULL);
	qrexec_command_clear(&command);
	if (r < 0)
		return r;
	argv[0] = found.path;
	spec.path = found.path;
	spec.environment = environment;
	r = found.kind == SERVICE_EXECUTABLE ? make_input(user, &spec.in_fd) : -ENOTSUP;
	if (r == 0) {
		r = process_start(&spec, &process_events, wait, &wait->process);
		close(spec.in_fd);
	}
	service_found_clear(&found);
	return r;
}

struct session_wait *
session_wait_new(void)
{
	return g_new0(struct session_wait, 1);
}

void
session_wait_free(struct session_wait *wait)
{
	if (wait == NULL)
		return;
	if (wait->release_source != 0)
		g_source_remove(wait->release_source);
	process_free(wait->process);
	g_queue_clear_full(&wait->waiters, g_free);
	g_free(wait);
}

void
session_wait_add(struct session_wait *wait, const char *user, const char *source,
    session_wait_func func, void *data)
{
	struct waiter *waiter = g_new0(struct waiter, 1);
	int r = 0;

	waiter->func = func;
	waiter->data = data;
	if (wait->process == NULL)
		r = start_service(wait, user, source);
	if (r < 0)
		log_warn(SERVICE ": %s", strerror(-r));
	g_queue_push_tail(&wait->waiters, waiter);
	if (r < 0 || g_queue_get_length(&wait->waiters) > QREXEC_TABLE_MAX)
		release_soon(wait);
}

void
session_wait_cancel(struct session_wait *wait, void *data)
{
	for (GList *link = wait->waiters.head; link != NULL; link = link->next) {
		struct waiter *waiter = link->data;

		if (waiter->data != data)
			continue;
		g_free(waiter);
		g_queue_delete_link(&wait->waiters, link);
		return;
	}
}
