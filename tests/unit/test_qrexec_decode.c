#include "shared/qrexec_decode.h"
#include "shared/qrexec_text_decode.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

/* --- messages out of a stream --------------------------------------------------------------- */

/* What a reader says to a header alone. */
static int
header_result(struct qrexec_rules rules, uint32_t type, uint32_t len)
{
	struct qrexec_wire_header header = {type, len};
	struct qrexec_reader reader;
	struct qrexec_message message;
	size_t space;
	int r;

	qrexec_reader_init(&reader, rules);
	memcpy(qrexec_reader_space(&reader, &space), &header, sizeof(header));
	assert_int_equal(space, sizeof(header));
	r = qrexec_reader_advance(&reader, sizeof(header), &message);
	qrexec_reader_fini(&reader);
	return r;
}

/* Both sides of both bounds of every row of every table. */
static void
qrx_02_each_type_has_exact_length_bounds(void **state)
{
	const struct qrexec_rules tables[] = {
	    qrexec_rules_hello(),
	    qrexec_rules_agent_to_daemon(2),
	    qrexec_rules_agent_to_daemon(3),
	    qrexec_rules_agent_to_daemon(4),
	    qrexec_rules_daemon_to_agent(),
	    qrexec_rules_client_to_daemon(),
	    qrexec_rules_daemon_to_client(),
	    qrexec_rules_program_to_agent(),
	    qrexec_rules_data(2),
	    qrexec_rules_data(3),
	};
	static const uint32_t huge[] = {0x7fffffff, 0x80000000, 0xffffffff};

	(void)state;
	for (size_t t = 0; t < G_N_ELEMENTS(tables); t++) {
		for (size_t i = 0; i < tables[t].count; i++) {
			const struct qrexec_rule *rule = &tables[t].rule[i];

			assert_int_equal(header_result(tables[t], rule->type, rule->min),
			    rule->min == 0 ? 1 : 0);
			assert_int_equal(header_result(tables[t], rule->type, rule->max),
			    rule->max == 0 ? 1 : 0);
			assert_int_equal(
			    header_result(tables[t], rule->type, rule->max + 1), -EPROTO);
			if (rule->min > 0)
				assert_int_equal(
				    header_result(tables[t], rule->type, rule->min - 1), -EPROTO);
			for (size_t h = 0; h < G_N_ELEMENTS(huge); h++)
				assert_int_equal(
				    header_result(tables[t], rule->type, huge[h]), -EPROTO);
		}
	}
}

static bool
allows(struct qrexec_rules rules, uint32_t type)
{
	for (size_t i = 0; i < rules.count; i++) {
		if (rules.rule[i].type == type)
			return true;
	}
	return false;
}

static void
qrx_06_an_agent_may_send_only_its_own_messages(void **state)
{
	static const uint32_t never[] = {QREXEC_EXEC_CMDLINE, QREXEC_JUST_EXEC,
	    QREXEC_SERVICE_CONNECT, QREXEC_SERVICE_REFUSED, QREXEC_DATA_STDIN, QREXEC_HELLO, 0};

	(void)state;
	for (uint32_t version = 2; version <= 4; version++) {
		struct qrexec_rules rules = qrexec_rules_agent_to_daemon(version);

		for (size_t i = 0; i < G_N_ELEMENTS(never); i++)
			assert_false(allows(rules, never[i]));
		assert_true(allows(rules, QREXEC_CONNECTION_TERMINATED));
		assert_int_equal(allows(rules, QREXEC_TRIGGER_SERVICE), version == 2);
		assert_int_equal(allows(rules, QREXEC_TRIGGER_SERVICE3), version >= 3);
		assert_int_equal(allows(rules, QREXEC_TRIGGER_SERVICE4), version >= 4);
	}
}

