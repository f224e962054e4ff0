/*
 * claims - what callers of the Admin API have begun with volumes and not yet ended: imports, and
 * copies for which they hold a token.
 *
 * Life:   an import ends with its holder (import_lock.h), at once, however that one ends; a daemon that
 *         starts anew finds those that are held. One that nobody holds is of this daemon, and of a day.
 *         Tokens are gone with the daemon.
 */
#ifndef QUBESD_STORAGE_CLAIMS_H
#define QUBESD_STORAGE_CLAIMS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CLAIMS_IMPORT_S ((gint64)24 * 3600) /* an import without a holder is forgotten by then */
#define CLAIMS_TOKEN_S ((gint64)600)        /* and so is a token */
#define CLAIMS_TOKENS_EACH 64               /* of one caller; the oldest goes first */
#define CLAIMS_TOKEN_LEN 32                 /* letters and digits */

struct claims;
struct claims *claims_new(void);
void claims_free(struct claims *claims); /* NULL is fine */

/*
 * One import at a time for each volume; holder names its lock, NULL: there is none. now_us is monotonic.
 * Returns 0; -EBUSY: there is one; -ESRCH: nobody holds that lock; or why it cannot be noted.
 */
int claims_begin_import(struct claims *claims, const char *pool, const char *vid, uint64_t size,
    const char *holder, gint64 now_us);
bool claims_importing(struct claims *claims, const char *pool, const char *vid, gint64 now_us);
/* False: there was none. */
bool claims_end_import(
    struct claims *claims, const char *pool, const char *vid, gint64 now_us, uint64_t *ret_size);

/* A new token of the caller for a volume of a qube, both by UUID; borrowed until it is taken. */
const char *claims_new_token(
    struct claims *claims, const char *caller, const char *qube, const char *volume, gint64 now_us);
/* Uses the token up. False: there is none such of that caller. Strings for g_free(). */
bool claims_take_token(struct claims *claims, const char *caller, const char *token, gint64 now_us,
    char **ret_qube, char **ret_volume);

#endif
