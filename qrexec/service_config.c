#include "qrexec/service_config.h"

#include "qrexec/service_lookup.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum value_type { VALUE_BOOL, VALUE_INT, VALUE_STRING };

struct value {
	enum value_type type;
	bool truth;
	long number;
	char *string; /* owned */
};

/* What is left of one line. */
struct line {
	const char *p, *end;
};

static void
skip_blanks(struct line *line)
{
	while (line->p < line->end && (*line->p == ' ' || *line->p == '\t'))
		line->p++;
}

static bool
take_word(struct line *line, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(line->end - line->p) < len || memcmp(line->p, word, len) != 0)
		return false;
	line->p += len;
	return true;
}

static bool
take_key(struct line *line, char **ret)
{
	const char *start = line->p;

	if (line->p == line->end || !g_ascii_isalpha(*line->p))
		return false;
	while (line->p < line->end &&
	       (g_ascii_isalnum(*line->p) || memchr(".-_", *line->p, 3) != NULL))
		line->p++;
	*ret = g_strndup(start, (gsize)(line->p - start));
	return true;
}

/* Decimal, no leading zero, no sign. */
static bool
take_number(struct line *line, long *ret)
{
	const char *start = line->p;
	long number = 0;

	while (line->p < line->end && g_ascii_isdigit(*line->p)) {
		if (number > 100000000)
			return false;
		number = number * 10 + (*line->p++ - '0');
	}
	if (line->p == start || (*start == '0' && line->p - start > 1))
		return false;
	*ret = number;
	return true;
}

static bool
take_string(struct line *line, char **ret)
{
	const char *start, *quote;

	if (!take_word(line, "'"))
		return false;
	start = line->p;
	quote = memchr(start, '\'', (size_t)(line->end - start));
	if (quote == NULL)
		return false;
	line->p = quote + 1;
	if (line->p < line->end && *line->p == '\'') /* three quotes are another language */
		return false;
	*ret = g_strndup(start, (gsize)(quote - start));
	return true;
}

static bool
take_value(struct line *line, struct value *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (take_word(line, "true")) {
		ret->type = VALUE_BOOL;
		ret->truth = true;
		return true;
	}
	if (take_word(line, "false")) {
		ret->type = VALUE_BOOL;
		return true;
	}
	if (line->p < line->end && *line->p == '\'') {
		ret->type = VALUE_STRING;
		return take_string(line, &ret->string);
	}
	ret->type = VALUE_INT;
	return take_number(line, &ret->number);
}

static bool
set_bool(const struct value *value, bool *ret)
{
	if (value->type != VALUE_BOOL)
		return false;
	*ret = value->truth;
	return true;
}

static bool
set_bool_or_digit(const struct value *value, bool *ret)
{
	if (value->type == VALUE_INT && (value->number == 0 || value->number == 1)) {
		*ret = value->number == 1;
		return true;
	}
	return set_bool(value, ret);
}

static bool
set_wait_for_session(struct service_config *config, struct value *value)
{
	return set_bool_or_digit(value, &config->wait_for_session);
}

static bool
set_force_user(struct service_config *config, struct value *value)
{
	if (value->type != VALUE_STRING || value->string[0] == '\0')
		return false;
	config->force_user = g_steal_pointer(&value->string);
	return true;
}

static bool
set_skip_service_descriptor(struct service_config *config, struct value *value)
{
	return set_bool(value, &config->skip_service_descriptor);
}

static bool
set_exit_on_client_eof(struct service_config *config, struct value *value)
{
	return set_bool(value, &config->exit_on_client_eof);
}

static bool
set_exit_on_service_eof(struct service_config *config, struct value *value)
{
	return set_bool(value, &config->exit_on_service_eof);
}

/* clang-format off */
static const struct {
	const char *name;
	bool (*set)(struct service_config *config, struct value *value);
} keys[] = {
	{ "wait-for-session",        set_wait_for_session },
	{ "force-user",              set_force_user },
	{ "skip-service-descriptor", set_skip_service_descriptor },
	{ "exit-on-client-eof",      set_exit_on_client_eof },
	{ "exit-on-service-eof",     set_exit_on_service_eof },
};
/* clang-format on */

