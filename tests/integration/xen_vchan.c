/*
 * xen_vchan - one end of vchans, for the tests that run on Xen.
 *
 *   xen_vchan listen|connect DOMAIN PORT MODE [NUMBER]     both ends are given the same MODE
 *
 *   echo [MIB]      the client sends MIB, the server sends it back, at the same time; every byte is
 *                   compared with what belongs at its place
 *   send [MIB]      the client sends, the server compares
 *   ping [COUNT]    round trips of 64 bytes
 *   rest [BYTES]    the client writes and leaves; the server reads only when it has left
 *   wait            until the peer has gone
 *   swallow         reads whatever comes until the peer has gone, and writes as much as goes
 *   many [COUNT]    COUNT vchans at once, on PORT and up, a round trip on each
 *   again [COUNT]   COUNT vchans one after another on PORT, a round trip on each
 *
 * "up" is printed when connected (both ends), figures as "name value". Exit status 0 when all was
 * right, 1 when not, 2 when time ran out.
 */
#include "shared/vchan/vchan.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define LIMIT_MS 60000
#define BLOCK_BYTES 49999 /* no divisor of any ring */
#define PING_BYTES 64
#define MOST_VCHANS 256

static bool is_server;
static uint32_t domain;

G_NORETURN static void
fail(int status, const char *what, int error)
{
	fprintf(stderr, "xen_vchan: %s: %s\n", what, strerror(-error));
	exit(status);
}

static double
now_s(void)
{
	return (double)g_get_monotonic_time() / 1e6;
}

static double
cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double cpu_began_s; /* when the first vchan was connected */

/* --- one vchan ------------------------------------------------------------------------------- */

static struct vchan *
begin(uint32_t port)
{
	struct vchan *vchan;
	int r = is_server ? vchan_listen("xen", domain, port, 0, &vchan)
			  : vchan_connect("xen", domain, port, 0, &vchan);

	if (r < 0)
		fail(1, is_server ? "listen" : "connect", r);
	return vchan;
}

/* False when nothing came within the time. */
static bool
news(struct vchan *vchan, int timeout_ms)
{
	struct pollfd pollfd = {.fd = vchan_fd(vchan), .events = POLLIN};

	if (poll(&pollfd, 1, timeout_ms) != 1)
		return false;
	vchan_dispatch(vchan);
	return true;
}

static void
await_news(struct vchan *vchan, const char *what)
{
	if (!news(vchan, LIMIT_MS))
		fail(2, what, -ETIMEDOUT);
}

static void
finish_connecting(struct vchan *vchan)
{
	while (vchan_state(vchan) == VCHAN_LISTENING || vchan_state(vchan) == VCHAN_CONNECTING)
		await_news(vchan, "connecting");
	if (vchan_error(vchan) < 0)
		fail(1, "connecting", vchan_error(vchan));
}

static struct vchan *
open_one(uint32_t port)
{
	struct vchan *vchan = begin(port);

	finish_connecting(vchan);
	cpu_began_s = cpu_s();
	puts("up");
	return vchan;
}

static void
expect_end(struct vchan *vchan)
{
	char byte;
	ssize_t n;

	while ((n = vchan_read(vchan, &byte, 1)) == -EAGAIN)
		await_news(vchan, "the peer's end");
	if (n != 0)
		fail(1, "more than the end", n < 0 ? (int)n : -EPROTO);
	if (vchan_state(vchan) != VCHAN_CLOSED)
		fail(1, "over, but not closed", -EPROTO);
}

static void
write_all(struct vchan *vchan, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	while (len > 0) {
		ssize_t n = vchan_write(vchan, from, len);

		if (n == -EAGAIN) {
			await_news(vchan, "writing");
			continue;
		}
		if (n < 0)
			fail(1, "write", (int)n);
		from += n;
		len -= (size_t)n;
	}
}

static void
read_all(struct vchan *vchan, void *buffer, size_t len)
{
	uint8_t *to = buffer;

	while (len > 0) {
		ssize_t n = vchan_read(vchan, to, len);

		if (n == -EAGAIN) {
			await_news(vchan, "reading");
			continue;
		}
		if (n <= 0)
			fail(1, "read", n == 0 ? -EPIPE : (int)n);
		to += n;
		len -= (size_t)n;
	}
}

/* The last byte has reached the shared ring; the peer finds it there although we leave. */
static void
leave(struct vchan *vchan)
{
	int r = vchan_drain(vchan, LIMIT_MS);

	if (r < 0)
		fail(1, "drain", r);
	vchan_close(vchan);
}

