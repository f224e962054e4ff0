#include "qubesd/tools/vmexec.h"

#include <glib.h>

char *
vmexec_encode(const char *const *words)
{
	GString *out = g_string_new(NULL);

	for (size_t i = 0; words[i] != NULL; i++) {
		if (i > 0)
			g_string_append_c(out, '+');
		for (const char *p = words[i]; *p != '\0'; p++) {
			if (g_ascii_isalnum(*p) || *p == '.' || *p == '_')
				g_string_append_c(out, *p);
			else if (*p == '-')
				g_string_append(out, "--");
			else
				g_string_append_printf(out, "-%02X", (unsigned char)*p);
		}
	}
	return g_string_free(out, FALSE);
}

char *
vmexec_quote(const char *const *words)
{
	GString *out = g_string_new(NULL);

	for (size_t i = 0; words[i] != NULL; i++) {
		g_autofree char *quoted = g_shell_quote(words[i]);

		g_string_append_printf(out, "%s%s", i > 0 ? " " : "", quoted);
	}
	return g_string_free(out, FALSE);
}
