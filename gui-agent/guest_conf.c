#include "gui-agent/guest_conf.h"

#include <string.h>

#define MAX_BYTES (64 * 1024)

GHashTable *
guest_conf_parse(const char *text, gsize len)
{
	GHashTable *conf = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autofree char *copy = g_strndup(text, MIN(len, MAX_BYTES));
	g_auto(GStrv) lines = g_strsplit(copy, "\n", -1);

	for (char **line = lines; *line != NULL; line++) {
		char *equals = strchr(*line, '=');

		if (equals == NULL || equals == *line)
			continue;
		g_hash_table_replace(
		    conf, g_strndup(*line, (gsize)(equals - *line)), g_strdup(equals + 1));
	}
	return conf;
}

GHashTable *
guest_conf_read(const char *path)
{
	g_autofree char *text = NULL;
	gsize len = 0;

	if (!g_file_get_contents(path, &text, &len, NULL))
		return guest_conf_parse("", 0);
	return guest_conf_parse(text, len);
}
