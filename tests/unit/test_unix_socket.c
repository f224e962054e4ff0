/* Sockets by path: what they are called, who may open them, and who is waited for. */
#include "shared/unix_socket.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char *dir, *path; /* owned */
};

static int
set_up(void **state)
{
	struct place *place = g_new0(struct place, 1);

	place->dir = g_dir_make_tmp("unix-socket-XXXXXX", NULL);
	place->path = g_build_filename(place->dir, "socket", NULL);
	*state = place;
	return 0;
}

static int
tear_down(void **state)
{
	struct place *place = *state;

	g_unlink(place->path);
	g_rmdir(place->dir);
	g_free(place->path);
	g_free(place->dir);
	g_free(place);
	return 0;
}

/* --- the name and listening ------------------------------------------------------------------- */

static const char *listening_path; /* to be looked at when something listens; NULL: do not look */
static bool had_name_before;

int __real_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog);

int
__wrap_listen(int fd, int backlog)
{
	if (listening_path != NULL)
		had_name_before = g_file_test(listening_path, G_FILE_TEST_EXISTS);
	return __real_listen(fd, backlog);
}

static unsigned
files_in(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	unsigned count = 0;

	while (g_dir_read_name(dir) != NULL)
		count++;
	return count;
}

static void
who_sees_the_file_can_connect(void **state)
{
	const struct place *place = *state;
	int listener, dialled;

	had_name_before = true;
	listening_path = place->path;
	listener = unix_socket_listen(place->path, SOCK_STREAM, 1, 0600);
	listening_path = NULL;
	assert_true(listener >= 0);
	assert_false(had_name_before);
	dialled = unix_socket_dial(place->path, SOCK_STREAM);
	assert_true(dialled >= 0);
	assert_int_equal(files_in(place->dir), 1);
	close(dialled);
	close(listener);
}

/* The path itself may be as long as an address can hold, whatever the way to listen there. */
static void
a_socket_listens_at_107_bytes(void **state)
{
	const struct place *place = *state;
	g_autofree char *name = g_strnfill(UNIX_SOCKET_PATH_MAX - strlen(place->dir) - 1, 'x');
	g_autofree char *path = g_build_filename(place->dir, name, NULL);
	int listener = unix_socket_listen(path, SOCK_STREAM, 1, 0600), dialled;

	assert_true(listener >= 0);
	dialled = unix_socket_dial(path, SOCK_STREAM);
	assert_true(dialled >= 0);
	close(dialled);
	close(listener);
	assert_int_equal(g_unlink(path), 0);
}

static void
a_name_without_a_folder_is_in_the_working_folder(void **state)
{
	const struct place *place = *state;
	g_autofree char *before = g_get_current_dir();
	int listener;

	assert_int_equal(g_chdir(place->dir), 0);
	listener = unix_socket_listen("socket", SOCK_STREAM, 1, 0600);
	assert_int_equal(g_chdir(before), 0);
	assert_true(listener >= 0);
	assert_true(g_file_test(place->path, G_FILE_TEST_EXISTS));
	close(listener);
	assert_int_equal(
	    unix_socket_listen("/no/such/folder/socket", SOCK_STREAM, 1, 0600), -ENOENT);
}

/* --- paths, modes, who is there --------------------------------------------------------------- */

