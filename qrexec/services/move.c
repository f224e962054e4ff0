#include "qrexec/services/move.h"

#include "qrexec/services/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Something that was there before. */
struct known {
	dev_t dev;
	ino_t inode;
	off_t size;
	struct timespec mtime, ctime;
};

struct move {
	GPtrArray *arguments; /* owned strings */
	GHashTable *known;    /* owned path -> owned struct known */
	const char *argument; /* borrowed: the one that is being walked */
	unsigned kept;
};

struct move *
move_new(void)
{
	struct move *move = g_new0(struct move, 1);

	move->arguments = g_ptr_array_new_with_free_func(g_free);
	move->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return move;
}

void
move_free(struct move *move)
{
	if (move == NULL)
		return;
	g_ptr_array_unref(move->arguments);
	g_hash_table_unref(move->known);
	g_free(move);
}

/* Two arguments may have the same base name; the place in the file system tells them apart. */
static char *
key_of(const struct move *move, const struct tree_node *node)
{
	return g_strconcat(move->argument, "\n", node->path, NULL);
}

static int
note(const struct tree_node *node, void *data)
{
	struct move *move = data;
	struct known *known;

	if (node->kind == TREE_DIRECTORY_END || node->kind == TREE_OTHER)
		return 0;
	known = g_new(struct known, 1);
	*known = (struct known){node->info.st_dev, node->info.st_ino, node->info.st_size,
	    node->info.st_mtim, node->info.st_ctim};
	g_hash_table_replace(move->known, key_of(move, node), known);
	return 0;
}

int
move_add(struct move *move, const char *argument, bool ignore_links)
{
	g_autofree char *failed = NULL;

	g_ptr_array_add(move->arguments, g_strdup(argument));
	move->argument = argument;
	return tree_walk(argument, ignore_links, note, move, &failed);
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool
is_unchanged(const struct known *known, const struct stat *info)
{
	return known != NULL && known->dev == info->st_dev && known->inode == info->st_ino &&
	       known->size == info->st_size && same_time(&known->mtime, &info->st_mtim) &&
	       same_time(&known->ctime, &info->st_ctim);
}

static void
keep(struct move *move, const struct tree_node *node, const char *why)
{
	g_autofree char *shown = g_strescape(node->path, NULL);

	fprintf(stderr, "\"%s\" stays: %s\n", shown, why);
	move->kept++;
}

static int
delete_node(const struct tree_node *node, void *data)
{
	struct move *move = data;
	g_autofree char *key = key_of(move, node);
	const struct known *known = g_hash_table_lookup(move->known, key);
	bool directory = node->kind == TREE_DIRECTORY_END;

	if (node->kind == TREE_DIRECTORY)
		return 0;
	/* Deleting what is in a directory changes it; whether it is empty is for the kernel to say. */
	if (known == NULL || (!directory && !is_unchanged(known, &node->info)))
		keep(move, node, known == NULL ? "it was not copied" : "it has changed since");
	else if (unlinkat(node->folder_fd, node->name, directory ? AT_REMOVEDIR : 0) < 0)
		keep(move, node, strerror(errno));
	return 0;
}

unsigned
move_delete(struct move *move)
{
	for (guint i = 0; i < move->arguments->len; i++) {
		g_autofree char *failed = NULL;

		move->argument = g_ptr_array_index(move->arguments, i);
		if (tree_walk(move->argument, false, delete_node, move, &failed) < 0)
			move->kept++;
	}
	return move->kept;
}
