/*
 * feed - what the session knows of the qubes, kept up to date from qubesd.
 *
 * It subscribes to admin.Events, then lists and reads every qube that is not off, and reads again
 * whatever an event concerns. When qubesd goes away it connects again with back-off and starts over;
 * what was known stays as it was meanwhile.
 * Limits: FEED_READS qubes are read at a time; one that changes meanwhile is read once more.
 * Source: docs/admin-api.md, "The event stream".
 */
#ifndef QUBESD_TOOLS_SESSION_FEED_H
#define QUBESD_TOOLS_SESSION_FEED_H

#include "qubesd/tools/client.h"
#include "qubesd/tools/session/wanted.h"

#define FEED_READS 8

struct feed;

struct feed_handler {
	/* A qube was read. qube is the callee's. features and defaults: guid_conf.h. */
	void (*on_qube)(
	    struct wanted_qube *qube, GHashTable *features, GHashTable *defaults, void *data);
	/* The qube is off, gone, or may not be read. */
	void (*on_gone)(const char *name, void *data);
	/* Connected and subscribed, also again. NULL is fine, as for the next. */
	void (*on_connected)(void *data);
	/* Every qube of the list has been read, or is gone. */
	void (*on_synced)(void *data);
};

/*
 * own_name: the GUI domain that this runs in, "dom0" on the trusted side; its features are the
 * defaults, and neither it nor dom0 is read.
 * watch: with events, for ever; else the list is read once, on_synced is called, and that is all.
 * handler is borrowed, and so is client. on_synced comes also when qubesd could not be reached (not
 * with watch).
 */
struct feed *feed_new(struct client *client, const char *own_name, bool watch,
    const struct feed_handler *handler, void *data);
void feed_free(struct feed *feed);

#endif
