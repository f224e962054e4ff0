#include "shared/guest_conf.h"
#include "shared/text.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <string.h>

#define TIME_S_DIGITS 10
#define TIME_NS_DIGITS 9

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

/* A decimal number of 1 to max_len digits. */
static bool
set_digits(const char *digits, size_t len, size_t max_len, uint32_t *ret)
{
	uint64_t number = 0;

	if (len == 0 || len > max_len)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!g_ascii_isdigit(digits[i]))
			return false;
		number = number * 10 + (uint64_t)(digits[i] - '0');
	}
	*ret = (uint32_t)number;
	return number <= UINT32_MAX;
}

static bool
set_time(struct guest_conf *conf, const char *value)
{
	size_t seconds_len = strcspn(value, ".");
	const char *fraction = value + seconds_len + 1;

	conf->fresh.has_time = true;
	return value[seconds_len] == '.' && strlen(fraction) == TIME_NS_DIGITS &&
	       set_digits(value, seconds_len, TIME_S_DIGITS, &conf->fresh.time_s) &&
	       set_digits(fraction, TIME_NS_DIGITS, TIME_NS_DIGITS, &conf->fresh.time_ns);
}

static bool
set_seed(struct guest_conf *conf, const char *value)
{
	conf->fresh.has_seed = true;
	if (strlen(value) != 2 * GUEST_CONF_SEED_BYTES)
		return false;
	for (size_t i = 0; i < GUEST_CONF_SEED_BYTES; i++) {
		int high = g_ascii_xdigit_value(value[2 * i]);
		int low = g_ascii_xdigit_value(value[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		conf->fresh.seed[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

#define TIME_KEY "time"
#define SEED_KEY "random-seed"

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
    {TIME_KEY, false, set_time},
    {SEED_KEY, false, set_seed},
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

/* text holds len bytes and a NUL behind them; it is cut into pieces. */
static int
parse_text(char *text, size_t len, struct guest_conf *conf, unsigned *ret_line)
{
	unsigned seen = 0, number = 0;
	char *rest = text;

	while (rest < text + len) {
		char *line = rest;
		char *end = strchr(line, '\n');

		number++;
		rest = end != NULL ? end + 1 : line + strlen(line) + 1;
		if (end != NULL)
			*end = '\0';
		/* A line that ends before its newline or the end holds a NUL. */
		if ((end == NULL && rest != text + len + 1) || !parse_line(line, conf, &seen)) {
			*ret_line = number;
			return -EINVAL;
		}
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++)
		if (keys[i].required && (seen & 1u << i) == 0)
			return -EINVAL;
	return 0;
}

int
guest_conf_parse(const char *bytes, size_t len, struct guest_conf *ret, unsigned *ret_line)
{
	struct guest_conf conf = {.gui_domain = -1};
	char text[GUEST_CONF_MAX + 1];
	int r;

	*ret_line = 0;
	if (len > GUEST_CONF_MAX)
		return -EINVAL;
	memcpy(text, bytes, len);
	text[len] = '\0';
	r = parse_text(text, len, &conf, ret_line);
	if (r == 0)
		*ret = conf;
	explicit_bzero(text, sizeof(text));
	explicit_bzero(&conf.fresh, sizeof(conf.fresh));
	return r;
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

/* Every value comes back, so each is shorter than its field; the keys and numbers are far below. */
static_assert(sizeof(struct guest_conf) + 512 <= GUEST_CONF_FORMAT_MAX, "always short enough");

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

/* --- time and seed --------------------------------------------------------------------------- */

char *
guest_conf_with_fresh(const char *text, const struct guest_conf_fresh *fresh)
{
	size_t len = strlen(text);
	/* Whole from the beginning: what is made larger leaves a copy behind. */
	GString *all = g_string_sized_new(len + GUEST_CONF_FRESH_MAX);

	g_string_append_len(all, text, (gssize)len);
	if (len > 0 && text[len - 1] != '\n')
		g_string_append_c(all, '\n');
	if (fresh->has_time)
		g_string_append_printf(all, TIME_KEY "=%" PRIu32 ".%0*" PRIu32 "\n", fresh->time_s,
		    TIME_NS_DIGITS, fresh->time_ns);
	if (fresh->has_seed) {
		g_string_append(all, SEED_KEY "=");
		for (size_t i = 0; i < GUEST_CONF_SEED_BYTES; i++) {
			g_string_append_c(all, "0123456789abcdef"[fresh->seed[i] >> 4]);
			g_string_append_c(all, "0123456789abcdef"[fresh->seed[i] & 15]);
		}
		g_string_append_c(all, '\n');
	}
	return g_string_free(all, FALSE);
}

char *
guest_conf_without_fresh(const char *text)
{
	GString *all = g_string_new(NULL);

	while (text[0] != '\0') {
		size_t len = strcspn(text, "\n");

		len += text[len] == '\n';
		if (!g_str_has_prefix(text, TIME_KEY "=") && !g_str_has_prefix(text, SEED_KEY "="))
			g_string_append_len(all, text, (gssize)len);
		text += len;
	}
	return g_string_free(all, FALSE);
}
