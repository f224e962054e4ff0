/*
 * kill_loop - qubesd killed with -9 at random moments while four writers change the store.
 *
 *   kill_loop QUBESD ROUNDS
 *
 * Uses the folders of QUBES_STATE_DIR and QUBES_RUNTIME_DIR. Each writer counts what it has asked
 * for and what was acknowledged. After every kill the store must be readable by itself (qubesd
 * --check), and after the next start every acknowledged change must be there, and nothing that was
 * never asked for. Prints TAP.
 */
#include "shared/admin_client.h"
#include "shared/paths.h"

#include <glib.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNTERS 3
#define CALL_TIMEOUT_MS 5000
#define READY_TIMEOUT_MS 10000
#define LIFE_MAX_MS 120 /* the daemon lives this long at most */

extern char **environ;

static const char *const counter_properties[COUNTERS] = {
    "stats_interval", "default_qrexec_timeout", "default_shutdown_timeout"};

/* What one writer has asked for and what it was told; read when it has ended. */
struct counter {
	const char *property;
	int64_t asked, acknowledged;
	unsigned writes; /* acknowledged in all rounds */
};

struct maker {
	unsigned next;      /* number of the next qube */
	GHashTable *there;  /* names that must be there */
	GHashTable *gone;   /* names that must not be there */
	GHashTable *unsure; /* names of the call that was cut off */
};

static char *socket_path;
static unsigned failures;

static bool
call(const char *method, const char *arg, const char *dest, const char *payload, char **ret_content)
{
	struct admin_reply reply = {0};
	bool ok;

	if (admin_call(socket_path, method, arg, dest, payload, strlen(payload), CALL_TIMEOUT_MS,
		&reply) < 0)
		return false;
	ok = reply.ok;
	if (ok && ret_content != NULL)
		*ret_content = g_steal_pointer(&reply.content);
	admin_reply_clear(&reply);
	return ok;
}

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void
complain(const char *format, ...)
{
	va_list args;

	failures++;
	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

/* --- the daemon ----------------------------------------------------------------------------- */

static pid_t
run(char *const argv[])
{
	pid_t pid;

	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) != 0) {
		complain("cannot run %s", argv[0]);
		exit(EXIT_FAILURE);
	}
	return pid;
}

static pid_t
start_daemon(char *program)
{
	pid_t pid = run((char *[]){program, "--offline", NULL});
	gint64 deadline = g_get_monotonic_time() + READY_TIMEOUT_MS * G_TIME_SPAN_MILLISECOND;

	while (!call("admin.vmclass.List", "", "dom0", "", NULL)) {
		if (waitpid(pid, NULL, WNOHANG) == pid || g_get_monotonic_time() > deadline) {
			complain("the daemon does not start");
			printf("not ok 1 - adm_17_the_daemon_starts_after_every_kill\n1..1\n");
			exit(EXIT_FAILURE);
		}
		g_usleep(1000);
	}
	return pid;
}

static void
kill_daemon(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
check_alone(char *program)
{
	pid_t pid = run((char *[]){program, "--check", NULL});
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		complain("the store does not load");
}

/* --- the writers ---------------------------------------------------------------------------- */

static void *
count_up(void *data)
{
	struct counter *counter = data;

	for (;;) {
		g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, ++counter->asked);

		if (!call("admin.property.Set", counter->property, "dom0", text, NULL))
			return NULL;
		counter->acknowledged = counter->asked;
		counter->writes++;
	}
}

/* Makes a qube and removes every second one. */
static void *
make_qubes(void *data)
{
	struct maker *maker = data;

	for (;;) {
		unsigned number = maker->next++;
		g_autofree char *name = g_strdup_printf("made%u", number);
		g_autofree char *payload = g_strdup_printf("name=%s label=red", name);

		g_hash_table_add(maker->unsure, g_strdup(name));
		if (!call("admin.vm.Create.StandaloneVM", "", "dom0", payload, NULL))
			return NULL;
		g_hash_table_remove(maker->unsure, name);
		if (number % 2 == 0) {
			g_hash_table_add(maker->there, g_strdup(name));
			continue;
		}
		g_hash_table_add(maker->unsure, g_strdup(name));
		if (!call("admin.vm.Remove", "", name, "", NULL))
			return NULL;
		g_hash_table_remove(maker->unsure, name);
		g_hash_table_add(maker->gone, g_strdup(name));
	}
}

/* --- what must be there --------------------------------------------------------------------- */

