/*
 * agent - qubes-gui as a whole: the channel, the X server, and what lies between them.
 *
 * Order: listen -> a daemon's handshake -> X server in the size of its screen -> its windows
 *        watched, the session started. Without a daemon there is nothing to draw for. Later
 *        daemons find the X server running, and are told of all its windows.
 * Ends:  never by itself, but for on_end: with exit status 1 when the X server is gone or cannot
 *        be used, 2 when the daemon speaks another protocol.
 */
#ifndef GUI_AGENT_AGENT_H
#define GUI_AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>

struct agent_options {
	int64_t gui_domain;   /* the first one; GUI_DOMAIN_NONE: it is waited for */
	const char *display;  /* of a running X server, and no session; NULL: Xvfb and a session */
	const char *layout;   /* session.h */
	bool manual_redirect; /* xwatch.h */
	bool locks_only;      /* inject.h */
};

struct agent;

/* options and what they point to are borrowed. 0, or a negative errno after a line in the log. */
int agent_new(const struct agent_options *options, void (*on_end)(int exit_status, void *data),
    void *data, struct agent **ret);
void agent_free(struct agent *agent); /* NULL is fine; ends the session and the X server */

#endif
