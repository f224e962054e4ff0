#include "shared/qrexec_text_decode.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

bool
qrexec_is_name_byte(uint8_t byte, const char *extra)
{
	return g_ascii_isalnum(byte) || (byte != '\0' && strchr("_-.", byte) != NULL) ||
	       (byte != '\0' && strchr(extra, byte) != NULL);
}

char *
qrexec_sanitise(struct untrusted_bytes untrusted, const char *extra)
{
	char *out = g_malloc(untrusted.len + 1);

	for (size_t i = 0; i < untrusted.len; i++)
		out[i] =
		    qrexec_is_name_byte(untrusted.raw[i], extra) ? (char)untrusted.raw[i] : '_';
	out[untrusted.len] = '\0';
	return out;
}

void
qrexec_filter_escapes(void *bytes, size_t len)
{
	uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++) {
		bool printable = p[i] >= 0x20 && p[i] <= 0x7e;

		if (!printable && (p[i] == '\0' || strchr("\t\n\r\b\a", p[i]) == NULL))
			p[i] = '_';
	}
}

/* --- command strings ------------------------------------------------------------------------ */

#define SERVICE_WORD "QUBESRPC"

static int
parse_service(const char *call, struct qrexec_command *command)
{
	g_auto(GStrv) tokens = NULL;
	const char *plus;
	guint count;

	if (strchr(call, ' ') == NULL) /* no source */
		return -EINVAL;
	tokens = g_strsplit(call, " ", -1);
	count = g_strv_length(tokens);
	if (tokens[0][0] == '\0' || strlen(tokens[0]) > QREXEC_DESCRIPTOR_MAX ||
	    tokens[1][0] == '\0')
		return -EINVAL;
	plus = strchr(tokens[0], '+');
	if (plus == tokens[0])
		return -EINVAL;
	command->name =
	    plus != NULL ? g_strndup(tokens[0], (gsize)(plus - tokens[0])) : g_strdup(tokens[0]);
	if (strlen(command->name) > QREXEC_SERVICE_NAME_MAX)
		return -ENOENT;
	command->argument = plus != NULL ? g_strdup(plus + 1) : NULL;
	command->descriptor = g_strdup(tokens[0]);
	command->call = g_strdup(call);
	command->source = g_strdup(tokens[1]);
	command->is_complete = count == 2 || count == 4;
	if (count == 4) {
		command->target_type = g_strdup(tokens[2]);
		command->target = g_strdup(tokens[3]);
	}
	return 0;
}

int
qrexec_command_parse(const char *text, bool with_user, struct qrexec_command *ret)
{
	struct qrexec_command command = {0};
	int r = 0;

	if (with_user) {
		const char *colon = strchr(text, ':');

		if (colon == NULL || colon == text)
			return -EINVAL;
		command.user = g_strndup(text, (gsize)(colon - text));
		text = colon + 1;
	}
	if (g_str_has_prefix(text, "nogui:")) {
		command.no_gui = true;
		text += strlen("nogui:");
	}
	command.text = g_strdup(text);
	if (g_str_has_prefix(text, SERVICE_WORD)) {
		const char *rest = text + strlen(SERVICE_WORD);

		r = *rest == ' ' ? parse_service(rest + 1, &command) : -EINVAL;
	}
	if (r < 0) {
		qrexec_command_clear(&command);
		return r;
	}
	*ret = command;
	return 0;
}

void
qrexec_command_clear(struct qrexec_command *command)
{
	g_free(command->user);
	g_free(command->text);
	g_free(command->descriptor);
	g_free(command->name);
	g_free(command->argument);
	g_free(command->call);
	g_free(command->source);
	g_free(command->target_type);
	g_free(command->target);
	memset(command, 0, sizeof(*command));
}

/* --- what the policy answers ---------------------------------------------------------------- */

enum verdict_key { RESULT, USER, TARGET, TARGET_UUID, AUTOSTART, REQUESTED, SERVICE, SOURCE, KEYS };

