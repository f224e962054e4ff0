/*
 * fresh - what a machine needs anew each time its host speaks to it: random numbers and the time.
 *
 * A machine that was restored from a saved state goes on with the clock of the moment in which it was
 * saved, and with the same random numbers as every other copy of that state. Both end here, before
 * anything that draws a random number starts. The lines come in guest.conf (shared/guest_conf.h) in
 * a place that only root can read, and go no further: the seed is a secret of host and kernel.
 */
#ifndef GUEST_FRESH_H
#define GUEST_FRESH_H

#include "shared/guest_conf.h"

/*
 * Takes the guest.conf at path away. *ret is what is fresh in it, to be wiped; *ret_text the text
 * without that (g_free()). No other copy of the seed is left. Says on the log which line is wrong.
 * Returns 0, -ENOENT when there is none, -EINVAL, or another negative errno.
 */
int fresh_take(const char *path, struct guest_conf_fresh *ret, char **ret_text);

/*
 * Mixes the seed into the kernel's random numbers, as that many bits nobody knows, and has them drawn
 * from a new key at once; then sets the clock, which is only logged when it fails. What has not come
 * is left alone. Returns 0 or a negative errno: then random numbers may not be this machine's own.
 */
int fresh_use(const struct guest_conf_fresh *fresh);

#endif
