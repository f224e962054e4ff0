#include "qubesd/gui_access.h"

#include "shared/log.h"
#include "shared/vchan/broker_control.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>

struct gui_access {
	gint references;      /* atomic: the owner, and every job */
	bool closed;          /* main loop: nobody is told any more */
	GThreadPool *threads; /* owned; one */
};

struct job {
	struct gui_access *access; /* reference */
	GArray *pairs;             /* owned: struct gui_access_pair */
	gui_access_done done;
	void *data;
};

static void
access_unref(struct gui_access *access)
{
	if (g_atomic_int_dec_and_test(&access->references))
		g_free(access);
}

static gboolean
on_done(gpointer data)
{
	struct job *job = data;

	if (!job->access->closed && job->done != NULL)
		job->done(job->data);
	access_unref(job->access);
	g_array_unref(job->pairs);
	g_free(job);
	return G_SOURCE_REMOVE;
}

/* In the thread. A domain that has gone meanwhile is no mistake of anybody. */
static int
tell_all(const GArray *pairs)
{
	struct broker_control *control;
	int r = broker_control_new(NULL, &control);

	if (r < 0)
		return r;
	for (guint i = 0; i < pairs->len && (r == 0 || r == -ENOENT); i++) {
		const struct gui_access_pair *pair =
		    &g_array_index(pairs, struct gui_access_pair, i);

		r = broker_control_set_gui_domain(control, pair->domain, pair->gui_domain);
		if (r == -ENOENT)
			log_debug("domain %" PRIu32 " or its GUI domain %" PRIu32 " has gone",
			    pair->domain, pair->gui_domain);
	}
	broker_control_free(control);
	return r == -ENOENT ? 0 : r;
}

static void
run_job(gpointer data, gpointer unused)
{
	struct job *job = data;
	int r = tell_all(job->pairs);

	(void)unused;
	if (r < 0)
		log_warn("vchan-broker is not told of GUI domains: %s", g_strerror(-r));
	g_idle_add_full(G_PRIORITY_DEFAULT, on_done, job, NULL);
}

struct gui_access *
gui_access_new(void)
{
	struct gui_access *access = g_new0(struct gui_access, 1);

	access->references = 1;
	access->threads = g_thread_pool_new(run_job, NULL, 1, FALSE, NULL);
	return access;
}

void
gui_access_free(struct gui_access *access)
{
	if (access == NULL)
		return;
	access->closed = true;
	g_thread_pool_free(access->threads, FALSE, FALSE); /* what was posted is done */
	access_unref(access);
}

void
gui_access_tell(struct gui_access *access, const struct gui_access_pair *pairs, size_t count,
    gui_access_done done, void *data)
{
	struct job *job = g_new0(struct job, 1);

	job->access = access;
	g_atomic_int_inc(&access->references);
	job->pairs = g_array_new(FALSE, FALSE, sizeof(*pairs));
	g_array_append_vals(job->pairs, pairs, (guint)count);
	job->done = done;
	job->data = data;
	g_thread_pool_push(access->threads, job, NULL);
}
