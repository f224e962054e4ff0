/*
 * layout - the keyboard layout that the host wishes for the qube: "layout+variant+options".
 *
 * Pure. Each part holds letters, digits and "_-:,.()" only; variant and options may be missing.
 */
#ifndef GUI_AGENT_LAYOUT_H
#define GUI_AGENT_LAYOUT_H

#define LAYOUT_PART_BYTES 128

struct layout {
	char name[LAYOUT_PART_BYTES]; /* never empty, never beginning with a dash */
	char variant[LAYOUT_PART_BYTES], options[LAYOUT_PART_BYTES];
};

/* 0, or -EINVAL with *ret untouched. */
int layout_parse(const char *text, struct layout *ret);

#endif
