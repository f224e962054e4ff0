/*
 * lifecycle - starting and stopping qubes: the state machine between the Admin API and the
 * hypervisors, with its events in their order, and the qrexec-daemon of each running qube.
 *
 * Every operation is asynchronous and ends with exactly one call of done. Two starts of one qube
 * at once share one start; a start during a stop waits for it. A stop is processed exactly once
 * per run, whoever caused it.
 */
#ifndef QUBESD_LIFECYCLE_H
#define QUBESD_LIFECYCLE_H

#include "qubesd/admin_error.h"

#include <stdbool.h>

struct domain;
struct lifecycle;
struct qubes_app; /* qubes_app.h: all domains and the global properties */

/* error is borrowed; NULL on success. */
typedef void (*lifecycle_done)(const struct admin_error *error, void *data);

/* default_kind: what hypervisor_new() takes, for qubes without the feature "hypervisor". */
int lifecycle_new(
    struct qubes_app *app, const char *default_kind, struct lifecycle **ret, char **ret_error);
void lifecycle_free(struct lifecycle *lifecycle); /* running qubes go on */

/* Re-adopts qubes that survived a restart; removes disposables that did not. Once, after load. */
void lifecycle_adopt_all(struct lifecycle *lifecycle);

void lifecycle_start(
    struct lifecycle *lifecycle, struct domain *domain, lifecycle_done done, void *data);
void lifecycle_shutdown(struct lifecycle *lifecycle, struct domain *domain, bool force, bool wait,
    lifecycle_done done, void *data);
void lifecycle_kill(
    struct lifecycle *lifecycle, struct domain *domain, lifecycle_done done, void *data);
void lifecycle_pause(
    struct lifecycle *lifecycle, struct domain *domain, lifecycle_done done, void *data);
void lifecycle_unpause(
    struct lifecycle *lifecycle, struct domain *domain, lifecycle_done done, void *data);

/* "Halted", "Transient", "Running", "Paused", "Suspended", "Halting", "Dying", "Crashed", "NA". */
const char *lifecycle_power_state(const struct lifecycle *lifecycle, const struct domain *domain);
/* True from the start's first step until the stop has been processed. */
bool lifecycle_is_active(const struct lifecycle *lifecycle, const struct domain *domain);
/* Domain id, -1 when it does not run. */
long lifecycle_xid(const struct lifecycle *lifecycle, const struct domain *domain);

/* True when the qube's hypervisor gives it disks: every libvirt URI. */
bool lifecycle_has_disks(const struct lifecycle *lifecycle, const struct domain *domain);

struct hypervisor_usage;
void lifecycle_usage(
    const struct lifecycle *lifecycle, const struct domain *domain, struct hypervisor_usage *ret);

#endif
