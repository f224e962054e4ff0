#include "qubesd/libvirt_worker.h"

#include <glib-unix.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdbool.h>

/*
 * The hooks that libvirt takes have no data of their own, so these few things are the file's. libvirt
 * adds and changes watches from whatever thread makes a call; they are followed, and freed, in the
 * events' thread.
 */
static struct {
	GMainContext *context;
	GThreadPool *calls;
	GMutex mutex;        /* over the two below, and every watch's source */
	GHashTable *watches; /* number -> struct watch */
	int last;            /* number given out last */
} worker;

/* A descriptor or a timer that libvirt asked to be told about. */
struct watch {
	int number;
	GSource *source; /* owned; NULL: switched off */
	int fd;          /* -1: a timer */
	virEventHandleCallback on_fd;
	virEventTimeoutCallback on_time;
	void *opaque;
	virFreeCallback free_opaque;
};

static GIOCondition
condition_of(int events)
{
	return (events & VIR_EVENT_HANDLE_READABLE ? G_IO_IN : 0) |
	       (events & VIR_EVENT_HANDLE_WRITABLE ? G_IO_OUT : 0) |
	       (events & VIR_EVENT_HANDLE_ERROR ? G_IO_ERR : 0) |
	       (events & VIR_EVENT_HANDLE_HANGUP ? G_IO_HUP : 0);
}

static int
events_of(GIOCondition condition)
{
	return (condition & G_IO_IN ? VIR_EVENT_HANDLE_READABLE : 0) |
	       (condition & G_IO_OUT ? VIR_EVENT_HANDLE_WRITABLE : 0) |
	       (condition & (G_IO_ERR | G_IO_NVAL) ? VIR_EVENT_HANDLE_ERROR : 0) |
	       (condition & G_IO_HUP ? VIR_EVENT_HANDLE_HANGUP : 0);
}

static gboolean
on_fd(gint fd, GIOCondition condition, gpointer data)
{
	struct watch *watch = data;

	watch->on_fd(watch->number, fd, events_of(condition), watch->opaque);
	return G_SOURCE_CONTINUE;
}

static gboolean
on_time(gpointer data)
{
	struct watch *watch = data;

	watch->on_time(watch->number, watch->opaque);
	return G_SOURCE_CONTINUE;
}

static void
switch_off(struct watch *watch)
{
	if (watch->source == NULL)
		return;
	g_source_destroy(watch->source);
	g_source_unref(watch->source);
	watch->source = NULL;
}

static void
switch_on(struct watch *watch, GSource *source, GSourceFunc func)
{
	switch_off(watch);
	watch->source = source;
	g_source_set_callback(source, func, watch, NULL);
	g_source_attach(source, worker.context);
}

static void
update_fd(int number, int events)
{
	struct watch *watch;

	g_mutex_lock(&worker.mutex);
	watch = g_hash_table_lookup(worker.watches, GINT_TO_POINTER(number));
	if (watch != NULL && events == 0)
		switch_off(watch);
	else if (watch != NULL)
		switch_on(watch, g_unix_fd_source_new(watch->fd, condition_of(events)),
		    G_SOURCE_FUNC(on_fd));
	g_mutex_unlock(&worker.mutex);
}

static void
update_timer(int number, int timeout_ms)
{
	struct watch *watch;

	g_mutex_lock(&worker.mutex);
	watch = g_hash_table_lookup(worker.watches, GINT_TO_POINTER(number));
	if (watch != NULL && timeout_ms < 0)
		switch_off(watch);
	else if (watch != NULL)
		switch_on(watch, g_timeout_source_new((guint)timeout_ms), on_time);
	g_mutex_unlock(&worker.mutex);
}

/* Returns its number; which callback it has must be known before anything can happen. */
static int
watch_new(struct watch template, void *opaque, virFreeCallback free_opaque)
{
	struct watch *watch = g_memdup2(&template, sizeof(template));

	watch->opaque = opaque;
	watch->free_opaque = free_opaque;
	g_mutex_lock(&worker.mutex);
	watch->number = ++worker.last;
	g_hash_table_insert(worker.watches, GINT_TO_POINTER(watch->number), watch);
	g_mutex_unlock(&worker.mutex);
	return watch->number;
}

static int
add_fd(int fd, int events, virEventHandleCallback callback, void *opaque, virFreeCallback free_func)
{
	struct watch watch = {.fd = fd, .on_fd = callback};
	int number = watch_new(watch, opaque, free_func);

	update_fd(number, events);
	return number;
}

static int
add_timer(int timeout_ms, virEventTimeoutCallback callback, void *opaque, virFreeCallback free_func)
{
	struct watch watch = {.fd = -1, .on_time = callback};
	int number = watch_new(watch, opaque, free_func);

	update_timer(number, timeout_ms);
	return number;
}

static gboolean
on_removed(gpointer data)
{
	struct watch *watch = data;

	if (watch->free_opaque != NULL)
		watch->free_opaque(watch->opaque);
	g_free(watch);
	return G_SOURCE_REMOVE;
}

/* libvirt may call this from inside the callback, and wants its data freed from outside. */
static int
remove_watch(int number)
{
	g_autoptr(GSource) later = NULL;
	struct watch *watch;

	g_mutex_lock(&worker.mutex);
	watch = g_hash_table_lookup(worker.watches, GINT_TO_POINTER(number));
	if (watch != NULL) {
		g_hash_table_steal(worker.watches, GINT_TO_POINTER(number));
		switch_off(watch);
	}
	g_mutex_unlock(&worker.mutex);
	if (watch == NULL)
		return -1;
	later = g_idle_source_new();
	g_source_set_callback(later, on_removed, watch, NULL);
	g_source_attach(later, worker.context);
	return 0;
}

static gpointer
worker_thread(gpointer data)
{
	g_autoptr(GMainLoop) loop = g_main_loop_new(worker.context, FALSE);

	(void)data;
	g_main_context_push_thread_default(worker.context);
	g_main_loop_run(loop);
	return NULL;
}

static void
on_libvirt_error(void *data, virErrorPtr error)
{
	(void)data; /* whoever made the call reads the error and reports it once */
	(void)error;
}

struct work {
	void (*func)(void *data);
	void *data;
};

static void
on_work(gpointer data, gpointer unused)
{
	g_autofree struct work *work = data;

	(void)unused;
	work->func(work->data);
}

static gpointer
worker_begin(gpointer data)
{
	(void)data;
	worker.context = g_main_context_new();
	worker.watches = g_hash_table_new(g_direct_hash, g_direct_equal);
	worker.calls = g_thread_pool_new(on_work, NULL, LIBVIRT_WORKER_CALLS, FALSE, NULL);
	virSetErrorFunc(NULL, on_libvirt_error);
	virEventRegisterImpl(
	    add_fd, update_fd, remove_watch, add_timer, update_timer, remove_watch);
	g_thread_unref(g_thread_new("libvirt", worker_thread, NULL));
	return NULL;
}

void
libvirt_worker_run(void (*func)(void *data), void *data)
{
	static GOnce once = G_ONCE_INIT;
	struct work *work = g_new(struct work, 1);

	g_once(&once, worker_begin, NULL);
	work->func = func;
	work->data = data;
	g_thread_pool_push(worker.calls, work, NULL);
}
