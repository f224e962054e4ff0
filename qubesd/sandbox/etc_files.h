/*
 * etc_files - the synthetic /etc of a sandbox: what is written new, and what is taken from the
 * template. Nothing that is on neither list is there, so no secret of the host can be.
 */
#ifndef SANDBOX_ETC_FILES_H
#define SANDBOX_ETC_FILES_H

#include "qubesd/sandbox/options.h"

#include <stdbool.h>

/* Calls func for each file that is written new: absolute path inside, and content. */
typedef void (*etc_file_func)(const char *path, const char *content, void *data);
void etc_files_each(const struct sandbox_options *options, etc_file_func func, void *data);

/* What is bound read-only from the template's etc, if it is there; NULL-terminated. */
extern const char *const etc_files_bound[];

/* /run/qubes/guest.conf: docs/architecture.md, "What a sandbox sees". 0 with *ret
 * (g_free()), or -EINVAL for a value that the guest could not read. */
int etc_files_guest_conf(const struct sandbox_options *options, bool privileged, char **ret);

#endif