static void
check_counter(struct counter *counter)
{
	g_autofree char *content = NULL;
	int64_t found;

	if (!call("admin.property.Get", counter->property, "dom0", "", &content)) {
		complain("%s cannot be read", counter->property);
		return;
	}
	found = g_ascii_strtoll(strrchr(content, ' ') + 1, NULL, 10);
	if (found < counter->acknowledged && counter->acknowledged > 0)
		complain("%s: %" G_GINT64_FORMAT " was acknowledged, %" G_GINT64_FORMAT " is there",
		    counter->property, counter->acknowledged, found);
	if (found > MAX(counter->asked, 60))
		complain("%s: %" G_GINT64_FORMAT " is there and was never asked for",
		    counter->property, found);
	counter->asked = counter->acknowledged = MAX(found, counter->acknowledged);
}

static bool
has_folder(const char *name)
{
	g_autofree char *relative = g_build_filename("appvms", name, "private", NULL);
	g_autofree char *path = path_in_state_dir(relative);

	return g_file_test(path, G_FILE_TEST_IS_DIR);
}

static void
check_qubes(struct maker *maker)
{
	g_autofree char *list = NULL;
	g_autoptr(GHashTable) found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_auto(GStrv) lines = NULL;
	GHashTableIter iter;
	void *name;

	if (!call("admin.vm.List", "", "dom0", "", &list)) {
		complain("the qubes cannot be listed");
		return;
	}
	lines = g_strsplit(list, "\n", -1);
	for (char **line = lines; *line != NULL; line++) {
		if (g_str_has_prefix(*line, "made"))
			g_hash_table_add(found, g_strndup(*line, strcspn(*line, " ")));
	}
	g_hash_table_iter_init(&iter, maker->there);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		if (!g_hash_table_contains(found, name))
			complain("%s was made and is not there", (char *)name);
	}
	g_hash_table_iter_init(&iter, maker->gone);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		if (g_hash_table_contains(found, name) || has_folder(name))
			complain("%s was removed and is there", (char *)name);
	}
	g_hash_table_iter_init(&iter, found);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		if (!has_folder(name))
			complain("%s has no folder", (char *)name);
		if (!g_hash_table_contains(maker->there, name) &&
		    !g_hash_table_contains(maker->unsure, name))
			complain("%s is there and was never asked for", (char *)name);
	}
}

/* The calls that were cut off have happened or not; both is right, and known from here on. */
static void
settle(struct maker *maker)
{
	GHashTableIter iter;
	void *name;

	g_hash_table_iter_init(&iter, maker->unsure);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		(void)call("admin.vm.Remove", "", name, "", NULL);
	g_hash_table_remove_all(maker->unsure);
}

int
main(int argc, char **argv)
{
	struct counter counters[COUNTERS];
	struct maker maker = {0};
	unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
	unsigned writes = 0;

	if (rounds == 0) {
		fprintf(stderr, "kill_loop QUBESD ROUNDS\n");
		return 2;
	}
	socket_path = path_qubesd_socket("qubesd.sock");
	for (size_t i = 0; i < COUNTERS; i++)
		counters[i] = (struct counter){.property = counter_properties[i], .asked = 100};
	maker.there = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	maker.gone = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	maker.unsure = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (unsigned round = 0; round < rounds; round++) {
		pid_t pid = start_daemon(argv[1]);
		GThread *threads[COUNTERS + 1];

		for (size_t i = 0; i < COUNTERS; i++)
			check_counter(&counters[i]);
		check_qubes(&maker);
		settle(&maker);
		for (size_t i = 0; i < COUNTERS; i++)
			threads[i] = g_thread_new("counter", count_up, &counters[i]);
		threads[COUNTERS] = g_thread_new("maker", make_qubes, &maker);
		g_usleep((gulong)g_random_int_range(1, LIFE_MAX_MS * 1000));
		kill_daemon(pid);
		for (size_t i = 0; i <= COUNTERS; i++)
			g_thread_join(threads[i]);
		check_alone(argv[1]);
	}
	kill_daemon(start_daemon(argv[1]));
	for (size_t i = 0; i < COUNTERS; i++)
		writes += counters[i].writes;
	printf("# %u kills, %u counted writes, %u qubes\n", rounds, writes, maker.next);
	printf("%s 1 - adm_17_every_acknowledged_change_survives_kill_9\n",
	    failures == 0 ? "ok" : "not ok");
	printf("%s 2 - adm_17_the_writers_got_through\n", writes > rounds / 2 ? "ok" : "not ok");
	printf("1..2\n");
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