static void
a_data_chunk_may_have_4096_bytes_in_version_2_and_65536_later(void **state)
{
	(void)state;
	assert_int_equal(header_result(qrexec_rules_data(2), QREXEC_DATA_STDIN, 4096), 0);
	assert_int_equal(header_result(qrexec_rules_data(2), QREXEC_DATA_STDIN, 4097), -EPROTO);
	assert_int_equal(header_result(qrexec_rules_data(3), QREXEC_DATA_STDIN, 65536), 0);
	assert_int_equal(header_result(qrexec_rules_data(3), QREXEC_DATA_STDIN, 65537), -EPROTO);
}

static void
a_message_that_comes_byte_by_byte_is_whole_in_the_end(void **state)
{
	static const uint8_t bytes[] = {
	    0x91, 0x01, 0, 0, 3, 0, 0, 0, 'a', 'b', 'c', 0x91, 0x01, 0, 0, 0, 0, 0, 0};
	struct qrexec_reader reader;
	struct qrexec_message message;
	unsigned messages = 0;

	(void)state;
	qrexec_reader_init(&reader, qrexec_rules_data(4));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		size_t space;
		uint8_t *to = qrexec_reader_space(&reader, &space);
		int r;

		assert_true(space > 0);
		*to = bytes[i];
		r = qrexec_reader_advance(&reader, 1, &message);
		assert_int_equal(r, i == 10 || i == 18);
		if (r == 0)
			continue;
		assert_int_equal(message.type, QREXEC_DATA_STDOUT);
		assert_int_equal(message.untrusted_body.len, messages == 0 ? 3 : 0);
		if (messages == 0)
			assert_memory_equal(qrexec_data(message.untrusted_body), "abc", 3);
		messages++;
		qrexec_reader_next(&reader);
		assert_false(qrexec_reader_is_inside(&reader));
	}
	assert_int_equal(messages, 2);
	qrexec_reader_fini(&reader);
}

/* --- bodies --------------------------------------------------------------------------------- */

static int
hello(uint32_t peer, uint32_t own, uint32_t oldest, uint32_t *ret)
{
	return qrexec_decode_hello(untrusted_bytes_of(&peer, sizeof(peer)), own, oldest, ret);
}

static void
qrx_01_the_version_in_use_is_the_smaller_and_old_ones_are_refused(void **state)
{
	uint32_t version = 77;

	(void)state;
	assert_int_equal(hello(1, 4, 2, &version), -EPROTONOSUPPORT);
	assert_int_equal(hello(0, 4, 2, &version), -EPROTONOSUPPORT);
	assert_int_equal(version, 77);
	assert_int_equal(hello(2, 4, 2, &version), 0);
	assert_int_equal(version, 2);
	assert_int_equal(hello(4, 4, 2, &version), 0);
	assert_int_equal(version, 4);
	assert_int_equal(hello(0xffffffff, 4, 2, &version), 0);
	assert_int_equal(version, 4);
	assert_int_equal(hello(2, 3, 3, &version), -EPROTONOSUPPORT);
	assert_int_equal(
	    qrexec_decode_hello(untrusted_bytes_of("\4\0\0", 3), 4, 2, &version), -EPROTO);
	assert_int_equal(
	    qrexec_decode_hello(untrusted_bytes_of("\4\0\0\0", 5), 4, 2, &version), -EPROTO);
}

static struct qrexec_ident
ident_of(const char *bytes, size_t len)
{
	struct qrexec_ident ident = {{0}};

	memcpy(ident.bytes, bytes, len);
	return ident;
}

static void
qrx_04_idents_are_clean_text_with_zeros_behind(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool valid;
	} rows[] = {
	    {"SOCKET7", 7, true},
	    {"a b_c-d.E9", 10, true},
	    {"", 0, true},
	    {"0123456789012345678901234567890", 31, true},
	    {"01234567890123456789012345678901", 32, false},
	    {"\1\2\3", 3, false},
	    {"a\0b", 3, false},
	    {"a\nb", 3, false},
	    {"a/b", 3, false},
	    {"a@b", 3, false},
	    {"\x80", 1, false},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct qrexec_ident ident = ident_of(rows[i].bytes, rows[i].len);

		assert_int_equal(qrexec_ident_is_valid(&ident), rows[i].valid);
	}
}

