#include "qubesd/tools/session/daemons.h"

#include "qubesd/tools/session/child.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <glib.h>
#include <glib/gstdio.h>

struct daemons {
	GHashTable *guids; /* name -> struct guid, owned */
	bool kde, enabled;
	void (*on_idle)(void *data);
	void *data; /* borrowed */
};

/* What should be, and what is. */
struct guid {
	struct daemons *daemons;    /* borrowed */
	char *name;                 /* owned */
	struct wanted_qube *wanted; /* owned; NULL: none */
	char *conf_text;            /* owned; with wanted */
	struct wanted_qube *serves; /* owned: what child was started for; NULL: no child */
	struct child *child;        /* owned until it has ended */
	char *conf_path;            /* owned; with child */
};

static void
guid_free(struct guid *guid)
{
	wanted_qube_free(guid->wanted);
	wanted_qube_free(guid->serves);
	g_free(guid->conf_text);
	g_free(guid->conf_path);
	g_free(guid->name);
	g_free(guid);
}

struct daemons *
daemons_new(bool kde)
{
	struct daemons *daemons = g_new0(struct daemons, 1);

	daemons->guids =
	    g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)guid_free);
	daemons->kde = kde;
	daemons->enabled = true;
	return daemons;
}

void
daemons_free(struct daemons *daemons)
{
	if (daemons == NULL)
		return;
	g_hash_table_unref(daemons->guids);
	g_free(daemons);
}

unsigned
daemons_count(const struct daemons *daemons)
{
	GHashTableIter iter;
	struct guid *guid;
	unsigned count = 0;

	g_hash_table_iter_init(&iter, daemons->guids);
	while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&guid))
		count += guid->child != NULL;
	return count;
}

void
daemons_on_idle(struct daemons *daemons, void (*on_idle)(void *data), void *data)
{
	daemons->on_idle = on_idle;
	daemons->data = data;
}

char *
daemons_write_conf(const struct wanted_qube *qube, const char *text)
{
	g_autofree char *file = g_strdup_printf("guid-conf.%" G_GINT64_FORMAT, (gint64)qube->xid);
	g_autofree char *path = path_in_runtime_dir(file);
	g_autoptr(GError) error = NULL;

	if (!g_file_set_contents_full(
		path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error)) {
		log_warn("%s: its configuration: %s", qube->name, error->message);
		return NULL;
	}
	return g_steal_pointer(&path);
}

static void
start(struct guid *guid)
{
	g_autofree char *program = path_program("qubes-guid");
	g_autofree char *shown = g_strdup_printf("qubes-guid of %s", guid->name);

	guid->conf_path = daemons_write_conf(guid->wanted, guid->conf_text);
	if (guid->conf_path == NULL)
		return;
	guid->serves = wanted_qube_copy(guid->wanted);
	guid->child = child_new(shown,
	    wanted_argv(guid->wanted, program, guid->conf_path, true, guid->daemons->kde), true);
}

static void on_child_ended(void *data);

/* Moves what is one step towards what should be. May free the guid. */
static void
follow(struct guid *guid)
{
	struct daemons *daemons = guid->daemons;
	struct wanted_qube *wanted = daemons->enabled ? guid->wanted : NULL;

	if (guid->child != NULL) {
		if (wanted == NULL || !wanted_is_same(wanted, guid->serves))
			child_end(guid->child, on_child_ended, guid);
	} else if (wanted != NULL) {
		start(guid);
	} else if (guid->wanted == NULL) {
		g_hash_table_remove(daemons->guids, guid->name);
	}
}

static void
on_child_ended(void *data)
{
	struct guid *guid = data;
	struct daemons *daemons = guid->daemons;

	guid->child = NULL;
	g_unlink(guid->conf_path);
	g_clear_pointer(&guid->conf_path, g_free);
	g_clear_pointer(&guid->serves, wanted_qube_free);
	follow(guid);
	if (daemons->on_idle != NULL)
		daemons->on_idle(daemons->data);
}

void
daemons_want(struct daemons *daemons, struct wanted_qube *qube, const char *conf_text)
{
	struct guid *guid = g_hash_table_lookup(daemons->guids, qube->name);

	if (guid == NULL) {
		guid = g_new0(struct guid, 1);
		guid->daemons = daemons;
		guid->name = g_strdup(qube->name);
		g_hash_table_insert(daemons->guids, guid->name, guid);
	}
	wanted_qube_free(guid->wanted);
	g_free(guid->conf_text);
	guid->wanted = qube;
	guid->conf_text = g_strdup(conf_text);
	follow(guid);
}

void
daemons_unwant(struct daemons *daemons, const char *name)
{
	struct guid *guid = g_hash_table_lookup(daemons->guids, name);

	if (guid == NULL)
		return;
	g_clear_pointer(&guid->wanted, wanted_qube_free);
	follow(guid);
}

void
daemons_set_enabled(struct daemons *daemons, bool enabled)
{
	g_autoptr(GList) guids = g_hash_table_get_values(daemons->guids);

	daemons->enabled = enabled;
	for (GList *item = guids; item != NULL; item = item->next)
		follow(item->data);
}
