/*
 * libvirt_work - what is done in the libvirt worker: the calls, on one connection, about domains
 * that are ours.
 *
 * Shape:  a job is made on the main loop, run in the worker, and answered on the main loop. While it
 *         is in the worker it belongs to the worker alone.
 * Trust:  only domains that carry our mark (domain_xml.h) are ever seen, changed or ended. Seen by
 *         hypervisor_libvirt.c only.
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
};

struct libvirt {
	struct hypervisor base;
	gint references;   /* atomic: the owner, and every job */
	bool closed;       /* main loop: the owner has gone, nobody is told any more */
	GHashTable *qubes; /* main loop: owned uuid -> owned struct libvirt_qube */
	enum domain_xml_driver driver;
	virConnectPtr connection; /* worker */
};

/* What a job found out about one domain, on its way to the main loop. */
struct libvirt_finding {
	char uuid[VIR_UUID_STRING_BUFLEN];
	struct libvirt_qube qube;
};

/* One piece of work: run in the worker, then answered on the main loop. */
struct libvirt_job {
	struct libvirt *libvirt; /* reference */
	void (*work)(struct libvirt_job *job);
	char *uuid, *name, *xml; /* owned; NULL where the work needs none */
	hypervisor_done done;    /* NULL: nobody waits, or he has been told */
	void *data;
	guint timeout;    /* main loop */
	char *error;      /* owned; result */
	int64_t xid;      /* result */
	GArray *findings; /* owned: struct libvirt_finding; result */
};

struct libvirt *libvirt_ref(struct libvirt *libvirt);
void libvirt_unref(struct libvirt *libvirt);

/* On either side. */
struct libvirt_job *libvirt_job_new(struct libvirt *libvirt, void (*work)(struct libvirt_job *job));
void libvirt_job_free(struct libvirt_job *job);
/* Hands it to the worker; the answer is the business of hypervisor_libvirt.c. */
void libvirt_job_post(struct libvirt_job *job);

/* The rest in the worker only. False, with job->error, when no connection can be made. */
bool libvirt_work_connect(struct libvirt_job *job);

void libvirt_work_look(struct libvirt_job *job);     /* how one qube is */
void libvirt_work_look_all(struct libvirt_job *job); /* how all of ours are */
void libvirt_work_start(struct libvirt_job *job);    /* needs name and xml */
void libvirt_work_shutdown(struct libvirt_job *job);
void libvirt_work_kill(struct libvirt_job *job);
void libvirt_work_pause(struct libvirt_job *job);
void libvirt_work_unpause(struct libvirt_job *job);
void libvirt_work_close(struct libvirt_job *job);

#endif
