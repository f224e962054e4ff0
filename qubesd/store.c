#include "qubesd/store.h"

#include "qubesd/store_file.h"
#include "shared/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPAIR_DELAY_MS 1000
#define GENERATION_INTERVAL_US ((gint64)3600 * G_USEC_PER_SEC)

struct waiter {
	store_done done;
	void *data; /* borrowed from who waits */
};

/* One write, under way in the worker. */
struct job {
	struct store *store;
	GBytes *text;            /* owned */
	bool with_generation;    /* also put a copy into backup/ */
	struct journal *journal; /* owned; what the text contains and the disk does not yet */
	GArray *waiters;         /* struct waiter */
	GSource *finished;       /* attached by the worker when error is filled in */
	bool replaced;           /* the file is the new one, synced or not */
	char *error;             /* owned; NULL: it is on disk */
};

struct store {
	char *path, *dir, *backup_dir; /* owned */
	int lock_fd;
	struct qubes_app *app;
	struct store_stamp stamp; /* the worker's while a job is under way */
	gint64 generation_us;     /* monotonic time of the last copy in backup/ */
	GArray *waiters;          /* struct waiter; for the next job */
	guint idle;               /* source that starts the next job, 0: none */
	bool disk_is_ahead;       /* a write failed after it had replaced the file */
	struct job *job;          /* under way, or NULL */
	GThread *worker;
};

/* --- writing -------------------------------------------------------------------------------- */

/* In the worker, or at the very end in the main thread: the app is not touched here. */
static void
run_job(struct job *job)
{
	struct store *store = job->store;
	struct stat status;
	struct store_stamp now;
	int r;

	if (lstat(store->path, &status) < 0) {
		job->error = g_strdup_printf("the store has gone: %s", strerror(errno));
		return;
	}
	now = store_stamp_of(&status);
	if (!store_stamp_equal(&now, &store->stamp)) {
		job->error = g_strdup("the store was changed by somebody else");
		return;
	}
	r = store_file_replace(store->path, store->dir, job->text, &store->stamp);
	job->replaced = !store_stamp_equal(&now, &store->stamp);
	if (r < 0)
		job->error = g_strdup_printf("the store cannot be written: %s", strerror(-r));
	else if (job->with_generation)
		store_generations_add(store->backup_dir, job->text);
}

static void
finish_job(struct store *store)
{
	struct job *job = g_steal_pointer(&store->job);

	g_source_destroy(job->finished);
	g_source_unref(job->finished);
	if (job->error != NULL) {
		log_error("store: %s; what was not on disk is taken back", job->error);
		qubes_app_undo(store->app, job->journal);
		/* Changes made since then are gone too: their waiters learn it with the others. */
		g_array_append_vals(job->waiters, store->waiters->data, store->waiters->len);
		g_array_set_size(store->waiters, 0);
	} else {
		journal_keep(job->journal);
	}
	store->disk_is_ahead = job->error != NULL && (job->replaced || store->disk_is_ahead);
	for (guint i = 0; i < job->waiters->len; i++) {
		struct waiter *waiter = &g_array_index(job->waiters, struct waiter, i);

		waiter->done(job->error, waiter->data);
	}
	g_array_unref(job->waiters);
	g_bytes_unref(job->text);
	g_free(job->error);
	g_free(job);
}

static void schedule(struct store *store);
static gboolean on_turn(void *data);

static gboolean
on_job_finished(void *data)
{
	struct store *store = data;

	g_thread_join(g_steal_pointer(&store->worker));
	finish_job(store);
	if (store->disk_is_ahead)
		store->idle = g_timeout_add(REPAIR_DELAY_MS, on_turn, store);
	else if (qubes_app_is_dirty(store->app) || store->waiters->len > 0)
		schedule(store);
	return G_SOURCE_REMOVE;
}

static void *
work(void *data)
{
	struct job *job = data;

	run_job(job);
	g_source_attach(job->finished, NULL);
	return NULL;
}