/* The body of a trigger of that type, with these texts. */
static GByteArray *
trigger_body(uint32_t type, const char *source, const char *target, const char *ident,
    const char *tail, size_t tail_len)
{
	GByteArray *body = g_byte_array_new();
	struct qrexec_wire_trigger2 two = {0};
	struct qrexec_wire_trigger4 four = {0};

	if (type == QREXEC_TRIGGER_SERVICE) {
		memcpy(two.service, tail, MIN(tail_len, sizeof(two.service)));
		memcpy(two.target, target, MIN(strlen(target), sizeof(two.target)));
		memcpy(two.ident, ident, strlen(ident));
		return g_byte_array_append(body, (guint8 *)&two, sizeof(two));
	}
	memcpy(four.source, source, MIN(strlen(source), sizeof(four.source)));
	memcpy(four.target, target, MIN(strlen(target), sizeof(four.target)));
	memcpy(four.ident, ident, strlen(ident));
	if (type == QREXEC_TRIGGER_SERVICE4)
		g_byte_array_append(body, (guint8 *)&four, sizeof(four));
	else
		g_byte_array_append(
		    body, (guint8 *)four.target, sizeof(four) - sizeof(four.source));
	return g_byte_array_append(body, (const guint8 *)tail, (guint)tail_len);
}

/* Decodes one; the caller looks at *ret and clears it. */
static int
decode(uint32_t type, const char *source, const char *target, const char *ident, const char *tail,
    size_t tail_len, struct qrexec_trigger *ret)
{
	g_autoptr(GByteArray) body = trigger_body(type, source, target, ident, tail, tail_len);

	return qrexec_decode_trigger(type, untrusted_bytes_of(body->data, body->len), ret);
}

static const uint32_t trigger_types[] = {
    QREXEC_TRIGGER_SERVICE, QREXEC_TRIGGER_SERVICE3, QREXEC_TRIGGER_SERVICE4};

static void
a_trigger_of_each_version_says_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(trigger_types); i++) {
		struct qrexec_trigger trigger;

		assert_int_equal(
		    decode(trigger_types[i], "", "work", "SOCKET5", "a.B+c-1", 8, &trigger), 0);
		assert_string_equal(trigger.target, "work");
		assert_string_equal(trigger.descriptor, "a.B+c-1");
		assert_null(trigger.source);
		assert_memory_equal(trigger.ident.bytes, "SOCKET5\0\0", 9);
		qrexec_trigger_clear(&trigger);
	}
}

static void
qrx_03_service_names_that_are_none_are_refused_with_their_ident(void **state)
{
	static const struct {
		const char *tail;
		size_t len;
	} rows[] = {{"", 1}, {"+", 2}, {"+a", 3}, {"a\0b", 4}, {"\0a", 3}, {"a\0", 3}, {"abc", 3}};

	(void)state;
	for (size_t t = 1; t < G_N_ELEMENTS(trigger_types); t++) {
		for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
			struct qrexec_trigger trigger;

			assert_int_equal(decode(trigger_types[t], "", "x", "SOCKET1", rows[i].tail,
					     rows[i].len, &trigger),
			    -EINVAL);
			assert_memory_equal(trigger.ident.bytes, "SOCKET1", 8);
			assert_null(trigger.descriptor);
			assert_null(trigger.target);
		}
	}
}

static void
qrx_03_version_2_names_obey_the_same_rules(void **state)
{
	static const char *const bad[] = {"", "+", "+a"};
	char full[64];
	struct qrexec_trigger trigger;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(decode(QREXEC_TRIGGER_SERVICE, "", "x", "S", bad[i],
				     strlen(bad[i]) + 1, &trigger),
		    -EINVAL);
	memset(full, 'a', sizeof(full));
	assert_int_equal(
	    decode(QREXEC_TRIGGER_SERVICE, "", "x", "S", full, sizeof(full), &trigger), -EINVAL);
	full[63] = '\0';
	assert_int_equal(
	    decode(QREXEC_TRIGGER_SERVICE, "", "x", "S", full, sizeof(full), &trigger), 0);
	assert_int_equal(strlen(trigger.descriptor), 63);
	qrexec_trigger_clear(&trigger);
}

