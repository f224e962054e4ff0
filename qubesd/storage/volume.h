/*
 * volume - what the store knows of one volume of a qube. Plain values; what lies on the disk is the
 * driver's (driver.h).
 *
 * Shape:  a volume without vid is only planned: it says in which pool it is to be, and nothing of it
 *         exists yet.
 * Trust:  volume_decode() reads attributes of qubes.xml, which may be damaged or edited: a vid or a
 *         source that could lead out of its pool's folder is refused.
 */
#ifndef QUBESD_STORAGE_VOLUME_H
#define QUBESD_STORAGE_VOLUME_H

#include "shared/untrusted.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define VOLUME_SIZE_MAX ((uint64_t)1 << 50) /* bytes: 1 PiB */
#define VOLUME_REVISIONS_MAX 1000
#define VOLUME_VID_MAX 256

struct volume {
	char *name;   /* root, private, volatile, kernel */
	char *pool;   /* owned; a pool's name */
	char *vid;    /* owned; NULL: planned */
	char *source; /* owned; vid in the same pool; NULL: none */
	uint64_t size;
	bool rw, snap_on_start, save_on_stop, ephemeral;
	int revisions_to_keep; /* -1..VOLUME_REVISIONS_MAX */
	GPtrArray *extra; /* owned; char *, attributes that this version does not know, in pairs */
};

struct volume *volume_new(const char *name, const char *pool);
struct volume *volume_copy(const struct volume *volume);
void volume_free(void *volume); /* void *: for arrays */

/* Finds one by its name in an array of struct volume *; NULL. */
struct volume *volume_find(const GPtrArray *volumes, const char *name);

/*
 * From attributes, names and values in turn. NULL when they are not those of a volume. Pure.
 */
struct volume *volume_decode(const GPtrArray *attributes);

/* The same attributes, in the order of qubes.xml. g_ptr_array_unref(). */
GPtrArray *volume_encode(const struct volume *volume);

/* Components of [A-Za-z0-9_.-]+ between single slashes, none of them beginning with a dot. */
bool volume_is_vid(const char *text);

/*
 * Payloads of the Admin API. Each returns false and leaves *ret alone when the bytes are no such
 * value: digits without a leading zero, 1..VOLUME_SIZE_MAX, blanks around it where trim says so;
 * -1..VOLUME_REVISIONS_MAX; [A-Za-z0-9:._-]{1,64} (g_free()) with blanks around it.
 */
bool volume_decode_size(struct untrusted_bytes untrusted_payload, bool trim, uint64_t *ret);
bool volume_decode_revisions(struct untrusted_bytes untrusted_payload, int *ret);
bool volume_decode_revision(struct untrusted_bytes untrusted_payload, char **ret);

/*
 * How an import begins: its size, or nothing for that of the volume (*ret_size 0); then, on a line of
 * its own, whoever holds it (import_lock.h; g_free()), or nothing (NULL).
 */
bool volume_decode_import(
    struct untrusted_bytes untrusted_payload, uint64_t *ret_size, char **ret_holder);

#endif
