/*
 * libvirt_making - one state on its way: between libvirt_maker.c, which decides on the main loop what
 * is made when, and libvirt_making.c, which makes it in a thread. Seen by these two, and by who tidies up.
 */
#ifndef QUBESD_LIBVIRT_MAKING_H
#define QUBESD_LIBVIRT_MAKING_H

#include "qubesd/libvirt_work.h"
#include "qubesd/saved_machine.h"

struct making {
	struct libvirt_job *job;       /* owned; for its connection */
	struct saved_machine *machine; /* owned */
	char *key;                     /* owned */
	bool kvm;
	uint64_t region_bytes;
	char *region_name; /* owned; thread */
	unsigned tries;    /* main loop */
	gint stop;         /* atomic: it is not wanted any more, or not now */
	bool is_by_chance; /* result, with error: it says nothing of the next attempt */
	char *error;       /* owned; result; NULL: it is there */
};

/* In a thread of its own: minutes. */
void libvirt_making_run(struct making *making);

/* Removes what a killed daemon has left. Before the first of the next. */
void libvirt_making_tidy(void);

#endif
