/*
 * session - what runs on the qube's screen: first the keyboard layout, then qrexec-fork-server.
 *
 * The fork server's socket says to the rest of the qube that there is a session; programs started
 * through it inherit DISPLAY. It is started again when it ends, after 1 second at first,
 * 30 at most.
 */
#ifndef GUI_AGENT_SESSION_H
#define GUI_AGENT_SESSION_H

struct session;

/* display is ":N". layout is "layout+variant+options"; empty leaves the X server's own. */
struct session *session_new(const char *display, const char *layout);
/* Ends what it started. NULL is fine. */
void session_free(struct session *session);

#endif
