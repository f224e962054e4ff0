/*
 * label - a colour with a name and a number; every qube has one.
 *
 * Built-in labels have the indices 1 to 8 and stay for ever. Grammar of names: grammar.h.
 */
#ifndef QUBESD_LABEL_H
#define QUBESD_LABEL_H

#include <stdint.h>

#define LABEL_BUILTIN_COUNT 8

struct label {
	unsigned index;
	char *name;      /* owned */
	uint32_t colour; /* 0xRRGGBB */
};

/* The built-in labels, red first. */
extern const struct label label_builtins[LABEL_BUILTIN_COUNT];

struct label *label_new(unsigned index, const char *name, uint32_t colour);
void label_free(struct label *label);
/* "0xcc0000"; for g_free(). */
char *label_colour_text(const struct label *label);

#endif
