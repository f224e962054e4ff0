#include "qubesd/storage/volume.h"

#include <string.h>

struct volume *
volume_new(const char *name, const char *pool)
{
	struct volume *volume = g_new0(struct volume, 1);

	volume->name = g_strdup(name);
	volume->pool = g_strdup(pool);
	volume->extra = g_ptr_array_new_with_free_func(g_free);
	return volume;
}

struct volume *
volume_copy(const struct volume *volume)
{
	struct volume *copy = volume_new(volume->name, volume->pool);

	copy->vid = g_strdup(volume->vid);
	copy->source = g_strdup(volume->source);
	copy->size = volume->size;
	copy->rw = volume->rw;
	copy->snap_on_start = volume->snap_on_start;
	copy->save_on_stop = volume->save_on_stop;
	copy->ephemeral = volume->ephemeral;
	copy->revisions_to_keep = volume->revisions_to_keep;
	for (guint i = 0; i < volume->extra->len; i++)
		g_ptr_array_add(copy->extra, g_strdup(volume->extra->pdata[i]));
	return copy;
}

void
volume_free(void *data)
{
	struct volume *volume = data;

	if (volume == NULL)
		return;
	g_free(volume->name);
	g_free(volume->pool);
	g_free(volume->vid);
	g_free(volume->source);
	g_ptr_array_unref(volume->extra);
	g_free(volume);
}

struct volume *
volume_find(const GPtrArray *volumes, const char *name)
{
	for (guint i = 0; i < volumes->len; i++) {
		struct volume *volume = volumes->pdata[i];

		if (strcmp(volume->name, name) == 0)
			return volume;
	}
	return NULL;
}

/* --- pieces of text ------------------------------------------------------------------------- */

static bool
is_made_of(const char *text, size_t len, const char *more)
{
	for (size_t i = 0; i < len; i++) {
		if (!g_ascii_isalnum(text[i]) && (text[i] == '\0' || strchr(more, text[i]) == NULL))
			return false;
	}
	return len > 0;
}

static bool
is_name(const char *text)
{
	return strlen(text) <= 64 && is_made_of(text, strlen(text), "._-") && text[0] != '.';
}

bool
volume_is_vid(const char *text)
{
	if (strlen(text) > VOLUME_VID_MAX)
		return false;
	for (;;) {
		size_t len = strcspn(text, "/");

		if (!is_made_of(text, len, "._-+") || text[0] == '.')
			return false;
		if (text[len] == '\0')
			return true;
		text += len + 1;
	}
}

/* Decimal without a leading zero, at most 19 digits. */
static bool
parse_number(const char *text, uint64_t max, uint64_t *ret)
{
	size_t len = strlen(text);
	uint64_t number;

	if (len == 0 || len > 19 || strspn(text, "0123456789") != len ||
	    (len > 1 && text[0] == '0'))
		return false;
	number = g_ascii_strtoull(text, NULL, 10);
	if (number > max)
		return false;
	*ret = number;
	return true;
}

static bool
parse_revisions(const char *text, int *ret)
{
	uint64_t number;

	if (strcmp(text, "-1") == 0) {
		*ret = -1;
		return true;
	}
	if (!parse_number(text, VOLUME_REVISIONS_MAX, &number))
		return false;
	*ret = (int)number;
	return true;
}

static bool
parse_flag(const char *text, bool *ret)
{
	bool yes = strcmp(text, "True") == 0;

	if (!yes && strcmp(text, "False") != 0)
		return false;
	*ret = yes;
	return true;
}

/* --- the store ------------------------------------------------------------------------------ */

static bool
take_text(char **target, const char *value, bool (*is_good)(const char *text))
{
	if (*target != NULL || !is_good(value))
		return false;
	*target = g_strdup(value);
	return true;
}

static bool
is_vid_or_none(const char *text)
{
	return text[0] == '\0' || volume_is_vid(text);
}

/* False: the attribute is known and its value cannot be used. */
static bool
take_attribute(struct volume *volume, const char *key, const char *value)
{
	if (strcmp(key, "name") == 0)
		return take_text(&volume->name, value, is_name);
	if (strcmp(key, "pool") == 0)
		return take_text(&volume->pool, value, is_name);
	if (strcmp(key, "vid") == 0) /* a qube may have no kernel */
		return take_text(&volume->vid, value, is_vid_or_none);
	if (strcmp(key, "source") == 0)
		return take_text(&volume->source, value, volume_is_vid);
	if (strcmp(key, "size") == 0)
		return parse_number(value, VOLUME_SIZE_MAX, &volume->size);
	if (strcmp(key, "rw") == 0)
		return parse_flag(value, &volume->rw);
	if (strcmp(key, "snap_on_start") == 0)
		return parse_flag(value, &volume->snap_on_start);
	if (strcmp(key, "save_on_stop") == 0)
		return parse_flag(value, &volume->save_on_stop);
	if (strcmp(key, "ephemeral") == 0)
		return parse_flag(value, &volume->ephemeral);
	if (strcmp(key, "revisions_to_keep") == 0)
		return parse_revisions(value, &volume->revisions_to_keep);
	g_ptr_array_add(volume->extra, g_strdup(key));
	g_ptr_array_add(volume->extra, g_strdup(value));
	return true;
}

struct volume *
volume_decode(const GPtrArray *attributes)
{
	struct volume *volume = volume_new(NULL, NULL);
	bool ok = true;

	for (guint i = 0; ok && i + 1 < attributes->len; i += 2)
		ok = take_attribute(volume, attributes->pdata[i], attributes->pdata[i + 1]);
	/* Both at once would be a copy that is kept and thrown away. */
	if (ok && volume->name != NULL && volume->pool != NULL &&
	    (!volume->snap_on_start || (volume->source != NULL && !volume->save_on_stop)) &&
	    (!volume->save_on_stop || (volume->vid != NULL && volume->vid[0] != '\0')))
		return volume;
	volume_free(volume);
	return NULL;
}

static void
put(GPtrArray *attributes, const char *key, char *value)
{
	g_ptr_array_add(attributes, g_strdup(key));
	g_ptr_array_add(attributes, value);
}

static char *
flag_text(bool flag)
{
	return g_strdup(flag ? "True" : "False");
}

GPtrArray *
volume_encode(const struct volume *volume)
{
	GPtrArray *attributes = g_ptr_array_new_with_free_func(g_free);

	put(attributes, "name", g_strdup(volume->name));
	put(attributes, "pool", g_strdup(volume->pool));
	if (volume->vid != NULL) {
		put(attributes, "vid", g_strdup(volume->vid));
		put(attributes, "revisions_to_keep",
		    g_strdup_printf("%d", volume->revisions_to_keep));
		put(attributes, "rw", flag_text(volume->rw));
		put(attributes, "save_on_stop", flag_text(volume->save_on_stop));
		put(attributes, "snap_on_start", flag_text(volume->snap_on_start));
		put(attributes, "size", g_strdup_printf("%" G_GUINT64_FORMAT, volume->size));
	}
	if (volume->source != NULL)
		put(attributes, "source", g_strdup(volume->source));
	if (volume->ephemeral)
		put(attributes, "ephemeral", flag_text(true));
	for (guint i = 0; i < volume->extra->len; i += 2)
		put(attributes, volume->extra->pdata[i], g_strdup(volume->extra->pdata[i + 1]));
	return attributes;
}
