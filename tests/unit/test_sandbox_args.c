/* What bubblewrap is told, for each kind of identity; the folder of a template is made up. */
#include "tests/unit/unit.h"

#include "qubesd/sandbox/bwrap_args.h"
#include "qubesd/sandbox/etc_files.h"
#include "qubesd/sandbox/tree.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static char *root; /* of the template */

static void
make_file(const char *name)
{
	g_autofree char *path = g_build_filename(root, name, NULL);
	g_autofree char *folder = g_path_get_dirname(path);

	assert_int_equal(g_mkdir_with_parents(folder, 0755), 0);
	assert_true(g_file_set_contents(path, "x", 1, NULL));
}

static int
set_up(void **state)
{
	static const char *const files[] = {"usr/bin/bash", "usr/bin/qvm-ls", "usr/sbin/qubesd",
	    "usr/bin/qrexec-client", "usr/bin/quber", "usr/local/bin/x", "etc/shadow",
	    "etc/ssl/private/key", "etc/fonts/fonts.conf", "usr/lib/x"};

	(void)state;
	root = g_dir_make_tmp("test_args-XXXXXX", NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
		make_file(files[i]);
	{
		g_autofree char *zone = g_build_filename(root, "etc/localtime", NULL);

		assert_int_equal(symlink("/usr/share/zoneinfo/Europe/Berlin", zone), 0);
	}
	return 0;
}

static int
tear_down(void **state)
{
	int r = tree_remove(root);

	(void)state;
	g_free(root);
	return r;
}

/* All arguments joined by newlines, with one before and one behind each. */
static char *
arguments_for(enum identity_kind kind, const struct sandbox_options *options)
{
	struct identity identity = {.kind = kind, .owner = {1000000, 16384}, .user = 1001000};
	g_autofree char *usr = g_build_filename(root, "usr", NULL);
	g_autofree char *etc = g_build_filename(root, "etc", NULL);
	struct stage stage = {.paths = {usr, etc, (char *)"/s/guest", (char *)"/s/rw",
				  (char *)"/s/home", (char *)"/s/usrlocal", (char *)"/s/vchan"}};
	struct bwrap_args args;
	g_autofree char *joined = NULL;
	char *text;

	assert_int_equal(
	    bwrap_args_new("/usr/bin/bwrap", options, &identity, &stage, 40, 41, &args), 0);
	joined = g_strjoinv("\n", (char **)args.argv->pdata);
	text = g_strconcat("\n", joined, "\n", NULL);
	bwrap_args_clear(&args);
	return text;
}

static struct sandbox_options
sample(void)
{
	struct sandbox_options options = {
	    .name = (char *)"work",
	    .uuid = (char *)"2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21",
	    .klass = (char *)"AppVM",
	    .default_user = (char *)"user",
	    .keyboard_layout = (char *)"us++",
	    .private_dir = (char *)"/p",
	    .root_dir = root,
	    .qid = 3,
	    .xid = 1,
	    .memory_mib = 100,
	    .gui_domain = 0,
	};

	return options;
}

static void
assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("not there: %s", part);
}

static void
every_kind_has_all_namespaces_and_loses_all_capabilities_first(void **state)
{
	static const enum identity_kind kinds[] = {IDENTITY_RANGE, IDENTITY_SINGLE, IDENTITY_OWN};
	struct sandbox_options options = sample();

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autofree char *text = arguments_for(kinds[i], &options);
		const char *drop = strstr(text, "\n--cap-drop\nALL\n");
		const char *add = strstr(text, "\n--cap-add\n");

		assert_has(text, "\n--unshare-ipc\n--unshare-pid\n--unshare-net\n--unshare-uts\n");
		assert_has(text, "\n--new-session\n");
		assert_has(text, "\n--die-with-parent\n");
		assert_has(text, "\n--clearenv\n");
		assert_has(text, "\n--seccomp\n");
		assert_has(text, "\n--hostname\nwork\n");
		assert_null(strstr(text, "\n--share-net\n"));
		assert_non_null(drop);
		assert_true(add == NULL || add > drop);
		assert_int_equal(add != NULL, kinds[i] == IDENTITY_RANGE);
		assert_int_equal(
		    strstr(text, "\n--unshare-user\n--uid\n1000\n--gid\n1000\n") != NULL,
		    kinds[i] != IDENTITY_RANGE);
	}
}

static void
programs_of_the_trusted_side_are_covered_and_no_others(void **state)
{
	struct sandbox_options options = sample();
	g_autofree char *text = arguments_for(IDENTITY_OWN, &options);

	(void)state;
	assert_has(text, "\n--ro-bind\n/dev/null\n/usr/bin/qvm-ls\n");
	assert_has(text, "\n--ro-bind\n/dev/null\n/usr/sbin/qubesd\n");
	assert_has(text, "\n--ro-bind\n/dev/null\n/usr/bin/qrexec-client\n");
	assert_null(strstr(text, "/usr/bin/quber"));
	assert_null(strstr(text, "/usr/bin/bash"));
}

