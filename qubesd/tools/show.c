#include "qubesd/tools/show.h"

#include "shared/text.h"

#include <string.h>
#include <unistd.h>

bool
show_is_terminal(FILE *stream)
{
	return isatty(fileno(stream));
}

char *
show_text(const char *text, bool terminal)
{
	return terminal ? text_utf8(text, strlen(text)) : g_strdup(text);
}

void
show_line(FILE *stream, const char *text)
{
	g_autofree char *shown = show_text(text, show_is_terminal(stream));

	fprintf(stream, "%s\n", shown);
}

static size_t
width_of(const char *cell)
{
	return g_utf8_validate(cell, -1, NULL) ? (size_t)g_utf8_strlen(cell, -1) : strlen(cell);
}

/* The row as it may be shown; to be freed. */
static char **
row_shown(char *const *row, bool terminal)
{
	GPtrArray *shown = g_ptr_array_new();

	for (size_t i = 0; row[i] != NULL; i++)
		g_ptr_array_add(shown, show_text(row[i], terminal));
	g_ptr_array_add(shown, NULL);
	return (char **)g_ptr_array_free(shown, FALSE);
}

static void
print_row(FILE *stream, char *const *row, const size_t *widths)
{
	size_t pending = 0; /* blanks that are written only when something follows them */

	for (size_t i = 0; row[i] != NULL; i++) {
		if (row[i][0] != '\0') {
			fprintf(stream, "%*s%s", (int)pending, "", row[i]);
			pending = 0;
		}
		pending += widths[i] - width_of(row[i]) + 2;
	}
	fputc('\n', stream);
}

void
show_table(FILE *stream, const GPtrArray *rows)
{
	bool terminal = show_is_terminal(stream);
	g_autoptr(GPtrArray) shown = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	g_autofree size_t *widths = NULL;

	if (rows->len == 0)
		return;
	widths = g_new0(size_t, g_strv_length(rows->pdata[0]));
	for (guint i = 0; i < rows->len; i++) {
		char **row = row_shown(rows->pdata[i], terminal);

		g_ptr_array_add(shown, row);
		for (size_t j = 0; row[j] != NULL; j++)
			widths[j] = MAX(widths[j], width_of(row[j]));
	}
	for (guint i = 0; i < shown->len; i++)
		print_row(stream, shown->pdata[i], widths);
}

void
show_json_string(GString *json, const char *text)
{
	g_autofree char *valid = NULL;

	if (text == NULL) {
		g_string_append(json, "null");
		return;
	}
	valid = g_utf8_make_valid(text, -1);
	g_string_append_c(json, '"');
	for (const char *p = valid; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			g_string_append_printf(json, "\\%c", *p);
		else if ((unsigned char)*p < 0x20 || *p == 0x7f)
			g_string_append_printf(json, "\\u%04x", (unsigned)*p);
		else
			g_string_append_c(json, *p);
	}
	g_string_append_c(json, '"');
}

void
show_json_rows(FILE *stream, const char *const *keys, const GPtrArray *rows)
{
	g_autoptr(GString) json = g_string_new("[");
	g_autofree char *shown = NULL;

	for (guint i = 0; i < rows->len; i++) {
		char *const *row = rows->pdata[i];

		g_string_append(json, i == 0 ? "{" : ", {");
		for (size_t j = 0; keys[j] != NULL; j++) {
			if (j > 0)
				g_string_append(json, ", ");
			show_json_string(json, keys[j]);
			g_string_append(json, ": ");
			show_json_string(json, row[j]);
		}
		g_string_append_c(json, '}');
	}
	g_string_append_c(json, ']');
	show_line(stream, json->str);
}
