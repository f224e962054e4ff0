/*
 * bench_admin - the Admin API over the real socket of a real qubesd, at 10, 200 and 1000 qubes.
 *
 *   bench_admin          qubesd is ../bin/qubesd beside this program
 *
 * Each figure is a whole call: connect, request, end of the write side, reply, close. Beside it, the
 * bare operation: the same exchange with a process that sends a fixed reply of the same size. Median
 * and 95th percentile in microseconds; one caller, one after another.
 */
#include "shared/admin_client.h"
#include "shared/paths.h"

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char *dir;

static void
fail(const char *what)
{
	fprintf(stderr, "bench_admin: %s\n", what);
	exit(EXIT_FAILURE);
}

/* --- a store -------------------------------------------------------------------------------- */

static void
put_qube(GString *xml, unsigned qid, const char *klass, const char *name, const char *more)
{
	g_autofree char *uuid = g_uuid_string_random();

	g_string_append_printf(xml,
	    "<domain id=\"domain-%u\" class=\"%s\"><properties><property name=\"label\">%s"
	    "</property><property name=\"name\">%s</property><property name=\"qid\">%u</property>"
	    "<property name=\"uuid\">%s</property>%s</properties><features>"
	    "<feature name=\"service.cups\">1</feature><feature name=\"gui\">1</feature></features>"
	    "<tags><tag name=\"created-by-dom0\"/></tags></domain>\n",
	    qid, klass, qid % 2 ? "red" : "blue", name, qid, uuid, more);
}

static void
make_store(unsigned count)
{
	g_autofree char *path = g_build_filename(dir, "qubes.xml", NULL);
	GString *xml =
	    g_string_new("<qubes><domains><domain id=\"domain-0\" class=\"AdminVM\"/>\n");

	put_qube(xml, 1, "TemplateVM", "base", "");
	for (unsigned qid = 2; qid < count; qid++) {
		g_autofree char *name = g_strdup_printf("qube%u", qid);

		put_qube(xml, qid, "AppVM", name,
		    "<property name=\"memory\">600</property>"
		    "<property name=\"template\">base</property>");
	}
	g_string_append(xml, "</domains></qubes>\n");
	if (!g_file_set_contents(path, xml->str, (gssize)xml->len, NULL))
		fail("cannot write the store");
	g_string_free(xml, TRUE);
}

/* --- processes ------------------------------------------------------------------------------ */

static pid_t
start_daemon(void)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *tests = g_path_get_dirname(self);
	g_autofree char *program = g_build_filename(tests, "..", "bin", "qubesd", NULL);
	char *argv[] = {program, (char *)"--offline", (char *)"--ready-fd", (char *)"9", NULL};
	posix_spawn_file_actions_t actions;
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		fail("no pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ready[1], 9);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawn(&pid, program, &actions, NULL, argv, environ) != 0)
		fail("cannot start qubesd");
	posix_spawn_file_actions_destroy(&actions);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		fail("qubesd does not get ready");
	close(ready[0]);
	return pid;
}

static void
stop(pid_t pid)
{
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

/* Answers every request with len bytes, after its end of file. */
static pid_t
start_echo(const char *path, size_t len)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_autofree char *reply = g_strnfill(len, 'x');
	char block[4096];
	pid_t pid;

	memcpy(reply, "0", MIN(len, 2));
	g_unlink(path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 16) < 0)
		fail("no socket");
	pid = fork();
	if (pid != 0) {
		close(listener);
		return pid;
	}
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		while (read(fd, block, sizeof(block)) > 0)
			;
		for (size_t sent = 0; sent < len;) {
			ssize_t n = send(fd, reply + sent, len - sent, MSG_NOSIGNAL);

			if (n < 0)
				break;
			sent += (size_t)n;
		}
		close(fd);
	}
}

/* --- measuring ------------------------------------------------------------------------------ */

static int
compare(const void *a, const void *b)
{
	gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;

	return x < y ? -1 : x > y;
}

struct call {
	const char *title, *socket, *method, *arg, *dest;
	unsigned rounds;
	bool write; /* the payload is another number each time */
};

static void
print_times(const char *title, gint64 *times, unsigned count, const char *unit, size_t len)
{
	qsort(times, count, sizeof(*times), compare);
	printf("%-34s p50 %7" G_GINT64_FORMAT " us   p95 %7" G_GINT64_FORMAT
	       " us   %s %7zu bytes   n %u\n",
	    title, times[count / 2], times[count * 95 / 100], unit, len, count);
}

