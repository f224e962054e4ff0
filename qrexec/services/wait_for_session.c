/*
 * wait-for-session - the service qubes.WaitForSession: ends when the user's session is there.
 *
 * The sign is the socket of the session's fork server. A qube without a GUI domain has no session
 * to wait for, and on the trusted side nothing is waited for either.
 */
#include "shared/guest_conf.h"
#include "shared/paths.h"
#include "shared/role.h"

#include <glib.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 1000 /* should a watch be missing, or the folder be made later */

/* Whose session, NULL when there will be none. */
static char *
session_user(void)
{
	g_autofree char *path = path_in_runtime_dir("guest.conf");
	g_autofree char *text = NULL;
	struct guest_conf conf;
	unsigned line;
	gsize len;

	if (!g_file_get_contents(path, &text, &len, NULL) ||
	    guest_conf_parse(text, len, &conf, &line) < 0)
		return g_strdup("user"); /* a qube that somebody else made */
	return conf.gui_domain != -1 || guest_conf_has_service(&conf, "guivm")
		   ? g_strdup(conf.default_user)
		   : NULL;
}

static void
wait_for_file(const char *path)
{
	g_autofree char *folder = g_path_get_dirname(path);
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	inotify_add_watch(fd, folder, IN_CREATE | IN_MOVED_TO);
	while (!g_file_test(path, G_FILE_TEST_EXISTS)) {
		struct pollfd pollfd = {.fd = fd, .events = POLLIN};
		char events[4096];

		if (poll(&pollfd, 1, LOOK_AGAIN_MS) > 0 && read(fd, events, sizeof(events)) < 0)
			continue;
	}
	close(fd);
}

int
main(int argc, char **argv)
{
	g_autofree char *user = NULL;
	g_autofree char *name = NULL;
	g_autofree char *path = NULL;

	if (argc > 1 && argv[1][0] != '\0') {
		fputs("qubes.WaitForSession takes no argument\n", stderr);
		return 0;
	}
	if (role_is_trusted_side())
		return 0;
	user = session_user();
	if (user == NULL)
		return 0;
	name = g_strdup_printf("qrexec-server.%s.sock", user);
	path = path_in_runtime_dir(name);
	wait_for_file(path);
	return 0;
}
