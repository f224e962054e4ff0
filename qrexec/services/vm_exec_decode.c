#include "qrexec/services/vm_exec_decode.h"

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>

static int
hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/* What follows a '-': another one, or two digits. Advances *p; -1 when it is neither. */
static int
decode_escape(const char **p)
{
	int high, low;

	if (**p == '-') {
		(*p)++;
		return '-';
	}
	high = hex_value(**p);
	low = high >= 0 ? hex_value((*p)[1]) : -1;
	if (low < 0)
		return -1;
	*p += 2;
	return high << 4 | low;
}

static char *
decode_element(const char *text, size_t len)
{
	g_autoptr(GString) out = g_string_sized_new(len);
	g_autofree char *element = g_strndup(text, len);
	const char *p = element;

	while (*p != '\0') {
		int byte = (unsigned char)*p++;

		if (byte == '-')
			byte = decode_escape(&p);
		else if (!g_ascii_isalnum(byte) && byte != '.' && byte != '_')
			return NULL;
		if (byte <= 0) /* an argument cannot hold a NUL */
			return NULL;
		g_string_append_c(out, (char)byte);
	}
	return g_strdup(out->str);
}

int
vm_exec_decode(const char *untrusted_text, char ***ret)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	const char *p = untrusted_text;

	if (p[0] == '\0')
		return -EINVAL;
	for (;;) {
		size_t len = strcspn(p, "+");
		char *element = decode_element(p, len);

		if (element == NULL)
			return -EINVAL;
		g_ptr_array_add(argv, element);
		if (p[len] == '\0')
			break;
		p += len + 1;
	}
	g_ptr_array_add(argv, NULL);
	*ret = (char **)g_ptr_array_steal(argv, NULL);
	return 0;
}
