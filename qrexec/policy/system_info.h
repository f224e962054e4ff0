/*
 * system_info - what the policy may know about the qubes that exist.
 *
 * Shape:  one record a qube, found by name or by "uuid:...". Filled from the JSON objects of
 *         internal.GetSystemInfo, either all at once or one qube at a time as events come.
 * Trust:  the text comes from qubesd, which is trusted; what does not parse is still refused.
 * Owner:  records belong to the table and live until the qube's next update or removal.
 * Source: docs/policy.md, "System information".
 */
#ifndef QREXEC_POLICY_SYSTEM_INFO_H
#define QREXEC_POLICY_SYSTEM_INFO_H

#include <glib.h>
#include <stdbool.h>

struct qube_info {
	char *name;
	char *uuid; /* without prefix; NULL when unknown */
	char *klass;
	char **tags;          /* NULL-terminated, never NULL */
	char *default_dispvm; /* NULL when there is none; so for all that follow */
	char *power_state;
	char *icon;
	char *label;
	char *guivm;
	char *relayvm;
	char *transport_rpc;
	bool template_for_dispvms;
	bool internal; /* never offered as a choice */
};

struct system_info;

struct system_info *system_info_new(void);
void system_info_free(struct system_info *info); /* NULL is fine */

/* Adds or replaces one qube. Returns 0, or -EINVAL when json is no object such as is expected. */
int system_info_set(struct system_info *info, const char *name, const char *json);
void system_info_remove(struct system_info *info, const char *name);

/* {"domains": {NAME: {...}}}. Returns 0 and a new table, or -EINVAL with *ret untouched. */
int system_info_parse(const char *json, size_t len, struct system_info **ret);

/* By name or by "uuid:..."; NULL when there is no such qube. */
const struct qube_info *system_info_find(const struct system_info *info, const char *name);

/* Every qube, by name in byte order. Borrowed elements; the array is the caller's. */
GPtrArray *system_info_all(const struct system_info *info);

bool qube_info_has_tag(const struct qube_info *qube, const char *tag);

#endif