/* Everything changed so far becomes one write. */
static struct job *
take_job(struct store *store)
{
	struct job *job = g_new0(struct job, 1);
	gint64 now = g_get_monotonic_time();

	job->store = store;
	job->text = store_render(store->app);
	job->journal = qubes_app_take_journal(store->app);
	job->waiters = g_steal_pointer(&store->waiters);
	store->waiters = g_array_new(FALSE, FALSE, sizeof(struct waiter));
	job->with_generation = now - store->generation_us >= GENERATION_INTERVAL_US;
	if (job->with_generation)
		store->generation_us = now;
	job->finished = g_idle_source_new();
	g_source_set_priority(job->finished, G_PRIORITY_DEFAULT);
	g_source_set_callback(job->finished, on_job_finished, store, NULL);
	return job;
}

/* Nothing to write: whoever waits is told that his change, whatever it was, is on disk. */
static void
release_waiters(struct store *store)
{
	g_autoptr(GArray) waiters = g_steal_pointer(&store->waiters);

	store->waiters = g_array_new(FALSE, FALSE, sizeof(struct waiter));
	for (guint i = 0; i < waiters->len; i++) {
		struct waiter *waiter = &g_array_index(waiters, struct waiter, i);

		waiter->done(NULL, waiter->data);
	}
}

static gboolean
on_turn(void *data)
{
	struct store *store = data;

	store->idle = 0;
	assert(store->job == NULL);
	if (!qubes_app_is_dirty(store->app) && !store->disk_is_ahead) {
		release_waiters(store);
		return G_SOURCE_REMOVE;
	}
	store->job = take_job(store);
	store->worker = g_thread_new("store", work, store->job);
	return G_SOURCE_REMOVE;
}

/*
 * The write starts in the next turn of the loop, so that requests which came together are written
 * together. It has the priority of the requests: many readers cannot keep it waiting. While one is
 * under way, on_job_finished() comes back here.
 */
static void
schedule(struct store *store)
{
	if (store->job == NULL && store->idle == 0)
		store->idle = g_idle_add_full(G_PRIORITY_DEFAULT, on_turn, store, NULL);
}

static void
on_dirty(void *data)
{
	schedule(data);
}

void
store_commit(struct store *store, store_done done, void *data)
{
	struct waiter waiter = {done, data};

	g_array_append_val(store->waiters, waiter);
	schedule(store);
}

/* --- opening and closing -------------------------------------------------------------------- */

static int
take_lock(struct store *store, char **ret_message)
{
	g_autofree char *path = g_strconcat(store->path, ".lock", NULL);
	int r;

	store->lock_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0660);
	if (store->lock_fd < 0) {
		r = -errno;
		*ret_message = g_strdup_printf("%s: %s", path, strerror(-r));
		return r;
	}
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		*ret_message =
		    g_strdup_printf("%s: another qubesd is using this store", store->path);
		return -EBUSY;
	}
	return 0;
}

static int
make_fresh(struct store *store, char **ret_message)
{
	g_autoptr(GBytes) text = NULL;
	int r;

	if (store_generations_exist(store->backup_dir)) {
		g_autofree char *good = store_generations_find_good(store->backup_dir);

		*ret_message = g_strdup_printf(
		    "%s is missing, but there was a store here; the newest copy that loads: %s",
		    store->path, good != NULL ? good : "none");
		return -EPROTO;
	}
	store->app = qubes_app_new_fresh();
	text = store_render(store->app);
	r = store_file_replace(store->path, store->dir, text, &store->stamp);
	if (r < 0) {
		*ret_message = g_strdup_printf("%s: %s", store->path, strerror(-r));
		return r;
	}
	log_info("store: a new one in %s", store->path);
	return 0;
}

