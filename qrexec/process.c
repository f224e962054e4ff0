#include "qrexec/process.h"

#include "shared/qrexec_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGENT_PID "QREXEC_AGENT_PID="

/* What the supervisor says on its socket; a byte that it gets is a question. */
#define SAYS_ONE_SOCKET 'S'
#define SAYS_CONFIRMED 'C'

struct process {
	pid_t pid;
	int pidfd;      /* owned */
	int supervisor; /* owned: socket to it; -1 when there is none */
	guint exit_source, supervisor_source, confirm_source;
	unsigned questions; /* not answered yet */
	bool reaped;
	int status;                          /* once reaped */
	const struct process_events *events; /* NULL when forgotten */
	void *data;
};

/* --- between fork and exec ------------------------------------------------------------------ */

static void
reset_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Out of the way first: the numbers that are wanted may be in use by one another. */
static int
lift(int fd, int above)
{
	fd = fcntl(fd >= 0 ? fd : open("/dev/null", O_RDWR), F_DUPFD, above);
	if (fd < 0)
		_exit(QREXEC_EXIT_PROBLEM);
	return fd;
}

static void
place(int fd, int number)
{
	if (dup2(fd, number) < 0)
		_exit(QREXEC_EXIT_PROBLEM);
}

static void
place_descriptors(const struct process_spec *spec)
{
	int first_free = STDERR_FILENO + 1 + spec->extra_count;
	int in = lift(spec->in_fd, first_free);
	int out = lift(spec->out_fd, first_free);
	int err = lift(spec->err_fd >= 0 ? spec->err_fd : STDERR_FILENO, first_free);

	place(in, STDIN_FILENO);
	place(out, STDOUT_FILENO);
	place(err, STDERR_FILENO);
	for (int i = 0; i < spec->extra_count; i++)
		place(spec->extra[i], STDERR_FILENO + 1 + i);
	close_range((unsigned)first_free, ~0U, 0);
}

static void G_GNUC_NORETURN
execute(const struct process_spec *spec)
{
	reset_signals();
	place_descriptors(spec);
	execve(spec->path, spec->argv, spec->environment);
	_exit(errno == ENOENT ? QREXEC_EXIT_NOT_FOUND : QREXEC_EXIT_PROBLEM);
}

static int
exit_code_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* --- the supervisor ------------------------------------------------------------------------- */

static void
supervisor_say(int fd, char byte)
{
	ssize_t n = send(fd, &byte, 1, MSG_NOSIGNAL);

	(void)n; /* nobody listens any more: the call is over, the service goes on */
}

/*
 * Waits for the service. SIGUSR1 is looked at before a question is answered and before we end, so
 * our maker hears of it before it can draw a wrong conclusion from either.
 */
static void G_GNUC_NORETURN
supervise(pid_t service, int maker, int signal_fd)
{
	bool said = false;
	struct pollfd fds[] = {
	    {.fd = signal_fd, .events = POLLIN}, {.fd = maker, .events = POLLIN}};

	for (;;) {
		struct signalfd_siginfo info;
		bool child = false;
		int status;
		char byte;

		poll(fds, G_N_ELEMENTS(fds), -1);
		while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
			if (info.ssi_signo == SIGUSR1 && !said) {
				supervisor_say(maker, SAYS_ONE_SOCKET);
				said = true;
			}
			child |= info.ssi_signo == SIGCHLD;
		}
		if (fds[1].revents != 0) {
			if (recv(maker, &byte, 1, MSG_DONTWAIT) == 1)
				supervisor_say(maker, SAYS_CONFIRMED);
			else
				fds[1].fd = -1; /* the maker forgot us */
		}
		if (child && waitpid(service, &status, WNOHANG) == service)
			_exit(exit_code_of(status));
	}
}

static void
name_agent_pid(char *const *environment)
{
	for (char *const *p = environment; *p != NULL; p++) {
		if (g_str_has_prefix(*p, AGENT_PID)) /* room for any pid: see process_start() */
			sprintf(*p + strlen(AGENT_PID), "%d", (int)getpid());
	}
}

