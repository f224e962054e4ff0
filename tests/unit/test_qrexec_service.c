#include "qrexec/ports.h"
#include "qrexec/service_config.h"
#include "qrexec/service_lookup.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* --- configuration -------------------------------------------------------------------------- */

static int
config_result(const char *text)
{
	struct service_config config = {0};
	unsigned line, unknown;
	int r = service_config_parse(text, strlen(text), &config, &line, &unknown);

	service_config_clear(&config);
	return r;
}

static void
a_full_configuration_is_read(void **state)
{
	static const char text[] = "# a comment\n\nwait-for-session = 1 # yes\r\n"
				   "force-user\t=\t'root'\nsome_other.key = 'x'\nmore-of-that=12";
	struct service_config config;
	unsigned line, unknown;

	(void)state;
	assert_int_equal(service_config_parse(text, strlen(text), &config, &line, &unknown), 0);
	assert_true(config.wait_for_session);
	assert_string_equal(config.force_user, "root");
	assert_false(service_config_is_for_sockets(&config));
	assert_int_equal(unknown, 2);
	service_config_clear(&config);
}

static void
qrx_18_configuration_that_is_not_valid_is_an_error(void **state)
{
	static const char *const bad[] = {
	    " wait-for-session = true",
	    "wait-for-session",
	    "wait-for-session =",
	    "wait-for-session = 2",
	    "wait-for-session = 00",
	    "wait-for-session = 01",
	    "wait-for-session = 'true'",
	    "wait-for-session = True",
	    "wait-for-session = true x",
	    "wait-for-session = truex",
	    "wait-for-session = true\nwait-for-session = true",
	    "force-user = root",
	    "force-user = \"root\"",
	    "force-user = '''root'''",
	    "force-user = 'root",
	    "force-user = ''",
	    "force-user = 1",
	    "skip-service-descriptor = 1",
	    "exit-on-client-eof = 0",
	    "[section]",
	    "1key = true",
	    "key = -1",
	    "key = 012",
	    "key = 99999999999999999999",
	    " ",
	    "\t# x",
	    "force-user='root'\nskip-service-descriptor=true",
	    "force-user='root'\nexit-on-client-eof=true",
	    "force-user='root'\nexit-on-service-eof=true",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		if (config_result(bad[i]) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void
values_that_are_valid_are_taken(void **state)
{
	static const char *const good[] = {
	    "",
	    "\n\n",
	    "wait-for-session=false",
	    "wait-for-session = 0#",
	    "skip-service-descriptor=true\nexit-on-client-eof=true\nexit-on-service-eof=true\n",
	    "force-user='root'\nexit-on-service-eof=false",
	    "unknown = 0",
	    "unknown = ''",
	    "unknown = 'a # b'",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		if (config_result(good[i]) != 0)
			fail_msg("refused: %s", good[i]);
	}
}

static void
an_error_tells_its_line_and_a_nul_is_one(void **state)
{
	struct service_config config;
	unsigned line, unknown;

	(void)state;
	assert_int_equal(
	    service_config_parse("a=1\n\nb=x\n", 9, &config, &line, &unknown), -EINVAL);
	assert_int_equal(line, 3);
	assert_int_equal(service_config_parse("a=1\n\0", 5, &config, &line, &unknown), -EINVAL);
}

/* --- lookup --------------------------------------------------------------------------------- */

struct folders {
	char *root, *first, *second, *search;
};

static int
setup_folders(void **state)
{
	struct folders *folders = g_new0(struct folders, 1);

	folders->root = g_dir_make_tmp("lookup-XXXXXX", NULL);
	folders->first = g_build_filename(folders->root, "first", NULL);
	folders->second = g_build_filename(folders->root, "second", NULL);
	folders->search = g_strdup_printf(":%s::%s:", folders->first, folders->second);
	g_mkdir(folders->first, 0755);
	g_mkdir(folders->second, 0755);
	*state = folders;
	return 0;
}

static void
remove_folder(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *child = g_build_filename(path, name, NULL);

		if (unlink(child) < 0)
			remove_folder(child);
	}
	g_rmdir(path);
}

static int
teardown_folders(void **state)
{
	struct folders *folders = *state;

	remove_folder(folders->root);
	g_free(folders->root);
	g_free(folders->first);
	g_free(folders->second);
	g_free(folders->search);
	g_free(folders);
	return 0;
}

static void
put(const char *folder, const char *name, mode_t mode)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);

	assert_true(g_file_set_contents(path, "#!/bin/sh\n", -1, NULL));
	assert_int_equal(g_chmod(path, mode), 0);
}

