#include "qrexec/policy/notice_limit.h"

#include <stdbool.h>

/* The last notices of one source. */
struct recent {
	struct {
		gint64 when_us;
		char *key;         /* owned: service and target */
	} sent[NOTICE_SOURCE_MAX]; /* the oldest is overwritten */
	unsigned next;
	unsigned held; /* since the last one that was sent */
};

struct notice_limit {
	GHashTable *sources; /* owned name -> owned struct recent */
};

static void
recent_free(gpointer data)
{
	struct recent *recent = data;

	for (unsigned i = 0; i < NOTICE_SOURCE_MAX; i++)
		g_free(recent->sent[i].key);
	g_free(recent);
}

struct notice_limit *
notice_limit_new(void)
{
	struct notice_limit *limit = g_new0(struct notice_limit, 1);

	limit->sources = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, recent_free);
	return limit;
}

void
notice_limit_free(struct notice_limit *limit)
{
	if (limit == NULL)
		return;
	g_hash_table_unref(limit->sources);
	g_free(limit);
}

static bool
is_younger(const struct recent *recent, unsigned i, gint64 now_us, gint64 limit_ms)
{
	return recent->sent[i].key != NULL &&
	       now_us - recent->sent[i].when_us < limit_ms * G_TIME_SPAN_MILLISECOND;
}

/* gboolean: a GHRFunc. */
static gboolean
is_forgotten(gpointer source, gpointer data, gpointer now_us)
{
	const struct recent *recent = data;

	(void)source;
	for (unsigned i = 0; i < NOTICE_SOURCE_MAX; i++) {
		if (is_younger(recent, i, *(gint64 *)now_us, NOTICE_WINDOW_MS))
			return FALSE;
	}
	return TRUE;
}

static struct recent *
recent_of(struct notice_limit *limit, gint64 now_us, const char *source)
{
	struct recent *recent = g_hash_table_lookup(limit->sources, source);

	if (recent != NULL)
		return recent;
	if (g_hash_table_size(limit->sources) >= NOTICE_SOURCES)
		g_hash_table_foreach_remove(limit->sources, is_forgotten, &now_us);
	if (g_hash_table_size(limit->sources) >= NOTICE_SOURCES)
		return NULL;
	recent = g_new0(struct recent, 1);
	g_hash_table_insert(limit->sources, g_strdup(source), recent);
	return recent;
}

static bool
is_too_much(const struct recent *recent, gint64 now_us, const char *key)
{
	unsigned in_window = 0;

	for (unsigned i = 0; i < NOTICE_SOURCE_MAX; i++) {
		if (is_younger(recent, i, now_us, NOTICE_WINDOW_MS))
			in_window++;
		if (is_younger(recent, i, now_us, NOTICE_SAME_MS) &&
		    g_str_equal(recent->sent[i].key, key))
			return true;
	}
	return in_window == NOTICE_SOURCE_MAX;
}

unsigned
notice_limit_admit(struct notice_limit *limit, gint64 now_us, const char *source,
    const char *service, const char *target)
{
	struct recent *recent = recent_of(limit, now_us, source);
	g_autofree char *key = g_strconcat(service, " ", target, NULL);
	unsigned count;

	if (recent == NULL)
		return 0;
	if (is_too_much(recent, now_us, key)) {
		recent->held++;
		return 0;
	}
	g_free(recent->sent[recent->next].key);
	recent->sent[recent->next].key = g_steal_pointer(&key);
	recent->sent[recent->next].when_us = now_us;
	recent->next = (recent->next + 1) % NOTICE_SOURCE_MAX;
	count = 1 + recent->held;
	recent->held = 0;
	return count;
}
