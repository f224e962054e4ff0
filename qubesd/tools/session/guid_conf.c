#include "qubesd/tools/session/guid_conf.h"

#include "shared/text.h"

#include <stdbool.h>
#include <string.h>

#define CHOICES_MAX 10

enum key_kind {
	KEY_BOOL,     /* a feature that is not empty means true */
	KEY_CHOICE,   /* one of the words */
	KEY_SEQUENCE, /* modifiers and a key, joined by dashes */
	KEY_COLOUR,
	KEY_NUMBER, /* min..max */
};

struct key {
	const char *name;
	enum key_kind kind;
	guint64 min, max;
	const char *choices[CHOICES_MAX];
};

/* clang-format off */
static const struct key keys[] = {
	{ "allow_fullscreen",             KEY_BOOL,     0,   0,           { NULL } },
	{ "override_redirect_protection", KEY_BOOL,     0,   0,           { NULL } },
	{ "allow_utf8_titles",            KEY_BOOL,     0,   0,           { NULL } },
	{ "override_redirect",            KEY_CHOICE,   0,   0,           { "allow", "disable", "disabled" } },
	{ "secure_copy_sequence",         KEY_SEQUENCE, 0,   0,           { NULL } },
	{ "secure_paste_sequence",        KEY_SEQUENCE, 0,   0,           { NULL } },
	{ "windows_count_limit",          KEY_NUMBER,   1,   G_MAXINT32,  { NULL } },
	{ "trayicon_mode",                KEY_CHOICE,   0,   0,           { "bg", "border1", "border2", "tint", "tint+border1", "tint+border2", "tint+saturation50", "tint+whitehack" } },
	{ "window_background_color",      KEY_COLOUR,   0,   0,           { NULL } },
	{ "startup_timeout",              KEY_NUMBER,   0,   G_MAXINT32,  { NULL } },
	{ "max_clipboard_size",           KEY_NUMBER,   256, 256000,      { NULL } },
	{ "events_max_delay",             KEY_NUMBER,   0,   5000,        { NULL } },
};
/* clang-format on */

char *
guid_conf_quote(const char *text)
{
	GString *out = g_string_new("\"");

	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			g_string_append_printf(out, "\\%c", *p);
		else if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			g_string_append_printf(out, "\\x%02x", (unsigned char)*p);
		else
			g_string_append_c(out, *p);
	}
	g_string_append_c(out, '"');
	return g_string_free(out, FALSE);
}

static bool
is_choice(const struct key *key, const char *value)
{
	for (size_t i = 0; i < CHOICES_MAX && key->choices[i] != NULL; i++) {
		if (strcmp(value, key->choices[i]) == 0)
			return true;
	}
	return false;
}

static bool
is_of(const char *text, bool (*is_good)(char))
{
	for (const char *p = text; *p != '\0'; p++) {
		if (!is_good(*p))
			return false;
	}
	return text[0] != '\0';
}

static bool
is_key_character(char c)
{
	return g_ascii_isalnum(c) || c == '_';
}

/* "Ctrl-Shift-c": modifiers, then the name of a key; or a word that switches it off. */
static bool
is_sequence(const char *value)
{
	static const char *const modifiers[] = {
	    "Shift", "Ctrl", "Alt", "Mod1", "Mod2", "Mod3", "Mod4", NULL};
	g_auto(GStrv) parts = g_strsplit(value, "-", -1);
	guint count = g_strv_length(parts);

	if (strcmp(value, "none") == 0 || strcmp(value, "disable") == 0)
		return true;
	for (guint i = 0; i + 1 < count; i++) {
		if (!g_strv_contains(modifiers, parts[i]))
			return false;
	}
	return count >= 2 && is_of(parts[count - 1], is_key_character);
}

static bool
is_hex_digit(char c)
{
	return g_ascii_isxdigit(c);
}

static bool
is_colour_character(char c)
{
	return g_ascii_isalnum(c) || c == ' ';
}

static bool
is_colour(const char *value)
{
	size_t len = strlen(value);

	if (g_str_has_prefix(value, "0x"))
		return (len == 5 || len == 8) && is_of(value + 2, is_hex_digit);
	return g_ascii_isalpha(value[0]) && is_of(value, is_colour_character);
}

/* What stands behind "key = ", or NULL when the value breaks the key's rule. */
static char *
setting(const struct key *key, const char *value)
{
	guint64 number;

	switch (key->kind) {
	case KEY_BOOL:
		return g_strdup(value[0] != '\0' ? "true" : "false");
	case KEY_NUMBER:
		if (!g_ascii_string_to_unsigned(value, 10, key->min, key->max, &number, NULL))
			return NULL;
		return g_strdup_printf("%" G_GUINT64_FORMAT, number);
	case KEY_CHOICE:
		if (!is_choice(key, value))
			return NULL;
		/* The daemon's word for it; the feature's is the older one. */
		return guid_conf_quote(strcmp(value, "disable") == 0 ? "disabled" : value);
	case KEY_SEQUENCE:
		return is_sequence(value) ? guid_conf_quote(value) : NULL;
	case KEY_COLOUR:
		return is_colour(value) ? guid_conf_quote(value) : NULL;
	}
	return NULL;
}

static const char *
look_up(GHashTable *features, const char *prefix, const char *key)
{
	g_autofree char *name = g_strconcat(prefix, key, NULL);

	return g_hash_table_lookup(features, g_strdelimit(name, "_", '-'));
}

char *
guid_conf_text(GHashTable *features, GHashTable *defaults, GPtrArray *problems)
{
	GString *text = g_string_new("global: {\n");

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		const char *value = look_up(features, GUID_CONF_PREFIX, keys[i].name);
		g_autofree char *shown = NULL;

		if (value == NULL)
			value = look_up(defaults, GUID_CONF_DEFAULT_PREFIX, keys[i].name);
		if (value == NULL)
			continue;
		shown = setting(&keys[i], value);
		if (shown != NULL) {
			g_string_append_printf(text, "  %s = %s;\n", keys[i].name, shown);
		} else if (problems != NULL) {
			g_autofree char *quoted = text_quote_string(value);

			g_ptr_array_add(
			    problems, g_strdup_printf("%s cannot be %s", keys[i].name, quoted));
		}
	}
	g_string_append(text, "};\n");
	return g_string_free(text, FALSE);
}