static void
put_link(const char *folder, const char *name, const char *target)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);

	assert_int_equal(symlink(target, path), 0);
}

/* Looks descriptor up and compares the path with folder/name; NULL: not compared. */
static int
look(struct folders *folders, const char *descriptor, const char *folder, const char *name,
    enum service_kind *ret_kind)
{
	g_autofree char *text = g_strdup_printf("QUBESRPC %s dom0", descriptor);
	struct service_found found;
	struct qrexec_command command;
	int r;

	assert_int_equal(qrexec_command_parse(text, false, &command), 0);
	r = service_lookup(folders->search, &command, &found);
	if (r == 0 && folder != NULL) {
		g_autofree char *expected = g_build_filename(folder, name, NULL);

		assert_string_equal(found.path, expected);
	}
	if (r == 0) {
		if (ret_kind != NULL)
			*ret_kind = found.kind;
		service_found_clear(&found);
	}
	qrexec_command_clear(&command);
	return r;
}

static void
q03_the_first_folder_wins_and_the_full_name_before_the_bare_one(void **state)
{
	struct folders *folders = *state;

	put(folders->first, "a", 0755);
	put(folders->second, "a", 0755);
	put(folders->second, "a+x", 0755);
	put(folders->second, "a+", 0755);
	assert_int_equal(look(folders, "a+y", folders->first, "a", NULL), 0);
	assert_int_equal(look(folders, "a+x", folders->second, "a+x", NULL), 0);
	assert_int_equal(look(folders, "a", folders->second, "a+", NULL), 0);
	assert_int_equal(look(folders, "a+", folders->second, "a+", NULL), 0);
	assert_int_equal(look(folders, "b", NULL, NULL, NULL), -ENOENT);
}

static void
q04_a_file_that_cannot_be_executed_is_no_service(void **state)
{
	struct folders *folders = *state;

	put(folders->first, "plain", 0644);
	assert_int_equal(look(folders, "plain", NULL, NULL, NULL), -EACCES);
}

static void
qrx_09_odd_names_and_things_are_not_run(void **state)
{
	struct folders *folders = *state;
	g_autofree char *dir = g_build_filename(folders->first, "dir", NULL);
	g_autofree char *fifo = g_build_filename(folders->first, "fifo", NULL);

	g_mkdir(dir, 0755);
	assert_int_equal(mkfifo(fifo, 0755), 0);
	assert_int_equal(look(folders, ".", NULL, NULL, NULL), -ENOENT);
	assert_int_equal(look(folders, "..", NULL, NULL, NULL), -ENOENT);
	assert_int_equal(look(folders, "../second/a", NULL, NULL, NULL), -ENOENT);
	assert_int_equal(look(folders, "dir", NULL, NULL, NULL), -EACCES);
	assert_int_equal(look(folders, "fifo", NULL, NULL, NULL), -EACCES);
}

static void
a_dangling_link_is_not_there_and_a_loop_ends_the_search(void **state)
{
	struct folders *folders = *state;

	put_link(folders->first, "s", "nowhere");
	put(folders->second, "s", 0755);
	assert_int_equal(look(folders, "s", folders->second, "s", NULL), 0);
	put_link(folders->first, "loop", "loop");
	put(folders->second, "loop", 0755);
	assert_int_equal(look(folders, "loop", NULL, NULL, NULL), -ELOOP);
	put(folders->first, "file", 0644);
	put_link(folders->first, "through", "file/x");
	put(folders->second, "through", 0755);
	assert_int_equal(look(folders, "through", NULL, NULL, NULL), -ENOTDIR);
}

