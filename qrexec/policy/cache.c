#include "qrexec/policy/cache.h"

#include "qrexec/policy/watch.h"
#include "shared/log.h"

#define READ_ATTEMPTS 3 /* until nothing changes meanwhile */
#define WARNINGS_LOGGED 20

struct policy_cache {
	struct policy_places *places; /* owned */
	struct policy *policy;        /* owned; NULL when broken or not read */
	char *error;                  /* owned; NULL when not broken */
	struct watch *watch;          /* owned */
	GHashTable *folders;          /* owned set of char *: where the last reading looked */
};

struct policy_cache *
policy_cache_new(struct policy_places *places)
{
	struct policy_cache *cache = g_new0(struct policy_cache, 1);

	cache->places = places;
	cache->watch = watch_new();
	cache->folders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return cache;
}

void
policy_cache_free(struct policy_cache *cache)
{
	if (cache == NULL)
		return;
	g_hash_table_unref(cache->folders);
	watch_free(cache->watch);
	g_free(cache->error);
	policy_free(cache->policy);
	policy_places_free(cache->places);
	g_free(cache);
}

static void
log_reading(const struct policy *policy, const GPtrArray *warnings)
{
	for (guint i = 0; i < MIN(warnings->len, WARNINGS_LOGGED); i++)
		log_warn("policy: %s", (const char *)g_ptr_array_index(warnings, i));
	if (warnings->len > WARNINGS_LOGGED)
		log_warn("policy: %u more warnings", warnings->len - WARNINGS_LOGGED);
	log_info("policy: read, %zu rules", policy_rule_count(policy));
}

/* One reading. */
struct reading {
	struct policy *policy; /* owned; NULL when it failed */
	struct policy_load_error error;
	struct policy_load_notes notes;
	bool watched; /* every folder that it looked into was being watched */
};

static void
reading_fini(struct reading *reading)
{
	policy_free(reading->policy);
	policy_load_error_clear(&reading->error);
	policy_load_notes_fini(&reading->notes);
}

static bool
contains_all(GHashTable *set, GHashTable *subset)
{
	GHashTableIter iter;
	gpointer element;

	g_hash_table_iter_init(&iter, subset);
	while (g_hash_table_iter_next(&iter, &element, NULL)) {
		if (!g_hash_table_contains(set, element))
			return false;
	}
	return true;
}

static void
read_once(struct policy_cache *cache, struct reading *ret)
{
	*ret = (struct reading){0};
	policy_load_notes_init(&ret->notes);
	watch_restart(cache->watch, cache->folders);
	policy_load(cache->places, &ret->policy, &ret->error, &ret->notes);
	ret->watched = contains_all(cache->folders, ret->notes.folders);
	g_hash_table_unref(cache->folders);
	cache->folders = g_hash_table_ref(ret->notes.folders);
}

static void
adopt(struct policy_cache *cache, struct reading *reading)
{
	g_autofree char *before = g_steal_pointer(&cache->error);

	policy_free(cache->policy);
	cache->policy = g_steal_pointer(&reading->policy);
	if (cache->policy != NULL) {
		log_reading(cache->policy, reading->notes.warnings);
		return;
	}
	cache->error = policy_load_error_format(&reading->error);
	if (g_strcmp0(before, cache->error) != 0)
		log_error("error loading policy: %s", cache->error);
}

/*
 * A reading counts when everything that it looked into was watched and nothing changed meanwhile;
 * an error counts at once. What the last attempt brought is taken in any case: since the watch
 * goes on saying that something has changed, the next request reads again.
 */
static void
read_under_watch(struct policy_cache *cache)
{
	bool done = false;

	for (int attempt = 1; !done; attempt++) {
		struct reading reading;
		enum watch_state state;

		read_once(cache, &reading);
		state = watch_check(cache->watch);
		if (state == WATCH_WRITING && cache->policy != NULL) {
			done = true; /* perhaps half a file: stay with what there is */
		} else if ((reading.watched && state == WATCH_SAME) || reading.policy == NULL ||
			   attempt == READ_ATTEMPTS) {
			adopt(cache, &reading);
			done = true;
		}
		reading_fini(&reading);
	}
}

const struct policy *
policy_cache_get(struct policy_cache *cache)
{
	if (cache->policy == NULL || watch_check(cache->watch) == WATCH_CHANGED)
		read_under_watch(cache);
	return cache->policy;
}

const char *
policy_cache_error(const struct policy_cache *cache)
{
	return cache->error;
}
