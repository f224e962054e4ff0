/*
 * bordure-machine-init - process 1 of a qube that is a virtual machine.
 *
 * /sbin/init of the guest image; /sbin/poweroff and its like are the same program. In this order:
 * the mounts that every program expects; on QEMU the guest's broker, which brings guest.conf from
 * the host, on Xen guest.conf from the kernel's command line; only then everything that depends on
 * who this qube is, because a machine that waits for guest.conf may be saved, and many qubes be
 * made of it: random numbers and the clock first, then the root volume is opened for writing, the
 * private volume, the memory region; then the agents, as in a sandbox.
 *
 * Each step leaves a line "bordure: STEP at SECONDS" on the console. A step without which the qube
 * is of no use says what failed and switches the machine off.
 *
 * Trust: everything here belongs to the qube. The host believes nothing that it says.
 */
#include "qubesd/guest/command.h"
#include "qubesd/guest/devices.h"
#include "qubesd/guest/fresh.h"
#include "qubesd/guest/guest.h"
#include "qubesd/guest/keeper.h"
#include "qubesd/guest/power.h"
#include "qubesd/guest/private.h"
#include "qubesd/guest/system.h"
#include "qubesd/guest/volume.h"
#include "qubesd/guest/xen.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SYS "/sys"
#define PORT_WAIT_MS 10000
#define REGION_WAIT_MS 2000 /* a restored machine gets it when it goes on */
#define REST_WAIT_MS 3000
#define FAILURE_S 3 /* for the console to be read */
#define BROKER "/opt/bordure/bin/vchan-broker"

/* Between us and the guest's broker; nobody but root can look into it. */
#define HOST_FOLDER "/run/bordure/host"
#define HOST_CONF HOST_FOLDER "/guest.conf" /* as the host sent it, with time and seed */
#define HOST_REGION HOST_FOLDER "/region"   /* a link to the device's memory, once it is there */

struct machine {
	struct keeper keeper;
	struct guest guest;
	char *port;                  /* owned; NULL: there is none, this is Xen */
	char *ready_fd;              /* owned; the number of the broker's end, in decimal */
	int ready[2];                /* pipe: the broker says each time that guest.conf has come */
	const char *broker_argv[10]; /* borrowed from the above */
	bool configured;
};

/* ---- the console --------------------------------------------------------------------------- */

/* One write, so that the line stays whole. */
static void
milestone(const char *what)
{
	struct timespec up;
	char line[256];
	int len;

	clock_gettime(CLOCK_BOOTTIME, &up);
	len = snprintf(line, sizeof(line), "bordure: %s at %ld.%02ld\n", what, (long)up.tv_sec,
	    up.tv_nsec / 10000000);
	if (len > 0 && (size_t)len < sizeof(line))
		(void)!write(STDERR_FILENO, line, (size_t)len);
}

static void fail(const char *what) __attribute__((noreturn));

static void
fail(const char *what)
{
	g_autofree char *line = g_strdup_printf("cannot start: %s", what);

	milestone(line);
	sleep(FAILURE_S);
	power_off();
}

/* Input from nowhere, output to the console, whatever the starter left open. */
static void
open_console(void)
{
	int null = open("/dev/null", O_RDONLY);
	int console = open("/dev/console", O_WRONLY | O_NOCTTY);

	if (null >= 0)
		dup2(null, STDIN_FILENO);
	if (console >= 0) {
		dup2(console, STDOUT_FILENO);
		dup2(console, STDERR_FILENO);
	}
	if (null > STDERR_FILENO)
		close(null);
	if (console > STDERR_FILENO)
		close(console);
}

/* ---- volumes ------------------------------------------------------------------------------- */

static char *
find_volume(const char *name)
{
	char *device = NULL;

	return devices_find_volume(SYS, name, &device) == 0 ? device : NULL;
}

/* The root is not for ever as large as its image was. */
static void
grow_root(void)
{
	g_autofree char *device = find_volume("root");
	const char *const resize[] = {"resize2fs", device, NULL};

	if (device != NULL && volume_can_grow(device) && command_run(resize) != 0)
		log_warn("the file system of the root volume could not be grown");
}

/* Modules of a kernel that the image does not know come on a volume of their own. */
static void
mount_modules(void)
{
	g_autofree char *device = find_volume("kernel");
	g_autofree char *folder = NULL;
	struct utsname kernel;

	uname(&kernel);
	folder = g_build_filename("/usr/lib/modules", kernel.release, NULL);
	if (access(folder, F_OK) == 0)
		return;
	if (device == NULL)
		log_warn("there are no modules of kernel %s", kernel.release);
	else if (mount(device, "/usr/lib/modules", "ext4", MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) <
		 0)
		log_warn("%s on /usr/lib/modules: %s", device, strerror(errno));
}

static void
load_modules(void)
{
	/* The power button; on QEMU entropy, and how it hears of a panic. Nothing else is there
	 * that finds drivers. */
	const char *const modprobe[] = {
	    "modprobe", "-a", "-q", "button", "evdev", "virtio_rng", "pvpanic-mmio", NULL};

	command_run(modprobe); /* a kernel may have them built in, or not at all */
}

/* ---- devices that appear ------------------------------------------------------------------- */

static int
find_port(char **ret)
{
	return devices_find_port(SYS, DEVICES_PORT_NAME, ret);
}

static int
find_region(char **ret)
{
	return devices_find_region(SYS, ret);
}

