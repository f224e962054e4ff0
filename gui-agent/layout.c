#include "gui-agent/layout.h"

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>

static bool
copy_part(const char *part, char ret[LAYOUT_PART_BYTES])
{
	const char *allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			      "_-:,.()";

	if (strlen(part) >= LAYOUT_PART_BYTES || part[strspn(part, allowed)] != '\0' ||
	    part[0] == '-')
		return false;
	strcpy(ret, part);
	return true;
}

int
layout_parse(const char *text, struct layout *ret)
{
	g_auto(GStrv) parts = g_strsplit(text, "+", -1);
	guint count = g_strv_length(parts);
	struct layout layout = {0};

	if (count < 1 || count > 3 || parts[0][0] == '\0')
		return -EINVAL;
	if (!copy_part(parts[0], layout.name) ||
	    (count > 1 && !copy_part(parts[1], layout.variant)) ||
	    (count > 2 && !copy_part(parts[2], layout.options)))
		return -EINVAL;
	*ret = layout;
	return 0;
}
