#include "qrexec/policy/system_source.h"

#include "shared/admin_client.h"
#include "shared/log.h"
#include "shared/text.h"

#include <errno.h>
#include <string.h>

#define METHOD "internal.SystemInfoEvents"
#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 2000

struct system_source {
	char *socket;                /* owned */
	struct admin_events *events; /* owned; NULL while not connected */
	struct system_info *info;    /* owned */
	bool complete;               /* info is the whole picture */
	bool failed_before;          /* so that a missing qubesd is logged once */
	guint timer;                 /* the next attempt; 0: none */
	guint pause_ms;
};

static void connect_events(struct system_source *source);

static gboolean
on_pause_over(gpointer data)
{
	struct system_source *source = data;

	source->timer = 0;
	connect_events(source);
	return G_SOURCE_REMOVE;
}

static void
disconnect(struct system_source *source, int error)
{
	if (source->complete || !source->failed_before)
		log_warn("no system information from qubesd: %s; every call is denied meanwhile",
		    error < 0 ? g_strerror(-error) : "the stream ended");
	source->failed_before = true;
	source->complete = false;
	g_clear_pointer(&source->events, admin_events_free);
	g_clear_pointer(&source->info, system_info_free);
	source->timer = g_timeout_add(source->pause_ms, on_pause_over, source);
	source->pause_ms = MIN(source->pause_ms * 2, PAUSE_MAX_MS);
}

static int
take_event(struct system_source *source, const struct admin_event *event)
{
	if (strcmp(event->name, "system-info-set") == 0) {
		const char *json = g_hash_table_lookup(event->args, "info");

		return json != NULL ? system_info_set(source->info, event->subject, json) : -EPROTO;
	}
	if (strcmp(event->name, "system-info-remove") == 0)
		system_info_remove(source->info, event->subject);
	if (strcmp(event->name, "system-info-complete") == 0) {
		log_info("system information from qubesd is complete");
		source->complete = true;
		source->failed_before = false;
		source->pause_ms = PAUSE_MIN_MS;
	}
	return 0;
}

static void
on_event(const struct admin_event *event, void *data)
{
	struct system_source *source = data;
	g_autofree char *subject = text_quote_string(event->subject);
	int r = take_event(source, event);

	if (r == 0)
		return;
	log_error("qubesd's information about %s makes no sense", subject);
	disconnect(source, r);
}

static void
on_end(int error, void *data)
{
	disconnect(data, error);
}

static void
connect_events(struct system_source *source)
{
	int r;

	source->info = system_info_new();
	r = admin_events_new(
	    source->socket, METHOD, "dom0", on_event, on_end, source, &source->events);
	if (r < 0)
		disconnect(source, r);
}

struct system_source *
system_source_new(const char *socket)
{
	struct system_source *source = g_new0(struct system_source, 1);

	source->socket = g_strdup(socket);
	source->pause_ms = PAUSE_MIN_MS;
	connect_events(source);
	return source;
}

void
system_source_free(struct system_source *source)
{
	if (source == NULL)
		return;
	if (source->timer != 0)
		g_source_remove(source->timer);
	admin_events_free(source->events);
	system_info_free(source->info);
	g_free(source->socket);
	g_free(source);
}

const struct system_info *
system_source_get(const struct system_source *source)
{
	return source->complete ? source->info : NULL;
}
