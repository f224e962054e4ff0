/*
 * tree - whole folders of a qube: remove, copy, give to other uids.
 *
 * Trust:  whatever lies in a tree was put there by a qube: links, pipes, names, any depth. Nothing
 *         follows a symbolic link and nothing leaves the tree's file system; the qube must not run
 *         meanwhile. Removing works at any depth; copying and shifting stop at TREE_DEPTH_MAX.
 * Kept by a copy: files, holes (shared blocks where the file system can), folders, symbolic links,
 *         modes, times of files. Not kept: hard links, extended attributes, sockets, devices.
 */
#ifndef SANDBOX_TREE_H
#define SANDBOX_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TREE_DEPTH_MAX 200

/* Host uids and gids of one qube: inside id i is first + i. count 1: every inside id is first. */
struct tree_owner {
	uid_t first;
	uint32_t count;
};

/* The host id of what had the host id `id` under `from`. Strangers become the inside id 1000. */
uid_t tree_owner_shift(const struct tree_owner *from, const struct tree_owner *to, uid_t id);

/* Removes path and all below it; 0 also when it is not there. */
int tree_remove(const char *path);

/* Gives all below path (and path itself) from one owner to another. 0 or negative errno. */
int tree_shift(const char *path, const struct tree_owner *from, const struct tree_owner *to);

/*
 * Copies the folder source to target, which must not exist. Owners are shifted when we may
 * (from and to not NULL); else the copy is ours. 0 or negative errno; what was copied stays.
 */
int tree_copy(const char *source, const char *target, const struct tree_owner *from,
    const struct tree_owner *to);

#endif
