#include "qrexec/signals.h"

#include "shared/qrexec_wire.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct signals {
	int fd;
	guint source;
	signals_func on_signal;
	void *data; /* borrowed from the caller */
};

void
signals_prepare(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			_exit(QREXEC_EXIT_PROBLEM);
	}
	signal(SIGPIPE, SIG_IGN);
}

void
signals_poll(struct signals *signals)
{
	struct signalfd_siginfo info;

	while (read(signals->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		signals->on_signal((int)info.ssi_signo, signals->data);
}

static gboolean
on_signals_readable(gint fd, GIOCondition condition, gpointer data)
{
	struct signals *signals = data;
	struct signalfd_siginfo info;

	(void)condition;
	/* One a turn: the callback may free the object. */
	if (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		signals->on_signal((int)info.ssi_signo, signals->data);
	return G_SOURCE_CONTINUE;
}

struct signals *
signals_new(int first, int second, int third, signals_func on_signal, void *data)
{
	const int numbers[] = {first, second, third};
	struct signals *signals = g_new0(struct signals, 1);
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
		if (numbers[i] != 0)
			sigaddset(&set, numbers[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	g_assert(signals->fd >= 0); /* only a table full of descriptors could refuse it */
	signals->on_signal = on_signal;
	signals->data = data;
	signals->source = g_unix_fd_add(signals->fd, G_IO_IN, on_signals_readable, signals);
	return signals;
}

void
signals_free(struct signals *signals)
{
	if (signals == NULL)
		return;
	g_source_remove(signals->source);
	close(signals->fd);
	g_free(signals);
}
