#include "qubesd/storage/storage.h"

#include "qubesd/storage/claims.h"
#include "shared/paths.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The jobs of one volume. */
struct lane {
	char *key;      /* owned */
	GQueue waiting; /* struct volume_job * */
};

/* Who waits for what: nobody's start waits for somebody's copy, and no look for either. */
enum group {
	GROUP_RUN,  /* of starts and stops */
	GROUP_EDIT, /* what may take as long as the content is large */
	GROUP_LOOK,
	GROUP_COUNT,
};

/* clang-format off */
static const int group_threads[] = {
	[GROUP_RUN]  = STORAGE_THREADS_RUN,
	[GROUP_EDIT] = STORAGE_THREADS_EDIT,
	[GROUP_LOOK] = STORAGE_THREADS_LOOK,
};

static const enum group groups[] = {
	[VOLUME_CREATE]       = GROUP_RUN, /* of a first start */
	[VOLUME_REMOVE]       = GROUP_EDIT,
	[VOLUME_VERIFY]       = GROUP_RUN,
	[VOLUME_START]        = GROUP_RUN,
	[VOLUME_STOP]         = GROUP_RUN,
	[VOLUME_RECOVER]      = GROUP_RUN,
	[VOLUME_IMPORT_BEGIN] = GROUP_EDIT,
	[VOLUME_IMPORT_END]   = GROUP_EDIT,
	[VOLUME_IMPORT_FILE]  = GROUP_EDIT,
	[VOLUME_EXPORT_PATH]  = GROUP_EDIT,
	[VOLUME_REVERT]       = GROUP_EDIT,
	[VOLUME_RESIZE]       = GROUP_EDIT,
	[VOLUME_STATUS]       = GROUP_LOOK,
	[VOLUME_POOL_STATUS]  = GROUP_LOOK,
};
/* clang-format on */

struct storage {
	GThreadPool *threads[GROUP_COUNT];
	int stopping; /* atomic; copies look at it */
	struct claims *claims;
	GHashTable *lanes; /* key -> struct lane; there is one while a job of it is under way */
	/* Jobs that a thread has finished and the main loop has not looked at. */
	GMutex lock;
	GQueue finished; /* struct volume_job * */
	GSource *wake;   /* always attached; ready when there is one */
};

/* --- one job -------------------------------------------------------------------------------- */

struct volume_job *
volume_job_new(const struct volume_driver *driver, enum volume_operation operation,
    const char *pool, struct volume_image *image)
{
	struct volume_job *job = g_new0(struct volume_job, 1);

	job->driver = driver;
	job->operation = operation;
	job->pool = g_strdup(pool);
	job->image = image;
	return job;
}

void
volume_job_free(struct volume_job *job)
{
	if (job == NULL)
		return;
	volume_image_free(job->image);
	volume_status_clear(&job->status);
	g_free(job->pool);
	g_free(job->text);
	g_free(job->error);
	g_free(job->path);
	g_free(job->origin);
	g_free(job->key);
	g_free(job);
}

char *
storage_mark_name(const char *pool, const char *vid)
{
	GString *name = g_string_new("volume-running-");
	g_autofree char *volume = g_strconcat(pool, ":", vid, NULL);

	for (const char *p = volume; *p != '\0'; p++) {
		if (*p == '-')
			g_string_append(name, "--");
		else
			g_string_append_c(name, *p == '/' ? '-' : *p);
	}
	return g_string_free(name, FALSE);
}

static char *
mark_path(const struct volume_job *job)
{
	g_autofree char *name = storage_mark_name(job->pool, job->image->vid);

	return path_in_runtime_dir(name);
}

/* The mark is there before the volume is used, and goes after it is not. */
static void
run_start(struct volume_job *job)
{
	g_autofree char *mark = mark_path(job);

	if (job->driver->has_content && !g_file_set_contents(mark, "", 0, NULL)) {
		job->result = -EIO;
		job->error = g_strdup("the mark of a running volume cannot be written");
		return;
	}
	job->result = job->driver->start(job->image, &job->path, &job->error);
	if (job->result < 0)
		unlink(mark);
	else if (job->driver->origin != NULL)
		job->origin = job->driver->origin(job->image);
}

static void
run_stop(struct volume_job *job, int (*stop)(const struct volume_image *image, char **ret_error))
{
	g_autofree char *mark = mark_path(job);

	job->result = stop(job->image, &job->error);
	if (job->result == 0)
		unlink(mark);
}

static void
run_content(struct volume_job *job)
{
	const struct volume_driver *driver = job->driver;
	const struct volume_image *image = job->image;

	switch (job->operation) {
	case VOLUME_CREATE:
		job->result = driver->create(image, &job->made, &job->error);
		break;
	case VOLUME_IMPORT_BEGIN:
		job->result = driver->import_begin(image, &job->path, &job->error);
		break;
	case VOLUME_IMPORT_END:
		job->result = driver->import_end(image, job->ok, &job->error);
		break;
	case VOLUME_IMPORT_FILE:
		job->result = driver->import_file(image, job->text, &job->error);
		break;
	case VOLUME_EXPORT_PATH:
		job->result = driver->export_path(image, &job->path, &job->error);
		break;
	case VOLUME_REVERT:
		job->result = driver->revert(image, job->text, &job->error);
		break;
	case VOLUME_RESIZE:
		job->result = driver->resize(image, job->size, &job->error);
		break;
	default:
		g_assert_not_reached();
	}
}

