/* What the store and callers may say of volumes and pools, and what they have begun with them. */
#include "qubesd/pool_decode.h"
#include "qubesd/storage/claims.h"
#include "qubesd/storage/import_lock.h"
#include "qubesd/storage/storage.h"
#include "qubesd/storage/volume.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct untrusted_bytes
bytes_of(const char *text)
{
	return untrusted_bytes_of(text, strlen(text));
}

/* --- payloads ------------------------------------------------------------------------------- */

static void
a_size_is_digits_between_one_and_the_most(void **state)
{
	static const struct {
		const char *text;
		bool trim, ok;
		uint64_t size;
	} cases[] = {
	    {"1", false, true, 1},
	    {"0", false, false, 0},
	    {"1125899906842624", false, true, (uint64_t)1 << 50},
	    {"1125899906842625", false, false, 0},
	    {"9999999999999999999", false, false, 0},
	    {"99999999999999999999", false, false, 0},
	    {"18446744073709551617", false, false, 0},
	    {"01", false, false, 0},
	    {"-1", false, false, 0},
	    {"+1", false, false, 0},
	    {"1k", false, false, 0},
	    {"", false, false, 0},
	    {" ", true, false, 0},
	    {" 12\n", true, true, 12},
	    {" 12\n", false, false, 0},
	    {"1 2", true, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		uint64_t size = 77;

		assert_int_equal(
		    volume_decode_size(bytes_of(cases[i].text), cases[i].trim, &size), cases[i].ok);
		assert_int_equal(size, cases[i].ok ? cases[i].size : 77);
	}
}

static void
bytes_beside_the_size_are_refused(void **state)
{
	uint64_t size = 77;
	char long_text[66];

	(void)state;
	assert_false(volume_decode_size(untrusted_bytes_of("12\0", 3), true, &size));
	assert_false(volume_decode_size(untrusted_bytes_of("12\xc3\xa9", 4), true, &size));
	memset(long_text, ' ', sizeof(long_text));
	long_text[0] = '5';
	assert_true(volume_decode_size(untrusted_bytes_of(long_text, 64), true, &size));
	assert_int_equal(size, 5);
	assert_false(volume_decode_size(untrusted_bytes_of(long_text, 65), true, &size));
}

static void
revisions_to_keep_go_from_minus_one_to_the_most(void **state)
{
	int number = 77;

	(void)state;
	assert_true(volume_decode_revisions(bytes_of("-1"), &number));
	assert_int_equal(number, -1);
	assert_true(volume_decode_revisions(bytes_of("1000"), &number));
	assert_int_equal(number, 1000);
	assert_false(volume_decode_revisions(bytes_of("1001"), &number));
	assert_false(volume_decode_revisions(bytes_of("-2"), &number));
	assert_false(volume_decode_revisions(bytes_of(" 1"), &number));
	assert_false(volume_decode_revisions(bytes_of("00"), &number));
	assert_false(volume_decode_revisions(bytes_of(""), &number));
	assert_int_equal(number, 1000);
}

static void
a_revision_is_a_word_without_slashes(void **state)
{
	static const char *const bad[] = {"", " ", "a/b", "a b", "1@2", "a\x01", "é"};
	char *revision = NULL;

	(void)state;
	assert_true(volume_decode_revision(bytes_of(" 12:3._-Z\n"), &revision));
	assert_string_equal(revision, "12:3._-Z");
	g_clear_pointer(&revision, g_free);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_false(volume_decode_revision(bytes_of(bad[i]), &revision));
	assert_null(revision);
}

static void
a_vid_cannot_leave_its_folder(void **state)
{
	static const char *const bad[] = {"", "/a", "a/", "a//b", "..", "a/../b", ".a", "a/.b",
	    "a b", "a\nb", "a:b", "a\\b", "a/b/."};
	static const char *const good[] = {"a", "6.1.0-1", "appvms/work/root", "a+b"};
	g_autofree char *longest = g_strnfill(VOLUME_VID_MAX, 'a');
	g_autofree char *longer = g_strnfill(VOLUME_VID_MAX + 1, 'a');

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_false(volume_is_vid(bad[i]));
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
		assert_true(volume_is_vid(good[i]));
	assert_true(volume_is_vid(longest));
	assert_false(volume_is_vid(longer));
}

/* --- the store ------------------------------------------------------------------------------ */

static GPtrArray *
attributes(const char *text)
{
	GPtrArray *pairs = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) words = g_strsplit(text, " ", -1);

	for (size_t i = 0; words[i] != NULL; i++) {
		char *equals = strchr(words[i], '=');

		assert_non_null(equals);
		g_ptr_array_add(pairs, g_strndup(words[i], (gsize)(equals - words[i])));
		g_ptr_array_add(pairs, g_strdup(equals + 1));
	}
	return pairs;
}

