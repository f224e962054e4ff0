#include "gui-agent/gui_domain.h"

#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <glib-unix.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define FILE_NAME "gui-domain"

struct gui_domain {
	int fd; /* inotify; -1: none */
	guint source;
	gui_domain_func on_change;
	void *data; /* borrowed */
};

int64_t
gui_domain_read(int64_t otherwise)
{
	g_autofree char *path = path_in_runtime_dir(FILE_NAME);
	g_autofree char *text = NULL;
	guint64 number;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return otherwise;
	g_strchomp(text);
	if (strcmp(text, "none") == 0)
		return GUI_DOMAIN_NONE;
	if (g_ascii_string_to_unsigned(text, 10, 0, GUI_DOMAIN_MAX, &number, NULL))
		return (int64_t)number;
	log_warn("%s: not what the host writes", path);
	return otherwise;
}

/* Takes all news that there are. Has the file been replaced? */
static bool
read_news(int fd)
{
	union {
		struct inotify_event event;
		char bytes[4096];
	} news;
	bool replaced = false;
	ssize_t n;

	while ((n = read(fd, &news, sizeof(news))) > 0) {
		const char *end = news.bytes + n;

		for (const char *at = news.bytes; at < end;) {
			const struct inotify_event *event = (const void *)at;

			replaced |= event->len > 0 && strcmp(event->name, FILE_NAME) == 0;
			replaced |= (event->mask & IN_Q_OVERFLOW) != 0;
			at += sizeof(*event) + event->len;
		}
	}
	return replaced;
}

static gboolean
on_news(gint fd, GIOCondition condition, gpointer data)
{
	struct gui_domain *watch = data;

	(void)condition;
	if (read_news(fd))
		watch->on_change(gui_domain_read(GUI_DOMAIN_NONE), watch->data);
	return G_SOURCE_CONTINUE;
}

struct gui_domain *
gui_domain_watch(gui_domain_func on_change, void *data)
{
	struct gui_domain *watch = g_new0(struct gui_domain, 1);
	g_autofree char *folder = path_in_runtime_dir("");

	watch->on_change = on_change;
	watch->data = data;
	watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch->fd < 0 || inotify_add_watch(watch->fd, folder, IN_MOVED_TO) < 0) {
		log_warn("%s cannot be watched: another GUI domain will not be noticed: %s", folder,
		    g_strerror(errno));
		return watch;
	}
	watch->source = g_unix_fd_add(watch->fd, G_IO_IN, on_news, watch);
	return watch;
}

void
gui_domain_unwatch(struct gui_domain *watch)
{
	if (watch == NULL)
		return;
	if (watch->source != 0)
		g_source_remove(watch->source);
	if (watch->fd >= 0)
		close(watch->fd);
	g_free(watch);
}
