#include "qrexec/policy/cache.h"
#include "qrexec/policy/include.h"
#include "qrexec/policy/parse.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A root with the four folders; "run" and "etc" are those of the places. */
struct root {
	char *path;
	struct policy_places *places;
	struct policy *policy;
	struct policy_load_error error;
	struct policy_load_notes notes;
};

static char *
in_root(struct root *root, const char *relative)
{
	return g_build_filename(root->path, relative, NULL);
}

static void
put(struct root *root, const char *relative, const char *text)
{
	g_autofree char *path = in_root(root, relative);
	g_autofree char *folder = g_path_get_dirname(path);

	assert_int_equal(g_mkdir_with_parents(folder, 0700), 0);
	assert_true(g_file_set_contents(path, text, -1, NULL));
}

static int
set_up(void **state)
{
	struct root *root = g_new0(struct root, 1);
	g_autofree char *run = NULL, *etc = NULL, *legacy = NULL;

	root->path = g_dir_make_tmp("test-policy-XXXXXX", NULL);
	run = in_root(root, "run");
	etc = in_root(root, "etc");
	legacy = in_root(root, "legacy");
	g_mkdir(etc, 0700);
	g_mkdir(legacy, 0700);
	root->places = policy_places_new((char *[]){run, etc, NULL});
	g_array_index(root->places->folders, struct policy_folder, 0).optional = true;
	g_free(root->places->legacy_folder);
	root->places->legacy_folder = g_steal_pointer(&legacy);
	*state = root;
	return 0;
}

static void
remove_tree(const char *path)
{
	const char *name;
	GDir *dir;

	g_chmod(path, 0700);
	dir = g_dir_open(path, 0, NULL);
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *inner = g_build_filename(path, name, NULL);

		if (g_file_test(inner, G_FILE_TEST_IS_DIR) &&
		    !g_file_test(inner, G_FILE_TEST_IS_SYMLINK))
			remove_tree(inner);
		else
			g_unlink(inner);
	}
	g_clear_pointer(&dir, g_dir_close);
	g_rmdir(path);
}

static void
forget(struct root *root)
{
	g_clear_pointer(&root->policy, policy_free);
	policy_load_error_clear(&root->error);
	policy_load_notes_fini(&root->notes);
}

static int
tear_down(void **state)
{
	struct root *root = *state;

	forget(root);
	policy_places_free(root->places);
	remove_tree(root->path);
	g_free(root->path);
	g_free(root);
	return 0;
}

static int
load(struct root *root)
{
	forget(root);
	policy_load_notes_init(&root->notes);
	return policy_load(root->places, &root->policy, &root->error, &root->notes);
}

/* The sources of all rules in order, separated by blanks: tests mark their rules with them. */
static char *
sources(struct root *root)
{
	GString *text = g_string_new(NULL);

	for (size_t i = 0; i < policy_rule_count(root->policy); i++)
		g_string_append_printf(
		    text, "%s%s", i > 0 ? " " : "", policy_rule_at(root->policy, i)->source->text);
	return g_string_free(text, FALSE);
}

static void
assert_sources(struct root *root, const char *wanted)
{
	g_autofree char *got = NULL;

	if (load(root) < 0)
		fail_msg("%s:%u: %s", root->error.file, root->error.line, root->error.text);
	got = sources(root);
	assert_string_equal(got, wanted);
}

/* Loading fails at that place. */
static void
assert_error(struct root *root, const char *relative, unsigned line)
{
	g_autofree char *file = in_root(root, relative);

	assert_true(load(root) < 0);
	assert_null(root->policy);
	assert_string_equal(root->error.file, file);
	assert_int_equal(root->error.line, line);
	assert_non_null(root->error.text);
}

/* --- files ---------------------------------------------------------------------------------- */

static void
pol_09_files_are_ordered_by_name_whatever_their_folder(void **state)
{
	struct root *root = *state;

	put(root, "etc/9-x.policy", "s * e9 t allow\n");
	put(root, "etc/30-user.policy", "s * e30 t allow\n");
	put(root, "run/30-user-2.policy", "s * r30-2 t allow\n");
	put(root, "etc/30_user.policy", "s * e30_ t allow\n");
	put(root, "run/10-a.policy", "s * r10 t allow\n");
	put(root, "etc/a.policy", "s * ea t allow\n");
	assert_sources(root, "r10 r30-2 e30 e30_ e9 ea");
}