/* Returns the size of the reply. */
static size_t
measure(const char *title, const char *socket, const struct call *call)
{
	g_autofree gint64 *times = g_new(gint64, call->rounds);
	size_t len = 0;

	for (unsigned i = 0; i < call->rounds; i++) {
		struct admin_reply reply = {0};
		char payload[16] = "";
		gint64 began;

		if (call->write)
			snprintf(payload, sizeof(payload), "%u", 300 + i);
		began = g_get_monotonic_time();
		if (admin_call(socket, call->method, call->arg, call->dest, payload,
			strlen(payload), 10000, &reply) < 0 ||
		    !reply.ok)
			fail(call->title);
		times[i] = g_get_monotonic_time() - began;
		len = reply.content_len + 2;
		admin_reply_clear(&reply);
	}
	print_times(title, times, call->rounds, "reply", len);
	return len;
}

/* What makes a change durable, by itself: a new file, synced, renamed, and the folder synced. */
static void
measure_bare_write(unsigned rounds)
{
	g_autofree char *path = g_build_filename(dir, "bare", NULL);
	g_autofree char *new_path = g_build_filename(dir, "bare~", NULL);
	g_autofree char *store = g_build_filename(dir, "qubes.xml", NULL);
	g_autofree gint64 *times = g_new(gint64, rounds);
	g_autofree char *text = NULL;
	gsize len;
	int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0 || !g_file_get_contents(store, &text, &len, NULL))
		fail("no store");
	for (unsigned i = 0; i < rounds; i++) {
		gint64 began = g_get_monotonic_time();
		int fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		if (fd < 0 || write(fd, text, len) != (ssize_t)len || fsync(fd) < 0 ||
		    close(fd) < 0 || rename(new_path, path) < 0 || fsync(folder) < 0)
			fail("cannot write");
		times[i] = g_get_monotonic_time() - began;
	}
	close(folder);
	print_times("  bare durable write", times, rounds, "file ", len);
}

static void
measure_both(const struct call *call)
{
	g_autofree char *real = path_qubesd_socket(call->socket);
	g_autofree char *bare = g_build_filename(dir, "bare.sock", NULL);
	size_t len = measure(call->title, real, call);
	pid_t echo;

	if (call->write) {
		measure_bare_write(call->rounds);
		return;
	}
	echo = start_echo(bare, len);
	measure("  bare exchange", bare, call);
	stop(echo);
}

static void
measure_at(unsigned count)
{
	static const struct call calls[] = {
	    {"admin.vm.List", "qubesd.sock", "admin.vm.List", "", "dom0", 1000, false},
	    {"admin.vm.property.Get", "qubesd.sock", "admin.vm.property.Get", "memory", "qube5",
		2000, false},
	    {"admin.vm.property.GetAll", "qubesd.sock", "admin.vm.property.GetAll", "", "qube5",
		2000, false},
	    {"internal.GetSystemInfo", "qubesd.internal.sock", "internal.GetSystemInfo", "", "dom0",
		500, false},
	    {"admin.vm.property.Set (durable)", "qubesd.sock", "admin.vm.property.Set", "memory",
		"qube5", 100, true},
	};
	gint64 began;
	pid_t daemon;

	printf("-- %u qubes\n", count);
	make_store(count);
	began = g_get_monotonic_time();
	daemon = start_daemon();
	printf(
	    "%-34s %7" G_GINT64_FORMAT " us\n", "start to ready", g_get_monotonic_time() - began);
	for (size_t i = 0; i < G_N_ELEMENTS(calls); i++)
		measure_both(&calls[i]);
	stop(daemon);
}

static void
remove_dir(const char *path)
{
	g_autoptr(GDir) handle = g_dir_open(path, 0, NULL);
	const char *name;

	while (handle != NULL && (name = g_dir_read_name(handle)) != NULL) {
		g_autofree char *inner = g_build_filename(path, name, NULL);

		if (g_file_test(inner, G_FILE_TEST_IS_DIR))
			remove_dir(inner);
		else
			g_unlink(inner);
	}
	g_rmdir(path);
}

int
main(void)
{
	static const unsigned counts[] = {10, 200, 1000};

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IONBF, 0); /* the bare process must not print it again */
	dir = g_dir_make_tmp("bench-admin-XXXXXX", NULL);
	g_setenv("QUBES_STATE_DIR", dir, TRUE);
	g_setenv("QUBES_RUNTIME_DIR", dir, TRUE);
	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
		measure_at(counts[i]);
	remove_dir(dir);
	g_free(dir);
	return EXIT_SUCCESS;
}
