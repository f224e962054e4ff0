/*
 * sandbox_qube - one sandbox as qubesd sees it: the bordure-sandbox that makes it, and its end.
 *
 * bordure-sandbox is one process a qube and outlives us; we start it, listen to its one line, and
 * watch it by a pidfd. It ends when everything that it made has been removed, so its end is the
 * qube's halt. When it was killed, another one is started that only removes. Seen by
 * hypervisor_sandbox.c only.
 */
#ifndef QUBESD_SANDBOX_QUBE_H
#define QUBESD_SANDBOX_QUBE_H

#include "qubesd/hypervisor_ops.h"
#include "qubesd/sandbox/state.h"

#define SANDBOX_STATUS_FD 3 /* in the supervisor: where its line goes */

struct sandboxes {
	struct hypervisor base;
	GHashTable *qubes; /* owned: uuid -> struct sandbox_qube, all that are not halted */
	bool tried;        /* sandboxes can be made here; else the next start tries first */
};

/* A call that is answered when the qube has halted. */
struct sandbox_waiter {
	hypervisor_done done;
	void *data;
};

/* What to start, at once or when the run before has ended. */
struct sandbox_launch {
	GPtrArray *argv; /* owned: char * */
	uint32_t xid;
	hypervisor_done done;
	void *data;
};

struct sandbox_qube {
	struct sandboxes *owner; /* borrowed */
	char *uuid;              /* owned */
	uint32_t xid;
	enum hypervisor_state state;
	struct sandbox_state facts; /* what the supervisor wrote down; empty at first */
	pid_t child;                /* to be reaped; 0: not our child */
	int watch_fd;               /* pidfd of the supervisor, or of the cleaner after it */
	guint watch;
	int status_fd;
	guint status;
	GString *line;                 /* owned: the supervisor's line, so far */
	struct sandbox_launch *launch; /* owned: the start under way */
	struct sandbox_launch *next;   /* owned: a start that waits for the end of this run */
	GArray *kills;                 /* owned: struct sandbox_waiter */
	bool cleaned;                  /* after the supervisor's end a cleaner has run, too */
	bool frozen_by_signals;
};

/* For sandboxes->qubes. */
void sandbox_qube_free(gpointer data);

/* One that runs has this domain id, or a folder of one that does not any more. */
bool sandbox_has_xid(const struct sandboxes *sandboxes, uint32_t xid);

/* Starts a qube that is not among the others; takes launch over. Its done is called later. */
void sandbox_qube_launch(
    struct sandboxes *sandboxes, const char *uuid, struct sandbox_launch *launch);

/* One that was there before us: watched if its supervisor lives, removed if not. */
void sandbox_qube_take_over(struct sandboxes *sandboxes, uint32_t xid);

/* Notes the state, and tells the owner of the hypervisor if it is another one. */
void sandbox_qube_change_state(struct sandbox_qube *qube, enum hypervisor_state state);

/*
 * To process 1 of the sandbox; or, while there is none, SIGTERM to the supervisor, which ends both.
 * 0 also when it is ending already.
 */
int sandbox_qube_signal(struct sandbox_qube *qube, int signal_number);

int sandbox_qube_freeze(struct sandbox_qube *qube);
void sandbox_qube_thaw(struct sandbox_qube *qube);

#endif
