#include "shared/orphan.h"

#include <glib.h>
#include <signal.h>

static void
on_ended(GPid pid, gint status, gpointer data)
{
	(void)status, (void)data;
	g_spawn_close_pid(pid);
}

void
orphan_leave(pid_t pid, int signal_number)
{
	if (signal_number != 0)
		kill(pid, signal_number);
	g_child_watch_add(pid, on_ended, NULL);
}
