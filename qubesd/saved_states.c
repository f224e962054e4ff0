#include "qubesd/saved_states.h"

#include "qubesd/storage/copy.h"
#include "shared/io.h"
#include "shared/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FOLDER "saved"
#define MAKING "making"
#define STATE_END ".state"
#define START_END ".start"

static char *
path_of(const char *name, const char *end)
{
	g_autofree char *file = g_strconcat(FOLDER "/", name, end, NULL);

	return path_in_state_dir(file);
}

/* Calls func with the path of each entry of a folder. */
static void
for_each(const char *folder, void (*func)(const char *path, void *data), void *data)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *path = g_build_filename(folder, name, NULL);

		func(path, data);
	}
}

static void
remove_one(const char *path, void *data)
{
	const char *end = data;

	if (end == NULL || g_str_has_suffix(path, end))
		(void)unlink(path);
}

void
saved_states_tidy(void)
{
	g_autofree char *folder = path_in_state_dir(FOLDER);

	for_each(folder, remove_one, (void *)START_END);
	saved_states_end();
}

/* --- using ---------------------------------------------------------------------------------- */

bool
saved_states_has(const char *key)
{
	g_autofree char *path = path_of(key, STATE_END);

	return access(path, F_OK) == 0;
}

void
saved_states_drop(const char *key)
{
	g_autofree char *path = path_of(key, STATE_END);

	(void)unlink(path);
}

static int
read_head(int fd, char *bytes, struct saved_image *ret)
{
	ssize_t n = pread(fd, bytes, SAVED_IMAGE_HEAD_MAX, 0);

	return n < 0 ? -errno : saved_image_parse(bytes, (size_t)n, ret);
}

static int
fill_copy(int from, int to, const struct saved_identity *identity)
{
	g_autofree char *bytes = g_malloc(SAVED_IMAGE_HEAD_MAX);
	g_autoptr(GByteArray) head = NULL;
	struct saved_image image;
	int r = read_head(from, bytes, &image);

	if (r == 0)
		r = saved_image_head_new(&image, identity, &head);
	if (r == 0)
		r = io_write_at(to, head->data, head->len, 0);
	if (r == 0)
		r = copy_tail(from, (off_t)image.stream_at, to, head->len);
	return r;
}

int
saved_states_open(const char *key, const struct saved_identity *identity, char **ret_path)
{
	g_autofree char *from_path = path_of(key, STATE_END);
	g_autofree char *to_path = path_of(identity->uuid, START_END);
	int from = open(from_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int to, r;

	if (from < 0)
		return -errno;
	(void)futimens(from, NULL); /* used just now: see keep_newest() */
	(void)unlink(to_path);
	to = open(to_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r = to < 0 ? -errno : fill_copy(from, to, identity);
	close(from);
	if (to >= 0)
		close(to);
	if (r == 0)
		*ret_path = g_steal_pointer(&to_path);
	else
		(void)unlink(to_path);
	return r;
}

/* --- making --------------------------------------------------------------------------------- */

/* For the state, a copy of it, and twice as much that stays free. */
static bool
has_room(const char *folder, uint64_t memory_bytes)
{
	struct statvfs fs;

	if (statvfs(folder, &fs) < 0)
		return false;
	if ((uint64_t)fs.f_bavail * fs.f_frsize / 4 >= memory_bytes)
		return true;
	errno = ENOSPC;
	return false;
}

char *
saved_states_begin(uint64_t memory_bytes)
{
	g_autofree char *folder = path_of(MAKING, "");

	saved_states_end();
	/* libvirt runs QEMU as another user, who has to come through */
	if (g_mkdir_with_parents(folder, 0711) < 0 || !has_room(folder, memory_bytes))
		return NULL;
	return g_steal_pointer(&folder);
}

void
saved_states_end(void)
{
	g_autofree char *folder = path_of(MAKING, "");

	for_each(folder, remove_one, NULL);
	(void)rmdir(folder);
}

struct state {
	char *path; /* owned */
	struct timespec used;
};

static void
state_clear(void *data)
{
	g_free(((struct state *)data)->path);
}

static int
compare_states(const void *a, const void *b)
{
	const struct timespec *first = &((const struct state *)a)->used;
	const struct timespec *second = &((const struct state *)b)->used;

	if (first->tv_sec != second->tv_sec)
		return first->tv_sec > second->tv_sec ? -1 : 1;
	return (first->tv_nsec < second->tv_nsec) - (first->tv_nsec > second->tv_nsec);
}

static void
list_state(const char *path, void *data)
{
	struct state state = {0};
	struct stat status;

	if (!g_str_has_suffix(path, STATE_END) || stat(path, &status) < 0)
		return;
	state.path = g_strdup(path);
	state.used = status.st_mtim;
	g_array_append_val((GArray *)data, state);
}

static void
keep_newest(void)
{
	g_autofree char *folder = path_in_state_dir(FOLDER);
	g_autoptr(GArray) states = g_array_new(FALSE, FALSE, sizeof(struct state));

	g_array_set_clear_func(states, state_clear);
	for_each(folder, list_state, states);
	g_array_sort(states, compare_states);
	for (guint i = SAVED_STATES_MAX; i < states->len; i++)
		(void)unlink(g_array_index(states, struct state, i).path);
}

static bool
is_described_as(const struct saved_image *image, const char *description)
{
	g_autofree char *now = g_strchomp(g_strdup(image->text));
	g_autofree char *before = g_strchomp(g_strdup(description));

	return strcmp(now, before) == 0;
}

/* A state that cannot be understood would fail at each start. */
static int
check_state(const char *path, const char *description)
{
	g_autofree char *bytes = g_malloc(SAVED_IMAGE_HEAD_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct saved_image image;
	int r;

	if (fd < 0)
		return -errno;
	r = read_head(fd, bytes, &image);
	if (r == 0 && !is_described_as(&image, description))
		r = -EBADMSG;
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	close(fd);
	return r;
}

int
saved_states_commit(const char *key, const char *description)
{
	g_autofree char *folder = path_of(MAKING, "");
	g_autofree char *from = g_build_filename(folder, "state", NULL);
	g_autofree char *to = path_of(key, STATE_END);
	int r = check_state(from, description);

	if (r == 0 && rename(from, to) < 0)
		r = -errno;
	if (r == 0 && utimensat(AT_FDCWD, to, NULL, 0) < 0)
		r = -errno;
	if (r == 0)
		keep_newest();
	return r;
}
