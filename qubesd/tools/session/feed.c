#include "qubesd/tools/session/feed.h"

#include "qubesd/tools/properties.h"
#include "qubesd/tools/session/backoff.h"
#include "qubesd/tools/session/guid_conf.h"
#include "shared/log.h"
#include "shared/text.h"

#include <errno.h>
#include <string.h>

struct feed {
	struct client *client; /* borrowed */
	char *own_name;        /* owned */
	char *tag;             /* owned: of the qubes whose GUI domain this is */
	bool watch;
	const struct feed_handler *handler; /* borrowed */
	void *data;                         /* borrowed */

	struct client_events *events; /* owned; NULL: not connected */
	guint retry;                  /* source: the next try to connect */
	struct backoff backoff;

	struct client_call list; /* admin.vm.List */
	struct client_batch *list_batch;
	bool listed; /* and on_synced is still to be called */

	GHashTable *reads; /* name -> struct reading, owned: in flight */
	GQueue *waiting;   /* names, owned: to be read when there is room */
	GHashTable *known; /* names, owned: on_qube was called, and not on_gone since */
};

/* The first calls about a qube; those about its features and label follow from the replies. */
enum {
	READ_PROPERTIES,
	READ_GUI,
	READ_CLIPBOARD,
	READ_FEATURES,
	READ_DEFAULTS,
	READ_FIRST_COUNT,
};

/* A qube that is being read. */
struct reading {
	struct feed *feed;        /* borrowed */
	char *name;               /* owned */
	struct wanted_qube *qube; /* owned; after the first replies */
	struct client_call first[READ_FIRST_COUNT];
	GPtrArray *names;   /* owned: what the arguments of more borrow */
	GArray *more;       /* struct client_call: label.Get, label.Index, then features */
	guint own_features; /* how many of the features are the qube's own */
	struct client_batch *batch;
	bool again; /* it changed meanwhile */
};

static void feed_connect(struct feed *feed);
static void feed_read(struct feed *feed, const char *name);

/* --- what comes out ------------------------------------------------------------------------- */

static void
feed_gone(struct feed *feed, const char *name)
{
	g_hash_table_remove(feed->known, name);
	feed->handler->on_gone(name, feed->data);
}

static void
feed_check_synced(struct feed *feed)
{
	if (!feed->listed || g_hash_table_size(feed->reads) > 0 || !g_queue_is_empty(feed->waiting))
		return;
	feed->listed = false;
	if (feed->handler->on_synced != NULL)
		feed->handler->on_synced(feed->data);
}

/* --- reading one qube ----------------------------------------------------------------------- */

static void
reading_free(struct reading *reading)
{
	client_batch_free(reading->batch);
	client_clear(reading->first, READ_FIRST_COUNT);
	client_clear((struct client_call *)reading->more->data, reading->more->len);
	g_array_unref(reading->more);
	g_ptr_array_unref(reading->names);
	wanted_qube_free(reading->qube);
	g_free(reading->name);
	g_free(reading);
}

/* The reading is over: the next one may begin. */
static void
reading_end(struct reading *reading)
{
	struct feed *feed = reading->feed;
	g_autofree char *again = reading->again ? g_strdup(reading->name) : NULL;

	g_hash_table_remove(feed->reads, reading->name);
	if (again != NULL)
		feed_read(feed, again);
	while (!g_queue_is_empty(feed->waiting) && g_hash_table_size(feed->reads) < FEED_READS) {
		g_autofree char *next = g_queue_pop_head(feed->waiting);

		feed_read(feed, next);
	}
	feed_check_synced(feed);
}

static char *
property_text(const char *content, const char *name)
{
	struct property *property = properties_pick(content, name);
	char *value = g_strdup(property != NULL ? property->value : "");

	property_free(property);
	return value;
}

static bool
property_is_true(const char *content, const char *name)
{
	g_autofree char *value = property_text(content, name);

	return strcmp(value, "True") == 0;
}

static int64_t
property_number(const char *content, const char *name, int64_t otherwise)
{
	g_autofree char *value = property_text(content, name);
	gint64 number;

	return g_ascii_string_to_signed(value, 10, G_MININT64, G_MAXINT64, &number, NULL)
		   ? number
		   : otherwise;
}