static struct volume *
decode(const char *text)
{
	g_autoptr(GPtrArray) pairs = attributes(text);

	return volume_decode(pairs);
}

#define KEPT "name=private pool=p vid=appvms/w/private size=1 save_on_stop=True"

static void
a_volume_is_written_as_it_was_read(void **state)
{
	static const char *const texts[] = {
	    "name=root pool=p vid=appvms/w/root revisions_to_keep=0 rw=True save_on_stop=False "
	    "snap_on_start=True size=5 source=vm-templates/t/root colour=green",
	    "name=private pool=p vid=appvms/w/private revisions_to_keep=-1 rw=True "
	    "save_on_stop=True snap_on_start=False size=1 ephemeral=True",
	    "name=kernel pool=k vid= revisions_to_keep=0 rw=False save_on_stop=False "
	    "snap_on_start=False size=0",
	    "name=root pool=p"};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		struct volume *volume = decode(texts[i]);
		g_autoptr(GString) text = g_string_new(NULL);
		g_autoptr(GPtrArray) pairs = NULL;

		assert_non_null(volume);
		pairs = volume_encode(volume);
		for (guint k = 0; k < pairs->len; k += 2)
			g_string_append_printf(text, "%s%s=%s", k > 0 ? " " : "",
			    (char *)pairs->pdata[k], (char *)pairs->pdata[k + 1]);
		assert_string_equal(text->str, texts[i]);
		volume_free(volume);
	}
}

static void
damaged_volumes_are_not_taken(void **state)
{
	static const char *const bad[] = {
	    "name=private",
	    "pool=p",
	    "name= pool=p",
	    "name=../x pool=p",
	    "name=root pool=p vid=../root",
	    "name=root pool=p vid=/etc/passwd",
	    "name=root pool=p vid=a/root snap_on_start=True",
	    "name=root pool=p vid=a/root snap_on_start=True source=../../etc",
	    "name=root pool=p vid=a/root snap_on_start=True save_on_stop=True source=a/b",
	    "name=root pool=p save_on_stop=True",
	    "name=root pool=p vid= save_on_stop=True",
	    KEPT " rw=true",
	    KEPT " rw=1",
	    KEPT " size=-1",
	    KEPT " size=1125899906842625",
	    KEPT " revisions_to_keep=-2",
	    KEPT " revisions_to_keep=1001",
	    KEPT " ephemeral=",
	    KEPT " vid=a/b",
	};
	struct volume *volume = decode(KEPT);

	(void)state;
	assert_non_null(volume);
	volume_free(volume);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		volume = decode(bad[i]);
		if (volume != NULL)
			fail_msg("taken: %s", bad[i]);
	}
}

/* --- pools ---------------------------------------------------------------------------------- */

static const char *
refusal(const char *text, size_t len)
{
	struct admin_error error = {0};
	struct pool *pool =
	    pool_decode_add(untrusted_bytes_of(text, len), &volume_driver_file, &error);
	const char *class = error.name;

	if (pool != NULL)
		fail_msg("taken: %s", text);
	admin_error_clear(&error);
	return class;
}

static void
a_pool_has_parameters_of_its_driver_and_no_others(void **state)
{
	static const char *const bad[] = {
	    "",
	    "dir_path=/p",
	    "name=a b\ndir_path=/p",
	    "name=../a\ndir_path=/p",
	    "name=a\nname=b\ndir_path=/p",
	    "name=a\ndir_path=/p\ndir_path=/q",
	    "name=a\ndir_path=/p\nsetup_check=False",
	    "name=a\ndir_path=/p\ndriver=file-reflink",
	    "name=a\ndir_path=p",
	    "name=a\ndir_path=/p/../q",
	    "name=a\ndir_path=/p/",
	    "name=a\ndir_path=/p q",
	    "name=a\ndir_path=",
	    "name=a\ndir_path=/p\nrevisions_to_keep=x",
	    "name=a\ndir_path=/p\nephemeral_volatile=maybe",
	    "name=a\ndir_path=/p\nDIR=1",
	    "name=a\ndir_path=/p\n\n",
	    "name=a\ndir_path=/p\xc3\xa9",
	};
	struct admin_error error = {0};
	struct pool *pool = pool_decode_add(
	    bytes_of("name=a\ndir_path=/p\nrevisions_to_keep=0\n"), &volume_driver_file, &error);

	(void)state;
	assert_non_null(pool);
	assert_string_equal(pool->name, "a");
	assert_string_equal(pool->driver, "file");
	assert_string_equal(pool_get(pool, "dir_path"), "/p");
	assert_string_equal(pool_get(pool, "revisions_to_keep"), "0");
	pool_free(pool);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_string_equal(refusal(bad[i], strlen(bad[i])), "ProtocolError");
	assert_string_equal(refusal("name=a\ndir_path=/p\0", 19), "ProtocolError");
	assert_string_equal(refusal("name=a", 6), "QubesException");
}

