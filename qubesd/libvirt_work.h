/*
 * libvirt_work - what is done in the libvirt threads: the calls about domains that are ours, each job
 * on a connection of its own (libvirt_connection.h).
 *
 * Shape:  a job is made on the main loop, run in a thread, and answered on the main loop. While it
 *         is in the thread it belongs to that alone. Jobs about one qube run in lanes
 *         (libvirt_jobs.c): a start has the lane for itself; else one runs, and a kill beside it.
 * Order:  threads overtake each other, so each state that was read carries a number that was taken
 *         before the reading; the main loop never goes back to an older one.
 * Trust:  only domains that carry our mark (domain_xml.h) are ever seen, changed or ended. What
 *         cannot be read is an error, and never "halted". Seen by hypervisor_libvirt.c and
 *         libvirt_*.c only.
 */
#ifndef QUBESD_LIBVIRT_WORK_H
#define QUBESD_LIBVIRT_WORK_H

#include "qubesd/domain_xml.h"
#include "qubesd/hypervisor_ops.h"

#include <libvirt/libvirt.h>

/* What the main loop knows of a qube. */
struct libvirt_qube {
	enum hypervisor_state state;
	int64_t xid, started_us;
	struct hypervisor_usage usage;
	gint64 number; /* of the reading */
};

struct libvirt {
	struct hypervisor base;
	gint references; /* atomic: the owner, and every job */
	bool closed;     /* main loop: the owner has gone, nobody is told any more */
	enum domain_xml_driver driver;

	/* main loop */
	GHashTable
	    *qubes; /* owned uuid -> owned struct libvirt_qube; also halted ones, for a while */
	GHashTable *lanes;    /* owned uuid -> owned struct lane; those with jobs */
	GHashTable *unwanted; /* set of our ids of starts that failed, but may have been done */
	GHashTable *asked;    /* set of struct libvirt_job, whose caller waits */
	unsigned laneless; /* jobs about no one qube that are under way: they may have seen any */
	bool lost;         /* libvirtd has gone, and that has been said */
	guint retry;       /* source: the next attempt to find it again */
	guint retry_pause_s;
	struct libvirt_maker *maker; /* owned; libvirt_saved.h; NULL: not QEMU */

	/* threads */
	gint number;           /* atomic: of the last reading */
	GMutex mutex;          /* over those below; held while the watched connection is made */
	virConnectPtr watched; /* owned; NULL: none (libvirt_connection.h) */
	GQueue idle;           /* owned virConnectPtr, for calls */
	bool is_ended;         /* no connection is kept any more */
	GMutex kvm_mutex;      /* over the next; held during the trial */
	enum { KVM_UNKNOWN, KVM_WORKS, KVM_FAILS } kvm;
	uid_t qemu_uid; /* as whom libvirt runs QEMU; -1: as us */
	gid_t qemu_gid;
};

/* What a job found out about one domain, on its way to the main loop. */
struct libvirt_finding {
	char uuid[VIR_UUID_STRING_BUFLEN];
	struct libvirt_qube qube;
	uint32_t our_id; /* that of the mark; 0: none */
};

/* What a start needs besides its name. */
struct libvirt_start {
	uint64_t region_bytes; /* QEMU */
	char *region_name;     /* owned; QEMU (region_file.h) */
	char *xml;             /* owned */
	char *xml_kvm;         /* owned; QEMU: the same for where KVM works */
	char *conf;            /* owned; QEMU: text of guest.conf */
	char *boot_disk;       /* owned; QEMU: what firmware starts from; NULL: it has a kernel */
	/* QEMU, libvirt_saved.h */
	struct saved_machine *saved; /* owned; NULL: it has to boot */
	bool kvm;                    /* result: which of the two descriptions */
	char *saved_key;             /* owned; result: of the state that it could begin as; NULL */
	bool restored;               /* result: it did */
	bool restore_failed;         /* result: it does not work, and not by chance */
};

/* One piece of work: run in a thread, then answered on the main loop. */
struct libvirt_job {
	struct libvirt *libvirt; /* reference */
	void (*work)(struct libvirt_job *job);
	char *uuid, *name;           /* owned; NULL where the work needs none */
	struct libvirt_start *start; /* owned; NULL but for a start */
	uint32_t our_id;             /* of the start; else that of the run, as far as known; 0 */
	hypervisor_done done;        /* NULL: nobody waits, or he has been told */
	void *data;
	GArray *machines;         /* owned: uint32_t; of look_first: NULL, or which there were */
	guint timeout;            /* main loop */
	gint abandoned;           /* atomic: nobody wants it any more */
	virConnectPtr connection; /* thread: its own, while it works */
	char *error;              /* owned; result */
	bool undone;              /* result: a failed start has left nothing */
	int64_t xid;              /* result */
	gint64 number;            /* result of look_all: taken before the list was read */
	GArray *findings;         /* owned: struct libvirt_finding; result */
};

struct libvirt *libvirt_ref(struct libvirt *libvirt);
void libvirt_unref(struct libvirt *libvirt);

struct libvirt_job *libvirt_job_new(struct libvirt *libvirt, void (*work)(struct libvirt_job *job));
void libvirt_job_free(struct libvirt_job *job);

GHashTable *libvirt_lanes_new(void);
/* libvirt_jobs.c, on the main loop: hands it to its lane. The answer comes there, too. */
void libvirt_job_post(struct libvirt_job *job);
/* Keeps what was found, and says nothing; for the first look. */
void libvirt_remember(struct libvirt *libvirt, const struct libvirt_finding *finding);
/* In any thread: the state of this domain may be another one; the connection has gone. */
void libvirt_tell_changed(struct libvirt *libvirt, const char *uuid);
void libvirt_tell_lost(struct libvirt *libvirt);

/* The rest in a thread only. False, with job->error, when no connection can be made. */
bool libvirt_work_connect(struct libvirt_job *job);
void libvirt_work_disconnect(struct libvirt_job *job);

void libvirt_work_look(struct libvirt_job *job);     /* how one qube is */
void libvirt_work_look_all(struct libvirt_job *job); /* how all of ours are */
/* The same, and removes those of job->machines that nobody runs. The list is older than any start. */
void libvirt_work_look_first(struct libvirt_job *job);
/* Finds out whether KVM works, so that the first start need not wait; QEMU only. */
void libvirt_work_try_kvm(struct libvirt_job *job);
void libvirt_work_start(struct libvirt_job *job); /* needs name, our_id and start */
void libvirt_work_shutdown(struct libvirt_job *job);
void libvirt_work_kill(struct libvirt_job *job);
void libvirt_work_pause(struct libvirt_job *job);
void libvirt_work_unpause(struct libvirt_job *job);
void libvirt_work_close(struct libvirt_job *job);

#endif
