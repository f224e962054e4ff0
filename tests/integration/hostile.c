/*
 * hostile - what a qube does that wants out. It runs inside a sandbox, as its root, and speaks to
 * whatever it can reach there: the kernel, the broker, the daemons behind its vchans. It uses no
 * code of ours, for an attacker would not. Prints lines "what=outcome" for the test that starts it.
 *
 *   hostile reach OTHER-DOMAIN   what of other domains the broker hands out
 *   hostile fill                 as many listens and connects as the broker takes
 *   hostile flood SECONDS        connections and requests without end
 *   hostile linger               gives the broker sockets that are slow to close
 *   hostile exhaust WHAT         takes all: processes, memory
 *   hostile plant DIRECTORY DEPTH   leaves what may lead astray whoever copies or removes it
 *   hostile agent HOW [ARG]      takes the place of the qube's agent; see agent_ways below
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BROKER "/run/qubes/vchan.sock"
#define CONTROL_PORT 512
#define FIRST_DATA_PORT 513

enum { LISTEN = 1, CONNECT, REGION, OWN_REGION };

static void
die(const char *what)
{
	fprintf(stderr, "hostile: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
outcome(const char *what, int error)
{
	printf("%s=%s\n", what, error == 0 ? "ok" : strerrorname_np(error));
	fflush(stdout);
}

/* --- the broker ------------------------------------------------------------------------------ */

static int
send_with(int fd, const void *bytes, size_t len, int attached)
{
	struct iovec segment = {(void *)bytes, len};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = &segment, .msg_iovlen = 1};

	if (attached >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &attached, sizeof(int));
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static int
broker_connect(int flags)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = BROKER};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -errno;
}

static int
broker_ask(uint32_t type, uint32_t domain, uint32_t port)
{
	uint32_t request[4] = {1, type, domain, port};
	int fd = broker_connect(0);

	if (fd >= 0 && send_with(fd, request, sizeof(request), -1) < 0)
		die("asking the broker");
	return fd;
}

/* The reply: 0 with a descriptor, a negative errno, or -ETIMEDOUT. */
static int
broker_reply(int fd, int timeout_ms, int *ret_end)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	int32_t status = -EPIPE;
	struct iovec segment = {&status, sizeof(status)};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = {.msg_iov = &segment,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};

	if (poll(&pollfd, 1, timeout_ms) != 1)
		return -ETIMEDOUT;
	if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) <= 0)
		return -EPIPE;
	if (status == 0 && CMSG_FIRSTHDR(&message) != NULL)
		memcpy(ret_end, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return status;
}

static int
broker_status(uint32_t type, uint32_t domain, uint32_t port)
{
	int end = -1, fd = broker_ask(type, domain, port);
	int r = fd < 0 ? fd : broker_reply(fd, 300, &end);

	close(end);
	close(fd);
	return -r;
}

static int
do_reach(char **argv)
{
	uint32_t other = (uint32_t)atoi(argv[0]);

	outcome("region_of_another", broker_status(REGION, other, 0));
	outcome("region_of_nobody", broker_status(REGION, 4000, 0));
	outcome("own_region", broker_status(OWN_REGION, 0, 0));
	outcome("connect_to_nobody", broker_status(CONNECT, 4000, CONTROL_PORT));
	outcome("connect_to_itself", broker_status(CONNECT, 1, CONTROL_PORT));
	/* Agents listen for dom0 there: a connect of ours must wait for ever. */
	outcome("connect_to_the_agent_of_another", broker_status(CONNECT, other, CONTROL_PORT));
	outcome("connect_to_the_gui_agent_of_another", broker_status(CONNECT, other, 6000));
	outcome("listen_in_the_place_of_our_agent", broker_status(LISTEN, 0, CONTROL_PORT));
	outcome("wrong_type", broker_status(99, 0, 0));
	outcome("port_out_of_range", broker_status(LISTEN, other, UINT32_MAX));
	return 0;
}

