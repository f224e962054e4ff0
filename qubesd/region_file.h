/*
 * region_file - the file behind the region device of a QEMU machine.
 *
 * Shape:  /dev/shm/bordure-UUID-RANDOM, sparse, mode 0600, made new for each run and owned by the
 *         user that QEMU runs as, so that QEMU can map it. Page n lies at n * 4096, as in every
 *         region.
 * Limits: a guest that touches a page for which its file system has no room left kills QEMU (SIGBUS).
 *         So there must be room for all of it before it is made: the free space, less what other
 *         regions have not taken yet but may.
 * Trust:  the folder is everybody's. A name that is somebody else's already is an error, never used;
 *         so that nobody can take it to keep the qube from starting, it is drawn for each run. Which
 *         one it was stands in the machine's folder (machine.h).
 */
#ifndef QUBESD_REGION_FILE_H
#define QUBESD_REGION_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define REGION_FILE_DIR "/dev/shm"

/* "bordure-UUID-" and 32 hex digits that nobody can guess; g_free(). */
char *region_file_draw_name(const char *uuid);
/* Is that what such a name looks like? */
bool region_file_is_name(const char *name);
char *region_file_path(const char *name); /* g_free() */

/*
 * Makes it. uid or gid -1: ours. Returns 0, or a negative errno with *ret_error a sentence (g_free()):
 * -ENOSPC when there is no room, -EEXIST when the name is taken. dir is REGION_FILE_DIR but in tests. Blocks for a few calls of a memory file system.
 */
int region_file_make(
    const char *dir, const char *name, uint64_t bytes, uid_t uid, gid_t gid, char **ret_error);
/* Nothing happens when it is not there. */
void region_file_remove(const char *dir, const char *name);

#endif
