#include "shared/role.h"

#include "shared/paths.h"
#include "shared/unix_socket.h"

#include <glib.h>
#include <string.h>
#include <unistd.h>

bool
role_is_trusted_side(void)
{
	const char *forced = g_getenv("BORDURE_ROLE");
	g_autofree char *agent = path_in_runtime_dir("qrexec-agent");
	g_autofree char *qubesd = path_qubesd_socket("qubesd.sock");
	int fd;

	if (forced != NULL)
		return strcmp(forced, "trusted") == 0;
	if (g_file_test(agent, G_FILE_TEST_EXISTS))
		return false;
	fd = unix_socket_dial(qubesd, SOCK_STREAM | SOCK_NONBLOCK);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}