static void
qrx_03_a_descriptor_of_65000_bytes_passes(void **state)
{
	g_autofree char *tail = g_strnfill(QREXEC_DESCRIPTOR_MAX - 1, 'd');
	struct qrexec_trigger trigger;

	(void)state;
	assert_int_equal(
	    decode(QREXEC_TRIGGER_SERVICE4, "", "x", "S", tail, QREXEC_DESCRIPTOR_MAX, &trigger),
	    0);
	assert_string_equal(trigger.descriptor, tail);
	qrexec_trigger_clear(&trigger);
	assert_int_equal(header_result(qrexec_rules_agent_to_daemon(4), QREXEC_TRIGGER_SERVICE4,
			     160 + QREXEC_DESCRIPTOR_MAX),
	    0);
	assert_int_equal(header_result(qrexec_rules_agent_to_daemon(4), QREXEC_TRIGGER_SERVICE4,
			     160 + QREXEC_DESCRIPTOR_MAX + 1),
	    -EPROTO);
}

static void
qrx_04_a_target_without_an_end_is_refused(void **state)
{
	g_autofree char *longest = g_strnfill(63, 't');
	g_autofree char *full = g_strnfill(64, 't');
	struct qrexec_trigger trigger;

	(void)state;
	assert_int_equal(
	    decode(QREXEC_TRIGGER_SERVICE3, "", full, "S", "svc", 4, &trigger), -EINVAL);
	assert_int_equal(
	    decode(QREXEC_TRIGGER_SERVICE4, full, "x", "S", "svc", 4, &trigger), -EINVAL);
	assert_int_equal(decode(QREXEC_TRIGGER_SERVICE3, "", longest, "S", "svc", 4, &trigger), 0);
	assert_string_equal(trigger.target, longest);
	qrexec_trigger_clear(&trigger);
}

static void
qrx_08_what_a_shell_would_expand_becomes_underscores(void **state)
{
	static const char tail[] = "svc+a$HOME`;|&<>(){} \n'\"\\/*?~#@:";
	struct qrexec_trigger trigger;

	(void)state;
	assert_int_equal(decode(QREXEC_TRIGGER_SERVICE4, "rem$ote", "a@b:c+d e", "S", tail,
			     sizeof(tail), &trigger),
	    0);
	assert_string_equal(trigger.descriptor, "svc+a_HOME______________________");
	assert_int_equal(strlen(trigger.descriptor), sizeof(tail) - 1);
	assert_string_equal(trigger.target, "a@b:c_d_e");
	assert_string_equal(trigger.source, "rem_ote");
	qrexec_trigger_clear(&trigger);
}

static void
every_byte_is_kept_or_replaced_by_the_rule(void **state)
{
	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		uint8_t raw = (uint8_t)byte;
		g_autofree char *clean = qrexec_sanitise(untrusted_bytes_of(&raw, 1), "+");
		bool kept = byte < 128 && (g_ascii_isalnum(byte) || byte == '_' || byte == '-' ||
					      byte == '.' || byte == '+');

		assert_int_equal((uint8_t)clean[0], kept ? byte : '_');
		assert_int_equal(clean[1], 0);
	}
}

static void
qrx_22_the_escape_filter_keeps_exactly_its_set(void **state)
{
	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		uint8_t raw = (uint8_t)byte;
		bool kept =
		    (byte >= 0x20 && byte <= 0x7e) || (byte >= 7 && byte <= 10) || byte == 13;

		qrexec_filter_escapes(&raw, 1);
		assert_int_equal(raw, kept ? byte : '_');
	}
}

