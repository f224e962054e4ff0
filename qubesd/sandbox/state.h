/*
 * state - what is written down about a running sandbox, so that it survives a restart of qubesd.
 *
 * Each sandbox has one folder, sandbox/XID in the runtime folder. The folder's name is the domain
 * id, so an id is taken exactly as long as its folder is there. The file "state" in it is written
 * by bordure-sandbox and read by qubesd; both are the same user.
 */
#ifndef SANDBOX_STATE_H
#define SANDBOX_STATE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A process that cannot be mistaken for another one that got the same number later. */
struct process_id {
	pid_t pid;           /* 0: none */
	uint64_t start_time; /* clock ticks since boot */
};

/* The process as it is now; -ESRCH when it has gone. */
int process_id_get(pid_t pid, struct process_id *ret);
/* A pidfd of exactly this process; -ESRCH when it has gone. Close-on-exec. */
int process_id_open(const struct process_id *id);

struct sandbox_state {
	char *uuid, *name;
	uint32_t xid, memory_mib;
	int64_t started_us;           /* since the epoch */
	struct process_id supervisor; /* bordure-sandbox; ends after everything was removed */
	struct process_id init;       /* process 1 of the sandbox; none while it is being made */
	char *private_dir;
	bool discard;   /* the private folder goes with the sandbox */
	char **cgroups; /* absolute folders, NULL-terminated, deepest first */
};

void sandbox_state_clear(struct sandbox_state *state);

/* The folder of a domain id; a new string. */
char *sandbox_dir(uint32_t xid);
/* Domain ids whose folders exist, as uint32_t. */
GArray *sandbox_state_list(void);

/* 0, -ENOENT, or -EINVAL when the file makes no sense. */
int sandbox_state_load(uint32_t xid, struct sandbox_state *ret);
/*
 * Makes the folder with the state in it, in one step (-EEXIST: the id is taken), and replaces the
 * state later, also in one step.
 */
int sandbox_state_create(const struct sandbox_state *state);
int sandbox_state_save(const struct sandbox_state *state);
/* Removes the folder with all in it. */
void sandbox_state_remove(uint32_t xid);

#endif