static void G_GNUC_NORETURN
run_supervised(const struct process_spec *spec, int maker)
{
	sigset_t watched;
	int signal_fd;
	pid_t service;

	if (spec->become != NULL && process_user_become(spec->become) < 0)
		_exit(QREXEC_EXIT_PROBLEM);
	setsid();
	if (spec->folder != NULL && chdir(spec->folder) < 0)
		errno = 0; /* a missing home is no reason to fail */
	name_agent_pid(spec->environment);
	reset_signals();
	sigemptyset(&watched);
	sigaddset(&watched, SIGUSR1);
	sigaddset(&watched, SIGCHLD);
	sigprocmask(SIG_BLOCK, &watched, NULL);
	signal_fd = signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC);
	service = signal_fd < 0 ? -1 : fork();
	if (service < 0)
		_exit(QREXEC_EXIT_PROBLEM);
	if (service == 0)
		execute(spec);

	/* Nothing of the call may stay open here: the ends of its streams are its own. */
	dup2(maker, STDIN_FILENO);
	dup2(signal_fd, STDOUT_FILENO);
	close_range(2, ~0U, 0);
	supervise(service, STDIN_FILENO, STDOUT_FILENO);
}

/* --- the maker's side ----------------------------------------------------------------------- */

static void
process_destroy(struct process *process)
{
	if (process->supervisor_source != 0)
		g_source_remove(process->supervisor_source);
	if (process->confirm_source != 0)
		g_source_remove(process->confirm_source);
	if (process->exit_source != 0)
		g_source_remove(process->exit_source);
	if (process->supervisor >= 0)
		close(process->supervisor);
	close(process->pidfd);
	g_free(process);
}

static void
hear_one_socket(struct process *process)
{
	if (process->events != NULL && process->events->on_one_socket != NULL)
		process->events->on_one_socket(process, process->data);
}

static void
hear_confirmed(struct process *process)
{
	if (process->questions == 0)
		return;
	process->questions--;
	if (process->events != NULL && process->events->on_confirmed != NULL)
		process->events->on_confirmed(process, process->data);
}

/* Reads one word of the supervisor. Returns false when it has no more to say now. */
static bool
hear_supervisor(struct process *process)
{
	char byte;

	if (process->supervisor < 0 || recv(process->supervisor, &byte, 1, MSG_DONTWAIT) != 1)
		return false;
	if (byte == SAYS_ONE_SOCKET)
		hear_one_socket(process);
	else if (byte == SAYS_CONFIRMED)
		hear_confirmed(process);
	return true;
}

/* One word a turn: the callbacks may free the process. */
static gboolean
on_supervisor_readable(gint fd, GIOCondition condition, gpointer data)
{
	struct process *process = data;
	char byte;

	if (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1) {
		hear_supervisor(process);
		return G_SOURCE_CONTINUE;
	}
	if ((condition & (G_IO_HUP | G_IO_ERR)) == 0)
		return G_SOURCE_CONTINUE;
	process->supervisor_source = 0; /* it ended: on_process_ended() comes */
	return G_SOURCE_REMOVE;
}

static gboolean
on_confirm_without_supervisor(gpointer data)
{
	struct process *process = data;

	process->confirm_source = 0;
	hear_confirmed(process);
	return G_SOURCE_REMOVE;
}

static gboolean
on_process_ended(gint fd, GIOCondition condition, gpointer data)
{
	struct process *process = data;

	(void)fd;
	(void)condition;
	if (!process->reaped && waitpid(process->pid, &process->status, WNOHANG) != process->pid)
		return G_SOURCE_CONTINUE;
	process->reaped = true;
	if (process->events == NULL) {
		process->exit_source = 0;
		process_destroy(process);
		return G_SOURCE_REMOVE;
	}
	/* The supervisor's last words come before its end; one a turn, as above. */
	if (hear_supervisor(process))
		return G_SOURCE_CONTINUE;
	if (process->questions > 0) {
		hear_confirmed(process);
		return G_SOURCE_CONTINUE;
	}
	process->exit_source = 0;
	if (process->events->on_exit != NULL)
		process->events->on_exit(process, exit_code_of(process->status), process->data);
	return G_SOURCE_REMOVE;
}