static void
pol_09_the_first_folder_hides_files_of_the_same_name(void **state)
{
	struct root *root = *state;

	put(root, "run/30-user.policy", "s * run t allow\n");
	put(root, "etc/30-user.policy", "this is no rule\n");
	assert_sources(root, "run");
}

static void
pol_09_what_is_no_policy_file_is_not_read(void **state)
{
	struct root *root = *state;
	g_autofree char *dangling = in_root(root, "etc/dangling.policy");
	g_autofree char *folder = in_root(root, "etc/folder.policy");

	put(root, "etc/.hidden.policy", "x\n");
	put(root, "etc/.policy", "x\n");
	put(root, "etc/30-user.policy~", "x\n");
	put(root, "etc/30-user.policy.rpmnew", "x\n");
	put(root, "etc/UPPER.txt", "x\n");
	put(root, "etc/include/inner.policy", "x\n");
	assert_int_equal(symlink("/nonexistent", dangling), 0);
	assert_int_equal(g_mkdir(folder, 0700), 0);
	put(root, "etc/30-user.policy", "s * only t allow\n");
	assert_sources(root, "only");
}

static void
pol_09_a_name_with_other_characters_refuses_everything(void **state)
{
	static const char *const names[] = {"etc/Upper.policy", "etc/a b.policy", "etc/a\nb.policy",
	    "etc/a+b.policy", "run/\xc3\xa9.policy"};
	struct root *root = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = in_root(root, names[i]);

		put(root, names[i], "");
		assert_error(root, names[i], 0);
		g_unlink(path);
	}
}

static void
pol_10_a_folder_or_file_that_cannot_be_read_refuses_everything(void **state)
{
	struct root *root = *state;
	g_autofree char *etc = in_root(root, "etc");
	g_autofree char *file = in_root(root, "etc/30-user.policy");
	bool is_root = geteuid() == 0;

	put(root, "etc/30-user.policy", "");
	g_chmod(root->path, 0755);
	g_chmod(etc, 0755);
	g_chmod(file, 0);
	if (is_root)
		assert_int_equal(seteuid(65534), 0);
	assert_error(root, "etc/30-user.policy", 0);
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	g_chmod(etc, 0);
	if (is_root)
		assert_int_equal(seteuid(65534), 0);
	assert_error(root, "etc", 0);
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	remove_tree(etc);
	assert_error(root, "etc", 0);
}

static void
pol_10_a_file_that_is_no_text_file_refuses_everything(void **state)
{
	struct root *root = *state;
	g_autofree char *huge = in_root(root, "etc/huge.policy");

	put(root, "etc/huge.policy", "");
	assert_int_equal(truncate(huge, POLICY_FILE_MAX), 0);
	assert_error(root, "etc/huge.policy", 1); /* NUL bytes */
	assert_int_equal(truncate(huge, POLICY_FILE_MAX + 1), 0);
	assert_error(root, "etc/huge.policy", 0);
}

static void
pol_06_errors_name_file_and_line(void **state)
{
	struct root *root = *state;

	put(root, "etc/10-good.policy", "s * a b allow\n");
	put(root, "etc/20-bad.policy", "# one\n\ns * a b maybe\n");
	assert_error(root, "etc/20-bad.policy", 3);
}

/* --- includes ------------------------------------------------------------------------------- */

static void
l01_includes_stand_where_their_line_stands(void **state)
{
	struct root *root = *state;

	put(root, "etc/30-user.policy",
	    "s * a t allow\n!include include/more\n!include-dir sub\n"
	    "!include-service svc +x include/svc\ns * z t allow\n");
	put(root, "etc/include/more", "s * b t allow\n!include include/deep\n");
	put(root, "etc/include/deep", "s * c t allow\n");
	put(root, "etc/sub/20-b.policy", "s * e t allow\n");
	put(root, "etc/sub/10-a.policy", "s * d t allow\n");
	put(root, "etc/include/svc", "f t allow,user=x\n!include include/svc2\n");
	put(root, "etc/include/svc2", "$tag:g t deny\n");
	assert_sources(root, "a b c d e f @tag:g z");
	assert_string_equal(policy_rule_at(root->policy, 6)->service, "svc");
	assert_string_equal(policy_rule_at(root->policy, 6)->argument, "+x");
}

