/*
 * What a call costs, beside the same program started directly, in one run.
 *
 *   bench_qrexec [CALLS [ROUNDS]]
 *
 * Two qubes without a hypervisor (the socket vchan), real daemons, agents and clients, a policy that
 * says yes. Latency: from starting the client to its end, for a service that does nothing.
 * Throughput: MiB/s of one stream into and out of a service. Median and 95th percentile (of
 * throughput the slow end).
 */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS_DEFAULT 200
#define ROUNDS_DEFAULT 15
#define STREAM_BYTES (128u << 20)
#define BLOCK_BYTES 65536

enum domain { TRUSTED, ONE, TWO, DOMAINS };

static char *scratch; /* owned: everything lies below */
static char *build;   /* owned */
static pid_t helpers[8];
static unsigned helper_count;

static void G_GNUC_NORETURN
die(const char *what)
{
	perror(what);
	exit(1);
}

static char *
in_scratch(enum domain domain, const char *name)
{
	return g_strdup_printf("%s/%d/%s", scratch, domain, name);
}

static char *
program(const char *name)
{
	return g_build_filename(build, name, NULL);
}

/* --- processes ------------------------------------------------------------------------------ */

/* What a program of that domain has in its environment. */
static void
set_environment(enum domain domain)
{
	g_autofree char *number = g_strdup_printf("%d", domain);
	g_autofree char *run = in_scratch(domain, "run");
	g_autofree char *rpc = in_scratch(domain, "rpc");
	g_autofree char *config = in_scratch(domain, "config");
	g_autofree char *vchan = g_build_filename(scratch, "vchan", NULL);

	g_setenv("VCHAN_SOCKET_DIR", vchan, TRUE);
	g_setenv("VCHAN_DOMAIN", number, TRUE);
	g_setenv("QUBES_RUNTIME_DIR", run, TRUE);
	g_setenv("QUBES_RPC_DIR", rpc, TRUE);
	g_setenv("QUBES_CONFIG_DIR", config, TRUE);
	g_unsetenv("QUBES_VCHAN");
}

