#include "qubesd/pool.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* clang-format off */
static const char *const file_parameters[] = {
	"dir_path*", "revisions_to_keep", "ephemeral_volatile", NULL };
static const char *const reflink_parameters[] = {
	"dir_path*", "setup_check", "revisions_to_keep", "ephemeral_volatile", NULL };
static const char *const kernel_parameters[] = { "dir_path*", NULL };

const struct pool_driver pool_drivers[] = {
	{ "file",         file_parameters },
	{ "file-reflink", reflink_parameters },
	{ "linux-kernel", kernel_parameters },
};
/* clang-format on */
const size_t pool_driver_count = G_N_ELEMENTS(pool_drivers);

struct pool *
pool_new(const char *name, const char *driver)
{
	struct pool *pool = g_new0(struct pool, 1);

	pool->name = g_strdup(name);
	pool->driver = g_strdup(driver);
	pool->config = g_ptr_array_new_with_free_func(g_free);
	return pool;
}

void
pool_set(struct pool *pool, const char *key, const char *value)
{
	g_ptr_array_add(pool->config, g_strdup(key));
	g_ptr_array_add(pool->config, g_strdup(value));
}

const char *
pool_get(const struct pool *pool, const char *key)
{
	for (guint i = 0; i + 1 < pool->config->len; i += 2) {
		if (strcmp(pool->config->pdata[i], key) == 0)
			return pool->config->pdata[i + 1];
	}
	return NULL;
}

void
pool_free(struct pool *pool)
{
	if (pool == NULL)
		return;
	g_free(pool->name);
	g_free(pool->driver);
	g_ptr_array_unref(pool->config);
	g_free(pool);
}

/* A file without a name in the folder; -1 when there can be none. */
static int
open_nameless(const char *dir)
{
	return open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

const char *
pool_file_driver(const char *dir)
{
	int from = open_nameless(dir), to = open_nameless(dir);
	bool shares =
	    from >= 0 && to >= 0 && write(from, "", 1) == 1 && ioctl(to, FICLONE, from) == 0;

	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return shares ? "file-reflink" : "file";
}
