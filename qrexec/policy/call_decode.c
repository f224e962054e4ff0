#include "qrexec/policy/call_decode.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define TARGET_EXTRA "_-.@:"
#define DESCRIPTOR_EXTRA "_-.+"

#define EVAL_SOURCE_MAX 31 /* bytes */
#define EVAL_TARGET_MAX 63 /* bytes */
#define EVAL_EXTRA "@_.-"

void
call_clear(struct call *call)
{
	g_free(call->service);
	g_free(call->argument);
	g_free(call->source);
	g_free(call->target);
	g_free(call->requested_source);
	g_free(call->eval_caller);
	*call = (struct call){0};
}

/* A new string when every byte is a letter, a digit or one of extra; else NULL. */
static char *
checked_text(const uint8_t *bytes, size_t len, const char *extra)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\0' ||
		    (!g_ascii_isalnum(bytes[i]) && strchr(extra, bytes[i]) == NULL))
			return NULL;
	}
	return g_strndup((const char *)bytes, len);
}

/* Splits a checked descriptor; the service must not be empty. */
static int
take_descriptor(struct call *call, const char *descriptor)
{
	size_t len = strcspn(descriptor, "+");

	if (len == 0)
		return -EPROTO;
	call->service = g_strndup(descriptor, len);
	call->argument = g_strdup(descriptor[len] != '\0' ? descriptor + len : "+");
	return 0;
}

/* --- the policy socket ---------------------------------------------------------------------- */

static int
set_name(char **field, const uint8_t *value, size_t len)
{
	if (len > CALL_NAME_MAX)
		return -EPROTO;
	*field = checked_text(value, len, TARGET_EXTRA);
	return *field != NULL ? 0 : -EPROTO;
}

static int
set_source(struct call *call, const uint8_t *value, size_t len)
{
	return len > 0 ? set_name(&call->source, value, len) : -EPROTO;
}

static int
set_target(struct call *call, const uint8_t *value, size_t len)
{
	return set_name(&call->target, value, len);
}

static int
set_requested_source(struct call *call, const uint8_t *value, size_t len)
{
	return set_name(&call->requested_source, value, len);
}

static int
set_descriptor(struct call *call, const uint8_t *value, size_t len)
{
	g_autofree char *descriptor = checked_text(value, len, DESCRIPTOR_EXTRA);

	return descriptor != NULL ? take_descriptor(call, descriptor) : -EPROTO;
}

static int
read_bool(const uint8_t *value, size_t len, bool *ret)
{
	bool yes = len == 3 && memcmp(value, "yes", 3) == 0;

	if (!yes && (len != 2 || memcmp(value, "no", 2) != 0))
		return -EPROTO;
	*ret = yes;
	return 0;
}

static int
set_just_evaluate(struct call *call, const uint8_t *value, size_t len)
{
	return read_bool(value, len, &call->just_evaluate);
}

static int
set_assume_yes(struct call *call, const uint8_t *value, size_t len)
{
	return read_bool(value, len, &call->assume_yes);
}

static const struct call_key {
	const char *name;
	bool required;
	int (*set)(struct call *, const uint8_t *, size_t);
} call_keys[] = {
    {"source", true, set_source},
    {"intended_target", true, set_target},
    {"service_and_arg", true, set_descriptor},
    {"requested_source", false, set_requested_source},
    {"just_evaluate", false, set_just_evaluate},
    {"assume_yes_for_ask", false, set_assume_yes},
};

/* *seen has a bit for each row of the table that has come. */
static int
take_line(struct call *call, const uint8_t *line, size_t len, unsigned *seen)
{
	const uint8_t *equals = memchr(line, '=', len);
	size_t key_len;

	if (equals == NULL)
		return -EPROTO;
	key_len = (size_t)(equals - line);
	for (size_t i = 0; i < G_N_ELEMENTS(call_keys); i++) {
		const struct call_key *key = &call_keys[i];

		if (strlen(key->name) != key_len || memcmp(key->name, line, key_len) != 0)
			continue;
		if (*seen & (1u << i))
			return -EPROTO;
		*seen |= 1u << i;
		return key->set(call, equals + 1, len - key_len - 1);
	}
	return -EPROTO;
}

static int
take_lines(struct call *call, struct untrusted_bytes untrusted_request)
{
	const uint8_t *at = untrusted_request.raw;
	const uint8_t *end = at + untrusted_request.len;
	unsigned seen = 0;

	while (at < end) {
		const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((stop != NULL ? stop : end) - at);
		int r;

		if (len == 0)
			break;
		r = take_line(call, at, len, &seen);
		if (r < 0)
			return r;
		at += len + 1;
		if (stop == NULL)
			break;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(call_keys); i++) {
		if (call_keys[i].required && !(seen & (1u << i)))
			return -EPROTO;
	}
	return 0;
}

