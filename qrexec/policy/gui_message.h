/*
 * gui_message - the JSON that policy.Ask and policy.Notify get.
 *
 * Shape:  the keys that every agent knows, and some more for ours, which others ignore: "colors",
 *         "requested_target" and "relay" when asking, "count" and "message" when notifying.
 *         ASCII only. Texts are new, to be freed with g_free().
 * Source: docs/policy.md, "Asking", "Notifying".
 */
#ifndef QREXEC_POLICY_GUI_MESSAGE_H
#define QREXEC_POLICY_GUI_MESSAGE_H

#include "qrexec/policy/call_decode.h"
#include "qrexec/policy/eval.h"

char *gui_message_ask(
    const struct system_info *info, const struct call *call, const struct policy_decision *asked);

struct gui_notice {
	const char *resolution; /* "allow", "deny" or "fail" */
	const char *service;
	const char *argument; /* with its "+" */
	const char *source;
	const char *target;
	unsigned count;      /* how many calls this stands for; 0 or 1: just the one */
	const char *message; /* what failed; NULL for nothing to say */
};

char *gui_message_notify(const struct gui_notice *notice);

#endif
