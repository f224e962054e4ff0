#include "qubesd/grammar.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

/* One or more letters, digits and bytes of extra, at most max. */
static bool
is_word(const char *text, const char *extra, size_t max)
{
	size_t len = strlen(text);

	if (len < 1 || len > max)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!g_ascii_isalnum(text[i]) && strchr(extra, text[i]) == NULL)
			return false;
	}
	return true;
}

static bool
is_digits(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

bool
grammar_is_label(const char *text)
{
	return is_word(text, "_.-", GRAMMAR_LABEL_MAX);
}

bool
grammar_is_new_label(const char *text)
{
	return grammar_is_label(text) && !is_digits(text);
}

bool
grammar_is_tag(const char *text)
{
	return is_word(text, "_-", GRAMMAR_TAG_MAX);
}

bool
grammar_is_feature_name(const char *text)
{
	return is_word(text, "_.-", GRAMMAR_FEATURE_NAME_MAX);
}

bool
grammar_is_pool(const char *text)
{
	return is_word(text, "._-", 128);
}

bool
grammar_is_user(const char *text)
{
	return is_word(text, "_+,.-", 256) && text[0] != '-';
}

bool
grammar_is_printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text < 0x20 || *text > 0x7e)
			return false;
	}
	return true;
}

bool
grammar_is_ipv4(const char *text)
{
	struct in_addr address;

	return inet_pton(AF_INET, text, &address) == 1;
}

bool
grammar_is_ipv6(const char *text)
{
	struct in6_addr address;

	return inet_pton(AF_INET6, text, &address) == 1;
}

bool
grammar_is_mac(const char *text)
{
	if (strlen(text) != 17)
		return false;
	for (size_t i = 0; i < 17; i++) {
		if (i % 3 == 2 ? text[i] != ':' : !g_ascii_isxdigit(text[i]))
			return false;
	}
	return true;
}

bool
grammar_is_keyboard_layout(const char *text)
{
	unsigned plus = 0;

	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '+')
			plus++;
		else if (!g_ascii_isalnum(*p) && strchr("_,:()-", *p) == NULL)
			return false;
	}
	return plus == 2 && text[0] != '+' && strlen(text) <= 256;
}

bool
grammar_parse_int(const char *text, int64_t *ret)
{
	const char *digits = text[0] == '-' ? text + 1 : text;
	long long value;

	if (!is_digits(digits) || strlen(digits) > 19)
		return false;
	errno = 0;
	value = strtoll(text, NULL, 10);
	if (errno != 0)
		return false;
	*ret = value;
	return true;
}

bool
grammar_parse_bool(const char *text, bool *ret)
{
	static const char *const words[] = {"0", "1", "no", "yes", "false", "true", "off", "on"};

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		if (g_ascii_strcasecmp(text, words[i]) == 0) {
			*ret = i % 2 == 1;
			return true;
		}
	}
	return false;
}

bool
grammar_parse_colour(const char *text, uint32_t *ret)
{
	if (strlen(text) != 8 || text[0] != '0' || text[1] != 'x')
		return false;
	for (size_t i = 2; i < 8; i++) {
		if (!g_ascii_isxdigit(text[i]))
			return false;
	}
	*ret = (uint32_t)strtoul(text + 2, NULL, 16);
	return true;
}

bool
grammar_is_hypervisor(const char *text)
{
	static const char *const kinds[] = {"sandbox", "xen:///", "xen:///system",
	    "qemu:///session", "qemu:///system", "test:///default", NULL};

	return g_strv_contains(kinds, text);
}
