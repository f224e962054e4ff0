#include "qubesd/guest/power.h"
#include "qubesd/guest/private.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/input.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

#define EVENTS_MAX 16 /* devices looked at */

static bool
has_power_key(int fd)
{
	unsigned char keys[KEY_MAX / 8 + 1] = {0};

	return ioctl(fd, EVIOCGBIT(EV_KEY, sizeof(keys)), keys) >= 0 &&
	       (keys[KEY_POWER / 8] & 1u << KEY_POWER % 8) != 0;
}

static void
on_key(struct keeper *keeper, int fd, void *data)
{
	struct input_event event;
	ssize_t n;

	(void)data;
	while ((n = read(fd, &event, sizeof(event))) == sizeof(event))
		if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1)
			keeper_end(keeper);
	if (n < 0 && errno == EAGAIN)
		return;
	keeper_unwatch(keeper, fd);
	close(fd);
}

int
power_watch_buttons(struct keeper *keeper)
{
	int count = 0;

	for (int i = 0; i < EVENTS_MAX; i++) {
		g_autofree char *path = g_strdup_printf("/dev/input/event%d", i);
		int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

		if (fd < 0)
			continue;
		if (has_power_key(fd) && keeper_watch(keeper, fd, on_key, NULL) == 0)
			count++;
		else
			close(fd);
	}
	return count;
}

bool
power_is_request(const char *argv0)
{
	static const char *const names[] = {"poweroff", "halt", "reboot", "shutdown", NULL};
	g_autofree char *name = g_path_get_basename(argv0);

	return g_strv_contains(names, name);
}

int
power_request(void)
{
	if (kill(1, SIGTERM) == 0)
		return 0;
	log_error("process 1 cannot be asked: %s", strerror(errno));
	return 1;
}

void
power_off(void)
{
	sync();
	private_unmount();
	mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause(); /* where there is nothing that switches off, the host kills us */
}