static bool
is_close_on_exec(int fd)
{
	return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

static void
a_path_of_107_bytes_is_an_address_and_108_are_not(void **state)
{
	g_autofree char *fits = g_strnfill(UNIX_SOCKET_PATH_MAX, 'x');
	g_autofree char *longer = g_strnfill(UNIX_SOCKET_PATH_MAX + 1, 'x');
	struct sockaddr_un address;

	(void)state;
	assert_int_equal(UNIX_SOCKET_PATH_MAX, 107);
	assert_int_equal(unix_socket_address(fits, &address), 0);
	assert_string_equal(address.sun_path, fits);
	assert_int_equal(unix_socket_address(longer, &address), -ENAMETOOLONG);
	assert_int_equal(unix_socket_dial(longer, SOCK_STREAM), -ENAMETOOLONG);
	assert_int_equal(unix_socket_listen(longer, SOCK_STREAM, 1, 0600), -ENAMETOOLONG);
	assert_int_equal(unix_socket_dial("", SOCK_STREAM), -ENOENT);
}

static void
the_mode_is_what_was_asked_for_under_any_umask(void **state)
{
	static const mode_t masks[] = {0, 022, 077, 0777};
	const struct place *place = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(masks); i++) {
		mode_t before = umask(masks[i]);
		int fd = unix_socket_listen(place->path, SOCK_STREAM, 1, 0660);
		struct stat status;

		umask(before);
		assert_true(fd >= 0);
		assert_int_equal(stat(place->path, &status), 0);
		assert_int_equal(status.st_mode & 07777, 0660);
		assert_true(is_close_on_exec(fd));
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		close(fd);
		assert_int_equal(g_unlink(place->path), 0);
	}
}

static void
a_dead_listener_is_replaced_and_a_living_one_is_not(void **state)
{
	const struct place *place = *state;
	int first = unix_socket_listen(place->path, SOCK_STREAM, 1, 0600);
	int second;

	assert_true(first >= 0);
	assert_int_equal(unix_socket_listen(place->path, SOCK_STREAM, 1, 0600), -EADDRINUSE);
	assert_int_equal(unix_socket_listen(place->path, SOCK_SEQPACKET, 1, 0600), -EADDRINUSE);
	close(first);
	second = unix_socket_listen(place->path, SOCK_STREAM, 1, 0600);
	assert_true(second >= 0);
	close(second);
}

static void
what_is_no_socket_is_never_removed(void **state)
{
	const struct place *place = *state;

	assert_true(g_file_set_contents(place->path, "mine", -1, NULL));
	assert_int_equal(unix_socket_listen(place->path, SOCK_STREAM, 1, 0600), -EEXIST);
	assert_int_equal(g_unlink(place->path), 0);
	assert_int_equal(symlink("/nowhere/at/all", place->path), 0);
	assert_int_equal(unix_socket_listen(place->path, SOCK_STREAM, 1, 0600), -EEXIST);
	assert_true(g_file_test(place->path, G_FILE_TEST_IS_SYMLINK));
}

static void
dialling_says_why_nobody_is_there(void **state)
{
	const struct place *place = *state;
	int listener;

	assert_int_equal(unix_socket_dial(place->path, SOCK_STREAM), -ENOENT);
	listener = unix_socket_listen(place->path, SOCK_STREAM, 1, 0600);
	close(listener);
	assert_int_equal(unix_socket_dial(place->path, SOCK_STREAM), -ECONNREFUSED);
}

/* A listener that does not accept lets in a few, and then nobody. */
static void
dialling_without_blocking_never_waits_for_a_listener(void **state)
{
	const struct place *place = *state;
	int listener = unix_socket_listen(place->path, SOCK_STREAM, 1, 0600);
	int dialled[8];
	size_t count = 0;

	while (count < G_N_ELEMENTS(dialled)) {
		int fd = unix_socket_dial(place->path, SOCK_STREAM | SOCK_NONBLOCK);

		if (fd < 0) {
			assert_int_equal(fd, -EAGAIN);
			break;
		}
		assert_true(is_close_on_exec(fd));
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		dialled[count++] = fd;
	}
	assert_in_range(count, 1, G_N_ELEMENTS(dialled) - 1);
	while (count > 0)
		close(dialled[--count]);
	close(listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(who_sees_the_file_can_connect),
	    TEST(a_socket_listens_at_107_bytes),
	    TEST(a_name_without_a_folder_is_in_the_working_folder),
	    TEST(a_path_of_107_bytes_is_an_address_and_108_are_not),
	    TEST(the_mode_is_what_was_asked_for_under_any_umask),
	    TEST(a_dead_listener_is_replaced_and_a_living_one_is_not),
	    TEST(what_is_no_socket_is_never_removed),
	    TEST(dialling_says_why_nobody_is_there),
	    TEST(dialling_without_blocking_never_waits_for_a_listener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