static int
do_fill(char **argv)
{
	unsigned taken = 0;
	int r = 0;

	(void)argv;
	for (uint32_t port = 0; port < 1000; port++) {
		int end, fd = broker_ask(port % 2 != 0 ? LISTEN : CONNECT, 0, 100000 + port);

		r = fd < 0 ? fd : broker_reply(fd, 2, &end);
		if (r == -EMFILE)
			break;
		taken++;
	}
	outcome("limit", -r);
	printf("taken=%u\n", taken);
	fflush(stdout);
	pause(); /* keeping them */
	return 0;
}

static int
do_flood(char **argv)
{
	int64_t until = now_ms() + 1000 * atoi(argv[0]);
	unsigned long count = 0;

	while (now_ms() < until) {
		int fds[64];

		for (size_t i = 0; i < 64; i++, count++) {
			uint32_t request[4] = {1, (uint32_t)count % 6, 0, (uint32_t)count};

			fds[i] = broker_connect(SOCK_NONBLOCK);
			if (fds[i] >= 0 && count % 3 != 0)
				(void)send_with(fds[i], request, count % 17, -1);
		}
		for (size_t i = 0; i < 64; i++)
			close(fds[i]);
	}
	printf("connections=%lu\n", count);
	return 0;
}

/* --- sockets that are slow to close ---------------------------------------------------------- */

/* With bytes in it that nobody reads, and a wish to wait for that: close() takes a minute. */
static int
slow_socket(int *ret_peer)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct linger linger = {1, 60};
	socklen_t len = sizeof(address);
	char bytes[65536] = {0};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(listener, (struct sockaddr *)&address, len) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) < 0 ||
	    connect(fd, (struct sockaddr *)&address, len) < 0)
		die("a connection to itself");
	*ret_peer = accept(listener, NULL, NULL);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	close(listener);
	return fd;
}

/* A child keeps the other end open, and only whoever it was sent to has ours. */
static int
do_linger(char **argv)
{
	uint32_t request[4] = {1, OWN_REGION, 0, 0};
	int peer, slow = slow_socket(&peer);
	int fd = broker_connect(0);
	int r;

	(void)argv;
	/* The second one is thrown away unread. */
	(void)send_with(fd, request, sizeof(request), slow);
	r = send_with(fd, request, sizeof(request), slow);
	outcome("descriptor_for_the_broker", -r);
	if (fork() == 0) {
		close(STDOUT_FILENO);
		close(STDERR_FILENO);
		close(slow);
		close(fd);
		sleep(20);
		_exit(0);
	}
	_exit(0);
}

/* --- taking all ------------------------------------------------------------------------------ */

static int
sleep_on(void *data)
{
	(void)data;
	while (pause() < 0)
		;
	return 0;
}

/* They share our memory: so many with some of their own would end for want of it first. */
static void
exhaust_processes(void)
{
	unsigned count = 0;
	int r = 0;

	setpgid(0, 0);
	while (count < 20000 && r == 0) {
		char *stack = malloc(4096);

		if (clone(sleep_on, stack + 4096, CLONE_VM | CLONE_FILES | SIGCHLD, NULL) < 0)
			r = errno;
		else
			count++;
	}
	outcome("no_more_processes", r);
	printf("processes=%u\n", count);
	fflush(stdout);
	kill(0, SIGKILL);
}

static void
exhaust_memory(void)
{
	size_t chunk = 16 << 20, mib = 0;
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		for (; mib < 8192; mib += 16) {
			char *memory = mmap(NULL, chunk, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			if (memory == MAP_FAILED)
				_exit(2);
			memset(memory, 1, chunk);
		}
		_exit(0);
	}
	waitpid(pid, &status, 0);
	printf("memory=%s\n", WIFSIGNALED(status) ? "killed" : "had");
}

static int
do_exhaust(char **argv)
{
	if (strcmp(argv[0], "processes") == 0)
		exhaust_processes();
	else
		exhaust_memory();
	return 0;
}

