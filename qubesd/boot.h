/*
 * boot - which kernel a machine starts with, and what that kernel is told.
 *
 * Shape:  paths of a version in the kernel pool, and one line of words. Without a kernel all three
 *         are "": the machine boots from its image, or it is a sandbox. On Xen there is no firmware to do so in the
 *         modes pv and pvh: there the versions pvgrub2 and pvgrub2-pvh stand in.
 * Line:   systemd.machine_id (feature os is Linux), the common words, the driver's console, the
 *         property kernelopts, the words of the features apparmor and selinux. The common words
 *         are those of the version's folder, else the driver's own; nomodeset is left out with
 *         feature no-nomodeset. With feature no-default-kernelopts only kernelopts are left.
 * Source: docs/lifecycle.md, "Kernel".
 */
#ifndef QUBESD_BOOT_H
#define QUBESD_BOOT_H

#include "qubesd/admin_error.h"

#include <stdbool.h>

struct domain;

struct boot {
	char *kernel, *initrd, *cmdline; /* owned */
};

/* kind: what hypervisor_new() takes. False with *error when its kernel is not in the pool. */
bool boot_of(
    const struct domain *domain, const char *kind, struct boot *ret, struct admin_error *error);
void boot_clear(struct boot *boot);

#endif
