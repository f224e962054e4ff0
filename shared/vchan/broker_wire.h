/*
 * broker_wire - what crosses the sockets of vchan-broker, little endian.
 *
 * One SOCK_SEQPACKET message is one request or one reply. Requests from outside the trusted side
 * are read by broker_decode.c only, by memcpy into these structs; programs write them directly.
 * Source: docs/vchan.md, "The broker".
 */
#ifndef SHARED_VCHAN_BROKER_WIRE_H
#define SHARED_VCHAN_BROKER_WIRE_H

#include <assert.h>
#include <stdint.h>

#define BROKER_VERSION 1

/* A domain's socket: one request a connection, answered by one reply. */
enum broker_request_type {
	BROKER_LISTEN = 1,     /* domain, port: the reply waits for the client */
	BROKER_CONNECT = 2,    /* domain, port: the reply waits for the server */
	BROKER_REGION = 3,     /* domain: its region, read-only */
	BROKER_OWN_REGION = 4, /* the caller's own region, writable */
};

struct broker_wire_request {
	uint32_t version;
	uint32_t type;
	uint32_t domain; /* the peer; 0 where there is none */
	uint32_t port;   /* 0 where there is none */
};
static_assert(sizeof(struct broker_wire_request) == 16, "wire layout");

struct broker_wire_reply {
	int32_t status; /* 0 and one descriptor, or a negative errno and none */
};
static_assert(sizeof(struct broker_wire_reply) == 4, "wire layout");

/* The control socket: any number of requests a connection, each with one reply. */
enum broker_control_type {
	BROKER_CONTROL_ADD = 1,
	BROKER_CONTROL_REMOVE = 2,
	BROKER_CONTROL_SET_GUI_DOMAIN = 3,
	BROKER_CONTROL_LIST = 4,
	BROKER_CONTROL_ADD_MACHINE = 5,
};

/*
 * Then, in ADD, 1 to UNIX_SOCKET_PATH_MAX bytes of path without a NUL; in ADD_MACHINE the lengths
 * below and the three texts, without a NUL, one behind the other.
 */
struct broker_wire_control {
	uint32_t version;
	uint32_t type;
	uint32_t domain;
	uint32_t gui_domain;   /* SET_GUI_DOMAIN */
	uint32_t uid, gid;     /* ADD */
	uint64_t region_bytes; /* ADD */
};
static_assert(sizeof(struct broker_wire_control) == 32, "wire layout");

struct broker_wire_machine {
	uint32_t port_len;   /* 1..UNIX_SOCKET_PATH_MAX, an absolute path */
	uint32_t region_len; /* 0..BROKER_REGION_PATH_MAX, an absolute path or nothing */
	uint32_t conf_len;   /* 0..BROKER_CONF_MAX */
};
static_assert(sizeof(struct broker_wire_machine) == 12, "wire layout");

#define BROKER_REGION_PATH_MAX 255
#define BROKER_CONF_MAX 3840 /* less than a session's: the broker adds to it */

/* Then, in the reply to LIST, count domain numbers of 4 bytes, ascending. */
struct broker_wire_control_reply {
	int32_t status; /* 0 or a negative errno */
	uint32_t count;
};
static_assert(sizeof(struct broker_wire_control_reply) == 8, "wire layout");

#define BROKER_MAX_DOMAINS 4096

#endif
