/*
 * relay - the data stream of one call: a state machine between a data vchan and local descriptors.
 *
 * Who talks: the other end is another qube, and may be hostile. It chooses what the messages say
 * and when they come; it cannot make us hold more than one chunk each way, block, or end anything
 * but this call. What a client end sends as stderr or exit code is ignored: a service end has no
 * use for either, and both would end up in somebody's log.
 *
 *   connecting -> handshake -> ready -> streaming -> draining -> done
 *
 * The client end made the call: what it reads locally goes out as stdin. The service end answers
 * it: what it reads goes out as stdout and stderr, then the exit code. One object for both.
 *
 * Flow:   a local descriptor is read only when the last chunk has gone out; the vchan is read only
 *         when the last chunk has been taken locally.
 * Time:   connecting and handshake share one limit. After that a call may take for ever.
 * Source: docs/qrexec.md, "The data stream".
 */
#ifndef QREXEC_RELAY_H
#define QREXEC_RELAY_H

#include "shared/vchan/vchan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for a whole chunk with its header, so that one write moves it. */
#define RELAY_RING_BYTES (2 * 65536)

enum relay_end { RELAY_CLIENT_END, RELAY_SERVICE_END };

struct relay;

/* All come from the loop, never from inside a function of this header. */
struct relay_events {
	/* The handshake is done: relay_attach(), relay_finish() or relay_answer() is due. */
	void (*ready)(struct relay *relay, void *data);
	/*
	 * Once, last. error 0: the call came to its end with this exit code (255: the stream was
	 * cut before the code came). Otherwise a negative errno, see relay_strerror(), and code
	 * 125. The local descriptors are closed. The relay is to be freed, at once or later.
	 */
	void (*done)(struct relay *relay, int exit_code, int error, void *data);
	/* May be NULL. Service end: bytes of stderr on their way out. */
	void (*stderr_passed)(struct relay *relay, const void *bytes, size_t len, void *data);
	/*
	 * May be NULL. The local input ended, unless somebody has asked for one socket: answer with
	 * relay_end_input() or relay_use_one_socket(), at once or later.
	 */
	void (*input_ending)(struct relay *relay, void *data);
};

struct relay_local {
	int in_fd;  /* read and sent to the peer; -1: at its end */
	int out_fd; /* gets what the peer sends, may be the same socket as in_fd; -1: thrown away */
	int err_fd; /* service end: read and sent as stderr; client end: gets it; -1: none */
	/* out_fd is a socket made for the call, to a process that may ask for one socket. */
	bool out_is_pair;
	/* Service end: the code comes by relay_set_exit_code(), not from the ends of the streams.
	 */
	bool has_process;
	bool exit_on_client_eof, exit_on_service_eof; /* without a process only */
	bool filter_stdout, filter_stderr;            /* client end: replace escape characters */
	const char
	    *prefix; /* client end: sent before anything else; borrowed for the call; or NULL */
};

/* The vchan is taken over, in whatever state. timeout_ms 0: no limit. */
struct relay *relay_new(struct vchan *vchan, enum relay_end end, unsigned timeout_ms,
    const struct relay_events *events, void *data);
void relay_free(struct relay *relay); /* inside ready and done, too; NULL is fine */

/* Takes over the descriptors and starts the stream. */
void relay_attach(struct relay *relay, const struct relay_local *local);
/* Service end: ends a call that has no local side: both streams end, then the code. */
void relay_finish(struct relay *relay, int exit_code);
/* Service end: the code and nothing else. */
void relay_answer(struct relay *relay, int exit_code);

/* Service end with a process: it ended. What it wrote still goes first. */
void relay_set_exit_code(struct relay *relay, int exit_code);

/* From now on both directions use out_fd; what is left in in_fd goes first. Works once. */
void relay_use_one_socket(struct relay *relay);
void relay_end_input(struct relay *relay);

const char *relay_strerror(int error);

#endif
