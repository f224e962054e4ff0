#include "qubesd/tools/session/display.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define LAYOUT_FIELD 2 /* after rules and model: layout, variant, options */
#define LAYOUT_FIELDS 3

static bool
is_part(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p < 0x21 || *p > 0x7e || *p == '+')
			return false;
	}
	return true;
}

char *
display_layout_text(const void *bytes, size_t len)
{
	const char *p = bytes;
	const char *end = p + len;
	char *parts[LAYOUT_FIELDS + 1] = {NULL};
	char *layout = NULL;

	for (unsigned field = 0; field < LAYOUT_FIELD + LAYOUT_FIELDS; field++) {
		const char *stop = p < end ? memchr(p, '\0', (size_t)(end - p)) : NULL;
		size_t field_len = stop != NULL ? (size_t)(stop - p) : (size_t)(end - p);

		if (field >= LAYOUT_FIELD)
			parts[field - LAYOUT_FIELD] = g_strndup(p, field_len);
		p = stop != NULL ? stop + 1 : end;
	}
	if (parts[0][0] != '\0' && is_part(parts[0]) && is_part(parts[1]) && is_part(parts[2]))
		layout = g_strjoinv("+", parts);
	for (unsigned i = 0; i < LAYOUT_FIELDS; i++)
		g_free(parts[i]);
	return layout;
}
