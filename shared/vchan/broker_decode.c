#include "shared/vchan/broker_decode.h"

#include <errno.h>
#include <string.h>

#define PORT_MAX 0x7fffffffu

/* Which fields a request of a type may fill. */
#define FIELD_DOMAIN 1u
#define FIELD_PORT 2u
#define FIELD_GUI_DOMAIN 4u
#define FIELD_ADD 8u

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

/* An absolute path to the end of the message in ADD, nothing in the others. */
static bool
decode_path(struct untrusted_bytes untrusted_path, bool is_there, char *ret)
{
	if (!is_there)
		return untrusted_path.len == 0;
	if (untrusted_path.len == 0 || untrusted_path.len > UNIX_SOCKET_PATH_MAX ||
	    untrusted_path.raw[0] != '/' ||
	    memchr(untrusted_path.raw, '\0', untrusted_path.len) != NULL)
		return false;
	memcpy(ret, untrusted_path.raw, untrusted_path.len);
	return true;
}

int
broker_decode_control(struct untrusted_bytes untrusted_message, struct broker_control_request *ret)
{
	struct broker_control_request request = {0};
	struct broker_wire_control wire;
	struct untrusted_bytes untrusted_path;
	unsigned fields;
	uint32_t type;
	bool adds;

	if (untrusted_message.len < sizeof(wire))
		return -EPROTO;
	memcpy(&wire, untrusted_message.raw, sizeof(wire));
	if (wire.version != BROKER_VERSION)
		return -EPROTONOSUPPORT;
	if (!untrusted_u32_between(
		(struct untrusted_u32){wire.type}, BROKER_CONTROL_ADD, BROKER_CONTROL_LIST, &type))
		return -EPROTO;

	fields = control_fields[type];
	adds = fields & FIELD_ADD;
	untrusted_path = untrusted_bytes_of(
	    untrusted_message.raw + sizeof(wire), untrusted_message.len - sizeof(wire));
	request.type = (enum broker_control_type)type;
	if (!field(wire.domain, fields & FIELD_DOMAIN, UINT32_MAX, &request.domain) ||
	    !field(wire.gui_domain, fields & FIELD_GUI_DOMAIN, UINT32_MAX, &request.gui_domain) ||
	    !field(wire.uid, adds, UINT32_MAX, &request.uid) ||
	    !field(wire.gid, adds, UINT32_MAX, &request.gid) || (wire.region_bytes != 0 && !adds) ||
	    !decode_path(untrusted_path, adds, request.path))
		return -EPROTO;
	request.region_bytes = wire.region_bytes;
	*ret = request;
	return 0;
}
