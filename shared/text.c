#include "shared/text.h"

#include <glib.h>
#include <string.h>

#define TEXT_QUOTE_MAX 256

char *
text_quote(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	GString *out = g_string_new("\"");
	size_t shown = MIN(len, TEXT_QUOTE_MAX);

	for (size_t i = 0; i < shown; i++) {
		if (p[i] >= 0x20 && p[i] <= 0x7e && p[i] != '\\' && p[i] != '"')
			g_string_append_c(out, (char)p[i]);
		else
			g_string_append_printf(out, "\\x%02x", p[i]);
	}
	g_string_append(out, shown < len ? "\"..." : "\"");
	return g_string_free(out, FALSE);
}

char *
text_quote_string(const char *string)
{
	return text_quote(string, strlen(string));
}

char *
text_ascii(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	char *out = g_malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		out[i] = p[i] >= 0x20 && p[i] <= 0x7e ? (char)p[i] : '_';
	out[len] = '\0';
	return out;
}

static bool
character_is_harmless(gunichar c)
{
	switch (g_unichar_type(c)) {
	case G_UNICODE_CONTROL:
	case G_UNICODE_FORMAT: /* bidirectional controls, zero width joiners, ... */
	case G_UNICODE_UNASSIGNED:
	case G_UNICODE_PRIVATE_USE:
	case G_UNICODE_SURROGATE:
	case G_UNICODE_LINE_SEPARATOR:
	case G_UNICODE_PARAGRAPH_SEPARATOR:
		return false;
	default:
		return !g_unichar_iszerowidth(c);
	}
}

char *
text_utf8(const void *bytes, size_t len)
{
	const char *p = bytes;
	const char *end = p + len;
	GString *out = g_string_sized_new(len);

	while (p < end) {
		gunichar c = g_utf8_get_char_validated(p, end - p);

		if (*p == '\0' || c == (gunichar)-1 || c == (gunichar)-2) {
			g_string_append_c(out, '_');
			p++;
			continue;
		}
		if (character_is_harmless(c))
			g_string_append_unichar(out, c);
		else
			g_string_append_c(out, '_');
		p = g_utf8_next_char(p);
	}
	return g_string_free(out, FALSE);
}

bool
text_is_qube_name(const char *name)
{
	static const char *const reserved[] = {"none", "default", "Domain-0"};
	size_t len = strlen(name);

	if (len < 1 || len > TEXT_QUBE_NAME_MAX || !g_ascii_isalpha(name[0]))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!g_ascii_isalnum(name[i]) && strchr("_.-", name[i]) == NULL)
			return false;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(reserved); i++) {
		if (strcmp(name, reserved[i]) == 0)
			return false;
	}
	return !g_str_has_suffix(name, "-dm");
}

bool
text_is_uuid(const char *text)
{
	if (strlen(text) != 36)
		return false;
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !g_ascii_isxdigit(text[i]) || g_ascii_isupper(text[i]))
			return false;
	}
	return true;
}
