#include "qubesd/tools/session/child.h"

#include "qubesd/tools/session/backoff.h"
#include "shared/log.h"

#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
	char *name;  /* owned */
	char **argv; /* owned */
	bool may_give_up;
	GPid pid; /* 0: does not run */
	int64_t started_ms;
	guint watch;  /* source: its end */
	guint timer;  /* source: the next start, or the SIGKILL */
	guint ending; /* source: reports the end of a child that does not run */
	struct backoff backoff;
	child_ended on_ended; /* set: it is to end */
	void *data;           /* borrowed */
};

static int64_t
now_ms(void)
{
	return g_get_monotonic_time() / 1000;
}

static void
child_free(struct child *child)
{
	if (child->timer != 0)
		g_source_remove(child->timer);
	if (child->watch != 0)
		g_source_remove(child->watch);
	g_strfreev(child->argv);
	g_free(child->name);
	g_free(child);
}

static void
report_end(struct child *child)
{
	child->on_ended(child->data);
	child_free(child);
}

/* In the child: gone when its starter goes, and no terminal to read from. */
static void
before_exec(gpointer data)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	(void)data;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(fd, STDIN_FILENO);
}

/* The program itself says that something is wrong, or a peer made it crash. */
static bool
is_failure(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status) != 0;
	return WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGABRT ||
	       WTERMSIG(status) == SIGBUS || WTERMSIG(status) == SIGILL ||
	       WTERMSIG(status) == SIGFPE || WTERMSIG(status) == SIGSYS;
}

static void child_start(struct child *child);

static gboolean
on_start_timer(gpointer data)
{
	struct child *child = data;

	child->timer = 0;
	child_start(child);
	return G_SOURCE_REMOVE;
}

static void
start_later(struct child *child, int64_t ran_ms, bool failed)
{
	int64_t delay_ms =
	    backoff_next(&child->backoff, now_ms(), ran_ms, failed && child->may_give_up);

	if (delay_ms < 0)
		log_warn("%s failed %d times within a minute and is not started again", child->name,
		    BACKOFF_FAILURES);
	else
		child->timer = g_timeout_add((guint)delay_ms, on_start_timer, child);
}

static void
on_child_exit(GPid pid, gint status, gpointer data)
{
	struct child *child = data;

	(void)pid;
	child->pid = 0;
	child->watch = 0;
	if (child->on_ended != NULL) {
		report_end(child);
		return;
	}
	log_info("%s ended with %s %d", child->name, WIFEXITED(status) ? "status" : "signal",
	    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	start_later(child, now_ms() - child->started_ms, is_failure(status));
}

static void
child_start(struct child *child)
{
	g_autoptr(GError) error = NULL;

	child->started_ms = now_ms();
	if (!g_spawn_async(NULL, child->argv, NULL,
		G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CHILD_INHERITS_STDIN, before_exec, NULL,
		&child->pid, &error)) {
		child->pid = 0;
		log_warn("%s cannot be started: %s", child->name, error->message);
		start_later(child, 0, false);
		return;
	}
	child->watch = g_child_watch_add(child->pid, on_child_exit, child);
}

struct child *
child_new(const char *name, char **argv, bool may_give_up)
{
	struct child *child = g_new0(struct child, 1);

	child->name = g_strdup(name);
	child->argv = argv;
	child->may_give_up = may_give_up;
	child_start(child);
	return child;
}

static gboolean
on_patience_over(gpointer data)
{
	struct child *child = data;

	child->timer = 0;
	kill(child->pid, SIGKILL);
	return G_SOURCE_REMOVE;
}

static gboolean
on_ending(gpointer data)
{
	report_end(data);
	return G_SOURCE_REMOVE;
}

void
child_end(struct child *child, child_ended on_ended, void *data)
{
	if (child->on_ended != NULL)
		return;
	child->on_ended = on_ended;
	child->data = data;
	if (child->timer != 0)
		g_source_remove(child->timer);
	child->timer = 0;
	if (child->pid == 0) {
		child->ending = g_idle_add(on_ending, child);
		return;
	}
	kill(child->pid, SIGTERM);
	child->timer = g_timeout_add(CHILD_PATIENCE_MS, on_patience_over, child);
}
