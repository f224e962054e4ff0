#include "qrexec/services/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

struct walk {
	bool ignore_links;
	tree_func func;
	void *data;        /* borrowed from the caller */
	char *failed_path; /* owned */
};

static int
failed(struct walk *walk, const char *path)
{
	int r = -errno;

	if (walk->failed_path == NULL)
		walk->failed_path = g_strdup(path);
	return r;
}

static int walk_node(struct walk *walk, int folder_fd, const char *name, const char *path);

static int
walk_children(struct walk *walk, const struct tree_node *node)
{
	int fd =
	    openat(node->folder_fd, node->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	int r = 0;

	if (dir == NULL) {
		r = failed(walk, node->path);
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, entry = readdir(dir)) != NULL) {
		g_autofree char *path = NULL;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		path = g_strconcat(node->path, "/", entry->d_name, NULL);
		r = walk_node(walk, fd, entry->d_name, path);
	}
	if (r == 0 && errno != 0)
		r = failed(walk, node->path);
	closedir(dir);
	return r;
}

static enum tree_kind
kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return TREE_FILE;
	case S_IFDIR:
		return TREE_DIRECTORY;
	case S_IFLNK:
		return TREE_LINK;
	default:
		return TREE_OTHER;
	}
}

static int
walk_node(struct walk *walk, int folder_fd, const char *name, const char *path)
{
	struct tree_node node = {.path = path, .name = name, .folder_fd = folder_fd};
	int r;

	if (fstatat(folder_fd, name, &node.info, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(walk, path);
	node.kind = kind_of(node.info.st_mode);
	if (node.kind == TREE_LINK && walk->ignore_links)
		return 0;
	r = walk->func(&node, walk->data);
	if (r != 0 || node.kind != TREE_DIRECTORY)
		return r;
	r = walk_children(walk, &node);
	if (r != 0)
		return r;
	node.kind = TREE_DIRECTORY_END;
	return walk->func(&node, walk->data);
}

char *
tree_strip_slashes(const char *argument)
{
	size_t len = strlen(argument);

	while (len > 1 && argument[len - 1] == '/')
		len--;
	return g_strndup(argument, len);
}

static bool
is_base_name(const char *name)
{
	return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

int
tree_walk(const char *argument, bool ignore_links, tree_func func, void *data, char **ret_path)
{
	struct walk walk = {ignore_links, func, data, NULL};
	g_autofree char *stripped = tree_strip_slashes(argument);
	const char *slash = strrchr(stripped, '/');
	const char *base = slash != NULL ? slash + 1 : stripped;
	g_autofree char *folder =
	    slash != NULL ? g_strndup(stripped, MAX(1, (gsize)(slash - stripped))) : g_strdup(".");
	int folder_fd, r;

	if (!is_base_name(base)) {
		*ret_path = g_strdup(argument);
		return -EINVAL;
	}
	folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder_fd < 0) {
		*ret_path = g_strdup(argument);
		return -errno;
	}
	r = walk_node(&walk, folder_fd, base, base);
	close(folder_fd);
	if (walk.failed_path != NULL)
		*ret_path = walk.failed_path;
	return r;
}

char *
tree_read_link(const struct tree_node *node)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(node->folder_fd, node->name, target, sizeof(target));

	return len < 0 || (size_t)len >= sizeof(target) ? NULL : g_strndup(target, (gsize)len);
}
