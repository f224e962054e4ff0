#include "shared/qrexec_decode.h"

#include "shared/qrexec_text_decode.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

/* --- whole messages out of a stream --------------------------------------------------------- */

#define EXEC_MIN (sizeof(struct qrexec_wire_exec) + 1)
#define COMMAND QREXEC_COMMAND_BODY_MAX
#define CONNECT (sizeof(struct qrexec_wire_exec) + sizeof(struct qrexec_wire_service))
#define TRIGGER2 sizeof(struct qrexec_wire_trigger2)
#define TRIGGER3 sizeof(struct qrexec_wire_trigger3)
#define TRIGGER4 sizeof(struct qrexec_wire_trigger4)
#define DESCRIPTOR QREXEC_DESCRIPTOR_MAX
#define CHUNK_V2 QREXEC_CHUNK_MAX_V2
#define CHUNK QREXEC_CHUNK_MAX

/* clang-format off */
static const struct qrexec_rule hello_rules[] = {
	{ QREXEC_HELLO,                 4,            4 },
};
static const struct qrexec_rule agent_to_daemon_v2[] = {
	{ QREXEC_TRIGGER_SERVICE,       TRIGGER2,     TRIGGER2 },
	{ QREXEC_CONNECTION_TERMINATED, 8,            8 },
};
static const struct qrexec_rule agent_to_daemon_v3[] = {
	{ QREXEC_TRIGGER_SERVICE3,      TRIGGER3 + 1, TRIGGER3 + DESCRIPTOR },
	{ QREXEC_CONNECTION_TERMINATED, 8,            8 },
};
static const struct qrexec_rule agent_to_daemon_v4[] = {
	{ QREXEC_TRIGGER_SERVICE3,      TRIGGER3 + 1, TRIGGER3 + DESCRIPTOR },
	{ QREXEC_TRIGGER_SERVICE4,      TRIGGER4 + 1, TRIGGER4 + DESCRIPTOR },
	{ QREXEC_CONNECTION_TERMINATED, 8,            8 },
};
static const struct qrexec_rule daemon_to_agent[] = {
	{ QREXEC_EXEC_CMDLINE,          EXEC_MIN,     COMMAND },
	{ QREXEC_JUST_EXEC,             EXEC_MIN,     COMMAND },
	{ QREXEC_SERVICE_CONNECT,       CONNECT,      CONNECT },
	{ QREXEC_SERVICE_REFUSED,       32,           32 },
};
static const struct qrexec_rule client_to_daemon[] = {
	{ QREXEC_EXEC_CMDLINE,          EXEC_MIN,     COMMAND },
	{ QREXEC_JUST_EXEC,             EXEC_MIN,     COMMAND },
	{ QREXEC_SERVICE_CONNECT,       CONNECT,      CONNECT },
};
static const struct qrexec_rule daemon_to_client[] = {
	{ QREXEC_EXEC_CMDLINE,          8,            8 },
	{ QREXEC_JUST_EXEC,             8,            8 },
	{ QREXEC_SERVICE_CONNECT,       8,            8 },
};
static const struct qrexec_rule program_to_agent[] = {
	{ QREXEC_TRIGGER_SERVICE4,      TRIGGER4 + 1, TRIGGER4 + DESCRIPTOR },
};
static const struct qrexec_rule data_v2[] = {
	{ QREXEC_DATA_STDIN,            0,            CHUNK_V2 },
	{ QREXEC_DATA_STDOUT,           0,            CHUNK_V2 },
	{ QREXEC_DATA_STDERR,           0,            CHUNK_V2 },
	{ QREXEC_DATA_EXIT_CODE,        0,            CHUNK_V2 },
};
static const struct qrexec_rule data_v3[] = {
	{ QREXEC_DATA_STDIN,            0,            CHUNK },
	{ QREXEC_DATA_STDOUT,           0,            CHUNK },
	{ QREXEC_DATA_STDERR,           0,            CHUNK },
	{ QREXEC_DATA_EXIT_CODE,        0,            CHUNK },
};
/* clang-format on */

#define RULES(table) ((struct qrexec_rules){table, G_N_ELEMENTS(table)})

struct qrexec_rules
qrexec_rules_hello(void)
{
	return RULES(hello_rules);
}

struct qrexec_rules
qrexec_rules_agent_to_daemon(uint32_t version)
{
	switch (version) {
	case 2:
		return RULES(agent_to_daemon_v2);
	case 3:
		return RULES(agent_to_daemon_v3);
	default:
		return RULES(agent_to_daemon_v4);
	}
}

struct qrexec_rules
qrexec_rules_daemon_to_agent(void)
{
	return RULES(daemon_to_agent);
}

struct qrexec_rules
qrexec_rules_client_to_daemon(void)
{
	return RULES(client_to_daemon);
}

