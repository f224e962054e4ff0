/*
 * system_info - what the policy needs to know about every qube, kept ready.
 *
 * Shape:  one JSON object per qube: internal, tags, type, template_for_dispvms, default_dispvm,
 *         icon, label, guivm, relayvm, transport_rpc, power_state, uuid.
 * Events: whoever subscribes gets every qube, then "system-info-complete", then each change
 *         before the call that made it is answered (docs/architecture.md).
 */
#ifndef QUBESD_SYSTEM_INFO_H
#define QUBESD_SYSTEM_INFO_H

struct system_info;
struct qubes_app;

struct system_info *system_info_new(struct qubes_app *app);
void system_info_free(struct system_info *info); /* when there are no subscribers */

#endif
