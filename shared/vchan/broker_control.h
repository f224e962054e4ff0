/*
 * broker_control - the trusted side's calls to vchan-broker.
 *
 * The broker plays the part that xenstore, grants and event channels play on Xen. It knows
 * domains by number. Each has one socket of its own, made by the broker at a path that the host
 * chooses and binds into the sandbox: a domain *is* the socket it speaks on. Domain 0, the trusted
 * side, is always there; its socket is vchan.sock beside the control socket. The broker outlives
 * qubesd; its control socket is vchan-broker.sock in the runtime folder.
 *
 * Blocks: each call is one short local exchange; 5 seconds at most (-ETIMEDOUT).
 * Errors: those named below, -ENOENT or -ECONNREFUSED when no broker is there.
 * Source: docs/vchan.md, "The broker".
 */
#ifndef SHARED_VCHAN_BROKER_CONTROL_H
#define SHARED_VCHAN_BROKER_CONTROL_H

#include <stdint.h>
#include <sys/types.h>

struct broker_control;

/* control_path NULL: the default above. Returns 0 or a negative errno. */
int broker_control_new(const char *control_path, struct broker_control **ret);
void broker_control_free(struct broker_control *control);

/*
 * Makes domain's socket at socket_path (mode 0600, owned by uid and gid when we may) and its memory
 * region of region_bytes (a power of two, 1 MiB..4 GiB, sparse; 0: none). -EEXIST when the domain
 * is there already, or a file that is no stale socket; -EINVAL for domain 0, another size or a path
 * that does not begin with a slash; -ENAMETOOLONG for a path of more than 107 bytes; -ENOSPC beyond
 * 4096 domains.
 */
int broker_control_add(struct broker_control *control, uint32_t domain, const char *socket_path,
    uid_t uid, gid_t gid, uint64_t region_bytes);

/*
 * The domain is a virtual machine: its programs speak over the one port org.bordure.vchan, for which
 * QEMU listens on the unix socket port_path now or later; the broker connects, and connects again
 * whenever that was lost. region_path is the regular file behind its region device, "" when it has
 * none; it must be there now. conf (text of guest.conf, at most 3840 bytes) is given to the guest's
 * broker at the beginning of each session, with the lines time and random-seed of that moment. -EEXIST, -EINVAL, -ENAMETOOLONG (region_path: 255 bytes;
 * also for conf) and -ENOSPC as above; -EINVAL also when region_path is no regular file, and the
 * errors of opening it.
 */
int broker_control_add_machine(struct broker_control *control, uint32_t domain,
    const char *port_path, const char *region_path, const char *conf);

/* Ends every connection of the domain, removes its socket and forgets its region and port.
 * -ENOENT when it is unknown. */
int broker_control_remove(struct broker_control *control, uint32_t domain);

/* The same at the broker of the default path, for whoever tidies up: 0 also when there is no such broker
 * or domain. */
int broker_control_forget(uint32_t domain);

/*
 * gui_domain may ask for the region of domain from now on; 0 takes that right back from whoever has
 * it (not the descriptor it got before). -ENOENT when either is unknown. The right ends with either
 * domain.
 */
int broker_control_set_gui_domain(
    struct broker_control *control, uint32_t domain, uint32_t gui_domain);

/* Domains that exist, ascending, without 0: for a qubesd that was restarted. g_free() *ret. */
int broker_control_list(struct broker_control *control, uint32_t **ret, size_t *ret_count);

#endif