struct qrexec_rules
qrexec_rules_daemon_to_client(void)
{
	return RULES(daemon_to_client);
}

struct qrexec_rules
qrexec_rules_program_to_agent(void)
{
	return RULES(program_to_agent);
}

struct qrexec_rules
qrexec_rules_data(uint32_t version)
{
	return version < 3 ? RULES(data_v2) : RULES(data_v3);
}

size_t
qrexec_chunk_max(uint32_t version)
{
	return version < 3 ? QREXEC_CHUNK_MAX_V2 : QREXEC_CHUNK_MAX;
}

void
qrexec_reader_init(struct qrexec_reader *reader, struct qrexec_rules rules)
{
	memset(reader, 0, sizeof(*reader));
	reader->rules = rules;
}

void
qrexec_reader_fini(struct qrexec_reader *reader)
{
	g_clear_pointer(&reader->body, g_free);
}

void
qrexec_reader_set_rules(struct qrexec_reader *reader, struct qrexec_rules rules)
{
	assert(!qrexec_reader_is_inside(reader));
	reader->rules = rules;
}

void *
qrexec_reader_space(struct qrexec_reader *reader, size_t *ret_len)
{
	if (reader->header_have < sizeof(reader->header)) {
		*ret_len = sizeof(reader->header) - reader->header_have;
		return reader->header + reader->header_have;
	}
	*ret_len = reader->body_len - reader->body_have;
	return reader->body + reader->body_have;
}

static int
reader_take_header(struct qrexec_reader *reader)
{
	struct qrexec_wire_header wire;

	memcpy(&wire, reader->header, sizeof(wire));
	for (size_t i = 0; i < reader->rules.count; i++) {
		const struct qrexec_rule *rule = &reader->rules.rule[i];
		uint32_t len;

		if (rule->type != wire.type)
			continue;
		if (!untrusted_u32_between(
			(struct untrusted_u32){wire.len}, rule->min, rule->max, &len))
			return -EPROTO;
		reader->type = rule->type;
		reader->body_len = len;
		reader->body_have = 0;
		if (reader->body_size < len) {
			reader->body = g_realloc(reader->body, len);
			reader->body_size = len;
		}
		return 0;
	}
	return -EPROTO;
}

int
qrexec_reader_advance(struct qrexec_reader *reader, size_t n, struct qrexec_message *ret)
{
	int r;

	if (reader->header_have < sizeof(reader->header)) {
		reader->header_have += n;
		assert(reader->header_have <= sizeof(reader->header));
		if (reader->header_have < sizeof(reader->header))
			return 0;
		r = reader_take_header(reader);
		if (r < 0)
			return r;
	} else {
		reader->body_have += n;
		assert(reader->body_have <= reader->body_len);
	}
	if (reader->body_have < reader->body_len)
		return 0;
	ret->type = reader->type;
	ret->untrusted_body = untrusted_bytes_of(reader->body, reader->body_len);
	return 1;
}

void
qrexec_reader_next(struct qrexec_reader *reader)
{
	reader->header_have = 0;
	reader->body_len = 0;
	reader->body_have = 0;
}

bool
qrexec_reader_is_inside(const struct qrexec_reader *reader)
{
	return reader->header_have > 0;
}

/* --- bodies --------------------------------------------------------------------------------- */

int
qrexec_decode_hello(
    struct untrusted_bytes untrusted_body, uint32_t own, uint32_t oldest, uint32_t *ret)
{
	struct qrexec_wire_hello wire;

	if (untrusted_body.len != sizeof(wire))
		return -EPROTO;
	memcpy(&wire, untrusted_body.raw, sizeof(wire));
	if (wire.version < oldest)
		return -EPROTONOSUPPORT;
	*ret = MIN(wire.version, own);
	return 0;
}

/* A text that fills the bytes up to its NUL at the very end, with no other inside. */
static const char *
terminated_text(const uint8_t *bytes, size_t len)
{
	if (len == 0 || memchr(bytes, '\0', len) != bytes + len - 1)
		return NULL;
	return (const char *)bytes;
}

int
qrexec_decode_exec(struct untrusted_bytes untrusted_body, struct qrexec_exec *ret)
{
	struct qrexec_wire_exec wire;
	const char *command;

	if (untrusted_body.len <= sizeof(wire))
		return -EPROTO;
	memcpy(&wire, untrusted_body.raw, sizeof(wire));
	command =
	    terminated_text(untrusted_body.raw + sizeof(wire), untrusted_body.len - sizeof(wire));
	if (command == NULL)
		return -EPROTO;
	ret->domain = wire.domain;
	ret->port = wire.port;
	ret->command = command;
	return 0;
}

