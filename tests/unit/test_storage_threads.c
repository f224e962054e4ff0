/* Jobs on volumes in their threads: who waits for whom, and what the end of the daemon does. */
#include "qubesd/storage/storage.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib/gstdio.h>

#define PATIENCE_S 20
#define COPIES 12 /* more than there are threads for them */

/* A driver whose copies take until the test lets them go, or until they are told to stop. */
static int copies_stopped, let_go; /* atomic */

static int
copy(const struct volume_image *image, const char *path, char **ret_error)
{
	(void)path;
	while (g_atomic_int_get(&let_go) == 0) {
		if (g_atomic_int_get(image->stop) != 0) {
			g_atomic_int_inc(&copies_stopped);
			*ret_error = g_strdup("stopped");
			return -ECANCELED;
		}
		g_usleep(1000);
	}
	return 0;
}

static int
start(const struct volume_image *image, char **ret_path, char **ret_error)
{
	(void)ret_error;
	*ret_path = g_strdup(image->vid);
	return 0;
}

static int
nothing(const struct volume_image *image, char **ret_error)
{
	(void)image, (void)ret_error;
	return 0;
}

static int
status(const struct volume_image *image, struct volume_status *ret, char **ret_error)
{
	(void)image, (void)ret_error;
	*ret = (struct volume_status){.size = 1};
	return 0;
}

static const struct volume_driver slow = {
    .name = "slow",
    .has_content = true,
    .import_file = copy,
    .verify = nothing,
    .start = start,
    .stop = nothing,
    .status = status,
};

static void
on_done(struct volume_job *job, void *data)
{
	unsigned *count = data;

	assert_int_equal(job->result, 0);
	(*count)++;
}

static void
run(struct storage *storage, enum volume_operation operation, const char *vid, unsigned *count)
{
	struct volume_image *image = g_new0(struct volume_image, 1);

	image->vid = g_strdup(vid);
	storage_run(storage, volume_job_new(&slow, operation, "p", image), on_done, count);
}

static void
begin_copies(struct storage *storage, unsigned *count)
{
	for (int i = 0; i < COPIES; i++) {
		g_autofree char *vid = g_strdup_printf("copy%d", i);

		run(storage, VOLUME_IMPORT_FILE, vid, count);
	}
}

static gboolean
on_tick(void *data)
{
	(void)data;
	return G_SOURCE_CONTINUE;
}

/* Turns the loop until as many jobs are done; fails when they never are. */
static void
until(const unsigned *count, unsigned wanted)
{
	gint64 late = g_get_monotonic_time() + PATIENCE_S * G_USEC_PER_SEC;
	guint tick = g_timeout_add(10, on_tick, NULL);

	while (*count < wanted) {
		if (g_get_monotonic_time() > late)
			fail_msg("%u instead of %u jobs done", *count, wanted);
		g_main_context_iteration(NULL, TRUE);
	}
	g_source_remove(tick);
}

static int
set_up(void **state)
{
	(void)state;
	copies_stopped = let_go = 0;
	return 0;
}

static void
starts_stops_and_looks_do_not_wait_for_copies(void **state)
{
	struct storage *storage = storage_new();
	unsigned copied = 0, done = 0;

	(void)state;
	begin_copies(storage, &copied);
	run(storage, VOLUME_VERIFY, "root", &done);
	run(storage, VOLUME_START, "root", &done);
	run(storage, VOLUME_STOP, "root", &done);
	run(storage, VOLUME_STATUS, "copy0", &done);
	until(&done, 4);
	assert_int_equal(copied, 0);
	g_atomic_int_set(&let_go, 1);
	until(&copied, COPIES);
	storage_free(storage);
}

static void
a_start_waits_for_a_copy_into_its_own_volume(void **state)
{
	struct storage *storage = storage_new();
	unsigned copied = 0, started = 0, looked = 0;

	(void)state;
	run(storage, VOLUME_IMPORT_FILE, "root", &copied);
	run(storage, VOLUME_START, "root", &started);
	run(storage, VOLUME_STATUS, "root", &looked);
	until(&looked, 1);
	assert_int_equal(started, 0);
	g_atomic_int_set(&let_go, 1);
	until(&started, 1);
	assert_int_equal(copied, 1);
	storage_free(storage);
}

static void
the_end_of_the_daemon_stops_copies(void **state)
{
	struct storage *storage = storage_new();
	unsigned copied = 0;

	(void)state;
	begin_copies(storage, &copied);
	storage_free(storage); /* comes back, although nobody lets the copies go */
	assert_int_equal(copies_stopped, COPIES);
	assert_int_equal(copied, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(starts_stops_and_looks_do_not_wait_for_copies, set_up),
	    cmocka_unit_test_setup(a_start_waits_for_a_copy_into_its_own_volume, set_up),
	    cmocka_unit_test_setup(the_end_of_the_daemon_stops_copies, set_up),
	};
	g_autofree char *folder = g_dir_make_tmp("test_storage-XXXXXX", NULL);
	int failed;

	g_setenv("QUBES_RUNTIME_DIR", folder, TRUE);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	g_rmdir(folder);
	return failed;
}
