#include "qubesd/sandbox/pidns.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FREEZE_PASSES 50

struct process {
	pid_t pid;
	char state; /* of /proc/PID/stat */
	uint64_t ticks, resident_pages;
};

typedef void (*process_func)(const struct process *process, void *data);

static char *
namespace_of(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/ns/pid", (int)pid);

	return g_file_read_link(path, NULL);
}

static bool
process_read(pid_t pid, struct process *ret)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
	g_autofree char *text = NULL;
	unsigned long long user, kernel, resident;
	const char *rest;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return false;
	rest = strrchr(text, ')');
	if (rest == NULL ||
	    sscanf(rest + 1,
		" %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %*u "
		"%*u %llu",
		&ret->state, &user, &kernel, &resident) != 4)
		return false;
	ret->pid = pid;
	ret->ticks = user + kernel;
	ret->resident_pages = resident;
	return true;
}

static int
each(pid_t init, process_func func, void *data)
{
	g_autofree char *wanted = namespace_of(init);
	g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);
	const char *name;

	if (wanted == NULL)
		return -ESRCH;
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *found = NULL;
		struct process process;
		guint64 pid;

		if (!g_ascii_string_to_unsigned(name, 10, 1, G_MAXINT32, &pid, NULL))
			continue;
		found = namespace_of((pid_t)pid);
		if (found != NULL && strcmp(found, wanted) == 0 &&
		    process_read((pid_t)pid, &process))
			func(&process, data);
	}
	return 0;
}

struct pass {
	const char *wanted; /* borrowed: the namespace */
	int signal;
	unsigned signalled;
};

/* Signals through a descriptor: the number may belong to somebody else by now. */
static void
signal_one(const struct process *process, void *data)
{
	struct pass *pass = data;
	bool stopped = process->state == 'T' || process->state == 't';
	g_autofree char *found = NULL;
	int fd;

	if (process->state == 'Z' || stopped == (pass->signal == SIGSTOP))
		return;
	fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (fd < 0)
		return;
	found = namespace_of(process->pid);
	if (found != NULL && strcmp(found, pass->wanted) == 0 &&
	    syscall(SYS_pidfd_send_signal, fd, pass->signal, NULL, 0) == 0)
		pass->signalled++;
	close(fd);
}

int
pidns_freeze(pid_t init, bool on)
{
	g_autofree char *wanted = namespace_of(init);
	struct pass pass = {.wanted = wanted, .signal = on ? SIGSTOP : SIGCONT};

	if (wanted == NULL)
		return -ESRCH;
	for (int i = 0; i < FREEZE_PASSES; i++) {
		int r;

		pass.signalled = 0;
		r = each(init, signal_one, &pass);
		if (r < 0 || pass.signalled == 0)
			return r;
		if (!on) /* one pass is enough: nothing stops them meanwhile */
			return 0;
	}
	return -EAGAIN;
}

bool
pidns_is_frozen(pid_t init)
{
	struct process process;

	return process_read(init, &process) && process.state == 'T';
}

static void
add_one(const struct process *process, void *data)
{
	struct process *sum = data;

	sum->ticks += process->ticks;
	sum->resident_pages += process->resident_pages;
}

int
pidns_usage(pid_t init, uint64_t *ret_memory_kib, uint64_t *ret_cpu_ns)
{
	struct process sum = {0};
	int r = each(init, add_one, &sum);

	if (r < 0)
		return r;
	*ret_memory_kib = sum.resident_pages * ((uint64_t)sysconf(_SC_PAGESIZE) / 1024);
	*ret_cpu_ns = sum.ticks * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
	return 0;
}