bool
qrexec_ident_is_valid(const struct qrexec_ident *ident)
{
	const char *nul = memchr(ident->bytes, '\0', sizeof(ident->bytes));

	if (nul == NULL)
		return false;
	for (const char *p = ident->bytes; p < nul; p++) {
		if (!qrexec_is_name_byte((uint8_t)*p, " "))
			return false;
	}
	for (const char *p = nul; p < ident->bytes + sizeof(ident->bytes); p++) {
		if (*p != '\0')
			return false;
	}
	return true;
}

bool
qrexec_ident_equal(const struct qrexec_ident *a, const struct qrexec_ident *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

int
qrexec_decode_service_connect(struct untrusted_bytes untrusted_body, struct qrexec_connect *ret)
{
	struct qrexec_wire_exec wire;

	if (untrusted_body.len != CONNECT)
		return -EPROTO;
	memcpy(&wire, untrusted_body.raw, sizeof(wire));
	ret->domain = wire.domain;
	ret->port = wire.port;
	memcpy(ret->ident.bytes, untrusted_body.raw + sizeof(wire), sizeof(ret->ident.bytes));
	return 0;
}

int
qrexec_decode_service_refused(struct untrusted_bytes untrusted_body, struct qrexec_ident *ret)
{
	if (untrusted_body.len != sizeof(ret->bytes))
		return -EPROTO;
	memcpy(ret->bytes, untrusted_body.raw, sizeof(ret->bytes));
	return 0;
}

int
qrexec_decode_place(struct untrusted_bytes untrusted_body, struct qrexec_place *ret)
{
	struct qrexec_wire_exec wire;

	if (untrusted_body.len != sizeof(wire))
		return -EPROTO;
	memcpy(&wire, untrusted_body.raw, sizeof(wire));
	ret->domain = wire.domain;
	ret->port = wire.port;
	return 0;
}

int
qrexec_decode_terminated(struct untrusted_bytes untrusted_body, struct qrexec_place *ret)
{
	struct qrexec_place place;
	int r;

	r = qrexec_decode_place(untrusted_body, &place);
	if (r < 0)
		return r;
	if (place.port < QREXEC_DATA_PORT_FIRST || place.port > QREXEC_DATA_PORT_LAST)
		return -ERANGE;
	*ret = place;
	return 0;
}

/* A fixed field as text: NULL when nothing ends it. A name that was cut is another name. */
static char *
sanitised_field(const char *field, size_t size, const char *extra)
{
	size_t len = strnlen(field, size);

	if (len == size)
		return NULL;
	return qrexec_sanitise(untrusted_bytes_of(field, len), extra);
}

/* The strings of a trigger, whatever message they came in. */
static int
trigger_fill(struct qrexec_trigger *trigger, const char *untrusted_source,
    const char *untrusted_target, size_t untrusted_target_size, const uint8_t *untrusted_tail,
    size_t tail_len)
{
	const char *descriptor = terminated_text(untrusted_tail, tail_len);

	if (descriptor == NULL || descriptor[0] == '\0' || descriptor[0] == '+')
		return -EINVAL;
	if (!qrexec_ident_is_valid(&trigger->ident))
		return -EINVAL;
	trigger->target = sanitised_field(untrusted_target, untrusted_target_size, "@:");
	if (trigger->target == NULL)
		return -EINVAL;
	if (untrusted_source != NULL) {
		trigger->source = sanitised_field(untrusted_source, QREXEC_TARGET_BYTES, "@:");
		if (trigger->source == NULL)
			return -EINVAL;
		if (trigger->source[0] == '\0')
			g_clear_pointer(&trigger->source, g_free);
	}
	trigger->descriptor = qrexec_sanitise(untrusted_bytes_of(descriptor, tail_len - 1), "+");
	return 0;
}

static int
decode_trigger2(struct untrusted_bytes untrusted_body, struct qrexec_trigger *trigger)
{
	struct qrexec_wire_trigger2 wire;
	size_t service_len;

	memcpy(&wire, untrusted_body.raw, sizeof(wire));
	memcpy(trigger->ident.bytes, wire.ident, sizeof(wire.ident));
	service_len = strnlen(wire.service, sizeof(wire.service));
	if (service_len == sizeof(wire.service))
		return -EINVAL;
	return trigger_fill(trigger, NULL, wire.target, sizeof(wire.target),
	    (const uint8_t *)wire.service, service_len + 1);
}

static int
decode_trigger3(struct untrusted_bytes untrusted_body, struct qrexec_trigger *trigger)
{
	struct qrexec_wire_trigger3 wire;

	memcpy(&wire, untrusted_body.raw, sizeof(wire));
	memcpy(trigger->ident.bytes, wire.ident, sizeof(wire.ident));
	return trigger_fill(trigger, NULL, wire.target, sizeof(wire.target),
	    untrusted_body.raw + sizeof(wire), untrusted_body.len - sizeof(wire));
}

static int
decode_trigger4(struct untrusted_bytes untrusted_body, struct qrexec_trigger *trigger)
{
	struct qrexec_wire_trigger4 wire;

	memcpy(&wire, untrusted_body.raw, sizeof(wire));
	memcpy(trigger->ident.bytes, wire.ident, sizeof(wire.ident));
	return trigger_fill(trigger, wire.source, wire.target, sizeof(wire.target),
	    untrusted_body.raw + sizeof(wire), untrusted_body.len - sizeof(wire));
}

int
qrexec_decode_trigger(
    uint32_t type, struct untrusted_bytes untrusted_body, struct qrexec_trigger *ret)
{
	struct qrexec_trigger trigger = {0};
	int r;

	switch (type) {
	case QREXEC_TRIGGER_SERVICE:
		assert(untrusted_body.len == TRIGGER2);
		r = decode_trigger2(untrusted_body, &trigger);
		break;
	case QREXEC_TRIGGER_SERVICE3:
		assert(untrusted_body.len > TRIGGER3);
		r = decode_trigger3(untrusted_body, &trigger);
		break;
	default:
		assert(type == QREXEC_TRIGGER_SERVICE4 && untrusted_body.len > TRIGGER4);
		r = decode_trigger4(untrusted_body, &trigger);
		break;
	}
	if (r < 0) { /* leave the ident only: that is what a refusal is addressed to */
		g_clear_pointer(&trigger.source, g_free);
		g_clear_pointer(&trigger.target, g_free);
	}
	*ret = trigger;
	return r;
}

void
qrexec_trigger_clear(struct qrexec_trigger *trigger)
{
	g_clear_pointer(&trigger->source, g_free);
	g_clear_pointer(&trigger->target, g_free);
	g_clear_pointer(&trigger->descriptor, g_free);
}

static size_t
text_length(struct untrusted_bytes untrusted)
{
	const uint8_t *nul = memchr(untrusted.raw, '\0', untrusted.len);

	return nul != NULL ? (size_t)(nul - untrusted.raw) : SIZE_MAX;
}

int
qrexec_decode_request(struct untrusted_bytes untrusted_body, struct qrexec_request *ret)
{
	const uint8_t *raw = untrusted_body.raw;

	if (untrusted_body.len <= TRIGGER4)
		return -EPROTO;
	ret->untrusted_source = untrusted_bytes_of(raw, QREXEC_TARGET_BYTES);
	ret->untrusted_target = untrusted_bytes_of(raw + QREXEC_TARGET_BYTES, QREXEC_TARGET_BYTES);
	ret->untrusted_descriptor =
	    untrusted_bytes_of(raw + TRIGGER4, untrusted_body.len - TRIGGER4);
	ret->has_source = raw[0] != '\0';
	ret->target_len = text_length(ret->untrusted_target);
	ret->descriptor_len = text_length(ret->untrusted_descriptor);
	return 0;
}

void
qrexec_request_copy(struct untrusted_bytes untrusted_field, void *to, size_t size)
{
	size_t len = MIN(untrusted_field.len, size);

	memcpy(to, untrusted_field.raw, len);
	memset((char *)to + len, 0, size - len);
}

int
qrexec_decode_exit_code(struct untrusted_bytes untrusted_body)
{
	int32_t code;

	if (untrusted_body.len < sizeof(code))
		return QREXEC_EXIT_CUT;
	memcpy(&code, untrusted_body.raw, sizeof(code));
	return code;
}

int
qrexec_decode_fork(struct untrusted_bytes untrusted_header, struct qrexec_fork *ret)
{
	struct qrexec_wire_fork wire;

	if (untrusted_header.len != sizeof(wire))
		return -EPROTO;
	memcpy(&wire, untrusted_header.raw, sizeof(wire));
	if (wire.type != QREXEC_EXEC_CMDLINE && wire.type != QREXEC_JUST_EXEC)
		return -EPROTO;
	if (wire.len < 2 || wire.len > QREXEC_COMMAND_BODY_MAX)
		return -EPROTO;
	ret->type = wire.type;
	ret->domain = wire.domain;
	ret->port = wire.port;
	ret->command_len = wire.len;
	return 0;
}

int
qrexec_decode_fork_command(struct untrusted_bytes untrusted_command, const char **ret)
{
	const char *command = terminated_text(untrusted_command.raw, untrusted_command.len);

	if (command == NULL)
		return -EPROTO;
	*ret = command;
	return 0;
}

const uint8_t *
qrexec_data(struct untrusted_bytes untrusted_body)
{
	return untrusted_body.raw;
}
