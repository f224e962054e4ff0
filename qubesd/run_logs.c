#include "qubesd/run_logs.h"

#include "qubesd/event.h"
#include "qubesd/qubes_app.h"
#include "shared/paths.h"

#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct log_file {
	char *path; /* owned */
	struct timespec changed;
};

static void
log_file_free(void *data)
{
	struct log_file *file = data;

	g_free(file->path);
	g_free(file);
}

/* The qube whose log this is; NULL: it is nobody's. g_free() */
static char *
qube_of(const char *file)
{
	static const char *const prefixes[] = {"guest-", "qrexec-"};
	static const char *const suffixes[] = {".log", ".log.old"};

	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		if (!g_str_has_prefix(file, prefixes[i]))
			continue;
		file += strlen(prefixes[i]);
		for (size_t k = 0; k < G_N_ELEMENTS(suffixes); k++)
			if (g_str_has_suffix(file, suffixes[k]))
				return g_strndup(file, strlen(file) - strlen(suffixes[k]));
		return NULL;
	}
	return NULL;
}

static void
add_if_gone(GPtrArray *gone, const struct qubes_app *app, const char *folder, const char *name)
{
	g_autofree char *qube = qube_of(name);
	struct log_file *file;
	struct stat st;

	if (qube == NULL || qubes_app_find(app, qube) != NULL)
		return;
	file = g_new0(struct log_file, 1);
	file->path = g_build_filename(folder, name, NULL);
	if (lstat(file->path, &st) == 0 && S_ISREG(st.st_mode)) {
		file->changed = st.st_mtim;
		g_ptr_array_add(gone, file);
	} else {
		log_file_free(file);
	}
}

static gint
newest_first(gconstpointer a, gconstpointer b)
{
	const struct log_file *left = *(struct log_file *const *)a;
	const struct log_file *right = *(struct log_file *const *)b;

	if (left->changed.tv_sec != right->changed.tv_sec)
		return left->changed.tv_sec > right->changed.tv_sec ? -1 : 1;
	if (left->changed.tv_nsec != right->changed.tv_nsec)
		return left->changed.tv_nsec > right->changed.tv_nsec ? -1 : 1;
	return strcmp(left->path, right->path);
}

static void
tidy(const struct qubes_app *app)
{
	g_autofree char *folder = path_in_runtime_dir("log");
	g_autoptr(GPtrArray) gone = g_ptr_array_new_with_free_func(log_file_free);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;

	if (dir == NULL)
		return;
	while ((name = g_dir_read_name(dir)) != NULL)
		add_if_gone(gone, app, folder, name);
	g_ptr_array_sort(gone, newest_first);
	for (guint i = RUN_LOGS_GONE_MAX; i < gone->len; i++) {
		const struct log_file *file = gone->pdata[i];

		unlink(file->path);
	}
}

static bool
on_event(const struct event *event, struct admin_error *error, void *data)
{
	(void)error;
	if (event->subject == NULL && strcmp(event->name, "domain-delete") == 0)
		tidy(data);
	return true;
}

void
run_logs_init(struct qubes_app *app)
{
	event_add_handler(app, EVENT_ORDER_LIFECYCLE, on_event, app);
	tidy(app);
}