/* Returns 0, or -ENODEV when it has not come in time. */
static int
wait_for_device(int (*find)(char **ret), int wait_ms, char **ret)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	int64_t until = keeper_now_ms() + wait_ms;
	int r;

	while ((r = find(ret)) < 0 && keeper_now_ms() < until)
		nanosleep(&pause, NULL);
	return r;
}

/* For the guest's broker, which opens it when the first program asks. */
static void
link_region(void)
{
	g_autofree char *region = NULL;

	if (wait_for_device(find_region, REGION_WAIT_MS, &region) < 0)
		log_warn("there is no memory region: windows will have no content");
	else if (symlink(region, HOST_REGION) < 0)
		log_warn("%s: %s", HOST_REGION, strerror(errno));
}

/* ---- from here on we know who we are ------------------------------------------------------- */

static void
configure(struct machine *machine)
{
	struct guest *guest = &machine->guest;
	g_autofree char *private = NULL;
	g_autofree char *scratch = NULL;

	if (machine->configured)
		return;
	if (guest_load(guest) < 0)
		fail("guest.conf is not there or makes no sense");
	milestone("guest.conf");
	machine->configured = true;
	guest->conf.privileged = true; /* a machine has a root of its own */
	log_set_debug(guest->conf.debug);
	system_open_root();
	system_name(guest);
	private = find_volume("private");
	scratch = find_volume("volatile");
	grow_root();
	if (private_mount(private, strcmp(guest->conf.type, "DispVM") == 0) < 0)
		fail("no private volume");
	milestone("private");
	guest_make_folders(guest);
	system_run_early();
	if (machine->port != NULL)
		link_region();
	agents_add_all(&machine->keeper.agents, &guest->conf, &guest->user, keeper_now_ms());
	milestone("agents");
	system_run_late(scratch);
}

/* ---- QEMU ---------------------------------------------------------------------------------- */

/* Random numbers and the time come first; then others may read the rest. */
static int
take_conf(void)
{
	struct guest_conf_fresh fresh;
	g_autofree char *text = NULL;
	int r = fresh_take(HOST_CONF, &fresh, &text);

	if (r < 0)
		return r;
	r = fresh.has_seed ? fresh_use(&fresh) : -ENODATA;
	explicit_bzero(&fresh, sizeof(fresh));
	return r < 0 ? r : guest_save_conf(text);
}

/* A session with the host has begun: the first, or one after a restart of either broker. */
static void
on_ready(struct keeper *keeper, int fd, void *data)
{
	struct machine *machine = data;
	char bytes[64];
	int r;

	(void)keeper;
	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
	r = take_conf();
	if (machine->configured && r == -ENOENT)
		return; /* two sessions, and the text of the second was taken for the first */
	if (r < 0)
		log_error("what the host sent: %s", strerror(-r));
	if (r < 0 && !machine->configured)
		fail("guest.conf or the random numbers from the host cannot be used");
	configure(machine);
}

static void
add_broker(struct machine *machine)
{
	const char **argv = machine->broker_argv;

	*argv++ = BROKER;
	*argv++ = "--machine-port";
	*argv++ = machine->port;
	*argv++ = "--region";
	*argv++ = HOST_REGION;
	*argv++ = "--conf";
	*argv++ = HOST_CONF;
	*argv++ = "--ready-fd";
	*argv = machine->ready_fd;
	agents_add(&machine->keeper.agents, machine->broker_argv, NULL, machine->ready[1],
	    keeper_now_ms());
}

static void
begin_qemu(struct machine *machine)
{
	if (wait_for_device(find_port, PORT_WAIT_MS, &machine->port) < 0)
		fail("no virtio-serial port " DEVICES_PORT_NAME);
	guest_make_folder("/run/bordure", 0755, 0, 0);
	guest_make_folder(HOST_FOLDER, 0700, 0, 0);
	if (pipe2(machine->ready, O_CLOEXEC | O_NONBLOCK) < 0)
		fail("no pipe");
	machine->ready_fd = g_strdup_printf("%d", machine->ready[1]);
	keeper_watch(&machine->keeper, machine->ready[0], on_ready, machine);
	add_broker(machine);
	milestone("waiting");
}

/* ---- Xen ----------------------------------------------------------------------------------- */

static void
begin_xen(struct machine *machine)
{
	setenv("QUBES_VCHAN", "xen", 1);
	xen_open_devices();
	if (xen_write_conf() < 0)
		fail("no guest.conf");
	configure(machine);
}

/* ---- the end ------------------------------------------------------------------------------- */

/* What was killed holds its files a moment longer, and with them the volumes. */
static void
wait_for_rest(void)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	int64_t until = keeper_now_ms() + REST_WAIT_MS;

	while (waitpid(-1, NULL, WNOHANG) >= 0 && keeper_now_ms() < until)
		nanosleep(&pause, NULL);
}

/* ---- main ---------------------------------------------------------------------------------- */

static void
run(struct machine *machine)
{
	open_console();
	system_mount();
	milestone("init");
	if (keeper_init(&machine->keeper) < 0)
		fail("no signals");
	mount_modules();
	load_modules();
	if (power_watch_buttons(&machine->keeper) == 0)
		log_info("there is no power button");
	if (devices_on_xen(SYS))
		begin_xen(machine);
	else
		begin_qemu(machine);
	keeper_run(&machine->keeper);
	wait_for_rest();
	milestone("end");
}

int
main(int argc, char **argv)
{
	static struct machine machine;

	log_init("bordure-machine-init");
	umask(0022);
	if (argc > 0 && power_is_request(argv[0]))
		return power_request();
	if (getpid() != 1) {
		log_error("this is process 1 of a machine, not a program to start by hand");
		return 2;
	}
	run(&machine);
	power_off();
}
