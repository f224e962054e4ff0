/*
 * private - the private volume of a machine: /rw, and from it /home and /usr/local.
 *
 * What the kernel knows of the device from an earlier life (volume.h) is forgotten first. A blank
 * volume gets an ext4 file system, any other is checked; it is mounted without set-user-id
 * programs and devices, grown to its device, and given what a first start finds: /rw/config with
 * its scripts, /rw/usrlocal, a home for each account. docs/guest-image.md lists it.
 */
#ifndef GUEST_PRIVATE_H
#define GUEST_PRIVATE_H

#include <stdbool.h>

/*
 * device NULL: there is no such volume, and the root's own folders are used. for_once: a
 * disposable's, which needs no journal. Says on the log what went wrong. Returns 0 or a negative
 * errno; without the volume a machine should not go on, since its person would miss a home.
 */
int private_mount(const char *device, bool for_once);

/* Unmounts it; what is still in use becomes read-only. */
void private_unmount(void);

#endif