static void
an_import_begins_with_a_size_and_a_holder_or_neither(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
		const char *holder;
	} good[] = {
	    {"", 0, NULL},
	    {"7", 7, NULL},
	    {"\n", 0, NULL},
	    {"7\n", 7, NULL},
	    {"\nimport-aZ09bc", 0, "import-aZ09bc"},
	    {"7\nimport-aZ09bc", 7, "import-aZ09bc"},
	};
	static const char *const bad[] = {
	    "0",
	    "0\nimport-aZ09bc",
	    "x\nimport-aZ09bc",
	    "7\nimport-aZ09b",
	    "7\nimport-aZ09bcd",
	    "7\nimport-aZ0/bc",
	    "7\nImport-aZ09bc",
	    "7\n../import-aZ09bc",
	    "7\nimport-aZ09bc\n",
	    "7\n\nimport-aZ09bc",
	    "7\n ",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autofree char *holder = NULL;
		uint64_t size = 1;

		assert_true(volume_decode_import(
		    untrusted_bytes_of(good[i].text, strlen(good[i].text)), &size, &holder));
		assert_int_equal(size, good[i].size);
		assert_int_equal(g_strcmp0(holder, good[i].holder), 0);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		char *holder = NULL;
		uint64_t size = 1;

		assert_false(volume_decode_import(
		    untrusted_bytes_of(bad[i], strlen(bad[i])), &size, &holder));
		assert_null(holder);
		assert_int_equal(size, 1);
	}
}

/* --- claims --------------------------------------------------------------------------------- */

#define SECOND G_USEC_PER_SEC

static int
begin_import(struct claims *claims, const char *pool, const char *vid, uint64_t size, gint64 now)
{
	return claims_begin_import(claims, pool, vid, size, NULL, now);
}

static void
one_import_at_a_time_for_each_volume(void **state)
{
	struct claims *claims = claims_new();
	uint64_t size = 0;

	(void)state;
	assert_false(claims_end_import(claims, "p", "a", 0, &size));
	assert_int_equal(begin_import(claims, "p", "a", 5, 0), 0);
	assert_int_equal(begin_import(claims, "p", "a", 6, 1), -EBUSY);
	assert_int_equal(begin_import(claims, "p", "b", 6, 1), 0);
	assert_int_equal(begin_import(claims, "q", "a", 7, 1), 0);
	assert_true(claims_importing(claims, "p", "a", 2));
	assert_true(claims_end_import(claims, "p", "a", 2, &size));
	assert_int_equal(size, 5);
	assert_false(claims_end_import(claims, "p", "a", 2, &size));
	assert_true(claims_importing(claims, "p", "b", CLAIMS_IMPORT_S * SECOND));
	assert_false(claims_importing(claims, "p", "b", 1 + CLAIMS_IMPORT_S * SECOND));
	assert_int_equal(begin_import(claims, "p", "b", 8, 1 + CLAIMS_IMPORT_S * SECOND), 0);
	claims_free(claims);
}

/* A process that holds a lock, and its name; killed by the test. */
static pid_t
spawn_holder(char name[64])
{
	int pipe_fds[2];
	struct import_lock *lock;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	if (pid == 0) {
		if (import_lock_new(&lock) < 0 ||
		    write(pipe_fds[1], import_lock_name(lock), strlen(import_lock_name(lock))) < 0)
			_exit(1);
		pause();
		_exit(0);
	}
	close(pipe_fds[1]);
	n = read(pipe_fds[0], name, 63);
	assert_true(n > 0);
	name[n] = '\0';
	close(pipe_fds[0]);
	return pid;
}

