/*
 * bench_gui - the GUI daemon's share of the way to the screen: a window of a qube is updated, or a
 * key is pressed, and the time is taken until the pixels are on the screen; each beside an ordinary
 * client that does the same with XShmPutImage on the same server in the same run.
 *
 * Starts an Xvfb and the qubes-guid beside it; this program plays the agent over the socket transport.
 * The screen is watched by reading the last pixel of the update in a tight loop, so the CPU time of
 * the X server includes that reading, in both cases.
 */
#include "shared/gui_decode.h"
#include "shared/region.h"
#include "shared/vchan/vchan.h"

#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XShm.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DOMAIN 5
#define WIDTH 1920
#define HEIGHT 1080
#define LEFT 50
#define TOP 50
#define REGION_BYTES (64u << 20)
#define UPDATES 200
#define GIVE_UP_NS 5000000000u
#define WINDOW 7

struct bench {
	char *folder;
	pid_t server, daemon;
	Display *display;
	struct vchan *vchan;
	struct gui_reader *reader;
	uint32_t *pixels; /* of the qube: the region, from page 0 */
	XShmSegmentInfo shm;
	XImage *image; /* of the bare client */
	Window bare;
	GC gc;
	uint32_t color;
};

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
die(const char *what)
{
	fprintf(stderr, "bench_gui: %s\n", what);
	exit(1);
}

/* --- processes ---------------------------------------------------------------------------- */

static pid_t
start(char *const argv[], int pass_fd)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (pass_fd >= 0) { /* the X server tells of displays that were taken already */
		dup2(pass_fd, 3);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	}
	execvp(argv[0], argv);
	_exit(127);
}

static void
start_server(struct bench *bench)
{
	char *argv[] = {"Xvfb", "-displayfd", "3", "-screen", "0", "2200x1300x24", "-noreset",
	    "-nolisten", "tcp", "-extension", "GLX", NULL};
	char number[16] = {0};
	g_autofree char *name = NULL;
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC) < 0)
		die("pipe");
	bench->server = start(argv, pipes[1]);
	close(pipes[1]);
	for (size_t n = 0; n < sizeof(number) - 1 && strchr(number, '\n') == NULL; n++) {
		if (read(pipes[0], number + n, 1) != 1)
			die("Xvfb does not start");
	}
	close(pipes[0]);
	name = g_strdup_printf(":%d", atoi(number));
	g_setenv("DISPLAY", name, TRUE);
	bench->display = XOpenDisplay(NULL);
	if (bench->display == NULL)
		die("no display");
}

static void
start_daemon(struct bench *bench)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *folder = g_path_get_dirname(self);
	g_autofree char *program = g_build_filename(folder, "..", "bin", "qubes-guid", NULL);
	char *argv[] = {program, "-f", "-q", "-d", "5", "-N", "bench", "-c", "0x0000ff", NULL};

	bench->daemon = start(argv, -1);
}

static double
cpu_ms(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
	g_autofree char *stat = NULL;
	unsigned long user, system;
	const char *rest;

	if (!g_file_get_contents(path, &stat, NULL, NULL))
		return 0;
	rest = strrchr(stat, ')');
	if (rest == NULL || sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
				&user, &system) != 2)
		return 0;
	return (double)(user + system) * 1000 / (double)sysconf(_SC_CLK_TCK);
}

/* --- the agent ---------------------------------------------------------------------------- */

static void
send_bytes(struct bench *bench, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len > 0) {
		ssize_t n = vchan_write(bench->vchan, p, len);

		if (n < 0 && n != -EAGAIN)
			die("the daemon is gone");
		vchan_dispatch(bench->vchan);
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	vchan_drain(bench->vchan, 1000);
}

static void
send_message(struct bench *bench, uint32_t type, const void *body, size_t len)
{
	uint8_t message[1024 + 12];
	struct gui_wire_header header = {type, WINDOW, (uint32_t)len};

	if (len > sizeof(message) - sizeof(header))
		die("a long message");
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), body, len);
	send_bytes(bench, message, sizeof(header) + len);
}

