#include "shared/vchan/broker_decode.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

static int
decode(struct broker_wire_request wire, struct broker_request *ret)
{
	return broker_decode_request(untrusted_bytes_of(&wire, sizeof(wire)), ret);
}

/* A control message with len bytes of path behind it. */
static int
decode_control(struct broker_wire_control wire, const char *path, size_t len,
    struct broker_control_request *ret)
{
	g_autofree uint8_t *message = g_malloc(sizeof(wire) + len);

	memcpy(message, &wire, sizeof(wire));
	memcpy(message + sizeof(wire), path, len);
	return broker_decode_control(untrusted_bytes_of(message, sizeof(wire) + len), ret);
}

static void
request_has_exactly_its_length(void **state)
{
	struct broker_wire_request wire[2] = {{BROKER_VERSION, BROKER_LISTEN, 7, 512}};
	struct broker_request request;

	(void)state;
	for (size_t len = 0; len <= sizeof(wire); len++)
		assert_int_equal(broker_decode_request(untrusted_bytes_of(wire, len), &request),
		    len == sizeof(wire[0]) ? 0 : -EPROTO);
	assert_int_equal(request.type, BROKER_LISTEN);
	assert_int_equal(request.domain, 7);
	assert_int_equal(request.port, 512);
}

static void
request_types_have_both_bounds(void **state)
{
	struct broker_request request;

	(void)state;
	assert_int_equal(decode((struct broker_wire_request){1, 0, 0, 0}, &request), -EPROTO);
	assert_int_equal(decode((struct broker_wire_request){1, 1, 0, 0}, &request), 0);
	assert_int_equal(decode((struct broker_wire_request){1, 4, 0, 0}, &request), 0);
	assert_int_equal(decode((struct broker_wire_request){1, 5, 0, 0}, &request), -EPROTO);
	assert_int_equal(
	    decode((struct broker_wire_request){1, UINT32_MAX, 0, 0}, &request), -EPROTO);
}

static void
other_versions_are_told_apart_from_garbage(void **state)
{
	struct broker_control_request control;
	struct broker_request request;

	(void)state;
	assert_int_equal(
	    decode((struct broker_wire_request){0, 1, 2, 3}, &request), -EPROTONOSUPPORT);
	assert_int_equal(
	    decode((struct broker_wire_request){2, 1, 2, 3}, &request), -EPROTONOSUPPORT);
	assert_int_equal(
	    decode_control((struct broker_wire_control){.version = 2, .type = 4}, "", 0, &control),
	    -EPROTONOSUPPORT);
}

static void
port_ends_at_two_to_the_31st_minus_one(void **state)
{
	struct broker_request request;

	(void)state;
	assert_int_equal(
	    decode((struct broker_wire_request){1, BROKER_CONNECT, 1, 0x7fffffff}, &request), 0);
	assert_int_equal(request.port, 0x7fffffff);
	assert_int_equal(
	    decode((struct broker_wire_request){1, BROKER_CONNECT, 1, 0x80000000}, &request),
	    -EPROTO);
	assert_int_equal(
	    decode((struct broker_wire_request){1, BROKER_CONNECT, UINT32_MAX, 0}, &request), 0);
	assert_int_equal(request.domain, UINT32_MAX);
}

static void
fields_that_a_type_has_not_must_be_zero(void **state)
{
	struct broker_control_request control;
	struct broker_request request;

	(void)state;
	assert_int_equal(
	    decode((struct broker_wire_request){1, BROKER_REGION, 1, 1}, &request), -EPROTO);
	assert_int_equal(
	    decode((struct broker_wire_request){1, BROKER_OWN_REGION, 1, 0}, &request), -EPROTO);
	assert_int_equal(
	    decode_control((struct broker_wire_control){1, 2, 5, 1, 0, 0, 0}, "", 0, &control),
	    -EPROTO);
	assert_int_equal(
	    decode_control((struct broker_wire_control){1, 2, 5, 0, 1, 0, 0}, "", 0, &control),
	    -EPROTO);
	assert_int_equal(
	    decode_control((struct broker_wire_control){1, 3, 5, 6, 0, 1, 0}, "", 0, &control),
	    -EPROTO);
	assert_int_equal(
	    decode_control((struct broker_wire_control){1, 3, 5, 6, 0, 0, 1}, "", 0, &control),
	    -EPROTO);
	assert_int_equal(
	    decode_control((struct broker_wire_control){1, 4, 1, 0, 0, 0, 0}, "", 0, &control),
	    -EPROTO);
	assert_int_equal(
	    decode_control((struct broker_wire_control){1, 4, 0, 0, 0, 0, 0}, "/", 1, &control),
	    -EPROTO);
}

