/*
 * machine - what a QEMU machine has on the host beside its domain in libvirt.
 *
 * Shape:  machine/XID/ in the runtime folder: port.sock and console.sock, on which QEMU listens, and
 *         the file facts with the qube's UUID, the kind of its hypervisor and the name of its region;
 *         conf, the text of its guest.conf; the file of that region (region_file.h); its entry at
 *         vchan-broker; and the process that copies its console to log/guest-NAME.log. All of it is
 *         made before the domain, and removed after its end by whoever finds it ended: the folder
 *         goes last, so nothing is forgotten.
 * Blocks: yes, for short exchanges with the broker: only in a worker.
 */
#ifndef QUBESD_MACHINE_H
#define QUBESD_MACHINE_H

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

struct machine_spec {
	uint32_t xid;
	const char *uuid, *kind;
	const char *conf;   /* text of guest.conf */
	const char *region; /* name of the file (region_file.h) */
	uint64_t region_bytes;
	uid_t uid; /* of QEMU; -1: ours */
	gid_t gid;
};

char *machine_port_path(uint32_t xid);    /* g_free() */
char *machine_console_path(uint32_t xid); /* g_free() */

/* 0, or a negative errno with *ret_error a sentence (g_free()); then nothing is left. */
int machine_make(const struct machine_spec *spec, char **ret_error);

/* For one that qubesd finds running: the broker may be a new one. Fails in the log alone. */
void machine_tell_broker_again(uint32_t xid);

/* QEMU listens now: lets a process of its own write the console's log. Fails in the log alone. */
void machine_watch_console(uint32_t xid, const char *name);

/*
 * Everything of it, as far as it is there; but nothing when it is that of another qube or kind: an
 * xid may come from a description that is older than this boot. uuid NULL: whoever's.
 */
void machine_remove(uint32_t xid, const char *uuid, const char *kind);

/* The ids of all machines of that kind that were not removed; g_array_unref(). */
GArray *machine_list(const char *kind);

#endif