/* Reads what there is, and waits for more until such a message has come. */
static void
await_message(struct bench *bench, uint32_t type)
{
	uint64_t give_up = now_ns() + GIVE_UP_NS;
	struct gui_packet packet;

	while (now_ns() < give_up) {
		struct pollfd pfd = {.fd = vchan_fd(bench->vchan), .events = POLLIN};
		size_t len;
		void *space;
		ssize_t n;

		while (gui_reader_next(bench->reader, &packet) > 0) {
			if (packet.type == type)
				return;
		}
		space = gui_reader_space(bench->reader, &len);
		n = vchan_read(bench->vchan, space, len);
		if (n > 0) {
			gui_reader_filled(bench->reader, (size_t)n);
			continue;
		}
		poll(&pfd, 1, 100);
		vchan_dispatch(bench->vchan);
	}
	die("the daemon does not answer");
}

static void
start_agent(struct bench *bench)
{
	g_autofree char *path = NULL;
	int fd;

	bench->folder = g_dir_make_tmp("bench-gui-XXXXXX", NULL);
	path = g_strdup_printf("%s/dom%d.pages", bench->folder, DOMAIN);
	g_setenv("VCHAN_SOCKET_DIR", bench->folder, TRUE);
	g_setenv("QUBES_RUNTIME_DIR", bench->folder, TRUE);
	g_unsetenv("QUBES_VCHAN");
	g_unsetenv("QUBES_REGION_DIR");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, REGION_BYTES) < 0)
		die("no region");
	bench->pixels = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (bench->pixels == MAP_FAILED)
		die("no region");
	memset(bench->pixels, 0, REGION_BYTES); /* so that no page is new while time is taken */
	g_setenv("VCHAN_DOMAIN", "5", TRUE);
	if (vchan_listen("socket", 0, GUI_PORT, 0, &bench->vchan) < 0)
		die("no vchan");
	g_setenv("VCHAN_DOMAIN", "0", TRUE);
	bench->reader = gui_reader_new(GUI_SENDER_DAEMON);
}

static void
finish_handshake(struct bench *bench)
{
	uint32_t version = GUI_VERSION_NEWEST;
	uint8_t answer[sizeof(version) + sizeof(struct gui_wire_xconf)];
	uint64_t give_up = now_ns() + GIVE_UP_NS;

	send_bytes(bench, &version, sizeof(version));
	while (!gui_reader_take(bench->reader, answer, sizeof(answer))) {
		size_t len;
		void *space = gui_reader_space(bench->reader, &len);
		ssize_t n;

		vchan_dispatch(bench->vchan);
		n = vchan_read(bench->vchan, space, len);
		if (n > 0)
			gui_reader_filled(bench->reader, (size_t)n);
		else if (now_ns() > give_up)
			die("no handshake");
		else
			g_usleep(1000);
	}
}

/* --- the two windows ---------------------------------------------------------------------- */

static void
show_qube_window(struct bench *bench)
{
	struct gui_wire_create create = {LEFT, TOP, WIDTH, HEIGHT, 0, 1};
	struct gui_wire_map map = {0, 1};
	struct gui_wire_window_dump dump = {GUI_DUMP_GRANT_REFS, WIDTH, HEIGHT, 32};
	uint32_t pages = (WIDTH * HEIGHT * 4 + 4095) / 4096;
	struct gui_wire_header header = {
	    GUI_WINDOW_DUMP, WINDOW, (uint32_t)sizeof(dump) + 4 * pages};

	send_message(bench, GUI_CREATE, &create, sizeof(create));
	send_message(bench, GUI_MAP, &map, sizeof(map));
	send_bytes(bench, &header, sizeof(header));
	send_bytes(bench, &dump, sizeof(dump));
	for (uint32_t page = 0; page < pages; page++)
		send_bytes(bench, &page, sizeof(page));
	await_message(bench, GUI_WINDOW_DUMP_ACK);
}