static void
l01_relative_paths_begin_at_the_top_files_folder(void **state)
{
	struct root *root = *state;

	put(root, "run/10-r.policy", "!include include/x\n");
	put(root, "run/include/x", "s * run t allow\n");
	put(root, "etc/20-e.policy", "!include include/x\n");
	put(root, "etc/include/x", "s * etc t allow\n");
	assert_sources(root, "run etc");
}

static void
pol_07_an_include_that_is_not_there_blames_its_line(void **state)
{
	static const char *const lines[] = {"!include nothing\n", "!include-dir nothing\n",
	    "!include sub\n", "!include-dir file\n", "!include-service s * nothing\n",
	    "!include /dev/null\n", "!include pipe\n", "!include dangling\n"};
	struct root *root = *state;
	g_autofree char *pipe = in_root(root, "etc/pipe");
	g_autofree char *dangling = in_root(root, "etc/dangling");

	put(root, "etc/sub/x", "");
	put(root, "etc/file", "");
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(symlink("/nonexistent", dangling), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autofree char *text = g_strconcat("\n", lines[i], NULL);

		put(root, "etc/30-user.policy", text);
		assert_error(root, "etc/30-user.policy", 2);
	}
}

static void
pol_07_circles_and_depth_are_refused_at_once(void **state)
{
	struct root *root = *state;
	gint64 begin = g_get_monotonic_time();

	put(root, "etc/30-user.policy", "!include a\n");
	put(root, "etc/a", "!include b\n");
	put(root, "etc/b", "# x\n!include a\n");
	assert_error(root, "etc/b", 2);
	assert_non_null(strstr(root->error.text, "30-user.policy -> "));

	put(root, "etc/a", "!include a\n");
	assert_error(root, "etc/a", 1);

	for (int i = 0; i <= POLICY_DEPTH_MAX + 1; i++) {
		g_autofree char *name = g_strdup_printf("etc/d%d", i);
		g_autofree char *text = g_strdup_printf("!include d%d\n", i + 1);

		put(root, name, text);
	}
	put(root, "etc/30-user.policy", "!include d2\n");
	put(root, "etc/d33", "s * deep t allow\n");
	assert_sources(root, "deep"); /* 32 files below the first */
	put(root, "etc/30-user.policy", "!include d1\n");
	assert_error(root, "etc/d32", 1);
	assert_true(g_get_monotonic_time() - begin < 1000000);
}

static void
pol_07_includes_cannot_multiply_without_end(void **state)
{
	struct root *root = *state;

	/* each file includes the next one twice: 2^20 readings if nobody counted */
	for (int i = 0; i < 20; i++) {
		g_autofree char *name = g_strdup_printf("etc/m%d", i);
		g_autofree char *text =
		    g_strdup_printf("!include m%d\n!include m%d\n", i + 1, i + 1);

		put(root, name, text);
	}
	put(root, "etc/m20", "");
	put(root, "etc/30-user.policy", "!include m0\n");
	assert_int_equal(load(root), -E2BIG);
}

/* --- the old format ------------------------------------------------------------------------- */

static void
l01_legacy_files_are_read_in_order_with_their_implied_denials(void **state)
{
	struct root *root = *state;

	put(root, "etc/35-compat.policy", "s * before t allow\n!compat-4.0\ns * after t allow\n");
	put(root, "legacy/b.Svc", "b t allow\n");
	put(root, "legacy/a.Svc", "any t allow\n");
	put(root, "legacy/a.Svc+y", "y t ask,default_target=x\n");
	put(root, "legacy/a.Svc+x", "x t allow\n");
	put(root, "legacy/a.Svc.rpmsave", "bad\n");
	put(root, "legacy/a.Svc.swp", "bad\n");
	put(root, "legacy/.hidden", "bad\n");
	put(root, "legacy/with space", "bad\n");
	put(root, "legacy/folder/c", "bad\n");
	assert_sources(root, "before x @anyvm @anyvm y @anyvm @anyvm any b after");
	assert_int_equal(policy_rule_at(root->policy, 2)->line, 0);
	assert_string_equal(policy_rule_at(root->policy, 2)->argument, "+x");
	assert_string_equal(policy_rule_at(root->policy, 2)->target->text, "@anyvm");
	assert_string_equal(policy_rule_at(root->policy, 3)->target->text, "@adminvm");
	assert_null(policy_rule_at(root->policy, 7)->argument);
	assert_int_equal(root->notes.warnings->len, 1);
}

