/*
 * lifecycle_run - one qube from the first step of its start to the end of its stop; seen by
 * lifecycle*.c only.
 *
 *   STARTING --all steps--> RUNNING --halted--> STOPPING --volumes stopped--> (the run is freed)
 *       |  \--halted while it waits for the agent--> STOPPING
 *       \--a step fails--> FAILING --hypervisor halted--> STOPPING
 */
#ifndef QUBESD_LIFECYCLE_RUN_H
#define QUBESD_LIFECYCLE_RUN_H

#include "qubesd/boot.h"
#include "qubesd/domain_storage.h"
#include "qubesd/event.h"
#include "qubesd/gui_access.h"
#include "qubesd/hypervisor.h"
#include "qubesd/lifecycle.h"
#include "qubesd/qrexec_child.h"
#include "qubesd/qubes_app.h"

struct lifecycle {
	struct qubes_app *app;   /* borrowed */
	char *default_kind;      /* owned */
	GHashTable *hypervisors; /* owned: kind -> struct hypervisor, made when first needed */
	GHashTable *runs;        /* owned: uuid -> struct run */
	struct gui_access *gui_access; /* owned */
};

enum run_phase {
	RUN_STARTING,
	RUN_RUNNING,
	RUN_FAILING,  /* its start failed; waiting for the hypervisor to be done with it */
	RUN_STOPPING, /* the hypervisor is done with it; what it wrote is being put in order */
};

/* The volumes of a run. */
enum run_storage {
	STORAGE_NONE,
	STORAGE_STARTING, /* a step of the start waits; a stop waits for that */
	STORAGE_STARTED,
};

/* A call that waits for something of a run. */
struct run_waiter {
	lifecycle_done done;
	void *data;
};

struct run {
	struct lifecycle *lifecycle;   /* borrowed */
	struct domain *domain;         /* owned reference */
	struct hypervisor *hypervisor; /* borrowed; NULL before it is chosen */
	enum run_phase phase;
	unsigned step;        /* the next one of the table in lifecycle_start.c */
	char *start_guid;     /* owned */
	struct boot boot;     /* of the start under way */
	uint32_t offered_xid; /* the domain id that the hypervisor is to give it */
	enum run_storage storage;
	struct domain_disks *disks; /* owned; NULL: none, or after a restart */
	bool kind_noted;            /* in the runtime folder (run_kind.h) */
	bool failed;                /* it stops without ever having been up */
	bool spawned;               /* the hypervisor runs it: its end must be processed */
	bool connected;             /* the agent has, or nobody waits for it */
	bool paused;                /* as told by events */
	bool pause_asked;           /* by us: the next one needs no explanation */
	bool shutting_down; /* asked to, or killed; starts wait until it has, or that failed */
	guint shutdown_timer;
	guint kill_timer;            /* of a failed start that could not be ended */
	unsigned kill_pause_s;       /* before the last attempt; 0: there was one only */
	char *transport_file;        /* owned; NULL: there is none */
	struct qrexec_child *qrexec; /* owned; NULL: none */
	struct run_gui *gui;      /* owned; NULL: an adopted qube that nobody has told anything */
	struct admin_error error; /* why the start failed */
	GPtrArray *start_waiters; /* owned: struct run_waiter */
	GPtrArray
	    *shutdown_waiters;   /* owned: until the stop has been processed, or the time is over */
	GPtrArray *stop_waiters; /* owned: until the stop has been processed */
	GPtrArray *restart_waiters; /* owned: starts that came during the stop */
};

struct run *run_find(const struct lifecycle *lifecycle, const struct domain *domain);
struct run *run_new(struct lifecycle *lifecycle, struct domain *domain);
void run_free(struct run *run);

void run_waiter_add(GPtrArray *waiters, lifecycle_done done, void *data);
/* Calls and empties them. error may be NULL. */
void run_waiters_tell(GPtrArray *waiters, const struct admin_error *error);

/* It was to end, and does not: starts need not wait for that any more. */
void run_goes_on(struct run *run);

/* Goes on with the steps of the start until one has to wait, fails, or all are done. */
void run_continue(struct run *run);
/* Ends the start; message is a sentence. Also for a step that waited. */
void run_fail(struct run *run, const char *class, const char *message);
/*
 * lifecycle_kill.c: somebody wants its end; stop_waiters are told when that fails. Before the hypervisor has said
 * that it runs, the start ends at its next step instead.
 */
void run_kill(struct run *run);
/* Ends what a failed start has left in the hypervisor, however long that takes. */
void run_kill_failed(struct run *run);
/* The hypervisor says that it does not run any more. The run is gone some time later. */
void run_halted(struct run *run);
/* The volumes have been started, or not; a stop that waited for that goes on. */
void run_storage_settled(struct run *run);

/* The hypervisor for the start of a domain, made when it is the first of its kind; NULL with *error. */
struct hypervisor *lifecycle_hypervisor(
    struct lifecycle *lifecycle, const struct domain *domain, struct admin_error *error);

/*
 * True with *error when it runs, or may run, under another kind than its start would choose: a qubesd
 * that could not ask that one was there before.
 */
bool lifecycle_runs_elsewhere(
    struct lifecycle *lifecycle, const struct domain *domain, struct admin_error *error);
/* Notes its kind until run_end(). False: that cannot be; it is in the log. */
bool run_note_kind(struct run *run);

/* False for dom0, qubes elsewhere, and entries of the store that cannot be used. */
bool lifecycle_has_machine(const struct domain *domain);

/* The qrexec-daemon of a run; adopting finds the one that survived. */
void run_qrexec_start(struct run *run);
void run_qrexec_adopt(struct run *run);

/* The file that tells its transport to the trusted side (shared/vchan/spec.h). */
void run_write_transport(struct run *run);
void run_remove_transport(struct run *run);
/* Those of domains that ended when nobody looked. */
void lifecycle_remove_stale_transports(const struct lifecycle *lifecycle);

/* The domain id of the qube's GUI domain while that runs; 0: dom0; -1: the qube has no GUI. */
int64_t run_gui_domain(const struct domain *domain);
/*
 * Tells the broker the GUI domain of this run, and of those whose GUI domain it is. True when
 * there is something to tell: run_continue() comes when it has been.
 */
bool run_tell_gui_domains(struct run *run);
/* The same of all runs; nobody waits. */
void lifecycle_tell_gui_domains(struct lifecycle *lifecycle);
/* An event handler: the property guivm of a running qube may have changed. */
bool lifecycle_on_property(const struct event *event, struct admin_error *error, void *data);

/*
 * The GUI domain as the guest is told it (lifecycle_gui.c): a domain id, RUN_GUI_NONE, or
 * GUEST_CONF_GUI_LATER while it does not run. What was told is noted, so that a change can be.
 */
#define RUN_GUI_NONE (-1)
#define RUN_GUI_UNKNOWN (-3)
int64_t run_gui_for_guest(const struct domain *domain);
void run_gui_told(struct run *run, int64_t gui_domain);
void run_gui_free(struct run_gui *gui); /* NULL is fine */
/* Adds the event handler that does it; its data is the lifecycle, like that of the others. */
void lifecycle_gui_follow(struct lifecycle *lifecycle);

#endif
