/*
 * What a caller of the Admin API says of volumes and pools, and what qubes.xml says: sizes, revisions,
 * the configuration of a pool, the attributes of a volume (lines KEY=VALUE here).
 */
#include "qubesd/grammar.h"
#include "qubesd/pool_decode.h"
#include "qubesd/storage/import_lock.h"
#include "qubesd/storage/volume.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_words(struct untrusted_bytes payload)
{
	g_autofree char *revision = NULL;
	g_autofree char *holder = NULL;
	uint64_t size;
	int revisions;

	for (int trim = 0; trim < 2; trim++) {
		if (volume_decode_size(payload, trim != 0, &size))
			assert(size >= 1 && size <= VOLUME_SIZE_MAX && payload.len <= 64);
	}
	if (volume_decode_import(payload, &size, &holder))
		assert(size <= VOLUME_SIZE_MAX && (holder == NULL || import_lock_is_name(holder)));
	if (volume_decode_revisions(payload, &revisions))
		assert(revisions >= -1 && revisions <= VOLUME_REVISIONS_MAX);
	if (volume_decode_revision(payload, &revision))
		assert(revision[0] != '\0' && strlen(revision) <= 64 &&
		       strpbrk(revision, "/ \n@") == NULL);
}

static void
check_pool(struct untrusted_bytes payload)
{
	for (size_t i = 0; volume_drivers[i] != NULL; i++) {
		struct admin_error error = {0};
		struct pool *pool = pool_decode_add(payload, volume_drivers[i], &error);
		const char *dir = pool != NULL ? pool_get(pool, "dir_path") : NULL;

		assert((pool != NULL) == (error.name == NULL));
		if (pool != NULL) {
			assert(grammar_is_pool(pool->name) && dir != NULL && dir[0] == '/' &&
			       strstr(dir, "/../") == NULL && strpbrk(dir, " \n") == NULL);
			pool_free(pool);
		}
		admin_error_clear(&error);
	}
}

/* What is taken is written so that it is read as the same again. */
static void
check_volume(const uint8_t *data, size_t size)
{
	g_autoptr(GPtrArray) pairs = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *text = g_strndup((const char *)data, size);
	g_auto(GStrv) lines = g_strsplit(text, "\n", 64);
	g_autoptr(GPtrArray) encoded = NULL;
	struct volume *volume, *again;

	for (size_t i = 0; lines[i] != NULL; i++) {
		g_auto(GStrv) pair = g_strsplit(lines[i], "=", 2);

		g_ptr_array_add(pairs, g_strdup(pair[0] != NULL ? pair[0] : ""));
		g_ptr_array_add(pairs, g_strdup(pair[0] != NULL && pair[1] != NULL ? pair[1] : ""));
	}
	volume = volume_decode(pairs);
	if (volume == NULL)
		return;
	assert(volume->vid == NULL || volume->vid[0] == '\0' || volume_is_vid(volume->vid));
	assert(volume->source == NULL || volume_is_vid(volume->source));
	assert(volume->size <= VOLUME_SIZE_MAX);
	assert(!volume->snap_on_start || (volume->source != NULL && !volume->save_on_stop));
	encoded = volume_encode(volume);
	again = volume_decode(encoded);
	assert(volume->vid == NULL || again != NULL);
	if (volume->vid != NULL)
		assert(again->size == volume->size && again->rw == volume->rw &&
		       g_strcmp0(again->vid, volume->vid) == 0);
	volume_free(again);
	volume_free(volume);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct untrusted_bytes payload = untrusted_bytes_of(data, size);

	check_words(payload);
	check_pool(payload);
	check_volume(data, size);
	return 0;
}
