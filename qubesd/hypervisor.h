/*
 * hypervisor - one interface over two ways to run a qube: libvirt (hypervisor_libvirt.c) and
 * sandboxes on this kernel (hypervisor_sandbox.c).
 *
 * Nothing here blocks: libvirt's calls run in one worker, bubblewrap is a process. Results come as
 * callbacks on the main loop, never before the function that was called has returned.
 * What a qube is made of comes as one struct of plain values; a hypervisor knows nothing of
 * properties, the store or the Admin API.
 */
#ifndef QUBESD_HYPERVISOR_H
#define QUBESD_HYPERVISOR_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum hypervisor_state {
	HYPERVISOR_HALTED,
	HYPERVISOR_RUNNING,
	HYPERVISOR_PAUSED,
	HYPERVISOR_SUSPENDED,
	HYPERVISOR_HALTING, /* asked to shut down */
	HYPERVISOR_DYING,
	HYPERVISOR_CRASHED,
};

/* One volume as a block device (libvirt), raw; sandboxes use private_dir below instead. */
struct hypervisor_volume {
	const char *name; /* root, private, volatile, kernel; the guest finds it by this name */
	const char *path;
	bool rw;
	const char
	    *origin; /* a file with what it begins with, which nobody writes; NULL: unknown */
};

/* Everything a start needs. All pointers are borrowed for the time of the call. */
struct hypervisor_qube {
	const char *name, *uuid, *klass;
	uint32_t qid;
	uint32_t xid; /* its domain id (domain_ids.h); Xen ignores it and reports its own */
	const char *virt_mode; /* hvm, pv, pvh */
	uint32_t memory_mib, maxmem_mib, vcpus;
	/* boot.h: paths, and all that the kernel is told; "" = none: a machine boots from its image */
	const char *kernel, *initrd, *cmdline;
	const char *mac, *ip, *ip6, *netvm; /* "" = none; netvm is a name */
	bool has_netvm, debug;
	const char *default_user;
	const char *keyboard_layout; /* layout+variant+options */
	/* domain id of the GUI domain; -1: there is none; GUEST_CONF_GUI_LATER: it does not run */
	int64_t gui_domain;
	const char *services;      /* names that are switched on, a blank between them */
	const char *template_name; /* "" when the qube has none */
	/*
	 * Sandbox: the folder that becomes /home and /rw inside. It persists for an AppVM; for a DispVM it is made
	 * empty (or copied from private_source) at start and removed at stop (private_keep false).
	 */
	const char *private_dir, *private_source;
	bool private_keep;
	const struct hypervisor_volume *volumes;
	size_t volume_count;
	bool may_restore; /* it may begin as a saved machine of its kind instead of booting */
};

struct hypervisor;

/* error is NULL on success, else a sentence for people; borrowed. xid is the domain id. */
typedef void (*hypervisor_done)(const char *error, int64_t xid, void *data);

/* The state of a qube changed, also without being asked (guest shutdown, crash, kill outside). */
typedef void (*hypervisor_event)(
    struct hypervisor *hypervisor, const char *uuid, enum hypervisor_state state, void *data);

/*
 * kind is "sandbox" or a libvirt URI. Returns 0, or a negative errno with *ret_error a sentence
 * (g_free()) that says what to do: no bwrap, user namespaces refused, no libvirtd, ...
 */
int hypervisor_new(const char *kind, hypervisor_event on_event, void *data, struct hypervisor **ret,
    char **ret_error);
void hypervisor_free(struct hypervisor *hypervisor); /* qubes go on running */
const char *hypervisor_kind(const struct hypervisor *hypervisor);

/* True when qubes of this kind are reached over a vchan, so that qrexec and the GUI can be had. */
bool hypervisor_has_vchan(const struct hypervisor *hypervisor);
/* The QUBES_VCHAN of the trusted side for qubes of this kind; borrowed; NULL: the default. */
const char *hypervisor_vchan(const struct hypervisor *hypervisor);

/* done is called exactly once. A start leaves nothing behind when it fails. */
void hypervisor_start(struct hypervisor *hypervisor, const struct hypervisor_qube *qube,
    hypervisor_done done, void *data);
void hypervisor_shutdown(
    struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data);
void hypervisor_kill(
    struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data);
void hypervisor_pause(
    struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data);
void hypervisor_unpause(
    struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data);

/* Known state, without asking anybody; -1 as xid when it does not run. */
enum hypervisor_state hypervisor_state(const struct hypervisor *hypervisor, const char *uuid);
/* True when a qube of this kind has the domain id, or something that it left. */
bool hypervisor_has_xid(const struct hypervisor *hypervisor, uint32_t xid);
int64_t hypervisor_xid(const struct hypervisor *hypervisor, const char *uuid);

/* When it was started, in microseconds since the epoch; 0 when it does not run. */
int64_t hypervisor_started_us(const struct hypervisor *hypervisor, const char *uuid);

/* Finds a qube that survived a restart of qubesd. True when it runs; events follow as usual. */
bool hypervisor_adopt(struct hypervisor *hypervisor, const char *uuid, const char *name);

/* KiB, KiB, nanoseconds; zeros when it does not run. */
struct hypervisor_usage {
	uint64_t memory_kib, memory_max_kib, cputime_ns;
};
void hypervisor_usage(
    struct hypervisor *hypervisor, const char *uuid, struct hypervisor_usage *ret);

/* It began to run, but its start failed then: what it began from is not used again. */
void hypervisor_distrust(struct hypervisor *hypervisor, const char *uuid);

#endif
