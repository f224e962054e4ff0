/*
 * run_kind - under which hypervisor a qube runs, as long as it does.
 *
 * What a qube would be started with is a matter of features and templates, which change; where it runs
 * is a fact. It stands in the file kind-UUID in the runtime folder from before the hypervisor is asked
 * to start it until after its stop has been processed, so that a qubesd that starts anew asks the right
 * one: else a running qube would be thought halted, and be started a second time on the same disks.
 */
#ifndef QUBESD_RUN_KIND_H
#define QUBESD_RUN_KIND_H

/* Returns 0 or a negative errno; then what was noted before is there as it was. */
int run_kind_write(const char *uuid, const char *kind);
/* NULL: nothing is noted. g_free() */
char *run_kind_read(const char *uuid);
void run_kind_remove(const char *uuid);

#endif
