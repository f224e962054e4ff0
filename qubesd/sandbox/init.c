/*
 * bordure-init - process 1 of a sandbox.
 *
 * It runs inside: as the inside root where there is one (guest.conf: privileged=1), else as the
 * user, like everything else there. It holds no secret and no right that the qube should not have;
 * what keeps the qube in is around it and was there before it. Its work: make the folders that a
 * guest expects (docs/sandbox.md), keep the agents running, reap, and end in order on SIGTERM.
 */
#include "qubesd/guest/guest.h"
#include "qubesd/guest/keeper.h"
#include "shared/log.h"

#include <dirent.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Tells the host that the sandbox stands: one byte. */
static void
say_ready(int argc, char **argv)
{
	guint64 fd;

	if (argc != 3 || strcmp(argv[1], "--ready-fd") != 0 ||
	    !g_ascii_string_to_unsigned(argv[2], 10, 3, 1024, &fd, NULL))
		return;
	if (write((int)fd, "+", 1) != 1)
		log_warn("the host does not listen");
}

/* Nothing of what made the sandbox is handed on. */
static void
close_inherited(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		int fd = atoi(entry->d_name);

		if (fd > STDERR_FILENO && fd != dirfd(dir))
			close(fd);
	}
	if (dir != NULL)
		closedir(dir);
}

int
main(int argc, char **argv)
{
	struct guest guest;
	struct keeper keeper;

	log_init("bordure-init");
	umask(0022);
	if (getpid() != 1) {
		log_error("this is process 1 of a sandbox, not a program to start by hand");
		return 2;
	}
	say_ready(argc, argv);
	close_inherited();
	if (keeper_init(&keeper) < 0 || guest_load(&guest) < 0)
		return 1;
	log_set_debug(guest.conf.debug);
	guest_make_folders(&guest);
	agents_add_all(&keeper.agents, &guest.conf, &guest.user, keeper_now_ms());
	keeper_run(&keeper);
	guest_clear(&guest);
	return 0;
}
