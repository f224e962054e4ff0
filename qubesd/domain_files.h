/*
 * domain_files - the folder of a qube: made with it, moved aside when it is removed, and deleted
 * once the store says for good that it is gone.
 *
 * Shape:  STATE/appvms/NAME or STATE/vm-templates/NAME, with "private" in it, and the same below
 *         the folder of each pool that lies elsewhere. A removed folder waits in removed/UUID beside: if the daemon dies before the store is written, the qube is
 *         still there afterwards, and so is its folder (domain_files_recover()).
 * Blocks: one or two calls on a folder each; deleting runs in a thread of its own.
 */
#ifndef QUBESD_DOMAIN_FILES_H
#define QUBESD_DOMAIN_FILES_H

#include "qubesd/admin_error.h"

#include <glib.h>
#include <stdbool.h>

struct domain;
struct qubes_app;

/*
 * Makes the folders. A folder that another qube of that name left behind is refused, unless it is
 * empty: a new qube never finds the files of an old one.
 */
bool domain_files_make(const struct domain *domain, struct admin_error *error);
/* The folders of its volumes (struct volume *) in their pools, which may lie elsewhere. */
bool domain_files_make_folders(
    const struct domain *domain, const GPtrArray *volumes, struct admin_error *error);
void domain_files_set_aside(const struct domain *domain);
void domain_files_bring_back(const struct domain *domain);
/* Deletes what was set aside; or, for a qube that never came to be, all that was made. */
void domain_files_delete(const struct domain *domain);
void domain_files_unmake(const struct domain *domain);
/* After a load: folders set aside go back to qubes that still exist; the others are deleted. */
void domain_files_recover(struct qubes_app *app);

#endif
