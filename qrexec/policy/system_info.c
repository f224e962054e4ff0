#include "qrexec/policy/system_info.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define UUID_PREFIX "uuid:"

struct system_info {
	GHashTable *by_name; /* name -> owned struct qube_info */
	GHashTable *by_uuid; /* uuid -> the same, borrowed */
};

/* --- one record ----------------------------------------------------------------------------- */

static void
qube_info_free(gpointer data)
{
	struct qube_info *qube = data;

	if (qube == NULL)
		return;
	g_free(qube->name);
	g_free(qube->uuid);
	g_free(qube->klass);
	g_strfreev(qube->tags);
	g_free(qube->default_dispvm);
	g_free(qube->power_state);
	g_free(qube->icon);
	g_free(qube->label);
	g_free(qube->guivm);
	g_free(qube->relayvm);
	g_free(qube->transport_rpc);
	g_free(qube);
}

/* Keys whose value is text, and where it goes. Missing, null and empty are all "none". */
static const struct text_key {
	const char *key;
	size_t offset;
} text_keys[] = {
    {"type", offsetof(struct qube_info, klass)},
    {"uuid", offsetof(struct qube_info, uuid)},
    {"default_dispvm", offsetof(struct qube_info, default_dispvm)},
    {"power_state", offsetof(struct qube_info, power_state)},
    {"icon", offsetof(struct qube_info, icon)},
    {"label", offsetof(struct qube_info, label)},
    {"guivm", offsetof(struct qube_info, guivm)},
    {"relayvm", offsetof(struct qube_info, relayvm)},
    {"transport_rpc", offsetof(struct qube_info, transport_rpc)},
};

static int
read_texts(json_t *object, struct qube_info *qube)
{
	for (size_t i = 0; i < G_N_ELEMENTS(text_keys); i++) {
		json_t *value = json_object_get(object, text_keys[i].key);
		char **field = (char **)(void *)((char *)qube + text_keys[i].offset);

		if (value == NULL || json_is_null(value))
			continue;
		if (!json_is_string(value))
			return -EINVAL;
		if (json_string_length(value) > 0)
			*field = g_strdup(json_string_value(value));
	}
	return 0;
}

static int
read_tags(json_t *array, struct qube_info *qube)
{
	size_t count = json_array_size(array); /* 0 for NULL */

	if (array != NULL && !json_is_array(array))
		return -EINVAL;
	qube->tags = g_new0(char *, count + 1);
	for (size_t i = 0; i < count; i++) {
		json_t *tag = json_array_get(array, i);

		if (!json_is_string(tag))
			return -EINVAL;
		qube->tags[i] = g_strdup(json_string_value(tag));
	}
	return 0;
}

/* null, false, 0 and "" are no; everything else is yes. */
static bool
is_truthy(json_t *value)
{
	if (value == NULL || json_is_null(value) || json_is_false(value))
		return false;
	if (json_is_string(value))
		return json_string_length(value) > 0;
	if (json_is_number(value))
		return json_number_value(value) != 0;
	return true;
}

static struct qube_info *
qube_info_read(const char *name, json_t *object)
{
	struct qube_info *qube = g_new0(struct qube_info, 1);

	qube->name = g_strdup(name);
	qube->template_for_dispvms = json_is_true(json_object_get(object, "template_for_dispvms"));
	qube->internal = is_truthy(json_object_get(object, "internal"));
	if (!json_is_object(object) || read_texts(object, qube) < 0 ||
	    read_tags(json_object_get(object, "tags"), qube) < 0) {
		qube_info_free(qube);
		return NULL;
	}
	return qube;
}

bool
qube_info_has_tag(const struct qube_info *qube, const char *tag)
{
	return g_strv_contains((const char *const *)qube->tags, tag);
}

/* --- the table ------------------------------------------------------------------------------ */

struct system_info *
system_info_new(void)
{
	struct system_info *info = g_new0(struct system_info, 1);

	info->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, qube_info_free);
	info->by_uuid = g_hash_table_new(g_str_hash, g_str_equal);
	return info;
}

void
system_info_free(struct system_info *info)
{
	if (info == NULL)
		return;
	g_hash_table_destroy(info->by_uuid);
	g_hash_table_destroy(info->by_name);
	g_free(info);
}

void
system_info_remove(struct system_info *info, const char *name)
{
	struct qube_info *qube = g_hash_table_lookup(info->by_name, name);

	if (qube == NULL)
		return;
	if (qube->uuid != NULL && g_hash_table_lookup(info->by_uuid, qube->uuid) == qube)
		g_hash_table_remove(info->by_uuid, qube->uuid);
	g_hash_table_remove(info->by_name, name);
}

static int
set_object(struct system_info *info, const char *name, json_t *object)
{
	struct qube_info *qube = qube_info_read(name, object);

	if (qube == NULL)
		return -EINVAL;
	system_info_remove(info, name);
	g_hash_table_insert(info->by_name, qube->name, qube);
	if (qube->uuid != NULL)
		g_hash_table_replace(info->by_uuid, qube->uuid, qube);
	return 0;
}

int
system_info_set(struct system_info *info, const char *name, const char *json)
{
	json_t *object = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	int r = object != NULL ? set_object(info, name, object) : -EINVAL;

	json_decref(object);
	return r;
}

int
system_info_parse(const char *json, size_t len, struct system_info **ret)
{
	json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	json_t *domains = json_object_get(root, "domains");
	struct system_info *info = system_info_new();
	int r = json_is_object(domains) ? 0 : -EINVAL;
	const char *name;
	json_t *object;

	if (r == 0) {
		json_object_foreach(domains, name, object)
		{
			r = set_object(info, name, object);
			if (r < 0)
				break;
		}
	}
	json_decref(root);
	if (r < 0) {
		system_info_free(info);
		return r;
	}
	*ret = info;
	return 0;
}

const struct qube_info *
system_info_find(const struct system_info *info, const char *name)
{
	if (g_str_has_prefix(name, UUID_PREFIX))
		return g_hash_table_lookup(info->by_uuid, name + strlen(UUID_PREFIX));
	return g_hash_table_lookup(info->by_name, name);
}

static int
compare_qubes(gconstpointer a, gconstpointer b)
{
	return strcmp((*(const struct qube_info *const *)a)->name,
	    (*(const struct qube_info *const *)b)->name);
}

GPtrArray *
system_info_all(const struct system_info *info)
{
	GPtrArray *all = g_ptr_array_new();
	GHashTableIter iter;
	gpointer qube;

	g_hash_table_iter_init(&iter, info->by_name);
	while (g_hash_table_iter_next(&iter, NULL, &qube))
		g_ptr_array_add(all, qube);
	g_ptr_array_sort(all, compare_qubes);
	return all;
}
