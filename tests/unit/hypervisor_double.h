/*
 * hypervisor_double - a hypervisor that does nothing but what the test says, in place of
 * hypervisor.c. Its calls are kept until the test answers them.
 */
#ifndef TESTS_UNIT_HYPERVISOR_DOUBLE_H
#define TESTS_UNIT_HYPERVISOR_DOUBLE_H

#include "qubesd/hypervisor.h"

struct hypervisor_double {
	GString *calls; /* "start:NAME shutdown kill ..." */
	bool has_vchan;
	bool has_own_xids;        /* each qube has a domain id of its own; else all have 7 */
	const char *vchan;        /* NULL: "socket" */
	bool adopts;              /* what hypervisor_adopt() says */
	const char *adopts_kind;  /* of this kind alone; NULL: of any */
	const char *missing_kind; /* cannot be had, like "xen:///" */
	hypervisor_done done;     /* of the last call that has not been answered */
	void *data;
	/* copied from the last start */
	char *name, *private_dir, *private_source, *template_name;
	char *disks; /* "NAME rw|ro PATH", a line each */
	bool private_keep;
	int64_t gui_domain;
	uint32_t xid;
	uint32_t used_xid; /* what hypervisor_has_xid() says yes to */
	enum hypervisor_state state;
	unsigned distrusted; /* how often */
};

extern struct hypervisor_double hypervisor_double;

void hypervisor_double_reset(void);
/* Answers the last call: the state is set and told, then done is called. error: nothing changes. */
void hypervisor_double_answer(const char *error, enum hypervisor_state state);
/* What happens without being asked. */
void hypervisor_double_tell(const char *uuid, enum hypervisor_state state);

#endif