/* Name and label come out of one reply, so that they belong together. */
static struct wanted_qube *
qube_of(const struct reading *reading)
{
	const char *content = reading->first[READ_PROPERTIES].content;
	const struct client_call *gui = &reading->first[READ_GUI];
	const struct client_call *clipboard = &reading->first[READ_CLIPBOARD];
	struct wanted_qube *qube = g_new0(struct wanted_qube, 1);

	qube->name = property_text(content, "name");
	qube->klass = property_text(content, "klass");
	qube->label = property_text(content, "label");
	qube->icon = property_text(content, "icon");
	qube->guivm = property_text(content, "guivm");
	qube->xid = property_number(content, "xid", -1);
	qube->label_index = -1;
	qube->debug = property_is_true(content, "debug");
	qube->is_preload = property_is_true(content, "is_preload");
	qube->gui = !gui->ok || gui->content[0] != '\0';
	qube->qrexec_clipboard = clipboard->ok && clipboard->content[0] != '\0';
	return qube;
}

/* Replies of feature.Get as a table of names and values. */
static GHashTable *
feature_table(const struct client_call *calls, guint count)
{
	GHashTable *table = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < count; i++) {
		if (calls[i].ok)
			g_hash_table_insert(table, (gpointer)calls[i].arg, calls[i].content);
	}
	return table;
}

static void
on_more_read(void *data)
{
	struct reading *reading = data;
	struct feed *feed = reading->feed;
	const struct client_call *calls = (const struct client_call *)reading->more->data;
	const struct client_call *features = calls + 2;
	guint feature_count = reading->more->len - 2;
	g_autoptr(GHashTable) own = feature_table(features, reading->own_features);
	g_autoptr(GHashTable) defaults =
	    feature_table(features + reading->own_features, feature_count - reading->own_features);
	guint64 label_index;

	reading->batch = NULL;
	if (calls[0].ok)
		reading->qube->colour = g_strdup(calls[0].content);
	if (calls[1].ok &&
	    g_ascii_string_to_unsigned(calls[1].content, 10, 1, G_MAXINT, &label_index, NULL))
		reading->qube->label_index = (int)label_index;
	g_hash_table_add(feed->known, g_strdup(reading->name));
	feed->handler->on_qube(g_steal_pointer(&reading->qube), own, defaults, feed->data);
	reading_end(reading);
}

static void
add_call(struct reading *reading, const char *method, const char *arg, const char *dest)
{
	struct client_call call = {.method = method, .arg = g_strdup(arg), .dest = dest};

	g_ptr_array_add(reading->names, (gpointer)call.arg);
	g_array_append_val(reading->more, call);
}

/* Gets for the features of dest whose names begin with prefix. */
static void
add_feature_calls(
    struct reading *reading, const struct client_call *list, const char *prefix, const char *dest)
{
	g_auto(GStrv) names = client_lines(list->ok ? list->content : "");

	for (size_t i = 0; names[i] != NULL; i++) {
		if (g_str_has_prefix(names[i], prefix))
			add_call(reading, "admin.vm.feature.Get", names[i], dest);
	}
}

static void
read_more(struct reading *reading)
{
	add_call(reading, "admin.label.Get", reading->qube->label, "dom0");
	add_call(reading, "admin.label.Index", reading->qube->label, "dom0");
	add_feature_calls(reading, &reading->first[READ_FEATURES], GUID_CONF_PREFIX, reading->name);
	reading->own_features = reading->more->len - 2;
	add_feature_calls(reading, &reading->first[READ_DEFAULTS], GUID_CONF_DEFAULT_PREFIX,
	    reading->feed->own_name);
	reading->batch = client_batch_new(reading->feed->client,
	    (struct client_call *)reading->more->data, reading->more->len, on_more_read, reading);
}

static void
on_first_read(void *data)
{
	struct reading *reading = data;
	struct feed *feed = reading->feed;
	const struct client_call *properties = &reading->first[READ_PROPERTIES];

	reading->batch = NULL;
	if (properties->ok) {
		reading->qube = qube_of(reading);
		read_more(reading);
		return;
	}
	if (properties->error == 0 || properties->error == -EACCES) {
		if (!client_call_failed_with(properties, "QubesVMNotFoundError")) {
			g_autofree char *why = text_quote_string(properties->message);

			log_warn(
			    "%s: cannot be read, so it gets no windows: %s", reading->name, why);
		}
		feed_gone(feed, reading->name);
	}
	/* else qubesd has gone, and everything is read anew when it is back */
	reading_end(reading);
}