/* --- what is left behind ----------------------------------------------------------------------- */

static void
plant_file(const char *name, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT, 0600);

	if (fd < 0 || write(fd, "planted", 7) != 7 || fchmod(fd, mode) < 0)
		die(name);
	close(fd);
}

/* As deep as it goes; each name as long as it may be. */
static void
plant_depth(unsigned depth, size_t name_len)
{
	char name[256];
	int home = open(".", O_RDONLY | O_DIRECTORY);

	memset(name, 'd', name_len);
	name[name_len] = '\0';
	for (unsigned i = 0; i < depth; i++)
		if (mkdir(name, 0700) < 0 || chdir(name) < 0)
			die("a deep folder");
	plant_file("bottom", 0600);
	if (fchdir(home) < 0)
		die("the way back");
	close(home);
}

static int
do_plant(char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if ((mkdir(argv[0], 0755) < 0 && errno != EEXIST) || chdir(argv[0]) < 0)
		die(argv[0]);
	plant_file("\n\033]0;title\007\xff\xfe", 0600);
	plant_file("-rf", 0600);
	plant_file("$(touch bordure-was-here)", 0600);
	plant_file("set-uid", 06755);
	plant_file(".deep-0", 0600);
	if (link("set-uid", "second-name") < 0 || mkfifo("fifo", 0666) < 0 ||
	    symlink("/etc/shadow", "link-to-secret") < 0 || symlink("/", "link-to-root") < 0 ||
	    symlink("../../../../../../../..", "link-upwards") < 0 || symlink("loop", "loop") < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("planting");
	outcome("block_device", mknod("device", S_IFBLK | 0666, 0) < 0 ? errno : 0);
	outcome("hard_link_to_the_template", link("/usr/bin/su", "su") < 0 ? errno : 0);
	outcome("give_away", lchown("set-uid", 70000, 70000) < 0 ? errno : 0);
	mkdir("closed", 0700);
	plant_file("closed/inside", 0600);
	if (geteuid() == 0) { /* without root nobody outside could copy these either */
		chmod("closed/inside", 0);
		chmod("closed", 0);
	}
	fd = open("huge", O_WRONLY | O_CREAT, 0600);
	if (ftruncate(fd, INT64_C(1) << 40) < 0)
		die("a file with a hole of a tebibyte");
	plant_depth((unsigned)atoi(argv[1]), 255);
	outcome("planted", 0);
	return 0;
}

/* --- in the place of the agent ----------------------------------------------------------------- */

struct header {
	uint32_t type, len;
};

enum {
	STDOUT = 0x191,
	STDERR,
	EXIT_CODE,
	EXEC_CMDLINE = 0x200,
	JUST_EXEC,
	SERVICE_CONNECT,
	SERVICE_REFUSED,
	TERMINATED = 0x211,
	TRIGGER4 = 0x213,
	HELLO = 0x300,
};

/* Blocks until the other side has taken all of it; false when it has gone. */
static bool
say(int fd, const void *bytes, size_t len)
{
	while (len > 0) {
		struct pollfd pollfd = {.fd = fd, .events = POLLOUT};
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n < 0 && poll(&pollfd, 1, 5000) != 1)
			return false;
		bytes = (const char *)bytes + (n > 0 ? n : 0);
		len -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

static bool
hear(int fd, void *bytes, size_t len, int timeout_ms)
{
	while (len > 0) {
		struct pollfd pollfd = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (poll(&pollfd, 1, timeout_ms) != 1)
			return false;
		n = recv(fd, bytes, len, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return false;
		bytes = (char *)bytes + (n > 0 ? n : 0);
		len -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

static bool
say_message(int fd, uint32_t type, const void *body, uint32_t len)
{
	struct header header = {type, len};

	return say(fd, &header, sizeof(header)) && say(fd, body, len);
}

/* One message; the body is cut at 64 KiB. False when none came in that time. */
static bool
hear_message(int fd, struct header *ret, char *body, int timeout_ms)
{
	if (!hear(fd, ret, sizeof(*ret), timeout_ms))
		return false;
	return ret->len <= 65536 && hear(fd, body, ret->len, 1000);
}

static bool
shake_hands(int fd)
{
	uint32_t version = 4, theirs;
	struct header header;

	return say_message(fd, HELLO, &version, sizeof(version)) &&
	       hear(fd, &header, sizeof(header), 5000) && hear(fd, &theirs, sizeof(theirs), 5000);
}

/* True when the daemon hangs up within two seconds. */
static bool
is_dropped(int fd)
{
	char bytes[4096];
	int64_t until = now_ms() + 2000;

	while (now_ms() < until) {
		struct pollfd pollfd = {.fd = fd, .events = POLLIN};

		if (poll(&pollfd, 1, 100) == 1 && recv(fd, bytes, sizeof(bytes), 0) <= 0)
			return true;
	}
	return false;
}

static void
kill_agents(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while ((entry = readdir(proc)) != NULL) {
		char path[300], program[256] = "";
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%s/exe", entry->d_name);
		n = readlink(path, program, sizeof(program) - 1);
		if (n > 0 && strstr(program, "/qrexec-agent") != NULL)
			kill(atoi(entry->d_name), SIGKILL);
	}
	closedir(proc);
}

/* The vchan of the agent, taken over: the real one finds its place taken. */
static int
take_over(void)
{
	static int place = -1; /* the broker keeps the vchan as long as this is open */

	close(place);
	for (int i = 0; i < 200; i++) {
		int end = -1, fd;

		kill_agents();
		fd = broker_ask(LISTEN, 0, CONTROL_PORT);
		if (fd >= 0 && broker_reply(fd, 3000, &end) == 0) {
			place = fd;
			return end;
		}
		close(fd);
		usleep(5000);
	}
	errno = ETIMEDOUT;
	die("the place of the agent");
	return -1;
}

struct trigger {
	char source[64], target[64], ident[32];
};

static bool
trigger(int fd, unsigned number, const char *source, const char *target, const char *descriptor,
    size_t descriptor_len)
{
	static char body[sizeof(struct trigger) + 65536];
	struct trigger head = {.ident = ""};

	strncpy(head.source, source, sizeof(head.source) - 1);
	strncpy(head.target, target, sizeof(head.target) - 1);
	snprintf(head.ident, sizeof(head.ident), "call%u", number);
	memcpy(body, &head, sizeof(head));
	memcpy(body + sizeof(head), descriptor, descriptor_len);
	return say_message(fd, TRIGGER4, body, (uint32_t)(sizeof(head) + descriptor_len));
}

/* Answers to as many calls, within five seconds. */
static void
count_answers(int fd, unsigned expected, unsigned *ret_refused, unsigned *ret_connected)
{
	static char body[65536];
	int64_t until = now_ms() + 5000;
	struct header header;

	while (*ret_refused + *ret_connected < expected && now_ms() < until) {
		if (!hear_message(fd, &header, body, 1000))
			continue;
		*ret_refused += header.type == SERVICE_REFUSED;
		*ret_connected += header.type == SERVICE_CONNECT;
	}
}

static void
print_answers(const char *what, unsigned refused, unsigned connected)
{
	printf("%s=%u refused, %u connected\n", what, refused, connected);
	fflush(stdout);
}

/* Each in a connection of its own: what a daemon must end. */
static int
agent_breaks_protocol(int fd, const char *how)
{
	uint32_t number = 4;
	struct header endless = {TRIGGER4, UINT32_MAX};
	char bytes[4096];
	bool said = true;

	if (strcmp(how, "bytes") == 0) {
		memset(bytes, 0xa5, sizeof(bytes));
		said = say(fd, bytes, sizeof(bytes));
	} else if (strcmp(how, "version") == 0) {
		number = 0;
		said = say_message(fd, HELLO, &number, sizeof(number));
	} else if (!shake_hands(fd)) {
		die("hello");
	} else if (strcmp(how, "hello") == 0) {
		said = say_message(fd, HELLO, &number, sizeof(number));
	} else if (strcmp(how, "exec") == 0) { /* only a daemon may say that */
		said = say_message(fd, EXEC_CMDLINE, "\0\0\0\0\1\2\0\0root:id", 16);
	} else if (strcmp(how, "length") == 0) {
		said = say(fd, &endless, sizeof(endless));
	} else if (strcmp(how, "port") == 0) {
		uint32_t place[2] = {0, UINT32_MAX};

		said = say_message(fd, TERMINATED, place, sizeof(place));
	}
	printf("%s=%s\n", how, said && !is_dropped(fd) ? "kept" : "dropped");
	return 0;
}

/* Calls with names that no call may have, and one of somebody else. */
static int
agent_odd_calls(int fd, const char *arg)
{
	static const struct {
		const char *source, *target, *descriptor;
		size_t len;
	} calls[] = {
#define CALL(source, target, text) {source, target, text, sizeof(text)}
	    CALL("", "dom0", "test.Canary;touch bordure-was-here"),
	    CALL("", "dom0", "$(touch bordure-was-here)"),
	    CALL("", "dom0", "../../bin/sh"),
	    CALL("", "dom0", "/bin/sh"),
	    CALL("", "dom0", "."),
	    CALL("", "dom0", ".."),
	    CALL("", "dom0", "-x"),
	    CALL("", "dom0", "test.Canary\nsource=dom0"),
	    CALL("", "dom0", "test.Canary\0test.Canary"),
	    CALL("", "dom0", "+argument"),
	    CALL("", "dom0", ""),
	    CALL("", "../dom0", "test.Canary"),
	    CALL("", "@dispvm:../x", "test.Canary"),
	    CALL("", "work\nuser=root", "test.Canary"),
	    CALL("work", "dom0", "test.Canary"),
	    CALL("dom0", "work", "test.Canary"),
	    CALL("", "dom0", "test.Canary"),
#undef CALL
	};
	unsigned count = sizeof(calls) / sizeof(calls[0]), refused = 0, connected = 0;

	(void)arg;
	if (!shake_hands(fd))
		die("hello");
	for (unsigned i = 0; i < count; i++)
		if (!trigger(
			fd, i, calls[i].source, calls[i].target, calls[i].descriptor, calls[i].len))
			die("odd call");
	count_answers(fd, count, &refused, &connected);
	print_answers("odd", refused, connected);
	return 0;
}

static void
throw_away(int fd, unsigned long *ret_answers)
{
	static char bytes[65536];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		*ret_answers += (unsigned long)n / (sizeof(struct header) + 32);
}

/* Calls without end; the longest that there are, or, when deaf, without hearing the answers. */
static int
agent_flood(int fd, const char *arg)
{
	static char descriptor[65000] = "test.Flood+";
	int64_t until = now_ms() + 1000 * atoi(arg);
	bool deaf = strchr(arg, 'd') != NULL, is_long = strchr(arg, 'l') != NULL;
	unsigned long answers = 0;
	unsigned count = 0;
	size_t len;

	memset(descriptor + 11, 'x', sizeof(descriptor) - 12);
	len = is_long ? sizeof(descriptor) : 12;
	descriptor[len - 1] = '\0';
	if (!shake_hands(fd))
		die("hello");
	while (now_ms() < until && trigger(fd, count++, "", "dom0", descriptor, len))
		if (!deaf)
			throw_away(fd, &answers);
	printf("flood=%u calls, %lu answers\n", count, answers);
	return 0;
}

/* The end of calls that do not exist, or that go on. */
static int
agent_lies(int fd, const char *arg)
{
	bool said = true;

	(void)arg;
	if (!shake_hands(fd))
		die("hello");
	for (uint32_t domain = 0; domain < 4; domain++)
		for (uint32_t port = FIRST_DATA_PORT; port < FIRST_DATA_PORT + 256; port++) {
			uint32_t place[2] = {domain, port};

			said = said && say_message(fd, TERMINATED, place, sizeof(place));
		}
	printf("lies=%s\n", said && !is_dropped(fd) ? "heard" : "dropped");
	return 0;
}

/* Comes and goes. */
static int
agent_flaps(int fd, const char *arg)
{
	int64_t until = now_ms() + 1000 * atoi(arg);
	unsigned count = 0;

	while (now_ms() < until && shake_hands(fd)) {
		close(fd);
		count++;
		fd = take_over();
	}
	printf("flaps=%u\n", count);
	return 0;
}

/* One call from dom0, answered as the mode says. */
static int
serve(int control, const char *arg)
{
	static const char dirty[] = "\033]0;owned\007\033[2Jdirty\r\x9b"
				    "31m\n";
	static char bytes[65536];
	struct header header;
	uint32_t place[2];
	int64_t until;
	int fd, end = -1;

	if (!shake_hands(control))
		die("hello");
	do {
		if (!hear_message(control, &header, bytes, 10000))
			die("no call");
	} while (header.type != EXEC_CMDLINE && header.type != JUST_EXEC);
	memcpy(place, bytes, sizeof(place));
	fd = broker_ask(CONNECT, place[0], place[1]);
	if (fd < 0 || broker_reply(fd, 5000, &end) < 0 || !shake_hands(end))
		die("data vchan");
	if (strcmp(arg, "dirty") == 0) {
		say_message(end, STDOUT, dirty, sizeof(dirty) - 1);
		say_message(end, STDERR, dirty, sizeof(dirty) - 1);
		say_message(end, EXIT_CODE, "\7\0\0\0", 4);
	} else if (strcmp(arg, "wrong") == 0) {
		say_message(end, EXEC_CMDLINE, "\0\0\0\0\1\2\0\0root:id", 16);
	} else if (strcmp(arg, "short") == 0) {
		say_message(end, EXIT_CODE, "\7\0", 2);
	} else if (strcmp(arg, "endless") == 0) {
		for (until = now_ms() + 3000; now_ms() < until;)
			if (!say_message(end, STDERR, bytes, sizeof(bytes)))
				break;
	} else if (strcmp(arg, "half") == 0) {
		header = (struct header){STDOUT, 1000};
		say(end, &header, sizeof(header));
	}
	usleep(200000);
	close(end);
	printf("served=%s\n", arg);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(int fd, const char *arg);
} agent_ways[] = {
    {"breaks", agent_breaks_protocol},
    {"odd", agent_odd_calls},
    {"flood", agent_flood},
    {"lies", agent_lies},
    {"flaps", agent_flaps},
    {"serve", serve},
};

/* Our starter is the agent that is about to be killed: on our own first, and outcomes to a file. */
static int
do_agent(char **argv)
{
	if (argv[1] == NULL || fork() > 0)
		return argv[1] == NULL;
	setsid();
	if (freopen("/home/user/outcome.new", "w", stdout) == NULL ||
	    freopen("/home/user/outcome.err", "w", stderr) == NULL)
		return 1;
	for (size_t i = 0; i < sizeof(agent_ways) / sizeof(agent_ways[0]); i++)
		if (strcmp(argv[0], agent_ways[i].name) == 0)
			agent_ways[i].run(take_over(), argv[1]);
	fflush(stdout);
	return rename("/home/user/outcome.new", "/home/user/outcome");
}

static const struct {
	const char *name;
	int (*run)(char **argv);
	int words;
} commands[] = {
    {"reach", do_reach, 1},
    {"fill", do_fill, 0},
    {"flood", do_flood, 1},
    {"linger", do_linger, 0},
    {"exhaust", do_exhaust, 1},
    {"plant", do_plant, 2},
    {"agent", do_agent, 2},
};

int
main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 >= commands[i].words)
			return commands[i].run(argv + 2);
	fputs("usage: hostile COMMAND...\n", stderr);
	return 2;
}
