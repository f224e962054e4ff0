/* The sockets of qubesd: framing in time, limits, and readers who misbehave. */
#include "qubesd/admin_decode.h"
#include "qubesd/admin_server.h"
#include "shared/admin_client.h"
#include "shared/paths.h"
#include "tests/unit/admin_fixture.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct rig {
	struct admin_fixture *fixture;
	struct admin_server *server;
};

static int
set_up(void **state)
{
	struct rig *rig = g_new0(struct rig, 1);
	g_autofree char *message = NULL;

	rig->fixture = admin_fixture_new();
	g_setenv("QUBES_RUNTIME_DIR", rig->fixture->dir, TRUE);
	assert_int_equal(admin_server_new(rig->fixture->admin, &rig->server, &message), 0);
	*state = rig;
	return 0;
}

static int
tear_down(void **state)
{
	struct rig *rig = *state;

	admin_server_free(rig->server);
	admin_fixture_free(rig->fixture);
	g_free(rig);
	return 0;
}

/* --- a client ------------------------------------------------------------------------------- */

static int
dial(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	g_autofree char *path = path_qubesd_socket(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void
spin(unsigned turns)
{
	for (unsigned i = 0; i < turns; i++)
		g_main_context_iteration(NULL, FALSE);
}

/* Writes all of it while the daemon reads; false: the daemon has hung up. */
static bool
put(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
		spin(4);
	}
	return true;
}

/* What comes until the end of file; NULL with errno when the connection was reset. */
static GByteArray *
take(int fd)
{
	GByteArray *reply = g_byte_array_new();
	guint8 block[65536];

	for (unsigned idle = 0; idle < 20000; idle++) {
		ssize_t n = read(fd, block, sizeof(block));

		if (n == 0)
			return reply;
		if (n < 0 && errno != EAGAIN) {
			g_byte_array_unref(reply);
			return NULL;
		}
		if (n > 0) {
			g_byte_array_append(reply, block, (guint)n);
			idle = 0;
		}
		spin(4);
		if (n < 0)
			g_usleep(100);
	}
	fail_msg("no end of file");
	return NULL;
}

static GByteArray *
ask(const char *socket, const void *request, size_t len)
{
	int fd = dial(socket);
	GByteArray *reply;

	if (put(fd, request, len))
		shutdown(fd, SHUT_WR);
	reply = take(fd);
	close(fd);
	return reply;
}

static void
assert_dropped(const void *request, size_t len)
{
	g_autoptr(GByteArray) reply = ask("qubesd.sock", request, len);

	assert_true(reply == NULL || reply->len == 0);
}

static void
assert_works(void)
{
	static const char request[] = "admin.label.Get+red dom0 name dom0";
	g_autoptr(GByteArray) reply = ask("qubesd.sock", request, sizeof(request));

	assert_non_null(reply);
	assert_int_equal(reply->len, 10);
	assert_memory_equal(reply->data, "0\0000xcc0000", 10);
}

/* --- tests ---------------------------------------------------------------------------------- */

static void
every_socket_has_its_methods_and_mode_0660(void **state)
{
	static const char *const names[] = {
	    "qubesd.sock", "qubesd.internal.sock", "qubesd.misc.sock"};
	static const char request[] = "internal.GetSystemInfo dom0 name dom0";

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = path_qubesd_socket(names[i]);
		g_autoptr(GByteArray) reply = ask(names[i], request, sizeof(request));
		struct stat status;

		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_mode & 0777, 0660);
		assert_int_equal(reply->data[0], i == 1 ? '0' : '2');
	}
}

static void
adm_01_broken_frames_are_dropped_and_nothing_else_suffers(void **state)
{
	static const char two_spaces[] = "admin.vm.List  dom0 name dom0";
	static const char other_type[] = "admin.vm.List dom0 uuid dom0";

	(void)state;
	assert_dropped("", 0);
	assert_dropped("admin.vm.List", 13);
	assert_dropped("admin.vm.List dom0 name", 24);
	assert_dropped(two_spaces, sizeof(two_spaces));
	assert_dropped(other_type, sizeof(other_type));
	assert_works();
}

