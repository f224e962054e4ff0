#include "tests/unit/unit.h"

#include "qubesd/sandbox/console.h"
#include "qubesd/sandbox/tree.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder;

static int
set_up(void **state)
{
	(void)state;
	folder = g_dir_make_tmp("test_console-XXXXXX", NULL);
	g_setenv("QUBES_RUNTIME_DIR", folder, TRUE);
	return 0;
}

static int
tear_down(void **state)
{
	int r = tree_remove(folder);

	(void)state;
	g_free(folder);
	return r;
}

static struct console *
begin(int *ret_write_fd)
{
	struct console *console;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(console_new("work", fds[0], &console), 0);
	*ret_write_fd = fds[1];
	return console;
}

static char *
log_path(const char *suffix)
{
	return g_strdup_printf("%s/log/guest-work.log%s", folder, suffix);
}

static void
bytes_that_could_reach_a_terminal_become_question_marks(void **state)
{
	static const char bytes[] = "plain\n\x1b[31mred\r\x07\x80\xff\tx\n";
	g_autofree char *path = log_path("");
	g_autofree char *text = NULL;
	struct console *console;
	struct stat st;
	int fd;

	(void)state;
	console = begin(&fd);
	assert_int_equal(write(fd, bytes, sizeof(bytes) - 1), sizeof(bytes) - 1);
	close(fd);
	console_free(console);
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	assert_string_equal(text, "plain\n?[31mred????x\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void
last_line_is_the_last_that_was_written(void **state)
{
	struct console *console;
	int fd;

	(void)state;
	console = begin(&fd);
	assert_string_equal(console_last_line(console), "");
	assert_int_equal(write(fd, "one\ntwo\n", 8), 8);
	assert_string_equal(console_last_line(console), "two");
	assert_int_equal(write(fd, "thr", 3), 3);
	assert_string_equal(console_last_line(console), "thr");
	close(fd);
	console_free(console);
}

static gboolean
on_over(gpointer data)
{
	g_main_loop_quit(data);
	return G_SOURCE_REMOVE;
}

static gboolean
on_writable(gint fd, GIOCondition condition, gpointer data)
{
	static const char line[] = "all work and no play makes a qube a dull qube\n";
	size_t *written = data;

	(void)condition;
	for (int i = 0; i < 100; i++)
		if (write(fd, line, sizeof(line) - 1) > 0)
			*written += sizeof(line) - 1;
	return G_SOURCE_CONTINUE;
}

static void
flood_waits_for_itself(void **state)
{
	g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
	struct console *console;
	size_t written = 0;
	guint source;
	int fd;

	(void)state;
	console = begin(&fd);
	g_unix_set_fd_nonblocking(fd, TRUE, NULL);
	source = g_unix_fd_add(fd, G_IO_OUT, on_writable, &written);
	g_timeout_add(1500, on_over, loop);
	g_main_loop_run(loop);
	g_source_remove(source);
	close(fd);
	console_free(console);
	/* Two seconds' worth, and what the pipe itself holds. */
	assert_true(written <= 2 * (CONSOLE_RATE + 4096) + 65536 + 4096);
	assert_true(written >= CONSOLE_RATE);
}

static void
files_stay_within_their_size(void **state)
{
	g_autofree char *path = log_path("");
	g_autofree char *older = log_path(".old");
	char chunk[4096];
	struct console *console;
	struct stat st;
	int fd;

	(void)state;
	memset(chunk, 'x', sizeof(chunk));
	chunk[sizeof(chunk) - 1] = '\n';
	console = begin(&fd);
	for (int i = 0; i < 3 * CONSOLE_FILE_MAX / (int)sizeof(chunk); i++) {
		assert_int_equal(write(fd, chunk, sizeof(chunk)), sizeof(chunk));
		(void)console_last_line(console); /* takes what is there, at any rate */
	}
	close(fd);
	console_free(console);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 0 && st.st_size <= CONSOLE_FILE_MAX);
	assert_int_equal(stat(older, &st), 0);
	assert_true(st.st_size > 0 && st.st_size <= CONSOLE_FILE_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		bytes_that_could_reach_a_terminal_become_question_marks, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		last_line_is_the_last_that_was_written, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(flood_waits_for_itself, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(files_stay_within_their_size, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
