#include "qubesd/label.h"

#include <glib.h>

const struct label label_builtins[LABEL_BUILTIN_COUNT] = {
    {1, (char *)"red", 0xcc0000},
    {2, (char *)"orange", 0xf57900},
    {3, (char *)"yellow", 0xedd400},
    {4, (char *)"green", 0x73d216},
    {5, (char *)"gray", 0x555555},
    {6, (char *)"blue", 0x3465a4},
    {7, (char *)"purple", 0x75507b},
    {8, (char *)"black", 0x000000},
};

struct label *
label_new(unsigned index, const char *name, uint32_t colour)
{
	struct label *label = g_new0(struct label, 1);

	label->index = index;
	label->name = g_strdup(name);
	label->colour = colour;
	return label;
}

void
label_free(struct label *label)
{
	if (label == NULL)
		return;
	g_free(label->name);
	g_free(label);
}

char *
label_colour_text(const struct label *label)
{
	return g_strdup_printf("0x%06x", label->colour);
}
