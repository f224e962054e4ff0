/*
 * tree - walks what somebody wants to send, without ever following a link.
 *
 * Order:  depth first; a directory comes before and after its children. Paths begin with the base
 *         name of the argument: that is how the other qube will know them.
 * Blocks: yes; it is for programs that do nothing else.
 */
#ifndef QREXEC_SERVICES_TREE_H
#define QREXEC_SERVICES_TREE_H

#include <stdbool.h>
#include <sys/stat.h>

enum tree_kind {
	TREE_FILE,
	TREE_LINK,
	TREE_DIRECTORY,     /* its children follow */
	TREE_DIRECTORY_END, /* info is of before the walk */
	TREE_OTHER,         /* device, socket, pipe: cannot be sent */
};

struct tree_node {
	enum tree_kind kind;
	const char *path; /* from the base name of the argument on; borrowed as all here */
	const char *name; /* in folder_fd */
	int folder_fd;    /* where it lies */
	struct stat info;
};

/* A result other than 0 ends the walk with that result. */
typedef int (*tree_func)(const struct tree_node *node, void *data);

/*
 * Walks one argument. Returns what func returned, or a negative errno with *ret_path where it
 * happened (g_free()): -EINVAL for an argument without a base name of its own.
 */
int tree_walk(const char *argument, bool ignore_links, tree_func func, void *data, char **ret_path);

/* The target of a link, to be freed; NULL when it cannot be read. */
char *tree_read_link(const struct tree_node *node);

/* Removes slashes at the end. A new string. */
char *tree_strip_slashes(const char *argument);

#endif
