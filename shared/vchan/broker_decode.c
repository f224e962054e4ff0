#include "shared/vchan/broker_decode.h"

#include <errno.h>
#include <string.h>

#define PORT_MAX 0x7fffffffu

/* Which fields a request of a type may fill. */
#define FIELD_DOMAIN 1u
#define FIELD_PORT 2u
#define FIELD_GUI_DOMAIN 4u
#define FIELD_ADD 8u
#define FIELD_MACHINE 16u

/* clang-format off */
static const unsigned request_fields[] = {
	[BROKER_LISTEN]     = FIELD_DOMAIN | FIELD_PORT,
	[BROKER_CONNECT]    = FIELD_DOMAIN | FIELD_PORT,
	[BROKER_REGION]     = FIELD_DOMAIN,
	[BROKER_OWN_REGION] = 0,
};

static const unsigned control_fields[] = {
	[BROKER_CONTROL_ADD]            = FIELD_DOMAIN | FIELD_ADD,
	[BROKER_CONTROL_REMOVE]         = FIELD_DOMAIN,
	[BROKER_CONTROL_SET_GUI_DOMAIN] = FIELD_DOMAIN | FIELD_GUI_DOMAIN,
	[BROKER_CONTROL_LIST]           = 0,
	[BROKER_CONTROL_ADD_MACHINE]    = FIELD_DOMAIN | FIELD_MACHINE,
};
/* clang-format on */

/* Takes a field that must be zero unless the type has it. */
static bool
field(uint32_t untrusted_value, bool is_there, uint32_t max, uint32_t *ret)
{
	struct untrusted_u32 untrusted = {untrusted_value};

	return untrusted_u32_between(untrusted, 0, is_there ? max : 0, ret);
}

int
broker_decode_request(struct untrusted_bytes untrusted_message, struct broker_request *ret)
{
	struct broker_wire_request wire;
	struct broker_request request;
	unsigned fields;
	uint32_t type;

	if (untrusted_message.len != sizeof(wire))
		return -EPROTO;
	memcpy(&wire, untrusted_message.raw, sizeof(wire)); /* copied once, then checked */
	if (wire.version != BROKER_VERSION)
		return -EPROTONOSUPPORT;
	if (!untrusted_u32_between(
		(struct untrusted_u32){wire.type}, BROKER_LISTEN, BROKER_OWN_REGION, &type))
		return -EPROTO;

	fields = request_fields[type];
	request.type = (enum broker_request_type)type;
	if (!field(wire.domain, fields & FIELD_DOMAIN, UINT32_MAX, &request.domain) ||
	    !field(wire.port, fields & FIELD_PORT, PORT_MAX, &request.port))
		return -EPROTO;
	*ret = request;
	return 0;
}

/* Takes a text of len bytes from the front of the rest. */
static bool
decode_text(struct untrusted_bytes *untrusted_rest, size_t len, char *ret)
{
	const uint8_t *text = untrusted_rest->raw;

	if (len > untrusted_rest->len || (len > 0 && memchr(text, '\0', len) != NULL))
		return false;
	if (len > 0)
		memcpy(ret, text, len);
	*untrusted_rest = untrusted_bytes_of(text + len, untrusted_rest->len - len);
	return true;
}

/* In ADD: the path, to the end of the message. */
static bool
decode_path(struct untrusted_bytes *untrusted_rest, struct broker_control_request *request)
{
	return untrusted_rest->len <= UNIX_SOCKET_PATH_MAX &&
	       decode_text(untrusted_rest, untrusted_rest->len, request->path) &&
	       request->path[0] == '/';
}

/* In ADD_MACHINE: two paths, the second may be missing, and the text of guest.conf. */
static bool
decode_machine(struct untrusted_bytes *untrusted_rest, struct broker_control_request *request)
{
	struct broker_wire_machine wire;

	if (untrusted_rest->len < sizeof(wire))
		return false;
	memcpy(&wire, untrusted_rest->raw, sizeof(wire));
	*untrusted_rest = untrusted_bytes_of(
	    untrusted_rest->raw + sizeof(wire), untrusted_rest->len - sizeof(wire));
	if (wire.port_len > UNIX_SOCKET_PATH_MAX || wire.region_len > BROKER_REGION_PATH_MAX ||
	    wire.conf_len > BROKER_CONF_MAX)
		return false;
	return decode_text(untrusted_rest, wire.port_len, request->path) &&
	       decode_text(untrusted_rest, wire.region_len, request->region_path) &&
	       decode_text(untrusted_rest, wire.conf_len, request->conf) &&
	       request->path[0] == '/' && (wire.region_len == 0 || request->region_path[0] == '/');
}

/* What stands behind the fixed part; nothing may be left over. */
static bool
decode_rest(
    struct untrusted_bytes untrusted_rest, unsigned fields, struct broker_control_request *request)
{
	if (fields & FIELD_ADD && !decode_path(&untrusted_rest, request))
		return false;
	if (fields & FIELD_MACHINE && !decode_machine(&untrusted_rest, request))
		return false;
	return untrusted_rest.len == 0;
}

int
broker_decode_control(struct untrusted_bytes untrusted_message, struct broker_control_request *ret)
{
	struct broker_control_request request = {0};
	struct broker_wire_control wire;
	struct untrusted_bytes untrusted_rest;
	unsigned fields;
	uint32_t type;
	bool adds;

	if (untrusted_message.len < sizeof(wire))
		return -EPROTO;
	memcpy(&wire, untrusted_message.raw, sizeof(wire));
	if (wire.version != BROKER_VERSION)
		return -EPROTONOSUPPORT;
	if (!untrusted_u32_between((struct untrusted_u32){wire.type}, BROKER_CONTROL_ADD,
		BROKER_CONTROL_ADD_MACHINE, &type))
		return -EPROTO;

	fields = control_fields[type];
	adds = fields & FIELD_ADD;
	untrusted_rest = untrusted_bytes_of(
	    untrusted_message.raw + sizeof(wire), untrusted_message.len - sizeof(wire));
	request.type = (enum broker_control_type)type;
	if (!field(wire.domain, fields & FIELD_DOMAIN, UINT32_MAX, &request.domain) ||
	    !field(wire.gui_domain, fields & FIELD_GUI_DOMAIN, UINT32_MAX, &request.gui_domain) ||
	    !field(wire.uid, adds, UINT32_MAX, &request.uid) ||
	    !field(wire.gid, adds, UINT32_MAX, &request.gid) || (wire.region_bytes != 0 && !adds) ||
	    !decode_rest(untrusted_rest, fields, &request))
		return -EPROTO;
	request.region_bytes = wire.region_bytes;
	*ret = request;
	return 0;
}
