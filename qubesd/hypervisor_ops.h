/*
 * hypervisor_ops - what a kind of hypervisor implements; seen by hypervisor*.c only.
 */
#ifndef QUBESD_HYPERVISOR_OPS_H
#define QUBESD_HYPERVISOR_OPS_H

#include "qubesd/hypervisor.h"

/* The rows mean what hypervisor.h says of the functions with their names. */
struct hypervisor_ops {
	void (*free)(struct hypervisor *hypervisor);
	void (*start)(struct hypervisor *hypervisor, const struct hypervisor_qube *qube,
	    hypervisor_done done, void *data);
	void (*shutdown)(
	    struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data);
	void (*kill)(
	    struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data);
	void (*pause)(
	    struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data);
	void (*unpause)(
	    struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data);
	enum hypervisor_state (*state)(const struct hypervisor *hypervisor, const char *uuid);
	bool (*has_xid)(const struct hypervisor *hypervisor, uint32_t xid);
	int64_t (*xid)(const struct hypervisor *hypervisor, const char *uuid);
	int64_t (*started_us)(const struct hypervisor *hypervisor, const char *uuid);
	bool (*adopt)(struct hypervisor *hypervisor, const char *uuid, const char *name);
	void (*usage)(
	    struct hypervisor *hypervisor, const char *uuid, struct hypervisor_usage *ret);
	void (*distrust)(struct hypervisor *hypervisor, const char *uuid); /* NULL: nothing to do */
};

/* The first member of each kind's own struct. */
struct hypervisor {
	const struct hypervisor_ops *ops;
	char *kind;  /* owned */
	char *vchan; /* owned; NULL: the default transport */
	bool has_vchan;
	hypervisor_event on_event;
	void *data; /* borrowed, for on_event */
};

void hypervisor_init(struct hypervisor *hypervisor, const struct hypervisor_ops *ops,
    const char *kind, hypervisor_event on_event, void *data);
void hypervisor_fini(struct hypervisor *hypervisor);

/* Calls done from the main loop, in the next turn. error may be NULL; it is copied. */
void hypervisor_answer_later(hypervisor_done done, const char *error, int64_t xid, void *data);

/* As hypervisor_new(), for one kind each. */
int hypervisor_sandbox_new(const char *kind, hypervisor_event on_event, void *data,
    struct hypervisor **ret, char **ret_error);
int hypervisor_libvirt_new(const char *kind, hypervisor_event on_event, void *data,
    struct hypervisor **ret, char **ret_error);

#endif
