/*
 * broker_decode - requests to vchan-broker, taken apart.
 *
 * Trust:  a domain may send anything on its socket. What is returned here has the form that
 *         broker_wire.h gives it: known type, nothing left over, zero where a type has no such
 *         field. Whether a domain exists or has a right is the broker's business.
 * Source: docs/vchan.md, "The broker".
 */
#ifndef SHARED_VCHAN_BROKER_DECODE_H
#define SHARED_VCHAN_BROKER_DECODE_H

#include "shared/unix_socket.h"
#include "shared/untrusted.h"
#include "shared/vchan/broker_wire.h"

struct broker_request {
	enum broker_request_type type;
	uint32_t domain; /* 0 in OWN_REGION */
	uint32_t port;   /* 0..2^31-1; 0 in REGION and OWN_REGION */
};

struct broker_control_request {
	enum broker_control_type type;
	uint32_t domain;     /* 0 in LIST */
	uint32_t gui_domain; /* 0 but in SET_GUI_DOMAIN */
	uint32_t uid, gid;   /* 0 but in ADD, as the next */
	uint64_t region_bytes;
	/* Texts have no NUL inside; those that a type has not are "". */
	char path[UNIX_SOCKET_PATH_MAX + 1]; /* absolute; ADD: the socket, ADD_MACHINE: the port */
	char region_path[BROKER_REGION_PATH_MAX + 1]; /* ADD_MACHINE: absolute, or "" */
	char conf[BROKER_CONF_MAX + 1];               /* ADD_MACHINE */
};

#define BROKER_CONTROL_MAX_BYTES                                                                   \
	(sizeof(struct broker_wire_control) + sizeof(struct broker_wire_machine) +                 \
	    UNIX_SOCKET_PATH_MAX + BROKER_REGION_PATH_MAX + BROKER_CONF_MAX)

/*
 * Pure. Return 0; -EPROTONOSUPPORT for a message of another version, -EPROTO for any other that has
 * not the form; *ret is untouched then.
 */
int broker_decode_request(struct untrusted_bytes untrusted_message, struct broker_request *ret);
int broker_decode_control(
    struct untrusted_bytes untrusted_message, struct broker_control_request *ret);

#endif