static void
adm_01_65536_bytes_are_answered_and_65537_are_not(void **state)
{
	static const char head[] = "admin.vm.notes.Set dom0 name test-vm1";
	g_autofree char *bytes = g_strnfill(ADMIN_REQUEST_MAX + 1, 'x');
	g_autoptr(GByteArray) reply = NULL;

	(void)state;
	memcpy(bytes, head, sizeof(head));
	reply = ask("qubesd.sock", bytes, ADMIN_REQUEST_MAX);
	assert_int_equal(reply->len, 2);
	assert_dropped(bytes, ADMIN_REQUEST_MAX + 1);
	assert_works();
}

static void
adm_01_a_request_may_come_byte_by_byte(void **state)
{
	static const char request[] = "admin.label.Get+red dom0 name dom0";
	g_autoptr(GByteArray) reply = NULL;
	int fd = dial("qubesd.sock");

	(void)state;
	for (size_t i = 0; i < sizeof(request); i++)
		assert_true(put(fd, request + i, 1));
	shutdown(fd, SHUT_WR);
	reply = take(fd);
	assert_int_equal(reply->len, 10);
	close(fd);
}

static void
adm_01_of_many_that_never_end_the_oldest_goes(void **state)
{
	int fds[ADMIN_SERVER_READING_MAX + 1];
	guint8 byte;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++) {
		fds[i] = dial("qubesd.sock");
		assert_true(put(fds[i], "a", 1));
	}
	spin(2000);
	assert_true(read(fds[0], &byte, 1) == 0 || errno == ECONNRESET);
	assert_int_equal(read(fds[1], &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		close(fds[i]);
	spin(2000);
	assert_works();
}

static void
adm_09_a_caller_who_leaves_does_not_stop_what_he_asked_for(void **state)
{
	static const char request[] = "admin.vm.tag.Set+left dom0 name test-vm1";
	struct rig *rig = *state;
	int fd = dial("qubesd.sock");

	assert_true(put(fd, request, sizeof(request)));
	close(fd);
	for (unsigned i = 0;
	     i < 1000 && !domain_has_tag(qubes_app_find(rig->fixture->app, "test-vm1"), "left");
	     i++)
		spin(4);
	assert_true(domain_has_tag(qubes_app_find(rig->fixture->app, "test-vm1"), "left"));
	assert_works();
}

static void
adm_14_who_does_not_read_his_events_is_disconnected_and_others_are_not(void **state)
{
	static const char request[] = "admin.Events dom0 name dom0";
	struct rig *rig = *state;
	struct domain *domain = qubes_app_find(rig->fixture->app, "test-vm1");
	g_autofree char *value = g_strnfill(4000, 'v');
	int slow = dial("qubesd.sock"), quick = dial("qubesd.sock");
	size_t heard = 0, fired = 0;
	g_autoptr(GByteArray) rest = NULL;
	guint8 block[65536];

	assert_true(put(slow, request, sizeof(request)) && put(quick, request, sizeof(request)));
	shutdown(slow, SHUT_WR);
	shutdown(quick, SHUT_WR);
	spin(100);
	for (unsigned i = 0; i < 3000; i++) {
		ssize_t n;

		event_fire(rig->fixture->app, domain, "domain-feature-set:f", "feature", "f",
		    "value", value, NULL);
		fired += 4000;
		spin(2);
		while ((n = read(quick, block, sizeof(block))) > 0)
			heard += (size_t)n;
	}
	assert_true(heard > fired);
	rest = take(slow);
	assert_true(rest == NULL || rest->len < 6u << 20);
	close(slow);
	close(quick);
	assert_works();
}

/* 200 qubes with 256 long tags: more than a reader of events may have waiting. */
static void
system_information_of_many_qubes_reaches_a_policy_daemon_that_is_slow(void **state)
{
	static const char request[] = "internal.SystemInfoEvents dom0 name dom0";
	static const char end[] = "1\0\0system-info-complete\0";
	struct rig *rig = *state;
	struct qubes_app *app = rig->fixture->app;
	g_autofree char *filler = g_strnfill(120, 't');
	g_autoptr(GByteArray) heard = g_byte_array_new();
	guint8 block[65536];
	int reader;

	for (unsigned i = 0; i < 200; i++) {
		struct admin_error error = {0};
		g_autofree char *name = g_strdup_printf("many%u", i);
		struct qubes_app_new_domain spec = {.klass = DOMAIN_APP,
		    .name = name,
		    .label = qubes_app_label(app, "red"),
		    .template = qubes_app_find(app, "test-template"),
		    .creator = qubes_app_dom0(app)};
		struct domain *domain = qubes_app_create_domain(app, &spec, &error);

		assert_non_null(domain);
		for (unsigned t = 0; t < 255; t++) {
			g_autofree char *tag = g_strdup_printf("%s%u", filler, t);

			domain_tag_load(domain, tag);
		}
		event_fire(app, domain, "domain-tag-add:x", "tag", "x", NULL);
	}
	reader = dial("qubesd.internal.sock");
	assert_true(put(reader, request, sizeof(request)));
	shutdown(reader, SHUT_WR);
	spin(200);
	for (unsigned idle = 0; idle < 1000; idle++) {
		ssize_t n = read(reader, block, sizeof(block));

		if (n > 0) {
			g_byte_array_append(heard, block, (guint)n);
			idle = 0;
		}
		spin(2);
	}
	assert_true(heard->len > ADMIN_SERVER_QUEUE_MAX);
	assert_non_null(memmem(heard->data, heard->len, end, sizeof(end)));
	close(reader);
}

/* From here on no descriptor can be opened. Returns the limit as it was. */
static struct rlimit
take_away_descriptors(void)
{
	struct rlimit before, none;
	int next = dup(STDERR_FILENO);

	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	return before;
}

static void
a_lack_of_descriptors_passes_also_while_nobody_but_readers_of_events_is_there(void **state)
{
	static const char events[] = "admin.Events dom0 name dom0";
	static const char request[] = "admin.label.Get+red dom0 name dom0";
	int reader = dial("qubesd.sock"), caller;
	g_autoptr(GByteArray) reply = NULL;
	struct rlimit before;

	(void)state;
	assert_true(put(reader, events, sizeof(events)));
	shutdown(reader, SHUT_WR);
	spin(100);
	caller = dial("qubesd.sock");
	before = take_away_descriptors();
	spin(100);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(put(caller, request, sizeof(request)));
	shutdown(caller, SHUT_WR);
	reply = take(caller);
	assert_non_null(reply);
	assert_int_equal(reply->len, 10);
	close(caller);
	close(reader);
}

static void
a_second_daemon_on_the_sockets_is_refused_and_a_stale_file_is_not(void **state)
{
	struct rig *rig = *state;
	g_autofree char *path = path_qubesd_socket("qubesd.sock");
	g_autofree char *message = NULL;
	struct admin_server *second;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int stale;

	assert_int_equal(admin_server_new(rig->fixture->admin, &second, &message), -EADDRINUSE);
	assert_non_null(strstr(message, path));
	admin_server_free(g_steal_pointer(&rig->server));

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof(address)), 0);
	close(stale);
	g_clear_pointer(&message, g_free);
	assert_int_equal(admin_server_new(rig->fixture->admin, &rig->server, &message), 0);
	assert_works();
}

