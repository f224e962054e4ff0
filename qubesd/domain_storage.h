/*
 * domain_storage - the volumes of a qube as a whole: which it has, making them, starting and stopping
 * them. What lies between the store (domain.h, volume.h) and the threads (storage/storage.h).
 *
 * Shape:  which volumes a class has: the table in domain_storage.c. Only qubes whose hypervisor gives
 *         them disks have any (lifecycle_has_disks()). They come into being when the qube is made, or
 *         when they are first needed: a start, an import.
 * Async:  done() comes on the main loop, never before the function that was called has returned, and
 *         once. The domain is kept alive until then.
 */
#ifndef QUBESD_DOMAIN_STORAGE_H
#define QUBESD_DOMAIN_STORAGE_H

#include "qubesd/admin_error.h"
#include "qubesd/hypervisor.h"
#include "qubesd/storage/storage.h"

#include <glib.h>

struct domain;
struct qubes_app;
struct volume;

/* Follows templates that change. Once, for a new app. */
void domain_storage_init(struct qubes_app *app);

/* True when the qube has disks, or is to have some. */
bool domain_storage_wanted(const struct domain *domain);

/* Notes in which pool a volume is to be made, before it is. */
void domain_storage_plan(struct domain *domain, const char *volume, const char *pool);

typedef void (*domain_storage_done)(const struct admin_error *error, void *data);

/* Makes what does not exist yet, the template's first. Nothing is left of a failure. */
void domain_storage_ensure(struct domain *domain, domain_storage_done done, void *data);
/* All content is there. Implies ensure. */
void domain_storage_verify(struct domain *domain, domain_storage_done done, void *data);

/* The disks of a run: what struct hypervisor_qube wants. */
struct domain_disks {
	struct hypervisor_volume *volumes; /* owned; root, private, volatile, kernel */
	size_t count;
};
void domain_disks_free(struct domain_disks *disks); /* NULL is fine */

/* disks is the callee's, NULL with an error; then everything has been stopped again. */
typedef void (*domain_storage_started)(
    struct domain_disks *disks, const struct admin_error *error, void *data);
void domain_storage_start(struct domain *domain, domain_storage_started started, void *data);

/* Keeps or drops what the run has written. A failure of one volume does not stop the others. */
void domain_storage_stop(struct domain *domain, domain_storage_done done, void *data);
/* The same for a qube that was found halted, in the background; somebody's disk is left alone. */
void domain_storage_recover(struct domain *domain);

/*
 * For the Admin API: one job on one volume. NULL with *error: the pool is gone, or has no driver that
 * we know. image is the volume as it is now.
 */
struct volume_job *domain_storage_job(const struct domain *domain, const struct volume *volume,
    enum volume_operation operation, struct admin_error *error);

/* The snapshot's source as it is now; NULL when it has none. Borrowed. */
const struct volume *domain_storage_source(
    const struct domain *domain, const struct volume *volume);

#endif