/* clang-format off */
static const struct {
	const char *name;
	bool if_allowed; /* must be there then, and must not be there when denied */
} verdict_keys[KEYS] = {
	[RESULT]      = { "result",           false },
	[USER]        = { "user",             true },
	[TARGET]      = { "target",           true },
	[TARGET_UUID] = { "target_uuid",      false },
	[AUTOSTART]   = { "autostart",        true },
	[REQUESTED]   = { "requested_target", true },
	[SERVICE]     = { "service",          false },
	[SOURCE]      = { "policy_source",    false },
};
/* clang-format on */

static int
verdict_line(const char *line, char *values[KEYS])
{
	const char *equals = strchr(line, '=');

	if (equals == NULL || equals == line)
		return -EPROTO;
	for (size_t i = 0; i < KEYS; i++) {
		if (strncmp(line, verdict_keys[i].name, (size_t)(equals - line)) != 0 ||
		    verdict_keys[i].name[equals - line] != '\0')
			continue;
		if (values[i] != NULL)
			return -EPROTO;
		values[i] = g_strdup(equals + 1);
	}
	return 0;
}

static bool
verdict_is_whole(char *const values[KEYS], bool allow)
{
	for (size_t i = 0; i < KEYS; i++) {
		bool given = values[i] != NULL;

		if (verdict_keys[i].if_allowed && given != allow)
			return false;
		if (given && values[i][0] == '\0' && i != REQUESTED)
			return false;
	}
	return true;
}

static int
verdict_from_values(char *values[KEYS], struct qrexec_verdict *ret)
{
	struct qrexec_verdict verdict = {0};

	if (values[RESULT] == NULL)
		return -EPROTO;
	verdict.allow = strcmp(values[RESULT], "allow") == 0;
	if (!verdict.allow && strcmp(values[RESULT], "deny") != 0)
		return -EPROTO;
	if (!verdict_is_whole(values, verdict.allow))
		return -EPROTO;
	if (verdict.allow) {
		verdict.autostart = strcmp(values[AUTOSTART], "True") == 0;
		if (!verdict.autostart && strcmp(values[AUTOSTART], "False") != 0)
			return -EPROTO;
		verdict.user = g_steal_pointer(&values[USER]);
		verdict.target = g_steal_pointer(&values[TARGET]);
		verdict.target_uuid = g_steal_pointer(&values[TARGET_UUID]);
		verdict.requested_target = g_steal_pointer(&values[REQUESTED]);
		verdict.service = g_steal_pointer(&values[SERVICE]);
		verdict.source = g_steal_pointer(&values[SOURCE]);
	}
	*ret = verdict;
	return 0;
}

int
qrexec_decode_verdict(struct untrusted_bytes untrusted, struct qrexec_verdict *ret)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	char *values[KEYS] = {NULL};
	size_t len = untrusted.len;
	int r = 0;

	if (len == 0 || memchr(untrusted.raw, '\0', len) != NULL)
		return -EPROTO;
	if (untrusted.raw[len - 1] == '\n')
		len--;
	text = g_strndup((const char *)untrusted.raw, len);
	lines = g_strsplit(text, "\n", -1);
	for (size_t i = 0; lines[i] != NULL && r == 0; i++)
		r = verdict_line(lines[i], values);
	if (r == 0)
		r = lines[0] != NULL ? verdict_from_values(values, ret) : -EPROTO;
	for (size_t i = 0; i < KEYS; i++)
		g_free(values[i]);
	return r;
}

void
qrexec_verdict_clear(struct qrexec_verdict *verdict)
{
	g_free(verdict->user);
	g_free(verdict->target);
	g_free(verdict->target_uuid);
	g_free(verdict->requested_target);
	g_free(verdict->service);
	g_free(verdict->source);
	memset(verdict, 0, sizeof(*verdict));
}
