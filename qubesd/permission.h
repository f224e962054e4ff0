/*
 * permission - what the daemon itself forbids, whatever the qrexec policy allowed, and what a
 * caller may see of others.
 *
 * dom0 sees everything. Another caller sees a qube in a list, or an event, only when the policy
 * would allow it to make that very call about that qube (docs/admin-api.md, "Permissions"); an
 * answer "ask" counts as no, and so does no answer.
 */
#ifndef QUBESD_PERMISSION_H
#define QUBESD_PERMISSION_H

#include "qubesd/admin_error.h"

#include <glib.h>
#include <stdbool.h>

struct domain;
struct policy_client;

/* May source set or remove the tag, the feature? False: *error is PermissionDenied. */
bool permission_to_change_tag(
    const struct domain *source, const char *tag, struct admin_error *error);
bool permission_to_change_feature(
    const struct domain *source, const char *feature, struct admin_error *error);

/*
 * Finds those of domains (struct domain *, a reference each; taken over) that source may list. done
 * gets an array of the same kind, in the same order, which it unrefs. At once for dom0, else later.
 */
typedef void (*permission_listed)(GPtrArray *domains, void *data);
void permission_filter_list(struct policy_client *policy, const struct domain *source,
    GPtrArray *domains, permission_listed done, void *data);

#endif
