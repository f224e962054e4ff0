/*
 * qrexec_decode - everything that another side says in the qrexec protocol, checked.
 *
 * Who talks: agents (hostile qubes) to the daemon, peers of a data vchan to each other, local
 * programs to the agent, clients on the trusted side to the daemon. What leaves here is bounded,
 * terminated and free of bytes that a shell, a terminal or a file name could misread.
 * Pure: no input or output, no logging, no globals. Memory grows only by a length that has passed
 * its rule.
 * Source: docs/qrexec.md.
 */
#ifndef SHARED_QREXEC_DECODE_H
#define SHARED_QREXEC_DECODE_H

#include "shared/qrexec_wire.h"
#include "shared/untrusted.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- whole messages out of a stream --------------------------------------------------------- */

/* Which types one side may send, and how many bytes their bodies may have. */
struct qrexec_rule {
	uint32_t type, min, max;
};
struct qrexec_rules {
	const struct qrexec_rule *rule;
	size_t count;
};

/* The tables; version is the negotiated one, 2..QREXEC_VERSION. */
struct qrexec_rules qrexec_rules_hello(void);                       /* first message anywhere */
struct qrexec_rules qrexec_rules_agent_to_daemon(uint32_t version); /* after HELLO */
struct qrexec_rules qrexec_rules_daemon_to_agent(void);             /* after HELLO */
struct qrexec_rules qrexec_rules_client_to_daemon(void);            /* after HELLO */
struct qrexec_rules qrexec_rules_daemon_to_client(void);            /* after HELLO */
struct qrexec_rules qrexec_rules_program_to_agent(void);            /* the agent's socket */
struct qrexec_rules qrexec_rules_data(uint32_t version);            /* after HELLO */

/* Largest body of a data message. */
size_t qrexec_chunk_max(uint32_t version);

struct qrexec_message {
	uint32_t type;                         /* one that the rules name */
	struct untrusted_bytes untrusted_body; /* length within its rule */
};

/*
 * Collects one message at a time. The caller reads from its stream to the place that
 * qrexec_reader_space() names and tells how much came; a message is never longer than its rule
 * allows, and the body's memory is not taken before its length is known to be allowed.
 */
struct qrexec_reader {
	struct qrexec_rules rules;
	uint8_t header[sizeof(struct qrexec_wire_header)];
	size_t header_have;
	uint32_t type;
	uint8_t *body; /* owned, kept from message to message */
	size_t body_size, body_len, body_have;
};

void qrexec_reader_init(struct qrexec_reader *reader, struct qrexec_rules rules);
void qrexec_reader_fini(struct qrexec_reader *reader);
/* Between two messages only. */
void qrexec_reader_set_rules(struct qrexec_reader *reader, struct qrexec_rules rules);
/* *ret_len > 0 unless a message is complete and was not taken by qrexec_reader_next(). */
void *qrexec_reader_space(struct qrexec_reader *reader, size_t *ret_len);
/*
 * 0: more bytes are needed. 1: *ret is a message, borrowed until qrexec_reader_next(). -EPROTO: a
 * type without a rule or a length outside it; the stream is unusable from there.
 */
int qrexec_reader_advance(struct qrexec_reader *reader, size_t n, struct qrexec_message *ret);
void qrexec_reader_next(struct qrexec_reader *reader);
/* True when some bytes of a message are here and others are not. */
bool qrexec_reader_is_inside(const struct qrexec_reader *reader);

/* --- bodies --------------------------------------------------------------------------------- */
/* Each returns 0, or -EPROTO with *ret untouched, unless said otherwise. */

/*
 * The version to use: the smaller of the peer's and own. -EPROTO for a body that is not 4 bytes,
 * -EPROTONOSUPPORT when the peer's is below oldest.
 */
int qrexec_decode_hello(
    struct untrusted_bytes untrusted_body, uint32_t own, uint32_t oldest, uint32_t *ret);

struct qrexec_exec {
	uint32_t domain, port;
	const char *command; /* borrowed from the body; no NUL inside, may be empty */
};
int qrexec_decode_exec(struct untrusted_bytes untrusted_body, struct qrexec_exec *ret);

/* Chosen by one side, opaque to the other, echoed byte for byte. */
struct qrexec_ident {
	char bytes[QREXEC_IDENT_BYTES];
};
bool qrexec_ident_is_valid(const struct qrexec_ident *ident);
bool qrexec_ident_equal(const struct qrexec_ident *a, const struct qrexec_ident *b);

struct qrexec_connect {
	uint32_t domain, port;
	struct qrexec_ident ident; /* any bytes */
};
int qrexec_decode_service_connect(
    struct untrusted_bytes untrusted_body, struct qrexec_connect *ret);
int qrexec_decode_service_refused(struct untrusted_bytes untrusted_body, struct qrexec_ident *ret);

/* The daemon's answer to a client, and the agent's to client-vm: 8 bytes. */
struct qrexec_place {
	uint32_t domain, port;
};
int qrexec_decode_place(struct untrusted_bytes untrusted_body, struct qrexec_place *ret);

/* -ERANGE when the port is none of the data ports. */
int qrexec_decode_terminated(struct untrusted_bytes untrusted_body, struct qrexec_place *ret);

/*
 * A request for a service, from an agent. The strings are owned, sanitised and not longer than
 * their fields; source is NULL when the message type has none or it was empty.
 */
struct qrexec_trigger {
	struct qrexec_ident ident; /* as received */
	char *source, *target;     /* [A-Za-z0-9_.@:-]* */
	char *descriptor;          /* [A-Za-z0-9_.-][A-Za-z0-9_.+-]* */
};
/*
 * type is one of the three triggers, the body's length within its rule. 0, or -EINVAL for a call
 * that must be refused: ret->ident is what to answer with then, and there is nothing else in it.
 */
int qrexec_decode_trigger(
    uint32_t type, struct untrusted_bytes untrusted_body, struct qrexec_trigger *ret);
void qrexec_trigger_clear(struct qrexec_trigger *trigger);

/* What a local program asks of the agent, to be passed on. Borrowed from the body. */
struct qrexec_request {
	struct untrusted_bytes untrusted_source, untrusted_target; /* whole fields */
	struct untrusted_bytes untrusted_descriptor;               /* as long as it came */
	bool has_source;
	/* Bytes before the NUL, for choosing a message that can hold them; SIZE_MAX without one. */
	size_t target_len, descriptor_len;
};
int qrexec_decode_request(struct untrusted_bytes untrusted_body, struct qrexec_request *ret);
/* Copies a field, cut or filled up with zeros to size bytes. */
void qrexec_request_copy(struct untrusted_bytes untrusted_field, void *to, size_t size);

/* An exit code as it arrived: less than 4 bytes are 255, more than 4 are cut. */
int qrexec_decode_exit_code(struct untrusted_bytes untrusted_body);

/* A request to the fork server; header first, then its command. */
struct qrexec_fork {
	uint32_t type; /* QREXEC_EXEC_CMDLINE or QREXEC_JUST_EXEC */
	uint32_t domain, port;
	size_t command_len; /* bytes that follow, with the NUL: 2..QREXEC_COMMAND_BODY_MAX */
};
int qrexec_decode_fork(struct untrusted_bytes untrusted_header, struct qrexec_fork *ret);
/* The command behind it; borrowed. */
int qrexec_decode_fork_command(struct untrusted_bytes untrusted_command, const char **ret);

/* The payload of a data message, borrowed: passed on as it is, never looked at. */
const uint8_t *qrexec_data(struct untrusted_bytes untrusted_body);

#endif
