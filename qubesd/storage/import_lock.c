#include "qubesd/storage/import_lock.h"

#include "shared/io.h"
#include "shared/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PREFIX_TEXT "import-"
#define RANDOM_LEN 6

struct import_lock {
	char *path; /* owned */
	int fd;     /* owned; the lock is this open file's, not the process's */
};

/* --- for who imports ------------------------------------------------------------------------ */

int
import_lock_new(struct import_lock **ret)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	g_autofree char *path = path_in_runtime_dir(PREFIX_TEXT "XXXXXX");
	int fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);
	struct import_lock *lock;
	int r;

	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_OFD_SETLK, &whole) < 0) {
		r = -errno;
		unlink(path);
		close(fd);
		return r;
	}
	lock = g_new0(struct import_lock, 1);
	lock->path = g_steal_pointer(&path);
	lock->fd = fd;
	*ret = lock;
	return 0;
}

const char *
import_lock_name(const struct import_lock *lock)
{
	return strrchr(lock->path, '/') + 1;
}

void
import_lock_free(struct import_lock *lock)
{
	if (lock == NULL)
		return;
	unlink(lock->path);
	close(lock->fd);
	g_free(lock->path);
	g_free(lock);
}

/* --- for qubesd ----------------------------------------------------------------------------- */

bool
import_lock_is_name(const char *name)
{
	const char *random = name + strlen(PREFIX_TEXT);

	if (!g_str_has_prefix(name, PREFIX_TEXT) || strlen(random) != RANDOM_LEN)
		return false;
	for (; *random != '\0'; random++)
		if (!g_ascii_isalnum(*random))
			return false;
	return true;
}

static int
open_lock(const char *name, int flags)
{
	g_autofree char *path = path_in_runtime_dir(name);
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

bool
import_lock_is_held(const char *name)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open_lock(name, O_RDONLY);
	bool held;

	if (fd < 0)
		return false;
	held = fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
	close(fd);
	return held;
}

/* Not by a new file in its place: that one nobody would hold. */
int
import_lock_write(const char *name, const char *text)
{
	int fd = open_lock(name, O_WRONLY | O_TRUNC);
	int r;

	if (fd < 0)
		return fd;
	r = io_write(fd, text, strlen(text));
	close(fd);
	return r;
}

char *
import_lock_read(const char *name)
{
	g_autofree char *path = path_in_runtime_dir(name);
	char *text = NULL;

	g_file_get_contents(path, &text, NULL, NULL);
	return text;
}

void
import_lock_remove(const char *name)
{
	g_autofree char *path = path_in_runtime_dir(name);

	unlink(path);
}

GPtrArray *
import_lock_list(void)
{
	g_autofree char *folder = path_in_runtime_dir("");
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL)
		if (import_lock_is_name(name))
			g_ptr_array_add(names, g_strdup(name));
	return names;
}
