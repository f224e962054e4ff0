/* Methods about pools and classes of devices: what there is, for now. */
#include "qubesd/admin.h"
#include "qubesd/admin_methods.h"
#include "qubesd/storage/driver.h"

#include <string.h>
#include <sys/statvfs.h>

void
admin_device_class_list(struct admin_call *call)
{
	admin_call_reply(call, "block\nmic\npci\nusb\n");
}

void
admin_pool_list(struct admin_call *call)
{
	const GPtrArray *pools = qubes_app_pools(admin_call_app(call));
	g_autoptr(GString) lines = g_string_new(NULL);

	for (guint i = 0; i < pools->len; i++)
		g_string_append_printf(lines, "%s\n", ((const struct pool *)pools->pdata[i])->name);
	admin_call_reply(call, lines->str);
}

void
admin_pool_list_drivers(struct admin_call *call)
{
	g_autoptr(GString) lines = g_string_new(NULL);

	for (size_t i = 0; volume_drivers[i] != NULL; i++) {
		const struct volume_driver *driver = volume_drivers[i];

		g_string_append(lines, driver->name);
		for (const char *const *name = driver->parameters; *name != NULL; name++)
			g_string_append_printf(lines, " %.*s", (int)strcspn(*name, "*"), *name);
		g_string_append_c(lines, '\n');
	}
	admin_call_reply(call, lines->str);
}

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
append_sizes(GString *lines, const struct pool *pool)
{
	const char *dir = pool_get(pool, "dir_path");
	struct statvfs status;

	if (strcmp(pool->driver, "linux-kernel") == 0 || dir == NULL || statvfs(dir, &status) < 0)
		return;
	g_string_append_printf(lines, "size=%" G_GUINT64_FORMAT "\nusage=%" G_GUINT64_FORMAT "\n",
	    (guint64)status.f_blocks * status.f_frsize,
	    (guint64)(status.f_blocks - status.f_bfree) * status.f_frsize);
}

void
admin_pool_info(struct admin_call *call)
{
	const struct pool *pool = qubes_app_pool(admin_call_app(call), admin_call_arg(call));
	g_autoptr(GPtrArray) config = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GString) lines = g_string_new(NULL);

	if (pool == NULL) {
		admin_call_fail_with(
		    call, "PermissionDenied", "The argument is not one of the pools");
		return;
	}
	g_ptr_array_add(config, g_strdup_printf("driver=%s\n", pool->driver));
	g_ptr_array_add(config, g_strdup_printf("name=%s\n", pool->name));
	for (guint i = 0; i + 1 < pool->config->len; i += 2)
		g_ptr_array_add(
		    config, g_strdup_printf("%s=%s\n", (const char *)pool->config->pdata[i],
				(const char *)pool->config->pdata[i + 1]));
	g_ptr_array_sort(config, compare_lines);
	for (guint i = 0; i < config->len; i++)
		g_string_append(lines, config->pdata[i]);
	append_sizes(lines, pool);
	admin_call_reply(call, lines->str);
}
