/*
 * Methods about pools, and the classes of devices. Where a pool lies on the disk is for dom0 to say:
 * whoever could choose it would choose which files the daemon writes.
 */
#include "qubesd/admin.h"
#include "qubesd/admin_decode.h"
#include "qubesd/admin_methods.h"
#include "qubesd/grammar.h"
#include "qubesd/pool_decode.h"
#include "qubesd/storage/storage.h"
#include "qubesd/storage/volume.h"
#include "shared/log.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>

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

/* What is known of a pool before its file system has been asked, which may take its time. */
struct looking {
	struct admin_call *call;
	GString *lines; /* owned */
};

static void
on_sizes(struct volume_job *job, void *data)
{
	struct looking *looking = data;

	if (job->result == 0)
		g_string_append_printf(looking->lines,
		    "size=%" G_GUINT64_FORMAT "\nusage=%" G_GUINT64_FORMAT "\n", job->status.size,
		    job->status.usage);
	admin_call_reply(looking->call, looking->lines->str);
	g_string_free(looking->lines, TRUE);
	g_free(looking);
}

/* Takes lines over. */
static void
reply_with_sizes(struct admin_call *call, const struct pool *pool, GString *lines)
{
	const struct volume_driver *driver = volume_driver_find(pool->driver);
	const char *dir = pool_get(pool, "dir_path");
	struct volume_image *image;
	struct looking *looking;

	if (driver == NULL || driver->pool_status == NULL || dir == NULL) {
		admin_call_reply(call, lines->str);
		g_string_free(lines, TRUE);
		return;
	}
	image = g_new0(struct volume_image, 1);
	image->dir = g_strdup(dir);
	looking = g_new0(struct looking, 1);
	looking->call = call;
	looking->lines = lines;
	storage_run(qubes_app_storage(admin_call_app(call)),
	    volume_job_new(driver, VOLUME_POOL_STATUS, pool->name, image), on_sizes, looking);
}

void
admin_pool_info(struct admin_call *call)
{
	const struct pool *pool = qubes_app_pool(admin_call_app(call), admin_call_arg(call));
	g_autoptr(GPtrArray) config = g_ptr_array_new_with_free_func(g_free);
	GString *lines;

	if (pool == NULL) {
		admin_call_fail_with(
		    call, "PermissionDenied", "The argument is not one of the pools");
		return;
	}
	g_ptr_array_add(config, g_strdup_printf("driver=%s\n", pool->driver));
	g_ptr_array_add(config, g_strdup_printf("name=%s\n", pool->name));
	for (guint i = 0; i + 1 < pool->config->len; i += 2) {
		/* Nobody else has a use for paths of dom0. */
		if (!domain_is_dom0(admin_call_source(call)) &&
		    strcmp(pool->config->pdata[i], "dir_path") == 0)
			continue;
		g_ptr_array_add(
		    config, g_strdup_printf("%s=%s\n", (const char *)pool->config->pdata[i],
				(const char *)pool->config->pdata[i + 1]));
	}
	g_ptr_array_sort(config, compare_lines);
	lines = g_string_new(NULL);
	for (guint i = 0; i < config->len; i++)
		g_string_append(lines, config->pdata[i]);
	reply_with_sizes(call, pool, lines);
}

/* The pool that the argument names; NULL: the call has been refused. */
static const struct pool *
find_pool(struct admin_call *call)
{
	const struct pool *pool = qubes_app_pool(admin_call_app(call), admin_call_arg(call));

	if (pool == NULL)
		admin_call_fail_with(
		    call, "PermissionDenied", "The argument is not one of the pools");
	return pool;
}

typedef bool (*volume_func)(const struct volume *volume, void *data);

/* False as soon as func says so. */
static bool
each_volume(const struct qubes_app *app, const char *pool, volume_func func, void *data)
{
	const GPtrArray *domains = qubes_app_domains(app);

	for (guint i = 0; i < domains->len; i++) {
		const GPtrArray *volumes = domain_volumes(domains->pdata[i]);

		for (guint k = 0; k < volumes->len; k++) {
			const struct volume *volume = volumes->pdata[k];

			if (strcmp(volume->pool, pool) == 0 && !func(volume, data))
				return false;
		}
	}
	return true;
}

static bool
append_vid(const struct volume *volume, void *data)
{
	if (volume->vid != NULL && volume->vid[0] != '\0')
		g_string_append_printf(data, "%s\n", volume->vid);
	return true;
}

void
admin_pool_volume_list(struct admin_call *call)
{
	const struct pool *pool = find_pool(call);
	g_autoptr(GString) lines = g_string_new(NULL);

	if (pool == NULL)
		return;
	each_volume(admin_call_app(call), pool->name, append_vid, lines);
	admin_call_reply(call, lines->str);
}

/* --- adding --------------------------------------------------------------------------------- */

/* A pool whose folder is being looked at. */
struct adding {
	struct admin_call *call;
	struct pool *pool; /* owned until it becomes the app's */
	char *error;       /* owned; a sentence */
};

static void
look_at_folder(GTask *task, void *source, void *data, GCancellable *cancellable)
{
	struct adding *adding = data;
	const char *dir = pool_get(adding->pool, "dir_path");
	const char *check = pool_get(adding->pool, "setup_check");
	bool wanted = true;

	(void)source, (void)cancellable;
	if (check != NULL)
		grammar_parse_bool(check, &wanted);
	if (g_mkdir_with_parents(dir, 0711) < 0)
		adding->error = g_strdup_printf("The folder cannot be used: %s", strerror(errno));
	else if (wanted && strcmp(adding->pool->driver, "file-reflink") == 0 &&
		 !copy_can_share(dir))
		adding->error = g_strdup("The file system there cannot share blocks between files: "
					 "use the driver file, or setup_check=False");
	g_task_return_boolean(task, TRUE);
}