/* Reads and parses. -ENOENT, without a message, when there is no file. */
static int
read_store(struct store *store, GBytes **ret_text, char **ret_message)
{
	g_autoptr(GBytes) text = NULL;
	g_autofree char *why = NULL;
	g_autofree char *good = NULL;
	int r;

	r = store_file_read(store->path, &text, &store->stamp);
	if (r == -ENOENT)
		return r;
	if (r < 0) {
		*ret_message = g_strdup_printf("%s: %s", store->path,
		    r == -ELOOP ? "a symbolic link; put the file itself there" : strerror(-r));
		return r;
	}
	if (store_parse(g_bytes_get_data(text, NULL), g_bytes_get_size(text), &store->app, &why) ==
	    0) {
		*ret_text = g_steal_pointer(&text);
		return 0;
	}
	good = store_generations_find_good(store->backup_dir);
	*ret_message =
	    g_strdup_printf("%s: %s; nothing was changed; the newest copy that loads: %s",
		store->path, why, good != NULL ? good : "none");
	return -EPROTO;
}

static int
load(struct store *store, char **ret_message)
{
	g_autoptr(GBytes) text = NULL;
	int r = read_store(store, &text, ret_message);

	if (r == -ENOENT)
		return make_fresh(store, ret_message);
	if (r == 0)
		store_generations_add(store->backup_dir, text);
	return r;
}

static void
free_parts(struct store *store)
{
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	qubes_app_free(store->app);
	g_array_unref(store->waiters);
	g_free(store->backup_dir);
	g_free(store->dir);
	g_free(store->path);
	g_free(store);
}

static struct store *
new_parts(const char *path)
{
	struct store *store = g_new0(struct store, 1);

	store->path = g_strdup(path);
	store->dir = g_path_get_dirname(path);
	store->backup_dir = g_build_filename(store->dir, "backup", NULL);
	store->lock_fd = -1;
	store->waiters = g_array_new(FALSE, FALSE, sizeof(struct waiter));
	store->generation_us = g_get_monotonic_time();
	return store;
}

int
store_check(const char *path, struct qubes_app **ret, char **ret_message)
{
	struct store *store = new_parts(path);
	g_autoptr(GBytes) text = NULL;
	int r = read_store(store, &text, ret_message);

	if (r == -ENOENT)
		*ret_message = g_strdup_printf("%s: there is no store", path);
	if (r == 0)
		*ret = g_steal_pointer(&store->app);
	free_parts(store);
	return r;
}

int
store_open(const char *path, struct store **ret, char **ret_message)
{
	struct store *store = new_parts(path);
	int r;

	if (g_mkdir_with_parents(store->dir, 0755) < 0) {
		r = -errno;
		*ret_message = g_strdup_printf("%s: %s", store->dir, strerror(-r));
	} else {
		r = take_lock(store, ret_message);
	}
	if (r == 0)
		r = load(store, ret_message);
	if (r < 0) {
		free_parts(store);
		return r;
	}
	qubes_app_set_on_dirty(store->app, on_dirty, store);
	*ret = store;
	return 0;
}

/* A clean end leaves a copy of its own: whatever happens to the file later, this one loads. */
static void
keep_last_generation(struct store *store)
{
	g_autoptr(GBytes) text = NULL;
	struct store_stamp stamp;

	if (!store->disk_is_ahead && store_file_read(store->path, &text, &stamp) == 0 &&
	    store_stamp_equal(&stamp, &store->stamp))
		store_generations_add(store->backup_dir, text);
}

void
store_free(struct store *store)
{
	if (store == NULL)
		return;
	if (store->idle != 0)
		g_source_remove(store->idle);
	if (store->job != NULL) {
		g_thread_join(store->worker);
		finish_job(store);
	}
	if (qubes_app_is_dirty(store->app) || store->disk_is_ahead) {
		store->job = take_job(store);
		run_job(store->job);
		finish_job(store);
	}
	release_waiters(store);
	keep_last_generation(store);
	free_parts(store);
}

struct qubes_app *
store_app(const struct store *store)
{
	return store->app;
}