static int
fork_process(const struct process_spec *spec, int *ret_supervisor, pid_t *ret_pid)
{
	int pair[2] = {-1, -1};
	pid_t pid;

	if (spec->supervised && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid == 0 && spec->supervised)
		run_supervised(spec, pair[1]);
	if (pid == 0) {
		if (spec->become != NULL && process_user_become(spec->become) < 0)
			_exit(QREXEC_EXIT_PROBLEM);
		if (spec->folder != NULL && chdir(spec->folder) < 0)
			errno = 0;
		execute(spec);
	}
	if (pid < 0) {
		int r = -errno;

		if (spec->supervised) {
			close(pair[0]);
			close(pair[1]);
		}
		return r;
	}
	if (spec->supervised)
		close(pair[1]);
	*ret_supervisor = pair[0];
	*ret_pid = pid;
	return 0;
}

/* The environment with room for the supervisor's pid in it. */
static char **
environment_with_agent_pid(char *const *environment)
{
	char **copy = g_strdupv((char **)environment);

	return g_environ_setenv(copy, "QREXEC_AGENT_PID", "0000000000", TRUE);
}

int
process_start(const struct process_spec *spec, const struct process_events *events, void *data,
    struct process **ret)
{
	struct process_spec own = *spec;
	g_auto(GStrv) environment = environment_with_agent_pid(spec->environment);
	struct process *process;
	int supervisor, pidfd, r;
	pid_t pid;

	for (int i = 0; i < spec->extra_count; i++)
		g_assert(spec->extra[i] > STDERR_FILENO + spec->extra_count);
	if (spec->supervised)
		own.environment = environment;
	r = fork_process(&own, &supervisor, &pid);
	if (r < 0)
		return r;
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) { /* cannot be watched: not worth having */
		r = -errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		if (supervisor >= 0)
			close(supervisor);
		return r;
	}
	fcntl(pidfd, F_SETFD, FD_CLOEXEC);
	process = g_new0(struct process, 1);
	process->pid = pid;
	process->pidfd = pidfd;
	process->supervisor = supervisor;
	process->events = events;
	process->data = data;
	process->exit_source = g_unix_fd_add(pidfd, G_IO_IN, on_process_ended, process);
	if (supervisor >= 0)
		process->supervisor_source =
		    g_unix_fd_add(supervisor, G_IO_IN, on_supervisor_readable, process);
	*ret = process;
	return 0;
}

pid_t
process_pid(const struct process *process)
{
	return process->pid;
}

void
process_confirm(struct process *process)
{
	char question = '?';

	process->questions++;
	if (process->supervisor >= 0 &&
	    send(process->supervisor, &question, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
		return;
	/* No supervisor, or it has ended and on_process_ended() will say so. */
	if (process->supervisor < 0 && process->confirm_source == 0)
		process->confirm_source = g_idle_add(on_confirm_without_supervisor, process);
}

void
process_free(struct process *process)
{
	if (process == NULL)
		return;
	process->events = NULL;
	process->questions = 0;
	if (process->exit_source == 0) {
		process_destroy(process);
		return;
	}
	/* Still running: only the reaping is left to do. */
	if (process->supervisor_source != 0)
		g_source_remove(process->supervisor_source);
	process->supervisor_source = 0;
	if (process->confirm_source != 0)
		g_source_remove(process->confirm_source);
	process->confirm_source = 0;
	if (process->supervisor >= 0)
		close(process->supervisor);
	process->supervisor = -1;
}
