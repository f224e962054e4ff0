#include "qubesd/guest/system.h"
#include "qubesd/guest/command.h"
#include "qubesd/guest/volume.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- mounts -------------------------------------------------------------------------------- */

static const struct {
	const char *target, *type, *options;
	unsigned long flags;
} mounts[] = {
    {"/proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
    {"/sys", "sysfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
    {"/dev", "devtmpfs", "mode=755", MS_NOSUID},
    {"/dev/pts", "devpts", "gid=5,mode=620,ptmxmode=666", MS_NOSUID | MS_NOEXEC},
    {"/dev/shm", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV},
    {"/run", "tmpfs", "mode=755", MS_NOSUID | MS_NODEV},
    {"/tmp", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV},
};

static const struct {
	const char *path, *target;
} links[] = {
    {"/dev/fd", "/proc/self/fd"},
    {"/dev/stdin", "/proc/self/fd/0"},
    {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"},
};

static const struct {
	const char *name, *value;
} variables[] = {
    {"PATH", "/opt/bordure/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
    {"LANG", "C.UTF-8"},
    {"QUBES_RPC_DIR", "/etc/qubes-rpc"},
};

static bool
is_mounted(const char *path)
{
	g_autofree char *parent = g_path_get_dirname(path);
	struct stat here, above;

	return stat(path, &here) == 0 && stat(parent, &above) == 0 && here.st_dev != above.st_dev;
}

void
system_mount(void)
{
	clearenv(); /* words of the kernel's command line */
	for (size_t i = 0; i < G_N_ELEMENTS(variables); i++)
		setenv(variables[i].name, variables[i].value, 1);
	for (size_t i = 0; i < G_N_ELEMENTS(mounts); i++) {
		mkdir(mounts[i].target, 0755);
		if (!is_mounted(mounts[i].target) &&
		    mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags,
			mounts[i].options) < 0)
			log_warn("%s: %s", mounts[i].target, strerror(errno));
	}
	for (size_t i = 0; i < G_N_ELEMENTS(links); i++)
		if (symlink(links[i].target, links[i].path) < 0 && errno != EEXIST)
			log_warn("%s: %s", links[i].path, strerror(errno));
	guest_make_folder("/run/lock", 01777, 0, 0);
	guest_make_folder("/run/qubes", 0775, 0, GUEST_QUBES_GROUP);
	guest_make_folder("/tmp/.X11-unix", 01777, 0, 0);
	guest_make_folder("/tmp/.ICE-unix", 01777, 0, 0);
}

void
system_open_root(void)
{
	if (mount(NULL, "/", NULL, MS_REMOUNT, NULL) < 0)
		log_warn("the root volume stays read-only: %s", strerror(errno));
}

/* ---- names --------------------------------------------------------------------------------- */

/* Binds a file with this text over one in /etc; the root volume keeps its own. */
static void
cover(const char *name, const char *text)
{
	g_autofree char *own = g_build_filename("/run/bordure", name, NULL);
	g_autofree char *path = g_build_filename("/etc", name, NULL);

	unlink(own);
	guest_make_file(own, text, 0644, 0);
	if (mount(own, path, NULL, MS_BIND, NULL) < 0)
		log_warn("%s: %s", path, strerror(errno));
}

static void
raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		log_warn("lo: %s", strerror(errno));
	request.ifr_flags |= IFF_UP;
	if (fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		log_warn("lo: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

void
system_name(const struct guest *guest)
{
	const char *name = guest->conf.name;
	g_auto(GStrv) uuid = g_strsplit(guest->conf.uuid, "-", -1);
	g_autofree char *machine = g_strjoinv("", uuid);
	g_autofree char *machine_line = g_strconcat(machine, "\n", NULL);
	g_autofree char *name_line = g_strconcat(name, "\n", NULL);
	g_autofree char *hosts = g_strdup_printf("127.0.0.1 localhost %s\n"
						 "::1 localhost ip6-localhost ip6-loopback\n",
	    name);

	if (sethostname(name, strlen(name)) < 0)
		log_warn("host name: %s", strerror(errno));
	guest_make_folder("/run/bordure", 0755, 0, 0);
	cover("hostname", name_line);
	cover("hosts", hosts);
	cover("machine-id", machine_line);
	raise_loopback();
}

/* ---- scripts of the person ----------------------------------------------------------------- */

/* Only regular files that may be executed; how they end is their own matter. */
static void
run_script(const char *path)
{
	const char *const argv[] = {path, NULL};
	struct stat info;

	if (lstat(path, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 0100) != 0)
		command_run(argv);
}

/* FOLDER.d's *.rc in the order of their names, then the script itself. */
static void
run_scripts(const char *path)
{
	g_autofree char *folder = g_strconcat(path, ".d", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	GSequence *names = g_sequence_new(g_free);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL)
		if (g_str_has_suffix(name, ".rc"))
			g_sequence_insert_sorted(names, g_build_filename(folder, name, NULL),
			    (GCompareDataFunc)(void (*)(void))strcmp, NULL);
	for (GSequenceIter *i = g_sequence_get_begin_iter(names); !g_sequence_iter_is_end(i);
	     i = g_sequence_iter_next(i))
		run_script(g_sequence_get(i));
	g_sequence_free(names);
	run_script(path);
}

void
system_run_early(void)
{
	run_scripts("/rw/config/rc.local-early");
}

static void
swap_on(const char *device)
{
	const char *const make[] = {"mkswap", "-q", device, NULL};
	const char *const use[] = {"swapon", device, NULL};

	if (volume_forget(device) < 0 || command_run(make) != 0 || command_run(use) != 0)
		log_warn("no swap on %s", device);
}

void
system_run_late(const char *volatile_device)
{
	pid_t pid = fork();

	if (pid < 0)
		log_warn("scripts of the qube: %s", strerror(errno));
	if (pid != 0)
		return;
	setsid();
	if (volatile_device != NULL)
		swap_on(volatile_device);
	run_scripts("/rw/config/rc.local");
	_exit(0);
}
