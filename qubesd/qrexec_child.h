/*
 * qrexec_child - the qrexec-daemon of one running qube, as qubesd's child.
 *
 * Shape:  "qrexec-daemon --direct -q --socket-dir=DIR -u UUID -- XID NAME USER", in a session of
 *         its own, with its output in log/qrexec-NAME.log of the runtime folder. It has connected
 *         to the qube's agent when its socket DIR/qrexec.XID accepts connections.
 * Life:   it outlives qubesd; qrexec-XID.pid in the runtime folder says who it is, and
 *         qrexec_child_adopt() finds it again. One that dies while the qube runs is started again,
 *         after a pause that doubles up to half a minute.
 */
#ifndef QUBESD_QREXEC_CHILD_H
#define QUBESD_QREXEC_CHILD_H

#include <glib.h>
#include <stdint.h>

struct qrexec_child;

struct qrexec_child_spec {
	const char *uuid, *name, *user; /* copied */
	const char *vchan;              /* copied; QUBES_VCHAN, NULL: the default transport */
	int64_t xid;
	int64_t timeout_s; /* how long to wait for the agent; 0: for ever, and nobody waits */
};

/*
 * Called once, from the main loop, unless timeout_s is 0: error is NULL when the agent has
 * connected, else a sentence (borrowed), and the daemon does not run any more.
 */
typedef void (*qrexec_child_connected)(const char *error, void *data);

/* Never NULL; a daemon that cannot be started is reported like one that did not connect. */
struct qrexec_child *qrexec_child_new(
    const struct qrexec_child_spec *spec, qrexec_child_connected connected, void *data);
/* The daemon of a qube that survived a restart of qubesd; a new one when it did not. */
struct qrexec_child *qrexec_child_adopt(const struct qrexec_child_spec *spec);

/* Ends the daemon and removes its sockets and pid file. NULL is fine. */
void qrexec_child_end(struct qrexec_child *child);
/* Forgets it; it goes on. NULL is fine. */
void qrexec_child_leave(struct qrexec_child *child);

#endif