static void
a_command_ends_with_its_only_nul(void **state)
{
	struct qrexec_exec exec;

	(void)state;
	assert_int_equal(qrexec_decode_exec(untrusted_bytes_of("\1\0\0\0\2\0\0\0x", 10), &exec), 0);
	assert_int_equal(exec.domain, 1);
	assert_int_equal(exec.port, 2);
	assert_string_equal(exec.command, "x");
	assert_int_equal(
	    qrexec_decode_exec(untrusted_bytes_of("\1\0\0\0\2\0\0\0x", 9), &exec), -EPROTO);
	assert_int_equal(
	    qrexec_decode_exec(untrusted_bytes_of("\1\0\0\0\2\0\0\0x\0y", 12), &exec), -EPROTO);
	assert_int_equal(
	    qrexec_decode_exec(untrusted_bytes_of("\1\0\0\0\2\0\0\0", 8), &exec), -EPROTO);
}

static void
qrx_11_a_terminated_port_must_be_a_data_port(void **state)
{
	static const struct {
		uint32_t port;
		int result;
	} rows[] = {{512, -ERANGE}, {513, 0}, {768, 0}, {769, -ERANGE}, {0, -ERANGE},
	    {0xffffffff, -ERANGE}};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		uint32_t body[] = {3, rows[i].port};
		struct qrexec_place place;

		assert_int_equal(
		    qrexec_decode_terminated(untrusted_bytes_of(body, sizeof(body)), &place),
		    rows[i].result);
	}
}

static void
qrx_12_an_exit_code_of_a_wrong_length_is_still_one(void **state)
{
	static const uint8_t code[] = {42, 0, 0, 0, 9, 9, 9, 9};

	(void)state;
	assert_int_equal(qrexec_decode_exit_code(untrusted_bytes_of(code, 0)), 255);
	assert_int_equal(qrexec_decode_exit_code(untrusted_bytes_of(code, 3)), 255);
	assert_int_equal(qrexec_decode_exit_code(untrusted_bytes_of(code, 4)), 42);
	assert_int_equal(qrexec_decode_exit_code(untrusted_bytes_of(code, 5)), 42);
	assert_int_equal(qrexec_decode_exit_code(untrusted_bytes_of(code, 8)), 42);
}

static void
a_request_to_the_fork_server_has_bounds(void **state)
{
	static const struct {
		uint32_t type, len;
		int result;
	} rows[] = {{QREXEC_EXEC_CMDLINE, 2, 0}, {QREXEC_JUST_EXEC, 65535, 0},
	    {QREXEC_EXEC_CMDLINE, 1, -EPROTO}, {QREXEC_EXEC_CMDLINE, 0, -EPROTO},
	    {QREXEC_EXEC_CMDLINE, 65536, -EPROTO}, {QREXEC_EXEC_CMDLINE, 0xffffffff, -EPROTO},
	    {QREXEC_SERVICE_CONNECT, 2, -EPROTO}};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct qrexec_wire_fork wire = {rows[i].type, 1, 513, rows[i].len};
		struct qrexec_fork request;

		assert_int_equal(
		    qrexec_decode_fork(untrusted_bytes_of(&wire, sizeof(wire)), &request),
		    rows[i].result);
	}
}

/* --- commands ------------------------------------------------------------------------------- */

static void
a_service_command_comes_apart(void **state)
{
	struct qrexec_command command;

	(void)state;
	assert_int_equal(
	    qrexec_command_parse("joe:nogui:QUBESRPC a.B+x+y work name dom0", true, &command), 0);
	assert_string_equal(command.user, "joe");
	assert_true(command.no_gui);
	assert_string_equal(command.text, "QUBESRPC a.B+x+y work name dom0");
	assert_string_equal(command.call, "a.B+x+y work name dom0");
	assert_string_equal(command.descriptor, "a.B+x+y");
	assert_string_equal(command.name, "a.B");
	assert_string_equal(command.argument, "x+y");
	assert_string_equal(command.source, "work");
	assert_string_equal(command.target_type, "name");
	assert_string_equal(command.target, "dom0");
	assert_true(command.is_complete);
	qrexec_command_clear(&command);
}

static void
an_argument_is_absent_without_a_plus_and_empty_behind_one(void **state)
{
	struct qrexec_command command;

	(void)state;
	assert_int_equal(qrexec_command_parse("QUBESRPC a dom0", false, &command), 0);
	assert_null(command.argument);
	assert_null(command.user);
	qrexec_command_clear(&command);
	assert_int_equal(qrexec_command_parse("QUBESRPC a+ dom0", false, &command), 0);
	assert_string_equal(command.argument, "");
	assert_string_equal(command.descriptor, "a+");
	qrexec_command_clear(&command);
}

