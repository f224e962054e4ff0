#include "qubesd/sandbox/console.h"
#include "shared/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 512

struct console {
	int in, out;
	char *path;           /* owned */
	size_t file_bytes;    /* in the file so far */
	size_t second_used;   /* bytes taken in this second */
	guint readable, tick; /* sources; 0 = none */
	GString *line;        /* owned: the line that is growing */
	char last[LINE_MAX_BYTES];
	void (*on_end)(void *data); /* NULL: nobody waits */
	void *on_end_data;
};

static int
open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

static void
turn_over(struct console *console)
{
	g_autofree char *older = g_strconcat(console->path, ".old", NULL);
	int fd;

	if (g_rename(console->path, older) < 0)
		return;
	fd = open_file(console->path);
	if (fd < 0)
		return;
	close(console->out);
	console->out = fd;
	console->file_bytes = 0;
}

static void
keep_line(struct console *console, char byte)
{
	if (byte != '\n') {
		if (console->line->len < LINE_MAX_BYTES - 1)
			g_string_append_c(console->line, byte);
		return;
	}
	if (console->line->len > 0)
		g_strlcpy(console->last, console->line->str, sizeof(console->last));
	g_string_truncate(console->line, 0);
}

static void
take(struct console *console, char *bytes, size_t len)
{
	size_t kept = 0;

	for (size_t i = 0; i < len; i++)
		if (bytes[i] != '\r')
			bytes[kept++] = bytes[i];
	len = kept;
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != '\n' && (bytes[i] < 0x20 || bytes[i] > 0x7e))
			bytes[i] = '?';
		keep_line(console, bytes[i]);
	}
	if (console->file_bytes + len > CONSOLE_FILE_MAX)
		turn_over(console);
	if (console->file_bytes + len <= CONSOLE_FILE_MAX && write(console->out, bytes, len) > 0)
		console->file_bytes += len;
}

/* False when there is nothing to read now, or nothing any more. */
static bool
read_some(struct console *console, bool *ret_over)
{
	char bytes[4096];
	ssize_t n = read(console->in, bytes, sizeof(bytes));

	*ret_over = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	if (n <= 0)
		return false;
	take(console, bytes, (size_t)n);
	console->second_used += (size_t)n;
	return true;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data);

static gboolean
on_next_second(gpointer data)
{
	struct console *console = data;

	console->tick = 0;
	console->second_used = 0;
	console->readable = g_unix_fd_add(console->in, G_IO_IN | G_IO_HUP, on_readable, console);
	return G_SOURCE_REMOVE;
}

static gboolean
on_readable(gint fd, GIOCondition condition, gpointer data)
{
	struct console *console = data;
	bool over;

	(void)fd;
	(void)condition;
	read_some(console, &over);
	if (!over && console->second_used < CONSOLE_RATE)
		return G_SOURCE_CONTINUE;
	console->readable = 0;
	if (!over)
		console->tick = g_timeout_add(1000, on_next_second, console);
	else if (console->on_end != NULL)
		console->on_end(console->on_end_data);
	return G_SOURCE_REMOVE;
}

int
console_new(const char *name, int fd, struct console **ret)
{
	g_autofree char *file = g_strdup_printf("log/guest-%s.log", name);
	g_autofree char *path = path_in_runtime_dir(file);
	g_autofree char *folder = g_path_get_dirname(path);
	struct console *console;
	int out;

	out = g_mkdir_with_parents(folder, 0700) < 0 ? -errno : open_file(path);
	if (out < 0) {
		close(fd);
		return out;
	}
	console = g_new0(struct console, 1);
	console->in = fd;
	console->out = out;
	console->path = g_steal_pointer(&path);
	console->line = g_string_new(NULL);
	g_unix_set_fd_nonblocking(fd, TRUE, NULL);
	console->readable = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, on_readable, console);
	*ret = console;
	return 0;
}

void
console_on_end(struct console *console, void (*func)(void *data), void *data)
{
	console->on_end = func;
	console->on_end_data = data;
}

void
console_free(struct console *console)
{
	bool over;

	if (console == NULL)
		return;
	g_clear_handle_id(&console->readable, g_source_remove);
	g_clear_handle_id(&console->tick, g_source_remove);
	for (int i = 0; i < CONSOLE_RATE / 4096 && read_some(console, &over); i++)
		;
	close(console->in);
	close(console->out);
	g_string_free(console->line, TRUE);
	g_free(console->path);
	g_free(console);
}

const char *
console_last_line(struct console *console)
{
	bool over;

	for (int i = 0; i < CONSOLE_RATE / 4096 && read_some(console, &over); i++)
		;
	return console->line->len > 0 ? console->line->str : console->last;
}
