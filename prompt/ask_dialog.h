/*
 * ask_dialog - the window that asks whether a call may go, and where to.
 *
 * Everything it shows has been checked by request_decode.c and is put into widgets as text; markup
 * is made from escaped text only. When it may be answered is decided by arming.c.
 *
 *   Enter in the entry, OK   allow, when the text is exactly one of the targets
 *   Escape, Cancel           deny
 *   close by the window manager   deny, also while not armed
 *
 * Enter and Escape act when they are released, so that no key is still down when another window
 * gets the focus. Events that another program sent, and actions of assistive tools that come
 * without a key or a button, are ignored.
 * Without a window manager the dialog takes the focus itself, when it appears and when it is
 * clicked.
 */
#ifndef PROMPT_ASK_DIALOG_H
#define PROMPT_ASK_DIALOG_H

#include "prompt/request_decode.h"

struct ask_dialog;

/* target: the name of the chosen one, borrowed; NULL: denied. Called once. */
typedef void (*ask_dialog_done)(const char *target, void *data);

/* Shows the dialog. request is borrowed until the dialog is freed. */
struct ask_dialog *ask_dialog_new(
    const struct ask_request *request, ask_dialog_done done, void *data);
/* Closes it; also inside done. NULL is fine. */
void ask_dialog_free(struct ask_dialog *dialog);

/* How many questions wait behind this one. */
void ask_dialog_set_waiting(struct ask_dialog *dialog, unsigned count);

#endif
