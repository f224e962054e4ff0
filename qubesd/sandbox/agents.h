/*
 * agents - the programs that process 1 keeps running, and when one that died comes back.
 *
 * A dead agent is started again after a pause that doubles from AGENT_PAUSE_FIRST_MS to
 * AGENT_PAUSE_LAST_MS; one that lived for AGENT_STABLE_MS starts from the first pause again.
 */
#ifndef SANDBOX_AGENTS_H
#define SANDBOX_AGENTS_H

#include "shared/guest_conf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define AGENT_PAUSE_FIRST_MS 100
#define AGENT_PAUSE_LAST_MS 10000
#define AGENT_STABLE_MS 30000

/* Who a program runs as. */
struct account {
	const char *name, *home; /* borrowed */
	uid_t uid;
	gid_t gid;
	gid_t group; /* of qubes */
};

struct agent {
	const char *program; /* absolute path; a literal */
	bool as_user;        /* where there are other users; else as we are */
	bool needs_gui;
	pid_t pid; /* 0: it does not run */
	int64_t started_ms;
	int64_t due_ms; /* when to start it; INT64_MAX: never */
	int64_t pause_ms;
};

#define AGENT_COUNT 2

/* The agents of this guest, due at now. */
void agents_init(struct agent agents[AGENT_COUNT], const struct guest_conf *conf, int64_t now_ms);
/* Starts those that are due. */
void agents_start_due(
    struct agent agents[AGENT_COUNT], const struct account *user, bool privileged, int64_t now_ms);
/* A child has gone: if it is an agent it becomes due again. */
void agents_on_exit(struct agent agents[AGENT_COUNT], pid_t pid, int status, int64_t now_ms);
/* Milliseconds until one is due; -1: none is. */
int agents_timeout(const struct agent agents[AGENT_COUNT], int64_t now_ms);

#endif