static void
kill_holder(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
an_import_ends_with_its_holder(void **state)
{
	struct claims *claims = claims_new();
	const gint64 late = 2 * CLAIMS_IMPORT_S * SECOND;
	char name[64], other[64];
	pid_t pid = spawn_holder(name), other_pid = spawn_holder(other);
	uint64_t size;

	(void)state;
	assert_int_equal(claims_begin_import(claims, "p", "a", 5, "import-absent", 0), -ESRCH);
	assert_int_equal(claims_begin_import(claims, "p", "a", 5, name, 0), 0);
	assert_int_equal(claims_begin_import(claims, "p", "a", 6, other, 0), -EBUSY);
	assert_true(claims_importing(claims, "p", "a", late));
	kill_holder(pid);
	assert_false(claims_importing(claims, "p", "a", 1));
	assert_false(claims_end_import(claims, "p", "a", 1, &size));
	assert_int_equal(claims_begin_import(claims, "p", "a", 5, name, 1), -ESRCH);
	assert_int_equal(claims_begin_import(claims, "p", "a", 6, other, 1), 0);
	kill_holder(other_pid);
	assert_false(claims_importing(claims, "p", "a", 2));
	claims_free(claims);
}

static void
an_import_outlives_the_daemon(void **state)
{
	struct claims *claims = claims_new();
	char name[64], other[64];
	pid_t pid = spawn_holder(name), other_pid = spawn_holder(other);
	g_autoptr(GPtrArray) left = NULL;
	uint64_t size = 0;

	(void)state;
	assert_int_equal(claims_begin_import(claims, "p", "a/b", 5, name, 0), 0);
	assert_int_equal(claims_begin_import(claims, "p", "c", 6, other, 0), 0);
	claims_free(claims);
	kill_holder(other_pid);
	claims = claims_new();
	assert_false(claims_importing(claims, "p", "c", 0));
	assert_true(claims_importing(claims, "p", "a/b", 0));
	assert_true(claims_end_import(claims, "p", "a/b", 0, &size));
	assert_int_equal(size, 5);
	claims_free(claims);
	claims = claims_new();
	assert_false(claims_importing(claims, "p", "a/b", 0));
	claims_free(claims);
	kill_holder(pid);
	left = import_lock_list();
	assert_int_equal(left->len, 0);
}

static bool
take(struct claims *claims, const char *caller, const char *token, gint64 now)
{
	g_autofree char *qube = NULL;
	g_autofree char *volume = NULL;
	bool ok = claims_take_token(claims, caller, token, now, &qube, &volume);

	if (ok) {
		assert_string_equal(qube, "q");
		assert_string_equal(volume, "root");
	}
	return ok;
}

static void
r04_a_token_is_its_callers_and_used_once(void **state)
{
	struct claims *claims = claims_new();
	g_autofree char *token = g_strdup(claims_new_token(claims, "me", "q", "root", 0));

	(void)state;
	assert_int_equal(strlen(token), CLAIMS_TOKEN_LEN);
	assert_false(take(claims, "other", token, 1));
	assert_false(take(claims, "me", "x", 1));
	assert_true(take(claims, "me", token, 1));
	assert_false(take(claims, "me", token, 1));
	claims_free(claims);
}

static void
r04_tokens_grow_old_and_few(void **state)
{
	struct claims *claims = claims_new();
	g_autofree char *old = g_strdup(claims_new_token(claims, "me", "q", "root", 0));
	g_autofree char *others = g_strdup(claims_new_token(claims, "you", "q", "root", SECOND));
	g_autofree char *mine = g_strdup(claims_new_token(claims, "me", "q", "root", SECOND));

	(void)state;
	assert_false(take(claims, "me", old, CLAIMS_TOKEN_S * SECOND));
	for (int i = 0; i < CLAIMS_TOKENS_EACH; i++)
		claims_new_token(claims, "me", "q", "root", SECOND);
	assert_false(take(claims, "me", mine, SECOND));
	assert_true(take(claims, "you", others, SECOND));
	claims_free(claims);
}

static void
marks_of_different_volumes_have_different_names(void **state)
{
	g_autofree char *plain = storage_mark_name("p", "appvms/a/b-c");
	g_autofree char *other = storage_mark_name("p", "appvms/a-b/c");

	(void)state;
	assert_string_equal(plain, "volume-running-p:appvms-a-b--c");
	assert_string_equal(other, "volume-running-p:appvms-a--b-c");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_size_is_digits_between_one_and_the_most),
	    cmocka_unit_test(bytes_beside_the_size_are_refused),
	    cmocka_unit_test(revisions_to_keep_go_from_minus_one_to_the_most),
	    cmocka_unit_test(a_revision_is_a_word_without_slashes),
	    cmocka_unit_test(a_vid_cannot_leave_its_folder),
	    cmocka_unit_test(a_volume_is_written_as_it_was_read),
	    cmocka_unit_test(damaged_volumes_are_not_taken),
	    cmocka_unit_test(a_pool_has_parameters_of_its_driver_and_no_others),
	    cmocka_unit_test(an_import_begins_with_a_size_and_a_holder_or_neither),
	    cmocka_unit_test(one_import_at_a_time_for_each_volume),
	    cmocka_unit_test(an_import_ends_with_its_holder),
	    cmocka_unit_test(an_import_outlives_the_daemon),
	    cmocka_unit_test(r04_a_token_is_its_callers_and_used_once),
	    cmocka_unit_test(r04_tokens_grow_old_and_few),
	    cmocka_unit_test(marks_of_different_volumes_have_different_names),
	};

	g_autofree char *folder = g_dir_make_tmp("test_volume-XXXXXX", NULL);
	int failed;

	g_setenv("QUBES_RUNTIME_DIR", folder, TRUE);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	g_rmdir(folder);
	return failed;
}