/* --- a stream whose every byte is known ------------------------------------------------------ */

struct pattern {
	uint64_t state;
};

static uint8_t
pattern_next(struct pattern *pattern)
{
	pattern->state = pattern->state * 6364136223846793005u + 1442695040888963407u;
	return (uint8_t)(pattern->state >> 56);
}

static void
pattern_fill(struct pattern *pattern, uint8_t *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = pattern_next(pattern);
}

static void
pattern_check(struct pattern *pattern, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != pattern_next(pattern))
			fail(1, "a byte that was not sent", -EBADMSG);
}

/* --- modes ----------------------------------------------------------------------------------- */

static void
print_rate(const char *name, uint64_t bytes, double seconds)
{
	printf("%s %.1f MiB/s\n", name, (double)bytes / 1048576 / seconds);
}

/* Reads and writes by turns, whatever is possible. */
static void
echo_as_client(struct vchan *vchan, uint64_t total)
{
	static uint8_t out[BLOCK_BYTES], in[BLOCK_BYTES];
	struct pattern sent = {1}, expected = {1};
	uint64_t to_send = total, to_read = total;
	size_t have = 0;
	double began = now_s();

	while (to_read > 0) {
		bool moved = false;
		ssize_t n;

		if (have == 0 && to_send > 0) {
			have = (size_t)MIN(sizeof(out), to_send);
			pattern_fill(&sent, out, have);
			to_send -= have;
		}
		if (have > 0 && (n = vchan_write(vchan, out, have)) > 0) {
			memmove(out, out + n, have - (size_t)n);
			have -= (size_t)n;
			moved = true;
		}
		n = vchan_read(vchan, in, sizeof(in));
		if (n > 0) {
			pattern_check(&expected, in, (size_t)n);
			to_read -= (uint64_t)n;
			moved = true;
		} else if (n != -EAGAIN) {
			fail(1, "echo", n == 0 ? -EPIPE : (int)n);
		}
		if (!moved)
			await_news(vchan, "echo");
	}
	print_rate("echo", total, now_s() - began);
}

static void
echo_as_server(struct vchan *vchan)
{
	static uint8_t buffer[BLOCK_BYTES];
	ssize_t n;

	while ((n = vchan_read(vchan, buffer, sizeof(buffer))) != 0) {
		if (n == -EAGAIN)
			await_news(vchan, "echo");
		else if (n < 0)
			fail(1, "echo", (int)n);
		else
			write_all(vchan, buffer, (size_t)n);
	}
}

static void
mode_echo(uint32_t port, uint64_t mib)
{
	struct vchan *vchan = open_one(port);

	if (is_server)
		echo_as_server(vchan);
	else
		echo_as_client(vchan, mib << 20);
	vchan_close(vchan);
}