static void
refused_message_leaves_the_result_alone(void **state)
{
	struct broker_control_request control, control_before;
	struct broker_request request, request_before;

	(void)state;
	memset(&request, 0xaa, sizeof(request));
	memset(&control, 0xaa, sizeof(control));
	request_before = request;
	control_before = control;
	assert_int_equal(
	    decode((struct broker_wire_request){1, BROKER_REGION, 7, 1}, &request), -EPROTO);
	assert_int_equal(
	    decode_control((struct broker_wire_control){1, 1, 7, 0, 1, 1, 0}, "x", 1, &control),
	    -EPROTO);
	assert_memory_equal(&request, &request_before, sizeof(request));
	assert_memory_equal(&control, &control_before, sizeof(control));
}

static void
path_is_absolute_without_nul_and_fits_an_address(void **state)
{
	const struct broker_wire_control add = {1, BROKER_CONTROL_ADD, 5, 0, 1000, 1001, 1 << 20};
	struct broker_control_request control;
	char path[UNIX_SOCKET_PATH_MAX + 1];

	(void)state;
	memset(path, 'p', sizeof(path));
	path[0] = '/';
	assert_int_equal(decode_control(add, path, 0, &control), -EPROTO);
	assert_int_equal(decode_control(add, path, 1, &control), 0);
	assert_string_equal(control.path, "/");
	assert_int_equal(decode_control(add, path, UNIX_SOCKET_PATH_MAX, &control), 0);
	assert_int_equal(strlen(control.path), UNIX_SOCKET_PATH_MAX);
	assert_int_equal(control.uid, 1000);
	assert_int_equal(control.gid, 1001);
	assert_int_equal(control.region_bytes, 1 << 20);
	assert_int_equal(decode_control(add, path, UNIX_SOCKET_PATH_MAX + 1, &control), -EPROTO);
	path[3] = '\0';
	assert_int_equal(decode_control(add, path, 4, &control), -EPROTO);
	assert_int_equal(decode_control(add, path, 3, &control), 0);
	path[0] = '.';
	assert_int_equal(decode_control(add, path, 3, &control), -EPROTO);
}

static void
control_message_ends_with_its_fixed_part_or_its_path(void **state)
{
	const struct broker_wire_control list = {.version = 1, .type = BROKER_CONTROL_LIST};
	struct broker_control_request control;

	(void)state;
	for (size_t len = 0; len < sizeof(list); len++)
		assert_int_equal(
		    broker_decode_control(untrusted_bytes_of(&list, len), &control), -EPROTO);
	assert_int_equal(decode_control(list, "", 0, &control), 0);
	assert_string_equal(control.path, "");
	assert_int_equal(
	    decode_control((struct broker_wire_control){.version = 1, .type = 0}, "", 0, &control),
	    -EPROTO);
	assert_int_equal(
	    decode_control((struct broker_wire_control){.version = 1, .type = 6}, "", 0, &control),
	    -EPROTO);
}

/* ADD_MACHINE with texts of these lengths, all of 'x', the paths absolute. */
static int
decode_machine(struct broker_wire_machine machine, size_t rest_len, uint32_t uid,
    struct broker_control_request *ret)
{
	const struct broker_wire_control add = {
	    .version = 1, .type = BROKER_CONTROL_ADD_MACHINE, .domain = 5, .uid = uid};
	g_autofree char *rest = g_malloc(sizeof(machine) + rest_len);
	size_t region_at = sizeof(machine) + machine.port_len;

	memset(rest, 'x', sizeof(machine) + rest_len);
	memcpy(rest, &machine, sizeof(machine));
	if (machine.port_len > 0 && rest_len > 0)
		rest[sizeof(machine)] = '/';
	if (machine.region_len > 0 && rest_len > machine.port_len)
		rest[region_at] = '/';
	return decode_control(add, rest, sizeof(machine) + rest_len, ret);
}