/* in and out: -1 is /dev/null. stderr is dropped. */
static pid_t
spawn(enum domain domain, int in, int out, const char *const *argv)
{
	pid_t pid = fork();
	int null;

	if (pid < 0)
		die("fork");
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	null = open("/dev/null", O_RDWR);
	dup2(in >= 0 ? in : null, STDIN_FILENO);
	dup2(out >= 0 ? out : null, STDOUT_FILENO);
	if (g_getenv("BENCH_DEBUG") == NULL)
		dup2(null, STDERR_FILENO);
	close_range(3, ~0U, 0);
	set_environment(domain);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

static void
helper(enum domain domain, const char *const *argv)
{
	helpers[helper_count++] = spawn(domain, -1, -1, argv);
}

static void
end_helpers(void)
{
	while (helper_count > 0) {
		kill(helpers[--helper_count], SIGTERM);
		waitpid(helpers[helper_count], NULL, 0);
	}
}

static void
must_succeed(pid_t pid, const char *what)
{
	int status;

	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	fprintf(stderr, "bench_qrexec: %s failed with status %d\n", what, status);
	exit(1);
}

/* --- the scene ------------------------------------------------------------------------------ */

static void
wait_for_file(enum domain domain, const char *name)
{
	g_autofree char *path = in_scratch(domain, name);

	for (int i = 0; i < 500; i++) {
		if (g_file_test(path, G_FILE_TEST_EXISTS))
			return;
		g_usleep(10000);
	}
	die(path);
}

static void
service(enum domain domain, const char *name, const char *text)
{
	g_autofree char *rpc = in_scratch(domain, "rpc");
	g_autofree char *path = g_build_filename(rpc, name, NULL);

	if (!g_file_set_contents(path, text, -1, NULL) || g_chmod(path, 0755) < 0)
		die(path);
}

static void
prepare_domain(enum domain domain)
{
	g_autofree char *run = in_scratch(domain, "run");
	g_autofree char *rpc = in_scratch(domain, "rpc");
	g_autofree char *nothing = g_build_filename(rpc, "bench.Nothing", NULL);

	g_mkdir_with_parents(run, 0700);
	g_mkdir_with_parents(rpc, 0700);
	if (symlink("/bin/true", nothing) < 0)
		die(nothing);
	service(domain, "bench.Sink", "#!/bin/sh\nexec cat >/dev/null\n");
	service(domain, "bench.Source", "#!/bin/sh\nexec head -c 134217728 /dev/zero\n");
}

static void
start_qube(enum domain domain, const char *name)
{
	g_autofree char *agent = program("guest/bin/qrexec-agent");
	g_autofree char *daemon = program("bin/qrexec-daemon");
	g_autofree char *number = g_strdup_printf("%d", domain);
	g_autofree char *uuid = g_strdup_printf("%08d-0000-4000-8000-000000000000", domain);
	g_autofree char *link = g_strdup_printf("run/qrexec.%s", name);
	const char *const agent_argv[] = {agent, NULL};
	const char *const daemon_argv[] = {
	    daemon, "--direct", "-u", uuid, number, name, g_get_user_name(), NULL};

	helper(domain, agent_argv);
	helper(TRUSTED, daemon_argv);
	wait_for_file(TRUSTED, link);
}

static void
start_policy(void)
{
	g_autofree char *policy = program("tests/qrexec_fake_policy");
	g_autofree char *socket = in_scratch(TRUSTED, "run/policy.sock");
	g_autofree char *rules = in_scratch(TRUSTED, "rules");
	g_autofree char *log = in_scratch(TRUSTED, "asked");
	g_autofree char *text =
	    g_strdup_printf("* result=allow\\nuser=%s\\ntarget=%%t\\nautostart=False\\n"
			    "requested_target=%%t\n",
		g_get_user_name());
	const char *const argv[] = {policy, socket, rules, log, NULL};

	if (!g_file_set_contents(rules, text, -1, NULL))
		die(rules);
	helper(TRUSTED, argv);
	wait_for_file(TRUSTED, "run/policy.sock");
}

static void
begin(void)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *folder = g_path_get_dirname(self);
	g_autofree char *vchan = NULL;

	build = g_path_get_dirname(folder);
	scratch = g_dir_make_tmp("bench-qrexec-XXXXXX", NULL);
	if (scratch == NULL)
		die("scratch folder");
	vchan = g_build_filename(scratch, "vchan", NULL);
	g_mkdir_with_parents(vchan, 0700);
	for (enum domain domain = TRUSTED; domain < DOMAINS; domain++)
		prepare_domain(domain);
	start_policy();
	start_qube(ONE, "one");
	start_qube(TWO, "two");
}

static void
remove_tree(const char *path)
{
	const char *const argv[] = {"/bin/rm", "-rf", path, NULL};

	must_succeed(spawn(TRUSTED, -1, -1, argv), "rm");
}

/* --- what is measured ----------------------------------------------------------------------- */

/* One way to get a service run: what to start, in which domain. */
struct way {
	const char *name;
	enum domain domain;
	const char *words[4]; /* behind the program's path; "%s" is the service */
	const char *program;  /* below the build folder; NULL: the service itself */
};

static const struct way ways[] = {
    {"bare, the program itself", TWO, {NULL}, NULL},
    {"trusted side to qube", TRUSTED, {"-d", "two", "DEFAULT:QUBESRPC %s dom0", NULL},
	"bin/qrexec-client"},
    {"qube to qube", ONE, {"two", "%s", NULL}, "guest/bin/qrexec-client-vm"},
    {"qube to trusted side", ONE, {"dom0", "%s", NULL}, "guest/bin/qrexec-client-vm"},
};