static void
show_bare_window(struct bench *bench)
{
	Display *display = bench->display;
	XSetWindowAttributes attributes = {.override_redirect = True};

	bench->bare = XCreateWindow(display, DefaultRootWindow(display), LEFT, TOP, WIDTH, HEIGHT,
	    0, CopyFromParent, InputOutput, CopyFromParent, CWOverrideRedirect, &attributes);
	XSelectInput(display, bench->bare, KeyPressMask);
	XMapRaised(display, bench->bare);
	bench->gc = XCreateGC(display, bench->bare, 0, NULL);
	bench->image = XShmCreateImage(
	    display, DefaultVisual(display, 0), 24, ZPixmap, NULL, &bench->shm, WIDTH, HEIGHT);
	bench->shm.shmid = shmget(IPC_PRIVATE, (size_t)WIDTH * HEIGHT * 4, IPC_CREAT | 0600);
	bench->shm.shmaddr = bench->image->data = shmat(bench->shm.shmid, NULL, 0);
	XShmAttach(display, &bench->shm);
	XSync(display, False);
	shmctl(bench->shm.shmid, IPC_RMID, NULL);
	memset(bench->image->data, 0, (size_t)WIDTH * HEIGHT * 4);
}

/* --- measuring ---------------------------------------------------------------------------- */

static void
fill(uint32_t *pixels, uint32_t color, unsigned width, unsigned height)
{
	for (unsigned y = 0; y < height; y++) {
		for (unsigned x = 0; x < width; x++)
			pixels[(size_t)y * WIDTH + x] = color;
	}
}

static void
wait_for_pixel(struct bench *bench, int x, int y, uint32_t color)
{
	uint64_t give_up = now_ns() + GIVE_UP_NS;

	for (;;) {
		XImage *image = XGetImage(bench->display, DefaultRootWindow(bench->display),
		    LEFT + x, TOP + y, 1, 1, AllPlanes, ZPixmap);
		uint32_t got = (uint32_t)XGetPixel(image, 0, 0) & 0xffffff;

		XDestroyImage(image);
		if (got == color)
			return;
		if (now_ns() > give_up)
			die("the pixels do not arrive");
	}
}

static void
update_qube(struct bench *bench, unsigned width, unsigned height)
{
	struct gui_wire_shmimage damage = {0, 0, width, height};

	send_message(bench, GUI_SHMIMAGE, &damage, sizeof(damage));
}