static void
on_looked(GObject *source, GAsyncResult *result, void *data)
{
	struct adding *adding = data;
	struct qubes_app *app = admin_call_app(adding->call);

	(void)source, (void)result;
	if (adding->error != NULL) {
		admin_call_fail_with(adding->call, "StoragePoolException", "%s", adding->error);
	} else if (qubes_app_pool(app, adding->pool->name) != NULL) {
		admin_call_fail_with(
		    adding->call, "QubesPoolInUseError", "A pool of that name exists");
	} else {
		qubes_app_new_pool(app, g_steal_pointer(&adding->pool));
		admin_call_commit(adding->call, NULL);
	}
	pool_free(adding->pool);
	g_free(adding->error);
	g_free(adding);
}

void
admin_pool_add(struct admin_call *call)
{
	const struct volume_driver *driver = volume_driver_find(admin_call_arg(call));
	struct admin_error error = {0};
	struct adding *adding;
	struct pool *pool;
	GTask *task;

	if (driver == NULL) {
		admin_call_fail_with(
		    call, "PermissionDenied", "The argument is not one of the drivers");
		return;
	}
	pool = pool_decode_add(admin_call_payload(call), driver, &error);
	if (pool == NULL) {
		admin_call_fail(call, &error);
		return;
	}
	if (!domain_is_dom0(admin_call_source(call))) {
		pool_free(pool);
		admin_call_fail_with(
		    call, "PermissionDenied", "Only dom0 may say where a pool lies");
		return;
	}
	if (qubes_app_pool(admin_call_app(call), pool->name) != NULL) {
		pool_free(pool);
		admin_call_fail_with(call, "QubesPoolInUseError", "A pool of that name exists");
		return;
	}
	adding = g_new0(struct adding, 1);
	adding->call = call;
	adding->pool = pool;
	task = g_task_new(NULL, NULL, on_looked, adding);
	g_task_set_task_data(task, adding, NULL);
	g_task_run_in_thread(task, look_at_folder);
	g_object_unref(task);
}

/* --- removing and setting ------------------------------------------------------------------- */

static bool
is_no_volume(const struct volume *volume, void *data)
{
	(void)volume, (void)data;
	return false;
}

static bool
is_default(const struct qubes_app *app, const char *name)
{
	static const enum global_property_id defaults[] = {GLOBAL_DEFAULT_POOL,
	    GLOBAL_DEFAULT_POOL_KERNEL, GLOBAL_DEFAULT_POOL_PRIVATE, GLOBAL_DEFAULT_POOL_ROOT,
	    GLOBAL_DEFAULT_POOL_VOLATILE};

	for (size_t i = 0; i < G_N_ELEMENTS(defaults); i++) {
		g_autofree char *value = qubes_app_string(app, defaults[i]);

		if (strcmp(value, name) == 0)
			return true;
	}
	return false;
}

void
admin_pool_remove(struct admin_call *call)
{
	struct qubes_app *app = admin_call_app(call);
	const struct pool *pool = find_pool(call);

	if (pool == NULL)
		return;
	if (!each_volume(app, pool->name, is_no_volume, NULL)) {
		admin_call_fail_with(call, "QubesPoolInUseError", "The pool holds volumes");
		return;
	}
	if (is_default(app, pool->name)) {
		admin_call_fail_with(
		    call, "QubesPoolInUseError", "The pool is the default of new volumes");
		return;
	}
	qubes_app_remove_pool(app, pool);
	admin_call_commit(call, NULL);
}

void
admin_pool_set_revisions(struct admin_call *call)
{
	const struct pool *pool;
	g_autofree char *text = NULL;
	int revisions;

	if (!volume_decode_revisions(admin_call_payload(call), &revisions)) {
		admin_call_fail_with(call, "ProtocolError", "Not a number of revisions");
		return;
	}
	pool = find_pool(call);
	if (pool == NULL)
		return;
	if (strcmp(pool->driver, "linux-kernel") == 0 ||
	    (strcmp(pool->driver, "file") == 0 && revisions > 1)) {
		admin_call_fail_with(
		    call, "QubesValueError", "Pools of this driver do not keep so many revisions");
		return;
	}
	text = g_strdup_printf("%d", revisions);
	qubes_app_set_pool(admin_call_app(call), pool, "revisions_to_keep", text);
	admin_call_commit(call, NULL);
}

void
admin_pool_set_ephemeral(struct admin_call *call)
{
	struct untrusted_bytes untrusted_payload = admin_call_payload(call);
	g_autofree char *text = NULL;
	const struct pool *pool;
	bool on;

	if (!admin_decode_feature_value(untrusted_payload, &text, NULL) ||
	    !grammar_parse_bool(text, &on)) {
		admin_call_fail_with(call, "ProtocolError", "Not a boolean");
		return;
	}
	pool = find_pool(call);
	if (pool == NULL)
		return;
	if (on || strcmp(pool->driver, "linux-kernel") == 0) {
		admin_call_fail_with(call, "QubesValueError",
		    "Pools of this driver cannot encrypt volatile volumes");
		return;
	}
	qubes_app_set_pool(admin_call_app(call), pool, "ephemeral_volatile", "False");
	admin_call_commit(call, NULL);
}