static void
feed_read(struct feed *feed, const char *name)
{
	struct reading *reading = g_hash_table_lookup(feed->reads, name);

	if (reading != NULL) {
		reading->again = true;
		return;
	}
	if (g_hash_table_size(feed->reads) >= FEED_READS) {
		if (g_queue_find_custom(feed->waiting, name, (GCompareFunc)strcmp) == NULL)
			g_queue_push_tail(feed->waiting, g_strdup(name));
		return;
	}
	reading = g_new0(struct reading, 1);
	reading->feed = feed;
	reading->name = g_strdup(name);
	reading->names = g_ptr_array_new_with_free_func(g_free);
	reading->more = g_array_new(FALSE, TRUE, sizeof(struct client_call));
	reading->first[READ_PROPERTIES] =
	    (struct client_call){.method = "admin.vm.property.GetAll", .dest = reading->name};
	reading->first[READ_GUI] = (struct client_call){
	    .method = "admin.vm.feature.CheckWithTemplate", .arg = "gui", .dest = reading->name};
	reading->first[READ_CLIPBOARD] =
	    (struct client_call){.method = "admin.vm.feature.CheckWithTemplate",
		.arg = "rpc-clipboard",
		.dest = reading->name};
	reading->first[READ_FEATURES] =
	    (struct client_call){.method = "admin.vm.feature.List", .dest = reading->name};
	reading->first[READ_DEFAULTS] =
	    (struct client_call){.method = "admin.vm.feature.List", .dest = feed->own_name};
	g_hash_table_insert(feed->reads, reading->name, reading);
	reading->batch = client_batch_new(
	    feed->client, reading->first, READ_FIRST_COUNT, on_first_read, reading);
}

/* What is on its way about the qube is older than this news. */
static void
feed_drop(struct feed *feed, const char *name)
{
	GList *waiting = g_queue_find_custom(feed->waiting, name, (GCompareFunc)strcmp);

	if (waiting != NULL) {
		g_free(waiting->data);
		g_queue_delete_link(feed->waiting, waiting);
	}
	if (g_hash_table_lookup(feed->reads, name) != NULL)
		reading_end(g_hash_table_lookup(feed->reads, name));
	feed_gone(feed, name);
}

/* --- the list ------------------------------------------------------------------------------- */

/* dom0 and the GUI domain itself show no windows here. */
static bool
is_gui_side(const struct feed *feed, const char *name)
{
	return strcmp(name, "dom0") == 0 || strcmp(name, feed->own_name) == 0;
}

/* Qubes that were known and are not in the list, or are off there, are gone. */
static void
forget_others(struct feed *feed, GHashTable *active)
{
	g_autoptr(GList) names = g_hash_table_get_keys(feed->known);

	for (GList *item = names; item != NULL; item = item->next) {
		if (!g_hash_table_contains(active, item->data)) {
			g_autofree char *name = g_strdup(item->data);

			feed_gone(feed, name);
		}
	}
}

static void
on_listed(void *data)
{
	struct feed *feed = data;
	g_autoptr(GHashTable) active = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_auto(GStrv) lines = NULL;

	feed->list_batch = NULL;
	if (!feed->list.ok)
		log_warn("the list of qubes: %s", feed->list.message);
	lines = client_lines(feed->list.ok ? feed->list.content : "");
	for (size_t i = 0; lines[i] != NULL; i++) {
		g_auto(GStrv) words = g_strsplit(lines[i], " ", -1);

		if (words[0] != NULL && !is_gui_side(feed, words[0]) &&
		    !g_strv_contains((const char *const *)words, "state=Halted"))
			g_hash_table_add(active, g_strdup(words[0]));
	}
	if (feed->list.ok) {
		GHashTableIter iter;
		const char *name;

		forget_others(feed, active);
		g_hash_table_iter_init(&iter, active);
		while (g_hash_table_iter_next(&iter, (gpointer *)&name, NULL))
			feed_read(feed, name);
	}
	client_clear(&feed->list, 1);
	feed->listed = true;
	feed_check_synced(feed);
}

static void
feed_list(struct feed *feed)
{
	if (feed->list_batch != NULL)
		return;
	feed->list = (struct client_call){.method = "admin.vm.List", .dest = "dom0"};
	feed->list_batch = client_batch_new(feed->client, &feed->list, 1, on_listed, feed);
}

/* --- events --------------------------------------------------------------------------------- */

static void
on_connected_event(struct feed *feed, const struct admin_event *event)
{
	(void)event;
	feed->backoff = (struct backoff){0};
	if (feed->handler->on_connected != NULL)
		feed->handler->on_connected(feed->data);
	feed_list(feed);
}

