/*
 * cache - the policy as it stands now: read once, read again when its files have changed.
 *
 * Promise: what is handed out is one consistent reading. A broken policy is never replaced by an
 *          older one: then there is none, every request fails, and each of them tries to read it
 *          again. While a file is being written the policy from before holds (see watch.h).
 */
#ifndef QREXEC_POLICY_CACHE_H
#define QREXEC_POLICY_CACHE_H

#include "qrexec/policy/include.h"

struct policy_cache;

/* places is taken over. Reads nothing yet. */
struct policy_cache *policy_cache_new(struct policy_places *places);
void policy_cache_free(struct policy_cache *cache); /* NULL is fine */

/*
 * The policy, borrowed until the next call; NULL when it is broken. Logs what is new: warnings and
 * the number of rules after a reading, or the error.
 */
const struct policy *policy_cache_get(struct policy_cache *cache);

/* "FILE:LINE: TEXT" of the broken policy, borrowed until the next get; NULL when there is none. */
const char *policy_cache_error(const struct policy_cache *cache);

#endif
