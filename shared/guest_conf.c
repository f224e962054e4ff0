#include "shared/guest_conf.h"
#include "shared/text.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

static bool
copy_text(char *to, size_t size, const char *value)
{
	return g_strlcpy(to, value, size) < size;
}

static bool
set_name(struct guest_conf *conf, const char *value)
{
	return text_is_qube_name(value) && copy_text(conf->name, sizeof(conf->name), value);
}

static bool
set_uuid(struct guest_conf *conf, const char *value)
{
	return text_is_uuid(value) && copy_text(conf->uuid, sizeof(conf->uuid), value);
}

static bool
set_type(struct guest_conf *conf, const char *value)
{
	return value[0] != '\0' && copy_text(conf->type, sizeof(conf->type), value);
}

static bool
set_xid(struct guest_conf *conf, const char *value)
{
	guint64 number;

	if (!g_ascii_string_to_unsigned(value, 10, 1, G_MAXINT32, &number, NULL))
		return false;
	conf->xid = (uint32_t)number;
	return true;
}

static bool
set_default_user(struct guest_conf *conf, const char *value)
{
	return value[0] != '\0' && strchr(value, '/') == NULL && value[0] != '.' &&
	       copy_text(conf->default_user, sizeof(conf->default_user), value);
}

static bool
set_gui_domain(struct guest_conf *conf, const char *value)
{
	guint64 number;

	if (!g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT32, &number, NULL))
		return false;
	conf->gui_domain = (int64_t)number;
	return true;
}

static bool
set_keyboard_layout(struct guest_conf *conf, const char *value)
{
	return copy_text(conf->keyboard_layout, sizeof(conf->keyboard_layout), value);
}

static bool
set_flag(bool *flag, const char *value)
{
	*flag = value[0] == '1';
	return (value[0] == '0' || value[0] == '1') && value[1] == '\0';
}

static bool
set_debug(struct guest_conf *conf, const char *value)
{
	return set_flag(&conf->debug, value);
}

static bool
set_privileged(struct guest_conf *conf, const char *value)
{
	return set_flag(&conf->privileged, value);
}

static const struct {
	const char *key;
	bool required;
	bool (*set)(struct guest_conf *conf, const char *value);
} keys[] = {
    {"name", true, set_name},
    {"uuid", true, set_uuid},
    {"type", true, set_type},
    {"xid", true, set_xid},
    {"default-user", true, set_default_user},
    {"gui-domain-xid", false, set_gui_domain},
    {"keyboard-layout", false, set_keyboard_layout},
    {"debug", false, set_debug},
    {"privileged", false, set_privileged},
};

/* seen has a bit for each row of keys. */
static bool
parse_line(char *line, struct guest_conf *conf, unsigned *seen)
{
	char *equals = strchr(line, '=');

	if (equals == NULL || equals == line)
		return false;
	*equals = '\0';
	for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (strcmp(line, keys[i].key) != 0)
			continue;
		if ((*seen & 1u << i) != 0)
			return false;
		*seen |= 1u << i;
		return keys[i].set(conf, equals + 1);
	}
	return true;
}

int
guest_conf_parse(const char *bytes, size_t len, struct guest_conf *ret, unsigned *ret_line)
{
	struct guest_conf conf = {.gui_domain = -1};
	char text[GUEST_CONF_MAX + 1];
	unsigned seen = 0, number = 0;
	char *rest = text;

	*ret_line = 0;
	if (len > GUEST_CONF_MAX)
		return -EINVAL;
	memcpy(text, bytes, len);
	text[len] = '\0';
	while (rest < text + len) {
		char *line = rest;
		char *end = strchr(line, '\n');

		number++;
		rest = end != NULL ? end + 1 : line + strlen(line) + 1;
		if (end != NULL)
			*end = '\0';
		/* A line that ends before its newline or the end holds a NUL. */
		if ((end == NULL && rest != text + len + 1) || !parse_line(line, &conf, &seen)) {
			*ret_line = number;
			return -EINVAL;
		}
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++)
		if (keys[i].required && (seen & 1u << i) == 0)
			return -EINVAL;
	*ret = conf;
	return 0;
}