static void
a_shell_command_is_kept_as_it_is(void **state)
{
	struct qrexec_command command;

	(void)state;
	assert_int_equal(qrexec_command_parse("user:echo a:b QUBESRPC", true, &command), 0);
	assert_string_equal(command.user, "user");
	assert_string_equal(command.text, "echo a:b QUBESRPC");
	assert_null(command.descriptor);
	qrexec_command_clear(&command);
}

static void
qrx_08_malformed_commands_are_refused(void **state)
{
	static const struct {
		const char *text;
		bool with_user;
		int result;
	} rows[] = {
	    {"no user here", true, -EINVAL},
	    {":QUBESRPC a dom0", true, -EINVAL},
	    {"u:QUBESRPC", true, -EINVAL},
	    {"u:QUBESRPCa dom0", true, -EINVAL},
	    {"u:QUBESRPC a", true, -EINVAL},
	    {"u:QUBESRPC  dom0", true, -EINVAL},
	    {"u:QUBESRPC a  dom0", true, -EINVAL},
	    {"u:QUBESRPC +a dom0", true, -EINVAL},
	    {"u:QUBESRPC a ", true, -EINVAL},
	    {"u:", true, 0},
	    {"QUBESRPC", false, -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct qrexec_command command = {0};

		assert_int_equal(qrexec_command_parse(rows[i].text, rows[i].with_user, &command),
		    rows[i].result);
		qrexec_command_clear(&command);
	}
}

static void
a_command_of_three_or_five_words_is_incomplete(void **state)
{
	static const char *const texts[] = {
	    "QUBESRPC a dom0 name", "QUBESRPC a dom0 name x y", "QUBESRPC a dom0 "};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		struct qrexec_command command;

		assert_int_equal(qrexec_command_parse(texts[i], false, &command), 0);
		assert_false(command.is_complete);
		qrexec_command_clear(&command);
	}
}

static void
qrx_09_a_name_of_256_bytes_cannot_exist(void **state)
{
	g_autofree char *longest = g_strnfill(255, 'n');
	g_autofree char *fits = g_strdup_printf("QUBESRPC %s+x dom0", longest);
	g_autofree char *longer = g_strdup_printf("QUBESRPC %sn+x dom0", longest);
	struct qrexec_command command;

	(void)state;
	assert_int_equal(qrexec_command_parse(fits, false, &command), 0);
	qrexec_command_clear(&command);
	assert_int_equal(qrexec_command_parse(longer, false, &command), -ENOENT);
}

/* --- the policy's answer -------------------------------------------------------------------- */

#define ALLOW "user=DEFAULT\nresult=allow\ntarget=work\nautostart=True\nrequested_target=@default"

static int
verdict_result(const char *text)
{
	struct qrexec_verdict verdict = {0};
	int r = qrexec_decode_verdict(untrusted_bytes_of(text, strlen(text)), &verdict);

	qrexec_verdict_clear(&verdict);
	return r;
}

static void
an_allowing_answer_is_taken_apart(void **state)
{
	static const char text[] =
	    ALLOW "\ntarget_uuid=uuid:1\nservice=a+b\npolicy_source=r\nx=y\n";
	struct qrexec_verdict verdict;

	(void)state;
	assert_int_equal(
	    qrexec_decode_verdict(untrusted_bytes_of(text, strlen(text)), &verdict), 0);
	assert_true(verdict.allow);
	assert_true(verdict.autostart);
	assert_string_equal(verdict.user, "DEFAULT");
	assert_string_equal(verdict.target, "work");
	assert_string_equal(verdict.target_uuid, "uuid:1");
	assert_string_equal(verdict.requested_target, "@default");
	assert_string_equal(verdict.service, "a+b");
	assert_string_equal(verdict.source, "r");
	qrexec_verdict_clear(&verdict);
}

