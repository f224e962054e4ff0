/*
 * The qrexec decoders. The first byte chooses who talks and in which version, the second how the
 * rest is cut into reads; the rest is a stream of messages. What a decoder accepts must be what its
 * header promises.
 */
#include "shared/qrexec_decode.h"
#include "shared/qrexec_text_decode.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool promise)
{
	if (!promise)
		abort();
}

static void
check_alphabet(const char *text, const char *extra)
{
	for (const char *p = text; *p != '\0'; p++)
		check(
		    g_ascii_isalnum(*p) || strchr("_-.", *p) != NULL || strchr(extra, *p) != NULL);
}

static void
check_trigger(uint32_t type, struct untrusted_bytes untrusted_body)
{
	struct qrexec_trigger trigger;

	if (qrexec_decode_trigger(type, untrusted_body, &trigger) < 0) {
		check(trigger.descriptor == NULL && trigger.target == NULL);
		check(trigger.source == NULL);
		return;
	}
	check(qrexec_ident_is_valid(&trigger.ident));
	check(strlen(trigger.descriptor) >= 1 && trigger.descriptor[0] != '+');
	check(strlen(trigger.descriptor) < QREXEC_DESCRIPTOR_MAX);
	check_alphabet(trigger.descriptor, "+");
	check(strlen(trigger.target) < QREXEC_TARGET_BYTES);
	check_alphabet(trigger.target, "@:");
	if (trigger.source != NULL) {
		check(trigger.source[0] != '\0' && strlen(trigger.source) < QREXEC_TARGET_BYTES);
		check_alphabet(trigger.source, "@:");
	}
	qrexec_trigger_clear(&trigger);
}

static void
check_command(const char *text, bool with_user)
{
	struct qrexec_command command;

	if (qrexec_command_parse(text, with_user, &command) < 0)
		return;
	check((command.user != NULL) == with_user && command.text != NULL);
	if (command.descriptor != NULL) {
		check(strlen(command.name) >= 1 && strlen(command.name) <= 255);
		check(strchr(command.name, '+') == NULL && command.source[0] != '\0');
		check(g_str_has_prefix(command.descriptor, command.name));
	}
	qrexec_command_clear(&command);
}

static void
check_message(const struct qrexec_message *message)
{
	struct qrexec_exec exec;
	struct qrexec_connect connect;
	struct qrexec_place place;
	struct qrexec_ident ident;
	struct qrexec_request request;
	uint32_t version;
	char field[64];

	switch (message->type) {
	case QREXEC_HELLO:
		if (qrexec_decode_hello(message->untrusted_body, 4, 2, &version) == 0)
			check(version >= 2 && version <= 4);
		break;
	case QREXEC_TRIGGER_SERVICE4:
		if (qrexec_decode_request(message->untrusted_body, &request) == 0)
			qrexec_request_copy(request.untrusted_descriptor, field, sizeof(field));
		check_trigger(message->type, message->untrusted_body);
		break;
	case QREXEC_TRIGGER_SERVICE:
	case QREXEC_TRIGGER_SERVICE3:
		check_trigger(message->type, message->untrusted_body);
		break;
	case QREXEC_EXEC_CMDLINE:
	case QREXEC_JUST_EXEC:
		if (qrexec_decode_exec(message->untrusted_body, &exec) == 0) {
			check_command(exec.command, true);
			check_command(exec.command, false);
		}
		qrexec_decode_place(message->untrusted_body, &place);
		break;
	case QREXEC_SERVICE_CONNECT:
		if (qrexec_decode_service_connect(message->untrusted_body, &connect) == 0)
			qrexec_ident_is_valid(&connect.ident);
		break;
	case QREXEC_SERVICE_REFUSED:
		qrexec_decode_service_refused(message->untrusted_body, &ident);
		break;
	case QREXEC_CONNECTION_TERMINATED:
		if (qrexec_decode_terminated(message->untrusted_body, &place) == 0)
			check(place.port >= 513 && place.port <= 768);
		break;
	case QREXEC_DATA_EXIT_CODE:
		qrexec_decode_exit_code(message->untrusted_body);
		break;
	}
}

static struct qrexec_rules
choose_rules(uint8_t choice)
{
	switch (choice % 9) {
	case 0:
		return qrexec_rules_hello();
	case 1:
	case 2:
	case 3:
		return qrexec_rules_agent_to_daemon(choice % 9 + 1);
	case 4:
		return qrexec_rules_daemon_to_agent();
	case 5:
		return qrexec_rules_client_to_daemon();
	case 6:
		return qrexec_rules_program_to_agent();
	case 7:
		return qrexec_rules_data(2);
	default:
		return qrexec_rules_data(4);
	}
}

static const struct qrexec_rule *
rule_of(struct qrexec_rules rules, uint32_t type)
{
	for (size_t i = 0; i < rules.count; i++) {
		if (rules.rule[i].type == type)
			return &rules.rule[i];
	}
	return NULL;
}

static void
check_stream(struct qrexec_rules rules, size_t step, const uint8_t *data, size_t size)
{
	struct qrexec_reader reader;
	struct qrexec_message message;

	qrexec_reader_init(&reader, rules);
	while (size > 0) {
		size_t space;
		void *to = qrexec_reader_space(&reader, &space);
		size_t n = MIN(MIN(space, step), size);
		int r;

		check(space > 0);
		memcpy(to, data, n);
		data += n;
		size -= n;
		r = qrexec_reader_advance(&reader, n, &message);
		if (r < 0)
			break;
		if (r == 0)
			continue;
		check(rule_of(rules, message.type) != NULL);
		check(message.untrusted_body.len >= rule_of(rules, message.type)->min);
		check(message.untrusted_body.len <= rule_of(rules, message.type)->max);
		check_message(&message);
		qrexec_reader_next(&reader);
	}
	qrexec_reader_fini(&reader);
}

static void
check_texts(const uint8_t *data, size_t size)
{
	struct qrexec_verdict verdict;
	struct qrexec_fork request;
	g_autofree char *text = g_strndup((const char *)data, size);
	const char *command;

	check_command(text, true);
	if (qrexec_decode_verdict(untrusted_bytes_of(data, size), &verdict) == 0) {
		check(!verdict.allow || (verdict.user != NULL && verdict.target != NULL &&
					    verdict.requested_target != NULL));
		check(verdict.allow || (verdict.user == NULL && verdict.target == NULL));
		qrexec_verdict_clear(&verdict);
	}
	if (qrexec_decode_fork(untrusted_bytes_of(data, MIN(size, 16)), &request) == 0)
		check(request.command_len >= 2 && request.command_len <= 65535);
	if (qrexec_decode_fork_command(untrusted_bytes_of(data, size), &command) == 0)
		check(strlen(command) == size - 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] == 255)
		check_texts(data + 2, size - 2);
	else
		check_stream(choose_rules(data[0]), (size_t)data[1] + 1, data + 2, size - 2);
	return 0;
}
