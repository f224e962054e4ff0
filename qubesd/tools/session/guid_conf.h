/*
 * guid_conf - the configuration file of one qubes-guid, made from features. Pure.
 *
 * A key KEY_NAME is the feature gui-KEY-NAME of the qube, else gui-default-KEY-NAME of the GUI
 * domain. Features can be set by whoever manages the qube, so every value is checked
 * against the key's own rule, and what does not pass is left out and told.
 * Source: docs/man/qubes-guid.1.scd, docs/man/qvm-start-daemon.1.scd.
 */
#ifndef QUBESD_TOOLS_SESSION_GUID_CONF_H
#define QUBESD_TOOLS_SESSION_GUID_CONF_H

#include <glib.h>

#define GUID_CONF_PREFIX "gui-"
#define GUID_CONF_DEFAULT_PREFIX "gui-default-"

/*
 * The text of the file; to be freed. Both tables map names of features (char *) to values. problems
 * may be NULL; it gets a sentence (owned by the array) for each value that was left out.
 */
char *guid_conf_text(GHashTable *features, GHashTable *defaults, GPtrArray *problems);

/* The text as a libconfig string, quotes included; to be freed. */
char *guid_conf_quote(const char *text);

#endif
