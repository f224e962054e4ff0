/*
 * Requests to vchan-broker. The first byte chooses the socket: even a domain's, odd the control one.
 * What is accepted must have the form that broker_decode.h promises; what is refused must leave the
 * result alone.
 */
#include "shared/vchan/broker_decode.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_refusal(int r)
{
	return r == -EPROTO || r == -EPROTONOSUPPORT;
}

static void
try_request(const uint8_t *data, size_t size)
{
	struct broker_request request, before;
	int r;

	memset(&request, 0x5a, sizeof(request));
	before = request;
	r = broker_decode_request(untrusted_bytes_of(data, size), &request);
	if (r < 0) {
		assert(is_refusal(r) && memcmp(&request, &before, sizeof(request)) == 0);
		return;
	}
	assert(size == sizeof(struct broker_wire_request));
	assert(request.type >= BROKER_LISTEN && request.type <= BROKER_OWN_REGION);
	assert(request.port <= 0x7fffffff);
	assert(request.port == 0 || request.type <= BROKER_CONNECT);
	assert(request.domain == 0 || request.type != BROKER_OWN_REGION);
}

static void
try_control(const uint8_t *data, size_t size)
{
	struct broker_control_request request, before;
	bool adds, machine;
	size_t texts;
	int r;

	memset(&request, 0x5a, sizeof(request));
	before = request;
	r = broker_decode_control(untrusted_bytes_of(data, size), &request);
	if (r < 0) {
		assert(is_refusal(r) && memcmp(&request, &before, sizeof(request)) == 0);
		return;
	}
	adds = request.type == BROKER_CONTROL_ADD;
	machine = request.type == BROKER_CONTROL_ADD_MACHINE;
	assert(request.type >= BROKER_CONTROL_ADD && request.type <= BROKER_CONTROL_ADD_MACHINE);
	assert(request.domain == 0 || request.type != BROKER_CONTROL_LIST);
	assert(request.gui_domain == 0 || request.type == BROKER_CONTROL_SET_GUI_DOMAIN);
	assert(adds || (request.uid == 0 && request.gid == 0 && request.region_bytes == 0));
	texts = strnlen(request.path, sizeof(request.path)) +
		strnlen(request.region_path, sizeof(request.region_path)) +
		strnlen(request.conf, sizeof(request.conf));
	assert(size == sizeof(struct broker_wire_control) + texts +
			   (machine ? sizeof(struct broker_wire_machine) : 0));
	assert(adds || machine ? request.path[0] == '/' : request.path[0] == '\0');
	assert(request.region_path[0] == '\0' || (machine && request.region_path[0] == '/'));
	assert(request.conf[0] == '\0' || machine);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 2 == 0)
		try_request(data + 1, size - 1);
	else
		try_control(data + 1, size - 1);
	return 0;
}
