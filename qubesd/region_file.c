#include "qubesd/region_file.h"

#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PREFIX_OF_NAME "bordure-"
#define UUID_LEN 36   /* characters */
#define RANDOM_LEN 32 /* hex digits */

char *
region_file_draw_name(const char *uuid)
{
	uint64_t number[2];

	while (getrandom(number, sizeof(number), 0) != sizeof(number))
		;
	return g_strdup_printf(
	    PREFIX_OF_NAME "%s-%016" PRIx64 "%016" PRIx64, uuid, number[0], number[1]);
}

bool
region_file_is_name(const char *name)
{
	size_t prefix_len = strlen(PREFIX_OF_NAME);

	return strlen(name) == prefix_len + UUID_LEN + 1 + RANDOM_LEN &&
	       g_str_has_prefix(name, PREFIX_OF_NAME) &&
	       strspn(name + prefix_len, "0123456789abcdef-") == strlen(name) - prefix_len;
}

char *
region_file_path(const char *name)
{
	return g_build_filename(REGION_FILE_DIR, name, NULL);
}

/* What the regions that are there may still take. Anybody may put files there: they promise nothing. */
static uint64_t
bytes_promised(const char *dir, uid_t uid)
{
	g_autoptr(GDir) handle = g_dir_open(dir, 0, NULL);
	uint64_t sum = 0;
	const char *name;

	while (handle != NULL && (name = g_dir_read_name(handle)) != NULL) {
		g_autofree char *path = g_build_filename(dir, name, NULL);
		struct stat st;

		if (!g_str_has_prefix(name, PREFIX_OF_NAME) || lstat(path, &st) < 0 ||
		    !S_ISREG(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != uid))
			continue;
		if (st.st_size > st.st_blocks * 512)
			sum += (uint64_t)(st.st_size - st.st_blocks * 512);
	}
	return sum;
}

/* 0, or -ENOSPC with *ret_error. */
static int
check_room(const char *dir, uint64_t bytes, uid_t uid, char **ret_error)
{
	uint64_t promised = bytes_promised(dir, uid), room;
	struct statvfs fs;

	if (statvfs(dir, &fs) < 0) {
		*ret_error = g_strdup_printf("%s: %s", dir, g_strerror(errno));
		return -errno;
	}
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (room >= promised && room - promised >= bytes)
		return 0;
	*ret_error = g_strdup_printf(
	    "%s has no room for its window memory: %" PRIu64 " MiB are free, other qubes may still "
	    "take %" PRIu64 " MiB of them, and it needs %" PRIu64
	    " MiB: make that file system larger, or QUBES_REGION_SIZE smaller",
	    dir, room >> 20, promised >> 20, bytes >> 20);
	return -ENOSPC;
}

static int
create(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd >= 0 ? fd : -errno;
}

static int
fill(int fd, uint64_t bytes, uid_t uid, gid_t gid)
{
	if (ftruncate(fd, (off_t)bytes) < 0 || fchmod(fd, 0600) < 0)
		return -errno;
	if ((uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(fd, uid, gid) < 0)
		return -errno;
	return 0;
}

static int
make(const char *dir, const char *name, uint64_t bytes, uid_t uid, gid_t gid, char **ret_error)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	int fd, r = check_room(dir, bytes, uid, ret_error);

	if (r < 0)
		return r;
	fd = create(path);
	if (fd < 0) {
		*ret_error = g_strdup_printf("%s: %s", path, g_strerror(-fd));
		return fd;
	}
	r = fill(fd, bytes, uid, gid);
	close(fd);
	if (r < 0) {
		*ret_error = g_strdup_printf("%s: %s", path, g_strerror(-r));
		(void)unlink(path);
	}
	return r;
}

/* One at a time, so that no two find room in the same place. */
int
region_file_make(
    const char *dir, const char *name, uint64_t bytes, uid_t uid, gid_t gid, char **ret_error)
{
	static GMutex room;
	int r;

	g_mutex_lock(&room);
	r = make(dir, name, bytes, uid, gid, ret_error);
	g_mutex_unlock(&room);
	return r;
}

void
region_file_remove(const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	if (unlink(path) < 0 && errno != ENOENT)
		log_warn("%s stays: %s", path, g_strerror(errno));
}