static void
on_changed_event(struct feed *feed, const struct admin_event *event)
{
	if (event->subject[0] != '\0' && !is_gui_side(feed, event->subject))
		feed_read(feed, event->subject);
}

static void
on_gone_event(struct feed *feed, const struct admin_event *event)
{
	if (event->subject[0] != '\0')
		feed_drop(feed, event->subject);
}

static void
on_deleted_event(struct feed *feed, const struct admin_event *event)
{
	const char *name = g_hash_table_lookup(event->args, "vm");

	if (name != NULL)
		feed_drop(feed, name);
}

static void
on_default_event(struct feed *feed, const struct admin_event *event)
{
	if (event->subject[0] == '\0')
		feed_list(feed);
}

static const struct {
	const char *name;
	void (*handle)(struct feed *feed, const struct admin_event *event);
} events[] = {
    {"connection-established", on_connected_event},
    {"domain-spawn", on_changed_event},
    {"domain-start", on_changed_event},
    {"domain-start-failed", on_changed_event},
    {"domain-stopped", on_gone_event},
    {"domain-shutdown", on_gone_event},
    {"domain-delete", on_deleted_event},
    {"property-set:guivm", on_changed_event},
    {"property-reset:guivm", on_changed_event},
    {"property-set:label", on_changed_event},
    {"domain-feature-set:gui", on_changed_event},
    {"domain-feature-delete:gui", on_changed_event},
    {"property-set:default_guivm", on_default_event},
    {"property-reset:default_guivm", on_default_event},
};

/* The tag guivm-OWN-NAME follows the property; who loses it tells nothing else from then on. */
static bool
is_about_tag(const struct feed *feed, const char *event, const char *prefix)
{
	return g_str_has_prefix(event, prefix) && strcmp(event + strlen(prefix), feed->tag) == 0;
}

static void
on_event(const struct admin_event *event, void *data)
{
	struct feed *feed = data;

	if (is_about_tag(feed, event->name, "domain-tag-add:"))
		on_changed_event(feed, event);
	else if (is_about_tag(feed, event->name, "domain-tag-delete:"))
		on_gone_event(feed, event);
	for (size_t i = 0; i < G_N_ELEMENTS(events); i++) {
		if (strcmp(event->name, events[i].name) == 0) {
			events[i].handle(feed, event);
			return;
		}
	}
}

static gboolean
on_retry(gpointer data)
{
	struct feed *feed = data;

	feed->retry = 0;
	feed_connect(feed);
	return G_SOURCE_REMOVE;
}

static void
connect_later(struct feed *feed)
{
	int64_t delay_ms = backoff_next(&feed->backoff, g_get_monotonic_time() / 1000, 0, false);

	feed->retry = g_timeout_add((guint)delay_ms, on_retry, feed);
}

static void
on_events_end(int error, void *data)
{
	struct feed *feed = data;

	log_warn("qubesd has gone%s%s; waiting for it", error != 0 ? ": " : "",
	    error != 0 ? g_strerror(-error) : "");
	g_clear_pointer(&feed->events, client_events_free);
	connect_later(feed);
}

static void
feed_connect(struct feed *feed)
{
	int r = client_events_new(feed->client, on_event, on_events_end, feed, &feed->events);

	if (r < 0) {
		log_debug("admin.Events: %s", g_strerror(-r));
		connect_later(feed);
	}
}

struct feed *
feed_new(struct client *client, const char *own_name, bool watch,
    const struct feed_handler *handler, void *data)
{
	struct feed *feed = g_new0(struct feed, 1);

	feed->client = client;
	feed->own_name = g_strdup(own_name);
	feed->tag = g_strconcat("guivm-", own_name, NULL);
	feed->watch = watch;
	feed->handler = handler;
	feed->data = data;
	feed->reads =
	    g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)reading_free);
	feed->waiting = g_queue_new();
	feed->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	if (watch)
		feed_connect(feed);
	else
		feed_list(feed);
	return feed;
}

void
feed_free(struct feed *feed)
{
	if (feed == NULL)
		return;
	client_events_free(feed->events);
	if (feed->retry != 0)
		g_source_remove(feed->retry);
	client_batch_free(feed->list_batch);
	client_clear(&feed->list, 1);
	g_hash_table_unref(feed->reads);
	g_queue_free_full(feed->waiting, g_free);
	g_hash_table_unref(feed->known);
	g_free(feed->own_name);
	g_free(feed->tag);
	g_free(feed);
}
