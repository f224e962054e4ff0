#include "qubesd/sandbox/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define INSIDE_USER 1000
#define REMOVE_DEPTH 64 /* deeper folders are moved up first */

static bool
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int
open_folder(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* A stream over the folder; takes fd over, also on failure. */
static DIR *
stream_of(int fd)
{
	DIR *dir = fdopendir(fd);

	if (dir == NULL)
		close(fd);
	return dir;
}

/* ---- remove -------------------------------------------------------------------------------- */

struct removal {
	int top;        /* borrowed: descriptor of the tree's first folder */
	unsigned moved; /* folders moved up so far, for their names */
};

static int remove_inside(struct removal *removal, int fd, unsigned depth);

/* A folder that lies too deep becomes a child of the first one, which is read again later. */
static int
move_up(struct removal *removal, int at, const char *name)
{
	for (;;) {
		g_autofree char *to = g_strdup_printf(".deep-%u", removal->moved++);

		if (renameat2(at, name, removal->top, to, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
}

static int
remove_folder(struct removal *removal, int at, const char *name, unsigned depth)
{
	int fd, r;

	if (depth > REMOVE_DEPTH)
		return move_up(removal, at, name);
	fd = open_folder(at, name);
	if (fd == -EACCES) { /* a folder of ours without the right to read it */
		if (fchmodat(at, name, 0700, 0) < 0)
			return -errno;
		fd = open_folder(at, name);
	}
	if (fd < 0)
		return fd;
	(void)fchmod(fd, 0700);
	r = remove_inside(removal, fd, depth);
	if (r < 0)
		return r;
	return unlinkat(at, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* Takes fd over. */
static int
remove_inside(struct removal *removal, int fd, unsigned depth)
{
	DIR *dir = stream_of(fd);
	struct dirent *entry;
	int r = 0;

	if (dir == NULL)
		return -ENOMEM;
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		if (is_dots(entry->d_name))
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) == 0)
			continue;
		r = errno == EISDIR ? remove_folder(removal, dirfd(dir), entry->d_name, depth + 1)
				    : -errno;
	}
	closedir(dir);
	return r;
}

int
tree_remove(const char *path)
{
	struct removal removal = {0};
	int r;

	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	(void)chmod(path, 0700);
	removal.top = open_folder(AT_FDCWD, path);
	if (removal.top < 0)
		return removal.top;
	/* What was moved up may come behind the place where reading was: read until it is empty. */
	do {
		int again = fcntl(removal.top, F_DUPFD_CLOEXEC, 0);

		if (again < 0) {
			r = -errno;
			break;
		}
		lseek(again, 0, SEEK_SET);
		r = remove_inside(&removal, again, 0);
		if (r == 0 && rmdir(path) < 0)
			r = -errno;
	} while (r == -ENOTEMPTY);
	close(removal.top);
	return r;
}

/* ---- owners -------------------------------------------------------------------------------- */

uid_t
tree_owner_shift(const struct tree_owner *from, const struct tree_owner *to, uid_t id)
{
	uint32_t inside = INSIDE_USER;

	if (from->count > 1 && id >= from->first && id - from->first < from->count)
		inside = id - from->first;
	return to->count > 1 ? to->first + inside : to->first;
}

/* Owner first, then mode: changing the owner clears the bits for setuid. */
static int
shift_one(int at, const char *name, const struct stat *st, const struct tree_owner *from,
    const struct tree_owner *to)
{
	uid_t uid = tree_owner_shift(from, to, st->st_uid);
	gid_t gid = tree_owner_shift(from, to, st->st_gid);

	if (fchownat(at, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

/* Takes fd over. */
static int
shift_inside(int fd, const struct tree_owner *from, const struct tree_owner *to, unsigned depth)
{
	DIR *dir = stream_of(fd);
	struct dirent *entry;
	struct stat st;
	int r = 0;

	if (dir == NULL)
		return -ENOMEM;
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;
		int child;

		if (is_dots(name))
			continue;
		if (fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			r = -errno;
			break;
		}
		r = shift_one(dirfd(dir), name, &st, from, to);
		if (r < 0 || !S_ISDIR(st.st_mode))
			continue;
		if (depth >= TREE_DEPTH_MAX) {
			r = -ELOOP;
			break;
		}
		child = open_folder(dirfd(dir), name);
		r = child < 0 ? child : shift_inside(child, from, to, depth + 1);
	}
	closedir(dir);
	return r;
}

int
tree_shift(const char *path, const struct tree_owner *from, const struct tree_owner *to)
{
	struct stat st;
	int fd, r;

	fd = open_folder(AT_FDCWD, path);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	r = shift_one(AT_FDCWD, path, &st, from, to);
	if (r < 0) {
		close(fd);
		return r;
	}
	return shift_inside(fd, from, to, 0);
}

/* ---- copy ---------------------------------------------------------------------------------- */

struct copy {
	const struct tree_owner *from, *to; /* borrowed; NULL: do not care for owners */
};

static int copy_folder(const struct copy *copy, int from_at, int to_at, const char *name,
    const char *to_name, unsigned depth);

/* One run of data between two holes. */
static int
copy_range(int in, int out, off_t from, off_t to)
{
	off_t in_at = from, out_at = from;

	while (in_at < to) {
		ssize_t n = copy_file_range(in, &in_at, out, &out_at, (size_t)(to - in_at), 0);

		if (n < 0)
			return -errno;
		if (n == 0)
			return 0; /* the file became shorter */
	}
	return 0;
}

static int
copy_bytes(int in, int out, off_t size)
{
	off_t data = 0;
	int r;

	if (ioctl(out, FICLONE, in) == 0)
		return 0;
	if (ftruncate(out, size) < 0)
		return -errno;
	while (data < size) {
		off_t hole;

		data = lseek(in, data, SEEK_DATA);
		if (data < 0)
			return errno == ENXIO ? 0 : -errno; /* only a hole is left */
		hole = lseek(in, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		r = copy_range(in, out, data, hole);
		if (r < 0)
			return r;
		data = hole;
	}
	return 0;
}

static int
copy_file(int from_at, int to_at, const char *name, const struct stat *st)
{
	int in, out, r;

	in = openat(from_at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (in < 0)
		return -errno;
	out = openat(to_at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0) {
		r = -errno;
		close(in);
		return r;
	}
	r = copy_bytes(in, out, st->st_size);
	if (r == 0 && futimens(out, (struct timespec[]){st->st_atim, st->st_mtim}) < 0)
		r = -errno;
	if (close(out) < 0 && r == 0)
		r = -errno;
	close(in);
	return r;
}

static int
copy_link(int from_at, int to_at, const char *name)
{
	char target[4096];
	ssize_t len = readlinkat(from_at, name, target, sizeof(target) - 1);

	if (len < 0)
		return -errno;
	target[len] = '\0';
	return symlinkat(target, to_at, name) < 0 ? -errno : 0;
}

/* The content is there already: owner and mode at last. */
static int
copy_attributes(const struct copy *copy, int to_at, const char *to_name, const struct stat *st)
{
	int r;

	if (copy->from != NULL && copy->to != NULL) {
		r = shift_one(to_at, to_name, st, copy->from, copy->to);
		if (r < 0)
			return r;
	}
	if (!S_ISLNK(st->st_mode) && fchmodat(to_at, to_name, st->st_mode & 07777, 0) < 0)
		return -errno;
	return 0;
}

static int
copy_entry(const struct copy *copy, int from_at, int to_at, const char *name, unsigned depth)
{
	struct stat st;
	int r;

	if (fstatat(from_at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return copy_folder(copy, from_at, to_at, name, name, depth + 1);
	if (S_ISREG(st.st_mode))
		r = copy_file(from_at, to_at, name, &st);
	else if (S_ISLNK(st.st_mode))
		r = copy_link(from_at, to_at, name);
	else if (S_ISFIFO(st.st_mode))
		r = mkfifoat(to_at, name, 0600) < 0 ? -errno : 0;
	else
		return 0; /* a socket: whoever listened there has gone */
	return r < 0 ? r : copy_attributes(copy, to_at, name, &st);
}

/* Takes in over. */
static int
copy_inside(const struct copy *copy, int in, int out, unsigned depth)
{
	DIR *dir = stream_of(in);
	struct dirent *entry;
	int r = 0;

	if (dir == NULL)
		return -ENOMEM;
	while (r == 0 && (entry = readdir(dir)) != NULL)
		if (!is_dots(entry->d_name))
			r = copy_entry(copy, dirfd(dir), out, entry->d_name, depth);
	closedir(dir);
	return r;
}

static int
copy_folder(const struct copy *copy, int from_at, int to_at, const char *name, const char *to_name,
    unsigned depth)
{
	struct stat st;
	int in, out, r;

	if (depth > TREE_DEPTH_MAX)
		return -ELOOP;
	in = open_folder(from_at, name);
	if (in < 0)
		return in;
	if (fstat(in, &st) < 0 || mkdirat(to_at, to_name, 0700) < 0) {
		r = -errno;
		close(in);
		return r;
	}
	out = open_folder(to_at, to_name);
	if (out < 0) {
		close(in);
		return out;
	}
	r = copy_inside(copy, in, out, depth);
	close(out);
	return r < 0 ? r : copy_attributes(copy, to_at, to_name, &st);
}

int
tree_copy(const char *source, const char *target, const struct tree_owner *from,
    const struct tree_owner *to)
{
	struct copy copy = {from, to};

	return copy_folder(&copy, AT_FDCWD, AT_FDCWD, source, target, 0);
}
