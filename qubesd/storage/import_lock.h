/*
 * import_lock - says that whoever fills a volume still lives.
 *
 * Shape:  a file import-XXXXXX in the runtime folder, on which the importing process holds a lock for
 *         as long as it has it open: the kernel drops the lock with the process, however it ends.
 *         qubesd writes into it what the import is about, and so finds it again when it starts anew.
 * Source: docs/storage.md, "Sizes, imports, copies".
 */
#ifndef QUBESD_STORAGE_IMPORT_LOCK_H
#define QUBESD_STORAGE_IMPORT_LOCK_H

#include <glib.h>
#include <stdbool.h>

/* --- for who imports ------------------------------------------------------------------------ */

struct import_lock;
/* Returns 0 or a negative errno. */
int import_lock_new(struct import_lock **ret);
const char *import_lock_name(const struct import_lock *lock);
void import_lock_free(struct import_lock *lock); /* lets go; NULL is fine */

/* --- for qubesd: name is one of those, of the runtime folder -------------------------------- */

bool import_lock_is_name(const char *name);
bool import_lock_is_held(const char *name);
/* What qubesd notes in it. Returns 0 or a negative errno. */
int import_lock_write(const char *name, const char *text);
char *import_lock_read(const char *name); /* NULL: it cannot be read. g_free() */
void import_lock_remove(const char *name);
/* The names of all that are there, held or not. g_ptr_array_unref() */
GPtrArray *import_lock_list(void);

#endif
