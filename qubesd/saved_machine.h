/*
 * saved_machine - what is the same in all disposables of a kind on QEMU, so that one machine can be
 * saved before it knows who it is, and go on as any of them.
 *
 * Shape:  memory, processors, kernel and its line; the content of the root volume; the sizes of the
 *         others, whose content nobody has looked at by then. The key names all of it, what runs it,
 *         and the form of our description: a state with this key is as good as a boot.
 * Blocks: all but _new and _free look at files, _make_disks as long as a copy takes: threads only.
 * Source: docs/saved-states.md.
 */
#ifndef QUBESD_SAVED_MACHINE_H
#define QUBESD_SAVED_MACHINE_H

#include "qubesd/hypervisor.h"

struct saved_machine;

/*
 * NULL when it must boot: it is no disposable, has been told not to (may_restore), has no kernel of
 * ours, or a root volume whose origin nobody knows.
 */
struct saved_machine *saved_machine_new(const struct hypervisor_qube *qube);
void saved_machine_free(struct saved_machine *machine); /* NULL is fine */

uint64_t saved_machine_memory_bytes(const struct saved_machine *machine);

/* The qube's own volumes; borrowed. */
const struct hypervisor_volume *saved_machine_volumes(
    const struct saved_machine *machine, size_t *ret_count);

/*
 * The key in hexadecimal digits; g_free(). NULL: a file that it depends on cannot be looked at. The
 * content of the root volume is held from then on, also when the qube's own link of it goes.
 * host says what runs it: versions of QEMU and libvirt.
 */
char *saved_machine_key(
    struct saved_machine *machine, bool kvm, uint64_t region_bytes, const char *host);

/* The disks of the machine that is saved, in a folder that is there. After _key. 0 or a negative errno. */
int saved_machine_make_disks(const struct saved_machine *machine, const char *folder);
/* True when nothing has been written to any of them. */
bool saved_machine_disks_are_clean(const struct saved_machine *machine, const char *folder);

/* Its description with these disks; domain_xml.h. 0 or -EINVAL with *ret_error. */
struct domain_xml_machine;
int saved_machine_xml(const struct saved_machine *machine, const char *name, const char *uuid,
    const char *folder, const struct domain_xml_machine *host, char **ret, char **ret_error);

#endif
