#include "shared/guest_conf.h"
#include "shared/text.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
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

	if (strcmp(value, "later") == 0) {
		conf->gui_domain = GUEST_CONF_GUI_LATER;
		return true;
	}
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

bool
guest_conf_is_service(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > GUEST_CONF_SERVICE_MAX || !g_ascii_isalnum(name[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!g_ascii_isalnum(name[i]) && strchr("._-", name[i]) == NULL)
			return false;
	return true;
}

static bool
set_services(struct guest_conf *conf, const char *value)
{
	g_auto(GStrv) names = g_strsplit(value, " ", -1);

	for (size_t i = 0; names[i] != NULL; i++)
		if (!guest_conf_is_service(names[i]))
			return false;
	return copy_text(conf->services, sizeof(conf->services), value);
}

bool
guest_conf_has_service(const struct guest_conf *conf, const char *name)
{
	g_auto(GStrv) names = g_strsplit(conf->services, " ", -1);

	return g_strv_contains((const char *const *)names, name);
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
    {"services", false, set_services},
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

/* --- the other way -------------------------------------------------------------------------- */

static void
append(GString *text, const char *key, const char *value)
{
	g_string_append_printf(text, "%s=%s\n", key, value);
}

static void
append_number(GString *text, const char *key, int64_t value)
{
	g_string_append_printf(text, "%s=%" PRId64 "\n", key, value);
}

/* Does the text say so? What is left out of it is put in for the comparison. */
static bool
comes_back(const GString *text, const struct guest_conf_facts *facts)
{
	g_autofree char *whole = g_strconcat(text->str, facts->xid == 0 ? "xid=1\n" : "", NULL);
	struct guest_conf back;
	unsigned line;

	if (guest_conf_parse(whole, strlen(whole), &back, &line) < 0)
		return false;
	return strcmp(back.name, facts->name) == 0 && strcmp(back.uuid, facts->uuid) == 0 &&
	       strcmp(back.type, facts->type) == 0 &&
	       strcmp(back.default_user, facts->default_user) == 0 &&
	       strcmp(back.keyboard_layout, facts->keyboard_layout) == 0 &&
	       strcmp(back.services, facts->services != NULL ? facts->services : "") == 0;
}

int
guest_conf_format(const struct guest_conf_facts *facts, char **ret)
{
	g_autoptr(GString) text = g_string_new(NULL);

	append(text, "name", facts->name);
	append(text, "uuid", facts->uuid);
	append(text, "type", facts->type);
	if (facts->xid != 0)
		append_number(text, "xid", facts->xid);
	append(text, "default-user", facts->default_user);
	if (facts->gui_domain >= 0)
		append_number(text, "gui-domain-xid", facts->gui_domain);
	else if (facts->gui_domain == GUEST_CONF_GUI_LATER)
		append(text, "gui-domain-xid", "later");
	if (facts->services != NULL && facts->services[0] != '\0')
		append(text, "services", facts->services);
	append(text, "keyboard-layout", facts->keyboard_layout);
	append_number(text, "debug", facts->debug);
	append_number(text, "privileged", facts->privileged);
	if (!comes_back(text, facts))
		return -EINVAL;
	*ret = g_strdup(text->str);
	return 0;
}
