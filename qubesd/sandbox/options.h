/*
 * options - what bordure-sandbox was told about the sandbox it is to make.
 *
 * All strings are owned by the options. Values come from qubesd, which has checked them; a name
 * that could be a path is still refused here, because this program may run as root.
 */
#ifndef SANDBOX_OPTIONS_H
#define SANDBOX_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct sandbox_options {
	char *name, *uuid, *klass;
	char *default_user;    /* the name of uid 1000 inside */
	char *keyboard_layout; /* layout+variant+options, "" = none */
	char *services;        /* names that are switched on, a blank between them */
	char *private_dir;     /* absolute */
	char *private_source;  /* absolute; NULL: a fresh private folder starts empty */
	bool discard;          /* the private folder is made at start and removed at the end */
	char *root_dir; /* absolute: where usr/ and etc/ of the template lie; "/" = the host's */
	uint32_t qid, xid;
	uint32_t memory_mib; /* limit of the cgroup, and half of it for each of /tmp and /dev/shm */
	int64_t gui_domain;  /* -1: none; GUEST_CONF_GUI_LATER */
	bool debug;
	bool try_first; /* whether a sandbox can be made here at all */
	int status_fd;  /* where the outcome is written, one line; -1: stderr */
};

/* Returns 0, or -EINVAL with *ret_error a sentence (g_free()). */
int sandbox_options_parse(int argc, char **argv, struct sandbox_options *ret, char **ret_error);
/* Are all the values there that a start needs? 0, or -EINVAL with *ret_error. */
int sandbox_options_check_start(const struct sandbox_options *options, char **ret_error);
void sandbox_options_clear(struct sandbox_options *options);

#endif
