/*
 * gui_call - one call of a service in a GUI domain: some text there, a short answer back.
 *
 * Shape:  in dom0 the service is a unix socket in the folder of services (the agent's own socket
 *         when that is not there); elsewhere qrexec-client makes the call. Never blocks.
 * Limits: the answer has at most CALL_ANSWER_MAX bytes, comes within GUI_CALL_WAIT_MS, and is whole
 *         GUI_CALL_TAIL_MS after its first byte.
 * Freeing an unfinished call hangs up, which closes the prompt at the other end.
 * Source: docs/policy.md, "Asking".
 */
#ifndef QREXEC_POLICY_GUI_CALL_H
#define QREXEC_POLICY_GUI_CALL_H

#include "shared/untrusted.h"

#define GUI_CALL_WAIT_MS (30 * 60 * 1000)
#define GUI_CALL_TAIL_MS 5000

struct gui_call;

/*
 * Called once, never before gui_call_new() has returned. error is 0 or a negative errno; the
 * answer is borrowed, and empty after an error. The call is still to be freed, here or later.
 */
typedef void (*gui_call_done)(int error, struct untrusted_bytes untrusted_answer, void *data);

/* guivm: "dom0" or a qube's name. service and text are copied. Returns never NULL. */
struct gui_call *gui_call_new(
    const char *guivm, const char *service, const char *text, gui_call_done done, void *data);
void gui_call_free(struct gui_call *call); /* NULL is fine */

#endif