void
volume_job_run(struct volume_job *job)
{
	switch (job->operation) {
	case VOLUME_REMOVE:
		job->result = job->driver->remove(job->image, &job->error);
		break;
	case VOLUME_VERIFY:
		job->result = job->driver->verify(job->image, &job->error);
		break;
	case VOLUME_START:
		run_start(job);
		break;
	case VOLUME_STOP:
		run_stop(job, job->driver->stop);
		break;
	case VOLUME_RECOVER:
		run_stop(job, job->driver->recover);
		break;
	case VOLUME_STATUS:
		job->result = job->driver->status(job->image, &job->status, &job->error);
		break;
	case VOLUME_POOL_STATUS:
		job->result = job->driver->pool_status(job->image, &job->status, &job->error);
		break;
	default:
		if (job->driver->has_content) {
			run_content(job);
		} else {
			job->result = -ENOTSUP;
			job->error = g_strdup("volumes of this pool are only read");
		}
	}
}

/* --- threads -------------------------------------------------------------------------------- */

static void
on_thread(void *data, void *user_data)
{
	struct volume_job *job = data;
	struct storage *storage = user_data;

	volume_job_run(job);
	g_mutex_lock(&storage->lock);
	g_queue_push_tail(&storage->finished, job);
	g_mutex_unlock(&storage->lock);
	g_source_set_ready_time(storage->wake, 0);
}

static void
lane_free(void *data)
{
	struct lane *lane = data;

	g_queue_clear_full(&lane->waiting, (GDestroyNotify)volume_job_free);
	g_free(lane->key);
	g_free(lane);
}

static void
give_to_thread(struct storage *storage, struct volume_job *job)
{
	g_thread_pool_push(storage->threads[groups[job->operation]], job, NULL);
}

/* The next of its lane, or the end of the lane. */
static void
go_on(struct storage *storage, const char *key)
{
	struct lane *lane = g_hash_table_lookup(storage->lanes, key);
	struct volume_job *next = g_queue_pop_head(&lane->waiting);

	if (next == NULL)
		g_hash_table_remove(storage->lanes, key);
	else
		give_to_thread(storage, next);
}

static void
finish(struct storage *storage, struct volume_job *job)
{
	if (job->key != NULL)
		go_on(storage, job->key);
	job->done(job, job->data);
	volume_job_free(job);
}

static gboolean
on_wake(void *data)
{
	struct storage *storage = data;
	GQueue finished;
	struct volume_job *job;

	g_source_set_ready_time(storage->wake, -1);
	g_mutex_lock(&storage->lock);
	finished = storage->finished;
	g_queue_init(&storage->finished);
	g_mutex_unlock(&storage->lock);
	while ((job = g_queue_pop_head(&finished)) != NULL)
		finish(storage, job);
	return G_SOURCE_CONTINUE;
}

static gboolean
dispatch(GSource *source, GSourceFunc func, void *data)
{
	(void)source;
	return func(data);
}

static GSourceFuncs wake_funcs = {.dispatch = dispatch};

struct storage *
storage_new(void)
{
	struct storage *storage = g_new0(struct storage, 1);

	for (int i = 0; i < GROUP_COUNT; i++)
		storage->threads[i] =
		    g_thread_pool_new(on_thread, storage, group_threads[i], FALSE, NULL);
	storage->lanes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, lane_free);
	storage->claims = claims_new();
	g_mutex_init(&storage->lock);
	g_queue_init(&storage->finished);
	storage->wake = g_source_new(&wake_funcs, sizeof(GSource));
	g_source_set_callback(storage->wake, on_wake, storage, NULL);
	g_source_attach(storage->wake, NULL);
	return storage;
}

void
storage_free(struct storage *storage)
{
	if (storage == NULL)
		return;
	g_atomic_int_set(&storage->stopping, 1);
	for (int i = 0; i < GROUP_COUNT; i++) /* those they have begun, or were given */
		g_thread_pool_free(storage->threads[i], FALSE, TRUE);
	g_source_destroy(storage->wake);
	g_source_unref(storage->wake);
	g_queue_clear_full(&storage->finished, (GDestroyNotify)volume_job_free);
	g_hash_table_unref(storage->lanes);
	claims_free(storage->claims);
	g_mutex_clear(&storage->lock);
	g_free(storage);
}

struct claims *
storage_claims(const struct storage *storage)
{
	return storage->claims;
}

void
storage_run(struct storage *storage, struct volume_job *job,
    void (*done)(struct volume_job *job, void *data), void *data)
{
	struct lane *lane;

	job->done = done;
	job->data = data;
	job->image->stop = &storage->stopping;
	if (groups[job->operation] == GROUP_LOOK) {
		give_to_thread(storage, job);
		return;
	}
	job->key = g_strconcat(job->pool, ":", job->image->vid, NULL);
	lane = g_hash_table_lookup(storage->lanes, job->key);
	if (lane != NULL) {
		g_queue_push_tail(&lane->waiting, job);
		return;
	}
	lane = g_new0(struct lane, 1);
	lane->key = g_strdup(job->key);
	g_queue_init(&lane->waiting);
	g_hash_table_insert(storage->lanes, lane->key, lane);
	give_to_thread(storage, job);
}
