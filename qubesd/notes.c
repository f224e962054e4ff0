#include "qubesd/notes.h"

#include "qubesd/domain.h"

#include <gio/gio.h>
#include <string.h>

struct notes_job {
	char *path;     /* owned */
	char *new_text; /* owned; NULL: read */
	notes_done done;
	void *data; /* borrowed from who asks */
};

static void
job_free(void *data)
{
	struct notes_job *job = data;

	g_free(job->path);
	g_free(job->new_text);
	g_free(job);
}

static void
read_text(GTask *task, struct notes_job *job)
{
	GError *error = NULL;
	char *text;
	gsize len;

	if (g_file_get_contents(job->path, &text, &len, &error)) {
		if (len <= NOTES_MAX) {
			g_task_return_pointer(task, text, g_free);
			return;
		}
		g_free(text);
		g_task_return_new_error(
		    task, G_IO_ERROR, G_IO_ERROR_FAILED, "the notes are too long");
	} else if (g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
		g_error_free(error);
		g_task_return_pointer(task, g_strdup(""), g_free);
	} else {
		g_task_return_error(task, error);
	}
}

static void
write_text(GTask *task, struct notes_job *job)
{
	g_autofree char *dir = g_path_get_dirname(job->path);
	GError *error = NULL;

	g_mkdir_with_parents(dir, 0711);
	if (g_file_set_contents_full(job->path, job->new_text, -1,
		G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, &error))
		g_task_return_pointer(task, g_strdup(""), g_free);
	else
		g_task_return_error(task, error);
}

static void
work(GTask *task, void *source, void *data, GCancellable *cancellable)
{
	struct notes_job *job = data;

	(void)source, (void)cancellable;
	if (job->new_text != NULL)
		write_text(task, job);
	else
		read_text(task, job);
}

static void
on_worked(GObject *source, GAsyncResult *result, void *data)
{
	GTask *task = G_TASK(result);
	struct notes_job *job = g_task_get_task_data(task);
	g_autoptr(GError) error = NULL;
	g_autofree char *text = g_task_propagate_pointer(task, &error);

	(void)source, (void)data;
	/* GLib's message names the file; the caller has no business with it. */
	job->done(text != NULL ? text : "",
	    error != NULL ? "the notes cannot be read or written" : NULL, job->data);
}

static void
start(struct domain *domain, const char *text, notes_done done, void *data)
{
	g_autofree char *dir = domain_dir(domain);
	struct notes_job *job = g_new0(struct notes_job, 1);
	g_autoptr(GTask) task = g_task_new(NULL, NULL, on_worked, NULL);

	job->path = g_build_filename(dir, "notes.txt", NULL);
	job->new_text = g_strdup(text);
	job->done = done;
	job->data = data;
	g_task_set_task_data(task, job, job_free);
	g_task_run_in_thread(task, work);
}

void
notes_read(struct domain *domain, notes_done done, void *data)
{
	start(domain, NULL, done, data);
}

void
notes_write(struct domain *domain, const char *text, notes_done done, void *data)
{
	start(domain, text, done, data);
}
