/*
 * The policy engine: what a decision and a reading cost, beside the bare operations in one run.
 *
 *   bench_policy [ROUNDS]
 *
 * Rules are of two shapes: "spread" gives every service ten rules and decides by the last of one
 * of them; "one service" gives all rules to one service and decides by the very last: the worst
 * there is. The world has 100 qubes. Bare beside a decision: 64 bytes there and back over a socket
 * pair, which is what asking costs at least; beside a reading: the file's bytes.
 * Microseconds, median and 95th percentile over the rounds.
 */
#include "qrexec/policy/eval.h"
#include "qrexec/policy/include.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS_DEFAULT 101
#define DECISIONS 100 /* timed together */
#define QUBES 100
#define RULES_PER_FILE 5000
#define RULES_PER_SERVICE 10

static unsigned rounds = ROUNDS_DEFAULT;

static void
die(const char *what)
{
	fprintf(stderr, "bench_policy: %s\n", what);
	exit(1);
}

/* --- measuring ------------------------------------------------------------------------------ */

static double
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Runs work so often, and prints what one of its steps takes. */
static void
measure(const char *name, void (*work)(void *), void *data, double steps)
{
	g_autofree double *times = g_new(double, rounds);

	for (unsigned i = 0; i < rounds; i++) {
		double begin = now_us();

		work(data);
		times[i] = (now_us() - begin) / steps;
	}
	qsort(times, rounds, sizeof(double), compare_doubles);
	printf(
	    "%-48s %10.2f us  p95 %10.2f us\n", name, times[rounds / 2], times[rounds * 95 / 100]);
}

/* --- the world ------------------------------------------------------------------------------ */

static struct system_info *
make_qubes(void)
{
	struct system_info *info = system_info_new();

	for (int i = 0; i < QUBES; i++) {
		g_autofree char *name = g_strdup_printf("qube%d", i);
		g_autofree char *json = g_strdup_printf(
		    "{\"type\": \"AppVM\", \"tags\": [\"tag%d\"], \"power_state\": \"Running\", "
		    "\"uuid\": \"%08d-0000-4000-8000-000000000000\"}",
		    i % 10, i);

		if (system_info_set(info, name, json) < 0)
			die("system information");
	}
	return info;
}

static void
add_rule(GString *text, bool spread, unsigned number)
{
	static const char *const sources[] = {"@anyvm", "@tag:tag3", "qube7", "@type:AppVM"};
	unsigned service = spread ? number / RULES_PER_SERVICE : 0;

	g_string_append_printf(text, "test.Service%u * %s other%u %s\n", service,
	    sources[number % 4], number, number % 3 == 0 ? "ask" : "allow");
}

/* Files of a policy with so many rules, whose last one allows what is asked. */
static char *
make_folder(bool spread, unsigned count)
{
	char *folder = g_dir_make_tmp("bench-policy-XXXXXX", NULL);
	unsigned number = 0;

	for (unsigned file = 10; number < count; file++) {
		GString *text = g_string_new(NULL);
		g_autofree char *name = g_strdup_printf("%02u-bench.policy", file);
		g_autofree char *path = g_build_filename(folder, name, NULL);

		for (unsigned i = 0; i < RULES_PER_FILE && number < count - 1; i++)
			add_rule(text, spread, number++);
		if (number == count - 1) {
			g_string_append_printf(text, "test.Service%u * qube1 qube2 allow\n",
			    spread ? number / RULES_PER_SERVICE : 0);
			number++;
		}
		g_file_set_contents(path, text->str, (gssize)text->len, NULL);
		g_string_free(text, TRUE);
	}
	return folder;
}

static void
each_file(const char *folder, void (*work)(const char *path))
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *path = g_build_filename(folder, name, NULL);

		work(path);
	}
}

static void
remove_file(const char *path)
{
	g_unlink(path);
}

/* --- what is measured ----------------------------------------------------------------------- */

struct decision_work {
	const struct policy *policy;
	const struct system_info *info;
	char *service;
};

static void
decide(void *data)
{
	struct decision_work *work = data;
	struct policy_request request = {
	    .service = work->service, .argument = "+", .source = "qube1", .target = "qube2"};

	for (int i = 0; i < DECISIONS; i++) {
		struct policy_decision decision;

		policy_evaluate(work->policy, work->info, &request, &decision);
		if (decision.result != POLICY_ALLOWED)
			die("a decision is wrong");
		policy_decision_clear(&decision);
	}
}

static struct policy *
load(const char *folder)
{
	char *folders[] = {(char *)folder, NULL};
	struct policy_places *places = policy_places_new(folders);
	struct policy_load_notes notes;
	struct policy_load_error error;
	struct policy *policy = NULL;

	policy_load_notes_init(&notes);
	if (policy_load(places, &policy, &error, &notes) < 0)
		die(error.text);
	policy_load_notes_fini(&notes);
	policy_places_free(places);
	return policy;
}

static void
load_and_free(void *folder)
{
	policy_free(load(folder));
}

static void
read_file(const char *path)
{
	g_autofree char *content = NULL;

	if (!g_file_get_contents(path, &content, NULL, NULL))
		die(path);
}

static void
read_files(void *folder)
{
	each_file(folder, read_file);
}

static void
round_trip(void *data)
{
	int *ends = data;
	char message[64] = "";

	for (int i = 0; i < DECISIONS; i++) {
		for (int end = 0; end < 2; end++) {
			if (write(ends[end], message, sizeof(message)) != sizeof(message) ||
			    read(ends[1 - end], message, sizeof(message)) != sizeof(message))
				die("socket pair");
		}
	}
}

static void
bench(const struct system_info *info, bool spread, unsigned count)
{
	g_autofree char *folder = make_folder(spread, count);
	struct decision_work work = {.policy = load(folder), .info = info};
	const char *shape = spread ? "spread" : "one service";
	g_autofree char *deciding = g_strdup_printf("decision, %u rules, %s", count, shape);
	g_autofree char *loading = g_strdup_printf("reading, %u rules, %s", count, shape);
	unsigned all_rounds = rounds;

	work.service =
	    g_strdup_printf("test.Service%u", spread ? (count - 1) / RULES_PER_SERVICE : 0);
	measure(deciding, decide, &work, DECISIONS);
	rounds = MAX(rounds / 5, 1);
	measure(loading, load_and_free, folder, 1);
	measure("  bare: its files' bytes", read_files, folder, 1);
	rounds = all_rounds;
	g_free(work.service);
	policy_free((struct policy *)work.policy);
	each_file(folder, remove_file);
	g_rmdir(folder);
}

int
main(int argc, char **argv)
{
	static const unsigned counts[] = {10, 1000, 10000, 100000};
	struct system_info *info = make_qubes();
	int ends[2];

	if (argc > 1)
		rounds = (unsigned)MAX(atoi(argv[1]), 1);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		die("socket pair");
	measure("bare: 64 bytes there and back, socket pair", round_trip, ends, DECISIONS);
	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
		bench(info, true, counts[i]);
		bench(info, false, counts[i]);
	}
	system_info_free(info);
	close(ends[0]);
	close(ends[1]);
	return 0;
}
