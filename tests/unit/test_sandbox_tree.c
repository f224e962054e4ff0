#include "tests/unit/unit.h"

#include "qubesd/sandbox/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder;

static int
make(void **state)
{
	(void)state;
	folder = g_dir_make_tmp("test_tree-XXXXXX", NULL);
	return folder != NULL ? 0 : -1;
}

static int
unmake(void **state)
{
	int r = tree_remove(folder);

	(void)state;
	g_free(folder);
	return r;
}

static char *
in_folder(const char *name)
{
	return g_build_filename(folder, name, NULL);
}

static void
remove_does_not_follow_links(void **state)
{
	g_autofree char *kept = in_folder("kept");
	g_autofree char *kept_file = in_folder("kept/file");
	g_autofree char *tree = in_folder("tree");
	g_autofree char *link = in_folder("tree/link");
	g_autofree char *dangling = in_folder("tree/dangling");

	(void)state;
	g_mkdir(kept, 0755);
	assert_true(g_file_set_contents(kept_file, "x", 1, NULL));
	g_mkdir(tree, 0755);
	assert_int_equal(symlink(kept, link), 0);
	assert_int_equal(symlink("/nowhere", dangling), 0);
	assert_int_equal(tree_remove(tree), 0);
	assert_int_equal(access(tree, F_OK), -1);
	assert_int_equal(access(kept_file, F_OK), 0);
}

static void
remove_of_a_link_leaves_its_target(void **state)
{
	g_autofree char *kept = in_folder("target");
	g_autofree char *link = in_folder("link");

	(void)state;
	g_mkdir(kept, 0755);
	assert_int_equal(symlink(kept, link), 0);
	assert_int_equal(tree_remove(link), 0);
	assert_int_equal(access(kept, F_OK), 0);
}

/* Deeper than there are descriptors, and than a path may be long. */
static void
remove_works_at_any_depth(void **state)
{
	g_autofree char *tree = in_folder("deep");
	int at;

	(void)state;
	g_mkdir(tree, 0755);
	at = open(tree, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 1200; i++) {
		int next;

		assert_int_equal(mkdirat(at, "d", 0700), 0);
		assert_int_equal(mkdirat(at, ".deep-0", 0700), 0); /* a name of the remover's own */
		next = openat(at, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(at);
		at = next;
	}
	close(at);
	assert_int_equal(tree_remove(tree), 0);
	assert_int_equal(access(tree, F_OK), -1);
}

static void
remove_opens_folders_that_nobody_may_read(void **state)
{
	g_autofree char *tree = in_folder("closed");
	g_autofree char *inside = in_folder("closed/a");
	g_autofree char *below = in_folder("closed/a/b");

	(void)state;
	assert_int_equal(g_mkdir_with_parents(below, 0700), 0);
	assert_int_equal(chmod(inside, 0), 0);
	assert_int_equal(tree_remove(tree), 0);
	assert_int_equal(access(tree, F_OK), -1);
}

static void
remove_of_nothing_succeeds(void **state)
{
	g_autofree char *path = in_folder("nothing");

	(void)state;
	assert_int_equal(tree_remove(path), 0);
}

static void
copy_keeps_contents_modes_links_and_holes(void **state)
{
	g_autofree char *from = in_folder("from");
	g_autofree char *file = in_folder("from/sub/file");
	g_autofree char *sub = in_folder("from/sub");
	g_autofree char *link = in_folder("from/link");
	g_autofree char *to = in_folder("to");
	g_autofree char *copied = in_folder("to/sub/file");
	g_autofree char *copied_link = in_folder("to/link");
	g_autofree char *target = NULL;
	struct stat st;
	char text[5] = "";
	int fd;

	(void)state;
	g_mkdir(from, 0755);
	g_mkdir(sub, 0711);
	fd = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0640);
	assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
	assert_int_equal(pwrite(fd, "tail", 4, 8 << 20), 4);
	close(fd);
	assert_int_equal(symlink("/etc/shadow", link), 0);
	assert_int_equal(tree_copy(from, to, NULL, NULL), 0);
	assert_int_equal(stat(copied, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_size, (8 << 20) + 4);
	assert_true(st.st_blocks < 1024);
	fd = open(copied, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, text, 4, 8 << 20), 4);
	assert_string_equal(text, "tail");
	close(fd);
	target = g_file_read_link(copied_link, NULL);
	assert_string_equal(target, "/etc/shadow");
}

static void
copy_refuses_to_go_too_deep(void **state)
{
	g_autofree char *from = in_folder("deep-from");
	g_autofree char *to = in_folder("deep-to");
	g_autoptr(GString) path = g_string_new(from);

	(void)state;
	for (int i = 0; i <= TREE_DEPTH_MAX; i++)
		g_string_append(path, "/d");
	assert_int_equal(g_mkdir_with_parents(path->str, 0700), 0);
	assert_int_equal(tree_copy(from, to, NULL, NULL), -ELOOP);
	g_string_truncate(path, path->len - 2);
	assert_int_equal(tree_remove(to), 0);
	g_string_append(path, "/d");
	assert_int_equal(rmdir(path->str), 0);
	assert_int_equal(tree_copy(from, to, NULL, NULL), 0);
}

static void
owners_move_within_their_range_and_strangers_become_the_user(void **state)
{
	static const struct tree_owner a = {1000000, 16384}, b = {2000000, 16384}, one = {500, 1};

	(void)state;
	assert_int_equal(tree_owner_shift(&a, &b, 1000000), 2000000);
	assert_int_equal(tree_owner_shift(&a, &b, 1001000), 2001000);
	assert_int_equal(tree_owner_shift(&a, &b, 1016383), 2016383);
	assert_int_equal(tree_owner_shift(&a, &b, 1016384), 2001000);
	assert_int_equal(tree_owner_shift(&a, &b, 999999), 2001000);
	assert_int_equal(tree_owner_shift(&a, &b, 0), 2001000);
	assert_int_equal(tree_owner_shift(&one, &b, 500), 2001000);
	assert_int_equal(tree_owner_shift(&a, &one, 1000000), 500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(remove_does_not_follow_links),
	    cmocka_unit_test(remove_of_a_link_leaves_its_target),
	    cmocka_unit_test(remove_works_at_any_depth),
	    cmocka_unit_test(remove_opens_folders_that_nobody_may_read),
	    cmocka_unit_test(remove_of_nothing_succeeds),
	    cmocka_unit_test(copy_keeps_contents_modes_links_and_holes),
	    cmocka_unit_test(copy_refuses_to_go_too_deep),
	    cmocka_unit_test(owners_move_within_their_range_and_strangers_become_the_user),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
