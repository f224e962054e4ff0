/*
 * xen - what is different in a machine on Xen: modules, the rights on Xen's devices, and how
 * guest.conf comes.
 */
#ifndef GUEST_XEN_H
#define GUEST_XEN_H

/* Loads the modules for event channels and grants and gives their devices to group qubes. */
void xen_open_devices(void);

/*
 * Writes GUEST_CONF_PATH from the word bordure.conf=BASE64 of the kernel's command line and from
 * the domain id in xenstore. Says on the log what is wrong. Returns 0 or a negative errno.
 */
int xen_write_conf(void);

/* Pure: the lines of guest.conf in a kernel command line; NULL when there are none. The caller
 * frees it. */
char *xen_conf_of_cmdline(const char *cmdline);

#endif
