/*
 * system - the folders, names and devices of a machine that has just booted.
 */
#ifndef GUEST_SYSTEM_H
#define GUEST_SYSTEM_H

#include "qubesd/guest/guest.h"

/* Mounts what every program expects; what is there already stays. Sets the environment. */
void system_mount(void);

/* The root volume, mounted read-only until then, can be written from now on. */
void system_open_root(void);

/*
 * What guest.conf decides: the host name, the machine id, the names in /etc. The files lie in
 * memory and are bound over those of the root volume, which may be a template's: it stays as it is.
 * The loopback network goes up.
 */
void system_name(const struct guest *guest);

/* Swaps to the volatile volume, and runs the person's scripts in /rw/config; in a child process. */
void system_run_late(const char *volatile_device);
/* The same for the early ones, waited for. */
void system_run_early(void);

#endif
