#include "qubesd/sandbox/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAGE "/tmp"

/* clang-format off */
static const struct {
	const char *name;
	bool is_folder, recursive;
} parts[STAGE_PART_COUNT] = {
	[STAGE_USR]      = { "usr",      true,  true },
	[STAGE_ETC]      = { "etc",      true,  true },
	[STAGE_GUEST]    = { "guest",    true,  true },
	[STAGE_RW]       = { "rw",       true,  false },
	[STAGE_HOME]     = { "home",     true,  false },
	[STAGE_USRLOCAL] = { "usrlocal", true,  false },
	[STAGE_VCHAN]    = { "vchan",    false, false },
};
/* clang-format on */

void
stage_clear(struct stage *stage)
{
	for (size_t i = 0; i < STAGE_PART_COUNT; i++)
		g_clear_pointer(&stage->paths[i], g_free);
}

static int
make_target(const char *target, bool is_folder)
{
	int fd;

	if (is_folder)
		return mkdir(target, 0755) < 0 ? -errno : 0;
	fd = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int
bind_part(int fd, enum stage_part part)
{
	g_autofree char *source = g_strdup_printf("/proc/self/fd/%d", fd);
	g_autofree char *target = g_build_filename(STAGE, parts[part].name, NULL);
	unsigned long flags = MS_BIND | (parts[part].recursive ? MS_REC : 0);
	int r;

	r = make_target(target, parts[part].is_folder);
	if (r < 0)
		return r;
	return mount(source, target, NULL, flags, NULL) < 0 ? -errno : 0;
}

static void
close_all(const int *fds)
{
	for (size_t i = 0; i < STAGE_PART_COUNT; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int
stage_enter(struct stage *stage, enum stage_part *ret_part)
{
	int fds[STAGE_PART_COUNT];
	int r = 0;

	memset(fds, -1, sizeof(fds));
	if (unshare(CLONE_NEWNS) < 0)
		return -errno;
	/* Opened before /tmp is covered: some may lie there. */
	for (size_t i = 0; r == 0 && i < STAGE_PART_COUNT; i++) {
		fds[i] = open(stage->paths[i], O_PATH | O_CLOEXEC);
		if (fds[i] < 0) {
			r = -errno;
			*ret_part = (enum stage_part)i;
		}
	}
	if (r == 0 && (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
			  mount("tmpfs", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0))
		r = -errno;
	for (size_t i = 0; r == 0 && i < STAGE_PART_COUNT; i++) {
		r = bind_part(fds[i], (enum stage_part)i);
		if (r < 0)
			*ret_part = (enum stage_part)i;
	}
	close_all(fds);
	for (size_t i = 0; r == 0 && i < STAGE_PART_COUNT; i++) {
		stage->paths[i] = g_build_filename(STAGE, parts[i].name, NULL);
	}
	return r;
}
