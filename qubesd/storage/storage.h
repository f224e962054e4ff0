/*
 * storage - work on volumes, in threads of its own.
 *
 * Shape:  a job is one function of a driver on one image. Jobs of one volume run one after another in
 *         the order they came; those of different volumes in parallel. What starts and stops qubes,
 *         what changes content, and looks (..._STATUS) have threads of their own: long copies hold
 *         up neither of the others. Looks do not wait for jobs of their volume.
 * Marks:  a started volume has a file "volume-running-..." in the runtime folder until it is stopped.
 * Thread: everything here is called on the main loop, and done() comes on it, never before
 *         storage_run() has returned.
 */
#ifndef QUBESD_STORAGE_STORAGE_H
#define QUBESD_STORAGE_STORAGE_H

#include "qubesd/storage/driver.h"

/* Threads at most. A qube has four volumes, and where blocks cannot be shared a start copies. */
#define STORAGE_THREADS_RUN 16
#define STORAGE_THREADS_EDIT 4
#define STORAGE_THREADS_LOOK 2

struct storage;

struct storage *storage_new(void);
/*
 * Copies end as if they had failed; waits for the rest of the jobs under way; the others never run. No
 * done() is called any more. NULL is fine.
 */
void storage_free(struct storage *storage);

/* What callers have begun. Borrowed. */
struct claims *storage_claims(const struct storage *storage);

enum volume_operation {
	VOLUME_CREATE,
	VOLUME_REMOVE,
	VOLUME_VERIFY,
	VOLUME_START,
	VOLUME_STOP,
	VOLUME_RECOVER,
	VOLUME_IMPORT_BEGIN,
	VOLUME_IMPORT_END,
	VOLUME_IMPORT_FILE,
	VOLUME_EXPORT_PATH,
	VOLUME_REVERT,
	VOLUME_RESIZE,
	VOLUME_STATUS,
	VOLUME_POOL_STATUS, /* of the pool; the volume is none */
};

struct volume_job {
	const struct volume_driver *driver;
	enum volume_operation operation;
	struct volume_image *image; /* owned */
	char *pool;                 /* owned; with image->vid: which volume it is */
	char *text;                 /* owned; path of IMPORT_FILE, revision of REVERT */
	uint64_t size;              /* of RESIZE */
	bool ok;                    /* of IMPORT_END */

	/* What came of it. */
	int result;                  /* 0 or a negative errno */
	char *error;                 /* owned; a sentence when result is not 0 */
	bool made;                   /* CREATE: it was not there */
	char *path;                  /* owned; START, IMPORT_BEGIN, EXPORT_PATH */
	char *origin;                /* owned; START of a snapshot: driver.h; NULL: there is none */
	struct volume_status status; /* STATUS, POOL_STATUS */

	void (*done)(struct volume_job *job, void *data);
	void *data; /* borrowed */
	char *key;  /* owned; for storage.c */
};

/* image is taken over; a job of a driver that has no such function fails with -ENOTSUP. */
struct volume_job *volume_job_new(const struct volume_driver *driver,
    enum volume_operation operation, const char *pool, struct volume_image *image);

/* Takes the job over; frees it after done(). */
void storage_run(struct storage *storage, struct volume_job *job,
    void (*done)(struct volume_job *job, void *data), void *data);

/* The same, here and now: for tests, and for who has a thread. The caller frees the job. */
void volume_job_run(struct volume_job *job);
void volume_job_free(struct volume_job *job);

/* "volume-running-POOL:VID" with every '-' of both doubled and then every '/' a '-'. g_free() */
char *storage_mark_name(const char *pool, const char *vid);

#endif