static void
an_argument_too_long_for_a_file_name_falls_back_to_the_bare_name(void **state)
{
	struct folders *folders = *state;
	g_autofree char *argument = g_strnfill(5000, 'x');
	g_autofree char *descriptor = g_strconcat("a+", argument, NULL);

	put(folders->first, "a", 0755);
	assert_int_equal(look(folders, descriptor, folders->first, "a", NULL), 0);
}

static void
sockets_and_tcp_links_are_told_by_their_kind(void **state)
{
	struct folders *folders = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	enum service_kind kind;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", folders->first);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	put_link(folders->first, "link", "sock");
	put_link(folders->first, "tcp", "/dev/tcp/127.0.0.1");
	put_link(folders->first, "tcp0", "/dev/tcp");
	assert_int_equal(look(folders, "sock", NULL, NULL, &kind), 0);
	assert_int_equal(kind, SERVICE_SOCKET);
	assert_int_equal(look(folders, "link", NULL, NULL, &kind), 0);
	assert_int_equal(kind, SERVICE_SOCKET);
	assert_int_equal(look(folders, "tcp+80", NULL, NULL, &kind), 0);
	assert_int_equal(kind, SERVICE_TCP);
	assert_int_equal(look(folders, "tcp0+x", NULL, NULL, &kind), 0);
	assert_int_equal(kind, SERVICE_TCP);
	put_link(folders->first, "nottcp", "/dev/tcpx");
	assert_int_equal(look(folders, "nottcp", NULL, NULL, NULL), -ENOENT);
	close(fd);
}

/* --- TCP ------------------------------------------------------------------------------------ */