static pid_t
start(const struct way *way, const char *name, int in, int out)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	pid_t pid;

	if (way->program == NULL) {
		g_autofree char *rpc = in_scratch(way->domain, "rpc");

		g_ptr_array_add(argv, g_build_filename(rpc, name, NULL));
	} else {
		g_ptr_array_add(argv, program(way->program));
	}
	for (size_t i = 0; i < G_N_ELEMENTS(way->words) && way->words[i] != NULL; i++) {
		g_auto(GStrv) parts = g_strsplit(way->words[i], "%s", -1);

		g_ptr_array_add(argv, g_strjoinv(name, parts));
	}
	g_ptr_array_add(argv, NULL);
	pid = spawn(way->domain, in, out, (const char *const *)argv->pdata);
	return pid;
}

static int
compare(gconstpointer a, gconstpointer b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
percentile(GArray *values, unsigned percent)
{
	g_array_sort(values, compare);
	return g_array_index(values, double, (values->len - 1) * percent / 100);
}

static void
measure_latency(const struct way *way, unsigned calls)
{
	g_autoptr(GArray) ms = g_array_new(FALSE, FALSE, sizeof(double));

	for (unsigned i = 0; i < calls; i++) {
		gint64 began = g_get_monotonic_time();
		double value;

		must_succeed(start(way, "bench.Nothing", -1, -1), way->name);
		value = (double)(g_get_monotonic_time() - began) / 1000;
		g_array_append_val(ms, value);
	}
	printf("%-28s call            p50 %8.2f ms     p95 %8.2f ms     n %u\n", way->name,
	    percentile(ms, 50), percentile(ms, 95), calls);
}

static void
write_stream(int fd)
{
	static const char block[BLOCK_BYTES];
	size_t left = STREAM_BYTES;

	while (left > 0) {
		ssize_t n = send(fd, block, MIN(left, sizeof(block)), MSG_NOSIGNAL);

		if (n <= 0)
			die("send");
		left -= (size_t)n;
	}
}

static void
read_stream(int fd)
{
	static char block[BLOCK_BYTES];
	size_t left = STREAM_BYTES;

	while (left > 0) {
		ssize_t n = read(fd, block, sizeof(block));

		if (n <= 0)
			die("read");
		left -= (size_t)n;
	}
}

static double
stream_once(const struct way *way, bool into)
{
	gint64 began;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	pid =
	    into ? start(way, "bench.Sink", pair[1], -1) : start(way, "bench.Source", -1, pair[1]);
	close(pair[1]);
	began = g_get_monotonic_time();
	if (into)
		write_stream(pair[0]);
	else
		read_stream(pair[0]);
	close(pair[0]);
	must_succeed(pid, way->name);
	return STREAM_BYTES / 1048576.0 * G_USEC_PER_SEC / (double)(g_get_monotonic_time() - began);
}

static void
measure_throughput(const struct way *way, bool into, unsigned rounds)
{
	g_autoptr(GArray) speed = g_array_new(FALSE, FALSE, sizeof(double));

	for (unsigned i = 0; i < rounds; i++) {
		double value = stream_once(way, into);

		g_array_append_val(speed, value);
	}
	printf("%-28s %-15s p50 %8.0f MiB/s  p95 %8.0f MiB/s  n %u\n", way->name,
	    into ? "into a service" : "out of one", percentile(speed, 50), percentile(speed, 5),
	    rounds);
}

int
main(int argc, char **argv)
{
	unsigned calls = argc > 1 ? (unsigned)atoi(argv[1]) : CALLS_DEFAULT;
	unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : ROUNDS_DEFAULT;

	setvbuf(stdout, NULL, _IOLBF, 0);
	begin();
	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++)
		measure_latency(&ways[i], calls);
	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
		measure_throughput(&ways[i], true, rounds);
		measure_throughput(&ways[i], false, rounds);
	}
	end_helpers();
	remove_tree(scratch);
	g_free(scratch);
	g_free(build);
	return 0;
}