/* Comparing is not what is timed: a part of each block is enough here, echo looks at all. */
static void
mode_send(uint32_t port, uint64_t mib)
{
	struct vchan *vchan = open_one(port);
	uint8_t *block = g_malloc(65536), *got = g_malloc(65536);
	struct pattern pattern = {2};
	double began = now_s();

	pattern_fill(&pattern, block, 65536);
	for (uint64_t i = 0; i < mib * 16; i++) {
		if (!is_server) {
			write_all(vchan, block, 65536);
			continue;
		}
		read_all(vchan, got, 65536);
		if (memcmp(got, block, 65536) != 0)
			fail(1, "send", -EBADMSG);
	}
	if (is_server) {
		write_all(vchan, "k", 1);
		leave(vchan);
	} else {
		read_all(vchan, got, 1);
		print_rate("send", mib << 20, now_s() - began);
		vchan_close(vchan);
	}
	g_free(block);
	g_free(got);
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
ping(struct vchan *vchan, uint8_t seed)
{
	uint8_t out[PING_BYTES], in[PING_BYTES];

	memset(out, seed, sizeof(out));
	if (is_server) {
		read_all(vchan, in, sizeof(in));
		write_all(vchan, in, sizeof(in));
		return;
	}
	write_all(vchan, out, sizeof(out));
	read_all(vchan, in, sizeof(in));
	if (memcmp(in, out, sizeof(in)) != 0)
		fail(1, "ping", -EBADMSG);
}

static void
mode_ping(uint32_t port, uint64_t count)
{
	struct vchan *vchan = open_one(port);
	double *times = g_new0(double, count);

	for (uint64_t i = 0; i < count; i++) {
		double began = now_s();

		ping(vchan, (uint8_t)i);
		times[i] = now_s() - began;
	}
	qsort(times, count, sizeof(*times), compare_doubles);
	if (!is_server)
		printf("ping %.0f us median, %.0f us 95th percentile\n", times[count / 2] * 1e6,
		    times[count * 95 / 100] * 1e6);
	leave(vchan);
	g_free(times);
}

static void
mode_rest(uint32_t port, uint64_t bytes)
{
	struct vchan *vchan = open_one(port);
	uint8_t *block = g_malloc(bytes);
	struct pattern pattern = {3};

	if (is_server) {
		while (vchan_state(vchan) != VCHAN_CLOSED)
			await_news(vchan, "the writer's end");
		read_all(vchan, block, bytes);
		pattern_check(&pattern, block, bytes);
		expect_end(vchan);
		vchan_close(vchan);
	} else {
		pattern_fill(&pattern, block, bytes);
		write_all(vchan, block, bytes);
		leave(vchan);
	}
	g_free(block);
}

static void
mode_wait(uint32_t port, uint64_t number)
{
	struct vchan *vchan = open_one(port);

	(void)number;
	expect_end(vchan);
	printf("end %d\n", vchan_error(vchan));
	vchan_close(vchan);
}

static void
mode_swallow(uint32_t port, uint64_t number)
{
	static uint8_t buffer[BLOCK_BYTES];
	struct vchan *vchan = open_one(port);
	uint64_t total = number;
	ssize_t n;

	while ((n = vchan_read(vchan, buffer, sizeof(buffer))) != 0) {
		(void)vchan_write(vchan, buffer, sizeof(buffer));
		if (n == -EAGAIN)
			await_news(vchan, "swallowing");
		else if (n < 0)
			fail(1, "swallow", (int)n);
		else
			total += (uint64_t)n;
	}
	printf("swallowed %llu bytes\n", (unsigned long long)total);
	vchan_close(vchan);
}

static void
mode_many(uint32_t port, uint64_t count)
{
	struct vchan *vchans[MOST_VCHANS];

	count = MIN(count, MOST_VCHANS);
	for (uint64_t i = 0; i < count; i++)
		vchans[i] = begin(port + (uint32_t)i);
	for (uint64_t i = 0; i < count; i++)
		finish_connecting(vchans[i]);
	puts("up");
	for (uint64_t i = 0; i < count; i++)
		ping(vchans[i], (uint8_t)i);
	for (uint64_t i = 0; i < count; i++) {
		if (is_server)
			expect_end(vchans[i]);
		vchan_close(vchans[i]);
	}
}

static unsigned
open_descriptors(void)
{
	GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
	unsigned count = 0;

	while (g_dir_read_name(dir) != NULL)
		count++;
	g_dir_close(dir);
	return count;
}

static void
mode_again(uint32_t port, uint64_t count)
{
	unsigned before = open_descriptors();
	double began = now_s();

	for (uint64_t i = 0; i < count; i++) {
		struct vchan *vchan = begin(port);

		finish_connecting(vchan);
		ping(vchan, (uint8_t)i);
		if (is_server)
			expect_end(vchan);
		vchan_close(vchan);
	}
	if (open_descriptors() != before)
		fail(1, "descriptors are left", -EMFILE);
	printf("again %.2f ms each\n", (now_s() - began) * 1e3 / (double)count);
}

static const struct mode {
	const char *name;
	void (*run)(uint32_t port, uint64_t number);
	uint64_t number; /* unless given */
} modes[] = {
    {"echo", mode_echo, 16},
    {"send", mode_send, 32},
    {"ping", mode_ping, 1000},
    {"rest", mode_rest, 40000},
    {"wait", mode_wait, 0},
    {"swallow", mode_swallow, 0},
    {"many", mode_many, 16},
    {"again", mode_again, 1000},
};

int
main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 5)
		fail(1, "see the head of the source", -EINVAL);
	is_server = strcmp(argv[1], "listen") == 0;
	domain = (uint32_t)strtoul(argv[2], NULL, 10);
	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
		if (strcmp(argv[4], modes[i].name) != 0)
			continue;
		modes[i].run((uint32_t)strtoul(argv[3], NULL, 10),
		    argc > 5 ? strtoull(argv[5], NULL, 10) : modes[i].number);
		printf("cpu %.3f s\n", cpu_s() - cpu_began_s);
		return 0;
	}
	fail(1, argv[4], -EINVAL);
}