static void
tcp_links_lead_to_numeric_places_only(void **state)
{
	static const struct {
		const char *link, *argument, *host, *port; /* host NULL: refused */
	} rows[] = {
	    {"/dev/tcp/127.0.0.1/80", NULL, "127.0.0.1", "80"},
	    {"/dev/tcp/127.0.0.1/80", "", "127.0.0.1", "80"},
	    {"/dev/tcp/127.0.0.1/80", "x", NULL, NULL},
	    {"/dev/tcp/127.0.0.1", "65535", "127.0.0.1", "65535"},
	    {"/dev/tcp/127.0.0.1", "65536", NULL, NULL},
	    {"/dev/tcp/127.0.0.1", "0", NULL, NULL},
	    {"/dev/tcp/127.0.0.1", "080", NULL, NULL},
	    {"/dev/tcp/127.0.0.1", "8a", NULL, NULL},
	    {"/dev/tcp/127.0.0.1", "", NULL, NULL},
	    {"/dev/tcp/127.0.0.1", NULL, NULL, NULL},
	    {"/dev/tcp/::1", "8080", "::1", "8080"},
	    {"/dev/tcp/fe80::1%eth0", "1", "fe80::1%eth0", "1"},
	    {"/dev/tcp", "127.0.0.1+22", "127.0.0.1", "22"},
	    {"/dev/tcp", "++1+22", "::1", "22"},
	    {"/dev/tcp", "2001+db8++1+443", "2001:db8::1", "443"},
	    {"/dev/tcp", "127.0.0.1", NULL, NULL},
	    {"/dev/tcp", "+22", NULL, NULL},
	    {"/dev/tcp", "host_a+22", NULL, NULL},
	    {"/dev/tcp", "localhost+22", NULL, NULL},
	    {"/dev/tcp", "", NULL, NULL},
	    {"/dev/tcp/", "127.0.0.1+22", NULL, NULL},
	    {"/dev/tcp/", "22", NULL, NULL},
	    {"/dev/tcp/localhost/80", NULL, NULL, NULL},
	    {"/dev/tcp/127.0.0.1/", NULL, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *host = NULL;
		g_autofree char *port = NULL;
		int r = service_tcp_parse(rows[i].link, rows[i].argument, &host, &port);

		if ((r == 0) != (rows[i].host != NULL))
			fail_msg("row %zu: %d", i, r);
		if (r < 0)
			continue;
		assert_string_equal(host, rows[i].host);
		assert_string_equal(port, rows[i].port);
	}
}

/* --- ports ---------------------------------------------------------------------------------- */

static uint32_t
take(struct ports *ports, uint32_t peer)
{
	uint32_t port = 0;

	assert_int_equal(ports_take(ports, peer, &port), 0);
	return port;
}

static void
higher_and_lower_peers_get_every_other_port(void **state)
{
	struct ports ports;

	(void)state;
	ports_init(&ports, 5);
	assert_int_equal(take(&ports, 9), 514);
	assert_int_equal(take(&ports, 9), 516);
	assert_int_equal(take(&ports, 2), 513);
	assert_int_equal(take(&ports, 2), 515);
	assert_int_equal(take(&ports, 0), 517);
	assert_int_equal(take(&ports, 0), 518);
}

static void
qrx_11_a_port_is_freed_by_its_own_peer_and_once(void **state)
{
	struct ports ports;

	(void)state;
	ports_init(&ports, 5);
	assert_int_equal(take(&ports, 0), 513);
	assert_int_equal(take(&ports, 0), 514);
	assert_false(ports_release(&ports, 7, 513));
	assert_false(ports_release(&ports, 0, 512));
	assert_false(ports_release(&ports, 0, 769));
	assert_true(ports_release(&ports, 0, 513));
	assert_false(ports_release(&ports, 0, 513));
	assert_int_equal(take(&ports, 0), 513);
}

static void
qrx_11_a_full_table_refuses_and_recovers(void **state)
{
	struct ports ports;
	uint32_t port = 1;

	(void)state;
	ports_init(&ports, 5);
	for (int i = 0; i < 256; i++)
		assert_int_equal(take(&ports, 0), 513 + i);
	assert_int_equal(ports_take(&ports, 0, &port), -ENOSPC);
	assert_int_equal(ports_take(&ports, 9, &port), -ENOSPC);
	assert_int_equal(port, 1);
	assert_true(ports_release(&ports, 0, 768));
	assert_int_equal(take(&ports, 9), 768);
}

int
main(void)
{
#define WITH_FOLDERS(test) cmocka_unit_test_setup_teardown(test, setup_folders, teardown_folders)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_full_configuration_is_read),
	    cmocka_unit_test(qrx_18_configuration_that_is_not_valid_is_an_error),
	    cmocka_unit_test(values_that_are_valid_are_taken),
	    cmocka_unit_test(an_error_tells_its_line_and_a_nul_is_one),
	    WITH_FOLDERS(q03_the_first_folder_wins_and_the_full_name_before_the_bare_one),
	    WITH_FOLDERS(q04_a_file_that_cannot_be_executed_is_no_service),
	    WITH_FOLDERS(qrx_09_odd_names_and_things_are_not_run),
	    WITH_FOLDERS(a_dangling_link_is_not_there_and_a_loop_ends_the_search),
	    WITH_FOLDERS(an_argument_too_long_for_a_file_name_falls_back_to_the_bare_name),
	    WITH_FOLDERS(sockets_and_tcp_links_are_told_by_their_kind),
	    cmocka_unit_test(tcp_links_lead_to_numeric_places_only),
	    cmocka_unit_test(higher_and_lower_peers_get_every_other_port),
	    cmocka_unit_test(qrx_11_a_port_is_freed_by_its_own_peer_and_once),
	    cmocka_unit_test(qrx_11_a_full_table_refuses_and_recovers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
