/*
 * power - how a machine is told to end, and how it ends.
 *
 * The host asks in two ways: the ACPI power button (QEMU), or Xen's control/shutdown, on which the
 * kernel starts /sbin/poweroff. That one is this program under another name, and so are halt,
 * reboot and shutdown: they send process 1 a SIGTERM.
 */
#ifndef GUEST_POWER_H
#define GUEST_POWER_H

#include "qubesd/guest/keeper.h"

#include <stdbool.h>

/* Lets every power button there is end the loop; returns how many. */
int power_watch_buttons(struct keeper *keeper);

/* argv[0] is one of those names; then this process is not meant to be process 1. */
bool power_is_request(const char *argv0);
/* Asks process 1 to end the machine. Returns an exit status. */
int power_request(void);

/* The end: volumes are unmounted and the machine is switched off. */
void power_off(void) __attribute__((noreturn));

#endif