static void
l01_without_the_legacy_folder_compat_refuses_everything(void **state)
{
	struct root *root = *state;

	put(root, "etc/35-compat.policy", "!compat-4.0\n");
	remove_tree(root->places->legacy_folder);
	assert_error(root, "etc/35-compat.policy", 1);
}

/* --- what is shipped ------------------------------------------------------------------------ */

static void
l20_the_shipped_policy_loads_without_a_warning(void **state)
{
	struct root *root = *state;
	char *const folders[] = {(char *)"packaging/policy", NULL};

	policy_places_free(root->places);
	root->places = policy_places_new(folders);
	if (load(root) < 0)
		fail_msg("%s:%u: %s", root->error.file, root->error.line, root->error.text);
	assert_int_equal(root->notes.warnings->len, 0);
	assert_true(policy_rule_count(root->policy) > 40);
}

static void
pol_02_names_that_cannot_match_are_warned_about(void **state)
{
	struct root *root = *state;

	put(root, "etc/30-user.policy", "s * wor? t allow\n");
	assert_sources(root, "wor?");
	assert_int_equal(root->notes.warnings->len, 1);
}

/* --- the cache ------------------------------------------------------------------------------ */

static void
pol_11_a_change_is_seen_by_the_next_look(void **state)
{
	struct root *root = *state;
	g_autofree char *etc = in_root(root, "etc");
	struct policy_cache *cache = policy_cache_new(policy_places_new((char *[]){etc, NULL}));

	put(root, "etc/30-user.policy", "s * a t allow\n!include include/x\n");
	put(root, "etc/include/x", "s * b t allow\n");
	assert_int_equal(policy_rule_count(policy_cache_get(cache)), 2);
	put(root, "etc/include/x", "s * b t allow\ns * c t allow\n");
	assert_int_equal(policy_rule_count(policy_cache_get(cache)), 3);
	put(root, "etc/40-more.policy", "s * d t allow\n");
	assert_int_equal(policy_rule_count(policy_cache_get(cache)), 4);
	put(root, "etc/40-more.policy", "nonsense\n");
	assert_null(policy_cache_get(cache));
	assert_non_null(strstr(policy_cache_error(cache), "40-more.policy:1: "));
	put(root, "etc/40-more.policy", "");
	assert_int_equal(policy_rule_count(policy_cache_get(cache)), 3);
	assert_null(policy_cache_error(cache));
	policy_cache_free(cache);
}

int
main(void)
{
#define ROOTED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    ROOTED(pol_09_files_are_ordered_by_name_whatever_their_folder),
	    ROOTED(pol_09_the_first_folder_hides_files_of_the_same_name),
	    ROOTED(pol_09_what_is_no_policy_file_is_not_read),
	    ROOTED(pol_09_a_name_with_other_characters_refuses_everything),
	    ROOTED(pol_10_a_folder_or_file_that_cannot_be_read_refuses_everything),
	    ROOTED(pol_10_a_file_that_is_no_text_file_refuses_everything),
	    ROOTED(pol_06_errors_name_file_and_line),
	    ROOTED(l01_includes_stand_where_their_line_stands),
	    ROOTED(l01_relative_paths_begin_at_the_top_files_folder),
	    ROOTED(pol_07_an_include_that_is_not_there_blames_its_line),
	    ROOTED(pol_07_circles_and_depth_are_refused_at_once),
	    ROOTED(pol_07_includes_cannot_multiply_without_end),
	    ROOTED(l01_legacy_files_are_read_in_order_with_their_implied_denials),
	    ROOTED(l01_without_the_legacy_folder_compat_refuses_everything),
	    ROOTED(l20_the_shipped_policy_loads_without_a_warning),
	    ROOTED(pol_02_names_that_cannot_match_are_warned_about),
	    ROOTED(pol_11_a_change_is_seen_by_the_next_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
