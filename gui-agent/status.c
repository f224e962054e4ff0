#include "gui-agent/status.h"

#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>

#define FILE_NAME "gui-agent.status"

void
status_write(const char *word)
{
	g_autofree char *path = path_in_runtime_dir(FILE_NAME);
	g_autofree char *line = g_strconcat(word, "\n", NULL);
	g_autoptr(GError) error = NULL;

	if (!g_file_set_contents_full(path, line, -1, G_FILE_SET_CONTENTS_NONE, 0644, &error))
		log_debug("status: %s", error->message);
}

void
status_remove(void)
{
	g_autofree char *path = path_in_runtime_dir(FILE_NAME);

	(void)g_unlink(path);
}