static void
texts_of_a_machine_have_both_bounds(void **state)
{
	struct broker_control_request control;
	const uint32_t port_max = UNIX_SOCKET_PATH_MAX, region_max = BROKER_REGION_PATH_MAX;
	const uint32_t conf_max = BROKER_CONF_MAX;
	size_t all = (size_t)port_max + region_max + conf_max;

	(void)state;
	assert_int_equal(
	    decode_machine(
		(struct broker_wire_machine){port_max, region_max, conf_max}, all, 0, &control),
	    0);
	assert_int_equal(control.domain, 5);
	assert_int_equal(strlen(control.path), port_max);
	assert_int_equal(strlen(control.region_path), region_max);
	assert_int_equal(strlen(control.conf), conf_max);
	assert_int_equal(decode_machine((struct broker_wire_machine){1, 0, 0}, 1, 0, &control), 0);
	assert_string_equal(control.path, "/");
	assert_string_equal(control.region_path, "");
	assert_string_equal(control.conf, "");

	assert_int_equal(
	    decode_machine((struct broker_wire_machine){0, 1, 1}, 2, 0, &control), -EPROTO);
	assert_int_equal(decode_machine((struct broker_wire_machine){port_max + 1, 0, 0},
			     port_max + 1, 0, &control),
	    -EPROTO);
	assert_int_equal(decode_machine((struct broker_wire_machine){1, region_max + 1, 0},
			     region_max + 2, 0, &control),
	    -EPROTO);
	assert_int_equal(decode_machine((struct broker_wire_machine){1, 0, conf_max + 1},
			     conf_max + 2, 0, &control),
	    -EPROTO);
}

static void
machine_message_ends_with_its_last_text(void **state)
{
	const struct broker_wire_control add = {
	    .version = 1, .type = BROKER_CONTROL_ADD_MACHINE, .domain = 5};
	struct broker_wire_machine machine = {2, 2, 2};
	struct broker_control_request control;
	char rest[sizeof(machine) + 6];

	(void)state;
	for (size_t len = 0; len <= 8; len++)
		assert_int_equal(decode_machine(machine, len, 0, &control), len == 6 ? 0 : -EPROTO);
	for (size_t len = 0; len < sizeof(machine); len++)
		assert_int_equal(
		    decode_control(add, (const char *)&machine, len, &control), -EPROTO);
	assert_int_equal(decode_machine(machine, 6, 1, &control), -EPROTO); /* no such field */
	memcpy(rest, &machine, sizeof(machine));
	for (size_t i = 0; i < 6; i++) { /* a NUL in any text, a path that is not absolute */
		memcpy(rest + sizeof(machine), "/p/rcc", 6);
		assert_int_equal(decode_control(add, rest, sizeof(rest), &control), 0);
		rest[sizeof(machine) + i] = '\0';
		assert_int_equal(decode_control(add, rest, sizeof(rest), &control), -EPROTO);
	}
	memcpy(rest + sizeof(machine), "pp/rcc", 6);
	assert_int_equal(decode_control(add, rest, sizeof(rest), &control), -EPROTO);
	memcpy(rest + sizeof(machine), "/prrcc", 6);
	assert_int_equal(decode_control(add, rest, sizeof(rest), &control), -EPROTO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(request_has_exactly_its_length),
	    cmocka_unit_test(request_types_have_both_bounds),
	    cmocka_unit_test(other_versions_are_told_apart_from_garbage),
	    cmocka_unit_test(port_ends_at_two_to_the_31st_minus_one),
	    cmocka_unit_test(fields_that_a_type_has_not_must_be_zero),
	    cmocka_unit_test(refused_message_leaves_the_result_alone),
	    cmocka_unit_test(path_is_absolute_without_nul_and_fits_an_address),
	    cmocka_unit_test(control_message_ends_with_its_fixed_part_or_its_path),
	    cmocka_unit_test(texts_of_a_machine_have_both_bounds),
	    cmocka_unit_test(machine_message_ends_with_its_last_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
