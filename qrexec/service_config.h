/*
 * service_config - the settings of one service, from the file of its name in rpc-config.
 *
 * Shape:  "key = value" lines, a subset of TOML. Anything that is not exactly that is an error, and
 *         an error makes the call fail: a typing mistake must not widen what a service may do.
 * Source: docs/qrexec.md, "Service configuration".
 */
#ifndef QREXEC_SERVICE_CONFIG_H
#define QREXEC_SERVICE_CONFIG_H

#include "shared/qrexec_decode.h"
#include "shared/qrexec_text_decode.h"

#include <stdbool.h>
#include <stddef.h>

#define SERVICE_CONFIG_MAX 4096 /* bytes of a file */

struct service_config {
	bool wait_for_session;
	char *force_user; /* owned; NULL: the policy's user */
	/* Socket and TCP services only. */
	bool skip_service_descriptor, exit_on_client_eof, exit_on_service_eof;
};

/*
 * Pure. 0, or -EINVAL with *ret_line the number of the first bad line (0: the whole); *ret is
 * untouched then. Unknown keys are counted in *ret_unknown and ignored.
 */
int service_config_parse(const char *text, size_t len, struct service_config *ret,
    unsigned *ret_line, unsigned *ret_unknown);
void service_config_clear(struct service_config *config);

/* Looks the service's file up and reads it; logs what is wrong with it. 0 with defaults when there
 * is none; a negative errno otherwise. */
int service_config_load(const struct qrexec_command *command, struct service_config *ret);

/* True when the service must run beside its socket, not in the user's session. */
bool service_config_is_for_sockets(const struct service_config *config);

#endif
