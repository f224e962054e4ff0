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
	    decode_control((struct broker_wire_control){.version = 1, .type = 5}, "", 0, &control),
	    -EPROTO);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
