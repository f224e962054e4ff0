/*
 * call - what somebody wants to be run here: the command string taken apart, together with the
 * configuration of the service.
 */
#ifndef QREXEC_CALL_H
#define QREXEC_CALL_H

#include "qrexec/service_config.h"
#include "shared/qrexec_decode.h"
#include "shared/qrexec_text_decode.h"

struct call {
	struct qrexec_command command;
	struct service_config config;
	int fail_code; /* 0; or what the call ends with, and then there is nothing else here */
};

/* Takes the command apart and loads its configuration; logs what is wrong with either. */
void call_init(struct call *call, const char *text, bool with_user);
void call_clear(struct call *call);

#endif