struct parse {
	struct service_config config;
	bool seen[G_N_ELEMENTS(keys)];
	unsigned unknown;
};

static bool
apply(struct parse *parse, const char *key, struct value *value)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (strcmp(keys[i].name, key) != 0)
			continue;
		if (parse->seen[i])
			return false;
		parse->seen[i] = true;
		return keys[i].set(&parse->config, value);
	}
	parse->unknown++;
	return true;
}

static bool
parse_line(struct parse *parse, struct line line)
{
	g_autofree char *key = NULL;
	struct value value = {0};
	bool ok;

	if (line.p == line.end || *line.p == '#')
		return true;
	if (!take_key(&line, &key))
		return false;
	skip_blanks(&line);
	if (!take_word(&line, "="))
		return false;
	skip_blanks(&line);
	ok = take_value(&line, &value);
	skip_blanks(&line);
	ok = ok && (line.p == line.end || *line.p == '#') && apply(parse, key, &value);
	g_free(value.string);
	return ok;
}

/* The end of the line at p, without a carriage return before the newline. */
static struct line
line_at(const char *p, const char *end, const char **ret_next)
{
	const char *newline = memchr(p, '\n', (size_t)(end - p));
	struct line line = {p, newline != NULL ? newline : end};

	*ret_next = newline != NULL ? newline + 1 : end;
	if (newline != NULL && line.end > p && line.end[-1] == '\r')
		line.end--;
	return line;
}

int
service_config_parse(const char *text, size_t len, struct service_config *ret, unsigned *ret_line,
    unsigned *ret_unknown)
{
	struct parse parse = {0};
	const char *end = text + len;
	const char *next;
	unsigned number = 0;

	*ret_line = 0;
	if (len > 0 && memchr(text, '\0', len) != NULL)
		return -EINVAL;
	for (const char *p = text; p < end; p = next) {
		struct line line = line_at(p, end, &next);

		number++;
		if (!parse_line(&parse, line)) {
			*ret_line = number;
			service_config_clear(&parse.config);
			return -EINVAL;
		}
	}
	if (parse.config.force_user != NULL && service_config_is_for_sockets(&parse.config)) {
		service_config_clear(&parse.config);
		return -EINVAL;
	}
	*ret = parse.config;
	*ret_unknown = parse.unknown;
	return 0;
}

void
service_config_clear(struct service_config *config)
{
	g_free(config->force_user);
	memset(config, 0, sizeof(*config));
}

bool
service_config_is_for_sockets(const struct service_config *config)
{
	return config->skip_service_descriptor || config->exit_on_client_eof ||
	       config->exit_on_service_eof;
}

/* Reads at most one byte more than allowed; a FIFO or a device is no configuration. */
static int
read_small_file(const char *path, char *buffer, size_t size, size_t *ret_len)
{
	struct stat info;
	size_t len = 0;
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	while (len < size && (n = read(fd, buffer + len, size - len)) > 0)
		len += (size_t)n;
	close(fd);
	if (n < 0)
		return -EIO;
	*ret_len = len;
	return 0;
}

int
service_config_load(const struct qrexec_command *command, struct service_config *ret)
{
	g_autofree char *search = path_service_config_search();
	g_autofree char *path = NULL;
	char text[SERVICE_CONFIG_MAX + 1];
	unsigned line, unknown;
	size_t len = 0;
	int r;

	memset(ret, 0, sizeof(*ret));
	r = service_lookup_file(search, command, &path);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = read_small_file(path, text, sizeof(text), &len);
	if (r < 0) {
		log_warn("configuration of %s: %s", command->name, strerror(-r));
		return r;
	}
	if (len > SERVICE_CONFIG_MAX) {
		log_warn("%s: longer than %d bytes", path, SERVICE_CONFIG_MAX);
		return -EFBIG;
	}
	r = service_config_parse(text, len, ret, &line, &unknown);
	if (r < 0 && line > 0)
		log_warn("%s: line %u is not valid", path, line);
	else if (r < 0)
		log_warn("%s: not valid as a whole", path);
	else if (unknown > 0)
		log_warn("%s: %u unknown keys ignored", path, unknown);
	return r;
}
