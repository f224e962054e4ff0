#include "qubesd/guest/private.h"
#include "qubesd/guest/command.h"
#include "qubesd/guest/guest.h"
#include "qubesd/guest/volume.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <pwd.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLAGS (MS_NOSUID | MS_NODEV)
#define BLKID_NOTHING 2     /* exit status of blkid: no signature */
#define E2FSCK_NOT_MENDED 4 /* exit status of e2fsck from which on something is left */

/* ---- the file system ----------------------------------------------------------------------- */

static int
make_file_system(const char *device, bool for_once)
{
	const char *const look[] = {"blkid", "-p", device, NULL};
	const char *const make[] = {"mkfs.ext4", "-q", "-F", "-m", "0", "-L", "private", "-E",
	    "lazy_itable_init=1,nodiscard", "-O", for_once ? "^has_journal" : "has_journal", device,
	    NULL};
	int status = command_run(look);

	if (status != BLKID_NOTHING) {
		log_error("%s begins with zeros, but something is on it: not touched", device);
		return -EEXIST;
	}
	status = command_run(make);
	if (status != 0) {
		log_error("no file system could be made on %s (status %d)", device, status);
		return -EIO;
	}
	return 0;
}

static int
check_file_system(const char *device)
{
	const char *const check[] = {"e2fsck", "-p", device, NULL};
	int status = command_run(check);

	if (status >= 0 && status < E2FSCK_NOT_MENDED)
		return 0;
	log_error(
	    "the file system of %s is damaged: mend it with e2fsck -f (status %d)", device, status);
	return -EUCLEAN;
}

static void
grow(const char *device)
{
	const char *const resize[] = {"resize2fs", device, NULL};

	if (volume_can_grow(device) && command_run(resize) != 0)
		log_warn("the file system of %s could not be grown", device);
}

static int
mount_volume(const char *device, bool for_once)
{
	int r = volume_forget(device);

	if (r == 0)
		r = volume_is_blank(device);
	if (r < 0) {
		log_error("%s: %s", device, strerror(-r));
		return r;
	}
	r = r == 1 ? make_file_system(device, for_once) : check_file_system(device);
	if (r < 0)
		return r;
	if (mount(device, "/rw", "ext4", FLAGS, "discard") < 0) {
		r = -errno;
		log_error("%s on /rw: %s", device, strerror(-r));
		return r;
	}
	grow(device);
	return 0;
}

/* ---- what a first start makes -------------------------------------------------------------- */

static const struct {
	const char *path, *content;
	mode_t mode;
} config_files[] = {
    {"/rw/config/rc.local", "#!/bin/sh\n# Runs as root each time this qube has started.\n", 0755},
    {"/rw/config/qubes-firewall-user-script",
	"#!/bin/sh\n# Runs as root each time the rules of the firewall are set up.\n", 0755},
    {"/rw/config/suspend-module-blacklist",
	"# Modules to unload before the computer sleeps, one a line.\n", 0644},
};

static void
make_config(void)
{
	if (access("/rw/config", F_OK) == 0)
		return;
	guest_make_folder("/rw/config", 0755, 0, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(config_files); i++)
		guest_make_file(
		    config_files[i].path, config_files[i].content, config_files[i].mode, 0);
}

static void
make_local(void)
{
	const char *const copy[] = {"cp", "-a", "/usr/local.orig", "/rw/usrlocal", NULL};

	if (access("/rw/usrlocal", F_OK) == 0)
		return;
	if (access("/usr/local.orig", F_OK) != 0 || command_run(copy) != 0)
		guest_make_folder("/rw/usrlocal", 0755, 0, 0);
}

static void
give_home(const char *path, const struct passwd *account)
{
	g_autofree char *owner = g_strdup_printf("%u:%u", account->pw_uid, account->pw_gid);
	const char *const chown_all[] = {"chown", "-R", "-h", owner, path, NULL};

	if (command_run(chown_all) != 0)
		log_warn("%s could not be given to %s", path, account->pw_name);
}

/* An account's home below /home as it lies on the volume; one with another owner is given over. */
static void
make_home(const struct passwd *account)
{
	g_autofree char *path = g_strconcat("/rw", account->pw_dir, NULL);
	const char *const copy[] = {"cp", "-rT", "/etc/skel", path, NULL};
	struct stat info;

	if (lstat(path, &info) == 0) {
		if (info.st_uid != account->pw_uid)
			give_home(path, account);
		return;
	}
	if (command_run(copy) != 0)
		log_warn("%s could not be made from /etc/skel", path);
	guest_make_folder(path, 0700, account->pw_uid, account->pw_gid);
	give_home(path, account);
}

static void
make_homes(void)
{
	const struct passwd *account;

	guest_make_folder("/rw/home", 0755, 0, 0);
	setpwent();
	while ((account = getpwent()) != NULL)
		if (g_str_has_prefix(account->pw_dir, "/home/") &&
		    strstr(account->pw_dir, "..") == NULL)
			make_home(account);
	endpwent();
}

static const struct {
	const char *from, *to;
	unsigned long flags;
} binds[] = {
    {"/rw/home", "/home", FLAGS},
    {"/rw/usrlocal", "/usr/local", FLAGS},
};

static int
bind_all(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(binds); i++) {
		if (mount(binds[i].from, binds[i].to, NULL, MS_BIND, NULL) < 0 ||
		    mount(NULL, binds[i].to, NULL, MS_REMOUNT | MS_BIND | binds[i].flags, NULL) <
			0) {
			int r = -errno;

			log_error("%s on %s: %s", binds[i].from, binds[i].to, strerror(-r));
			return r;
		}
	}
	return 0;
}

int
private_mount(const char *device, bool for_once)
{
	int r;

	guest_make_folder("/rw", 0755, 0, 0);
	r = device != NULL ? mount_volume(device, for_once) : 0;
	if (r < 0)
		return r;
	make_config();
	if (device == NULL)
		return 0;
	make_local();
	make_homes();
	r = bind_all();
	if (r == 0)
		guest_make_file("/var/lib/qubes/first-boot-completed", "", 0644, 0);
	return r;
}

void
private_unmount(void)
{
	for (size_t i = G_N_ELEMENTS(binds); i > 0; i--)
		umount2(binds[i - 1].to, 0);
	if (umount2("/rw", 0) < 0 && errno == EBUSY)
		mount(NULL, "/rw", NULL, MS_REMOUNT | MS_RDONLY, NULL);
}
