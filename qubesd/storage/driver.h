/*
 * driver - what a kind of pool does with the files of a volume.
 *
 * Shape:  a volume is *kept* (save_on_stop: its content outlives the run), a *snapshot* (snap_on_start:
 *         a fresh copy of its source at every start), or *volatile* (neither: empty at every start).
 * Blocks: every function works on files and may take long: they run in the threads of storage.c, at
 *         most one at a time for each volume. They see nothing but the image they are given.
 * Crash:  killed between any two steps, a kept volume holds either the old content or the new one
 *         afterwards, and the next start or stop removes what was left.
 * Errors: 0 or a negative errno, and then *ret_error a sentence for whoever asked (g_free()): it
 *         names no path, because a qube may be who asked.
 * Source: docs/storage.md.
 */
#ifndef QUBESD_STORAGE_DRIVER_H
#define QUBESD_STORAGE_DRIVER_H

#include "qubesd/storage/copy.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VOLUME_REVISIONS_IN_PLACE (-1) /* keep none, and write the clean file itself */

/* One volume as a driver sees it. */
struct volume_image {
	char *dir;    /* owned; the pool's folder */
	char *vid;    /* owned; a relative path, or a version of the kernel */
	char *source; /* owned; vid of what a snapshot is a copy of; NULL */
	uint64_t size;
	bool snap_on_start, save_on_stop;
	int revisions_to_keep; /* >= -1 */
	enum copy_mode copy;
	const int *stop;  /* atomic, borrowed; set: copies end with -ECANCELED. NULL: never */
	bool is_imported; /* somebody fills what import_begin() made: recover() leaves it */
};

struct volume_image *volume_image_copy(const struct volume_image *image);
void volume_image_free(struct volume_image *image);

/* What can be seen of a volume from outside. */
struct volume_status {
	uint64_t size;        /* of the content; 0: there is none yet */
	uint64_t usage;       /* bytes that it takes on the disk */
	bool is_dirty;        /* it is in use, or was when the machine went down */
	int is_outdated;      /* 1: its source has changed since its start; -1: not known */
	char *path;           /* owned; what a running qube uses, or will; NULL: no device */
	GPtrArray *revisions; /* owned; char *, oldest first */
};
void volume_status_clear(struct volume_status *status);

struct volume_driver {
	const char *name;
	/* NULL-terminated; a mandatory one ends in '*', which is not shown. */
	const char *const *parameters;
	bool has_content; /* it can be created, imported, reverted and resized */

	/*
	 * Makes the files of a kept volume in a folder that is there. Content that is there already is
	 * kept: *ret_made tells.
	 */
	int (*create)(const struct volume_image *image, bool *ret_made, char **ret_error);
	int (*remove)(const struct volume_image *image, char **ret_error);
	int (*verify)(const struct volume_image *image, char **ret_error);
	/* *ret_path is what the qube gets (g_free()); NULL: nothing. */
	int (*start)(const struct volume_image *image, char **ret_path, char **ret_error);
	/* Of a started snapshot: the file that it was copied from (g_free()), which nobody writes unless
	 * the source is written in place. It goes with the stop. NULL: there is none. */
	char *(*origin)(const struct volume_image *image);
	int (*stop)(const struct volume_image *image, char **ret_error);
	/* As stop, for whoever cannot be sure that nobody uses it: -EBUSY then. */
	int (*recover)(const struct volume_image *image, char **ret_error);
	/* *ret_path is an empty file of the image's size, to be filled. */
	int (*import_begin)(const struct volume_image *image, char **ret_path, char **ret_error);
	/* What was written becomes the content; or, not ok, is forgotten. */
	int (*import_end)(const struct volume_image *image, bool ok, char **ret_error);
	/* The same at once from another file. */
	int (*import_file)(const struct volume_image *image, const char *path, char **ret_error);
	/* The path of the content while the volume is not in use, to be copied. */
	int (*export_path)(const struct volume_image *image, char **ret_path, char **ret_error);
	/* "": the newest */
	int (*revert)(const struct volume_image *image, const char *revision, char **ret_error);
	int (*resize)(const struct volume_image *image, uint64_t size, char **ret_error);
	int (*status)(
	    const struct volume_image *image, struct volume_status *ret, char **ret_error);
	/* size and usage of the whole pool: of image only dir counts. NULL: it has none. */
	int (*pool_status)(
	    const struct volume_image *image, struct volume_status *ret, char **ret_error);
};

extern const struct volume_driver volume_driver_file, volume_driver_reflink, volume_driver_kernel;

/* By name, or NULL. */
const struct volume_driver *volume_driver_find(const char *name);
/* All of them, NULL-terminated. */
extern const struct volume_driver *const volume_drivers[];

#endif
