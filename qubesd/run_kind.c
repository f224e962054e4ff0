#include "qubesd/run_kind.h"

#include "shared/paths.h"

#include <errno.h>
#include <glib.h>
#include <unistd.h>

static char *
path_of(const char *uuid)
{
	g_autofree char *name = g_strconcat("kind-", uuid, NULL);

	return path_in_runtime_dir(name);
}

int
run_kind_write(const char *uuid, const char *kind)
{
	g_autofree char *path = path_of(uuid);
	g_autofree char *text = g_strconcat(kind, "\n", NULL);
	g_autoptr(GError) error = NULL;

	if (g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
		return 0;
	return error->code == G_FILE_ERROR_NOSPC ? -ENOSPC : -EIO;
}

char *
run_kind_read(const char *uuid)
{
	g_autofree char *path = path_of(uuid);
	char *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return NULL;
	return g_strchomp(text);
}

void
run_kind_remove(const char *uuid)
{
	g_autofree char *path = path_of(uuid);

	unlink(path);
}
