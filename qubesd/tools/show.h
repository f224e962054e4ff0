/*
 * show - values on their way to a person or a script.
 *
 * On a terminal every text is made harmless first (text_utf8: no control, no bidirectional
 * override, no escape sequence); into a file or a pipe it goes as it is.
 */
#ifndef QUBESD_TOOLS_SHOW_H
#define QUBESD_TOOLS_SHOW_H

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

/* Whether text for this stream has to be made harmless. */
bool show_is_terminal(FILE *stream);

/* The text as it may be written there; to be freed. */
char *show_text(const char *text, bool terminal);

/* The text and a line feed. */
void show_line(FILE *stream, const char *text);

/*
 * Aligned columns, two blanks between them, none at the end of a line. rows holds arrays of cells,
 * all of the same length, each ended by NULL. Widths count characters.
 */
void show_table(FILE *stream, const GPtrArray *rows);

/* Appends a JSON string, quotes included; NULL becomes null. */
void show_json_string(GString *json, const char *text);

/* An array of objects: keys are the names, one object a row. NULL cells become null. */
void show_json_rows(FILE *stream, const char *const *keys, const GPtrArray *rows);

#endif
