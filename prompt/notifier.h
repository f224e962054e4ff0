/*
 * notifier - shows what was allowed, denied or failed, through the desktop's notification service;
 * without one it goes to the log. Never waits for it.
 */
#ifndef PROMPT_NOTIFIER_H
#define PROMPT_NOTIFIER_H

#include "prompt/request_decode.h"

void notifier_show(const struct notify_request *request);

/* The texts shown: plain, and with everything escaped that is markup. To be freed. */
char *notifier_title(const struct notify_request *request);
char *notifier_body(const struct notify_request *request);

#endif
