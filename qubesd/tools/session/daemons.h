/*
 * daemons - the qubes-guid of every qube: what there is follows what there should be.
 *
 * A daemon whose qube, label or name changed is ended before the next one starts, so no two ever
 * serve one qube. Its configuration is guid-conf.XID in the runtime folder while it is there.
 */
#ifndef QUBESD_TOOLS_SESSION_DAEMONS_H
#define QUBESD_TOOLS_SESSION_DAEMONS_H

#include "qubesd/tools/session/wanted.h"

struct daemons;

struct daemons *daemons_new(bool kde);

/* Frees what is left; children that have not ended yet are killed with their starter. */
void daemons_free(struct daemons *daemons);

/* The qube should have this daemon. qube is taken over. */
void daemons_want(struct daemons *daemons, struct wanted_qube *qube, const char *conf_text);

/* It should have none. */
void daemons_unwant(struct daemons *daemons, const char *name);

/* Off: every daemon ends, and none starts until it is on again (there is no display). */
void daemons_set_enabled(struct daemons *daemons, bool enabled);

/* How many daemons there are, those that are ending included. */
unsigned daemons_count(const struct daemons *daemons);

/* Called when daemons_count() may have fallen to 0. */
void daemons_on_idle(struct daemons *daemons, void (*on_idle)(void *data), void *data);

/* Writes the configuration of a daemon; returns its path (g_free()) or NULL after a log line. */
char *daemons_write_conf(const struct wanted_qube *qube, const char *text);

#endif