static void
template_is_read_only_and_private_parts_are_not(void **state)
{
	struct sandbox_options options = sample();
	g_autofree char *text = arguments_for(IDENTITY_OWN, &options);
	g_autofree char *usr = g_strdup_printf("\n--ro-bind\n%s/usr\n/usr\n", root);

	(void)state;
	assert_has(text, "\n--bind\n/s/usrlocal\n/usr/local\n");
	assert_has(text, "\n--bind\n/s/home\n/home\n");
	assert_has(text, "\n--bind\n/s/rw\n/rw\n");
	assert_has(text, "\n--ro-bind\n/s/guest\n/opt/bordure\n");
	assert_has(text, "\n--symlink\nusr/bin\n/bin\n");
	assert_has(text, "\n--symlink\nusr/lib\n/lib\n");
	assert_null(strstr(text, "/lib64"));
	assert_has(text, usr);
	assert_has(text, "\n--remount-ro\n/\n");
}

static void
secrets_of_the_template_are_on_no_list(void **state)
{
	static const char *const secrets[] = {"shadow", "gshadow", "sudoers", "sudoers.d", "ssh",
	    "ssl", "ssl/private", "krb5.keytab", "passwd", "group", "machine-id", "hostname",
	    "hosts", "resolv.conf", "fstab", "crypttab", "environment", "profile.d", "pam.d",
	    "security", "NetworkManager", "wpa_supplicant", "apt", "cron.d", "systemd"};
	struct sandbox_options options = sample();
	g_autofree char *text = arguments_for(IDENTITY_OWN, &options);

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(secrets); i++)
		assert_false(g_strv_contains(etc_files_bound, secrets[i]));
	assert_null(strstr(text, "shadow"));
	assert_null(strstr(text, "private/key"));
	assert_has(text, "/etc/fonts\n/etc/fonts\n");
	assert_has(text, "\n--symlink\n/usr/share/zoneinfo/Europe/Berlin\n/etc/localtime\n");
}

static void
guest_conf_says_what_the_guest_must_know(void **state)
{
	struct sandbox_options options = sample();
	g_autofree char *with = NULL, *without = NULL;

	(void)state;
	assert_int_equal(etc_files_guest_conf(&options, true, &with), 0);
	assert_string_equal(with,
	    "name=work\nuuid=2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21\ntype=AppVM\nxid=1\n"
	    "default-user=user\ngui-domain-xid=0\nkeyboard-layout=us++\ndebug=0\nprivileged=1\n");
	options.gui_domain = -1;
	assert_int_equal(etc_files_guest_conf(&options, false, &without), 0);
	assert_null(strstr(without, "gui-domain-xid"));
	assert_has(without, "\nprivileged=0\n");
}

static int
parse(const char *const *words, struct sandbox_options *ret, char **ret_error)
{
	g_auto(GStrv) argv = g_strdupv((char **)words);
	g_autofree char **given = g_memdup2(argv, (g_strv_length(argv) + 1) * sizeof(*argv));

	return sandbox_options_parse((int)g_strv_length(argv), given, ret, ret_error);
}

static void
options_that_could_lead_elsewhere_are_refused(void **state)
{
	static const char *const wrong[] = {"--name=../x", "--name=a/b", "--name=", "--uuid=x",
	    "--qid=0", "--xid=0", "--private=relative", "--root=relative", "--user=../root",
	    "--user=Root", "--user=", "--class=../x", "--class=App\nx", "--private-source=relative",
	    "--keyboard-layout=us\nprivileged=1"};
	const char *words[] = {"bordure-sandbox", "--name=work",
	    "--uuid=2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21", "--class=AppVM", "--qid=3", "--xid=1",
	    "--private=/p", "--status-fd=3", NULL, NULL};
	struct sandbox_options options;

	(void)state;
	{
		g_autofree char *error = NULL;

		assert_int_equal(parse(words, &options, &error), 0);
		assert_int_equal(sandbox_options_check_start(&options, &error), 0);
		sandbox_options_clear(&options);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autofree char *error = NULL;

		words[8] = wrong[i]; /* the last one counts */
		assert_int_equal(parse(words, &options, &error), 0);
		assert_int_equal(sandbox_options_check_start(&options, &error), -EINVAL);
		assert_true(strncmp(error, wrong[i], strcspn(wrong[i], "=")) == 0);
		sandbox_options_clear(&options);
	}
}

static void
options_out_of_range_are_refused(void **state)
{
	static const char *const wrong[] = {"--qid=10000", "--qid=-1", "--xid=2147483648",
	    "--xid=-1", "--memory=15", "--nothing", "word"};
	struct sandbox_options options;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		const char *words[] = {"bordure-sandbox", wrong[i], NULL};
		g_autofree char *error = NULL;

		assert_int_equal(parse(words, &options, &error), -EINVAL);
		assert_non_null(error);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind_has_all_namespaces_and_loses_all_capabilities_first),
	    cmocka_unit_test(programs_of_the_trusted_side_are_covered_and_no_others),
	    cmocka_unit_test(template_is_read_only_and_private_parts_are_not),
	    cmocka_unit_test(secrets_of_the_template_are_on_no_list),
	    cmocka_unit_test(guest_conf_says_what_the_guest_must_know),
	    cmocka_unit_test(options_that_could_lead_elsewhere_are_refused),
	    cmocka_unit_test(options_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
