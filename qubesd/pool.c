#include "qubesd/pool.h"

#include "qubesd/storage/copy.h"

#include <string.h>

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
	for (guint i = 0; i + 1 < pool->config->len; i += 2) {
		if (strcmp(pool->config->pdata[i], key) == 0) {
			g_free(pool->config->pdata[i + 1]);
			pool->config->pdata[i + 1] = g_strdup(value);
			return;
		}
	}
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

const char *
pool_file_driver(const char *dir)
{
	return copy_can_share(dir) ? "file-reflink" : "file";
}
