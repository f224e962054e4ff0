/*
 * session_wait - calls that must not run before the user's session is there.
 *
 * The service qubes.WaitForSession is started for the first of them; when it has ended, whatever
 * its status, all that wait go on. One runs at a time. When the queue is full, or the service
 * cannot be started, a call goes on at once: waiting is a courtesy, not a promise.
 */
#ifndef QREXEC_SESSION_WAIT_H
#define QREXEC_SESSION_WAIT_H

#include <stdbool.h>

struct session_wait;

typedef void (*session_wait_func)(void *data);

struct session_wait *session_wait_new(void);
void session_wait_free(struct session_wait *wait); /* nobody is called any more */

/*
 * func comes from the loop, once, unless session_wait_cancel() comes first. user is whose session
 * it is (NULL: ours), source the caller's name.
 */
void session_wait_add(struct session_wait *wait, const char *user, const char *source,
    session_wait_func func, void *data);
void session_wait_cancel(struct session_wait *wait, void *data);

#endif