static void
an_answer_that_is_not_exactly_one_answer_is_none(void **state)
{
	static const char *const bad[] = {
	    "",
	    "\n",
	    "result",
	    "=allow",
	    "result=",
	    "result=Allow",
	    "result=allow",
	    "result=deny\nresult=deny",
	    "result=deny\nuser=x",
	    "result=deny\ntarget=x",
	    "result=deny\nautostart=True",
	    "result=deny\n\n",
	    ALLOW "\nresult=allow",
	    ALLOW "\nresult=deny",
	    ALLOW "\nuser=x",
	    ALLOW "\ntarget_uuid=",
	    "user=\nresult=allow\ntarget=work\nautostart=True\nrequested_target=x",
	    "user=u\nresult=allow\ntarget=work\nautostart=true\nrequested_target=x",
	    "user=u\nresult=allow\ntarget=work\nautostart=True",
	    "user=u\nresult=allow\nautostart=True\nrequested_target=x",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(verdict_result(bad[i]), -EPROTO);
	assert_int_equal(verdict_result(ALLOW), 0);
	assert_int_equal(verdict_result(ALLOW "\n"), 0);
	assert_int_equal(verdict_result("result=deny"), 0);
	assert_int_equal(verdict_result("other=1\nresult=deny\n"), 0);
}

static void
an_answer_with_a_nul_is_none(void **state)
{
	static const char text[] = "result=deny\n\0";
	struct qrexec_verdict verdict;

	(void)state;
	assert_int_equal(
	    qrexec_decode_verdict(untrusted_bytes_of(text, sizeof(text)), &verdict), -EPROTO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(qrx_01_the_version_in_use_is_the_smaller_and_old_ones_are_refused),
	    cmocka_unit_test(qrx_02_each_type_has_exact_length_bounds),
	    cmocka_unit_test(qrx_03_service_names_that_are_none_are_refused_with_their_ident),
	    cmocka_unit_test(qrx_03_version_2_names_obey_the_same_rules),
	    cmocka_unit_test(qrx_03_a_descriptor_of_65000_bytes_passes),
	    cmocka_unit_test(qrx_04_idents_are_clean_text_with_zeros_behind),
	    cmocka_unit_test(qrx_04_a_target_without_an_end_is_refused),
	    cmocka_unit_test(qrx_06_an_agent_may_send_only_its_own_messages),
	    cmocka_unit_test(qrx_08_what_a_shell_would_expand_becomes_underscores),
	    cmocka_unit_test(qrx_08_malformed_commands_are_refused),
	    cmocka_unit_test(qrx_09_a_name_of_256_bytes_cannot_exist),
	    cmocka_unit_test(qrx_11_a_terminated_port_must_be_a_data_port),
	    cmocka_unit_test(qrx_12_an_exit_code_of_a_wrong_length_is_still_one),
	    cmocka_unit_test(qrx_22_the_escape_filter_keeps_exactly_its_set),
	    cmocka_unit_test(a_data_chunk_may_have_4096_bytes_in_version_2_and_65536_later),
	    cmocka_unit_test(a_message_that_comes_byte_by_byte_is_whole_in_the_end),
	    cmocka_unit_test(a_trigger_of_each_version_says_the_same),
	    cmocka_unit_test(every_byte_is_kept_or_replaced_by_the_rule),
	    cmocka_unit_test(a_command_ends_with_its_only_nul),
	    cmocka_unit_test(a_request_to_the_fork_server_has_bounds),
	    cmocka_unit_test(a_service_command_comes_apart),
	    cmocka_unit_test(an_argument_is_absent_without_a_plus_and_empty_behind_one),
	    cmocka_unit_test(a_shell_command_is_kept_as_it_is),
	    cmocka_unit_test(a_command_of_three_or_five_words_is_incomplete),
	    cmocka_unit_test(an_allowing_answer_is_taken_apart),
	    cmocka_unit_test(an_answer_that_is_not_exactly_one_answer_is_none),
	    cmocka_unit_test(an_answer_with_a_nul_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
