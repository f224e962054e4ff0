/*
 * store_file - files of the store: replaced as a whole, never half; and the copies in backup/.
 *
 * Blocks: as long as the disk takes. Everything but the search for a good copy may run in a thread.
 */
#ifndef QUBESD_STORE_FILE_H
#define QUBESD_STORE_FILE_H

#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>

/* What identifies a file that nobody else has touched. */
struct store_stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct store_stamp store_stamp_of(const struct stat *status);
bool store_stamp_equal(const struct store_stamp *a, const struct store_stamp *b);

/* A regular file, no link, of at most STORE_MAX_BYTES (a little more is read and refused later). */
int store_file_read(const char *path, GBytes **ret, struct store_stamp *ret_stamp);
/*
 * A new file, synced, takes the place of the old one in dir, for good: the folder is synced too. Mode
 * 0660. Returns 0 or a negative errno; *ret_stamp is set as soon as the new file is in place, also
 * when the folder cannot be synced.
 */
int store_file_replace(
    const char *path, const char *dir, GBytes *text, struct store_stamp *ret_stamp);

/* Keeps a copy, unless it is the newest already, and the newest STORE_GENERATIONS of all. */
void store_generations_add(const char *backup_dir, GBytes *text);
bool store_generations_exist(const char *backup_dir);
/* The path of the newest copy that loads, or NULL. g_free(). */
char *store_generations_find_good(const char *backup_dir);

#endif
