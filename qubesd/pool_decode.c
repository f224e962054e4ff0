#include "qubesd/pool_decode.h"

#include "qubesd/grammar.h"
#include "qubesd/storage/volume.h"

#include <string.h>

#define PROTOCOL "ProtocolError"
#define NAME_MAX_BYTES 64

static bool
is_key(const char *text)
{
	return text[0] != '\0' && strspn(text, "abcdefghijklmnopqrstuvwxyz_") == strlen(text);
}

static bool
is_parameter(const struct volume_driver *driver, const char *key)
{
	for (const char *const *name = driver->parameters; *name != NULL; name++) {
		size_t len = strcspn(*name, "*");

		if (strlen(key) == len && strncmp(key, *name, len) == 0)
			return true;
	}
	return false;
}

static bool
is_folder(const char *text)
{
	g_autofree char *canonical = NULL;

	if (text[0] != '/' || strpbrk(text, " \t") != NULL)
		return false;
	canonical = g_canonicalize_filename(text, NULL);
	return strcmp(canonical, text) == 0;
}

static bool
check_value(const char *key, const char *value, struct admin_error *error)
{
	struct untrusted_bytes bytes = untrusted_bytes_of(value, strlen(value));
	int revisions;
	bool flag;

	if (strcmp(key, "dir_path") == 0)
		return is_folder(value) || admin_error_set(error, PROTOCOL,
					       "dir_path must be an absolute path without blanks");
	if (strcmp(key, "revisions_to_keep") == 0)
		return volume_decode_revisions(bytes, &revisions) ||
		       admin_error_set(error, PROTOCOL, "Not a number of revisions");
	return grammar_parse_bool(value, &flag) ||
	       admin_error_set(error, PROTOCOL, "%s must be a boolean", key);
}

/* One line, cut at its '='. */
static bool
take_line(
    struct pool *pool, const struct volume_driver *driver, char *line, struct admin_error *error)
{
	char *value = strchr(line, '=');

	if (value == NULL)
		return admin_error_set(error, PROTOCOL, "Options are lines key=value");
	*value++ = '\0';
	if (!is_key(line) || !grammar_is_printable(value) || strlen(value) > POOL_DECODE_VALUE_MAX)
		return admin_error_set(error, PROTOCOL, "Options are lines key=value");
	if (strcmp(line, "name") == 0) {
		if (pool->name != NULL || !grammar_is_pool(value) || value[0] == '.' ||
		    strlen(value) > NAME_MAX_BYTES)
			return admin_error_set(error, PROTOCOL, "Not one name of a pool");
		pool->name = g_strdup(value);
		return true;
	}
	if (!is_parameter(driver, line))
		return admin_error_set(error, PROTOCOL, "Unknown option");
	if (pool_get(pool, line) != NULL)
		return admin_error_set(error, PROTOCOL, "Every option may be given once");
	if (!check_value(line, value, error))
		return false;
	pool_set(pool, line, value);
	return true;
}

static bool
check_complete(
    const struct pool *pool, const struct volume_driver *driver, struct admin_error *error)
{
	if (pool->name == NULL)
		return admin_error_set(error, PROTOCOL, "Option missing: name");
	for (const char *const *name = driver->parameters; *name != NULL; name++) {
		g_autofree char *key = g_strndup(*name, strcspn(*name, "*"));

		if (g_str_has_suffix(*name, "*") && pool_get(pool, key) == NULL)
			return admin_error_set(error, "QubesException", "Option missing: %s", key);
	}
	return true;
}

struct pool *
pool_decode_add(struct untrusted_bytes untrusted_payload, const struct volume_driver *driver,
    struct admin_error *error)
{
	struct pool *pool = pool_new(NULL, driver->name);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	bool ok = memchr(untrusted_payload.raw, '\0', untrusted_payload.len) == NULL;

	if (!ok)
		admin_error_set(error, PROTOCOL, "Options are lines key=value");
	text = g_strndup((const char *)untrusted_payload.raw, untrusted_payload.len);
	if (g_str_has_suffix(text, "\n"))
		text[strlen(text) - 1] = '\0';
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; ok && *line != NULL; line++)
		ok = take_line(pool, driver, *line, error);
	if (ok && check_complete(pool, driver, error))
		return pool;
	pool_free(pool);
	return NULL;
}
