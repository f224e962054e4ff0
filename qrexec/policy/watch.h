/*
 * watch - has anything changed in the folders that the policy was read from?
 *
 * Shape:  asked at every request: events are fetched then, so a change made before a request is
 *         always seen by it. Watches folders, and in their parents the folders' own names, so that
 *         folders which are replaced or appear later are seen too.
 * Halves: a file that somebody has begun to write and not yet closed counts as WATCH_WRITING for
 *         at most WATCH_WRITING_MS, after which it is a change like any other.
 * Limits: where the kernel refuses to watch, everything counts as changed, always.
 */
#ifndef QREXEC_POLICY_WATCH_H
#define QREXEC_POLICY_WATCH_H

#include <glib.h>
#include <stdbool.h>

#define WATCH_WRITING_MS 500

enum watch_state {
	WATCH_SAME,
	WATCH_WRITING, /* a file is being written; what was read before still holds */
	WATCH_CHANGED,
};

struct watch;

struct watch *watch_new(void);
void watch_free(struct watch *watch); /* NULL is fine */

/* Forgets everything, and watches these folders (set of char *) from now on. */
void watch_restart(struct watch *watch, GHashTable *folders);

/* What has happened since the restart. Once WATCH_CHANGED, it stays so. */
enum watch_state watch_check(struct watch *watch);

#endif
