/*
 * files - the files of one volume in its folder: how they are called, and the steps of which everything
 * that is done to them consists. What is done, and in which order, is driver_file.c's.
 *
 * Shape:  for the volume DIR/FOLDER/NAME:
 *   NAME.img            clean: the content between runs; of a running snapshot, a link of what it
 *                       was copied from, which tells whether that is still its source's content
 *   NAME-dirty.img      what the qube writes
 *   NAME-precache.img   a copy of the clean file made ahead, with its time of change
 *   NAME-import.img     what is being imported
 *   NAME.img.R@TIME     an earlier content
 *   ...img~XXXXXX       half made; never looked at, removed at the next start
 * Crash:  each step is done or not: a new file gets its name when it is whole. Which of several steps
 *         outlived a crash is known where files_sync() and files_sync_folder() have been called.
 * Errors: 0 or a negative errno.
 */
#ifndef QUBESD_STORAGE_FILES_H
#define QUBESD_STORAGE_FILES_H

#include "qubesd/storage/copy.h"

#include <glib.h>
#include <stdint.h>

struct files {
	char *folder, *stem; /* owned; DIR/FOLDER and NAME */
	char *clean, *dirty, *precache, *import;
};

void files_init(struct files *files, const char *dir, const char *vid);
void files_fini(struct files *files);
#define AUTO_FILES __attribute__((cleanup(files_fini)))

/* --- steps with one file -------------------------------------------------------------------- */

bool files_exists(const char *path);
bool files_same(const char *a, const char *b); /* two names of one file */
/* Somebody holds a lock on it. */
bool files_is_locked(const char *path);
int files_unlink(const char *path); /* also when it is not there */
int files_rename(const char *from, const char *to);
int files_sync(const char *path, int flags); /* flags for open() */
int files_sync_folder(const struct files *files);

/*
 * A new file in the place of the old one. A copy has at least min_size bytes, and ends early when *stop
 * is set (copy.h). Not durable: after a crash it may be incomplete, and must be dropped.
 */
int files_make_sparse(const char *path, uint64_t size, bool durable);
int files_make_copy(const char *from, const char *to, enum copy_mode mode, uint64_t min_size,
    bool durable, const int *stop);

/* --- all of them ---------------------------------------------------------------------------- */

struct files_revision {
	unsigned number; /* from 1 on */
	char *path;      /* owned */
};

/* struct files_revision *, oldest first. g_ptr_array_unref() */
GPtrArray *files_revisions(const struct files *files);
/* Drops all revisions but so many. */
int files_keep_newest(const struct files *files, unsigned count);
/* Makes the clean file the newest revision, too. After a crash it may be one already. */
int files_keep_clean(const struct files *files);
/* Removes what was half made, or everything of the volume. */
int files_remove(const struct files *files, bool all);

#endif