static void
update_bare(struct bench *bench, unsigned width, unsigned height)
{
	XShmPutImage(
	    bench->display, bench->bare, bench->gc, bench->image, 0, 0, 0, 0, width, height, False);
	XFlush(bench->display);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
print(const char *what, double *ms, unsigned count)
{
	qsort(ms, count, sizeof(*ms), compare);
	printf("%-42s p50 %8.3f ms   p95 %8.3f ms   n %u\n", what, ms[count / 2],
	    ms[count * 95 / 100], count);
	fflush(stdout);
}

static void
measure_updates(struct bench *bench, const char *what, bool qube, unsigned width, unsigned height)
{
	double ms[UPDATES];
	double server = cpu_ms(bench->server), daemon = cpu_ms(bench->daemon);

	for (unsigned i = 0; i < UPDATES; i++) {
		uint32_t color = ++bench->color & 0xffffff;
		uint64_t began;

		fill(qube ? bench->pixels : (uint32_t *)bench->image->data, color, width, height);
		began = now_ns();
		(qube ? update_qube : update_bare)(bench, width, height);
		wait_for_pixel(bench, (int)width - 1, (int)height - 1, color);
		ms[i] = (double)(now_ns() - began) / 1e6;
	}
	print(what, ms, UPDATES);
	printf("  CPU an update: Xvfb %.3f ms", (cpu_ms(bench->server) - server) / UPDATES);
	if (qube)
		printf(", qubes-guid %.3f ms", (cpu_ms(bench->daemon) - daemon) / UPDATES);
	printf("\n");
}

static void
press(struct bench *bench, KeyCode key, bool down)
{
	XTestFakeKeyEvent(bench->display, key, down, 0);
	XFlush(bench->display);
}

static void
await_key(struct bench *bench, bool qube)
{
	XEvent event;

	if (qube)
		await_message(bench, GUI_KEYPRESS);
	else
		XWindowEvent(bench->display, bench->bare, KeyPressMask, &event);
}

static void
measure_keys(struct bench *bench, bool qube)
{
	KeyCode key = XKeysymToKeycode(bench->display, XK_a);
	double there[UPDATES], back[UPDATES];

	for (unsigned i = 0; i < UPDATES; i++) {
		uint32_t color = ++bench->color & 0xffffff;
		uint64_t began = now_ns();

		press(bench, key, true);
		await_key(bench, qube);
		there[i] = (double)(now_ns() - began) / 1e6;
		fill(qube ? bench->pixels : (uint32_t *)bench->image->data, color, 100, 20);
		(qube ? update_qube : update_bare)(bench, 100, 20);
		wait_for_pixel(bench, 99, 19, color);
		back[i] = (double)(now_ns() - began) / 1e6;
		press(bench, key, false);
		if (qube)
			await_message(bench, GUI_KEYPRESS);
	}
	print(qube ? "qube: key to agent" : "bare: key to client", there, UPDATES);
	print(qube ? "qube: key to screen" : "bare: key to screen", back, UPDATES);
}

static Window
find_outer(struct bench *bench)
{
	Atom name = XInternAtom(bench->display, "_QUBES_VMNAME", False);
	Window root, parent, *children, found = None;
	unsigned count;

	XQueryTree(
	    bench->display, DefaultRootWindow(bench->display), &root, &parent, &children, &count);
	for (unsigned i = 0; i < count; i++) {
		int properties = 0;
		Atom *atoms = XListProperties(bench->display, children[i], &properties);

		for (int j = 0; j < properties; j++)
			found = atoms[j] == name ? children[i] : found;
		XFree(atoms);
	}
	XFree(children);
	return found;
}

static void
focus(struct bench *bench, Window window)
{
	XSetInputFocus(bench->display, window, RevertToNone, CurrentTime);
	XSync(bench->display, False);
}

static void
remove_folder(struct bench *bench)
{
	GDir *dir = g_dir_open(bench->folder, 0, NULL);
	const char *name;

	vchan_close(bench->vchan);
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *path = g_build_filename(bench->folder, name, NULL);

		g_unlink(path);
	}
	g_dir_close(dir);
	g_rmdir(bench->folder);
}

int
main(void)
{
	struct bench bench = {0};

	signal(SIGPIPE, SIG_IGN);
	start_agent(&bench);
	start_server(&bench);
	start_daemon(&bench);
	finish_handshake(&bench);

	show_bare_window(&bench);
	measure_updates(&bench, "bare: XShmPutImage 1920x1080", false, WIDTH, HEIGHT);
	measure_updates(&bench, "bare: XShmPutImage 100x100", false, 100, 100);
	focus(&bench, bench.bare);
	measure_keys(&bench, false);
	XDestroyWindow(bench.display, bench.bare);

	show_qube_window(&bench);
	measure_updates(&bench, "qube: SHMIMAGE 1920x1080", true, WIDTH, HEIGHT);
	measure_updates(&bench, "qube: SHMIMAGE 100x100", true, 100, 100);
	focus(&bench, find_outer(&bench));
	await_message(&bench, GUI_FOCUS);
	measure_keys(&bench, true);

	kill(bench.daemon, SIGTERM);
	waitpid(bench.daemon, NULL, 0);
	kill(bench.server, SIGTERM);
	waitpid(bench.server, NULL, 0);
	remove_folder(&bench);
	return 0;
}
