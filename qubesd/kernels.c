#include "qubesd/kernels.h"

#include "qubesd/qubes_app.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#define OPTIONS_FILE "default-kernelopts-nopci.txt"
#define COMMON_OPTIONS_FILE "default-kernelopts-common.txt"

struct kernels {
	char *dir;               /* owned; the folder that newest was read from */
	struct timespec changed; /* its time of change then */
	char *newest;            /* owned */
};

struct kernels *
kernels_new(void)
{
	struct kernels *kernels = g_new0(struct kernels, 1);

	kernels->newest = g_strdup("");
	return kernels;
}

void
kernels_free(struct kernels *kernels)
{
	if (kernels == NULL)
		return;
	g_free(kernels->dir);
	g_free(kernels->newest);
	g_free(kernels);
}

/* The folder of the kernel pool; borrowed, NULL when there is none. */
static const char *
kernel_dir(struct qubes_app *app)
{
	g_autofree char *name = qubes_app_string(app, GLOBAL_DEFAULT_POOL_KERNEL);
	const struct pool *pool = qubes_app_pool(app, name);

	return pool != NULL ? pool_get(pool, "dir_path") : NULL;
}

static bool
has_kernel(const char *dir, const char *version)
{
	g_autofree char *path = NULL;

	if (version[0] == '\0' || version[0] == '.' || strchr(version, '/') != NULL)
		return false;
	path = g_build_filename(dir, version, "vmlinuz", NULL);
	return g_file_test(path, G_FILE_TEST_IS_REGULAR);
}

bool
kernels_has(struct qubes_app *app, const char *version)
{
	const char *dir = kernel_dir(app);

	return dir != NULL && has_kernel(dir, version);
}

static char *
find_newest(const char *dir)
{
	g_autoptr(GDir) handle = g_dir_open(dir, 0, NULL);
	const char *name;
	char *newest = g_strdup("");

	while (handle != NULL && (name = g_dir_read_name(handle)) != NULL) {
		if (!has_kernel(dir, name) || strverscmp(name, newest) <= 0)
			continue;
		g_free(newest);
		newest = g_strdup(name);
	}
	return newest;
}

const char *
kernels_newest(struct qubes_app *app)
{
	struct kernels *kernels = qubes_app_kernels(app);
	const char *dir = kernel_dir(app);
	struct stat now;

	if (dir == NULL || stat(dir, &now) < 0)
		return "";
	if (g_strcmp0(kernels->dir, dir) == 0 &&
	    memcmp(&kernels->changed, &now.st_mtim, sizeof(now.st_mtim)) == 0)
		return kernels->newest;

	g_free(kernels->dir);
	g_free(kernels->newest);
	kernels->dir = g_strdup(dir);
	kernels->changed = now.st_mtim;
	kernels->newest = find_newest(dir);
	return kernels->newest;
}

char *
kernels_file(struct qubes_app *app, const char *version, const char *name)
{
	const char *dir = kernel_dir(app);
	char *path;

	if (dir == NULL || !has_kernel(dir, version))
		return NULL;
	path = g_build_filename(dir, version, name, NULL);
	if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
		g_clear_pointer(&path, g_free);
	return path;
}

static char *
read_line(struct qubes_app *app, const char *version, const char *name)
{
	g_autofree char *path = kernels_file(app, version, name);
	char *text;

	if (path == NULL || !g_file_get_contents(path, &text, NULL, NULL))
		return NULL;
	return g_strstrip(text);
}

char *
kernels_common_options(struct qubes_app *app, const char *version)
{
	return read_line(app, version, COMMON_OPTIONS_FILE);
}

char *
kernels_default_options(struct qubes_app *app, const char *version)
{
	return read_line(app, version, OPTIONS_FILE);
}