static void
after_stop_nobody_is_let_in_and_streams_end(void **state)
{
	static const char request[] = "admin.Events dom0 name dom0";
	struct rig *rig = *state;
	g_autofree char *path = path_qubesd_socket("qubesd.sock");
	g_autoptr(GByteArray) heard = NULL;
	int fd = dial("qubesd.sock");

	assert_true(put(fd, request, sizeof(request)));
	shutdown(fd, SHUT_WR);
	spin(100);
	assert_int_equal(admin_server_busy(rig->server), 0);
	admin_server_stop(rig->server);
	heard = take(fd);
	assert_non_null(heard);
	close(fd);
	assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
	assert_int_equal(admin_server_busy(rig->server), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(every_socket_has_its_methods_and_mode_0660),
	    TEST(adm_01_broken_frames_are_dropped_and_nothing_else_suffers),
	    TEST(adm_01_65536_bytes_are_answered_and_65537_are_not),
	    TEST(adm_01_a_request_may_come_byte_by_byte),
	    TEST(adm_01_of_many_that_never_end_the_oldest_goes),
	    TEST(adm_09_a_caller_who_leaves_does_not_stop_what_he_asked_for),
	    TEST(adm_14_who_does_not_read_his_events_is_disconnected_and_others_are_not),
	    TEST(system_information_of_many_qubes_reaches_a_policy_daemon_that_is_slow),
	    TEST(a_lack_of_descriptors_passes_also_while_nobody_but_readers_of_events_is_there),
	    TEST(a_second_daemon_on_the_sockets_is_refused_and_a_stale_file_is_not),
	    TEST(after_stop_nobody_is_let_in_and_streams_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