bool
call_is_complete(struct untrusted_bytes untrusted_request)
{
	if (untrusted_request.len == 0)
		return false;
	return untrusted_request.raw[0] == '\n' ||
	       memmem(untrusted_request.raw, untrusted_request.len, "\n\n", 2) != NULL;
}

int
call_decode(struct untrusted_bytes untrusted_request, struct call *ret)
{
	struct call call = {0};
	int r;

	if (untrusted_request.len > CALL_MAX)
		return -EPROTO;
	r = take_lines(&call, untrusted_request);
	if (r < 0) {
		call_clear(&call);
		return r;
	}
	if (call.requested_source == NULL)
		call.requested_source = g_strdup("");
	*ret = call;
	return 0;
}

/* --- the evaluation services ---------------------------------------------------------------- */

/* The command: "SERVICE+QUERIED CALLER ...". */
static int
take_command(struct call *call, const char *command, const char *service)
{
	g_auto(GStrv) words = g_strsplit(command, " ", 5);
	size_t service_len = strlen(service);
	guint count = g_strv_length(words);
	g_autofree char *queried = NULL;

	if ((count != 2 && count != 4) || strncmp(words[0], service, service_len) != 0 ||
	    words[0][service_len] != '+')
		return -EPROTO;
	queried = checked_text((const uint8_t *)words[0] + service_len + 1,
	    strlen(words[0]) - service_len - 1, DESCRIPTOR_EXTRA);
	if (queried == NULL || take_descriptor(call, queried) < 0)
		return -EPROTO;
	call->eval_caller = checked_text((const uint8_t *)words[1], strlen(words[1]), TARGET_EXTRA);
	return call->eval_caller != NULL && words[1][0] != '\0' ? 0 : -EPROTO;
}

/* The payload: "source" NUL "target". */
static int
take_payload(struct call *call, const uint8_t *payload, size_t len)
{
	const uint8_t *nul = memchr(payload, '\0', len);
	size_t source_len, target_len;

	if (len > CALL_EVAL_PAYLOAD_MAX || nul == NULL)
		return -EPROTO;
	source_len = (size_t)(nul - payload);
	target_len = len - source_len - 1;
	if (source_len < 1 || source_len > EVAL_SOURCE_MAX || target_len < 1 ||
	    target_len > EVAL_TARGET_MAX)
		return -EPROTO;
	call->source = checked_text(payload, source_len, EVAL_EXTRA);
	call->target = checked_text(nul + 1, target_len, EVAL_EXTRA);
	return call->source != NULL && call->target != NULL ? 0 : -EPROTO;
}

int
call_decode_eval(struct untrusted_bytes untrusted_request, const char *service, struct call *ret)
{
	struct call call = {.just_evaluate = true, .assume_yes = true};
	const uint8_t *bytes = untrusted_request.raw;
	size_t len = untrusted_request.len;
	const uint8_t *nul = len > 0 ? memchr(bytes, '\0', len) : NULL;
	size_t command_len;

	if (nul == NULL || len > CALL_EVAL_MAX)
		return -EPROTO;
	command_len = (size_t)(nul - bytes) + 1;
	if (take_command(&call, (const char *)bytes, service) < 0 ||
	    take_payload(&call, bytes + command_len, len - command_len) < 0) {
		call_clear(&call);
		return -EPROTO;
	}
	call.requested_source = g_strdup("");
	*ret = call;
	return 0;
}

/* --- the agent's answer --------------------------------------------------------------------- */

int
call_decode_answer(struct untrusted_bytes untrusted_answer, char **ret_target)
{
	static const char allow[] = "allow:";
	const uint8_t *bytes = untrusted_answer.raw;
	size_t len = untrusted_answer.len;
	char *target;

	if (len > CALL_ANSWER_MAX)
		return -EPROTO;
	if (len > 0 && bytes[len - 1] == '\n')
		len--;
	if (len == strlen("deny") && memcmp(bytes, "deny", len) == 0) {
		*ret_target = NULL;
		return 0;
	}
	if (len <= strlen(allow) || memcmp(bytes, allow, strlen(allow)) != 0)
		return -EPROTO;
	target = checked_text(bytes + strlen(allow), len - strlen(allow), TARGET_EXTRA);
	if (target == NULL)
		return -EPROTO;
	*ret_target = target;
	return 0;
}
