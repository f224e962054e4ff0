/*
 * client_end - the client end of a call, at the streams of this program or of a local program that
 * it starts.
 *
 * The exit code is the remote one; when that is 0 and there is a local program, the local one.
 */
#ifndef QREXEC_CLIENT_END_H
#define QREXEC_CLIENT_END_H

#include "qrexec/process.h"
#include "shared/vchan/vchan.h"

#include <stdbool.h>

struct client_end_spec {
	unsigned timeout_ms; /* for the service end to come and shake hands; 0: no limit */
	bool filter_stdout, filter_stderr;
	bool use_stdin_socket; /* descriptor 0 serves both ways */
	bool no_streams;       /* only the exit code is of interest */
	const char *prefix;    /* borrowed for the call; NULL: none */
	/*
	 * Connected to the call instead of our own streams; NULL: none. in_fd, out_fd, extra are
	 * ours to fill; path, argv and environment are borrowed for the call. It finds our own
	 * descriptors 0 and 1 as SAVED_FD_0 and SAVED_FD_1, 2 as SAVED_FD_2 if PASS_LOCAL_STDERR is set.
	 */
	const struct process_spec *program;
};

struct client_end;

/* Once, from the loop. error as in relay.h: 0, or why the call did not take place. */
typedef void (*client_end_done)(int exit_code, int error, void *data);

/* Takes the vchan over. */
struct client_end *client_end_new(
    struct vchan *vchan, const struct client_end_spec *spec, client_end_done done, void *data);
void client_end_free(struct client_end *end); /* NULL is fine */

/* True when fd is a stream socket: what use_stdin_socket asks for. */
bool client_end_is_stream_socket(int fd);

#endif
